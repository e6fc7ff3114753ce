//! A window of a run in all its detail: what was sent, what became of each message. It is played again for that, on a
//! copy; the run itself does not notice.

use crate::side::{Cluster, Side};
use crate::{Player, State};
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
        self.traced(from, to, u64::MAX, most, Keep::All)
    }

    /// A message's life up to `to`, as far as `events` events lead: its steps, and what carried it or brought a step on.
    /// `None` if the cluster knows no such message. The other cluster's part is empty.
    #[must_use]
    pub fn life(&self, log: bool, id: MessageId, to: Time, events: u64) -> Option<Trace> {
        let state = self.furthest();
        let record = match log {
            true => state.log.as_ref().and_then(|side| side.ledger.record(id)),
            false => state.queue.as_ref().and_then(|side| side.ledger.record(id)),
        };
        let from = Time(record?.produced.0.saturating_sub(1));
        let mut trace = self.traced(from, to, events, usize::MAX, Keep::Of(id));
        *(if log { &mut trace.queue } else { &mut trace.log }) = SideTrace::default();
        let part = if log { &mut trace.log } else { &mut trace.queue };
        let steps = &part.steps;
        let brought = |flight: &Flight| steps.iter().any(|step| step.at == flight.due && step.node == flight.to);
        part.arrows.retain(|arrow| arrow.carries.contains(&id) || brought(&arrow.flight));
        Some(trace)
    }

    fn traced(&self, from: Time, to: Time, events: u64, most: usize, keep: Keep) -> Trace {
        let to = to.min(self.end());
        let tape = &self.compiled().tape;
        let mut state: State = self.state_before(from);
        state.play(tape, from, u64::MAX);
        let mut trace = Trace { from, to: from, log: SideTrace::default(), queue: SideTrace::default() };
        state.log.iter_mut().for_each(|side| begin(side, &mut trace.log));
        state.queue.iter_mut().for_each(|side| begin(side, &mut trace.queue));
        let mut played = 0;
        while state.at < to && played < events && trace.log.arrows.len() + trace.queue.arrows.len() <= most {
            let since = state.at;
            played += state.play(tape, to, CHUNK);
            state.log.iter_mut().for_each(|side| gather(side, &mut trace.log, since, keep));
            state.queue.iter_mut().for_each(|side| gather(side, &mut trace.queue, since, keep));
        }
        trace.to = state.at;
        trace
    }
}
