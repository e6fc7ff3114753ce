//! A window of a run in all its detail: what was sent, what became of each message. It is played again for that, on a
//! copy; the run itself does not notice.

use crate::side::{Cluster, Side};
use crate::{Player, State};
use scenario::Step;
use sim::story::{Life, MessageId, Rule};
use sim::{Flight, NodeId, Time};

/// One step in a message's life.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct LifeStep {
    /// When.
    pub at: Time,
    /// On which node.
    pub node: NodeId,
    /// Of which message.
    pub id: MessageId,
    /// Which step.
    pub life: Life,
    /// By which rule.
    pub rule: Rule,
}

/// Something that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// From, to, when, what.
    pub flight: Flight,
    /// When it was lost, if it was.
    pub lost: Option<Time>,
    /// The messages that it carries, if it was sent within the window.
    pub carries: Vec<MessageId>,
}

/// A cluster's part of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SideTrace {
    /// What was in the air within the window, in the order of its sending.
    pub arrows: Vec<Arrow>,
    /// What happened to messages within it.
    pub steps: Vec<LifeStep>,
}

/// A window of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// From when.
    pub from: Time,
    /// To when: earlier than asked for if there was too much.
    pub to: Time,
    /// Of the log cluster.
    pub log: SideTrace,
    /// Of the queue cluster.
    pub queue: SideTrace,
}

/// Events between two looks at the journals.
const CHUNK: u64 = 2_000;

/// What is kept of a trace.
#[derive(Copy, Clone)]
enum Keep {
    All,
    /// What carries the message, and what brought it on.
    Of(MessageId),
}

fn begin<C: Cluster>(side: &mut Side<C>, trace: &mut SideTrace) {
    side.cluster.keep_journal();
    side.steps = Some(Vec::new());
    let flying = side.cluster.flights().into_iter();
    trace.arrows.extend(flying.map(|flight| Arrow { flight, lost: None, carries: Vec::new() }));
    trace.arrows.sort_by_key(|arrow| (arrow.flight.sent, arrow.flight.due));
}

/// Takes down what was sent and told since `since`.
fn gather<C: Cluster>(side: &mut Side<C>, trace: &mut SideTrace, since: Time, keep: Keep) {
    let sent = side.cluster.take_journal().into_iter();
    trace.arrows.extend(sent.map(|(flight, carries)| Arrow { flight, lost: None, carries }));
    trace.steps.extend(side.steps.as_mut().map(std::mem::take).unwrap_or_default());
    for wreck in side.cluster.wrecks().into_iter().filter(|wreck| wreck.at > since) {
        let same = |arrow: &&mut Arrow| arrow.flight == wreck.flight && arrow.lost.is_none();
        if let Some(arrow) = trace.arrows.iter_mut().rev().find(same) {
            arrow.lost = Some(wreck.at);
        }
    }
    if let Keep::Of(id) = keep {
        trace.steps.retain(|step| step.id == id);
        let now = side.cluster.next_time().unwrap_or(Time::NEVER);
        let steps = &trace.steps;
        let brought = |flight: &Flight| steps.iter().any(|step| step.at == flight.due && step.node == flight.to);
        trace.arrows.retain(|arrow| {
            arrow.carries.contains(&id) || (arrow.flight.due >= now && arrow.lost.is_none()) || brought(&arrow.flight)
        });
    }
}

impl Player {
    /// All that was in the air or happened to messages from `from` to `to`, at most about `most` arrows.
    #[must_use]
    pub fn trace(&self, from: Time, to: Time, most: usize) -> Trace {
        self.traced(from, to, most)
    }

    /// A message's life up to `to`, as far as `events` events lead: its steps, and what carried it or brought a step on.
    /// `None` if the cluster knows no such message. The other cluster's part is empty.
    #[must_use]
    pub fn life(&self, log: bool, id: MessageId, to: Time, events: u64) -> Option<Trace> {
        let mut followed = self.follow(log, id)?;
        followed.go_on(self, to, events);
        Some(followed.trace())
    }

    /// Begins to follow a message of which the cluster knows; see [`Followed::go_on`].
    #[must_use]
    pub fn follow(&self, log: bool, id: MessageId) -> Option<Followed> {
        let state = self.furthest();
        let record = match log {
            true => state.log.as_ref().and_then(|side| side.ledger.record(id)),
            false => state.queue.as_ref().and_then(|side| side.ledger.record(id)),
        };
        let from = Time(record?.produced.0.saturating_sub(1));
        let trace = Trace { from, to: from, log: SideTrace::default(), queue: SideTrace::default() };
        let (state, tape) = (self.state_before(from), self.compiled().tape.clone());
        Some(Followed { log, id, state, tape, trace, is_begun: false })
    }

    fn traced(&self, from: Time, to: Time, most: usize) -> Trace {
        let to = to.min(self.end());
        let tape = &self.compiled().tape;
        let mut state: State = self.state_before(from);
        state.play(tape, from, u64::MAX);
        let mut trace = Trace { from, to: from, log: SideTrace::default(), queue: SideTrace::default() };
        state.log.iter_mut().for_each(|side| begin(side, &mut trace.log));
        state.queue.iter_mut().for_each(|side| begin(side, &mut trace.queue));
        while state.at < to && trace.log.arrows.len() + trace.queue.arrows.len() <= most {
            let since = state.at;
            state.play(tape, to, CHUNK);
            state.log.iter_mut().for_each(|side| gather(side, &mut trace.log, since, Keep::All));
            state.queue.iter_mut().for_each(|side| gather(side, &mut trace.queue, since, Keep::All));
        }
        trace.to = state.at;
        trace
    }
}

/// A message's life while it is followed, on a copy of the run: in slices, so that whoever waits for it need not stand
/// still.
#[derive(Clone, Debug)]
pub struct Followed {
    log: bool,
    id: MessageId,
    state: State,
    tape: Vec<Step>,
    trace: Trace,
    is_begun: bool,
}

impl Followed {
    /// Whether it is this message of this run: another tape is another run.
    #[must_use]
    pub fn is_of(&self, player: &Player, log: bool, id: MessageId) -> bool {
        self.log == log && self.id == id && self.tape == player.compiled().tape
    }

    /// Goes on by about so many events, at most up to `to`. True once it is there.
    pub fn go_on(&mut self, player: &Player, to: Time, events: u64) -> bool {
        let (to, mut left) = (to.min(player.end()), events);
        if !self.is_begun {
            left = left.saturating_sub(self.state.play(&self.tape, self.trace.from, left));
            if self.state.at < self.trace.from {
                return false;
            }
            self.state.log.iter_mut().for_each(|side| begin(side, &mut self.trace.log));
            self.state.queue.iter_mut().for_each(|side| begin(side, &mut self.trace.queue));
            self.is_begun = true;
        }
        let keep = Keep::Of(self.id);
        while self.state.at < to && left > 0 {
            let since = self.state.at;
            left = left.saturating_sub(self.state.play(&self.tape, to, CHUNK.min(left)).max(1));
            self.state.log.iter_mut().for_each(|side| gather(side, &mut self.trace.log, since, keep));
            self.state.queue.iter_mut().for_each(|side| gather(side, &mut self.trace.queue, since, keep));
        }
        self.trace.to = self.state.at;
        self.state.at >= to
    }

    /// Its life so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let mut trace = Trace { from: self.trace.from, to: self.trace.to, ..Trace::default() };
        let (part, id) = (if self.log { &self.trace.log } else { &self.trace.queue }, self.id);
        let brought = |flight: &Flight| part.steps.iter().any(|step| step.at == flight.due && step.node == flight.to);
        let mine = |arrow: &&Arrow| arrow.carries.contains(&id) || brought(&arrow.flight);
        let kept = SideTrace { arrows: part.arrows.iter().filter(mine).cloned().collect(), steps: part.steps.clone() };
        *(if self.log { &mut trace.log } else { &mut trace.queue }) = kept;
        trace
    }
}
