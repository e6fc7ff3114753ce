export type Figure = { what: string, value: number, };
