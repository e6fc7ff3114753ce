//! What a producer has gathered and not sent: a queue of batches for each partition (K-P1, K-P2).

use crate::log::{Batch, Payload, Row, Stamp};
use sim::{Nanos, Time};
use std::collections::VecDeque;
use std::rc::Rc;

/// Bytes of a batch's header (K-P7).
pub(crate) const HEADER: u32 = 61;

/// K-P7: bytes of one record: lengths are written as variable-length numbers.
pub(crate) fn record_bytes(key: Option<u32>, value: u32) -> u32 {
    let key_bytes = key.map_or(0, |index| 4 + digits(index));
    // Attributes, time and offset deltas (two bytes mostly), the count of headers.
    let body = 1 + 1 + 2 + varint(key_bytes) + key_bytes + varint(value) + value + 1;
    varint(body) + body
}

fn digits(number: u32) -> u32 {
    number.checked_ilog10().unwrap_or(0) + 1
}

/// Bytes of a number in zigzag coding, seven bits each.
fn varint(number: u32) -> u32 {
    match number {
        0..64 => 1,
        64..8_192 => 2,
        8_192..1_048_576 => 3,
        _ => 4,
    }
}

/// A batch at its producer: it grows, is sealed when first sent, and comes back when it has to be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    pub partition: u32,
    /// Shared with clones of the cluster until one side appends.
    rows: Rc<Vec<Row>>,
    pub bytes: u32,
    /// What it takes of `buffer.memory`.
    pub room: u32,
    pub created: Time,
    pub attempts: u32,
    /// It came back from an attempt and rests until then (K-P2).
    pub rests: Time,
    /// The leader epoch at the last attempt: another leader needs no backoff (K-P2).
    pub tried_epoch: i32,
    pub sealed: Option<Rc<Batch>>,
    /// It was closed because a record did not fit.
    pub closed: bool,
    /// Its sequences were given anew after an epoch was raised (K-I4).
    pub renumbered: bool,
}

impl Bundle {
    pub fn count(&self) -> u32 {
        self.sealed.as_ref().map_or(self.rows.len() as u32, |batch| batch.count() as u32)
    }

    pub fn is_full(&self) -> bool {
        self.closed || self.sealed.is_some() || self.bytes >= self.room
    }

    pub fn stamp(&self) -> Option<Stamp> {
        self.sealed.as_ref().and_then(|batch| batch.stamp)
    }

    /// The batch as it goes out, with its stamp from now on; `ahead` is what its producer's clock is ahead (K-D3).
    pub fn seal(&mut self, producer: u16, stamp: Option<Stamp>, ahead: Nanos) -> Rc<Batch> {
        if let Some(batch) = &self.sealed {
            return batch.clone();
        }
        let rows = Rc::unwrap_or_clone(std::mem::take(&mut self.rows)).into_boxed_slice();
        let payload = Payload::Messages(producer, rows);
        let batch = Rc::new(Batch { payload, bytes: self.bytes, stamp, created: self.created + ahead });
        self.sealed = Some(batch.clone());
        batch
    }

    /// K-I4: another stamp for the same records.
    pub fn restamp(&mut self, stamp: Option<Stamp>) {
        if let Some(batch) = &self.sealed {
            self.sealed = Some(Rc::new(Batch { stamp, ..Batch::clone(batch) }));
            self.renumbered = true;
        }
    }

    /// K-P4: a batch that is too large is sent again in halves.
    pub fn split(self) -> Vec<Bundle> {
        let Some(batch) = self.sealed.clone() else { return vec![self] };
        let Payload::Messages(producer, rows) = &batch.payload else { return vec![self] };
        let middle = rows.len() / 2;
        let each = (self.bytes - HEADER) / (rows.len() as u32).max(1);
        let half = |rows: &[Row], skip: u32| {
            let bytes = HEADER + each * rows.len() as u32;
            let stamp = batch.stamp.map(|stamp| Stamp { first: crate::log::next_sequence(stamp.first, skip), ..stamp });
            let payload = Payload::Messages(*producer, rows.into());
            let sealed = Some(Rc::new(Batch { payload, bytes, stamp, created: batch.created }));
            // A half has not been tried: it waits for no backoff.
            Bundle { bytes, room: self.room / 2, sealed, rows: Rc::default(), attempts: 0, ..self.clone() }
        };
        vec![half(&rows[..middle], 0), half(&rows[middle..], middle as u32)]
    }

    /// The messages in it.
    pub fn messages(&self, producer: u16) -> Vec<sim::story::MessageId> {
        match &self.sealed {
            Some(batch) => batch.messages(0).map(|(id, _)| id).collect(),
            None => {
                let id = |row: &Row| sim::story::MessageId { producer, sequence: row.sequence };
                self.rows.iter().map(id).collect()
            }
        }
    }
}

/// All queues of a producer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accumulator {
    pub queues: Vec<VecDeque<Bundle>>,
    /// Bytes of `buffer.memory` in use, batches under way included.
    pub used: u64,
}

impl Accumulator {
    pub fn new(partitions: u32) -> Accumulator {
        Accumulator { queues: (0..partitions).map(|_| VecDeque::new()).collect(), used: 0 }
    }

    /// K-P1: appends to the last batch if it fits, else begins a new one. `None` if there is no memory for one;
    /// else whether a batch was begun, and whether the one before it or this one is full.
    pub fn append(
        &mut self,
        partition: u32,
        row: Row,
        bytes: u32,
        batch_size: u32,
        memory: u64,
        now: Time,
    ) -> Option<(bool, bool)> {
        let queue = &mut self.queues[partition as usize];
        if let Some(last) = queue.back_mut().filter(|last| !last.is_full()) {
            if last.bytes + bytes <= last.room {
                last.bytes += bytes;
                Rc::make_mut(&mut last.rows).push(row);
                return Some((false, last.is_full()));
            }
            last.closed = true;
        }
        let room = batch_size.max(HEADER + bytes);
        if self.used + u64::from(room) > memory && self.used > 0 {
            return None;
        }
        self.used += u64::from(room);
        let mut rows = Vec::with_capacity((room / bytes.max(1)).min(1_024) as usize);
        rows.push(row);
        let second = !queue.is_empty();
        queue.push_back(Bundle {
            partition,
            rows: Rc::new(rows),
            bytes: HEADER + bytes,
            room,
            created: now,
            attempts: 0,
            rests: Time::ZERO,
            tried_epoch: -1,
            sealed: None,
            closed: false,
            renumbered: false,
        });
        Some((true, second || HEADER + bytes >= room))
    }

    /// K-P1: appends to the last batch of a partition, if there is one that it fits into. Answers whether that one is
    /// full now.
    pub fn append_on(&mut self, partition: u32, row: Row, bytes: u32) -> Option<bool> {
        let last = self.queues.get_mut(partition as usize)?.back_mut()?;
        if last.is_full() || last.bytes + bytes > last.room {
            return None;
        }
        last.bytes += bytes;
        match Rc::get_mut(&mut last.rows) {
            Some(rows) => rows.push(row),
            None => Rc::make_mut(&mut last.rows).push(row),
        }
        Some(last.bytes >= last.room)
    }

    /// Whether all batches of a partition are full, so that none is left half full when another is turned to (K-T3).
    pub fn all_full(&self, partition: u32) -> bool {
        self.queues[partition as usize].back().is_none_or(Bundle::is_full)
    }

    /// A batch comes back: in the order of its sequence, or to the front.
    pub fn put_back(&mut self, bundle: Bundle) {
        let queue = &mut self.queues[bundle.partition as usize];
        let mine = bundle.stamp().map(|stamp| stamp.first);
        let earlier = |other: &Bundle| match (other.stamp(), mine) {
            (Some(other), Some(mine)) => other.first < mine,
            _ => false,
        };
        let place = queue.iter().position(|other| !earlier(other)).unwrap_or(queue.len());
        queue.insert(place, bundle);
    }

    /// What was never sent, taken out.
    pub fn drop_unsent(&mut self) -> Vec<Bundle> {
        let unsent = |queue: &mut VecDeque<Bundle>| {
            let (sent, unsent) = std::mem::take(queue).into_iter().partition(|bundle| bundle.sealed.is_some());
            *queue = sent;
            unsent
        };
        self.queues.iter_mut().flat_map(unsent).collect::<VecDeque<Bundle>>().into()
    }

    pub fn release(&mut self, bundle: &Bundle) {
        self.used = self.used.saturating_sub(u64::from(bundle.room));
    }

    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }
}

/// K-P2: whether the head of a queue was never sent, and lingers no longer.
pub(crate) fn goes_at_once(queue: &VecDeque<Bundle>, hurry: bool) -> bool {
    queue.front().is_some_and(|head| head.attempts == 0 && (queue.len() > 1 || head.is_full() || hurry))
}

/// What the sending of a batch depends on.
pub(crate) struct Readiness {
    pub linger: Nanos,
    pub now: Time,
    /// Memory is exhausted, or the producer closes: everything goes.
    pub hurry: bool,
    pub leader_epoch: i32,
}

impl Readiness {
    /// K-P2: `Ok` if the head of a queue may be sent now, else when to look again.
    pub fn of(&self, queue: &VecDeque<Bundle>) -> Result<(), Time> {
        let Some(head) = queue.front() else { return Err(Time::NEVER) };
        let backing_off = head.attempts > 0 && head.tried_epoch == self.leader_epoch;
        let waits_until = if backing_off {
            head.rests
        } else if head.attempts > 0 || goes_at_once(queue, self.hurry) {
            return Ok(());
        } else {
            head.created + self.linger
        };
        if waits_until <= self.now { Ok(()) } else { Err(waits_until) }
    }
}
