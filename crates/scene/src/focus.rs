//! One topic, queue or group in focus: what of a cluster belongs to it.

use crate::{Which, nodes};
use player::Player;
use serde::Serialize;
use sim::NodeId;
use sim::workload::Role;

/// What may be in focus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Focus {
    /// `topic`, `group` or `queue`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// Everything in a cluster that may be in focus: its topics and groups, or its queues.
#[must_use]
pub fn focuses(player: &Player, which: Which) -> Vec<Focus> {
    let focus = |kind: &str, name: &str| Focus { kind: kind.to_owned(), name: name.to_owned() };
    let compiled = player.compiled();
    match which {
        Which::Log => {
            let Some(config) = &compiled.log else { return Vec::new() };
            let mut all: Vec<Focus> = config.topics.iter().map(|topic| focus("topic", &topic.name)).collect();
            for consumer in &config.consumers {
                let group = focus("group", &consumer.config.group_id);
                if !all.contains(&group) {
                    all.push(group);
                }
            }
            all
        }
        Which::Queue => {
            let queues = compiled.queue.iter().flat_map(|config| &config.queues);
            queues.map(|queue| focus("queue", &queue.name)).collect()
        }
    }
}

/// One that is missing is like the last.
fn like_the_last<T>(list: &[T], index: u16) -> Option<&T> {
    list.get(usize::from(index)).or(list.last())
}

impl Focus {
    /// Whether a topic belongs to it: it is the one, or the group reads it.
    pub(crate) fn has_topic(&self, player: &Player, topic: &str) -> bool {
        match self.kind.as_str() {
            "group" => player.compiled().log.as_ref().is_some_and(|config| {
                let members = config.consumers.iter().filter(|consumer| consumer.config.group_id == self.name);
                members.flat_map(|consumer| &consumer.topics).any(|read| read == topic)
            }),
            _ => self.name == topic,
        }
    }

    /// Whether a client has to do with it; servers do, and clients of which that is not known.
    pub(crate) fn has_client(&self, player: &Player, which: Which, node: NodeId) -> bool {
        let Some(info) = nodes(player, which).get(node.index()) else { return true };
        let compiled = player.compiled();
        match (which, info.role) {
            (Which::Log, Role::Producer(index)) => compiled.log.as_ref().is_none_or(|config| {
                like_the_last(&config.producers, index).is_none_or(|producer| self.has_topic(player, &producer.topic))
            }),
            (Which::Log, Role::Consumer(index)) => compiled.log.as_ref().is_none_or(|config| {
                like_the_last(&config.consumers, index).is_none_or(|consumer| match self.kind.as_str() {
                    "group" => consumer.config.group_id == self.name,
                    _ => consumer.topics.contains(&self.name),
                })
            }),
            // Where an exchange or a pattern stands between, only the broker knows.
            (Which::Queue, Role::Producer(index)) if index != u16::MAX => {
                compiled.queue.as_ref().is_none_or(|config| {
                    like_the_last(&config.publishers, index).is_none_or(|publisher| {
                        let direct = publisher.exchange.is_empty() && !publisher.routing_key.contains('{');
                        !direct || publisher.routing_key.is_empty() || publisher.routing_key == self.name
                    })
                })
            }
            (Which::Queue, Role::Consumer(index)) => compiled.queue.as_ref().is_none_or(|config| {
                like_the_last(&config.consumers, index)
                    .is_none_or(|consumer| consumer.queue.is_empty() || consumer.queue == self.name)
            }),
            _ => true,
        }
    }
}
