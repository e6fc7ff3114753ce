//! A partition's window of records for a share group, as the partition's leader keeps it (K-H1 to K-H3). Without a clock
//! or a network of its own.

use super::wire::{Ack, Acks};
use crate::error::Code;
use crate::log::Entry;
use sim::{Nanos, Time};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Where a record stands (K-H2).
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A member may have it.
    Available,
    /// A member has it.
    Acquired,
    /// Done.
    Acknowledged,
    /// Given up.
    Archived,
}

/// Records that stand alike, as they are written down (K-H4).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first offset.
    pub first: u64,
    /// The last offset.
    pub last: u64,
    /// How they stand.
    pub standing: Standing,
    /// How often they were delivered.
    pub count: u16,
}

/// A window as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareState {
    /// The epoch of the leader that wrote it.
    pub epoch: i32,
    /// Where it starts: everything before is finished.
    pub start: u64,
    /// What is known of records from there on.
    pub runs: Vec<Run>,
}

/// Records that a member was given.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Acquired {
    /// The first offset.
    pub first: u64,
    /// The last offset.
    pub last: u64,
    /// The how-many-th delivery it is.
    pub count: u16,
}

/// Limits of a window.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Limits {
    /// Records in flight.
    pub locks: u64,
    /// Deliveries of one record.
    pub deliveries: u16,
}

/// What a member asks for.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Wish<'a> {
    pub member: &'a Rc<str>,
    pub most: u64,
    pub strict: bool,
    pub lock: Nanos,
    pub now: Time,
}

#[derive(Clone, Debug)]
struct Flight {
    standing: Standing,
    count: u16,
    /// The first offset of the stretch that it was first delivered in, and how many that had.
    batch: (u64, u32),
    holder: Option<Rc<str>>,
    lock: Time,
    /// What it will be once that is written down.
    next: Option<Standing>,
}

impl Flight {
    fn is_free(&self) -> bool {
        self.standing == Standing::Available && self.next.is_none()
    }

    fn is_finished(&self) -> bool {
        matches!(self.standing, Standing::Acknowledged | Standing::Archived)
    }
}

/// A window.
#[derive(Clone, Debug)]
pub(crate) struct SharePartition {
    limits: Limits,
    /// SPSO: everything before is finished.
    start: u64,
    /// The offset after SPEO: nothing from here on was ever given.
    end: u64,
    flights: BTreeMap<u64, Flight>,
}

impl SharePartition {
    pub fn new(limits: Limits, start: u64) -> SharePartition {
        SharePartition { limits, start, end: start, flights: BTreeMap::new() }
    }

    /// K-H4: takes up what was written down. What nobody had finished is available again.
    pub fn load(limits: Limits, state: &ShareState) -> SharePartition {
        let mut it = SharePartition::new(limits, state.start);
        for run in &state.runs {
            let free = |offset| (offset, Flight::new(Standing::Available, 0, (offset, 1)));
            it.flights.extend((it.end..run.first).map(free));
            let batch = (run.first, (run.last - run.first + 1) as u32);
            let flight = |offset| (offset, Flight::new(run.standing, run.count, batch));
            it.flights.extend((run.first..=run.last).map(flight));
            it.end = it.end.max(run.last + 1);
        }
        it.advance();
        it
    }

    pub fn start(&self) -> u64 {
        self.start
    }

    pub fn end(&self) -> u64 {
        self.end
    }

    /// How many records members have, and how many wait to be given again.
    pub fn counts(&self) -> (u32, u32) {
        let count = |standing| self.flights.values().filter(|flight| flight.standing == standing).count() as u32;
        (count(Standing::Acquired), count(Standing::Available))
    }

    pub fn is_finished(&self, offset: u64) -> bool {
        offset < self.start || self.flights.get(&offset).is_some_and(Flight::is_finished)
    }

    /// Who has a record, and the how-many-th delivery that is.
    #[cfg(test)]
    pub fn holder(&self, offset: u64) -> Option<(&Rc<str>, u16)> {
        let flight = self.flights.get(&offset).filter(|flight| flight.standing == Standing::Acquired)?;
        flight.holder.as_ref().map(|holder| (holder, flight.count))
    }

    /// K-H1: where to read for what a member may be given; `None` if there is no room for more in flight.
    pub fn next_offset(&self) -> Option<u64> {
        let free = self.flights.iter().find(|(_, flight)| flight.is_free()).map(|(offset, _)| *offset);
        free.or_else(|| (self.end - self.start < self.limits.locks).then_some(self.end))
    }

    /// Gives records to a member: what was released before, and new ones. `entries` are the log's from
    /// [`SharePartition::next_offset`] on.
    pub fn acquire(&mut self, wish: Wish<'_>, entries: &[Entry]) -> Vec<Acquired> {
        let mut taken: Vec<Acquired> = Vec::new();
        let mut count = 0;
        let mut from = self.next_offset().unwrap_or(self.end);
        for entry in entries {
            if count >= wish.most {
                break;
            }
            self.skip(from..entry.base);
            from = entry.end();
            if !self.acquire_again(wish, entry, &mut count, &mut taken) {
                break;
            }
            if count < wish.most {
                self.acquire_new(wish, entry, &mut count, &mut taken);
            }
        }
        self.advance();
        taken
    }

    /// Offsets that the log holds nothing for any more are finished.
    fn skip(&mut self, offsets: std::ops::Range<u64>) {
        if offsets.is_empty() {
            return;
        }
        let free = self.flights.range_mut(offsets.clone()).filter(|(_, flight)| flight.is_free());
        free.for_each(|(_, flight)| flight.standing = Standing::Archived);
        for offset in self.end..offsets.end.min(self.end.saturating_add(self.limits.locks)) {
            self.flights.insert(offset, Flight::new(Standing::Archived, 0, (offset, 1)));
        }
        self.end = self.end.max(offsets.end);
        if offsets.start <= self.start && self.flights.values().all(Flight::is_finished) {
            self.flights.clear();
            self.start = self.end;
        }
    }

    /// Records that were delivered before. False if nothing else may go with them (K-H3).
    fn acquire_again(&mut self, wish: Wish<'_>, entry: &Entry, count: &mut u64, taken: &mut Vec<Acquired>) -> bool {
        let offsets = entry.base.max(self.start)..entry.end().min(self.end);
        let mut offset = offsets.start;
        while offset < offsets.end {
            let Some(flight) = self.flights.get(&offset).filter(|flight| flight.is_free()) else {
                offset += 1;
                continue;
            };
            if wish.strict && *count >= wish.most {
                return false;
            }
            let throttled = self.throttled(flight);
            if throttled.is_some() && *count > 0 {
                return false;
            }
            let most = throttled.unwrap_or(u64::MAX).min(if wish.strict { wish.most - *count } else { u64::MAX });
            let batch = flight.batch;
            let mut got = 0;
            while offset < offsets.end && got < most {
                match self.flights.get(&offset) {
                    Some(flight) if flight.batch == batch && !holds(entry, offset) => self.archive(offset),
                    Some(flight) if flight.batch == batch => {
                        got += u64::from(self.take(offset, wish, taken));
                    }
                    _ => break,
                }
                offset += 1;
            }
            *count += got;
            if throttled.is_some() {
                return false;
            }
        }
        true
    }

    fn archive(&mut self, offset: u64) {
        if let Some(flight) = self.flights.get_mut(&offset).filter(|flight| flight.is_free()) {
            flight.standing = Standing::Archived;
        }
    }

    /// K-H3: how many of a stretch are given at once that has failed too often: half of it, and half of that the next
    /// time; for the last time each alone.
    fn throttled(&self, flight: &Flight) -> Option<u64> {
        let limit = self.limits.deliveries.div_ceil(2).max(2);
        if flight.count < limit {
            return None;
        }
        let halvings = u32::from(flight.count - limit + 1);
        let last = flight.count + 1 >= self.limits.deliveries;
        Some(if last { 1 } else { u64::from(flight.batch.1).checked_shr(halvings).unwrap_or(0).max(1) })
    }

    fn take(&mut self, offset: u64, wish: Wish<'_>, taken: &mut Vec<Acquired>) -> bool {
        let Some(flight) = self.flights.get_mut(&offset).filter(|flight| flight.is_free()) else { return false };
        flight.standing = Standing::Acquired;
        flight.count += 1;
        flight.holder = Some(wish.member.clone());
        flight.lock = wish.now + wish.lock;
        let count = flight.count;
        match taken.last_mut() {
            Some(last) if last.last + 1 == offset && last.count == count => last.last = offset,
            _ => taken.push(Acquired { first: offset, last: offset, count }),
        }
        true
    }

    /// Records that nobody was given before: whole batches, unless the limit is strict, and no more than may be in
    /// flight. What is not for applications, and what compaction took, is finished at once.
    fn acquire_new(&mut self, wish: Wish<'_>, entry: &Entry, count: &mut u64, taken: &mut Vec<Acquired>) {
        let first = entry.base.max(self.end);
        let most = if wish.strict { wish.most - *count } else { u64::MAX };
        let room = self.limits.locks.saturating_sub(self.end - self.start);
        let mut messages = entry.batch.records((first - entry.base) as usize).map(|(delta, ..)| entry.base + delta);
        let mut next = messages.next();
        let mut got = 0;
        let begun = self.flights.len();
        let end = entry.end().min(first.saturating_add(room));
        for offset in first..end {
            if got >= most {
                break;
            }
            let standing = if next == Some(offset) { Standing::Available } else { Standing::Archived };
            self.flights.insert(offset, Flight::new(standing, 0, (first, 1)));
            self.end = offset + 1;
            if standing == Standing::Available {
                next = messages.next();
                got += u64::from(self.take(offset, wish, taken));
            }
        }
        let size = (self.flights.len() - begun) as u32;
        self.flights.range_mut(first..).for_each(|(_, flight)| flight.batch = (first, size.max(1)));
        *count += got;
    }

    /// K-H2: what a member says of records; all of it counts, or nothing. Answers the offsets that change once that is
    /// written down, and what each will be.
    pub fn acknowledge(&mut self, member: &Rc<str>, acks: &Acks, renewed: Time) -> Result<Vec<(u64, Standing)>, Code> {
        let mut changes = Vec::new();
        let mut renewals = Vec::new();
        for (first, last, ack) in acks {
            // What lies before the window is finished, whatever is said of it.
            for offset in (*first).max(self.start)..=*last {
                let flight = self.flights.get(&offset).ok_or(Code::InvalidRecordState)?;
                let own = flight.holder.as_ref() == Some(member) && flight.standing == Standing::Acquired;
                if !own || flight.next.is_some() {
                    return Err(Code::InvalidRecordState);
                }
                let next = match ack {
                    Ack::Accept => Standing::Acknowledged,
                    Ack::Reject => Standing::Archived,
                    Ack::Release => self.released(flight),
                    Ack::Renew => {
                        renewals.push(offset);
                        continue;
                    }
                };
                changes.push((offset, next));
            }
        }
        for offset in renewals {
            self.flights.entry(offset).and_modify(|flight| flight.lock = renewed);
        }
        for (offset, next) in &changes {
            self.flights.entry(*offset).and_modify(|flight| flight.next = Some(*next));
        }
        Ok(changes)
    }

    fn released(&self, flight: &Flight) -> Standing {
        if flight.count >= self.limits.deliveries { Standing::Archived } else { Standing::Available }
    }

    /// What was said of records is written down, or could not be. Answers the offsets that were given up.
    pub fn settle(&mut self, changes: &[(u64, Standing)], written: bool) {
        for (offset, next) in changes {
            let Some(flight) = self.flights.get_mut(offset).filter(|flight| flight.next == Some(*next)) else {
                continue;
            };
            flight.next = None;
            if written {
                flight.standing = *next;
                flight.holder = None;
            }
        }
        self.advance();
    }

    /// K-H2: takes from members what `gone` says; at once, whether or not it is written down already. Answers how many
    /// are available again, and the offsets that are given up.
    fn take_back(&mut self, gone: &dyn Fn(&Flight) -> bool) -> (usize, Vec<u64>) {
        let due = |(offset, flight): (&u64, &Flight)| {
            let due = flight.standing == Standing::Acquired && flight.next.is_none() && gone(flight);
            due.then_some(*offset)
        };
        let offsets: Vec<u64> = self.flights.iter().filter_map(due).collect();
        let (mut back, mut given_up) = (0, Vec::new());
        for offset in offsets {
            let Some(next) = self.flights.get(&offset).map(|flight| self.released(flight)) else { continue };
            if let Some(flight) = self.flights.get_mut(&offset) {
                (flight.standing, flight.holder) = (next, None);
            }
            match next {
                Standing::Archived => given_up.push(offset),
                _ => back += 1,
            }
        }
        self.advance();
        (back, given_up)
    }

    /// A member's session is over.
    pub fn release(&mut self, member: &Rc<str>) -> (usize, Vec<u64>) {
        self.take_back(&|flight| flight.holder.as_ref() == Some(member))
    }

    /// Locks that are over.
    pub fn expire(&mut self, now: Time) -> (usize, Vec<u64>) {
        self.take_back(&|flight| flight.lock <= now)
    }

    /// When the first lock is over.
    pub fn next_time(&self) -> Option<Time> {
        let held =
            self.flights.values().filter(|flight| flight.standing == Standing::Acquired && flight.next.is_none());
        held.map(|flight| flight.lock).min()
    }

    /// The log begins later: what is gone is finished.
    pub fn log_starts_at(&mut self, offset: u64) {
        if offset > self.start {
            self.flights = self.flights.split_off(&offset);
            self.start = offset;
            self.end = self.end.max(offset);
            self.advance();
        }
    }

    /// K-H1: the window starts behind what is finished.
    fn advance(&mut self) {
        while let Some(first) = self.flights.first_entry() {
            if *first.key() > self.start || !first.get().is_finished() {
                break;
            }
            self.start = first.key() + 1;
            first.remove();
        }
        self.end = self.end.max(self.start);
    }

    /// K-H4: the window as it is written down: as it will be once what is said of records counts. Of a record that a
    /// member has, the delivery under way is not in it.
    pub fn snapshot(&self, epoch: i32) -> ShareState {
        let mut state = ShareState { epoch, start: self.start, runs: Vec::new() };
        for (offset, flight) in &self.flights {
            let standing = flight.next.unwrap_or(flight.standing);
            let (standing, count) = match standing {
                Standing::Acquired => (Standing::Available, flight.count - 1),
                other => (other, flight.count),
            };
            if state.runs.is_empty() && *offset == state.start && standing >= Standing::Acknowledged {
                state.start = offset + 1;
                continue;
            }
            if count == 0 && standing == Standing::Available {
                continue;
            }
            match state.runs.last_mut() {
                Some(run) if run.last + 1 == *offset && (run.standing, run.count) == (standing, count) => {
                    run.last = *offset;
                }
                _ => state.runs.push(Run { first: *offset, last: *offset, standing, count }),
            }
        }
        state
    }
}

/// Whether a batch has a record for applications at an offset.
fn holds(entry: &Entry, offset: u64) -> bool {
    let skip = (offset - entry.base) as usize;
    entry.batch.records(skip).next().is_some_and(|(delta, ..)| delta == skip as u64)
}

impl Flight {
    fn new(standing: Standing, count: u16, batch: (u64, u32)) -> Flight {
        Flight { standing, count, batch, holder: None, lock: Time::ZERO, next: None }
    }
}

#[cfg(test)]
#[path = "partition_tests.rs"]
mod tests;
