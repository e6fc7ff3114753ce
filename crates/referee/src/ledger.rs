//! The ledger: one line a message, and the verdict over all of them.

use crate::Histogram;
use crate::lines::Lines;
use serde::Serialize;
use sim::story::{Life, MessageId};
use sim::{Nanos, Time};
use std::collections::BTreeMap;

/// What is known of one message.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its key's index.
    pub key: u32,
    /// When its application handed it over.
    pub produced: Time,
    /// When its client learnt that the broker took responsibility.
    pub acknowledged: Option<Time>,
    /// When it was first delivered.
    pub delivered: Option<Time>,
    /// When it was first processed.
    pub processed: Option<Time>,
    /// How often it was delivered.
    pub deliveries: u8,
    /// How often it was processed by each reader, readers counted from 0; the ninth and later share a place.
    pub processings: [u8; 8],
    pub(crate) flags: u8,
}

const REFUSED: u8 = 1;
const DROPPED: u8 = 2;
const DEAD_LETTERED: u8 = 4;
const REORDERED: u8 = 8;
const STORED: u8 = 16;
const ABORTED: u8 = 32;
const DELETED: u8 = 64;

impl Record {
    /// Whether the broker refused it for good.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.flags & REFUSED != 0
    }

    /// Whether it was processed after a later message of its key.
    #[must_use]
    pub fn is_reordered(&self) -> bool {
        self.flags & REORDERED != 0
    }

    /// Whether some reader processed it more than once.
    #[must_use]
    pub fn is_duplicated(&self) -> bool {
        self.processings.iter().any(|times| *times > 1)
    }

    /// Whether it is out of the way of its readers: by a limit, an expiry, a dead-letter exchange, or with an aborted
    /// transaction.
    #[must_use]
    pub fn is_set_aside(&self) -> bool {
        self.flags & (DROPPED | DEAD_LETTERED | ABORTED | DELETED) != 0
    }
}

/// What became of a message, as far as can be said now.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// On its way, or held where it can still be processed.
    Outstanding,
    /// Processed once, in order.
    Processed,
    /// Processed more than once.
    Duplicated,
    /// Processed after a later message of its key.
    Reordered,
    /// Acknowledged to its producer, not processed, and held nowhere any more.
    Lost,
    /// Never acknowledged, not processed, and held nowhere any more: nothing was promised.
    Gone,
    /// Refused, and the producer gave up.
    Refused,
    /// Moved to a dead-letter target.
    DeadLettered,
    /// Dropped by a rule that was asked for: expired, over a limit, superseded by a newer record of its key.
    Dropped,
    /// Taken back by its producer, with the transaction that it was sent in.
    Aborted,
}

/// Counts that go on with the run.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Handed over by applications.
    pub produced: u64,
    /// Acknowledged to their producers.
    pub acknowledged: u64,
    /// Refused for good.
    pub refused: u64,
    /// Delivered at least once.
    pub delivered: u64,
    /// Deliveries beyond the first of a message.
    pub redelivered: u64,
    /// Processed at least once.
    pub processed: u64,
    /// Processed more than once by one reader.
    pub duplicated: u64,
    /// Processed after a later message of the same producer and key.
    pub reordered: u64,
    /// Moved to a dead-letter target.
    pub dead_lettered: u64,
    /// Dropped by a rule.
    pub dropped: u64,
    /// Taken back by their producers, with the transactions that they were sent in.
    #[serde(skip_serializing_if = "is_zero")]
    pub aborted: u64,
}

impl Counts {
    /// Produced, not processed yet, and neither refused nor set aside.
    #[must_use]
    pub fn on_their_way(&self) -> u64 {
        let done = self.processed + self.refused + self.dead_lettered + self.dropped + self.aborted;
        self.produced.saturating_sub(done)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What can be said of a cluster's run so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The counts.
    #[serde(flatten)]
    pub counts: Counts,
    /// Acknowledged, not processed, and held nowhere any more.
    pub lost: u64,
    /// Never acknowledged, not processed, and held nowhere any more.
    pub gone: u64,
    /// Neither processed nor lost nor set aside.
    pub outstanding: u64,
    /// The first lost messages, for a closer look.
    pub lost_ids: Vec<(u16, u32)>,
    /// From produced to first processed: the median, in nanoseconds.
    pub p50: Option<u64>,
    /// The 99th percentile, in nanoseconds.
    pub p99: Option<u64>,
    /// The 99.9th percentile, in nanoseconds.
    pub p999: Option<u64>,
}

/// Asks a cluster what it holds: it calls the visitor with each message that a reader (a number) can still get.
pub type Held<'a> = &'a mut dyn FnMut(&mut dyn FnMut(u8, MessageId));

/// How many ids a verdict names.
const NAMED: usize = 200;

/// The ledger of one cluster's messages. Clones share their pages.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    producers: Vec<Lines>,
    /// For each producer, the first message that is not settled for good: those before need no second look.
    open_from: Vec<usize>,
    /// The highest sequence processed so far, by producer, key and reader.
    highest: BTreeMap<(u16, u32, u8), u32>,
    counts: Counts,
    latency: Histogram,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Ledger {
        Ledger::default()
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The latencies so far, from produced to first processed.
    #[must_use]
    pub fn latency(&self) -> &Histogram {
        &self.latency
    }

    /// A message's line.
    #[must_use]
    pub fn record(&self, id: MessageId) -> Option<Record> {
        self.producers.get(usize::from(id.producer))?.get(id.sequence as usize)
    }

    fn produce(&mut self, now: Time, id: MessageId, key: u32) {
        let producer = usize::from(id.producer);
        if self.producers.len() <= producer {
            self.producers.resize_with(producer + 1, Lines::default);
            self.open_from.resize(producer + 1, 0);
        }
        assert_eq!(self.producers[producer].len(), id.sequence as usize, "messages are produced in sequence");
        self.producers[producer].push(Record {
            key,
            produced: now,
            acknowledged: None,
            delivered: None,
            processed: None,
            deliveries: 0,
            processings: [0; 8],
            flags: 0,
        });
        self.counts.produced += 1;
    }

    /// Takes down one step of a message's life, and answers the latency if it was processed for the first time.
    pub fn hear(&mut self, now: Time, id: MessageId, life: Life) -> Option<Nanos> {
        if let Life::Produced { key } = life {
            self.produce(now, id, key);
            return None;
        }
        let counts = &mut self.counts;
        let lines = self.producers.get_mut(usize::from(id.producer))?;
        let record = lines.get_mut(id.sequence as usize)?;
        match life {
            Life::Produced { .. } | Life::Settled { .. } => {}
            Life::Stored => record.flags |= STORED,
            Life::Acknowledged => {
                if record.acknowledged.is_none() {
                    record.acknowledged = Some(now);
                    counts.acknowledged += 1;
                }
            }
            Life::Refused => {
                counts.refused += u64::from(record.flags & REFUSED == 0);
                record.flags |= REFUSED;
            }
            Life::Delivered { .. } => {
                record.deliveries = record.deliveries.saturating_add(1);
                if record.delivered.is_none() {
                    record.delivered = Some(now);
                    counts.delivered += 1;
                } else {
                    counts.redelivered += 1;
                }
            }
            Life::Processed { reader, .. } => return self.process(now, id, reader),
            Life::DeadLettered => {
                counts.dead_lettered += u64::from(record.flags & DEAD_LETTERED == 0);
                record.flags |= DEAD_LETTERED;
                lines.count_done();
            }
            Life::Aborted => {
                counts.aborted += u64::from(record.flags & ABORTED == 0);
                record.flags |= ABORTED;
                lines.count_done();
            }
            // What was processed may go; and another replica may still serve what one has deleted.
            Life::Deleted if record.processed.is_none() && record.flags & DELETED == 0 => {
                counts.dropped += 1;
                record.flags |= DELETED;
            }
            Life::Deleted => {}
            Life::Dropped => {
                counts.dropped += u64::from(record.flags & DROPPED == 0);
                record.flags |= DROPPED;
                lines.count_done();
            }
        }
        None
    }

    fn process(&mut self, now: Time, id: MessageId, reader: u8) -> Option<Nanos> {
        let lines = self.producers.get_mut(usize::from(id.producer))?;
        let record = lines.get_mut(id.sequence as usize)?;
        let place = usize::from(reader).min(7);
        record.processings[place] = record.processings[place].saturating_add(1);
        if record.processings[place] == 2 {
            let others = record.processings.iter().enumerate().any(|(other, times)| other != place && *times > 1);
            self.counts.duplicated += u64::from(!others);
        }
        if record.processings[place] == 1 {
            let highest = self.highest.entry((id.producer, record.key, reader)).or_insert(id.sequence);
            if *highest > id.sequence {
                self.counts.reordered += u64::from(record.flags & REORDERED == 0);
                record.flags |= REORDERED;
            }
            *highest = (*highest).max(id.sequence);
        }
        if record.processed.is_some() {
            return None;
        }
        record.processed = Some(now);
        self.counts.dropped -= u64::from(record.flags & DELETED != 0);
        let latency = now.since(record.produced);
        lines.count_done();
        self.counts.processed += 1;
        self.latency.add(latency);
        Some(latency)
    }

    /// Says what became of the messages so far. `held` visits every message that a reader can still get.
    #[must_use]
    pub fn verdict(&mut self, held: Held<'_>) -> Verdict {
        let kept = self.kept(held);
        let (mut lost, mut gone, mut outstanding) = (0, 0, 0);
        let mut lost_ids = Vec::new();
        self.visit_open(&kept, &mut |id, _, fate| match fate {
            Fate::Lost => {
                lost += 1;
                if lost_ids.len() < NAMED {
                    lost_ids.push((id.producer, id.sequence));
                }
            }
            Fate::Gone => gone += 1,
            Fate::Outstanding => outstanding += 1,
            _ => {}
        });
        let quantile = |thousandth| self.latency.quantile(thousandth).map(|nanos| nanos.0);
        let (p50, p99, p999) = (quantile(500), quantile(990), quantile(999));
        Verdict { counts: self.counts, lost, gone, outstanding, lost_ids, p50, p99, p999 }
    }

    /// The first messages of a fate, at most `limit`.
    #[must_use]
    pub fn of_fate(&self, wanted: Fate, limit: usize, held: Held<'_>) -> Vec<MessageId> {
        let kept = self.kept(held);
        let mut found = Vec::new();
        for (producer, records) in self.producers.iter().enumerate() {
            for (sequence, record) in records.iter() {
                let id = MessageId { producer: producer as u16, sequence: sequence as u32 };
                if found.len() < limit && fate(&record, kept[producer].has(sequence)) == wanted {
                    found.push(id);
                }
            }
        }
        found
    }

    fn kept(&self, held: Held<'_>) -> Vec<Bits> {
        let mut kept: Vec<Bits> =
            self.producers.iter().zip(&self.open_from).map(|(all, from)| Bits::new(*from, all.len())).collect();
        held(&mut |_, id| {
            if let Some(bits) = kept.get_mut(usize::from(id.producer)) {
                bits.set(id.sequence as usize);
            }
        });
        kept
    }

    /// Visits every message that is not settled for good and some that are, and moves past those at the front that are.
    fn visit_open(&mut self, kept: &[Bits], visit: &mut dyn FnMut(MessageId, &Record, Fate)) {
        for (producer, records) in self.producers.iter().enumerate() {
            let mut front = true;
            for (sequence, record) in records.iter_open(self.open_from[producer]) {
                let fate = fate(record, kept[producer].has(sequence));
                if front {
                    // Only what was processed stays as it is: the lost may yet come back with a disk.
                    front = record.processed.is_some();
                    self.open_from[producer] = sequence + usize::from(front);
                }
                visit(MessageId { producer: producer as u16, sequence: sequence as u32 }, record, fate);
            }
        }
    }
}

fn fate(record: &Record, held: bool) -> Fate {
    if record.processed.is_some() {
        return match (record.is_duplicated(), record.is_reordered()) {
            (true, _) => Fate::Duplicated,
            (false, true) => Fate::Reordered,
            (false, false) => Fate::Processed,
        };
    }
    match record.flags {
        flags if flags & DEAD_LETTERED != 0 => Fate::DeadLettered,
        flags if flags & (DROPPED | DELETED) != 0 => Fate::Dropped,
        flags if flags & ABORTED != 0 => Fate::Aborted,
        _ if held => Fate::Outstanding,
        _ if record.acknowledged.is_some() => Fate::Lost,
        flags if flags & REFUSED != 0 => Fate::Refused,
        _ => Fate::Gone,
    }
}

/// A set of sequence numbers from a first one on.
struct Bits {
    from: usize,
    words: Vec<u64>,
}

impl Bits {
    fn new(from: usize, to: usize) -> Bits {
        Bits { from, words: vec![0; (to.saturating_sub(from)).div_ceil(64)] }
    }

    fn set(&mut self, sequence: usize) {
        if let Some(place) = sequence.checked_sub(self.from)
            && let Some(word) = self.words.get_mut(place / 64)
        {
            *word |= 1 << (place % 64);
        }
    }

    fn has(&self, sequence: usize) -> bool {
        let Some(place) = sequence.checked_sub(self.from) else { return false };
        self.words.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
    }
}
