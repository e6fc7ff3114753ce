//! The topology of a cluster as a graph: who publishes to what, which way it takes, and who reads it in the end.
//!
//! It says what there is and how it hangs together; where each thing stands is for whoever draws it.

use crate::focus::Focus;
use crate::{Which, graph_log, graph_queue};
use player::{Player, say};
use serde::Serialize;

/// A topology at the playhead.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Graph {
    /// Its elements, those where messages come in first.
    pub nodes: Vec<GraphNode>,
    /// The ways between them.
    pub edges: Vec<GraphEdge>,
}

/// An element of a topology.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct GraphNode {
    /// One of a kind in the graph, such as `queue:orders`.
    pub id: String,
    /// `producer`, `exchange`, `queue`, `topic`, `partition`, `group` or `consumer`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What sort of its kind, in the broker's words, such as `topic` of an exchange; may be empty.
    pub sort: String,
    /// The server that leads it, is its home or coordinates it, or that it is connected to; empty if there is none.
    pub at: String,
    /// Whether it works now.
    pub up: bool,
    /// What it counts at the playhead.
    pub figures: Vec<Figure>,
    /// What it is on the stage, to be taken into focus there.
    pub focus: Option<Focus>,
    /// The node on the stage that it is, or that has it; empty if there is none.
    pub card: String,
}

/// A number of an element.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Figure {
    /// What is counted, in the broker's words, such as `unacked`.
    pub what: &'static str,
    /// How many.
    pub value: f64,
}

/// A way between two elements.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct GraphEdge {
    /// The element's id.
    pub from: String,
    /// See `from`.
    pub to: String,
    /// `publish`, `bind`, `alternate`, `dead-letter`, `part`, `read` or `deliver`.
    pub kind: &'static str,
    /// Its key, its arguments or its lag; may be empty.
    pub label: String,
    /// Whether messages can take it now.
    pub up: bool,
}

/// The topology of a cluster at the playhead; `None` if the document has no such cluster.
#[must_use]
pub fn graph(player: &Player, which: Which) -> Option<Graph> {
    let state = player.state();
    match which {
        Which::Log => state.log.as_ref().map(|side| graph_log::graph(player, side)),
        Which::Queue => state.queue.as_ref().map(|side| graph_queue::graph(player, side)),
    }
}

pub(crate) fn figure(what: &'static str, value: impl Into<u64>) -> Figure {
    Figure { what, value: value.into() as f64 }
}

impl GraphNode {
    /// An element that works and counts nothing.
    pub(crate) fn new(kind: &'static str, name: &str) -> GraphNode {
        GraphNode {
            id: format!("{kind}:{name}"),
            kind,
            name: name.to_owned(),
            sort: String::new(),
            at: String::new(),
            up: true,
            figures: Vec::new(),
            focus: None,
            card: String::new(),
        }
    }

    pub(crate) fn focused(mut self, kind: &str) -> GraphNode {
        self.focus = Some(Focus { kind: kind.to_owned(), name: self.name.clone() });
        self
    }
}

impl Graph {
    pub(crate) fn connect(&mut self, from: &str, to: &str, kind: &'static str, label: impl Into<String>, up: bool) {
        self.edges.push(GraphEdge { from: from.to_owned(), to: to.to_owned(), kind, label: label.into(), up });
    }

    /// Puts the nodes where ways lead to that there is nothing at: an exchange or a queue that does not exist.
    pub(crate) fn add_missing(&mut self) {
        for (from, to) in self.edges.iter().map(|edge| (edge.from.clone(), edge.to.clone())).collect::<Vec<_>>() {
            for id in [from, to] {
                if self.nodes.iter().any(|node| node.id == id) {
                    continue;
                }
                let (kind, name) = id.split_once(':').unwrap_or(("queue", &id));
                let kind = if kind == "exchange" { "exchange" } else { "queue" };
                let missing = GraphNode { sort: say!("missing").to_owned(), up: false, ..GraphNode::new(kind, name) };
                self.nodes.push(GraphNode { id: id.clone(), ..missing });
            }
        }
    }
}
