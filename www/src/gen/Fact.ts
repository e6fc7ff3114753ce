export type Fact = { name: string, value: string, rule: string, };
