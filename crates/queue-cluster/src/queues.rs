//! How requests get to queues, and what a server does with what queues want.

use crate::Fx;
use crate::classic::Classic;
use crate::dead_letter;
use crate::desk::{Answer, Ask, ChannelId, Desk, Out, QueueId};
use crate::frame::{self, Frame, Wake};
use crate::message::Body;
use crate::server::Server;
use crate::topology::QueueRecord;
use sim::story::{FlightKind, Life, Look, MarkKind, Note, Rule};
use sim::{Nanos, NodeId};

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
        if home == self.me {
            return self.ask_later(queue, ask, fx);
        }
        if !self.peers.get(&home).is_some_and(|peer| peer.connected) {
            // R-Q3: the home node is down.
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
        fx.work(self.lane(queue), self.cost(&ask), Wake::Ask(queue, Box::new(ask)));
    }

    pub fn run_classic(&mut self, queue: QueueId, ask: Ask, fx: &mut Fx<'_>) {
        if !self.classics.contains_key(&queue) {
            // Deleted meanwhile.
            if let Ask::Publish { confirm: Some((channel, number)), .. } = ask {
                self.answer(channel, queue, Answer::Refused(number), fx);
            }
            return;
        }
        self.with_classic(queue, fx, |classic, desk| classic.handle(ask, desk));
    }

    /// Lets a classic queue do something, and carries out what it wants.
    pub fn with_classic(&mut self, queue: QueueId, fx: &mut Fx<'_>, act: impl FnOnce(&mut Classic, &mut Desk<'_>)) {
        let Some(record) = self.topology.queues.get(&queue).cloned() else { return };
        let Some(classic) = self.classics.get_mut(&queue) else { return };
        let mut out = Vec::new();
        let mut desk = Desk {
            now: fx.now(),
            rules: self.config.rules,
            queue,
            name: &record.name,
            reader: record.reader,
            written: &mut self.store.written,
            limiters: &mut self.limiters,
            out: &mut out,
        };
        act(classic, &mut desk);
        self.carry_out(&record, out, fx);
    }

    pub fn carry_out(&mut self, record: &QueueRecord, out: Vec<Out>, fx: &mut Fx<'_>) {
        let queue = record.id;
        for out in out {
            match out {
                Out::Answer(channel, answer) => self.answer(channel, queue, answer, fx),
                Out::ConfirmFlushed(channel, number) => {
                    let written = self.store.written;
                    self.store.confirms.push_back((written, channel, queue, number));
                    self.flush_store(fx);
                }
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
                Out::DeleteMe => self.delete_queue(queue, fx),
            }
        }
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
        let burial = dead_letter::bury(&self.topology, &record.name, &record.arguments, body, reason);
        if !burial.circles.is_empty() {
            fx.mark(MarkKind::Change, "cycle-dropped", vec![record.name.to_string()], Rule("R-T6"));
        }
        let life = if burial.on.is_some() { Life::DeadLettered } else { Life::Dropped };
        if let Some(id) = body.id {
            fx.note(Note::Life(id, life, Rule("R-T4")));
        }
        let Some((message, queues)) = burial.on else { return };
        for queue in queues {
            self.ask(queue, Ask::Publish { confirm: None, body: message.clone() }, None, fx);
        }
    }

    fn wrote(&mut self, bytes: u32, fx: &mut Fx<'_>) {
        let bytes = u64::from(bytes + self.config.server.overhead_bytes);
        fx.write(bytes);
        self.store.bytes += bytes;
        if !self.store.writeback {
            // R-C3: nobody waits for this; the operating system does it by itself.
            self.store.writeback = true;
            fx.wake_in(self.config.server.writeback, Wake::Writeback);
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
        let lost: Vec<QueueId> =
            self.topology.queues.values().filter(|q| q.is_classic() && q.home() == home).map(|q| q.id).collect();
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
            channel.unacked.retain(|_, unacked| !lost.contains(&unacked.queue));
            for (queue, number) in refused {
                self.answer(id, queue, Answer::Refused(number), fx);
            }
            for (tag, queue) in cancelled {
                self.answer(id, queue, Answer::Cancelled { tag }, fx);
            }
        }
    }

    /// Heartbeats: sent every half of the agreed time; a client that is silent for two whole ones is given up (R-M6).
    pub fn beat(&mut self, fx: &mut Fx<'_>) {
        let agreed = self.config.server.heartbeat;
        let now = fx.now();
        let silent = |heard: sim::Time| now.since(heard) > agreed.times(2);
        let clients: Vec<(NodeId, bool)> =
            self.connections.iter().map(|(client, connection)| (*client, silent(connection.heard))).collect();
        for (client, silent) in clients {
            if silent {
                self.connection_gone(client, fx);
                fx.disconnect(client);
            } else {
                fx.send(client, Frame::Heartbeat, 8, Look::plain(FlightKind::Heartbeat));
            }
        }
        self.check_consumer_timeouts(fx);
        fx.wake_in(Nanos(agreed.0 / 2), Wake::Beat);
    }

    /// R-K6: a message that is not acknowledged in time costs the channel.
    fn check_consumer_timeouts(&mut self, fx: &mut Fx<'_>) {
        let (now, limit) = (fx.now(), self.config.server.consumer_timeout);
        let late = |channel: &crate::connection::Channel| {
            channel.unacked.values().next().is_some_and(|unacked| now.since(unacked.since) > limit)
        };
        let channels = self.connections.values().flat_map(|connection| connection.channels.values());
        let late: Vec<ChannelId> = channels.filter(|channel| late(channel)).map(|channel| channel.id).collect();
        for id in late {
            self.close_channel(id, 406, "PRECONDITION_FAILED - delivery acknowledgement timed out", fx);
        }
    }
}
