//! A consumer as a member of a consumer group (K-G7 to K-G9): it shows signs of life, and takes up what it is told to.

use super::{About, Heartbeat, HeartbeatAnswer, LEAVES, LEAVES_FOR_A_WHILE};
use crate::client::Fx;
use crate::config::{GroupProtocol, millis};
use crate::consumer::{Asked, Consumer};
use crate::error::Code;
use crate::layout::Slot;
use crate::retries::Rest;
use crate::rpc::{ClientWake, GroupRequest, Wake};
use crate::view::MemberState;
use sim::{Nanos, Time};
use std::rc::Rc;

/// What a member of a consumer group knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Modern {
    /// 0 while it is not a member.
    pub epoch: i32,
    /// What it is told to own and has not taken up.
    target: Option<Vec<Slot>>,
    /// What it last said it owned; `None`: it has to say all about itself.
    told: Option<Vec<Slot>>,
    /// It has something to say.
    urgent: bool,
    next_beat: Time,
    interval: Nanos,
    /// Of signs of life that failed.
    pub rest: Rest,
    /// What it gives up once its progress is committed.
    pub revoking: Vec<Slot>,
    /// That commit is under way, or done.
    committing: bool,
    committed: bool,
    /// It left because its application did not poll.
    stale: bool,
}

/// How long a member that has no answer yet waits before it looks again.
const LOOK_AGAIN: Nanos = Nanos::secs(1);

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Consumer {
    pub(crate) fn is_modern(&self) -> bool {
        self.config.group_protocol == GroupProtocol::Consumer || self.share.is_some()
    }

    /// A sign of life, as members of this kind of group show it.
    fn beat_request(&self, beat: Heartbeat) -> GroupRequest {
        if self.share.is_some() {
            return GroupRequest::ShareHeartbeat(Box::new(beat));
        }
        GroupRequest::ConsumerHeartbeat(Box::new(beat))
    }

    /// An id for as long as the process lives, drawn by lot as Kafka's are: what an assignor does hangs on its hash.
    pub(crate) fn start_modern_life(&mut self, fx: &mut Fx<'_>) {
        let letters = (0..22).map(|_| char::from(DIGITS[fx.dice().below(64) as usize]));
        self.membership.id = letters.collect::<String>().into();
        self.membership.modern = Modern { urgent: true, ..Modern::default() };
        fx.wake_in(LOOK_AGAIN, Wake::Client(ClientWake::Heartbeat(self.membership.life)));
    }

    /// What `poll()` does for the membership first.
    pub(crate) fn keep_modern(&mut self, fx: &mut Fx<'_>) -> bool {
        if std::mem::take(&mut self.membership.modern.stale) {
            self.membership.modern.urgent = true;
        }
        self.reconcile(fx);
        self.beat_if_due(fx);
        // Without a coordinator a member goes on with what it has.
        true
    }

    pub(crate) fn modern_heartbeat_due(&mut self, fx: &mut Fx<'_>) {
        self.beat_if_due(fx);
        let (now, due) = (fx.now(), self.membership.modern.next_beat);
        let next = if due > now { due } else { now + LOOK_AGAIN };
        fx.wake_at(next, Wake::Client(ClientWake::Heartbeat(self.membership.life)));
    }

    /// Says what there is to say, or that it lives. A thread of its own does so, whatever the application does.
    pub(crate) fn beat_if_due(&mut self, fx: &mut Fx<'_>) {
        let m = &self.membership.modern;
        let due = m.urgent || fx.now() >= m.next_beat;
        // Who is led by hand and has never polled has not joined either.
        let joins = !self.hand.on || self.hand.has_polled;
        if !due || !m.rest.is_over(fx.now()) || m.stale || !joins || self.stopping || self.failed.is_some() {
            return;
        }
        let Some(coordinator) = self.membership.coordinator else { return self.seek_coordinator(fx) };
        if !self.client.is_reachable(coordinator, fx) {
            return self.client.want(coordinator, fx);
        }
        if self.is_waiting(|asked| matches!(asked, Asked::Beat)) {
            return;
        }
        let owned: Vec<Slot> = self.assigned.keys().copied().collect();
        let news = m.told.as_ref() != Some(&owned);
        let about = m.told.is_none().then(|| About {
            rebalance: millis(self.config.max_poll_interval_ms),
            topics: self.topics.clone(),
            assignor: self.config.group_remote_assignor,
        });
        let beat = Heartbeat { who: self.who(), epoch: m.epoch, about, owned: news.then(|| owned.clone()) };
        if self.ask_group(self.beat_request(beat), Asked::Beat, fx) {
            let m = &mut self.membership;
            if m.modern.epoch == 0 {
                m.state = MemberState::Joining;
            }
            m.modern.told = Some(owned);
            m.modern.urgent = false;
            m.modern.next_beat = fx.now() + m.modern.interval.max(LOOK_AGAIN);
        }
    }

    pub(crate) fn beaten(&mut self, asked: &Asked, result: Result<Box<HeartbeatAnswer>, Code>, fx: &mut Fx<'_>) {
        if matches!(asked, Asked::Leave) {
            if self.stopping {
                fx.exit();
            }
            return;
        }
        match result {
            Ok(answer) => {
                let m = &mut self.membership;
                m.last_beat = fx.now();
                (m.modern.epoch, m.generation) = (answer.epoch, answer.epoch);
                m.modern.interval = answer.interval;
                m.modern.rest.succeeded();
                m.modern.next_beat = fx.now() + answer.interval;
                if let Some(assignment) = answer.assignment {
                    m.modern.target = Some(assignment);
                }
                let done = m.modern.target.is_none();
                m.state = if done { MemberState::Stable } else { MemberState::Reconciling };
            }
            Err(code @ (Code::NotCoordinator | Code::CoordinatorNotAvailable)) => {
                self.beat_lost();
                self.refused(code, fx);
            }
            Err(code) => self.refused(code, fx),
        }
    }

    /// A sign of life that nobody may have got.
    pub(crate) fn beat_lost(&mut self) {
        self.membership.modern.told = None;
        self.membership.modern.urgent = true;
    }

    /// K-G9: what it had is someone else's. It joins again.
    pub(crate) fn fenced(&mut self) {
        if self.membership.modern.stale {
            self.lose_partitions();
        } else {
            self.assigned.clear();
        }
        let m = &mut self.membership;
        m.state = MemberState::Unjoined;
        m.generation = -1;
        m.modern = Modern { urgent: true, stale: m.modern.stale, ..Modern::default() };
    }

    /// K-G8: gives up what it is told to, after it committed, and takes what it is given.
    fn reconcile(&mut self, fx: &mut Fx<'_>) {
        let Some(target) = self.membership.modern.target.clone() else { return };
        if self.membership.modern.committing {
            return;
        }
        let gives_up: Vec<Slot> = self.assigned.keys().copied().filter(|slot| !target.contains(slot)).collect();
        if !gives_up.is_empty()
            && !self.membership.modern.committed
            && self.config.enable_auto_commit
            && self.share.is_none()
        {
            self.membership.modern.revoking = gives_up;
            self.membership.modern.committing = self.commit_as(Asked::Revocation, true, fx);
            if self.membership.modern.committing {
                return;
            }
        }
        let before: Vec<Slot> = self.assigned.keys().copied().collect();
        self.assigned.retain(|slot, _| target.contains(slot));
        for slot in &target {
            self.assigned.entry(*slot).or_default();
        }
        let m = &mut self.membership;
        m.modern.target = None;
        m.modern.revoking.clear();
        m.modern.committed = false;
        m.state = MemberState::Stable;
        // The coordinator is told at once: others may wait for what was given up.
        m.modern.urgent |= !before.iter().eq(self.assigned.keys());
        m.offsets_wanted = self.share.is_none();
    }

    /// The commit before a revocation is done, one way or the other.
    pub(crate) fn revocation_committed(&mut self) {
        let m = &mut self.membership.modern;
        m.committed = std::mem::take(&mut m.committing);
    }

    /// K-C4: its application does not poll; it leaves until that does.
    pub(crate) fn leave_until_polled(&mut self, fx: &mut Fx<'_>) {
        if !self.membership.modern.stale {
            self.say_farewell(fx);
            self.membership.modern.stale = true;
            self.fenced();
        }
    }

    /// K-G9: leaves; a static member only for a while. False if nobody can be told.
    pub(crate) fn say_farewell(&mut self, fx: &mut Fx<'_>) -> bool {
        let epoch = if self.config.group_instance_id.is_some() { LEAVES_FOR_A_WHILE } else { LEAVES };
        let beat = Heartbeat { who: self.who(), epoch, about: None, owned: None };
        let known = self.membership.modern.epoch > 0;
        known && self.ask_group(self.beat_request(beat), Asked::Leave, fx)
    }

    pub(crate) fn who(&self) -> super::Who {
        let instance: Option<Rc<str>> = self.config.group_instance_id.as_deref().map(Rc::from);
        super::Who { id: self.membership.id.clone(), instance }
    }
}
