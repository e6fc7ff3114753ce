//! An idempotent producer's sequence numbers, for each partition (K-I1 to K-I4).

use crate::config::ProducerConfig;
use crate::log::{Stamp, next_sequence};

#[derive(Clone, Debug, Default)]
struct Partition {
    epoch: u16,
    next: u32,
    last_acked: Option<u32>,
    /// First sequences of the batches that are sent and neither acknowledged nor given up, in order: a handful.
    open: Vec<u32>,
    /// A batch that was sent was given up: whether the broker has it is not known.
    unresolved: bool,
}

impl Partition {
    fn open(&mut self, first: u32) {
        if let Err(place) = self.open.binary_search(&first) {
            self.open.insert(place, first);
        }
    }

    fn close(&mut self, first: u32) {
        if let Ok(place) = self.open.binary_search(&first) {
            self.open.remove(place);
        }
    }
}

/// All sequence numbers of a producer.
#[derive(Clone, Debug)]
pub(crate) struct Sequences {
    enabled: bool,
    /// Whether every batch belongs to a transaction.
    transactional: bool,
    id: Option<u64>,
    epoch: u16,
    partitions: Vec<Partition>,
    /// Whether a partition may be unresolved.
    doubtful: bool,
}

impl Sequences {
    pub fn of(config: &ProducerConfig, partitions: u32) -> Sequences {
        let partitions = (0..partitions).map(|_| Partition::default()).collect();
        let transactional = config.transactional_id.is_some();
        Sequences { enabled: config.is_idempotent(), transactional, id: None, epoch: 0, partitions, doubtful: false }
    }

    /// K-X3, K-X4: an id and an epoch of the coordinator's; all partitions begin at 0.
    pub fn renew(&mut self, id: u64, epoch: u16) {
        (self.id, self.epoch) = (Some(id), epoch);
        self.partitions.iter_mut().for_each(|partition| *partition = Partition { epoch, ..Partition::default() });
    }

    /// Whether nothing can be sent for want of an id.
    pub fn wants_id(&self) -> bool {
        self.enabled && self.id.is_none()
    }

    pub fn begin(&mut self, id: u64) {
        if self.id.is_none() {
            self.id = Some(id);
        }
    }

    /// The id and the epoch.
    pub fn identity(&self) -> Option<(u64, u16)> {
        self.id.map(|id| (id, self.epoch))
    }

    /// K-P3: a batch that goes out again has to be the first that is open; a new one waits while it is not known
    /// whether an earlier one arrived.
    pub fn may_send(&self, partition: u32, stamp: Option<Stamp>) -> bool {
        if !self.enabled {
            return true;
        }
        let state = &self.partitions[partition as usize];
        match stamp {
            Some(stamp) => state.open.first().is_none_or(|first| *first == stamp.first),
            None => !state.unresolved,
        }
    }

    /// The stamp of the next batch.
    pub fn stamp(&mut self, partition: u32, count: u32) -> Option<Stamp> {
        let producer = self.id.filter(|_| self.enabled)?;
        let state = &mut self.partitions[partition as usize];
        if state.epoch != self.epoch && state.open.is_empty() {
            *state = Partition { epoch: self.epoch, ..Partition::default() };
        }
        let first = state.next;
        state.next = next_sequence(first, count);
        state.open(first);
        Some(Stamp { producer, epoch: state.epoch, first, transactional: self.transactional })
    }

    pub fn acknowledged(&mut self, partition: u32, stamp: Option<Stamp>, count: u32) {
        let Some(stamp) = stamp else { return };
        let state = &mut self.partitions[partition as usize];
        if stamp.epoch == state.epoch {
            state.close(stamp.first);
            let last = next_sequence(stamp.first, count.saturating_sub(1));
            state.last_acked = Some(state.last_acked.map_or(last, |known| known.max(last)));
        }
        self.resolve(partition);
    }

    /// A batch goes on in two halves.
    pub fn split(&mut self, partition: u32, stamp: Option<Stamp>, count: u32) {
        if let Some(stamp) = stamp {
            self.partitions[partition as usize].open(next_sequence(stamp.first, count / 2));
        }
    }

    pub fn given_up(&mut self, partition: u32, stamp: Option<Stamp>) {
        let Some(stamp) = stamp else { return };
        let state = &mut self.partitions[partition as usize];
        if stamp.epoch == state.epoch {
            state.close(stamp.first);
            state.unresolved = true;
            self.doubtful = true;
        }
        self.resolve(partition);
    }

    fn resolve(&mut self, partition: u32) {
        let state = &mut self.partitions[partition as usize];
        let complete = match state.last_acked {
            Some(last) => next_sequence(last, 1) == state.next,
            None => state.next == 0,
        };
        if state.unresolved && state.open.is_empty() && complete {
            state.unresolved = false;
        }
    }

    /// Whether it is worth a look which partitions are broken.
    pub fn may_be_broken(&self) -> bool {
        self.doubtful
    }

    /// All partitions were looked at.
    pub fn look_for_doubts(&mut self) {
        self.doubtful = self.partitions.iter().any(|partition| partition.unresolved);
    }

    /// K-I4: nothing is open, and a batch that was given up left a gap.
    pub fn is_broken(&self, partition: u32) -> bool {
        let state = &self.partitions[partition as usize];
        state.unresolved && state.open.is_empty()
    }

    /// K-I4: whether a batch that is out of order would stay so: it is the next one expected.
    pub fn is_hopeless(&self, partition: u32, stamp: Option<Stamp>, renumbered: bool) -> bool {
        let Some(stamp) = stamp else { return false };
        let state = &self.partitions[partition as usize];
        let is_next = stamp.first == state.last_acked.map_or(0, |last| next_sequence(last, 1));
        state.unresolved || (is_next && !renumbered)
    }

    /// K-I4: a higher epoch, in which this partition begins at 0.
    pub fn raise(&mut self, partition: u32) -> u16 {
        self.epoch = self.epoch.wrapping_add(1);
        self.partitions[partition as usize] = Partition { epoch: self.epoch, ..Partition::default() };
        self.epoch
    }
}
