//! Compaction of one log: of each key the newest record stays (K-D5 to K-D7).

use super::{Batch, Cleaned, Entry, Log, Payload, Row, Segment, segment_end};
use crate::transactions::Marker;
use sim::story::MessageId;
use sim::{Nanos, Pages, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// Bytes of a batch without its records (K-P7).
const BATCH_HEADER: u32 = 61;

/// What is asked of a compaction.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Wanted {
    pub now: Time,
    /// K-D5: nothing from here on is compacted: the last stable offset.
    pub last_stable: u64,
    pub min_lag: Nanos,
    pub max_lag: Nanos,
    /// How long tombstones and markers stay (K-D6).
    pub delete_retention: Nanos,
    pub segment_bytes: u64,
}

/// How much of a log could be compacted.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dirt {
    /// Up to which offset.
    pub upto: u64,
    /// Bytes not compacted yet among all up to there, in millionths.
    pub ratio: u64,
    /// K-D5: something waits for longer than max.compaction.lag.ms.
    pub overdue: bool,
}

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub upto: u64,
    pub removed: Vec<MessageId>,
    pub bytes_read: u64,
    pub bytes_written: u64,
}

/// What is known while a log is gone through.
struct Pass<'a> {
    wanted: &'a Wanted,
    upto: u64,
    /// The newest offset of each key among what was not compacted before.
    newest: BTreeMap<u32, u64>,
    /// Producers with records that stayed since their last marker.
    open: BTreeSet<u64>,
    removed: Vec<MessageId>,
}

impl Log {
    /// K-D5: what could be compacted, if anything.
    pub fn dirt(&self, wanted: &Wanted) -> Option<Dirt> {
        let closed = self.segments.len().checked_sub(1)?;
        let (mut clean, mut dirty, mut upto, mut oldest) = (0, 0, self.compacted, None);
        for segment in self.segments.iter().take(closed) {
            let end = segment_end(segment);
            if end <= self.compacted {
                clean += segment.bytes;
                continue;
            }
            let young = wanted.min_lag > Nanos::ZERO && wanted.now.since(segment.last_time) < wanted.min_lag;
            if end > wanted.last_stable || young {
                break;
            }
            oldest = oldest.or(Some(segment.first_time));
            dirty += segment.bytes;
            upto = end;
        }
        let oldest = oldest?;
        let overdue = wanted.now.since(oldest) > wanted.max_lag;
        Some(Dirt { upto, ratio: dirty * 1_000_000 / (clean + dirty).max(1), overdue })
    }

    /// Compacts everything before `upto`, which lies between two segments.
    pub fn compact(&mut self, upto: u64, wanted: &Wanted) -> Done {
        let mut pass = Pass { wanted, upto, newest: BTreeMap::new(), open: BTreeSet::new(), removed: Vec::new() };
        for entry in self.read(self.compacted).take_while(|entry| entry.end() <= upto) {
            if !self.transactions.is_aborted(entry) {
                let records = entry.batch.rows().filter(|(_, row)| row.key().is_some());
                pass.newest.extend(records.filter_map(|(delta, row)| Some((row.key()?, entry.base + delta))));
            }
        }
        let closed = self.segments.iter().take_while(|segment| segment_end(segment) <= upto).count();
        let old: Vec<Segment> = self.segments.drain(..closed).collect();
        let mut done = Done { upto, ..Done::default() };
        let mut rewritten: VecDeque<Segment> = VecDeque::new();
        // How large the segments were that the last one was made of: Kafka groups them by that.
        let mut grouped = 0;
        for segment in &old {
            done.bytes_read += segment.bytes;
            let kept: Vec<Entry> = segment.entries.iter().filter_map(|entry| self.keep(entry, &mut pass)).collect();
            if kept.is_empty() {
                continue;
            }
            let bytes: u64 = kept.iter().map(|entry| u64::from(entry.batch.bytes)).sum();
            done.bytes_written += bytes;
            let joins = grouped + segment.bytes <= wanted.segment_bytes;
            grouped = if joins { grouped + segment.bytes } else { segment.bytes };
            match rewritten.back_mut().filter(|_| joins) {
                Some(last) => {
                    kept.into_iter().for_each(|entry| last.entries.push(entry));
                    last.bytes += bytes;
                    last.last_time = last.last_time.max(segment.last_time);
                }
                None => {
                    let mut entries = Pages::default();
                    kept.into_iter().for_each(|entry| entries.push(entry));
                    let (first_time, last_time) = (segment.first_time, segment.last_time);
                    rewritten.push_back(Segment { entries, bytes, first_time, last_time, fill: segment.fill });
                }
            }
        }
        rewritten.append(&mut self.segments);
        self.segments = rewritten;
        self.bytes = self.bytes + done.bytes_written - done.bytes_read;
        self.compacted = upto;
        // The new files are flushed before they take the place of the old ones.
        self.mark_flushed(upto);
        done.removed = pass.removed;
        done
    }

    /// What stays of a batch.
    fn keep(&self, entry: &Entry, pass: &mut Pass<'_>) -> Option<Entry> {
        let needed = self.is_last_of_producer(entry) || entry.end() == pass.upto;
        match &entry.batch.payload {
            Payload::Marker(marker) => keep_marker(entry, *marker, needed, pass),
            Payload::Messages(..) | Payload::Cleaned(_) => self.keep_records(entry, needed, pass),
            _ => Some(entry.clone()),
        }
    }

    /// K-D7: the last sequence of a producer stays known.
    fn is_last_of_producer(&self, entry: &Entry) -> bool {
        let known = entry.batch.stamp.and_then(|stamp| self.producers.get(&stamp.producer));
        known.and_then(|known| known.batches.back()).is_some_and(|(_, _, base)| *base == entry.base)
    }

    fn keep_records(&self, entry: &Entry, needed: bool, pass: &mut Pass<'_>) -> Option<Entry> {
        let aborted = self.transactions.is_aborted(entry);
        let (producer, horizon) = match &entry.batch.payload {
            Payload::Messages(producer, _) => (*producer, None),
            Payload::Cleaned(cleaned) => (cleaned.producer, cleaned.horizon),
            _ => return Some(entry.clone()),
        };
        let over = horizon.is_some_and(|horizon| pass.wanted.now > horizon);
        let stays = |delta: u64, row: Row| {
            let Some(key) = row.key() else { return false };
            let superseded = pass.newest.get(&key).is_some_and(|newest| *newest > entry.base + delta);
            !(aborted || superseded || (row.is_tombstone() && over))
        };
        let (rows, gone): (Vec<_>, Vec<_>) = entry.batch.rows().partition(|(delta, row)| stays(*delta, *row));
        let before = rows.len() + gone.len();
        let rows: Box<[(u32, Row)]> = rows.into_iter().map(|(delta, row)| (delta as u32, row)).collect();
        pass.removed.extend(gone.iter().map(|(_, row)| MessageId { producer, sequence: row.sequence }));
        if rows.is_empty() && !needed {
            return None;
        }
        if let Some(stamp) = entry.batch.stamp.filter(|stamp| stamp.transactional && !rows.is_empty()) {
            pass.open.insert(stamp.producer);
        }
        let tombstones = rows.iter().any(|(_, row)| row.is_tombstone());
        if rows.len() == before && (!tombstones || horizon.is_some()) {
            return Some(entry.clone());
        }
        // K-D6: from the first compaction that reaches a tombstone on, it stays for delete.retention.ms.
        let horizon = horizon.or_else(|| tombstones.then(|| pass.wanted.now + pass.wanted.delete_retention));
        let each = entry.batch.bytes.saturating_sub(BATCH_HEADER) / (before.max(1) as u32);
        let bytes = BATCH_HEADER + each * rows.len() as u32;
        let payload = Payload::Cleaned(Cleaned { producer, span: entry.batch.count(), rows, horizon });
        Some(Entry { batch: Rc::new(Batch { payload, bytes, ..Batch::clone(&entry.batch) }), ..entry.clone() })
    }
}

/// K-D6: a marker goes like a tombstone, once the records of its transaction are gone.
fn keep_marker(entry: &Entry, marker: Marker, needed: bool, pass: &mut Pass<'_>) -> Option<Entry> {
    let records = pass.open.remove(&marker.producer);
    if records || needed {
        return Some(entry.clone());
    }
    match marker.horizon {
        Some(horizon) if pass.wanted.now > horizon => None,
        Some(_) => Some(entry.clone()),
        None => {
            let horizon = Some(pass.wanted.now + pass.wanted.delete_retention);
            let payload = Payload::Marker(Marker { horizon, ..marker });
            Some(Entry { batch: Rc::new(Batch { payload, ..Batch::clone(&entry.batch) }), ..entry.clone() })
        }
    }
}

#[cfg(test)]
#[path = "compaction_tests.rs"]
mod tests;
