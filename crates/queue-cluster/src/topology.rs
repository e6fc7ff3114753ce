//! Exchanges, queues and bindings as all nodes know them.

use crate::arguments::QueueArguments;
use crate::config::{Config, ExchangeKind};
use crate::desk::{ChannelId, QueueId};
use crate::value::Table;
use crate::view::QueueKind;
use sim::NodeId;
use std::collections::BTreeMap;
use std::rc::Rc;

/// An exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub kind: ExchangeKind,
    pub durable: bool,
    pub auto_delete: bool,
    pub arguments: Table,
    /// Its bindings, in the order in which they were made.
    pub bindings: Vec<Binding>,
}

impl Exchange {
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
#[derive(Clone, Debug)]
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
    /// The home of a classic queue first; all members of the others, the first leader first.
    pub members: Vec<NodeId>,
}

impl QueueRecord {
    pub fn home(&self) -> NodeId {
        self.members[0]
    }

    pub fn is_classic(&self) -> bool {
        self.arguments.kind == QueueKind::Classic
    }
}

/// All of it. Nodes share one by reference and copy it to change it.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// How often it was changed, and by which node last: of two the higher is the newer.
    pub version: (u64, u16),
    pub exchanges: BTreeMap<Rc<str>, Exchange>,
    pub queues: BTreeMap<QueueId, QueueRecord>,
    pub names: BTreeMap<Rc<str>, QueueId>,
    pub next_queue: u32,
}

impl Topology {
    /// What a config declares. Names that it leaves unresolved are skipped: [`Config::check`] refuses them.
    pub fn of(config: &Config) -> Topology {
        let mut topology = Topology::default();
        for (name, kind) in PREDECLARED {
            topology.declare_exchange(name, *kind, true, false, Table::new());
        }
        for spec in &config.exchanges {
            topology.declare_exchange(&spec.name, spec.kind, spec.durable, false, spec.arguments.clone());
        }
        for (place, spec) in (0u16..).zip(&config.queues) {
            let Ok(arguments) = QueueArguments::read(&spec.arguments, config.rules, &config.server) else { continue };
            let first = NodeId(spec.node.unwrap_or(place) % config.nodes.max(1));
            let id = topology.declare_queue(&spec.name, spec.durable, arguments, spec.arguments.clone(), first, config);
            if let (Some(queue), Ok(reader)) = (topology.queues.get_mut(&id), u8::try_from(place)) {
                queue.reader = Some(reader);
            }
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
        let exchange = Exchange { kind, durable, auto_delete, arguments, bindings: Vec::new() };
        self.exchanges.insert(name.into(), exchange);
    }

    /// Declares a queue on `first`; a replicated one has its other members on the nodes after it (R-U1).
    pub fn declare_queue(
        &mut self,
        name: &str,
        durable: bool,
        arguments: QueueArguments,
        table: Table,
        first: NodeId,
        config: &Config,
    ) -> QueueId {
        let id = QueueId(self.next_queue);
        self.next_queue += 1;
        let name: Rc<str> = name.into();
        let asked = table.get("x-quorum-initial-group-size").and_then(|value| value.as_int());
        let size = asked.and_then(|n| u16::try_from(n).ok()).unwrap_or(config.server.quorum_cluster_size);
        let size = if arguments.kind == QueueKind::Classic { 1 } else { size.clamp(1, config.nodes) };
        let members = (0..size).map(|step| NodeId((first.0 + step) % config.nodes)).collect();
        let record = QueueRecord {
            id,
            name: name.clone(),
            reader: None,
            durable,
            auto_delete: false,
            owner: None,
            table,
            arguments: Rc::new(arguments),
            members,
        };
        self.queues.insert(id, record);
        self.names.insert(name, id);
        id
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
    }

    pub fn delete_queue(&mut self, id: QueueId) {
        if let Some(record) = self.queues.remove(&id) {
            self.names.remove(&record.name);
        }
        let gone = Destination::Queue(id);
        self.exchanges.values_mut().for_each(|exchange| exchange.bindings.retain(|b| b.destination != gone));
    }

    pub fn delete_exchange(&mut self, name: &str) {
        self.exchanges.remove(name);
        let gone = Destination::Exchange(name.into());
        self.exchanges.values_mut().for_each(|exchange| exchange.bindings.retain(|b| b.destination != gone));
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
