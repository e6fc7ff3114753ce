export type GraphEdge = { from: string, to: string, kind: string, label: string, up: boolean, };
