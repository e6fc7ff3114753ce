//! Settings that are changed while the cluster runs: records of the metadata (K-T6, K-T7).

use crate::config::{BrokerConfig, TopicConfig};
use crate::controller::Controller;
use crate::error::Code;
use crate::image::{Image, Record};
use crate::layout::{Layout, Slot, Topic};
use std::rc::Rc;

/// Those of a topic that an order may change (K-T6): all but those of remote storage itself.
pub const LIVE_TOPIC_SETTINGS: &[&str] = &[
    "min.insync.replicas",
    "unclean.leader.election.enable",
    "retention.ms",
    "retention.bytes",
    "max.message.bytes",
    "segment.bytes",
    "segment.ms",
    "segment.jitter.ms",
    "message.timestamp.type",
    "message.timestamp.before.max.ms",
    "message.timestamp.after.max.ms",
    "local.retention.ms",
    "local.retention.bytes",
    "cleanup.policy",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "max.compaction.lag.ms",
    "delete.retention.ms",
    "flush.messages",
    "flush.ms",
];

/// Those of the brokers that Kafka lets one change for the whole cluster while it runs (K-T7): the defaults of topics'
/// settings, and a few of their own.
pub const LIVE_BROKER_SETTINGS: &[&str] = &[
    "min.insync.replicas",
    "unclean.leader.election.enable",
    "message.max.bytes",
    "log.segment.bytes",
    "log.roll.ms",
    "log.roll.jitter.ms",
    "log.retention.ms",
    "log.retention.bytes",
    "log.message.timestamp.type",
    "log.message.timestamp.before.max.ms",
    "log.message.timestamp.after.max.ms",
    "log.local.retention.ms",
    "log.local.retention.bytes",
    "log.cleanup.policy",
    "log.cleaner.backoff.ms",
    "log.cleaner.min.cleanable.ratio",
    "log.cleaner.min.compaction.lag.ms",
    "log.cleaner.max.compaction.lag.ms",
    "log.cleaner.delete.retention.ms",
    "log.flush.interval.messages",
    "log.flush.interval.ms",
    "producer.id.expiration.ms",
];

/// All settings in force, once one of them was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub broker: BrokerConfig,
    own: Vec<TopicConfig>,
    pub(crate) topics: Vec<Topic>,
}

/// What was changed: the topic, by its place, or the brokers; the setting and its value.
pub type Changed = (Option<u32>, Rc<str>, Rc<str>);

impl Image {
    /// The topic of a partition with the settings in force.
    pub(crate) fn topic<'a>(&'a self, layout: &'a Layout, slot: Slot) -> &'a Topic {
        let topics = self.settings.as_ref().map_or(&layout.topics, |live| &live.topics);
        &topics[layout.slots[slot as usize] as usize]
    }

    /// The brokers' settings in force.
    pub(crate) fn broker<'a>(&'a self, layout: &'a Layout) -> &'a BrokerConfig {
        self.settings.as_ref().map_or(&layout.broker, |live| &live.broker)
    }
}

impl Controller {
    /// K-T6, K-T7. An empty value takes the setting away: of a topic the brokers' counts then, of the brokers the one
    /// that they were started with. As eligible leader replicas were told by the old minimum, a new one takes them
    /// back (K-E8).
    pub(crate) fn set_config(&self, topic: Option<&str>, setting: &str, value: &str) -> Result<Vec<Record>, Code> {
        let layout = &self.layout;
        let fresh = || Settings { broker: layout.broker.clone(), own: layout.own.clone(), topics: Vec::new() };
        let mut next = self.planned.settings.as_ref().map_or_else(fresh, |live| Settings::clone(live));
        let place = |name: &str| layout.topics.iter().position(|topic| &*topic.name == name && !topic.internal);
        let place = topic.map(|name| place(name).ok_or(Code::UnknownTopicOrPartition)).transpose()?;
        let (known, set) = match place {
            Some(place) => (LIVE_TOPIC_SETTINGS, next.own[place].set(setting, value)),
            None => {
                let value = if value.is_empty() { layout.broker.get(setting) } else { Some(value.to_owned()) };
                (LIVE_BROKER_SETTINGS, next.broker.set(setting, &value.unwrap_or_default()))
            }
        };
        let all = layout.topics.iter().zip(&next.own);
        next.topics = all.map(|(topic, own)| topic.with(own, &next.broker)).collect();
        if !known.contains(&setting) || set.is_err() || next.topics.iter().any(Topic::keeps_more_locally) {
            return Err(Code::InvalidConfig);
        }
        let changed = (place.map(|place| place as u32), setting.into(), value.into());
        let mut records = vec![Record::Settings(Rc::new(next), changed)];
        if setting == "min.insync.replicas" {
            let touched = |slot: &Slot| place.is_none_or(|place| layout.slots[*slot as usize] == place as u32);
            for (slot, state) in self.planned.all().filter(|(slot, _)| touched(slot)) {
                if !state.elr.is_empty() || !state.last_known_elr.is_empty() {
                    let mut next = state.clone();
                    next.elr.clear();
                    next.last_known_elr.clear();
                    next.partition_epoch += 1;
                    records.push(Record::Partition(slot, next));
                }
            }
        }
        Ok(records)
    }
}
