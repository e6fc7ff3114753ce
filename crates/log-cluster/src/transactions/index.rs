//! What a log knows of transactions: which are open, where the last stable offset is, and which were aborted (K-X6).

use crate::log::{Batch, Entry, Payload};
use sim::Time;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The end of a transaction in one partition: a record of the brokers' own (K-X5).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Whose transaction it was.
    pub producer: u64,
    /// The epoch after the transaction's (K-X4).
    pub epoch: u16,
    /// Whether it committed.
    pub commit: bool,
    /// The leader epoch of the coordinator's partition, so that an outdated coordinator is told apart.
    pub coordinator_epoch: i32,
    /// When compaction may take it (K-D6).
    pub horizon: Option<Time>,
}

/// A transaction that was aborted, in one partition.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// Whose it was.
    pub producer: u64,
    /// The offset of its first record.
    pub first: u64,
    /// The offset of its marker.
    pub last: u64,
}

/// What a log knows of transactions; it follows from the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    /// Epochs and first offsets of open transactions, by producer.
    open: BTreeMap<u64, (u16, u64)>,
    /// First offset and marker of those that ended above the high watermark: their end may be truncated yet.
    ended: Vec<(u64, u64)>,
    aborted: Vec<Aborted>,
    /// The newest coordinator that wrote a marker for a producer.
    coordinators: BTreeMap<u64, i32>,
}

impl Index {
    /// A batch with a stamp was appended.
    pub fn note(&mut self, entry: &Entry) {
        if let Payload::Marker(marker) = entry.batch.payload {
            self.coordinators.insert(marker.producer, marker.coordinator_epoch);
            if let Some((_, first)) = self.open.remove(&marker.producer) {
                self.ended.push((first, entry.base));
                if !marker.commit {
                    self.aborted.push(Aborted { producer: marker.producer, first, last: entry.base });
                }
            }
        } else if let Some(stamp) = entry.batch.stamp.filter(|stamp| stamp.transactional) {
            self.open.entry(stamp.producer).or_insert((stamp.epoch, entry.base));
        }
    }

    /// Whether a producer has a transaction open.
    pub fn is_open(&self, producer: u64) -> bool {
        self.open.contains_key(&producer)
    }

    /// Whether a producer has a transaction open under this epoch: under an older one it is being ended.
    pub fn is_open_under(&self, producer: u64, epoch: u16) -> bool {
        self.open.get(&producer).is_some_and(|(known, _)| *known == epoch)
    }

    /// How many transactions are open.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Whether a marker is of a coordinator that another one has followed.
    pub fn is_outdated(&self, marker: Marker) -> bool {
        self.coordinators.get(&marker.producer).is_some_and(|known| *known > marker.coordinator_epoch)
    }

    /// K-X6: the last stable offset: where the first transaction begins whose end is not known to all in sync.
    pub fn last_stable(&self, high_watermark: u64) -> u64 {
        let ended = self.ended.iter().filter(|(_, marker)| *marker >= high_watermark).map(|(first, _)| first);
        self.open
            .values()
            .map(|(_, first)| first)
            .chain(ended)
            .copied()
            .min()
            .map_or(high_watermark, |first| first.min(high_watermark))
    }

    /// The high watermark moved: ends below it stay.
    pub fn settle(&mut self, high_watermark: u64) {
        self.ended.retain(|(_, marker)| *marker >= high_watermark);
    }

    /// Aborted transactions that a reader of these offsets has to pass over, by their first offsets.
    pub fn aborted_in(&self, from: u64, upto: u64) -> Vec<Aborted> {
        let mut found: Vec<Aborted> =
            self.aborted.iter().filter(|one| one.last >= from && one.first < upto).copied().collect();
        found.sort_by_key(|one| one.first);
        found
    }

    /// Whether a batch is of a transaction that was aborted.
    pub fn is_aborted(&self, entry: &Entry) -> bool {
        !passes(&self.aborted, entry)
    }

    /// Whether a batch is of no transaction, or of one that was committed.
    pub fn is_committed(&self, entry: &Entry) -> bool {
        let Some(stamp) = entry.batch.stamp.filter(|stamp| stamp.transactional) else { return true };
        let open = self.open.get(&stamp.producer).is_some_and(|(_, first)| *first <= entry.base);
        !open && !self.is_aborted(entry)
    }

    /// The log begins here now.
    pub fn forget_before(&mut self, start: u64) {
        self.aborted.retain(|one| one.last >= start);
    }
}

/// Whether a reader of committed records may see a batch that it fetched.
pub(crate) fn passes(aborted: &[Aborted], entry: &Entry) -> bool {
    let stamp = entry.batch.stamp.filter(|stamp| stamp.transactional);
    let holds = |one: &Aborted| one.first <= entry.base && entry.base < one.last;
    !stamp.is_some_and(|stamp| aborted.iter().any(|one| one.producer == stamp.producer && holds(one)))
}

/// K-X6: what a reader makes of what it fetched: what belongs to aborted transactions it passes over.
pub(crate) fn readable(entries: Vec<Entry>, aborted: &[Aborted]) -> Vec<Entry> {
    if aborted.is_empty() {
        return entries;
    }
    let pass = |entry: Entry| {
        if passes(aborted, &entry) {
            return entry;
        }
        let payload = Payload::Passed(entry.batch.count());
        Entry { batch: Rc::new(Batch { payload, ..Batch::clone(&entry.batch) }), ..entry }
    };
    entries.into_iter().map(pass).collect()
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
