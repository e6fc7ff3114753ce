//! A broker as a share coordinator: it writes down windows of the partitions of share groups whose part of
//! `__share_group_state` it leads (K-H4).

use super::calls::Key;
use super::{ShareResponse, ShareState, ShareWake};
use crate::broker::{Broker, Fx};
use crate::config::millis;
use crate::error::Code;
use crate::layout::Slot;
use crate::log::Payload;
use crate::rpc::{BrokerWake, Response, Ticket, Wake};
use sim::Alarm;
use sim::story::{FlightKind, Look};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a leader remembers of what it asked a share coordinator.
#[derive(Clone, Debug)]
pub(crate) struct StateAsk {
    pub key: Key,
    /// The leader's epoch when it asked.
    pub epoch: i32,
}

/// An answer that waits for replicas.
#[derive(Clone, Debug)]
struct StateWrite {
    slot: Slot,
    required: u64,
    to: (u16, Ticket),
    answer: Option<Rc<ShareState>>,
    alarm: Alarm,
}

/// What a share coordinator keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct States {
    known: BTreeMap<Key, Rc<ShareState>>,
    /// The newest leader epoch that asked.
    epochs: BTreeMap<Key, i32>,
    writes: BTreeMap<u32, StateWrite>,
    next: u32,
}

impl Broker {
    fn coordinates_share(&self, key: &Key) -> Option<Slot> {
        let slot = self.layout.share_slot(&key.0, key.1)?;
        self.replicas.get(&slot)?.leads()?;
        Some(slot)
    }

    /// What is written down of a window, for those who look on.
    pub(crate) fn share_state(&self, key: &Key) -> Option<Option<&Rc<ShareState>>> {
        self.coordinates_share(key)?;
        Some(self.shares.states.known.get(key))
    }

    fn answer_state(
        &mut self,
        (to, ticket): (u16, Ticket),
        answer: Result<Option<Rc<ShareState>>, Code>,
        fx: &mut Fx<'_>,
    ) {
        let look = Look::plain(FlightKind::Commit);
        self.answer(to, ticket, Response::Share(ShareResponse::State(answer)), 100, look, fx);
    }

    /// A leader begins: its predecessor may write no more.
    pub(crate) fn read_share_state(&mut self, to: (u16, Ticket), key: Key, epoch: i32, fx: &mut Fx<'_>) {
        let Some(slot) = self.coordinates_share(&key) else {
            return self.answer_state(to, Err(Code::NotCoordinator), fx);
        };
        let states = &mut self.shares.states;
        let newest = states.epochs.entry(key.clone()).or_insert(epoch);
        if *newest > epoch {
            return self.answer_state(to, Err(Code::FencedLeaderEpoch), fx);
        }
        *newest = epoch;
        let known = states.known.get(&key).cloned();
        // What was written before may not be in all replicas yet.
        let last = states.writes.values().filter(|write| write.slot == slot).map(|write| write.required).max();
        match last {
            Some(required) => self.await_state(slot, required, to, known, fx),
            None => self.answer_state(to, Ok(known), fx),
        }
    }

    pub(crate) fn write_share_state(&mut self, to: (u16, Ticket), key: Key, state: &Rc<ShareState>, fx: &mut Fx<'_>) {
        let Some(slot) = self.coordinates_share(&key) else {
            return self.answer_state(to, Err(Code::NotCoordinator), fx);
        };
        if self.shares.states.epochs.get(&key).is_some_and(|newest| *newest > state.epoch) {
            return self.answer_state(to, Err(Code::FencedLeaderEpoch), fx);
        }
        let payload = Payload::ShareState(key.0.clone(), key.1, state.clone());
        let bytes = 100 + 20 * state.runs.len() as u32;
        match self.append_own(slot, payload, bytes, fx) {
            Err(code) => self.answer_state(to, Err(code), fx),
            Ok(required) => {
                let states = &mut self.shares.states;
                states.epochs.insert(key.clone(), state.epoch);
                states.known.insert(key, state.clone());
                self.await_state(slot, required, to, None, fx);
            }
        }
    }

    fn await_state(
        &mut self,
        slot: Slot,
        required: u64,
        to: (u16, Ticket),
        answer: Option<Rc<ShareState>>,
        fx: &mut Fx<'_>,
    ) {
        let number = self.shares.states.next;
        self.shares.states.next = number.wrapping_add(1);
        let wait = millis(self.layout.share.write_timeout_ms);
        let alarm = fx.wake_in(wait, Wake::Broker(BrokerWake::Share(ShareWake::WriteExpires(number))));
        self.shares.states.writes.insert(number, StateWrite { slot, required, to, answer, alarm });
        self.settle_partition(slot, fx);
        self.complete_share_writes(slot, fx);
    }

    /// Looks whether writes to this partition have reached their replicas.
    pub(crate) fn complete_share_writes(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        if self.shares.states.writes.is_empty() {
            return;
        }
        let mark = self.replicas.get(&slot).map_or(0, |replica| replica.high_watermark);
        let done =
            |(number, write): (&u32, &StateWrite)| (write.slot == slot && write.required <= mark).then_some(*number);
        let numbers: Vec<u32> = self.shares.states.writes.iter().filter_map(done).collect();
        numbers.into_iter().for_each(|number| self.finish_share_write(number, Ok(()), fx));
    }

    pub(super) fn finish_share_write(&mut self, number: u32, result: Result<(), Code>, fx: &mut Fx<'_>) {
        let Some(write) = self.shares.states.writes.remove(&number) else { return };
        fx.cancel(write.alarm);
        self.answer_state(write.to, result.map(|()| write.answer), fx);
    }

    /// A new share coordinator reads what was written down.
    pub(crate) fn load_share_states(&mut self, slot: Slot) {
        let Some(replica) = self.replicas.get(&slot) else { return };
        for entry in replica.log.read(replica.log.start()) {
            if let Payload::ShareState(group, of, state) = &entry.batch.payload {
                let key = (group.clone(), *of);
                self.shares.states.epochs.insert(key.clone(), state.epoch);
                self.shares.states.known.insert(key, state.clone());
            }
        }
    }

    /// Another broker is the share coordinator now: who waits is told.
    pub(crate) fn unload_share_states(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        let writes = &self.shares.states.writes;
        let numbers: Vec<u32> = writes.iter().filter(|(_, write)| write.slot == slot).map(|(n, _)| *n).collect();
        numbers.into_iter().for_each(|number| self.finish_share_write(number, Err(Code::NotCoordinator), fx));
        let layout = self.layout.clone();
        let stays = |key: &Key| layout.share_slot(&key.0, key.1) != Some(slot);
        self.shares.states.known.retain(|key, _| stays(key));
        self.shares.states.epochs.retain(|key, _| stays(key));
    }
}
