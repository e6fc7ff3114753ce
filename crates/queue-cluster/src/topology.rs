//! Exchanges, queues and bindings as all nodes know them.

use crate::arguments::QueueArguments;
use crate::config::{Config, ExchangeKind, Mirroring};
use crate::desk::{ChannelId, QueueId};
use crate::metadata::NewQueue;
use crate::policy::Policy;
use crate::value::Table;
use crate::view::QueueKind;
use sim::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// An exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub kind: ExchangeKind,
    pub durable: bool,
    pub auto_delete: bool,
    /// Only exchanges may publish to it (R-X9).
    pub internal: bool,
    pub arguments: Table,
    /// Its bindings, in the order in which they were made.
    pub bindings: Vec<Binding>,
}

impl Exchange {
    /// Whether the other one is the same but for its bindings, as far as the broker compares them (R-Q5).
    pub fn is_like(&self, other: &Exchange) -> bool {
        self.kind == other.kind
            && self.durable == other.durable
            && self.auto_delete == other.auto_delete
            && self.internal == other.internal
            && self.alternate() == other.alternate()
    }

    pub fn alternate(&self) -> Option<&str> {
        self.arguments.get("alternate-exchange").and_then(|value| value.as_text())
    }
}

/// Where a binding leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    Queue(QueueId),
    Exchange(Rc<str>),
}

/// A binding, of the exchange that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub destination: Destination,
    pub key: Rc<str>,
    pub arguments: Table,
}

/// A queue's declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRecord {
    pub id: QueueId,
    pub name: Rc<str>,
    pub reader: Option<u8>,
    pub durable: bool,
    pub auto_delete: bool,
    /// The connection that alone may use it (R-Q4), by its channel's node, client and boot.
    pub owner: Option<ChannelId>,
    pub table: Table,
    pub arguments: Rc<QueueArguments>,
    /// The home of a classic queue first, then its mirrors, the oldest first (R-M8); all members of the others, the
    /// first leader first.
    pub members: Vec<NodeId>,
    /// Mirrors that have all that the home has (R-M8).
    pub synced: Vec<NodeId>,
    /// The boot of the first member in which it was declared.
    pub boot: u32,
    pub mirroring: Option<Rc<Mirroring>>,
}

impl QueueRecord {
    pub fn home(&self) -> NodeId {
        self.members[0]
    }

    pub fn is_classic(&self) -> bool {
        self.arguments.kind == QueueKind::Classic
    }

    /// Gives the queue mirrors on the nodes after its home, all in step (R-M8).
    fn mirror(&mut self, mirroring: Mirroring, nodes: u16) {
        let count = mirroring.copies(nodes);
        let home = self.home();
        self.members = (0..count).map(|step| NodeId((home.0 + step) % nodes)).collect();
        self.synced = self.members[1..].to_vec();
        self.mirroring = Some(Rc::new(mirroring));
    }
}

/// All of it. Nodes share one by reference and copy it to change it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// How often it was changed, and by which node last: of two the higher is the newer.
    pub version: (u64, u16),
    pub exchanges: BTreeMap<Rc<str>, Exchange>,
    pub queues: BTreeMap<QueueId, QueueRecord>,
    pub names: BTreeMap<Rc<str>, QueueId>,
    pub next_queue: u32,
    /// In the order in which they were first set.
    pub policies: Vec<Policy>,
}

impl Topology {
    /// What a config declares. Names that it leaves unresolved are skipped: [`Config::check`] refuses them.
    pub fn of(config: &Config) -> Topology {
        let mut topology = Topology { policies: config.policies.clone(), ..Topology::default() };
        for (name, kind) in PREDECLARED {
            topology.declare_exchange(name, *kind, true, false, Table::new());
        }
        for spec in &config.exchanges {
            topology.declare_exchange(&spec.name, spec.kind, spec.durable, false, spec.arguments.clone());
        }
        for (place, spec) in (0u16..).zip(&config.queues) {
            let all = config.arguments_of(&spec.name, &spec.arguments);
            let Ok(arguments) = QueueArguments::read(&all, config.rules, &config.server) else { continue };
            let first = NodeId(spec.node.unwrap_or(place) % config.nodes.max(1));
            let new = NewQueue {
                name: spec.name.as_str().into(),
                durable: spec.durable,
                auto_delete: false,
                owner: None,
                arguments,
                table: spec.arguments.clone(),
                first,
                boot: 1,
            };
            let id = topology.declare_queue(&new, 0, config);
            let Some(record) = topology.queues.get_mut(&id) else { continue };
            record.reader = u8::try_from(place).ok();
        }
        for spec in &config.bindings {
            let destination = topology.destination(&spec.destination, spec.to_exchange);
            if let Some(destination) = destination {
                topology.bind(&spec.source, destination, &spec.routing_key, spec.arguments.clone());
            }
        }
        topology
    }

    pub fn destination(&self, name: &str, to_exchange: bool) -> Option<Destination> {
        if to_exchange {
            self.exchanges.get_key_value(name).map(|(name, _)| Destination::Exchange(name.clone()))
        } else {
            self.names.get(name).map(|id| Destination::Queue(*id))
        }
    }

    pub fn declare_exchange(
        &mut self,
        name: &str,
        kind: ExchangeKind,
        durable: bool,
        auto_delete: bool,
        arguments: Table,
    ) {
        let exchange = Exchange { kind, durable, auto_delete, internal: false, arguments, bindings: Vec::new() };
        self.exchanges.insert(name.into(), exchange);
    }

    /// Declares a queue; a replicated one has its other members on the nodes after its first (R-U1). `apart` is added
    /// to its id.
    pub fn declare_queue(&mut self, new: &NewQueue, apart: u32, config: &Config) -> QueueId {
        let id = QueueId(self.next_queue + apart);
        self.next_queue += 1;
        let asked = new.table.get("x-quorum-initial-group-size").and_then(|value| value.as_int());
        let size = asked.and_then(|n| u16::try_from(n).ok()).unwrap_or(config.server.quorum_cluster_size);
        let size = if new.arguments.kind == QueueKind::Classic { 1 } else { size.clamp(1, config.nodes) };
        let members = (0..size).map(|step| NodeId((new.first.0 + step) % config.nodes)).collect();
        let mut record = QueueRecord {
            id,
            name: new.name.clone(),
            reader: None,
            durable: new.durable,
            auto_delete: new.auto_delete,
            owner: new.owner,
            table: new.table.clone(),
            arguments: Rc::new(new.arguments.clone()),
            members,
            synced: Vec::new(),
            boot: new.boot,
            mirroring: None,
        };
        // R-Q4: an exclusive queue has no mirrors.
        let mirroring =
            Policy::mirroring_of(&self.policies, &new.name, &new.table, config.rules).filter(|_| new.owner.is_none());
        if let Some(mirroring) = mirroring.filter(|_| record.is_classic()) {
            record.mirror(mirroring, config.nodes);
        }
        self.queues.insert(id, record);
        self.names.insert(new.name.clone(), id);
        id
    }

    /// R-M9: every queue has what its policy, if any, gives it now.
    pub fn govern(&mut self, config: &Config) {
        for record in self.queues.values_mut() {
            let all = Policy::with(&self.policies, &record.name, &record.table, config.rules);
            // What RabbitMQ would not take leaves the queue as it is.
            if let Ok(arguments) = QueueArguments::read(&all, config.rules, &config.server)
                && arguments != *record.arguments
            {
                record.arguments = Rc::new(arguments);
            }
            let mirroring = Policy::mirroring_of(&self.policies, &record.name, &record.table, config.rules);
            let mirroring = mirroring.filter(|_| record.owner.is_none() && record.is_classic());
            if mirroring.as_ref() != record.mirroring.as_deref() {
                let copies = mirroring.as_ref().map_or(1, |mirroring| mirroring.copies(config.nodes));
                record.members.truncate(if record.is_classic() { copies.into() } else { usize::MAX });
                record.synced.retain(|node| record.members.contains(node));
                record.mirroring = mirroring.map(Rc::new);
            }
        }
    }

    pub fn bind(&mut self, source: &str, destination: Destination, key: &str, arguments: Table) -> bool {
        let Some(exchange) = self.exchanges.get_mut(source) else { return false };
        let binding = Binding { destination, key: key.into(), arguments };
        // R-X5: a queue has one binding to a consistent hash exchange.
        let taken = exchange.kind == ExchangeKind::ConsistentHash
            && exchange.bindings.iter().any(|other| other.destination == binding.destination);
        if !taken && !exchange.bindings.contains(&binding) {
            exchange.bindings.push(binding);
        }
        true
    }

    pub fn unbind(&mut self, source: &str, destination: &Destination, key: &str, arguments: &Table) {
        if let Some(exchange) = self.exchanges.get_mut(source) {
            let same = |b: &Binding| b.destination == *destination && &*b.key == key && b.arguments == *arguments;
            exchange.bindings.retain(|binding| !same(binding));
        }
        self.drop_unbound(&BTreeSet::from([Rc::from(source)]));
    }

    /// R-Q4: an exchange that deletes itself goes with its last binding.
    fn drop_unbound(&mut self, touched: &BTreeSet<Rc<str>>) {
        let gone = |name: &&Rc<str>| self.exchanges.get(*name).is_some_and(|x| x.auto_delete && x.bindings.is_empty());
        let gone: Vec<Rc<str>> = touched.iter().filter(gone).cloned().collect();
        gone.iter().for_each(|name| self.delete_exchange(name));
    }

    /// Removes the bindings that lead to something that is gone.
    fn unbind_all(&mut self, gone: &Destination) {
        let mut touched = BTreeSet::new();
        for (name, exchange) in &mut self.exchanges {
            let before = exchange.bindings.len();
            exchange.bindings.retain(|binding| binding.destination != *gone);
            if exchange.bindings.len() < before {
                touched.insert(name.clone());
            }
        }
        self.drop_unbound(&touched);
    }

    /// R-Q1: what is not durable is gone once no node is left that knows it.
    pub fn drop_transient_exchanges(&mut self) {
        let gone = self.exchanges.iter().filter(|(_, exchange)| !exchange.durable).map(|(name, _)| name.clone());
        gone.collect::<Vec<_>>().iter().for_each(|name| self.delete_exchange(name));
    }

    pub fn delete_queue(&mut self, id: QueueId) {
        if let Some(record) = self.queues.remove(&id) {
            self.names.remove(&record.name);
        }
        self.unbind_all(&Destination::Queue(id));
    }

    pub fn delete_exchange(&mut self, name: &str) {
        self.exchanges.remove(name);
        self.unbind_all(&Destination::Exchange(name.into()));
    }
}

/// The exchanges that are always there, beside the default exchange.
const PREDECLARED: &[(&str, ExchangeKind)] = &[
    ("amq.direct", ExchangeKind::Direct),
    ("amq.fanout", ExchangeKind::Fanout),
    ("amq.topic", ExchangeKind::Topic),
    ("amq.headers", ExchangeKind::Headers),
    ("amq.match", ExchangeKind::Headers),
];

/// Whether an exchange is one of those that are always there.
pub fn is_predeclared(name: &str) -> bool {
    PREDECLARED.iter().any(|(other, _)| *other == name)
}
