//! Settings of topics that are changed while the cluster runs: records of the metadata (K-T6).

use crate::config::TopicConfig;
use crate::controller::Controller;
use crate::error::Code;
use crate::image::{Image, Record};
use crate::layout::{Layout, Slot, Topic, min_isr};
use sim::Nanos;
use std::rc::Rc;

/// Those that an order may change; the others are looked at when logs are made.
pub const LIVE_TOPIC_SETTINGS: &[&str] =
    &["min.insync.replicas", "unclean.leader.election.enable", "retention.ms", "retention.bytes", "max.message.bytes"];

impl Image {
    fn live(&self, layout: &Layout, slot: Slot) -> Option<&TopicConfig> {
        if self.configs.is_empty() {
            return None;
        }
        self.configs.get(&layout.slots[slot as usize]).map(|live| &**live)
    }

    /// `min.insync.replicas` of a partition, no more than it has replicas.
    pub(crate) fn min_isr(&self, layout: &Layout, slot: Slot) -> usize {
        let topic = layout.topic(slot);
        let live = self.live(layout, slot).and_then(|live| live.min_insync_replicas);
        live.map_or(topic.min_isr, |live| min_isr(live, topic.factor))
    }

    pub(crate) fn unclean(&self, layout: &Layout, slot: Slot) -> bool {
        let live = self.live(layout, slot).and_then(|live| live.unclean_leader_election_enable);
        live.unwrap_or(layout.topic(slot).unclean)
    }

    pub(crate) fn max_batch(&self, layout: &Layout, slot: Slot) -> i64 {
        self.live(layout, slot).and_then(|live| live.max_message_bytes).unwrap_or(layout.topic(slot).max_batch)
    }

    /// How long, and how many bytes, a partition keeps (K-D2).
    pub(crate) fn retention(&self, layout: &Layout, slot: Slot) -> (Option<Nanos>, Option<u64>) {
        let topic = layout.topic(slot);
        let live = self.live(layout, slot).filter(|_| topic.deletes);
        let age = live.and_then(|live| live.retention_ms);
        let bytes = live.and_then(|live| live.retention_bytes);
        let age = age.map_or(topic.retention, |age| u64::try_from(age).ok().map(Nanos::millis));
        (age, bytes.map_or(topic.retention_bytes, |bytes| u64::try_from(bytes).ok()))
    }

    /// What a topic's settings are, over those that the document gives it.
    pub(crate) fn min_isr_of(&self, layout: &Layout, topic: &Topic) -> usize {
        self.min_isr(layout, topic.first)
    }
}

impl Controller {
    /// K-T6. As eligible leader replicas were told by the old minimum, a new one takes them back (K-E8).
    pub(crate) fn set_topic_config(&self, name: &str, setting: &str, value: &str) -> Result<Vec<Record>, Code> {
        let place = self.layout.topics.iter().position(|topic| &*topic.name == name && !topic.internal);
        let topic = place.ok_or(Code::UnknownTopicOrPartition)?;
        let index = topic as u32;
        let mut live = self.planned.configs.get(&index).map(|live| TopicConfig::clone(live)).unwrap_or_default();
        if !LIVE_TOPIC_SETTINGS.contains(&setting) || live.set(setting, value).is_err() {
            return Err(Code::InvalidConfig);
        }
        let mut records = vec![Record::TopicConfig(index, Rc::new(live), setting.into())];
        if setting == "min.insync.replicas" {
            let topic = &self.layout.topics[topic];
            for slot in topic.first..topic.first + topic.room {
                let Some(state) = self.planned.partition(slot) else { continue };
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
