//! Mirrored classic queues, before 4.0 (R-M8): what the home tells its mirrors, and how one takes over.

use crate::Fx;
use crate::classic::{Classic, Stored};
use crate::config::Promote;
use crate::connection::NO_QUEUE;
use crate::desk::{Answer, Ask, ChannelId, ConsumeRequest, QueueId};
use crate::frame::Frame;
use crate::message::Body;
use crate::metadata::Change;
use crate::server::Server;
use crate::topology::QueueRecord;
use sim::story::{FlightKind, Look, MarkKind, Rule};
use sim::{NodeId, Time};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Something that a mirror has to do to stay in step.
#[derive(Clone, Debug)]
pub enum MirrorOp {
    /// Keep this message; the channel's number for it if it wants a confirm.
    Publish { stored: Stored, confirm: Option<(ChannelId, u64)> },
    /// The message with this place went out to a consumer.
    Sent(u64),
    /// It came back.
    Returned(u64),
    /// It is done with.
    Gone(u64),
    /// All that there is.
    Whole(Vec<Stored>),
}

/// What the home tells its mirrors at a time.
#[derive(Clone, Debug)]
pub struct Turn {
    pub number: u64,
    pub ops: Vec<MirrorOp>,
}

/// A copy of a queue that lives on another node.
#[derive(Clone, Debug)]
pub struct Mirror {
    pub copy: Classic,
    /// The last number that each channel published with: what comes again is there already.
    taken: BTreeMap<ChannelId, u64>,
}

impl Mirror {
    fn take(&mut self, op: MirrorOp) {
        match op {
            MirrorOp::Publish { stored, confirm } => {
                self.copy.mirror_keep(stored);
                if let Some((channel, number)) = confirm {
                    self.taken.insert(channel, number);
                }
            }
            MirrorOp::Sent(place) => self.copy.mirror_sent(place),
            MirrorOp::Returned(place) => self.copy.mirror_returned(place),
            MirrorOp::Gone(place) => self.copy.mirror_gone(place),
            MirrorOp::Whole(all) => {
                self.copy.mirror_clear();
                all.into_iter().for_each(|stored| self.copy.mirror_keep(stored));
            }
        }
    }

    /// The mirror becomes the queue: what was out with consumers is back.
    pub fn promoted(self) -> Classic {
        let mut copy = self.copy;
        copy.take_over(self.taken);
        copy
    }
}

/// What the home of a mirrored queue keeps of its mirrors.
#[derive(Clone, Debug, Default)]
pub struct Home {
    turn: u64,
    acked: BTreeMap<NodeId, u64>,
    /// Confirms that wait for the mirrors: the turn, whose, and whether the disk comes after.
    waiting: VecDeque<(u64, ChannelId, u64, bool)>,
    /// Mirrors that lack what was there before this place.
    joined: BTreeMap<NodeId, u64>,
}

impl Server {
    /// A mirror of a queue comes up, empty.
    pub fn host_mirror(&mut self, record: &QueueRecord) {
        let copy = || Classic::new(record.arguments.clone(), record.durable, record.auto_delete, Time::ZERO);
        self.mirrors.entry(record.id).or_insert_with(|| Mirror { copy: copy(), taken: BTreeMap::new() });
    }

    /// A message waits for the mirrors before it is confirmed.
    pub fn confirm_mirrored(&mut self, queue: QueueId, channel: ChannelId, number: u64, flush: bool) {
        let home = self.homes.entry(queue).or_default();
        home.waiting.push_back((home.turn + 1, channel, number, flush));
    }

    /// Tells the mirrors what happened to the queue.
    pub fn send_turn(&mut self, record: &QueueRecord, ops: Vec<MirrorOp>, fx: &mut Fx<'_>) {
        let home = self.homes.entry(record.id).or_default();
        home.turn += 1;
        let turn = Rc::new(Turn { number: home.turn, ops });
        let published = turn.ops.iter().filter_map(|op| match op {
            MirrorOp::Publish { stored, .. } => Some(&stored.body),
            _ => None,
        });
        let bytes = published.clone().map(|body| body.bytes).sum();
        let hue = published.clone().next().map_or(255, |body| body.hue);
        let look = match published.count() {
            0 => Look::plain(FlightKind::Control),
            count => Look::of(FlightKind::Replicate, hue, count),
        };
        for mirror in record.members.iter().skip(1) {
            self.send(*mirror, Frame::Mirror(record.id, turn.clone()), bytes, look, fx);
        }
        self.release_mirrored(record.id, fx);
        self.check_synced(record, fx);
    }

    pub fn mirror_came(&mut self, from: NodeId, queue: QueueId, turn: Rc<Turn>, fx: &mut Fx<'_>) {
        let Some(mirror) = self.mirrors.get_mut(&queue) else { return };
        let number = turn.number;
        turn.ops.iter().cloned().for_each(|op| mirror.take(op));
        self.send(from, Frame::Mirrored(queue, number), 0, Look::plain(FlightKind::Ack), fx);
    }

    pub fn mirrored(&mut self, mirror: NodeId, queue: QueueId, upto: u64, fx: &mut Fx<'_>) {
        if let Some(home) = self.homes.get_mut(&queue) {
            home.acked.insert(mirror, upto);
            self.release_mirrored(queue, fx);
        }
    }

    /// R-M8: a message is confirmed once every mirror that is there has it.
    fn release_mirrored(&mut self, queue: QueueId, fx: &mut Fx<'_>) {
        let Some(record) = self.topology.queues.get(&queue) else { return };
        let Some(home) = self.homes.get_mut(&queue) else { return };
        let there = |node: &&NodeId| self.peers.get(*node).is_some_and(|known| known.connected);
        let mirrors = record.members.iter().skip(1).filter(there);
        let all = mirrors.map(|mirror| home.acked.get(mirror).copied().unwrap_or(0)).min().unwrap_or(u64::MAX);
        let mut ready = Vec::new();
        while home.waiting.front().is_some_and(|(turn, ..)| *turn <= all) {
            ready.extend(home.waiting.pop_front());
        }
        for (_, channel, number, flush) in ready {
            if flush {
                self.confirm_flushed(queue, channel, number, fx);
            } else {
                self.answer(channel, queue, Answer::Confirmed(number), fx);
            }
        }
    }

    /// R-M8: a mirror is synchronised once nothing is left that was there before it.
    fn check_synced(&mut self, record: &QueueRecord, fx: &mut Fx<'_>) {
        let oldest = self.classics.get(&record.id).and_then(Classic::oldest).unwrap_or(u64::MAX);
        let Some(home) = self.homes.get_mut(&record.id) else { return };
        let done: Vec<NodeId> =
            home.joined.iter().filter(|(_, from)| oldest >= **from).map(|(node, _)| *node).collect();
        if done.is_empty() {
            return;
        }
        home.joined.retain(|node, _| !done.contains(node));
        let mut synced = record.synced.clone();
        for node in done {
            synced.push(node);
            let values = vec![record.name.to_string(), crate::cluster::node_name(node)];
            fx.mark(MarkKind::Change, "mirror-synced", values, Rule("R-M8"));
        }
        let members = record.members.clone();
        self.change(Change::Members { queue: record.id, members, synced }, None, fx);
    }

    /// A node is out of sight: its mirrors are none any more, and of the queues that lived there one mirror takes over.
    pub fn mirror_lost(&mut self, peer: NodeId, graceful: bool, fx: &mut Fx<'_>) {
        let with_it = self.topology.queues.values().filter(|record| record.mirroring.is_some());
        let with_it: Vec<QueueRecord> = with_it.filter(|record| record.members.contains(&peer)).cloned().collect();
        for record in with_it {
            let rest: Vec<NodeId> = record.members.iter().copied().filter(|node| *node != peer).collect();
            let synced: Vec<NodeId> = record.synced.iter().copied().filter(|node| *node != peer).collect();
            if record.home() == self.me {
                if let Some(home) = self.homes.get_mut(&record.id) {
                    home.acked.remove(&peer);
                    home.joined.remove(&peer);
                }
                self.change(Change::Members { queue: record.id, members: rest, synced }, None, fx);
                self.release_mirrored(record.id, fx);
                self.fill_mirrors(fx);
            } else if record.home() == peer {
                self.succeed(&record, &rest, synced, graceful, fx);
            }
        }
    }

    /// R-M8: the oldest synchronised mirror takes over; one that is not synchronised only if the policy lets it.
    fn succeed(&mut self, record: &QueueRecord, rest: &[NodeId], synced: Vec<NodeId>, graceful: bool, fx: &mut Fx<'_>) {
        let Some(heir) = self.heir(record, graceful) else { return };
        if heir != self.me {
            return;
        }
        let name = record.name.to_string();
        let code = if record.synced.contains(&heir) { "mirror-promoted" } else { "mirror-promoted-unsynced" };
        fx.mark(MarkKind::Election, code, vec![name, self.name.to_string()], Rule("R-M8"));
        let mut members = vec![heir];
        members.extend(rest.iter().copied().filter(|node| *node != heir && self.sees(*node)));
        let synced = synced.into_iter().filter(|node| members.contains(node) && *node != heir).collect();
        self.change(Change::Members { queue: record.id, members, synced }, None, fx);
    }

    /// Who takes over a mirrored queue whose home is out of sight.
    pub fn heir(&self, record: &QueueRecord, graceful: bool) -> Option<NodeId> {
        let mirroring = record.mirroring.as_deref()?;
        let policy = if graceful { mirroring.on_shutdown } else { mirroring.on_failure };
        let there = || record.members.iter().copied().skip(1).filter(|node| *node == self.me || self.sees(*node));
        let synced = there().find(|node| record.synced.contains(node));
        synced.or_else(|| there().next().filter(|_| policy == Promote::Always))
    }

    fn sees(&self, node: NodeId) -> bool {
        self.peers.get(&node).is_some_and(|known| known.connected)
    }

    /// A node is up: queues that live here and lack a mirror get one there.
    pub fn mirror_found(&mut self, peer: NodeId, fx: &mut Fx<'_>) {
        if self.partition.apart.contains(&peer) {
            return;
        }
        let nodes = self.config.nodes;
        let lacks = |record: &&QueueRecord| {
            let wanted = record.mirroring.as_deref().map_or(0, |mirroring| mirroring.copies(nodes));
            record.home() == self.me && record.members.len() < usize::from(wanted) && !record.members.contains(&peer)
        };
        let lacking: Vec<QueueRecord> = self.topology.queues.values().filter(lacks).cloned().collect();
        for record in lacking {
            let (mut members, mut synced) = (record.members.clone(), record.synced.clone());
            members.push(peer);
            let Some(classic) = self.classics.get(&record.id) else { continue };
            let automatic = record.mirroring.as_deref().is_some_and(|mirroring| mirroring.automatic_sync);
            let whole = automatic.then(|| classic.all());
            if automatic || classic.oldest().is_none() {
                synced.push(peer);
            } else {
                let from = classic.next_place();
                self.homes.entry(record.id).or_default().joined.insert(peer, from);
            }
            self.change(Change::Members { queue: record.id, members, synced }, None, fx);
            if let (Some(whole), Some(record)) = (whole, self.topology.queues.get(&record.id).cloned()) {
                self.send_turn(&record, vec![MirrorOp::Whole(whole)], fx);
            }
        }
    }

    /// A mirrored queue has moved: the channels here consume from its new home, and publish again what was not
    /// confirmed. What they held of it comes again.
    pub fn homes_changed(&mut self, fx: &mut Fx<'_>) {
        let mut moved = Vec::new();
        for (queue, record) in self.topology.queues.iter().filter(|(_, record)| record.mirroring.is_some()) {
            if self.known_homes.insert(*queue, record.home()).is_some_and(|old| old != record.home()) {
                moved.push(*queue);
            }
        }
        for queue in &moved {
            self.homes.remove(queue);
            self.follow(*queue, fx);
        }
        if !moved.is_empty() {
            self.fill_mirrors(fx);
        }
    }

    /// R-M8: queues that live here and have fewer mirrors than their policy says get some on the nodes that are there.
    pub fn fill_mirrors(&mut self, fx: &mut Fx<'_>) {
        let peers: Vec<NodeId> =
            self.peers.iter().filter(|(_, known)| known.connected).map(|(peer, _)| *peer).collect();
        for peer in peers {
            self.mirror_found(peer, fx);
        }
    }

    fn follow(&mut self, queue: QueueId, fx: &mut Fx<'_>) {
        let mut consume: Vec<(ChannelId, Rc<ConsumeRequest>)> = Vec::new();
        let mut publish: Vec<(ChannelId, u64, Body)> = Vec::new();
        for channel in self.connections.values_mut().flat_map(|connection| connection.channels.values_mut()) {
            let held = channel.unacked.values_mut().filter(|unacked| unacked.queue == queue);
            held.for_each(|unacked| unacked.queue = NO_QUEUE);
            let mine = channel.subscriptions.values().filter(|subscription| subscription.queue == queue);
            consume.extend(mine.map(|subscription| (channel.id, subscription.request.clone())));
            for (number, unconfirmed) in channel.unconfirmed.iter() {
                if let Some(body) = unconfirmed.body.clone().filter(|_| unconfirmed.waiting.contains(&queue)) {
                    publish.push((channel.id, *number, body));
                }
            }
        }
        for (channel, request) in consume {
            self.ask(queue, Ask::Consume { channel, request }, None, fx);
        }
        for (channel, number, body) in publish {
            let ask = Ask::Publish { from: None, confirm: Some((channel, number)), body };
            self.ask(queue, ask, None, fx);
        }
    }
}
