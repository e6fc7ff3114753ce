//! The event queue: a hierarchical timing wheel that chooses a slot by the highest bit in which an event's time
//! differs from now.
//!
//! Eleven levels of 64 slots cover all 64 bits of the time. Pushing and cancelling take constant time; an event is
//! moved at most once a level on its way down. Events at one time leave in the order in which they came, without a
//! sequence number: at any moment all events of one time are in one slot, in the order of their arrival.

use crate::Time;

const LEVELS: usize = 11;
const SLOTS: usize = 64;
const BITS: u32 = 6;
const NONE: u32 = u32::MAX;

/// Names a pushed event, to cancel it. It stays harmless after the event has left.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Handle {
    index: u32,
    generation: u32,
}

#[derive(Clone, Debug)]
struct Entry<E> {
    time: u64,
    next: u32,
    previous: u32,
    generation: u32,
    place: u16,
    event: Option<E>,
}

/// Events in the order of their times, first come first served at equal times.
#[derive(Clone, Debug)]
pub struct Wheel<E> {
    now: u64,
    levels: u16,
    slots: [u64; LEVELS],
    heads: [u32; LEVELS * SLOTS],
    tails: [u32; LEVELS * SLOTS],
    entries: Vec<Entry<E>>,
    free: u32,
    len: usize,
}

impl<E> Default for Wheel<E> {
    fn default() -> Self {
        Wheel {
            now: 0,
            levels: 0,
            slots: [0; LEVELS],
            heads: [NONE; LEVELS * SLOTS],
            tails: [NONE; LEVELS * SLOTS],
            entries: Vec::new(),
            free: NONE,
            len: 0,
        }
    }
}

impl<E> Wheel<E> {
    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no event waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All waiting events, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.entries.iter().filter_map(|entry| entry.event.as_ref())
    }

    /// Adds an event. A time that has passed is taken as now.
    #[inline]
    pub fn push(&mut self, at: Time, event: E) -> Handle {
        let time = at.0.max(self.now);
        let index = if self.free == NONE {
            self.entries.push(Entry { time, next: NONE, previous: NONE, generation: 0, place: 0, event: Some(event) });
            (self.entries.len() - 1) as u32
        } else {
            let index = self.free;
            let entry = &mut self.entries[index as usize];
            self.free = entry.next;
            entry.time = time;
            entry.event = Some(event);
            index
        };
        self.len += 1;
        self.link(index, time);
        Handle { index, generation: self.entries[index as usize].generation }
    }

    /// Takes a waiting event back; `None` if it has left already.
    pub fn cancel(&mut self, handle: Handle) -> Option<E> {
        let entry = self.entries.get(handle.index as usize)?;
        if entry.generation != handle.generation || entry.event.is_none() {
            return None;
        }
        self.unlink(handle.index);
        self.release(handle.index)
    }

    /// The time of the next event.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        if self.levels == 0 {
            return None;
        }
        let (level, place) = self.first_place();
        let mut index = self.heads[place];
        let mut earliest = self.entries[index as usize].time;
        if level > 0 {
            while index != NONE {
                let entry = &self.entries[index as usize];
                earliest = earliest.min(entry.time);
                index = entry.next;
            }
        }
        Some(Time(earliest))
    }

    /// Takes the next event if its time is at most `limit`.
    #[inline]
    pub fn pop_until(&mut self, limit: Time) -> Option<(Time, E)> {
        loop {
            if self.levels == 0 {
                return None;
            }
            let (level, place) = self.first_place();
            let head = self.heads[place];
            let entry = &self.entries[head as usize];
            // An event alone in the first slot is the next one: no need to move it down level by level.
            if level == 0 || entry.next == NONE {
                if entry.time > limit.0 {
                    return None;
                }
                let time = entry.time;
                self.now = time;
                self.unlink(head);
                return self.release(head).map(|event| (Time(time), event));
            }
            let base = entry.time & !((1u64 << (BITS * level as u32)) - 1);
            if base > limit.0 {
                return None;
            }
            self.spread(place, base);
        }
    }

    /// Takes the next event.
    #[inline]
    pub fn pop(&mut self) -> Option<(Time, E)> {
        self.pop_until(Time::NEVER)
    }

    #[inline]
    fn first_place(&self) -> (usize, usize) {
        let level = self.levels.trailing_zeros() as usize;
        (level, level * SLOTS + self.slots[level].trailing_zeros() as usize)
    }

    /// Moves the events of a slot one or more levels down, now that its time has begun.
    fn spread(&mut self, place: usize, base: u64) {
        self.now = base;
        let mut index = self.heads[place];
        self.heads[place] = NONE;
        self.tails[place] = NONE;
        self.clear(place);
        while index != NONE {
            let (next, time) = (self.entries[index as usize].next, self.entries[index as usize].time);
            self.link(index, time);
            index = next;
        }
    }

    #[inline]
    fn link(&mut self, index: u32, time: u64) {
        let level = (63 - ((time ^ self.now) | 1).leading_zeros()) / BITS;
        let slot = (time >> (BITS * level)) & (SLOTS as u64 - 1);
        let place = level as usize * SLOTS + slot as usize;
        let tail = self.tails[place];
        let entry = &mut self.entries[index as usize];
        entry.place = place as u16;
        entry.previous = tail;
        entry.next = NONE;
        if tail == NONE {
            self.heads[place] = index;
            self.slots[level as usize] |= 1 << slot;
            self.levels |= 1 << level;
        } else {
            self.entries[tail as usize].next = index;
        }
        self.tails[place] = index;
    }

    #[inline]
    fn unlink(&mut self, index: u32) {
        let Entry { next, previous, place, .. } = self.entries[index as usize];
        let place = place as usize;
        if previous == NONE {
            self.heads[place] = next;
        } else {
            self.entries[previous as usize].next = next;
        }
        if next == NONE {
            self.tails[place] = previous;
        } else {
            self.entries[next as usize].previous = previous;
        }
        if self.heads[place] == NONE {
            self.clear(place);
        }
    }

    #[inline]
    fn clear(&mut self, place: usize) {
        let level = place / SLOTS;
        self.slots[level] &= !(1 << (place % SLOTS));
        if self.slots[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    #[inline]
    fn release(&mut self, index: u32) -> Option<E> {
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = self.free;
        self.free = index;
        self.len -= 1;
        entry.event.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dice, Nanos};
    use std::collections::BTreeMap;

    /// Plays random pushes, pops and cancels against a sorted map, which is the specification.
    fn against_a_sorted_map(seed: u64, spread: u64) {
        let mut dice = Dice::named(seed, "wheel", &[spread]);
        let mut wheel = Wheel::default();
        let mut model: BTreeMap<(Time, u64), Handle> = BTreeMap::new();
        let mut now = Time::ZERO;
        for id in 0..20_000u64 {
            match dice.below(10) {
                0..6 => {
                    let far = if dice.chance(1, 20) { 30_000_000_000 } else { dice.below(spread) };
                    let at = now + Nanos(far);
                    model.insert((at, id), wheel.push(at, id));
                }
                6..9 => {
                    let limit = if dice.chance(1, 2) { Time::NEVER } else { now + Nanos(dice.below(spread)) };
                    let expected = model.keys().next().copied().filter(|(at, _)| *at <= limit);
                    assert_eq!(wheel.next_time(), model.keys().next().map(|(at, _)| *at));
                    assert_eq!(wheel.pop_until(limit), expected);
                    if let Some(key) = expected {
                        model.remove(&key);
                        now = key.0;
                    }
                }
                _ => {
                    let nth = dice.below(model.len().max(1) as u64) as usize;
                    if let Some((key, handle)) = model.iter().nth(nth).map(|(k, h)| (*k, *h)) {
                        assert_eq!(wheel.cancel(handle), Some(key.1));
                        assert_eq!(wheel.cancel(handle), None);
                        model.remove(&key);
                    }
                }
            }
            assert_eq!(wheel.len(), model.len());
        }
        while let Some((at, id)) = wheel.pop() {
            assert_eq!(model.pop_first().map(|(key, _)| key), Some((at, id)));
        }
        assert!(model.is_empty());
    }

    #[test]
    fn events_leave_by_time_and_then_in_the_order_of_their_coming() {
        for seed in 0..4 {
            for spread in [3, 1_000, 1_000_000, 40_000_000_000] {
                against_a_sorted_map(seed, spread);
            }
        }
    }

    #[test]
    fn a_handle_of_an_event_that_left_cancels_nothing() {
        let mut wheel = Wheel::default();
        let old = wheel.push(Time(5), "old");
        assert_eq!(wheel.pop(), Some((Time(5), "old")));
        wheel.push(Time(9), "new");
        assert_eq!(wheel.cancel(old), None);
        assert_eq!(wheel.pop(), Some((Time(9), "new")));
    }
}
