import type { GraphEdge } from "./GraphEdge";
import type { GraphNode } from "./GraphNode";
export type Graph = { nodes: Array<GraphNode>, edges: Array<GraphEdge>, };
