//! Changes of exchanges, queues and bindings: at once on every node that is seen (Mnesia, R-N2), or agreed on by a
//! majority (Khepri, R-N3).

use crate::Fx;
use crate::arguments::QueueArguments;
use crate::config::{Config, MetadataStore};
use crate::desk::{Answer, Ask, ChannelId, QueueId};
use crate::frame::{Frame, Wake};
use crate::policy::Policy;
use crate::replica::Replica;
use crate::server::Server;
use crate::topology::{Destination, Exchange, Topology};
use crate::value::Table;
use sim::NodeId;
use sim::story::{MarkKind, Rule};
use std::rc::Rc;

/// The Raft group of the metadata, among the groups of the queues.
pub const METADATA: QueueId = QueueId(u32::MAX - 1);

/// A queue to be declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewQueue {
    pub name: Rc<str>,
    pub durable: bool,
    pub auto_delete: bool,
    pub owner: Option<ChannelId>,
    pub arguments: QueueArguments,
    pub table: Table,
    /// The node that declares it, in which of its boots.
    pub first: NodeId,
    pub boot: u32,
}

/// A change of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    DeclareExchange {
        name: Rc<str>,
        exchange: Box<Exchange>,
    },
    DeleteExchange {
        name: Rc<str>,
    },
    DeclareQueue(Box<NewQueue>),
    DeleteQueues(Vec<QueueId>),
    Bind {
        source: Rc<str>,
        destination: Destination,
        key: Rc<str>,
        arguments: Table,
    },
    Unbind {
        source: Rc<str>,
        destination: Destination,
        key: Rc<str>,
        arguments: Table,
    },
    /// A policy comes, in the place of one of the same name (R-M9).
    SetPolicy(Box<Policy>),
    ClearPolicy(Rc<str>),
    /// The members of a queue from now on: its home and its mirrors (R-M8), or a Raft group's (R-U1).
    Members {
        queue: QueueId,
        members: Vec<NodeId>,
        synced: Vec<NodeId>,
    },
}

impl Topology {
    /// Applies a change made on `node`; what it asks for and is there already stays as it is.
    pub fn apply(&mut self, change: &Change, node: NodeId, config: &Config) {
        match change {
            Change::DeclareExchange { name, exchange } => {
                self.exchanges.entry(name.clone()).or_insert_with(|| Exchange::clone(exchange));
            }
            Change::DeleteExchange { name } => self.delete_exchange(name),
            Change::DeclareQueue(new) if self.names.contains_key(&new.name) => {}
            Change::DeclareQueue(new) => {
                // Two sides of a partition must not give one id to two queues.
                let apart = if config.server.metadata_store == MetadataStore::Mnesia {
                    (u32::from(node.0) + 1) << 20
                } else {
                    0
                };
                self.declare_queue(new, apart, config);
            }
            Change::DeleteQueues(queues) => queues.iter().for_each(|queue| self.delete_queue(*queue)),
            Change::Bind { source, destination, key, arguments } => {
                self.bind(source, destination.clone(), key, arguments.clone());
            }
            Change::Unbind { source, destination, key, arguments } => self.unbind(source, destination, key, arguments),
            Change::SetPolicy(policy) => {
                match self.policies.iter_mut().find(|known| known.name == policy.name) {
                    Some(known) => known.clone_from(policy),
                    None => self.policies.push(Policy::clone(policy)),
                }
                self.govern(config);
            }
            Change::ClearPolicy(name) => {
                self.policies.retain(|known| known.name != **name);
                self.govern(config);
            }
            Change::Members { queue, members, synced } => {
                if let Some(record) = self.queues.get_mut(queue) {
                    record.members.clone_from(members);
                    record.synced.clone_from(synced);
                }
            }
        }
        self.version = (self.version.0 + 1, node.0);
    }
}

impl Server {
    pub fn has_khepri(&self) -> bool {
        self.config.server.metadata_store == MetadataStore::Khepri && self.config.nodes > 1
    }

    /// Changes the metadata. `whose` is the channel that waits until it has happened.
    pub fn change(&mut self, change: Change, whose: Option<ChannelId>, fx: &mut Fx<'_>) {
        if self.has_khepri() {
            // R-N3: nothing changes without a majority; the channel waits for it, for a time.
            self.submit(METADATA, Ask::Change(Rc::new(change)), None, fx);
            let seq = self.lines.get(&METADATA).map_or(0, |line| line.next);
            if let Some(id) = whose
                && let Some(channel) = self.live(id)
            {
                channel.waits = Some(seq);
                self.metadata_waits.insert(seq, id);
                fx.wake_in(self.config.server.metadata_timeout, Wake::MetadataTimeout(id, seq));
            }
            return;
        }
        let (me, config) = (self.me, self.config.clone());
        self.partition.fresh = false;
        Rc::make_mut(&mut self.topology).apply(&change, me, &config);
        for peer in self.in_step() {
            self.send_control(peer, Frame::Topology(self.topology.clone(), false), fx);
        }
        self.metadata_changed(fx);
    }

    /// The other nodes that share this one's metadata.
    fn in_step(&self) -> Vec<NodeId> {
        let shares =
            |(node, known): &(&NodeId, &crate::server::Peer)| known.connected && !self.partition.apart.contains(*node);
        self.peers.iter().filter(shares).map(|(node, _)| *node).collect()
    }

    /// This node's member of the metadata's group has applied commands.
    pub fn metadata_applied(&mut self, topology: &Rc<Topology>, done: u64, fx: &mut Fx<'_>) {
        if !Rc::ptr_eq(topology, &self.topology) {
            self.topology = topology.clone();
            self.metadata_changed(fx);
        }
        while let Some((seq, id)) = self.metadata_waits.first_key_value().map(|(seq, id)| (*seq, *id))
            && seq <= done
        {
            self.metadata_waits.remove(&seq);
            self.channel_goes_on(id, seq, fx);
        }
    }

    /// The change that the channel waited for has happened.
    fn channel_goes_on(&mut self, id: ChannelId, seq: u64, fx: &mut Fx<'_>) {
        let Some(channel) = self.live(id).filter(|channel| channel.waits == Some(seq)) else { return };
        channel.waits = None;
        loop {
            let Some(channel) = self.live(id).filter(|channel| channel.waits.is_none()) else { return };
            let Some(method) = channel.later.pop_front() else { return };
            self.on_method(id.client, id.number, method, fx);
        }
    }

    /// R-N3: no majority agreed in time: 541, and the connection is closed.
    pub fn metadata_timeout(&mut self, id: ChannelId, seq: u64, fx: &mut Fx<'_>) {
        if self.live(id).is_some_and(|channel| channel.waits == Some(seq)) {
            self.metadata_waits.remove(&seq);
            let reason = "INTERNAL_ERROR - the operation on the metadata store timed out: no majority";
            self.close_connection_by(id.client, 541, reason, "R-N3", fx);
        }
    }

    /// The metadata is not what it was: queues that are gone go, queues that are new here come up.
    pub fn metadata_changed(&mut self, fx: &mut Fx<'_>) {
        let topology = self.topology.clone();
        let me = self.me;
        let here = |queue: &QueueId| topology.queues.get(queue).is_some_and(|record| record.members.contains(&me));
        let home = |queue: &QueueId| topology.queues.get(queue).is_some_and(|record| record.home() == me);
        let gone: Vec<QueueId> = self.classics.keys().chain(self.replicas.keys()).copied().collect();
        let gone: Vec<QueueId> =
            gone.into_iter().filter(|queue| *queue != METADATA && !topology.queues.contains_key(queue)).collect();
        self.forget_types();
        for queue in &gone {
            self.cancel_consumers(*queue, fx);
        }
        self.classics.retain(|queue, _| home(queue));
        self.mirrors.retain(|queue, _| here(queue));
        // A member that is about to join is not among the members yet.
        let joins = |queue: &QueueId, replica: &Replica| {
            topology.queues.contains_key(queue) && !replica.raft.voters().contains(&me.0)
        };
        self.replicas.retain(|queue, replica| *queue == METADATA || here(queue) || joins(queue, replica));
        for (queue, record) in &topology.queues {
            let known = if record.home() == self.me && record.is_classic() {
                self.classics.contains_key(queue)
            } else {
                self.mirrors.contains_key(queue) || self.replicas.contains_key(queue)
            };
            if !known {
                self.host(*queue, true, fx);
            }
        }
        for queue in topology.queues.keys() {
            self.govern(*queue, fx);
        }
        self.lines.retain(|queue, _| *queue == METADATA || topology.queues.contains_key(queue));
        self.release_deleted(fx);
        self.homes_changed(fx);
        self.leaders_checked(fx);
    }

    /// `rabbitmqctl set_policy` and `clear_policy`.
    pub fn set_policy(&mut self, change: Change, fx: &mut Fx<'_>) {
        self.change(change, None, fx);
        self.fill_mirrors(fx);
    }

    /// R-M9: a queue that lives here, or is led from here, hears of what its policy gives it now.
    pub fn govern(&mut self, queue: QueueId, fx: &mut Fx<'_>) {
        let Some(record) = self.topology.queues.get(&queue) else { return };
        let (name, arguments) = (record.name.to_string(), record.arguments.clone());
        if let Some(mirror) = self.mirrors.get_mut(&queue) {
            mirror.copy.arguments = arguments;
            return;
        }
        let classic = self.classics.get(&queue).map(|classic| &classic.arguments);
        let replica = self.replicas.get(&queue).filter(|replica| replica.serving && replica.is_leader());
        let Some(known) = classic.or_else(|| replica?.state.arguments()) else { return };
        if *known == arguments {
            return;
        }
        let replicated = classic.is_none();
        fx.mark(MarkKind::Change, "policy-applied", vec![name], Rule("R-M9"));
        let ask = Ask::Configure(arguments);
        if replicated { self.propose_own(queue, ask, fx) } else { self.ask_later(queue, ask, fx) }
    }

    fn forget_types(&mut self) {
        let topology = &self.topology;
        for channel in self.connections.values_mut().flat_map(|connection| connection.channels.values_mut()) {
            let known = channel.got_from.iter().map(|(.., queue)| *queue);
            let gone: Vec<QueueId> = known.filter(|queue| !topology.queues.contains_key(queue)).collect();
            gone.into_iter().for_each(|queue| channel.forget_type(queue));
        }
    }

    /// R-P7: consumers of a queue that is gone are told.
    fn cancel_consumers(&mut self, queue: QueueId, fx: &mut Fx<'_>) {
        for (channel, tag) in self.consumers_of(queue) {
            self.answer(channel, queue, Answer::Cancelled { tag }, fx);
        }
    }

    /// What waits for a queue that was deleted is answered for: the queue ended in good order.
    fn release_deleted(&mut self, fx: &mut Fx<'_>) {
        let mut done = Vec::new();
        for channel in self.connections.values().flat_map(|connection| connection.channels.values()) {
            for (number, unconfirmed) in channel.unconfirmed.iter() {
                let gone = unconfirmed.waiting.iter().filter(|queue| !self.topology.queues.contains_key(queue));
                done.extend(gone.map(|queue| (channel.id, *queue, *number)));
            }
        }
        for (channel, queue, number) in done {
            self.answer(channel, queue, Answer::Confirmed(number), fx);
        }
    }

    /// Takes over a newer topology of another node (Mnesia).
    pub fn learn(&mut self, from: NodeId, topology: &Rc<Topology>, fresh: bool, fx: &mut Fx<'_>) {
        if self.partition.apart.contains(&from) || self.has_khepri() {
            return;
        }
        // R-N2: a node that has just started takes over what the running ones have, whatever it had.
        match (self.partition.fresh, fresh) {
            (true, false) => self.partition.fresh = false,
            (false, true) => return,
            _ if topology.version <= self.topology.version => return,
            _ => {}
        }
        let governed = self.topology.policies != topology.policies;
        self.topology = topology.clone();
        self.metadata_changed(fx);
        if governed {
            self.fill_mirrors(fx);
        }
    }
}
