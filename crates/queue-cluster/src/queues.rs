//! How requests get to queues, and what a server does with what queues want.

use crate::Fx;
use crate::classic::Classic;
use crate::connection::NO_QUEUE;
use crate::dead_letter;
use crate::desk::{Answer, Ask, ChannelId, Desk, Out, QueueId};
use crate::frame::{self, Frame, Wake};
use crate::message::Body;
use crate::server::Server;
use crate::topology::QueueRecord;
use sim::story::{FlightKind, Life, Look, MarkKind, Note, Rule};
use sim::{Nanos, NodeId};
use std::collections::VecDeque;

/// What waits for a classic queue's process (R-P5).
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    busy: bool,
    urgent: VecDeque<Ask>,
    normal: VecDeque<Ask>,
}

impl Server {
    /// Asks something of a queue, wherever it is. `whose` is the channel that waits for a replicated queue.
    pub fn ask(&mut self, queue: QueueId, ask: Ask, whose: Option<ChannelId>, fx: &mut Fx<'_>) {
        let Some(record) = self.topology.queues.get(&queue) else {
            if let Ask::Publish { confirm: Some((channel, number)), .. } = ask {
                self.answer(channel, queue, Answer::Refused(number), fx);
            }
            return;
        };
        if !record.is_classic() {
            return self.ask_replicated(queue, ask, whose, fx);
        }
        let home = record.home();
        if let (Some(id), Ask::Publish { .. }) = (whose, &ask) {
            self.spend_credit(id, queue);
        }
        if home == self.me {
            return self.ask_later(queue, ask, fx);
        }
        if !self.peers.get(&home).is_some_and(|peer| peer.connected) {
            if let Some(known) = self.peers.get(&home)
                && known.leaving.is_some()
                && matches!(ask, Ask::Publish { .. })
                && let Some(id) = whose
            {
                // Its channel finds out with the others, and is refused then.
                return self.stick(id);
            }
            // R-M8: what was published to a queue that is about to move is published again when it has.
            if self.heir_is_due(queue) {
                return;
            }
            // R-Q3: the home node is down.
            self.forget_credit(&[queue], fx);
            if let Ask::Publish { confirm: Some((channel, number)), .. } = ask {
                self.answer(channel, queue, Answer::Refused(number), fx);
            }
            return;
        }
        let (bytes, look) = match &ask {
            Ask::Publish { body, .. } => (body.bytes, Look::of(FlightKind::Produce, body.hue, 1)),
            Ask::Ack { ids, .. } => (0, Look::of(FlightKind::Commit, 255, ids.len())),
            _ => (0, Look::plain(FlightKind::Control)),
        };
        self.send(home, Frame::Ask(queue, ask), bytes, look, fx);
    }

    fn ask_replicated(&mut self, queue: QueueId, ask: Ask, whose: Option<ChannelId>, fx: &mut Fx<'_>) {
        let publishes = matches!(ask, Ask::Publish { .. });
        let whose = whose.filter(|_| publishes);
        self.submit(queue, ask, whose, fx);
        let limit = self.config.server.quorum_commands_soft_limit;
        if let Some(id) = whose
            && let Some(channel) = self.live(id)
        {
            channel.commands += 1;
            // R-U3: beyond the soft limit the connection is not read from.
            if channel.commands >= limit
                && let Some(connection) = self.connections.get_mut(&id.client)
            {
                connection.in_flow = true;
            }
        }
    }

    /// A classic queue that lives here gets to it in its turn: one process, one thing at a time.
    pub fn ask_later(&mut self, queue: QueueId, ask: Ask, fx: &mut Fx<'_>) {
        let mailbox = self.mailboxes.entry(queue).or_default();
        if !mailbox.busy && mailbox.urgent.is_empty() && mailbox.normal.is_empty() {
            mailbox.busy = true;
            return fx.work(self.lane(queue), self.cost(&ask), Wake::Ask(queue, ask));
        }
        match ask {
            Ask::Ack { .. } => mailbox.urgent.push_back(ask),
            _ => mailbox.normal.push_back(ask),
        }
        self.next_ask(queue, fx);
    }

    /// The queue's process begins with the next thing in its mailbox, if it is idle.
    fn next_ask(&mut self, queue: QueueId, fx: &mut Fx<'_>) {
        let Some(mailbox) = self.mailboxes.get_mut(&queue).filter(|mailbox| !mailbox.busy) else { return };
        // R-P5: acknowledgements come before what else waits.
        let Some(ask) = mailbox.urgent.pop_front().or_else(|| mailbox.normal.pop_front()) else { return };
        mailbox.busy = true;
        fx.work(self.lane(queue), self.cost(&ask), Wake::Ask(queue, ask));
    }

    /// The queue's process is done with one thing.
    pub fn asked(&mut self, queue: QueueId, ask: Ask, fx: &mut Fx<'_>) {
        // What an earlier life of the broker had begun is not finished in this one.
        let Some(mailbox) = self.mailboxes.get_mut(&queue).filter(|mailbox| mailbox.busy) else { return };
        mailbox.busy = false;
        let resumed = if let Ask::Resume { channel } = &ask { Some(*channel) } else { None };
        self.run_classic(queue, ask, fx);
        if let Some(channel) = resumed {
            self.resume_next(channel, fx);
        }
        self.next_ask(queue, fx);
    }

    pub fn run_classic(&mut self, queue: QueueId, ask: Ask, fx: &mut Fx<'_>) {
        if !self.classics.contains_key(&queue) {
            // Deleted meanwhile.
            if let Ask::Publish { confirm: Some((channel, number)), .. } = ask {
                self.answer(channel, queue, Answer::Refused(number), fx);
            }
            return;
        }
        let publisher = match &ask {
            Ask::Publish { from, .. } => *from,
            _ => None,
        };
        self.with_classic(queue, fx, |classic, desk| classic.handle(ask, desk));
        if let Some(channel) = publisher {
            self.grant_credit(queue, channel, fx);
        }
    }

    /// R-M3: after so many messages the queue gives the channel credit again.
    fn grant_credit(&mut self, queue: QueueId, channel: ChannelId, fx: &mut Fx<'_>) {
        let (_, after) = self.config.server.credit;
        let Some(classic) = self.classics.get_mut(&queue) else { return };
        if classic.count_publish(channel, after) {
            self.answer(channel, queue, Answer::Credit(after), fx);
        }
    }

    /// Lets a classic queue do something, and carries out what it wants.
    pub fn with_classic(&mut self, queue: QueueId, fx: &mut Fx<'_>, act: impl FnOnce(&mut Classic, &mut Desk<'_>)) {
        // What follows may change the topology: the one of now is kept for as long as it takes.
        let topology = self.topology.clone();
        let Some(record) = topology.queues.get(&queue) else { return };
        let Some(classic) = self.classics.get_mut(&queue) else { return };
        let mut out = std::mem::take(&mut self.outs);
        let mut desk = Desk {
            now: fx.now(),
            rules: self.config.rules,
            queue,
            name: &record.name,
            mirrored: record.members.len() > 1,
            reader: record.reader,
            written: &mut self.store.written,
            limiters: &mut self.limiters,
            out: &mut out,
        };
        act(classic, &mut desk);
        self.carry_out(record, out, fx);
    }

    pub fn carry_out(&mut self, record: &QueueRecord, mut outs: Vec<Out>, fx: &mut Fx<'_>) {
        let queue = record.id;
        let mut turn = Vec::new();
        for out in outs.drain(..) {
            match out {
                Out::Answer(channel, answer) => self.answer(channel, queue, answer, fx),
                Out::ConfirmFlushed(channel, number) => self.confirm_flushed(queue, channel, number, fx),
                Out::Mirror(op) => turn.push(op),
                Out::ConfirmMirrored(channel, number, flush) => self.confirm_mirrored(queue, channel, number, flush),
                Out::Members(members) => self.members_agreed(queue, &members, fx),
                Out::DeadLetters => self.carry_dead_letters(queue, fx),
                Out::Wrote(bytes) => self.wrote(bytes, fx),
                Out::Dead(body, reason) => self.bury(record, &body, reason, fx),
                Out::Life(body, life, rule) => {
                    if let Some(id) = body.id {
                        fx.note(Note::Life(id, life, rule));
                    }
                }
                Out::Mark(kind, code, values, rule) => fx.mark(kind, code, values, rule),
                Out::WakeAt(at) => {
                    let known = self.wakes.get(&queue).copied();
                    if frame::earlier(known.map(|(at, _)| at), at) {
                        if let Some((_, alarm)) = known {
                            fx.cancel(alarm);
                        }
                        let alarm = fx.wake_at(at, Wake::QueueTick(queue));
                        self.wakes.insert(queue, (at, alarm));
                    }
                }
                Out::DeleteMe => self.delete_queue(queue, None, fx),
            }
        }
        self.outs = outs;
        if !turn.is_empty() {
            self.send_turn(record, turn, fx);
        }
    }

    /// Confirms once all that is written now is on the disk (R-C3).
    pub fn confirm_flushed(&mut self, queue: QueueId, channel: ChannelId, number: u64, fx: &mut Fx<'_>) {
        let written = self.store.written;
        if self.store.flushed == written {
            return self.answer(channel, queue, Answer::Confirmed(number), fx);
        }
        self.store.confirms.push_back((written, channel, queue, number));
        self.flush_store(fx);
    }

    /// Whether what is published can be routed to a queue: its home is up, or it is not tied to one.
    pub fn is_routable(&self, queue: QueueId) -> bool {
        let Some(record) = self.topology.queues.get(&queue) else { return false };
        let home = record.home();
        let there = |peer: &crate::server::Peer| peer.connected || peer.leaving.is_some();
        let up = home == self.me || self.peers.get(&home).is_some_and(there);
        !record.is_classic() || up || self.heir(record, false).is_some()
    }

    /// R-M8: whether a mirror takes over the queue, or has and this node does not know it yet.
    fn heir_is_due(&self, queue: QueueId) -> bool {
        self.topology.queues.get(&queue).is_some_and(|record| self.heir(record, false).is_some())
    }

    pub fn queue_tick(&mut self, queue: QueueId, fx: &mut Fx<'_>) {
        self.wakes.remove(&queue);
        if self.classics.contains_key(&queue) {
            self.ask_later(queue, Ask::Tick, fx);
        } else if self.replicas.get(&queue).is_some_and(|replica| replica.serving) {
            self.propose_own(queue, Ask::Tick, fx);
        }
    }

    /// R-T4: a dead message is published anew, by the broker, without confirms.
    fn bury(&mut self, record: &QueueRecord, body: &Body, reason: crate::message::Reason, fx: &mut Fx<'_>) {
        let burial =
            dead_letter::bury(&self.topology, &record.name, &record.arguments, body, reason, self.config.rules);
        if !burial.circles.is_empty() {
            fx.mark(MarkKind::Change, "cycle-dropped", vec![record.name.to_string()], Rule("R-T6"));
        }
        // Without confirms, what cannot reach its target now is gone.
        let arrives = burial.on.as_ref().is_some_and(|(_, queues)| queues.iter().any(|queue| self.is_routable(*queue)));
        let life = if arrives { Life::DeadLettered } else { Life::Dropped };
        if let Some(id) = body.id {
            fx.note(Note::Life(id, life, Rule("R-T4")));
        }
        let Some((message, queues)) = burial.on else { return };
        for queue in queues {
            self.ask(queue, Ask::Publish { from: None, confirm: None, body: message.clone() }, None, fx);
        }
    }

    fn wrote(&mut self, bytes: u32, fx: &mut Fx<'_>) {
        let bytes = u64::from(bytes + self.config.server.overhead_bytes);
        fx.write(bytes);
        self.store.bytes += bytes;
        self.age_pages(fx);
    }

    /// R-C3, R-S1: nobody waits for what the operating system writes back by itself; it looks for old pages now and then.
    pub fn age_pages(&mut self, fx: &mut Fx<'_>) {
        if !self.store.looking {
            self.store.looking = true;
            fx.wake_in(self.config.server.writeback, Wake::Writeback);
        }
    }

    /// The operating system looks for pages that are old enough to be written back.
    pub fn write_back(&mut self, fx: &mut Fx<'_>) {
        self.store.looking = false;
        let (now, age) = (fx.now(), self.config.server.writeback_age);
        let store = &mut self.store;
        if store.aging.back().map_or(store.flushed, |(_, written)| *written) < store.written {
            store.aging.push_back((now, store.written));
        }
        let mut old = None;
        // While a flush is under way, what is old waits for the next look.
        while let Some((_, written)) = store.aging.front().filter(|(at, _)| now.since(*at) >= age && !store.flushing) {
            old = Some(*written);
            store.aging.pop_front();
        }
        let mut more = !store.aging.is_empty();
        if let Some(written) = old.filter(|written| *written > store.flushed) {
            store.flushing = true;
            let bytes = std::mem::take(&mut store.bytes);
            fx.flush(bytes, Wake::StoreFlushed(written));
        }
        let every = self.config.server.snapshot_every;
        for replica in self.replicas.values_mut() {
            more |= replica.write_back(now, age, every);
        }
        if more {
            self.age_pages(fx);
        }
    }

    pub fn flush_store(&mut self, fx: &mut Fx<'_>) {
        if self.store.flushing || self.store.flushed == self.store.written {
            return;
        }
        self.store.flushing = true;
        let bytes = std::mem::take(&mut self.store.bytes);
        fx.flush(bytes, Wake::StoreFlushed(self.store.written));
    }

    pub fn store_flushed(&mut self, upto: u64, fx: &mut Fx<'_>) {
        self.store.flushing = false;
        self.store.flushed = self.store.flushed.max(upto);
        while let Some((written, channel, queue, number)) = self.store.confirms.front().copied()
            && written <= upto
        {
            self.store.confirms.pop_front();
            self.answer(channel, queue, Answer::Confirmed(number), fx);
        }
        if !self.store.confirms.is_empty() {
            self.flush_store(fx);
        }
    }

    /// R-Q3: the home of classic queues is gone: what waited for them is refused, their consumers are cancelled.
    pub fn home_lost(&mut self, home: NodeId, fx: &mut Fx<'_>) {
        let lost = self
            .topology
            .queues
            .values()
            .filter(|q| q.is_classic() && q.home() == home && self.heir(q, false).is_none());
        let lost: Vec<QueueId> = lost.map(|q| q.id).collect();
        self.forget_credit(&lost, fx);
        let channels: Vec<ChannelId> =
            self.connections.values().flat_map(|c| c.channels.values()).map(|channel| channel.id).collect();
        for queue in &lost {
            let name = self.topology.queues.get(queue).map_or(String::new(), |record| record.name.to_string());
            fx.mark(MarkKind::Change, "queue-down", vec![name], Rule("R-Q3"));
        }
        for id in channels {
            let Some(channel) = self.live(id) else { continue };
            let waiting = channel.unconfirmed.iter().flat_map(|(number, unconfirmed)| {
                unconfirmed.waiting.iter().filter(|queue| lost.contains(queue)).map(|queue| (*queue, *number))
            });
            let refused: Vec<(QueueId, u64)> = waiting.collect();
            let cancelled = channel.subscriptions.iter().filter(|(_, subscription)| lost.contains(&subscription.queue));
            let cancelled: Vec<_> = cancelled.map(|(tag, subscription)| (tag.clone(), subscription.queue)).collect();
            // Their deliveries can still be acknowledged: it goes nowhere.
            let held = channel.unacked.values_mut().filter(|unacked| lost.contains(&unacked.queue));
            held.for_each(|unacked| unacked.queue = NO_QUEUE);
            for (queue, number) in refused {
                self.answer(id, queue, Answer::Refused(number), fx);
            }
            for (tag, queue) in cancelled {
                self.answer(id, queue, Answer::Cancelled { tag }, fx);
            }
        }
    }

    /// Heartbeats are sent every half of the agreed time (R-M6).
    pub fn beat(&mut self, fx: &mut Fx<'_>) {
        for client in self.connections.keys() {
            fx.send(*client, Frame::Heartbeat, 8, Look::plain(FlightKind::Heartbeat));
        }
        fx.wake_in(Nanos(self.config.server.heartbeat.0 / 2), Wake::Beat);
    }
}
