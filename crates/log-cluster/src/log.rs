//! A replica's log: batches in segments, leader epochs, producers' sequences, and how far it is on the disk.

use crate::error::Code;
use crate::layout::Slot;
use crate::transactions::{Index, Marker, TransactionRecord};
use sim::story::MessageId;
use sim::{Nanos, Pages, Time};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

mod compaction;
mod segment;
mod tiers;
pub(crate) use compaction::{Dirt, Wanted};
use segment::Fill;
pub(crate) use segment::{Indexes, Roll};
pub use tiers::RemoteSegments;

/// A message in a batch: its place in its producer's stream, and its key.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The how-many-th message of its producer.
    pub sequence: u32,
    /// The key's index, with [`TOMBSTONE`] if the value is null; `u32::MAX` without a key.
    pub key: u32,
}

/// Marks the key of a record whose value is null (K-D6).
pub(crate) const TOMBSTONE: u32 = 1 << 31;

impl Row {
    /// A record's row; `null` if it has no value.
    #[must_use]
    pub fn new(sequence: u32, key: Option<u32>, null: bool) -> Row {
        let marked = |key: u32| if null { key | TOMBSTONE } else { key };
        Row { sequence, key: key.map_or(u32::MAX, marked) }
    }

    /// The key's index.
    #[must_use]
    pub fn key(self) -> Option<u32> {
        (self.key != u32::MAX).then_some(self.key & !TOMBSTONE)
    }

    /// Whether the value is null: the key is to be forgotten.
    #[must_use]
    pub fn is_tombstone(self) -> bool {
        self.key != u32::MAX && self.key & TOMBSTONE != 0
    }
}

/// A batch of messages of which compaction took some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// Whose messages.
    pub producer: u16,
    /// How many offsets the batch has, taken or not.
    pub span: u64,
    /// What stayed, with its distance from the first offset.
    pub rows: Box<[(u32, Row)]>,
    /// When its tombstones may go.
    pub horizon: Option<Time>,
}

/// The stamp of an idempotent producer (K-I1).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The producer's id.
    pub producer: u64,
    /// Its epoch.
    pub epoch: u16,
    /// The sequence number of the first record, for this partition; [`NO_SEQUENCE`] for what is not counted.
    pub first: u32,
    /// Whether the batch belongs to a transaction (K-X4).
    pub transactional: bool,
}

/// What markers and offsets within a transaction have for a sequence number.
pub(crate) const NO_SEQUENCE: u32 = u32::MAX;

/// What a batch carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Messages of one producer of the workload.
    Messages(u16, Box<[Row]>),
    /// The same after a compaction.
    Cleaned(Cleaned),
    /// A group's committed offsets (K-O1).
    Commit(Rc<str>, Vec<(Slot, u64)>),
    /// A group's generation and members.
    Group(Rc<str>, Rc<crate::group::Roster>),
    /// A consumer group's epochs, members and target (K-G7).
    ConsumerGroup(Rc<str>, Rc<crate::consumer_group::Written>),
    /// A share group's epochs, members and target.
    ShareGroup(Rc<str>, Rc<crate::share::ShareWritten>),
    /// How a partition stands with a share group (K-H4).
    ShareState(Rc<str>, Slot, Rc<crate::share::ShareState>),
    /// Committed offsets that have expired (K-O3).
    Expired(Rc<str>, Vec<Slot>),
    /// The end of a transaction in this partition (K-X5).
    Marker(Marker),
    /// A transaction's state, as its coordinator writes it down (K-X2).
    Transaction(Rc<str>, Rc<TransactionRecord>),
    /// So many records that a consumer passes over (K-X6); in no log.
    Passed(u64),
}

/// A batch as its producer sent it. One object, shared by requests and by the logs of all replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its contents.
    pub payload: Payload,
    /// Bytes on the wire and in the log (K-P7).
    pub bytes: u32,
    /// The idempotent producer's stamp.
    pub stamp: Option<Stamp>,
    /// When it was begun; the records' timestamp.
    pub created: Time,
}

impl Batch {
    /// How many offsets it takes.
    #[must_use]
    pub fn count(&self) -> u64 {
        match &self.payload {
            Payload::Messages(_, rows) => rows.len() as u64,
            Payload::Cleaned(cleaned) => cleaned.span,
            Payload::Commit(_, offsets) => offsets.len().max(1) as u64,
            Payload::Expired(_, slots) => slots.len().max(1) as u64,
            Payload::Group(..) | Payload::ConsumerGroup(..) | Payload::Marker(_) | Payload::Transaction(..) => 1,
            Payload::ShareGroup(..) | Payload::ShareState(..) => 1,
            Payload::Passed(count) => *count,
        }
    }

    /// Whether it carries messages of applications.
    #[must_use]
    pub fn has_messages(&self) -> bool {
        matches!(self.payload, Payload::Messages(..) | Payload::Cleaned(_))
    }

    /// The messages from the `skip`-th offset on, with their keys.
    pub fn messages(&self, skip: usize) -> impl Iterator<Item = (MessageId, u32)> {
        self.records(skip).map(|(_, id, key)| (id, key))
    }

    /// The messages from the `skip`-th offset on: how far behind the first offset each is, and its key.
    pub fn records(&self, skip: usize) -> impl Iterator<Item = (u64, MessageId, u32)> {
        let producer = match &self.payload {
            Payload::Messages(producer, _) => *producer,
            Payload::Cleaned(cleaned) => cleaned.producer,
            _ => 0,
        };
        let rows = self.rows_from(skip);
        rows.map(move |(delta, row)| {
            (delta, MessageId { producer, sequence: row.sequence }, row.key().unwrap_or(u32::MAX))
        })
    }

    /// What stands for the messages, and how far behind the first offset each is.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u64, Row)> {
        self.rows_from(0)
    }

    fn rows_from(&self, skip: usize) -> impl Iterator<Item = (u64, Row)> {
        let (dense, sparse) = match &self.payload {
            Payload::Messages(_, rows) => (&rows[skip.min(rows.len())..], &[][..]),
            Payload::Cleaned(cleaned) => {
                let first = cleaned.rows.partition_point(|(delta, _)| (*delta as usize) < skip);
                (&[][..], &cleaned.rows[first..])
            }
            _ => (&[][..], &[][..]),
        };
        let dense = (skip as u64..).zip(dense.iter().copied());
        dense.chain(sparse.iter().map(|(delta, row)| (u64::from(*delta), *row)))
    }
}

/// A batch in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The offset of its first record.
    pub base: u64,
    /// The epoch of the leader that appended it (K-L1).
    pub epoch: i32,
    /// The batch.
    pub batch: Rc<Batch>,
}

impl Entry {
    /// The offset after its last record.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base + self.batch.count()
    }
}

/// A stretch of the log that is deleted as a whole.
#[derive(Clone, Debug)]
struct Segment {
    entries: Pages<Entry>,
    bytes: u64,
    first_time: Time,
    last_time: Time,
    fill: Fill,
}

/// How many batches of a producer are remembered (K-I2).
const REMEMBERED: usize = 5;

/// What a log knows of an idempotent producer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    epoch: u16,
    /// First and last sequence, and base offset, of the last batches.
    batches: VecDeque<(u32, u32, u64)>,
    seen: Time,
}

/// What a leader makes of a stamped batch.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// K-I2: it is there already, at this offset.
    Duplicate(u64),
    Refuse(Code),
}

/// A replica's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    start: u64,
    end: u64,
    flushed: u64,
    bytes: u64,
    /// K-D5: everything before was compacted once.
    compacted: u64,
    segments: VecDeque<Segment>,
    /// K-Z1: what was copied to remote storage.
    remote: Rc<RemoteSegments>,
    /// Leader epochs and the offsets that they began at (K-L1).
    epochs: Vec<(i32, u64)>,
    producers: BTreeMap<u64, Known>,
    /// What is known of transactions (K-X6).
    pub transactions: Index,
}

impl Log {
    pub fn start(&self) -> u64 {
        self.start
    }

    pub fn end(&self) -> u64 {
        self.end
    }

    pub fn flushed(&self) -> u64 {
        self.flushed
    }

    pub fn last_epoch(&self) -> Option<i32> {
        self.epochs.last().map(|(epoch, _)| *epoch)
    }

    /// K-L1: an epoch begins at the end of the log.
    pub fn begin_epoch(&mut self, epoch: i32) {
        self.note_epoch(epoch, self.end);
    }

    fn note_epoch(&mut self, epoch: i32, at: u64) {
        if self.last_epoch().is_none_or(|last| epoch > last) {
            // An epoch without records gives way to the next one that begins at the same place.
            while self.epochs.last().is_some_and(|(_, from)| *from >= at) {
                self.epochs.pop();
            }
            self.epochs.push((epoch, at));
        }
    }

    /// The largest known epoch up to `epoch`, and the offset where it ends; `None` if nothing is known of it.
    pub fn epoch_end(&self, epoch: i32) -> Option<(i32, u64)> {
        if self.last_epoch() == Some(epoch) {
            return Some((epoch, self.end));
        }
        let later = self.epochs.partition_point(|(known, _)| *known <= epoch);
        let end = self.epochs.get(later)?.1;
        match later.checked_sub(1) {
            Some(floor) => Some((self.epochs[floor].0, end)),
            None => Some((epoch, end)),
        }
    }

    /// Appends a batch behind a gap: the leader's log was compacted (K-D5).
    pub fn append_at(&mut self, entry: &Entry, now: Time, roll: Roll) -> (u64, bool) {
        self.end = self.end.max(entry.base);
        self.append(entry.epoch, &entry.batch, now, roll)
    }

    /// Where the active segment begins.
    pub fn segment_base(&self) -> u64 {
        let first = self.segments.back().and_then(|segment| segment.entries.iter().next());
        first.map_or(self.end, |entry| entry.base)
    }

    /// Appends a batch at the end. Answers its first offset, and whether a new segment was begun.
    pub fn append(&mut self, epoch: i32, batch: &Rc<Batch>, now: Time, roll: Roll) -> (u64, bool) {
        let entry = Entry { base: self.end, epoch, batch: batch.clone() };
        self.note_epoch(epoch, self.end);
        let base = entry.base;
        if let Some(stamp) = batch.stamp {
            self.remember(stamp, batch.count() as u32, base, now);
            self.transactions.note(&entry);
        }
        let bytes = u64::from(batch.bytes);
        let end = base + batch.count();
        // K-D1: a batch that would not fit, or comes too late after the first, begins a new segment.
        let fits = |segment: &Segment| {
            segment.bytes + bytes <= roll.bytes
                && batch.created.since(segment.first_time) <= roll.age
                && segment.fill.has_room(end, roll.indexes)
        };
        let rolled = !self.segments.back().is_some_and(fits);
        if rolled {
            let (entries, first_time, last_time) = (Pages::default(), batch.created, batch.created);
            self.segments.push_back(Segment { entries, bytes: 0, first_time, last_time, fill: Fill::at(base) });
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes += bytes;
            segment.last_time = segment.last_time.max(batch.created);
            segment.fill.add(bytes, segment.last_time, roll.indexes);
            segment.entries.push(entry);
        }
        self.bytes += bytes;
        self.end = end;
        (base, rolled && self.segments.len() > 1)
    }

    fn remember(&mut self, stamp: Stamp, count: u32, base: u64, now: Time) {
        let fresh = || Known { epoch: stamp.epoch, batches: VecDeque::new(), seen: now };
        let known = self.producers.entry(stamp.producer).or_insert_with(fresh);
        if known.epoch != stamp.epoch {
            *known = fresh();
        }
        known.seen = now;
        if stamp.first == NO_SEQUENCE {
            return;
        }
        known.batches.push_back((stamp.first, next_sequence(stamp.first, count.saturating_sub(1)), base));
        if known.batches.len() > REMEMBERED {
            known.batches.pop_front();
        }
    }

    /// What a leader does with a batch of an idempotent producer.
    pub fn judge(&self, stamp: Stamp, count: u32, now: Time, expiry: Nanos) -> Verdict {
        let fresh = |known: &&Known| now.since(known.seen) <= expiry || self.transactions.is_open(stamp.producer);
        let known = self.producers.get(&stamp.producer).filter(fresh);
        let Some(known) = known else {
            // K-I3: nothing is known of this producer: any sequence will do, but within a transaction.
            let fits = !stamp.transactional || matches!(stamp.first, 0 | NO_SEQUENCE);
            return if fits { Verdict::Append } else { Verdict::Refuse(Code::OutOfOrderSequence) };
        };
        let last = next_sequence(stamp.first, count.saturating_sub(1));
        if stamp.epoch < known.epoch {
            return Verdict::Refuse(Code::InvalidProducerEpoch);
        }
        if stamp.first == NO_SEQUENCE {
            return Verdict::Append;
        }
        if stamp.epoch > known.epoch {
            let fits = stamp.first == 0;
            return if fits { Verdict::Append } else { Verdict::Refuse(Code::OutOfOrderSequence) };
        }
        if let Some((_, _, base)) = known.batches.iter().find(|(f, l, _)| (*f, *l) == (stamp.first, last)) {
            return Verdict::Duplicate(*base);
        }
        match known.batches.back() {
            Some((_, end, _)) if next_sequence(*end, 1) != stamp.first => Verdict::Refuse(Code::OutOfOrderSequence),
            None if stamp.transactional && stamp.first != 0 => Verdict::Refuse(Code::OutOfOrderSequence),
            _ => Verdict::Append,
        }
    }

    /// K-X4: a marker's epoch is above the producer's; the same epoch is a marker sent again, unless a transaction is
    /// open.
    pub fn judge_marker(&self, marker: Marker) -> Verdict {
        let epoch = self.producers.get(&marker.producer).map(|known| known.epoch);
        let open = self.transactions.is_open(marker.producer);
        if self.transactions.is_outdated(marker) {
            return Verdict::Refuse(Code::TransactionCoordinatorFenced);
        }
        match epoch {
            Some(known) if marker.epoch < known || (marker.epoch == known && open) => {
                Verdict::Refuse(Code::InvalidProducerEpoch)
            }
            _ => Verdict::Append,
        }
    }

    /// The entries from `offset` on, as the log holds them; the first contains the offset.
    pub fn read(&self, offset: u64) -> impl Iterator<Item = &Entry> {
        let place = self.segments.partition_point(|segment| segment_end(segment) <= offset);
        let skip = self.segments.get(place).map_or(0, |segment| find(&segment.entries, offset));
        let first = self.segments.get(place).into_iter().flat_map(move |segment| segment.entries.iter_from(skip));
        let local = first.chain(self.segments.iter().skip(place + 1).flat_map(|segment| segment.entries.iter()));
        self.read_remote(offset).chain(local)
    }

    /// Entries from `offset` on that end at or before `limit`, up to about `bytes`, at least one if there is one
    /// (K-C2).
    pub fn fetch(&self, offset: u64, limit: u64, bytes: u64, into: &mut Vec<Entry>) -> u64 {
        if offset >= limit {
            return 0;
        }
        let mut taken = 0;
        // The chain of segments is faster from within than by a loop.
        self.read(offset).all(|entry| {
            let size = u64::from(entry.batch.bytes);
            let fits = entry.end() <= limit && (taken == 0 || taken + size <= bytes);
            if fits {
                taken += size;
                into.push(entry.clone());
            }
            fits
        });
        taken
    }

    /// Whether at least `bytes` lie between two offsets.
    pub fn has_bytes(&self, offset: u64, limit: u64, bytes: u64) -> u64 {
        let mut sum = 0;
        if offset < limit {
            for entry in self.read(offset) {
                if entry.end() > limit || sum >= bytes {
                    break;
                }
                sum += u64::from(entry.batch.bytes);
            }
        }
        sum
    }

    /// Drops all records from `offset` on; a batch that straddles it goes as a whole. Answers how many records went.
    pub fn truncate(&mut self, offset: u64, now: Time) -> u64 {
        let before = self.end;
        // Epochs that began here or later are forgotten even if they have no records: a follower that names one of
        // them would be told to truncate for ever.
        let kept = offset.min(self.end);
        self.epochs.retain(|(_, from)| *from < kept);
        if offset >= self.end {
            return 0;
        }
        while let Some(segment) = self.segments.back_mut() {
            let keep = segment.entries.iter_from(find(&segment.entries, offset)).next().map(|entry| entry.base);
            let place = find(&segment.entries, offset);
            if keep.is_none() {
                // What lay there was compacted away, or lost with the power: the end is cut all the same.
                self.end = self.end.min(offset);
                break;
            }
            let gone: u64 = segment.entries.iter_from(place).map(|entry| u64::from(entry.batch.bytes)).sum();
            segment.bytes -= gone;
            self.bytes -= gone;
            // Offsets that compaction left empty go as well.
            self.end = keep.unwrap_or(self.end).min(offset).min(self.end);
            segment.entries.truncate(place);
            segment.fill.rebuild(&segment.entries);
            if place > 0 {
                break;
            }
            self.segments.pop_back();
        }
        if self.segments.is_empty() {
            self.start = self.start.min(offset);
            self.end = offset.max(self.start);
        }
        self.flushed = self.flushed.min(self.end);
        self.compacted = self.compacted.min(self.end);
        while self.epochs.last().is_some_and(|(_, from)| *from >= self.end) {
            self.epochs.pop();
        }
        self.rebuild_producers(now);
        before - self.end
    }

    /// Drops everything and begins anew at `offset`.
    pub fn restart_at(&mut self, offset: u64) {
        *self = Log { start: offset, end: offset, flushed: offset, ..Log::default() };
    }

    /// K-I6: what is known of producers follows from the log.
    fn rebuild_producers(&mut self, now: Time) {
        self.producers.clear();
        self.transactions = Index::default();
        let entries: Vec<Entry> = self.read(self.start).filter(|e| e.batch.stamp.is_some()).cloned().collect();
        for entry in entries {
            if let Some(stamp) = entry.batch.stamp {
                self.remember(stamp, entry.batch.count() as u32, entry.base, now);
                self.transactions.note(&entry);
            }
        }
    }

    /// Everything before `upto` is on the disk. Answers how far the log was before.
    pub fn mark_flushed(&mut self, upto: u64) {
        self.flushed = self.flushed.max(upto.min(self.end));
    }

    /// Bytes that are not on the disk, up to an offset.
    pub fn unflushed_bytes(&self, upto: u64) -> u64 {
        self.has_bytes(self.flushed, upto, u64::MAX)
    }

    /// K-F2: the machine lost power; what was not flushed is gone. Answers how many records went.
    pub fn lose_unflushed(&mut self, now: Time) -> u64 {
        let keep = self.flushed.max(self.start);
        self.truncate(keep, now)
    }

    /// Moves the start: whole segments below it go (K-D4).
    pub fn advance_start(&mut self, offset: u64) {
        self.start = self.start.max(offset.min(self.end));
        while self.segments.front().is_some_and(|segment| segment_end(segment) <= self.start) {
            if let Some(gone) = self.segments.pop_front() {
                self.bytes -= gone.bytes;
            }
        }
        self.forget_remote(self.start);
        let start = self.start;
        self.transactions.forget_before(start);
        let first = self.epochs.partition_point(|(_, from)| *from <= start);
        if first > 1 {
            self.epochs.drain(..first - 1);
        }
        if let Some(first) = self.epochs.first_mut() {
            first.1 = first.1.max(start);
        }
    }

    /// K-D2: how far retention may move the start: whole segments, oldest first, never beyond the high watermark.
    pub fn expired(&self, now: Time, retention: Option<Nanos>, bytes: Option<u64>, high_watermark: u64) -> u64 {
        let mut start = self.start;
        let mut left = self.bytes + self.remote_only().map(|segment| segment.bytes).sum::<u64>();
        for segment in self.remote_only().chain(&self.segments) {
            let end = segment_end(segment);
            let old = retention.is_some_and(|keep| now.since(segment.last_time) > keep);
            let large = bytes.is_some_and(|keep| left.saturating_sub(segment.bytes) >= keep);
            if end > high_watermark || !(old || large) {
                break;
            }
            left -= segment.bytes;
            start = end;
        }
        start
    }
}

fn segment_end(segment: &Segment) -> u64 {
    segment.entries.len().checked_sub(1).and_then(|last| segment.entries.get(last)).map_or(0, Entry::end)
}

/// The place of the first entry that ends after `offset`. Who reads is mostly near the end.
fn find(entries: &Pages<Entry>, offset: u64) -> usize {
    let (mut low, mut high, mut step) = (0, entries.len(), 1);
    while let Some(place) = high.checked_sub(step) {
        if entries.get(place).is_some_and(|entry| entry.end() <= offset) {
            low = place + 1;
            break;
        }
        (high, step) = (place, 2 * step);
    }
    while low < high {
        let middle = usize::midpoint(low, high);
        if entries.get(middle).is_some_and(|entry| entry.end() <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// K-I1: sequence numbers wrap from the greatest to 0.
pub(crate) fn next_sequence(sequence: u32, by: u32) -> u32 {
    sequence.wrapping_add(by) & 0x7FFF_FFFF
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
