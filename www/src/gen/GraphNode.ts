import type { Figure } from "./Figure";
import type { Focus } from "./Focus";
export type GraphNode = { id: string, kind: string, name: string, sort: string, at: string, up: boolean, figures: Array<Figure>, focus: Focus | null, card: string, };
