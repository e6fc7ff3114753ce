//! Drives the members of replicated queues: messages, timers, the shared write-ahead log, and the way to leaders.

use crate::Fx;
use crate::desk::{Answer, Ask, ChannelId, Desk, QueueId};
use crate::frame::{Frame, Wake};
use crate::metadata::METADATA;
use crate::replica::{self, Command, Machine, State};
use crate::server::{Line, Server};
use consensus::{Input, Message, Output, Role};
use sim::story::{FlightKind, Look, MarkKind, Rule};
use sim::{Nanos, NodeId};
use std::rc::Rc;

impl Server {
    /// R-U2: the wait of a member that does not know of any leader.
    pub fn long_wait(&self, fx: &mut Fx<'_>) -> Nanos {
        Nanos::millis(1000) + fx.dice().between(Nanos::ZERO, Nanos::millis(1000))
    }

    /// Arms the election timer of a member anew.
    pub fn arm(&mut self, queue: QueueId, wait: Nanos, fx: &mut Fx<'_>) {
        if let Some(replica) = self.replicas.get_mut(&queue) {
            replica.timer += 1;
            replica.armed = true;
            fx.wake_in(wait, Wake::Election(queue, replica.timer));
        }
    }

    pub fn election_timer(&mut self, queue: QueueId, count: u64, fx: &mut Fx<'_>) {
        let due = self.replicas.get_mut(&queue).is_some_and(|replica| {
            let due = replica.armed && replica.timer == count;
            replica.armed &= !due;
            due
        });
        if due {
            self.raft(queue, Input::ElectionTimeout, fx);
        }
    }

    /// One thing happens to a member of a queue's group.
    pub fn raft(&mut self, queue: QueueId, input: Input<Rc<Command>, Rc<State>>, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get_mut(&queue) else { return };
        let had_leader = replica.raft.leader();
        let mut output = Output::default();
        replica.raft.handle(input, &mut output);
        let mut aging = false;
        while output.flush && replica.is_stream() {
            // R-S1: a stream's member answers once it has written; nothing waits for the disk.
            output.flush = false;
            let written = replica.raft.written();
            replica.raft.handle(Input::Flushed(written), &mut output);
            aging = true;
        }
        if output.rebuild {
            replica.rebuild();
        }
        if let Some(state) = output.restored.take() {
            replica.state = state;
        }
        if replica.raft.role() != Role::Leader {
            replica.serving = false;
        }
        let (role, leader) = (replica.raft.role(), replica.raft.leader());
        let restart = output.restart_timer;
        if leader.is_some() && (leader != had_leader || restart) {
            // The leader was heard: nobody needs another one.
            replica.armed = false;
        }
        if output.changed {
            self.role_changed(queue, had_leader, fx);
        }
        for (to, message) in output.send {
            self.send_raft(queue, NodeId(to), message, fx);
        }
        if aging {
            self.age_pages(fx);
        }
        if output.flush {
            self.wal.dirty.insert(queue);
            self.flush_wal(fx);
        }
        let idle = self.replicas.get(&queue).is_some_and(|replica| !replica.armed);
        if (restart || idle) && role != Role::Leader && leader.is_none() {
            // R-U2: the medium wait between tries.
            let wait = Nanos::millis(100) + fx.dice().between(Nanos::ZERO, Nanos::millis(1000));
            self.arm(queue, wait, fx);
        }
        self.apply(queue, fx);
    }

    fn role_changed(&mut self, queue: QueueId, had_leader: Option<u16>, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get(&queue) else { return };
        let named = self.topology.queues.get(&queue).map(|record| record.name.to_string());
        let name = named.unwrap_or_else(|| "metadata".into());
        let leader = replica.raft.leader();
        if leader == Some(self.me.0) {
            let values = vec![name, self.name.to_string(), replica.raft.term().0.to_string()];
            fx.mark(MarkKind::Election, "leader-elected", values, Rule("R-U1"));
        } else if had_leader == Some(self.me.0) {
            fx.mark(MarkKind::Election, "leader-lost", vec![name], Rule("R-U3"));
        }
    }

    fn send_raft(&mut self, queue: QueueId, to: NodeId, message: Message<Rc<Command>, Rc<State>>, fx: &mut Fx<'_>) {
        let overhead = self.config.server.overhead_bytes;
        let (bytes, look) = match &message {
            Message::Append { entries, .. } if !entries.is_empty() => {
                let commands = entries.iter().filter_map(|entry| entry.command.as_ref());
                let bytes = commands.clone().map(|command| replica::bytes_of(command, overhead)).sum();
                let published = commands.filter(|command| matches!(command.ask, Ask::Publish { .. }));
                let hue = published.clone().next().map_or(255, |command| hue_of(&command.ask));
                (bytes, Look::of(FlightKind::Replicate, hue, published.count()))
            }
            Message::Append { .. } => (0, Look::plain(FlightKind::Heartbeat)),
            Message::AppendReply { .. } => (0, Look::plain(FlightKind::Ack)),
            Message::Snapshot { .. } => (4096, Look::plain(FlightKind::Replicate)),
            Message::PreVote { .. }
            | Message::PreVoteReply { .. }
            | Message::Vote { .. }
            | Message::VoteReply { .. }
            // Only KRaft pulls.
            | Message::BeginEpoch { .. }
            | Message::EndEpoch { .. }
            | Message::Fetch { .. }
            | Message::Fetched { .. } => (0, Look::plain(FlightKind::Vote)),
        };
        self.send(to, Frame::Raft(queue, Box::new(message)), bytes, look, fx);
    }

    /// R-U1: one flush for all queues of the node; what is written while one is under way waits for the next.
    fn flush_wal(&mut self, fx: &mut Fx<'_>) {
        if self.wal.flushing.is_some() || self.wal.dirty.is_empty() {
            return;
        }
        let dirty = std::mem::take(&mut self.wal.dirty);
        let written = |queue: QueueId| Some((queue, self.replicas.get(&queue)?.raft.written()));
        let covered: Vec<_> = dirty.into_iter().filter_map(written).collect();
        self.wal.flushing = Some(covered);
        let bytes = std::mem::take(&mut self.wal.bytes) + 512;
        fx.write(bytes);
        fx.flush(bytes, Wake::WalFlushed);
    }

    pub fn wal_flushed(&mut self, fx: &mut Fx<'_>) {
        let covered = self.wal.flushing.take().unwrap_or_default();
        self.flush_wal(fx);
        for (queue, written) in covered {
            self.raft(queue, Input::Flushed(written), fx);
        }
    }

    /// Applies what is agreed on, and does what follows from it on the leader.
    fn apply(&mut self, queue: QueueId, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get_mut(&queue) else { return };
        let topology = self.topology.clone();
        let record = topology.queues.get(&queue);
        if record.is_none() && queue != METADATA {
            return;
        }
        let (name, reader) = record.map_or((&self.name, None), |record| (&record.name, record.reader));
        let name = name.clone();
        let mut out = std::mem::take(&mut self.outs);
        let mut applied = Vec::new();
        let mut desk = Desk {
            now: fx.now(),
            rules: self.config.rules,
            queue,
            name: &name,
            mirrored: false,
            reader,
            written: &mut self.store.written,
            limiters: &mut self.limiters,
            out: &mut out,
        };
        let began = replica.apply(&mut desk, &mut applied);
        replica.compact(self.config.server.snapshot_every);
        let blocked = replica.state.blocked();
        let tell_all = replica.serving && std::mem::replace(&mut replica.told_blocked, blocked) != blocked;
        match record {
            Some(record) => self.carry_out(record, out, fx),
            None => self.apply_metadata(fx),
        }
        for ((node, session), upto) in applied {
            self.tell_applied(queue, node, session, upto, blocked, fx);
        }
        if tell_all {
            let peers: Vec<NodeId> = self.peers.iter().filter(|(_, p)| p.connected).map(|(node, _)| *node).collect();
            for peer in peers {
                let boot = self.peers.get(&peer).map_or(0, |known| known.boot);
                self.tell_applied(queue, peer, boot, 0, blocked, fx);
            }
            self.applied(queue, 0, blocked, fx);
        }
        if began {
            self.begin_to_serve(queue, fx);
        }
    }

    /// What the group of the metadata has agreed on counts on this node from now on (R-N3).
    fn apply_metadata(&mut self, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get(&METADATA) else { return };
        let Machine::Metadata(topology, _) = &replica.state.machine else { return };
        let topology = topology.clone();
        let done = replica.state.sessions.get(&(self.me, self.boot)).copied().unwrap_or(0);
        self.metadata_applied(&topology, done, fx);
    }

    fn tell_applied(&mut self, queue: QueueId, node: NodeId, session: u32, upto: u64, blocked: bool, fx: &mut Fx<'_>) {
        if node == self.me {
            if session == self.boot {
                self.applied(queue, upto, blocked, fx);
            }
        } else {
            let frame = Frame::Applied { queue, session, upto, blocked };
            self.send(node, frame, 0, Look::plain(FlightKind::Ack), fx);
        }
    }

    /// A new leader is done with the past: it tells everybody, and looks who is missing.
    fn begin_to_serve(&mut self, queue: QueueId, fx: &mut Fx<'_>) {
        let term = self.replicas.get(&queue).map_or(0, |replica| replica.raft.term().0);
        let peers: Vec<(NodeId, bool, u32)> =
            self.peers.iter().map(|(node, p)| (*node, p.connected && !p.suspected, p.boot)).collect();
        for (peer, seen, boot) in peers {
            if seen {
                self.send_control(peer, Frame::Leads { queue, term }, fx);
                self.propose_own(queue, Ask::NodeUp { node: peer, boot }, fx);
            } else {
                self.propose_own(queue, Ask::NodeDown { node: peer }, fx);
            }
        }
        let own = Ask::NodeUp { node: self.me, boot: self.boot };
        self.propose_own(queue, own, fx);
        self.govern(queue, fx);
        self.leads(queue, self.me, fx);
    }

    /// A command of the leader itself.
    pub fn propose_own(&mut self, queue: QueueId, ask: Ask, fx: &mut Fx<'_>) {
        let command = Command { session: (self.me, self.boot), seq: 0, at: fx.now(), ask };
        self.propose(queue, Rc::new(command), fx);
    }

    pub fn propose(&mut self, queue: QueueId, command: Rc<Command>, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get(&queue) else { return };
        if !replica.is_leader() {
            let leader = replica.raft.leader().map(NodeId);
            let (node, _) = command.session;
            if node == self.me {
                self.not_leader(self.me, queue, leader, fx);
            } else {
                self.send_control(node, Frame::NotLeader { queue, leader }, fx);
            }
            return;
        }
        self.wal.bytes += u64::from(replica::bytes_of(&command, self.config.server.overhead_bytes));
        self.raft(queue, Input::Propose(command), fx);
    }

    /// A command came from another node: the queue's process gets to it in its turn.
    pub fn command_came(&mut self, from: NodeId, queue: QueueId, command: Rc<Command>, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get(&queue) else {
            self.send_control(from, Frame::NotLeader { queue, leader: None }, fx);
            return;
        };
        if !replica.is_leader() {
            let leader = replica.raft.leader().map(NodeId);
            self.send_control(from, Frame::NotLeader { queue, leader }, fx);
            return;
        }
        fx.work(self.lane(queue), self.cost(&command.ask), Wake::Propose(queue, command));
    }

    /// Asks something of a replicated queue: kept until its leader has applied it.
    pub fn submit(&mut self, queue: QueueId, ask: Ask, whose: Option<ChannelId>, fx: &mut Fx<'_>) {
        let first = match queue {
            METADATA => Some(NodeId(0)),
            _ => self.topology.queues.get(&queue).map(|record| record.home()),
        };
        let line = self.lines.entry(queue).or_insert_with(|| Line { leader: first, ..Line::default() });
        line.next += 1;
        let command = Command { session: (self.me, self.boot), seq: line.next, at: fx.now(), ask };
        let command = Rc::new(command);
        line.pending.push_back((command.clone(), whose));
        line.sent = fx.now();
        if let Some(leader) = line.leader {
            self.send_command(queue, leader, command, fx);
        }
    }

    fn send_command(&mut self, queue: QueueId, leader: NodeId, command: Rc<Command>, fx: &mut Fx<'_>) {
        if leader == self.me {
            fx.work(self.lane(queue), self.cost(&command.ask), Wake::Propose(queue, command));
            return;
        }
        let bytes = replica::bytes_of(&command, 0);
        let look = match &command.ask {
            Ask::Publish { .. } => Look::of(FlightKind::Produce, hue_of(&command.ask), 1),
            Ask::Ack { ids, .. } => Look::of(FlightKind::Commit, 255, ids.len()),
            _ => Look::plain(FlightKind::Control),
        };
        self.send(leader, Frame::Command(queue, command), bytes, look, fx);
    }

    /// All commands of this node up to `upto` are applied.
    pub fn applied(&mut self, queue: QueueId, upto: u64, blocked: bool, fx: &mut Fx<'_>) {
        let Some(line) = self.lines.get_mut(&queue) else { return };
        line.blocked = blocked;
        let mut whose = Vec::new();
        while let Some((command, channel)) = line.pending.front()
            && command.seq <= upto
        {
            whose.extend(*channel);
            line.pending.pop_front();
        }
        for channel in whose {
            self.command_done(channel, fx);
        }
    }

    /// Somebody leads the queue: all that is pending goes there.
    pub fn leads(&mut self, queue: QueueId, leader: NodeId, fx: &mut Fx<'_>) {
        let Some(line) = self.lines.get_mut(&queue) else {
            self.lines.insert(queue, Line { leader: Some(leader), ..Line::default() });
            return;
        };
        line.leader = Some(leader);
        line.sent = fx.now();
        let pending: Vec<Rc<Command>> = line.pending.iter().map(|(command, _)| command.clone()).collect();
        for command in pending {
            self.send_command(queue, leader, command, fx);
        }
    }

    pub fn not_leader(&mut self, from: NodeId, queue: QueueId, hint: Option<NodeId>, fx: &mut Fx<'_>) {
        let Some(line) = self.lines.get_mut(&queue) else { return };
        if line.leader != Some(from) {
            return;
        }
        line.leader = None;
        let known = hint.filter(|leader| *leader != from && (*leader == self.me || fx.is_connected(*leader)));
        if let Some(leader) = known {
            self.leads(queue, leader, fx);
        }
    }

    /// The connection to a node is new: what was under way on the old one is lost.
    pub fn resend_lines(&mut self, peer: NodeId, fx: &mut Fx<'_>) {
        let there: Vec<QueueId> = self.lines.iter().filter(|(_, l)| l.leader == Some(peer)).map(|(q, _)| *q).collect();
        for queue in there {
            self.leads(queue, peer, fx);
        }
    }

    /// Commands that nobody answered for long are sent again, to whoever may lead.
    pub fn nudge_lines(&mut self, fx: &mut Fx<'_>) {
        let now = fx.now();
        let late = |line: &Line| !line.pending.is_empty() && now.since(line.sent) > Nanos::secs(5);
        let stale: Vec<QueueId> = self.lines.iter().filter(|(_, line)| late(line)).map(|(queue, _)| *queue).collect();
        for queue in stale {
            let members: Vec<NodeId> = match self.topology.queues.get(&queue) {
                Some(record) => record.members.clone(),
                None if queue == METADATA => (0..self.config.nodes).map(NodeId).collect(),
                None => {
                    self.lines.remove(&queue);
                    continue;
                }
            };
            let own = self.replicas.get(&queue).and_then(|replica| replica.raft.leader()).map(NodeId);
            let tried = self.lines.get(&queue).and_then(|line| line.leader);
            let others = members.iter().copied().filter(|member| Some(*member) != tried);
            let reachable = |node: &NodeId| *node == self.me || fx.is_connected(*node);
            let next = own.into_iter().chain(others).find(reachable);
            if let Some(next) = next {
                self.leads(queue, next, fx);
            }
        }
    }

    /// A replicated queue refuses at the channel already when its leader said so (R-U9).
    pub fn refuses(&self, queue: QueueId) -> bool {
        self.lines.get(&queue).is_some_and(|line| line.blocked)
    }

    pub fn refuse(&mut self, queue: QueueId, channel: ChannelId, number: u64, fx: &mut Fx<'_>) {
        self.answer(channel, queue, Answer::Refused(number), fx);
    }
}

pub fn hue_of(ask: &Ask) -> u8 {
    if let Ask::Publish { body, .. } = ask { body.hue } else { 255 }
}
