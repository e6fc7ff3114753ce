//! A consumer that is led by hand: its application polls, commits and acknowledges when it is told to, and waits
//! between. What is not the application's goes on: signs of life, and the count of `max.poll.interval.ms` (K-C4).

use crate::client::Fx;
use crate::cluster::{LogCluster, Node};
use crate::consumer::{Asked, Consumer};
use crate::error::Code;
use crate::layout::Slot;
use crate::rpc::{ClientWake, Wake};
use crate::share::{Ack, ShareOrder};
use crate::view::MemberState;
use sim::hand::{Hand, Outcome};
use sim::objection;
use sim::story::{MarkKind, MessageId, Objection, Rule};
use sim::workload::{ClientOrder, Role};
use sim::{Nanos, NodeId, Time};

/// For how long one `poll()` waits for records: the lab's notion, as applications write it into their code.
const POLL_FOR: Nanos = Nanos::secs(5);

/// How an application is led.
#[derive(Clone, Debug, Default)]
pub(crate) struct Led {
    /// By hand, not by itself.
    pub on: bool,
    /// Until when the `poll()` waits that it was told to call.
    polls: Option<Time>,
    /// At most so many records of it.
    pub most: Option<u16>,
    /// It has polled in this life: before, it is no member.
    pub has_polled: bool,
    /// It waits for the commit that it was told to do.
    commits: bool,
}

impl Led {
    pub fn new(on: bool) -> Led {
        Led { on, ..Led::default() }
    }
}

/// What an application holds, for who leads its hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandView {
    /// Whether it is led by hand.
    pub by_hand: bool,
    /// Whether it is a member of a share group, whose records are acknowledged one by one.
    pub shares: bool,
    /// Whether it waits in `poll()`.
    pub polls: bool,
    /// Records polled and not settled: topic's place, partition, offset, message.
    pub records: Vec<(u32, u32, u64, MessageId)>,
}

impl Consumer {
    /// Whether the application calls nothing now, since nobody tells it to.
    pub(crate) fn is_left_alone(&self) -> bool {
        self.hand.on && !self.stopping && self.hand.polls.is_none()
    }

    /// A `poll()` by hand that found nothing for too long returns with nothing.
    pub(crate) fn idles(&mut self, fx: &mut Fx<'_>) -> bool {
        if self.hand.on && self.hand.polls.is_some_and(|until| fx.now() >= until) && !self.stopping {
            self.hand.polls = None;
            self.share.iter_mut().for_each(|share| share.poll(false));
            self.tell("hand-polled-nothing", Vec::new(), Rule("K-C3"), fx);
        }
        self.is_left_alone()
    }

    fn tell(&self, code: &'static str, mut values: Vec<String>, rule: Rule, fx: &mut Fx<'_>) {
        values.insert(0, self.client.layout.name(fx.me().0));
        fx.mark(MarkKind::Change, code, values, rule);
    }

    /// Records are in the application's hands.
    pub(crate) fn hand_polled(&mut self, fx: &mut Fx<'_>) {
        if self.hand.on && self.hand.polls.take().is_some() {
            self.tell("hand-polled", vec![self.in_hand.len().to_string()], Rule("K-C3"), fx);
        }
    }

    /// A commit was answered.
    pub(crate) fn hand_committed(&mut self, result: Result<(), Code>, offsets: &[(Slot, u64)], fx: &mut Fx<'_>) {
        if !std::mem::take(&mut self.hand.commits) {
            return;
        }
        match result {
            Ok(()) => {
                let layout = &self.client.layout;
                let all: Vec<String> =
                    offsets.iter().map(|(slot, offset)| format!("{} {offset}", layout.label(*slot))).collect();
                self.tell("hand-committed", vec![all.join(", ")], Rule("K-O1"), fx);
            }
            Err(code) => self.tell("hand-commit-failed", vec![code.name().to_owned()], Rule("K-G4"), fx),
        }
    }

    /// K-C4: its application did not poll for too long.
    pub(crate) fn hand_overdue(&self, fx: &mut Fx<'_>) {
        if self.hand.on {
            self.tell("hand-overdue", Vec::new(), Rule("K-C4"), fx);
        }
    }

    pub(crate) fn on_hand(&mut self, hand: Hand, fx: &mut Fx<'_>) {
        // What is wrong by now does nothing: whoever ordered it was told.
        if self.refuses(&self.client.layout.name(fx.me().0), hand).is_some() {
            return;
        }
        match hand {
            Hand::Take | Hand::LetGo => {
                self.hand = Led { has_polled: self.hand.has_polled || self.begun, ..Led::new(hand == Hand::Take) };
                self.share.iter_mut().for_each(|share| share.plan.by_hand = hand == Hand::Take);
                let code = if hand == Hand::Take { "hand-taken" } else { "hand-let-go" };
                self.tell(code, Vec::new(), Rule("K-C3"), fx);
                // Until now it called `poll()` all the time.
                self.last_poll = if hand == Hand::Take { fx.now() } else { self.last_poll };
                if hand == Hand::LetGo && !self.working && !self.in_hand.is_empty() {
                    self.start_work(fx);
                }
                self.go_on(fx);
            }
            Hand::Poll { most } => {
                let until = fx.now() + POLL_FOR;
                self.hand.has_polled = true;
                (self.hand.polls, self.hand.most) = (Some(until), most);
                fx.wake_at(until, Wake::Client(ClientWake::Poll));
                self.accept_implicitly(fx);
                self.share.iter_mut().for_each(|share| share.poll(true));
                self.go_on(fx);
            }
            Hand::Commit => {
                self.hand.commits = self.commit_as(Asked::Commit(true), true, fx);
                self.waits_for_commit = self.hand.commits;
            }
            Hand::Say { record, outcome } => self.say(record, outcome, fx),
            Hand::Get | Hand::Ack { .. } | Hand::Nack { .. } => {}
        }
    }

    fn say(&mut self, record: Option<(u32, u64)>, outcome: Outcome, fx: &mut Fx<'_>) {
        let layout = self.client.layout.clone();
        let place = |slot: Slot| slot - layout.topic(slot).first;
        let wanted =
            self.in_hand.iter().find(|held| record.is_none_or(|record| record == (place(held.slot), held.offset)));
        let Some((slot, offset)) = wanted.map(|held| (held.slot, held.offset)) else { return };
        let (ack, word) = match outcome {
            Outcome::Accept => (Ack::Accept, "accepts"),
            Outcome::Release => (Ack::Release, "releases"),
            Outcome::Reject => (Ack::Reject, "rejects"),
        };
        let values = vec![word.to_owned(), layout.label(slot), offset.to_string()];
        self.tell("hand-said", values, Rule("K-H2"), fx);
        self.on_share_order(ShareOrder::Acknowledge(vec![(place(slot), offset, ack)]), fx);
    }

    /// What the application holds and has not settled.
    fn held_by_hand(&self) -> Vec<(u32, u32, u64, MessageId)> {
        let layout = &self.client.layout;
        let place = |slot: Slot| (layout.slots[slot as usize], slot - layout.topic(slot).first);
        let worked = self
            .assigned
            .iter()
            .flat_map(|(slot, assigned)| assigned.unsettled.iter().map(|(offset, id)| (place(*slot), offset, id)));
        let in_hand = self.in_hand.iter().map(|held| (place(held.slot), held.offset, held.id));
        worked.chain(in_hand).map(|((topic, partition), offset, id)| (topic, partition, offset, id)).collect()
    }

    /// Why a step makes no sense now.
    fn refuses(&self, name: &str, hand: Hand) -> Option<Objection> {
        match hand {
            Hand::Get | Hand::Ack { .. } | Hand::Nack { .. } => {
                return Some(objection!("a log is not acked message by message: poll, and commit a position"));
            }
            Hand::Take if self.forward.is_some() => {
                return Some(objection!("{} commits with its transactions: it cannot be led by hand", name));
            }
            Hand::Take if self.hand.on => return Some(objection!("{} is in your hand already", name)),
            Hand::Take => return None,
            _ if !self.hand.on => {
                return Some(objection!(
                    "{} polls and commits by itself: take it in hand first, or set `by_hand` for it",
                    name
                ));
            }
            Hand::LetGo => return None,
            Hand::Poll { .. } | Hand::Commit | Hand::Say { .. } => {}
        }
        if self.failed.is_some() || !self.begun {
            return Some(objection!("{} has not begun, or has failed: start it first", name));
        }
        if self.working {
            return Some(objection!("{} still works on {} records: wait until it is done", name, self.in_hand.len()));
        }
        if self.hand.polls.is_some() {
            return Some(objection!("{} waits in poll(): wait until it returns", name));
        }
        match hand {
            Hand::Commit if self.share.is_some() => Some(objection!(
                "{} is in a share group, where no position is committed: accept, release or reject",
                name
            )),
            Hand::Commit => self.refuses_commit(name),
            Hand::Say { .. } if self.share.is_none() => {
                Some(objection!("{} is in no share group: a log's consumer commits a position instead", name))
            }
            Hand::Say { record, .. } => self.refuses_saying(name, record),
            _ => match &self.share {
                Some(share) if share.is_explicit() && !self.in_hand.is_empty() => Some(objection!(
                    "{} holds {} records, and poll() fails (IllegalStateException) until each is accepted, released \
                     or rejected",
                    name,
                    self.in_hand.len()
                )),
                _ => None,
            },
        }
    }

    fn refuses_commit(&self, name: &str) -> Option<Objection> {
        if self.waits_for_commit {
            return Some(objection!("{} waits for its last commit: wait until it is answered", name));
        }
        if self.membership.state == MemberState::Unjoined || self.membership.generation < 0 {
            return Some(objection!(
                "{} is no member of its group, so a commit fails: poll first, so that it joins",
                name
            ));
        }
        if self.membership.coordinator.is_none() {
            return Some(objection!("{} has no coordinator now: wait until it has found one", name));
        }
        let new = self.assigned.values().any(|own| own.position.is_some() && own.position != own.committed);
        (!new).then(|| objection!("{} has nothing new to commit: poll first", name))
    }

    fn refuses_saying(&self, name: &str, record: Option<(u32, u64)>) -> Option<Objection> {
        if !self.share.as_ref().is_some_and(|share| share.is_explicit()) {
            let mode = "share.acknowledgement.mode=implicit";
            return Some(objection!(
                "{} accepts all by its next poll ({}): set it to explicit to say so of each",
                name,
                mode
            ));
        }
        if self.in_hand.is_empty() {
            return Some(objection!("{} holds no record: poll first", name));
        }
        let (partition, offset) = record?;
        let held = |(_, at, number, _): &(u32, u32, u64, MessageId)| (*at, *number) == (partition, offset);
        (!self.held_by_hand().iter().any(held))
            .then(|| objection!("{} holds no record at offset {} of partition {}", name, offset, partition))
    }
}

impl LogCluster {
    fn consumer(&self, place: u16) -> Option<(NodeId, &Consumer)> {
        let info = self.nodes().iter().find(|info| info.role == Role::Consumer(place))?;
        match self.world().process(info.id) {
            Node::Consumer(consumer) => Some((info.id, consumer)),
            Node::Server(_) | Node::Producer(_) => None,
        }
    }

    /// What a consumer's application holds, and how it is led.
    #[must_use]
    pub fn hand(&self, consumer: u16) -> Option<HandView> {
        let (_, consumer) = self.consumer(consumer)?;
        Some(HandView {
            by_hand: consumer.hand.on,
            shares: consumer.share.is_some(),
            polls: consumer.hand.polls.is_some(),
            records: consumer.held_by_hand(),
        })
    }

    /// Why an order to a client makes no sense now, in a sentence that says what to do.
    #[must_use]
    pub fn objection(&self, order: &ClientOrder) -> Option<Objection> {
        let info = self.nodes().iter().find(|info| info.role == order.role())?;
        self.world().health(info.id).objection(&info.name).or_else(|| {
            let ClientOrder::Hand { consumer, hand } = order else { return None };
            self.consumer(*consumer)?.1.refuses(&info.name, *hand)
        })
    }
}
