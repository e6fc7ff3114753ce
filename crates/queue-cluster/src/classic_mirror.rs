//! A classic queue as a copy of one that lives elsewhere (R-M8).

use crate::classic::{Classic, Stored};
use crate::desk::ChannelId;
use crate::fifo::Fifo;
use std::collections::BTreeMap;

impl Classic {
    /// The place of the oldest message, ready or out.
    pub fn oldest(&self) -> Option<u64> {
        let ready = self.lines.iter().filter_map(|line| line.front()).map(|stored| stored.place);
        ready.chain(self.unacked.keys().next().copied()).min()
    }

    /// The place that the next message will have.
    pub fn next_place(&self) -> u64 {
        self.next_place
    }

    /// All messages, ready and out, in the order of their places.
    pub fn all(&self) -> Vec<Stored> {
        let mut all: Vec<Stored> =
            self.lines.iter().flat_map(Fifo::iter).chain(self.unacked.values()).cloned().collect();
        all.sort_by_key(|stored| stored.place);
        all
    }

    pub fn mirror_keep(&mut self, stored: Stored) {
        self.next_place = self.next_place.max(stored.place + 1);
        self.enqueue(stored);
    }

    pub fn mirror_sent(&mut self, place: u64) {
        if let Some(mut stored) = self.take_place(place) {
            stored.delivered = true;
            self.hold(stored);
        }
    }

    pub fn mirror_returned(&mut self, place: u64) {
        if let Some(stored) = self.unhold(place) {
            self.enqueue(stored);
        }
    }

    pub fn mirror_gone(&mut self, place: u64) {
        if self.unhold(place).is_none() {
            self.take_place(place);
        }
    }

    pub fn mirror_clear(&mut self) {
        while self.take_head().is_some() {}
        self.unacked.clear();
        self.unacked_bytes = 0;
    }

    /// The copy becomes the queue: what was out with consumers is back, marked as delivered before (R-K5).
    pub fn take_over(&mut self, taken: BTreeMap<ChannelId, u64>) {
        let out: Vec<u64> = self.unacked.keys().copied().collect();
        out.into_iter().for_each(|place| self.mirror_returned(place));
        self.taken = taken;
    }

    fn take_place(&mut self, place: u64) -> Option<Stored> {
        let found = self.lines.iter_mut().find_map(|line| line.take_by(place, |stored| stored.place))?;
        self.ready -= 1;
        self.ready_bytes -= u64::from(found.body.bytes);
        Some(found)
    }
}
