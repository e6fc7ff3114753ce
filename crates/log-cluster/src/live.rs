//! Settings that are changed while the cluster runs: records of the metadata (K-T6, K-T7).

use crate::config::{BrokerConfig, TopicConfig};
use crate::controller::Controller;
use crate::error::Code;
use crate::image::{Image, Record};
use crate::layout::{Layout, Slot, Topic};
use std::collections::BTreeMap;
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
    "index.interval.bytes",
    "segment.index.bytes",
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

/// Those of the brokers that Kafka lets one change while it runs, for the whole cluster or for one broker (K-T7): the
/// defaults of topics' settings, and a few of their own.
pub const LIVE_BROKER_SETTINGS: &[&str] = &[
    "min.insync.replicas",
    "unclean.leader.election.enable",
    "message.max.bytes",
    "log.segment.bytes",
    "log.roll.ms",
    "log.roll.jitter.ms",
    "log.index.interval.bytes",
    "log.index.size.max.bytes",
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
    own: Vec<TopicConfig>,
    all: Effective,
    /// Brokers with settings of their own: these, and all in force there.
    single: BTreeMap<u16, (Own, Effective)>,
}

/// What was changed of one broker: settings and their values.
type Own = BTreeMap<Rc<str>, Rc<str>>;

/// A broker's settings, and those of the topics that follow from them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Effective {
    broker: BrokerConfig,
    topics: Vec<Topic>,
}

/// Whose setting it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A topic's, by its place.
    Topic(u32),
    /// All brokers'.
    Brokers,
    /// One broker's.
    Broker(u16),
}

/// What was changed: whose setting, its name and its value.
pub type Changed = (Whose, Rc<str>, Rc<str>);

impl Image {
    /// All topics with the settings in force on a node.
    pub(crate) fn topics<'a>(&'a self, layout: &'a Layout, node: u16) -> &'a [Topic] {
        self.effective(node).map_or(&layout.topics, |live| &live.topics)
    }

    /// The topic of a partition.
    pub(crate) fn topic<'a>(&'a self, layout: &'a Layout, node: u16, slot: Slot) -> &'a Topic {
        &self.topics(layout, node)[layout.slots[slot as usize] as usize]
    }

    /// A broker's settings in force.
    pub(crate) fn broker<'a>(&'a self, layout: &'a Layout, node: u16) -> &'a BrokerConfig {
        self.effective(node).map_or(&layout.broker, |live| &live.broker)
    }

    /// What was changed of one broker goes before what was changed of all.
    fn effective(&self, node: u16) -> Option<&Effective> {
        let live = self.settings.as_ref()?;
        Some(live.single.get(&node).map_or(&live.all, |(_, live)| live))
    }
}

impl Settings {
    fn fresh(layout: &Layout) -> Settings {
        let all = Effective { broker: layout.broker.clone(), topics: Vec::new() };
        Settings { own: layout.own.clone(), all, single: BTreeMap::new() }
    }

    /// Sets a setting, or takes it away where the value is empty. False if Kafka refuses that.
    fn set(&mut self, layout: &Layout, whose: Whose, setting: &str, value: &str) -> bool {
        let set = match whose {
            Whose::Topic(place) => self.own[place as usize].set(setting, value),
            Whose::Brokers => {
                let value = if value.is_empty() { layout.broker.get(setting) } else { Some(value.to_owned()) };
                self.all.broker.set(setting, &value.unwrap_or_default())
            }
            Whose::Broker(broker) => {
                let fresh = || (BTreeMap::new(), self.all.clone());
                let (own, _) = self.single.entry(broker).or_insert_with(fresh);
                match value {
                    "" => drop(own.remove(setting)),
                    _ => drop(own.insert(setting.into(), value.into())),
                }
                Ok(())
            }
        };
        let known = if matches!(whose, Whose::Topic(_)) { LIVE_TOPIC_SETTINGS } else { LIVE_BROKER_SETTINGS };
        let topics = |broker: &BrokerConfig| -> Vec<Topic> {
            layout.topics.iter().zip(&self.own).map(|(topic, own)| topic.with(own, broker)).collect()
        };
        self.all.topics = topics(&self.all.broker);
        let mut taken = known.contains(&setting) && set.is_ok();
        for (own, live) in self.single.values_mut() {
            live.broker = self.all.broker.clone();
            taken &= own.iter().all(|(setting, value)| live.broker.set(setting, value).is_ok());
            live.topics = topics(&live.broker);
        }
        self.single.retain(|_, (own, _)| !own.is_empty());
        let all = self.single.values().map(|(_, live)| live).chain([&self.all]);
        taken && !all.flat_map(|live| &live.topics).any(Topic::keeps_more_locally)
    }
}

impl Controller {
    /// K-T6, K-T7. An empty value takes the setting away: of a topic the brokers' counts then, of one broker that of
    /// all, of the brokers the one that they were started with. As eligible leader replicas were told by the old
    /// minimum, a new one takes them back (K-E8).
    pub(crate) fn set_config(
        &self,
        topic: Option<&str>,
        broker: Option<u16>,
        setting: &str,
        value: &str,
    ) -> Result<Vec<Record>, Code> {
        let layout = &self.layout;
        let mut next = self.planned.settings.as_ref().map_or_else(|| Settings::fresh(layout), |live| (**live).clone());
        let place = |name: &str| layout.topics.iter().position(|topic| &*topic.name == name && !topic.internal);
        let place = topic.map(|name| place(name).ok_or(Code::UnknownTopicOrPartition)).transpose()?;
        let broker = broker.map(|number| number.wrapping_sub(1));
        let whose = match (place, broker) {
            (Some(place), _) => Whose::Topic(place as u32),
            (None, Some(broker)) if !self.planned.brokers.contains_key(&broker) => {
                return Err(Code::BrokerIdNotRegistered);
            }
            (None, Some(broker)) => Whose::Broker(broker),
            (None, None) => Whose::Brokers,
        };
        let minimum = setting == "min.insync.replicas";
        // With eligible leader replicas there is one minimum for all brokers.
        let refused = minimum && matches!(whose, Whose::Broker(_)) && layout.broker.eligible_leader_replicas;
        if refused || !next.set(layout, whose, setting, value) {
            return Err(Code::InvalidConfig);
        }
        let mut records = vec![Record::Settings(Rc::new(next), (whose, setting.into(), value.into()))];
        if minimum {
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
