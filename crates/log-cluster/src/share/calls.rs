//! What a partition's leader asks of share coordinators: what is written down of a window, and to write down how it
//! stands (K-H4). One question a window at a time; what comes meanwhile goes with the next.

use super::leader::Share;
use super::partition::Limits;
use super::{SharePartition, ShareRequest, ShareReset, ShareResponse, ShareState, ShareWake, Standing, StateAsk};
use crate::broker::{Broker, Fx};
use crate::error::Code;
use crate::layout::Slot;
use crate::rpc::{BrokerWake, Request, Response, Wake};
use crate::transactions::Ask;
use sim::Nanos;
use std::rc::Rc;

/// A group and a partition.
pub(crate) type Key = (Rc<str>, Slot);

/// The wait before the first further try; it doubles (Kafka: PersisterStateManager).
const AGAIN: Nanos = Nanos::secs(1);
/// How often a write is tried before its members are told.
const TRIES: u32 = 5;

/// What members said of records of a partition in one request.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// The request's number.
    pub request: u32,
    pub changes: Vec<(u64, Standing)>,
    /// Those of them that are given up because the application said so.
    pub rejected: Vec<u64>,
}

impl Broker {
    pub(super) fn share_limits(&self, group: &str) -> Limits {
        let settings = &self.layout.share;
        let locks = settings.partition_max_record_locks.unsigned_abs();
        Limits { locks, deliveries: self.layout.group_config(group).deliveries(settings) }
    }

    /// Reads what is written down of a window, or writes it down if there is something to write.
    pub(super) fn pump_share(&mut self, key: &Key, fx: &mut Fx<'_>) {
        let coordinator = self.layout.share_slot(&key.0, key.1).and_then(|slot| self.image.leader(slot));
        let Some(share) = self.shares.parts.get_mut(key).filter(|share| !share.asking) else { return };
        let request = match &share.window {
            None => ShareRequest::Read(key.1, share.epoch),
            Some(window) => {
                if !share.dirty && share.said.is_empty() && share.saying.is_empty() {
                    return;
                }
                share.dirty = false;
                share.saying.append(&mut share.said);
                ShareRequest::Write(key.1, Rc::new(window.snapshot(share.epoch)))
            }
        };
        share.asking = true;
        let ask = StateAsk { key: key.clone(), epoch: share.epoch };
        match coordinator {
            Some((to, _)) => self.call_with(to, Request::Share(key.0.clone(), request), Ask::Share(ask), fx),
            None => self.share_state_failed(&ask, Code::CoordinatorNotAvailable, fx),
        }
    }

    pub(crate) fn share_state_answered(&mut self, ask: &StateAsk, response: Response, fx: &mut Fx<'_>) {
        let Response::Share(ShareResponse::State(result)) = response else { return };
        let Some(share) = self.shares.parts.get_mut(&ask.key).filter(|share| share.epoch == ask.epoch) else { return };
        match result {
            Err(Code::FencedLeaderEpoch) => self.drop_share(&ask.key, fx),
            Err(code) => self.share_state_failed(ask, code, fx),
            Ok(state) => {
                (share.asking, share.tries) = (false, 0);
                let begins = share.window.is_none();
                let said = std::mem::take(&mut share.saying);
                let news = begins || !said.is_empty();
                if begins {
                    self.begin_window(&ask.key, state.as_deref());
                }
                self.settle_said(&ask.key, said, Ok(()), fx);
                self.pump_share(&ask.key, fx);
                if news {
                    self.share_changed(ask.key.1, fx);
                }
                self.arm_locks(&ask.key, fx);
            }
        }
    }

    /// K-H1: a window that nothing is written down of begins where the group's settings say.
    fn begin_window(&mut self, key: &Key, state: Option<&ShareState>) {
        let limits = self.share_limits(&key.0);
        let reset = self.layout.group_config(&key.0).share_auto_offset_reset;
        let Some(replica) = self.replicas.get(&key.1) else { return };
        let window = match (state, reset) {
            (Some(state), _) => SharePartition::load(limits, state),
            (None, ShareReset::Earliest) => SharePartition::new(limits, replica.log.start()),
            (None, ShareReset::Latest) => SharePartition::new(limits, replica.high_watermark),
        };
        if let Some(share) = self.shares.parts.get_mut(key) {
            share.window = Some(window);
        }
    }

    /// The coordinator is looked for again after a while; what members said is refused if that goes on.
    pub(crate) fn share_state_failed(&mut self, ask: &StateAsk, code: Code, fx: &mut Fx<'_>) {
        let Some(share) = self.shares.parts.get_mut(&ask.key).filter(|share| share.epoch == ask.epoch) else { return };
        share.tries += 1;
        let wait = Nanos(AGAIN.0 << (share.tries - 1).min(4));
        fx.wake_in(wait, Wake::Broker(BrokerWake::Share(ShareWake::Again(share.number))));
        if share.tries >= TRIES {
            share.tries = 0;
            share.dirty = share.window.is_some();
            let said = std::mem::take(&mut share.saying);
            self.settle_said(&ask.key, said, Err(code), fx);
            self.arm_locks(&ask.key, fx);
        }
    }

    pub(super) fn share_again(&mut self, number: u32, fx: &mut Fx<'_>) {
        let Some(key) = self.shares.key_of(number) else { return };
        if let Some(share) = self.shares.parts.get_mut(&key) {
            share.asking = false;
        }
        self.pump_share(&key, fx);
    }

    fn settle_said(&mut self, key: &Key, said: Vec<Said>, result: Result<(), Code>, fx: &mut Fx<'_>) {
        for one in said {
            if let Some(window) = self.shares.parts.get_mut(key).and_then(|share| share.window.as_mut()) {
                window.settle(&one.changes, result.is_ok());
            }
            if result.is_ok() {
                let archived = one.changes.iter().filter(|(_, next)| *next == Standing::Archived);
                let (rejected, failed) = archived.map(|(offset, _)| *offset).partition(|at| one.rejected.contains(at));
                self.tell_given_up(key, rejected, false, fx);
                self.tell_given_up(key, failed, true, fx);
            }
            self.share_ack_done(one.request, key.1, result, fx);
        }
    }

    /// Another leader has the window, or this one may not write any more: it is forgotten, and read again if it is asked
    /// for.
    pub(super) fn drop_share(&mut self, key: &Key, fx: &mut Fx<'_>) {
        let Some(Share { said, saying, alarm, .. }) = self.shares.parts.remove(key) else { return };
        if let Some((_, alarm)) = alarm {
            fx.cancel(alarm);
        }
        for one in saying.into_iter().chain(said) {
            self.share_ack_done(one.request, key.1, Err(Code::NotLeaderOrFollower), fx);
        }
    }
}
