//! Dead letters of quorum queues that are kept until their targets have them (`dead-letter-strategy=at-least-once`,
//! R-U8). The queue's leader has a worker that publishes them and waits for the confirms.

use crate::Fx;
use crate::dead_letter;
use crate::desk::{Ask, ChannelId, QueueId};
use crate::frame::Wake;
use crate::replica::Machine;
use crate::server::Server;
use sim::story::{Life, MarkKind, Note, Rule};
use sim::{Nanos, NodeId, Time};
use std::collections::BTreeMap;

/// How many dead letters are under way at a time (R-U8).
const PREFETCH: usize = 32;
/// After how long one that was not confirmed is sent again (R-U8: the settle timeout).
const SETTLE: Nanos = Nanos::secs(180);
/// The client that a worker's channel is of: none.
const NOBODY: NodeId = NodeId(u16::MAX);

/// The worker of one queue.
#[derive(Clone, Debug, Default)]
pub struct Worker {
    /// Letters that were sent, the targets that have not confirmed, and when.
    under_way: BTreeMap<u64, (Vec<QueueId>, Time)>,
    armed: bool,
}

impl Server {
    fn worker_channel(&self, queue: QueueId) -> ChannelId {
        ChannelId { node: self.me, serial: u64::from(queue.0), client: NOBODY, number: 0 }
    }

    /// The queue whose worker a channel is, if it is one.
    pub fn worker_of(id: ChannelId) -> Option<QueueId> {
        (id.client == NOBODY).then_some(QueueId(id.serial as u32))
    }

    /// Sends the next dead letters on.
    pub fn carry_dead_letters(&mut self, queue: QueueId, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get(&queue).filter(|replica| replica.serving) else {
            self.workers.remove(&queue);
            return;
        };
        let Some(record) = self.topology.queues.get(&queue).cloned() else { return };
        let Machine::Quorum(quorum) = &replica.state.machine else { return };
        let worker = self.workers.entry(queue).or_default();
        worker.armed = false;
        let now = fx.now();
        worker.under_way.retain(|letter, (_, since)| quorum.dead.contains_key(letter) && now.since(*since) < SETTLE);
        let room = PREFETCH.saturating_sub(worker.under_way.len());
        let next = quorum.dead.iter().filter(|(letter, _)| !worker.under_way.contains_key(letter)).take(room);
        let next: Vec<_> = next.map(|(letter, (body, reason))| (*letter, body.clone(), *reason)).collect();
        let channel = self.worker_channel(queue);
        let mut gone = Vec::new();
        for (letter, body, reason) in next {
            let burial =
                dead_letter::bury(&self.topology, &record.name, &record.arguments, &body, reason, self.config.rules);
            if burial.on.is_none() && !burial.circles.is_empty() {
                // R-T6: what goes in circles only is dropped.
                fx.mark(MarkKind::Change, "cycle-dropped", vec![record.name.to_string()], Rule("R-T6"));
                if let Some(id) = body.id {
                    fx.note(Note::Life(id, Life::Dropped, Rule("R-T6")));
                }
                gone.push(letter);
                continue;
            }
            // Without any target it stays, and is tried again later.
            let (message, targets) = burial.on.unzip();
            let targets: Vec<QueueId> = targets.unwrap_or_default();
            if let Some(worker) = self.workers.get_mut(&queue) {
                worker.under_way.insert(letter, (targets.clone(), now));
            }
            let Some(message) = message else { continue };
            for target in targets {
                let ask = Ask::Publish { from: None, confirm: Some((channel, letter)), body: message.clone() };
                self.ask(target, ask, None, fx);
            }
        }
        if !gone.is_empty() {
            self.propose_own(queue, Ask::Carried { letters: gone }, fx);
        }
        self.watch_worker(queue, fx);
    }

    fn watch_worker(&mut self, queue: QueueId, fx: &mut Fx<'_>) {
        if let Some(worker) = self.workers.get_mut(&queue)
            && !worker.under_way.is_empty()
            && !std::mem::replace(&mut worker.armed, true)
        {
            fx.wake_in(SETTLE, Wake::DeadLetters(queue));
        }
    }

    /// A target answered about a dead letter.
    pub fn letter_answered(&mut self, source: QueueId, target: QueueId, letter: u64, taken: bool, fx: &mut Fx<'_>) {
        let Some(worker) = self.workers.get_mut(&source) else { return };
        let Some((waiting, _)) = worker.under_way.get_mut(&letter) else { return };
        if !taken {
            // It stays in the source, and is sent again once the settle timeout is over.
            return;
        }
        waiting.retain(|other| *other != target);
        if !waiting.is_empty() {
            return;
        }
        // It stays under way until the queue has agreed that it is gone, so that it is not sent again meanwhile.
        let dead = self.replicas.get(&source).and_then(|replica| match &replica.state.machine {
            Machine::Quorum(quorum) => quorum.dead.get(&letter).map(|(body, _)| body.clone()),
            Machine::Stream(_) | Machine::Metadata(..) => None,
        });
        if let Some(id) = dead.and_then(|body| body.id) {
            fx.note(Note::Life(id, Life::DeadLettered, Rule("R-U8")));
        }
        self.propose_own(source, Ask::Carried { letters: vec![letter] }, fx);
    }
}
