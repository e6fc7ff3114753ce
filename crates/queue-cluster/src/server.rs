//! A server node: its connections, its share of the queues, its disk.

use crate::alarms::Alarms;
use crate::classic::Classic;
use crate::config::Config;
use crate::connection::Connection;
use crate::desk::{Ask, ChannelId, Limiter, Out, QueueId};
use crate::dlx::Worker;
use crate::frame::{Frame, Order, Wake};
use crate::metadata::METADATA;
use crate::mirror::{Home, Mirror};
use crate::partition::Partition;
use crate::queues::Mailbox;
use crate::replica::{Command, Replica, State};
use crate::topology::{QueueRecord, Topology};
use crate::{Fx, Proc};
use sim::story::{FlightKind, Look};
use sim::{Alarm, Crash, Event, Hangup, Nanos, NodeId, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// The node's message store: what is written, what of it is on the disk, and who waits for that.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// Counts writes.
    pub written: u64,
    pub flushed: u64,
    pub bytes: u64,
    pub flushing: bool,
    /// Whether the operating system is to look for old pages.
    pub looking: bool,
    /// Writes that are not on the disk, oldest first: when the operating system first saw them, and up to which.
    pub aging: VecDeque<(Time, u64)>,
    /// Confirms that wait for a flush, by the write that they wait for.
    pub confirms: VecDeque<(u64, ChannelId, QueueId, u64)>,
}

/// The write-ahead log that all replicated queues of the node share (R-U1).
#[derive(Clone, Debug, Default)]
pub struct Wal {
    pub bytes: u64,
    /// Queues that wrote since the last flush began.
    pub dirty: BTreeSet<QueueId>,
    /// What the flush under way will have on the disk.
    pub flushing: Option<Vec<(QueueId, u64)>>,
}

/// What a node knows of another.
#[derive(Clone, Debug)]
pub struct Peer {
    /// A connection stands.
    pub linked: bool,
    /// The broker there has said that it is up.
    pub connected: bool,
    pub heard: Time,
    /// Whether anything was heard since the last net tick, and for how many ticks nothing was (R-N1).
    pub read: bool,
    pub silent_ticks: u8,
    /// It is out of sight, and what follows for classic queues is not done yet: whether it had stopped in good order.
    pub leaving: Option<bool>,
    /// The boot in which it was when it was last seen to go; `None` while it is seen.
    pub lost_boot: Option<u32>,
    /// It has just started and is not in step with the others.
    pub fresh: bool,
    /// Silent for too long (aten, R-U2).
    pub suspected: bool,
    pub boot: u32,
    /// Since when it tries to reach it.
    pub reaching: Time,
    /// Whether the next try is arranged.
    pub trying: bool,
}

/// A node's way to a replicated queue: what it asked for and was not answered yet.
#[derive(Clone, Debug, Default)]
pub struct Line {
    pub leader: Option<NodeId>,
    pub next: u64,
    pub pending: VecDeque<(Rc<Command>, Option<ChannelId>)>,
    /// R-U9: the queue is too long and refuses.
    pub blocked: bool,
    /// When the oldest pending command was last sent.
    pub sent: Time,
}

/// A server.
#[derive(Clone, Debug)]
pub struct Server {
    pub me: NodeId,
    pub name: Rc<str>,
    pub config: Rc<Config>,
    pub topology: Rc<Topology>,
    pub boot: u32,
    pub next_channel: u32,
    pub connections: BTreeMap<NodeId, Connection>,
    pub classics: BTreeMap<QueueId, Classic>,
    pub mailboxes: BTreeMap<QueueId, Mailbox>,
    /// Copies of classic queues that live elsewhere (R-M8).
    pub mirrors: BTreeMap<QueueId, Mirror>,
    pub replicas: BTreeMap<QueueId, Replica>,
    /// Who carries dead letters of a quorum queue that this node leads to where they go (R-U8).
    pub workers: BTreeMap<QueueId, Worker>,
    pub lines: BTreeMap<QueueId, Line>,
    pub limiters: BTreeMap<ChannelId, Limiter>,
    pub store: Store,
    pub wal: Wal,
    pub peers: BTreeMap<NodeId, Peer>,
    /// The next time that each queue wants to be woken.
    pub wakes: BTreeMap<QueueId, (Time, Alarm)>,
    /// Channels with confirms to send at the end of this event.
    pub confirming: Vec<ChannelId>,
    /// Channels that wait for a change of the metadata, by the change's number.
    pub metadata_waits: BTreeMap<u64, ChannelId>,
    pub partition: Partition,
    /// What this node keeps of the mirrors of queues that live here, and where it last knew mirrored queues to live.
    pub homes: BTreeMap<QueueId, Home>,
    pub known_homes: BTreeMap<QueueId, NodeId>,
    pub alarms: Alarms,
    /// Room for what queues want done, empty between events.
    pub outs: Vec<Out>,
    pub clean: bool,
    /// Whether its regular timers run.
    ticking: bool,
}

impl Server {
    pub fn new(me: NodeId, config: &Rc<Config>, topology: &Rc<Topology>) -> Server {
        let others = (0..config.nodes).map(NodeId).filter(|node| *node != me);
        let peer = Peer {
            linked: false,
            connected: false,
            heard: Time::ZERO,
            read: false,
            silent_ticks: 0,
            leaving: None,
            lost_boot: None,
            fresh: false,
            suspected: false,
            boot: 0,
            reaching: Time::ZERO,
            trying: false,
        };
        Server {
            me,
            name: format!("rabbit-{}", me.0 + 1).into(),
            config: config.clone(),
            topology: topology.clone(),
            boot: 0,
            next_channel: 0,
            connections: BTreeMap::new(),
            classics: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            mirrors: BTreeMap::new(),
            replicas: BTreeMap::new(),
            workers: BTreeMap::new(),
            lines: BTreeMap::new(),
            limiters: BTreeMap::new(),
            store: Store::default(),
            wal: Wal::default(),
            peers: others.map(|node| (node, peer.clone())).collect(),
            wakes: BTreeMap::new(),
            confirming: Vec::new(),
            metadata_waits: BTreeMap::new(),
            partition: Partition::default(),
            homes: BTreeMap::new(),
            known_homes: BTreeMap::new(),
            alarms: Alarms::default(),
            outs: Vec::new(),
            clean: true,
            ticking: false,
        }
    }

    pub fn is_server(&self, node: NodeId) -> bool {
        node.0 < self.config.nodes
    }

    pub fn on_event(&mut self, event: Event<Proc>, fx: &mut Fx<'_>) {
        match event {
            Event::Started => self.start(fx),
            Event::StopRequested => self.stop(fx),
            Event::Connected(peer) if self.is_server(peer) => self.peer_connected(peer, fx),
            // A broker that is paused has no listeners (R-N2).
            Event::Connected(client) if self.partition.paused => fx.disconnect(client),
            Event::Connected(client) => self.client_connected(client, fx),
            Event::Disconnected(peer, why) if self.is_server(peer) => self.peer_gone(peer, why == Hangup::Closed, fx),
            Event::Disconnected(client, _) => self.connection_gone(client, fx),
            Event::Received(peer, frame) if self.is_server(peer) => self.on_peer_frame(peer, frame, fx),
            Event::Received(client, frame) => self.on_client_frame(client, frame, fx),
            Event::Woke(wake) => self.on_wake(wake, fx),
            Event::Ordered(Order::Server(order)) => self.ordered(&order, fx),
            Event::Ordered(_) => {}
        }
        self.send_confirms(fx);
    }

    fn on_wake(&mut self, wake: Wake, fx: &mut Fx<'_>) {
        match wake {
            Wake::Ask(queue, ask) => self.asked(queue, ask, fx),
            Wake::Propose(queue, command) => self.propose(queue, command, fx),
            Wake::WalFlushed => self.wal_flushed(fx),
            Wake::StoreFlushed(upto) => self.store_flushed(upto, fx),
            Wake::Writeback => self.write_back(fx),
            Wake::QueueTick(queue) => self.queue_tick(queue, fx),
            Wake::Election(queue, count) => self.election_timer(queue, count, fx),
            Wake::Reach(peer) => self.reach(peer, fx),
            Wake::Poll => self.poll(fx),
            Wake::Beat => self.beat(fx),
            Wake::NetTick => self.net_tick(fx),
            Wake::PeerLost(peer) => self.peer_lost(peer, fx),
            Wake::DownPing => self.down_ping(fx),
            Wake::Monitor => self.monitor(fx),
            Wake::HeartbeatCheck(client, serial) => self.check_heartbeat(client, serial, fx),
            Wake::ChannelTick(id) => self.channel_tick(id, fx),
            Wake::MetadataTimeout(id, seq) => self.metadata_timeout(id, seq, fx),
            Wake::CloseConnection(client, serial, code, reason) => {
                self.finish_closing(client, serial, code, reason, fx)
            }
            Wake::DeadLetters(queue) => self.carry_dead_letters(queue, fx),
            // Clients' own.
            Wake::Due | Wake::Retry(_) | Wake::Done | Wake::Patience(_) | Wake::Ready(_) | Wake::Again | Wake::Step => {
            }
        }
    }

    /// Boots: queues that live here come up, the other nodes are looked for.
    pub fn start(&mut self, fx: &mut Fx<'_>) {
        self.boot += 1;
        self.next_channel = 0;
        self.partition.fresh = self.boot > 1 && !self.peers.is_empty() && !self.has_khepri();
        if self.has_khepri() {
            self.host_metadata(fx);
        } else {
            self.drop_transient_queues(self.me, fx);
            if self.peers.is_empty() && self.boot > 1 {
                Rc::make_mut(&mut self.topology).drop_transient_exchanges();
            }
        }
        let mine: Vec<QueueId> = self.topology.queues.keys().copied().collect();
        for queue in mine {
            self.host(queue, self.boot == 1, fx);
        }
        self.homes_changed(fx);
        if self.boot > 1 && self.replicas.values().any(Replica::is_stream) {
            self.age_pages(fx);
        }
        let peers: Vec<NodeId> = self.peers.keys().copied().collect();
        for peer in peers {
            if let Some(known) = self.peers.get_mut(&peer) {
                known.reaching = fx.now();
                known.heard = fx.now();
            }
            if self.boot > 1 || peer.0 > self.me.0 {
                fx.connect(peer);
            }
            self.try_again(peer, fx);
        }
        let ticking = std::mem::replace(&mut self.ticking, true);
        if !ticking && !self.peers.is_empty() {
            fx.wake_in(self.config.server.aten_poll, Wake::Poll);
        }
        if !ticking && !self.peers.is_empty() {
            // Each node has its own beat.
            let phase = fx.dice().between(Nanos::ZERO, self.net_tick_time());
            fx.wake_in(phase, Wake::NetTick);
        }
        if !ticking {
            fx.wake_in(self.config.server.memory_monitor, Wake::Monitor);
        }
        if !ticking && self.config.server.heartbeat > Nanos::ZERO {
            fx.wake_in(Nanos(self.config.server.heartbeat.0 / 2), Wake::Beat);
        }
        self.clean = false;
    }

    /// Brings up this node's part of a queue, if it has one.
    pub fn host(&mut self, queue: QueueId, first_time: bool, fx: &mut Fx<'_>) {
        let Some(record) = self.topology.queues.get(&queue).cloned() else { return };
        if !record.members.contains(&self.me) {
            return;
        }
        if record.is_classic() {
            return self.host_classic(&record, fx);
        }
        let me = self.me;
        let new = !self.replicas.contains_key(&queue);
        let first = || Replica::new(me, &record.members, &Rc::new(State::new(&record.arguments)));
        self.replicas.entry(queue).or_insert_with(first);
        if new && first_time && record.home() == me {
            // The node that declares a queue leads it first.
            self.raft(queue, consensus::Input::ElectionTimeout, fx);
        } else {
            let wait = self.long_wait(fx);
            self.arm(queue, wait, fx);
        }
    }

    fn host_classic(&mut self, record: &QueueRecord, fx: &mut Fx<'_>) {
        let queue = record.id;
        if record.home() != self.me {
            return self.host_mirror(record);
        }
        // R-N3: what was not durable before this boot is about to be deleted by the others.
        if !record.durable && record.boot < self.boot && !self.classics.contains_key(&queue) {
            return;
        }
        let classic = match self.mirrors.remove(&queue) {
            // R-M8: the mirror takes over.
            Some(mirror) => mirror.promoted(),
            None => Classic::new(record.arguments.clone(), record.durable, record.auto_delete, fx.now()),
        };
        self.classics.entry(queue).or_insert(classic);
        self.with_classic(queue, fx, Classic::begin);
    }

    /// The node's member of the group that agrees on the metadata (R-N3).
    fn host_metadata(&mut self, fx: &mut Fx<'_>) {
        let (me, members) = (self.me, (0..self.config.nodes).map(NodeId).collect::<Vec<_>>());
        let first = State::metadata(&self.topology, &self.config);
        let new = !self.replicas.contains_key(&METADATA);
        self.replicas.entry(METADATA).or_insert_with(|| Replica::new(me, &members, &Rc::new(first)));
        if new && me == NodeId(0) {
            self.raft(METADATA, consensus::Input::ElectionTimeout, fx);
        } else {
            let wait = self.long_wait(fx);
            self.arm(METADATA, wait, fx);
        }
    }

    /// A stop in good order: everything goes to the disk first.
    fn stop(&mut self, fx: &mut Fx<'_>) {
        self.settle_down();
        self.ticking = false;
        fx.exit();
    }

    pub fn settle_down(&mut self) {
        self.store.flushed = self.store.written;
        self.replicas.values_mut().for_each(Replica::flush_stream);
        self.clean = true;
        self.lose_memory(Crash::Kill);
    }

    /// The administrator stops and starts the broker: every connection is closed first.
    pub fn restart(&mut self, fx: &mut Fx<'_>) {
        self.close_all_connections(fx);
        // What the queues were still to do for those connections is done before they stop.
        self.settle_down();
        self.start(fx);
    }

    pub fn close_all_connections(&mut self, fx: &mut Fx<'_>) {
        let clients: Vec<NodeId> = self.connections.keys().copied().collect();
        for client in clients {
            self.connection_gone(client, fx);
            fx.disconnect(client);
        }
    }

    pub fn on_crash(&mut self, crash: Crash) {
        self.ticking = false;
        self.lose_memory(crash);
    }

    /// What is left of the node without its memory (R-Q1, R-Q2).
    fn lose_memory(&mut self, crash: Crash) {
        let (flushed, power_lost) = (self.store.flushed, crash == Crash::PowerLoss);
        let unclean = !self.clean;
        for classic in self.classics.values_mut() {
            // R-Q2: what was written but not flushed outlives the process, not the machine.
            classic.recover(|written| !power_lost || written <= flushed, unclean);
        }
        self.classics.retain(|_, classic| classic.is_durable());
        // R-M8: a mirror starts anew from what the home sends it.
        self.mailboxes.clear();
        self.mirrors.clear();
        self.homes.clear();
        self.known_homes.clear();
        self.workers.clear();
        self.metadata_waits.clear();
        self.partition = Partition::default();
        self.alarms.nodes.clear();
        self.replicas.values_mut().for_each(|replica| replica.crash(power_lost));
        self.connections.clear();
        self.lines.clear();
        self.limiters.clear();
        self.wal = Wal::default();
        self.wakes.clear();
        self.confirming.clear();
        let written = self.store.written;
        self.store = Store { written, flushed: if power_lost { flushed } else { written }, ..Store::default() };
        for peer in self.peers.values_mut() {
            peer.linked = false;
            peer.connected = false;
            peer.lost_boot = None;
            peer.leaving = None;
            peer.suspected = false;
            peer.trying = false;
        }
    }

    /// Sends to a client or another server. False if there is no connection.
    pub fn send(&self, to: NodeId, frame: Frame, bytes: u32, look: Look, fx: &mut Fx<'_>) -> bool {
        fx.send(to, frame, bytes + self.config.server.overhead_bytes, look)
    }

    pub fn send_control(&self, to: NodeId, frame: Frame, fx: &mut Fx<'_>) -> bool {
        self.send(to, frame, 0, Look::plain(FlightKind::Control), fx)
    }

    pub fn lane(&self, queue: QueueId) -> u16 {
        // Ids that are made on one side of a partition have the node in their upper bits.
        (((queue.0 & 0xF_FFFF) * 11 + (queue.0 >> 20)) % 60_000) as u16
    }

    /// What an answer to an ask costs the queue's process.
    pub fn cost(&self, ask: &Ask) -> Nanos {
        match ask {
            Ask::Publish { .. } | Ask::Get { .. } | Ask::Requeue { .. } => self.config.server.queue_cost,
            _ => self.config.server.ack_cost,
        }
    }
}
