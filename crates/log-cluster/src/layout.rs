//! What never changes in a run: which nodes and topics there are, and the settings in force for each.

use crate::config::{
    BrokerConfig, CleanupPolicy, Config, Controllers, Costs, TimestampType, TopicConfig, TopicSpec, millis,
};
use crate::log::{Indexes, Roll};
use crate::share::{GroupConfig, ShareConfig};
use sim::workload::{NodeInfo, Role};
use sim::{Nanos, NodeId};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A partition's place among all partitions of all topics.
pub(crate) type Slot = u32;

/// The brokers' own topic of committed offsets.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// The brokers' own topic of the states of transactions.
pub(crate) const TRANSACTIONS_TOPIC: &str = "__transaction_state";
/// The brokers' own topic of the states of share groups.
pub(crate) const SHARE_TOPIC: &str = "__share_group_state";

/// What of a topic in tiered storage the brokers' own disks keep (K-Z1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tier {
    pub local_retention: Option<Nanos>,
    pub local_bytes: Option<u64>,
}

/// How a topic is compacted (K-D5, K-D6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Compaction {
    pub enabled: bool,
    /// `min.cleanable.dirty.ratio`, in millionths.
    pub min_dirty: u64,
    pub min_lag: Nanos,
    pub max_lag: Nanos,
    pub delete_retention: Nanos,
}

/// What timestamps a topic's records may have (K-D3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamps {
    /// They are the leader's own.
    pub appended: bool,
    /// How far a producer's may lie behind the leader's clock, and how far ahead of it.
    pub before: Nanos,
    pub after: Nanos,
}

impl Stamps {
    fn of(own: &TopicConfig, b: &BrokerConfig) -> Stamps {
        Stamps {
            appended: own.message_timestamp_type.unwrap_or(b.log_message_timestamp_type) == TimestampType::Append,
            before: millis(own.message_timestamp_before_max_ms.unwrap_or(b.log_message_timestamp_before_max_ms)),
            after: millis(own.message_timestamp_after_max_ms.unwrap_or(b.log_message_timestamp_after_max_ms)),
        }
    }
}

/// A topic with the settings that are in force for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topic {
    pub name: Rc<str>,
    pub first: Slot,
    /// How many partitions it has from the start.
    pub partitions: u32,
    /// How many it may grow to (K-T2).
    pub room: u32,
    pub factor: u16,
    pub assignment: Vec<Vec<u16>>,
    pub internal: bool,
    /// `min.insync.replicas`, no more than there are replicas (K-A2).
    pub min_isr: usize,
    pub unclean: bool,
    pub max_batch: i64,
    pub stamps: Stamps,
    pub segment_bytes: u64,
    pub indexes: Indexes,
    pub segment_age: Nanos,
    /// By how much less at the most, by lot.
    pub segment_jitter: Nanos,
    /// Whether it deletes what is old at all (`cleanup.policy`).
    pub deletes: bool,
    pub retention: Option<Nanos>,
    pub retention_bytes: Option<u64>,
    pub compaction: Compaction,
    pub tier: Option<Tier>,
    pub flush_messages: u64,
    pub flush_after: Option<Nanos>,
}

impl Topic {
    /// The topic under its own settings and the brokers'.
    pub fn with(&self, own: &TopicConfig, b: &BrokerConfig) -> Topic {
        let positive = |n: i64| u64::try_from(n).ok();
        let policy = own.cleanup_policy.unwrap_or(b.log_cleanup_policy);
        let deletes = |_: &u64| policy.deletes();
        let compaction = compaction(own, b, policy);
        let age = millis(own.segment_ms.unwrap_or(b.log_roll_ms));
        Topic {
            min_isr: min_isr(own.min_insync_replicas.unwrap_or(b.min_insync_replicas), self.factor),
            unclean: own.unclean_leader_election_enable.unwrap_or(b.unclean_leader_election_enable),
            max_batch: own.max_message_bytes.unwrap_or(b.message_max_bytes),
            stamps: Stamps::of(own, b),
            segment_bytes: own.segment_bytes.unwrap_or(b.log_segment_bytes).unsigned_abs(),
            indexes: Indexes::of(
                own.index_interval_bytes.unwrap_or(b.log_index_interval_bytes),
                own.segment_index_bytes.unwrap_or(b.log_index_size_max_bytes),
            ),
            // K-D5: segments are closed in time for max.compaction.lag.ms.
            segment_age: if compaction.enabled { age.min(compaction.max_lag) } else { age },
            segment_jitter: millis(own.segment_jitter_ms.unwrap_or(b.log_roll_jitter_ms)),
            deletes: policy.deletes(),
            retention: positive(own.retention_ms.unwrap_or(b.log_retention_ms)).filter(deletes).map(Nanos::millis),
            retention_bytes: positive(own.retention_bytes.unwrap_or(b.log_retention_bytes)).filter(deletes),
            compaction,
            tier: tier(own, b),
            flush_messages: own.flush_messages.unwrap_or(b.log_flush_interval_messages).unsigned_abs(),
            flush_after: own.flush_ms.or(b.log_flush_interval_ms).map(millis),
            ..self.clone()
        }
    }

    /// K-D1: when the segment that begins at `base` on the broker `me` is closed.
    pub fn roll(&self, slot: Slot, me: u16, base: u64) -> Roll {
        Roll { bytes: self.segment_bytes, age: self.closes_after(slot, me, base), indexes: self.indexes }
    }

    /// K-D1: at which age it is.
    pub fn closes_after(&self, slot: Slot, me: u16, base: u64) -> Nanos {
        let most = self.segment_jitter.min(self.segment_age).0;
        if most == 0 {
            return self.segment_age;
        }
        let seed = base ^ u64::from(slot) << 40 ^ u64::from(me) << 24;
        let mix = |lot: u64| (lot ^ lot >> 31).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Nanos(self.segment_age.0 - (mix(mix(seed)) >> 8) % most)
    }

    /// Whether it is told to keep more on the brokers' own disks than at all, which Kafka refuses.
    pub fn keeps_more_locally(&self) -> bool {
        let Some(tier) = &self.tier else { return false };
        let more = |local: Option<u64>, all: Option<u64>| all.is_some_and(|all| local.is_none_or(|local| local > all));
        let nanos = |age: Option<Nanos>| age.map(|age| age.0);
        more(nanos(tier.local_retention), nanos(self.retention)) || more(tier.local_bytes, self.retention_bytes)
    }
}

/// All nodes, topics and settings.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub names: Vec<String>,
    pub brokers: u16,
    /// How many of them, the last ones, are not there from the start.
    pub spare: u16,
    /// `broker.rack` of each broker; those beyond the list have none.
    pub racks: Vec<String>,
    pub voters: Vec<u16>,
    pub topics: Vec<Topic>,
    /// What each of them was created with.
    pub own: Vec<TopicConfig>,
    /// The topic of each slot.
    pub slots: Vec<u32>,
    pub broker: BrokerConfig,
    pub costs: Costs,
    /// Groups by reader number.
    pub readers: Vec<String>,
    /// The `transactional.id`s of all producers, each once.
    pub transactional_ids: Vec<Rc<str>>,
    /// Settings of share groups, and those of single groups.
    pub share: ShareConfig,
    pub groups: BTreeMap<String, GroupConfig>,
}

impl Layout {
    pub fn new(config: &Config, nodes: &[NodeInfo], readers: Vec<String>) -> Layout {
        let voters: Vec<u16> = match config.controllers {
            Controllers::Combined(count) => (0..count.min(config.brokers)).collect(),
            Controllers::Dedicated(_) => {
                nodes.iter().filter(|node| node.role == Role::Controller).map(|node| node.id.0).collect()
            }
        };
        let transactional_ids = transactional_ids(config, nodes);
        let mut made: Vec<(Topic, TopicConfig)> = config.topics.iter().map(of_the_document).collect();
        if !readers.is_empty() {
            made.push(offsets_topic(config));
        }
        if !transactional_ids.is_empty() {
            made.push(transactions_topic(config));
        }
        if shares(config, nodes) {
            made.push(share_topic(config));
        }
        let (mut topics, mut own, mut slots) = (Vec::new(), Vec::new(), Vec::new());
        for (place, (topic, settings)) in (0u32..).zip(made) {
            let first = slots.len() as Slot;
            slots.extend((0..topic.room).map(|_| place));
            topics.push(Topic { first, ..topic.with(&settings, &config.broker) });
            own.push(settings);
        }
        Layout {
            share: config.share.clone(),
            groups: config.groups.clone(),
            names: nodes.iter().map(|node| node.name.clone()).collect(),
            brokers: config.brokers,
            spare: config.spare.min(config.brokers.saturating_sub(1)),
            racks: config.racks.clone(),
            voters,
            topics,
            own,
            slots,
            broker: config.broker.clone(),
            costs: config.costs.clone(),
            readers,
            transactional_ids,
        }
    }

    pub fn topic(&self, slot: Slot) -> &Topic {
        &self.topics[self.slots[slot as usize] as usize]
    }

    pub fn topic_named(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| &*topic.name == name)
    }

    /// `orders-0`: how Kafka writes a partition.
    pub fn label(&self, slot: Slot) -> String {
        let topic = self.topic(slot);
        format!("{}-{}", topic.name, slot - topic.first)
    }

    pub fn name(&self, node: u16) -> String {
        self.names.get(usize::from(node)).cloned().unwrap_or_default()
    }

    /// A broker's rack.
    pub fn rack(&self, broker: u16) -> Option<String> {
        self.racks.get(usize::from(broker)).filter(|rack| !rack.is_empty()).cloned()
    }

    pub fn names_of(&self, nodes: &[u16]) -> String {
        nodes.iter().map(|node| self.name(*node)).collect::<Vec<_>>().join(", ")
    }

    pub fn broker_nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.brokers).map(NodeId)
    }

    /// K-G1: the partition of committed offsets that keeps a group; its leader is the group's coordinator.
    pub fn group_slot(&self, group: &str) -> Option<Slot> {
        let topic = self.topic_named(OFFSETS_TOPIC)?;
        Some(topic.first + java_hash(group).unsigned_abs() % topic.partitions)
    }

    /// K-X1: the partition of the states of transactions that keeps a `transactional.id`; its leader coordinates it.
    pub fn transaction_slot(&self, id: &str) -> Option<Slot> {
        let topic = self.topic_named(TRANSACTIONS_TOPIC)?;
        Some(topic.first + java_hash(id).unsigned_abs() % topic.partitions)
    }

    /// K-H4: the partition of the states of share groups that keeps how a partition stands with a group; its leader is
    /// their share coordinator.
    pub fn share_slot(&self, group: &str, slot: Slot) -> Option<Slot> {
        let topic = self.topic_named(SHARE_TOPIC)?;
        let of = self.topic(slot);
        let key = format!("{group}:{}:{}", of.name, slot - of.first);
        Some(topic.first + java_hash(&key).unsigned_abs() % topic.partitions)
    }

    /// Whether a partition holds states of share groups.
    pub fn holds_shares(&self, slot: Slot) -> bool {
        &*self.topic(slot).name == SHARE_TOPIC
    }

    /// Settings of a group.
    pub fn group_config(&self, group: &str) -> GroupConfig {
        self.groups.get(group).cloned().unwrap_or_default()
    }

    /// Whether a partition holds states of transactions.
    pub fn holds_transactions(&self, slot: Slot) -> bool {
        !self.transactional_ids.is_empty() && &*self.topic(slot).name == TRANSACTIONS_TOPIC
    }

    pub fn reader(&self, group: &str) -> u8 {
        self.readers.iter().position(|reader| reader == group).unwrap_or(0).min(255) as u8
    }
}

/// -2 stands for what is kept at all.
fn tier(own: &TopicConfig, b: &BrokerConfig) -> Option<Tier> {
    let or = |local: i64, all: i64| u64::try_from(if local == -2 { all } else { local }).ok();
    let local_ms = own.local_retention_ms.unwrap_or(b.log_local_retention_ms);
    let local_bytes = own.local_retention_bytes.unwrap_or(b.log_local_retention_bytes);
    own.remote_storage_enable.unwrap_or(false).then(|| Tier {
        local_retention: or(local_ms, own.retention_ms.unwrap_or(b.log_retention_ms)).map(Nanos::millis),
        local_bytes: or(local_bytes, own.retention_bytes.unwrap_or(b.log_retention_bytes)),
    })
}

fn compaction(own: &TopicConfig, b: &BrokerConfig, policy: CleanupPolicy) -> Compaction {
    Compaction {
        enabled: policy.compacts(),
        min_dirty: own.min_cleanable_dirty_ratio.unwrap_or(b.log_cleaner_min_cleanable_ratio).millionths(),
        min_lag: millis(own.min_compaction_lag_ms.unwrap_or(b.log_cleaner_min_compaction_lag_ms)),
        max_lag: millis(own.max_compaction_lag_ms.unwrap_or(b.log_cleaner_max_compaction_lag_ms)),
        delete_retention: millis(own.delete_retention_ms.unwrap_or(b.log_cleaner_delete_retention_ms)),
    }
}

pub(crate) fn min_isr(setting: i64, factor: u16) -> usize {
    setting.clamp(1, i64::from(factor.max(1))) as usize
}

fn of_the_document(spec: &TopicSpec) -> (Topic, TopicConfig) {
    let topic = Topic {
        name: spec.name.as_str().into(),
        partitions: spec.partitions,
        room: spec.room.max(spec.partitions),
        factor: spec.replication_factor,
        assignment: spec.replica_assignment.clone(),
        ..Topic::default()
    };
    (topic, spec.config.clone())
}

/// One of the brokers' own topics, and what it is created with.
fn internal(name: &str, partitions: i64, factor: i64, config: &Config) -> (Topic, TopicConfig) {
    let partitions = partitions.clamp(1, 1_000) as u32;
    let factor = factor.clamp(1, i64::from(config.brokers.max(1))) as u16;
    let topic = Topic { name: name.into(), partitions, room: partitions, factor, internal: true, ..Topic::default() };
    let own = TopicConfig {
        segment_bytes: Some(104_857_600),
        cleanup_policy: Some(CleanupPolicy::Keep),
        message_timestamp_type: Some(TimestampType::Create),
        message_timestamp_before_max_ms: Some(i64::MAX),
        message_timestamp_after_max_ms: Some(i64::MAX),
        ..TopicConfig::default()
    };
    (topic, own)
}

fn offsets_topic(config: &Config) -> (Topic, TopicConfig) {
    let b = &config.broker;
    internal(OFFSETS_TOPIC, b.offsets_topic_num_partitions, b.offsets_topic_replication_factor, config)
}

/// Only those of producers that there are.
fn transactional_ids(config: &Config, nodes: &[NodeInfo]) -> Vec<Rc<str>> {
    let mut ids: Vec<Rc<str>> = Vec::new();
    for node in nodes {
        let id = match node.role {
            Role::Producer(index) => config.producer(usize::from(index)).config.transactional_id,
            Role::Consumer(index) => config.consumer(usize::from(index)).forward.map(|own| own.transactional_id),
            Role::Server | Role::Controller => None,
        };
        if let Some(id) = id
            && !ids.iter().any(|known| **known == *id)
        {
            ids.push(id.into());
        }
    }
    ids
}

/// Whether any consumer is a member of a share group.
fn shares(config: &Config, nodes: &[NodeInfo]) -> bool {
    let share = |node: &NodeInfo| match node.role {
        Role::Consumer(index) => config.consumer(usize::from(index)).share.is_some(),
        Role::Producer(_) | Role::Server | Role::Controller => false,
    };
    nodes.iter().any(share)
}

fn share_topic(config: &Config) -> (Topic, TopicConfig) {
    let share = &config.share;
    let (topic, own) =
        internal(SHARE_TOPIC, share.state_topic_num_partitions, share.state_topic_replication_factor, config);
    (topic, TopicConfig { min_insync_replicas: Some(share.state_topic_min_isr), ..own })
}

fn transactions_topic(config: &Config) -> (Topic, TopicConfig) {
    let b = &config.broker;
    let (partitions, factor) = (b.transaction_state_log_num_partitions, b.transaction_state_log_replication_factor);
    let (topic, own) = internal(TRANSACTIONS_TOPIC, partitions, factor, config);
    let min_insync_replicas = Some(b.transaction_state_log_min_isr);
    (topic, TopicConfig { min_insync_replicas, unclean_leader_election_enable: Some(false), ..own })
}

/// Java's `String.hashCode`, which Kafka uses to place groups (K-G1).
pub(crate) fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k_d1_jitter_closes_segments_earlier_by_lot_and_not_all_at_once() {
        let (segment_age, segment_jitter) = (Nanos::secs(10), Nanos::secs(4));
        let topic = Topic { segment_age, segment_jitter, ..Topic::default() };
        let ages: Vec<Nanos> = (0..100).map(|slot| topic.closes_after(slot, 1, 7_000)).collect();
        assert!(ages.iter().all(|age| (Nanos::secs(6)..=segment_age).contains(age)), "{ages:?}");
        let half = ages.iter().filter(|age| **age < Nanos::secs(8)).count();
        assert!((30..70).contains(&half), "{half}");
        assert_ne!(topic.closes_after(1, 1, 7_000), topic.closes_after(1, 2, 7_000));
        let strict = Topic { segment_jitter: Nanos::ZERO, ..topic };
        assert_eq!(strict.closes_after(1, 1, 7_000), segment_age);
    }
}
