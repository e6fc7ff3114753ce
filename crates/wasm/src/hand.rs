//! What a consumer's application holds, for who leads its hand.

use crate::{Lab, which};
use scene::Which;
use serde::Serialize;
use sim::story::MessageId;
use sim::workload::{NodeInfo, Role};
use wasm_bindgen::prelude::*;

#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
struct HeldOut {
    /// The message's name.
    name: String,
    /// Its delivery tag (queues).
    tag: Option<f64>,
    /// Its topic (logs).
    topic: Option<String>,
    /// Its partition (logs).
    partition: Option<u32>,
    /// Its offset (logs).
    offset: Option<f64>,
    /// Whether the application still works on it, or has not begun.
    unfinished: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
struct HandOut {
    /// Whether it is led by hand.
    by_hand: bool,
    /// `queue`, `log` or `share`: what there is to settle.
    kind: &'static str,
    /// Whether it waits in `poll()`.
    polls: bool,
    /// What it holds and has not settled, oldest first.
    held: Vec<HeldOut>,
}

fn place(nodes: &[NodeInfo], name: &str) -> Option<u16> {
    nodes.iter().find(|node| node.name == name).and_then(|node| match node.role {
        Role::Consumer(place) => Some(place),
        _ => None,
    })
}

impl Lab {
    fn log_hand(&self, name: &str) -> Option<HandOut> {
        let cluster = &self.player.state().log.as_ref()?.cluster;
        let hand = cluster.hand(place(cluster.nodes(), name)?)?;
        let topics = self.player.document().log.as_ref().map_or(&[][..], |log| &log.topics);
        let held = hand.records.iter().map(|(topic, partition, offset, id)| HeldOut {
            name: scene::message_name(&self.player, *id),
            tag: None,
            topic: topics.get(*topic as usize).map(|topic| topic.name.clone()),
            partition: Some(*partition),
            offset: Some(*offset as f64),
            unfinished: false,
        });
        let kind = if hand.shares { "share" } else { "log" };
        Some(HandOut { by_hand: hand.by_hand, kind, polls: hand.polls, held: held.collect() })
    }

    fn queue_hand(&self, name: &str) -> Option<HandOut> {
        let cluster = &self.player.state().queue.as_ref()?.cluster;
        let (by_hand, held) = cluster.hand(place(cluster.nodes(), name)?)?;
        let name = |id: MessageId| scene::message_name(&self.player, id);
        let held = held.iter().map(|held| HeldOut {
            name: held.id.map(name).unwrap_or_default(),
            tag: Some(held.tag as f64),
            topic: None,
            partition: None,
            offset: None,
            unfinished: held.unfinished,
        });
        Some(HandOut { by_hand, kind: "queue", polls: false, held: held.collect() })
    }
}

#[wasm_bindgen]
impl Lab {
    /// What a consumer holds at the playhead: `{by_hand, kind, polls, held}`; `null` if there is no such consumer.
    pub fn hand(&self, side: u8, name: &str) -> JsValue {
        let hand = match which(side) {
            Which::Log => self.log_hand(name),
            Which::Queue => self.queue_hand(name),
        };
        hand.map_or(JsValue::NULL, |hand| crate::to_js(&hand))
    }
}
