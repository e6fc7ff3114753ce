//! The cluster's metadata: what the controllers agree on, and every broker and client follows.

use crate::election::PartitionState;
use crate::layout::{Slot, Topic};
use crate::live::{Changed, Settings};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A broker as the metadata has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The offset of its registration (K-Q4).
    pub epoch: u64,
    /// Tells one life of the process from the next.
    pub incarnation: u64,
    /// Whether it is trusted with nothing.
    pub fenced: bool,
    /// Whether it is on its way out (K-Q6).
    pub leaving: bool,
}

/// One change of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A broker's registration, or a change of it.
    Broker(u16, Registered),
    /// A partition's state.
    Partition(Slot, PartitionState),
    /// Producer ids below this one are given out.
    ProducerIds(u64),
    /// A setting was changed while it runs (K-T6, K-T7).
    Settings(Rc<Settings>, Changed),
}

/// The metadata up to an offset.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Image {
    /// The offset of the last record in it.
    pub offset: u64,
    /// Brokers by id.
    pub brokers: BTreeMap<u16, Registered>,
    /// Partitions by slot; `None` until the topic is created. Each by itself, so that clones are cheap.
    pub partitions: Vec<Option<Rc<PartitionState>>>,
    /// The next producer id.
    pub next_producer: u64,
    /// The settings in force; `None`: as the document has them.
    pub settings: Option<Rc<Settings>>,
}

impl Image {
    /// One record more.
    pub fn apply(&mut self, offset: u64, records: &[Record]) {
        self.offset = offset;
        for record in records {
            match record {
                Record::Broker(id, registered) => drop(self.brokers.insert(*id, registered.clone())),
                Record::Partition(slot, state) => {
                    let slot = *slot as usize;
                    if self.partitions.len() <= slot {
                        self.partitions.resize(slot + 1, None);
                    }
                    self.partitions[slot] = Some(Rc::new(state.clone()));
                }
                Record::ProducerIds(next) => self.next_producer = *next,
                Record::Settings(live, _) => self.settings = Some(live.clone()),
            }
        }
    }

    /// A partition's state.
    #[must_use]
    pub fn partition(&self, slot: Slot) -> Option<&PartitionState> {
        self.partitions.get(slot as usize)?.as_deref()
    }

    /// How many partitions a topic has.
    pub(crate) fn count(&self, topic: &Topic) -> u32 {
        (topic.first..topic.first + topic.room).take_while(|slot| self.partition(*slot).is_some()).count() as u32
    }

    /// K-E1: brokers that are registered, unfenced and not shutting down.
    #[must_use]
    pub fn active(&self) -> Vec<u16> {
        self.brokers.iter().filter(|(_, broker)| !broker.fenced && !broker.leaving).map(|(id, _)| *id).collect()
    }

    /// Whether a broker may be trusted with data.
    #[must_use]
    pub fn is_active(&self, id: u16) -> bool {
        self.brokers.get(&id).is_some_and(|broker| !broker.fenced && !broker.leaving)
    }

    /// The leader and its epoch, if there is one.
    #[must_use]
    pub fn leader(&self, slot: Slot) -> Option<(u16, i32)> {
        let partition = self.partition(slot)?;
        partition.leader.map(|leader| (leader, partition.leader_epoch))
    }

    /// All partitions that exist.
    pub fn all(&self) -> impl Iterator<Item = (Slot, &PartitionState)> {
        (0..).zip(&self.partitions).filter_map(|(slot, state)| state.as_deref().map(|state| (slot, state)))
    }
}
