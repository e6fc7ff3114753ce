//! When a segment is closed (K-D1): how far its indexes are filled.

use super::Entry;
use sim::{Nanos, Pages, Time};

/// Bytes of an entry of the index of offsets: an offset and a place, of four bytes each (OffsetIndex.java).
const OFFSET_ENTRY: i64 = 8;
/// Bytes of an entry of the index of timestamps: a timestamp of eight, an offset of four (TimeIndex.java).
const TIME_ENTRY: i64 = 12;

/// When the active segment is closed.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Roll {
    /// It would have more bytes than these.
    pub bytes: u64,
    /// So much time has passed since its first batch.
    pub age: Nanos,
    pub indexes: Indexes,
}

/// How large a segment's indexes may get.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Indexes {
    /// A batch gets an entry if more bytes than these were appended since the last one that did.
    interval: u64,
    offsets: u32,
    times: u32,
}

impl Indexes {
    /// Indexes that are never full.
    #[cfg(test)]
    pub const ENDLESS: Indexes = Indexes { interval: u64::MAX, offsets: u32::MAX, times: u32::MAX };

    /// By `index.interval.bytes` and `segment.index.bytes`.
    pub fn of(interval: i64, bytes: i64) -> Indexes {
        let entries = |size: i64| u32::try_from(bytes / size).unwrap_or(0);
        // The last entry of the index of timestamps is kept for the time when the segment is closed.
        let times = entries(TIME_ENTRY).saturating_sub(1);
        Indexes { interval: interval.unsigned_abs(), offsets: entries(OFFSET_ENTRY), times }
    }
}

/// How far the indexes of a segment are filled.
#[derive(Copy, Clone, Debug)]
pub(super) struct Fill {
    /// The segment's first offset.
    base: u64,
    since: u64,
    offsets: u32,
    times: u32,
    /// The timestamp of the last entry, in milliseconds.
    last: Option<u64>,
    interval: u64,
}

impl Fill {
    /// Of a segment that begins at this offset.
    pub fn at(base: u64) -> Fill {
        Fill { base, since: 0, offsets: 0, times: 0, last: None, interval: 0 }
    }

    /// K-D1: whether there is room for a batch that ends before this offset: in the indexes, and in the four bytes that
    /// tell offsets within a segment.
    pub fn has_room(&self, end: u64, indexes: Indexes) -> bool {
        self.offsets < indexes.offsets && self.times < indexes.times && end - self.base <= 1 << 31
    }

    /// A batch was appended; `latest` is the latest timestamp of the segment.
    pub fn add(&mut self, bytes: u64, latest: Time, indexes: Indexes) {
        self.interval = indexes.interval;
        if self.since > indexes.interval {
            self.offsets += 1;
            let millis = latest.since(Time::ZERO).0 / 1_000_000;
            // Timestamps that do not grow get no entry.
            if self.last.is_none_or(|last| millis > last) {
                self.times += 1;
                self.last = Some(millis);
            }
            self.since = 0;
        }
        self.since += bytes;
    }

    /// The segment was cut: what its indexes have follows from what is left.
    pub fn rebuild(&mut self, entries: &Pages<Entry>) {
        let indexes = Indexes { interval: self.interval, ..Indexes::default() };
        let mut latest = Time::ZERO;
        *self = Fill::at(self.base);
        for entry in entries.iter() {
            latest = latest.max(entry.batch.created);
            self.add(u64::from(entry.batch.bytes), latest, indexes);
        }
        // As in Kafka, the bytes behind the last entry are forgotten.
        self.since = 0;
    }
}
