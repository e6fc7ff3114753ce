//! A cluster of queues by RabbitMQ's rules: nodes, exchanges, queues, channels, publishers and consumers.
//!
//! It must never know of documents, pages or the other cluster. Server nodes and clients are processes of a
//! [`sim::World`]; all that they do follows from events. Held by the recordings of a real broker (crate `conform`).

mod alarms;
mod arguments;
mod by_hand;
mod channel;
mod check;
mod classic;
mod classic_mirror;
mod client;
mod cluster;
mod config;
mod confirms;
mod connection;
mod consistent_hash;
mod consumer;
mod dead_letter;
mod declare;
mod desk;
mod dispatch;
mod dlx;
mod few;
mod fifo;
mod flow;
mod frame;
mod headers;
mod look;
mod members;
mod message;
mod metadata;
mod mirror;
mod partition;
mod policy;
mod priority_line;
mod publisher;
mod qos;
mod queues;
mod quorum;
mod quorum_consumers;
mod raft_driver;
mod remarks;
mod replica;
mod routes;
mod routing;
pub mod script;
mod script_client;
mod server;
mod stream;
mod tagged;
mod topic;
mod topology;
mod transaction;
mod value;
mod view;
mod words;

pub use arguments::KNOWN as QUEUE_ARGUMENTS;
pub use by_hand::HeldView;
pub use config::*;
pub use frame::{Frame, Order, ServerOrder, Wake};
pub use policy::{ApplyTo, Pattern, Policy};
pub use routes::{BindingRoute, DeadLetterRoute, ExchangeRoute, Routes};
pub use script::{ADMIN, DeathSeen, Observed, Operation, PropertiesOf};
pub use value::{Table, Value};
pub use view::*;
pub use words::WORDS;

use consumer::Consumer;
use publisher::Publisher;
use script_client::ScriptClient;
use server::Server;
use sim::workload::{ClientOrder, NodeInfo, Role, Source, Workload};
use sim::{Crash, Effects, Event, MachineProfile, Nanos, NodeId, Process, Time, World};
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use topology::Topology;

pub(crate) type Fx<'a> = Effects<'a, Proc>;

/// A process of the cluster. What is in it is seen through [`QueueCluster::view`].
#[derive(Clone, Debug)]
pub struct Proc(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Server(Box<Server>),
    Publisher(Box<Publisher>),
    Consumer(Box<Consumer>),
    Script(Box<ScriptClient>),
}

impl Process for Proc {
    type Message = Frame;
    type Wake = Wake;
    type Order = Order;

    fn on_event(&mut self, event: Event<Self>, fx: &mut Effects<'_, Self>) {
        match &mut self.0 {
            Kind::Server(server) => server.on_event(event, fx),
            Kind::Publisher(publisher) => publisher.on_event(event, fx),
            Kind::Consumer(consumer) => consumer.on_event(event, fx),
            Kind::Script(script) => script.on_event(event, fx),
        }
    }

    fn on_crash(&mut self, crash: Crash) {
        match &mut self.0 {
            Kind::Server(server) => server.on_crash(crash),
            Kind::Publisher(publisher) => publisher.crash(),
            Kind::Consumer(consumer) => consumer.crash(),
            Kind::Script(script) => script.crash(),
        }
    }
}

/// A cluster at work with its clients.
#[derive(Clone, Debug)]
pub struct QueueCluster {
    world: World<Proc>,
    nodes: Rc<[NodeInfo]>,
    config: Rc<Config>,
}

impl QueueCluster {
    /// A cluster of which all nodes start at time 0. Settings that [`Config::check`] refuses are skipped over.
    #[must_use]
    pub fn new(seed: u64, workload: &Workload, config: &Config) -> QueueCluster {
        let config = Rc::new(config.clone());
        let topology = Rc::new(Topology::of(&config));
        let mut builder = Builder { processes: Vec::new(), nodes: Vec::new() };
        for node in 0..config.nodes {
            let server = Server::new(NodeId(node), &config, &topology);
            let name = server.name.to_string();
            builder.add(Kind::Server(Box::new(server)), config.machine.clone(), name, Role::Server);
        }
        let (late_producers, late_consumers) = config.late;
        let producers = workload.producers.len().saturating_sub(late_producers);
        let consumers = workload.consumers.len().saturating_sub(late_consumers);
        builder.publishers(seed, workload, &config, 0..producers);
        builder.consumers(seed, workload, &config, 0..consumers);
        for name in connections(&config) {
            let mine = |(_, operation): &&(Time, Operation)| operation.connection() == Some(name.as_str());
            let steps: VecDeque<(Time, Rc<Operation>)> =
                config.script.iter().filter(mine).map(|(at, op)| (*at, Rc::new(op.clone()))).collect();
            let client = ScriptClient::new(&config, steps);
            builder.client(Kind::Script(Box::new(client)), &name, Role::Producer(u16::MAX));
        }
        let there = builder.nodes.len();
        builder.publishers(seed, workload, &config, producers..workload.producers.len());
        builder.consumers(seed, workload, &config, consumers..workload.consumers.len());
        let mut world = World::new(seed, builder.processes, config.link);
        let nodes: Rc<[NodeInfo]> = builder.nodes.into();
        for info in nodes.iter().take(there) {
            world.start(info.id);
        }
        QueueCluster { world, nodes, config }
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &World<Proc> {
        &self.world
    }

    /// The world, to play it on and to break things in it.
    pub fn world_mut(&mut self) -> &mut World<Proc> {
        &mut self.world
    }

    /// What the cluster was made of.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All nodes in the order of their ids: servers, publishers, consumers, and then the scripted connections, whose
    /// role is that of a producer beyond the workload's: `Role::Producer(u16::MAX)`.
    #[must_use]
    pub fn nodes(&self) -> &[NodeInfo] {
        &self.nodes
    }

    /// Gives a client an order.
    ///
    /// # Errors
    /// A sentence, if there is no such client.
    pub fn order(&mut self, order: &ClientOrder) -> Result<(), String> {
        let role = order.role();
        let found = self.nodes.iter().find(|info| info.role == role).map(|info| info.id);
        let id = found.ok_or_else(|| format!("no client is {role:?}"))?;
        self.world.order(id, Order::Client(order.clone()));
        Ok(())
    }

    /// Gives a server an order.
    ///
    /// # Errors
    /// A sentence, if the node is no server.
    pub fn order_server(&mut self, node: NodeId, order: ServerOrder) -> Result<(), String> {
        if node.0 >= self.config.nodes {
            return Err(format!("node {} is no server", node.0));
        }
        self.world.order(node, Order::Server(order));
        Ok(())
    }

    /// Gives a scripted connection an operation, now.
    ///
    /// # Errors
    /// A sentence, if the config names no such connection.
    pub fn operate(&mut self, operation: &Operation) -> Result<(), String> {
        let Some(name) = operation.connection() else { return Ok(()) };
        let found = self.nodes.iter().find(|info| info.role == Role::Producer(u16::MAX) && info.name == name);
        let id = found.map(|info| info.id).ok_or_else(|| format!("no scripted connection is named {name}"))?;
        self.world.order(id, Order::Operate(Rc::new(operation.clone())));
        Ok(())
    }

    /// When a scripted connection last got a frame.
    #[must_use]
    pub fn last_frame(&self) -> Time {
        self.scripts().map(|(_, script)| script.last_frame).max().unwrap_or(Time::ZERO)
    }

    /// What the scripted connections saw: each connection's events in its order, from its `from`-th on.
    pub fn observed(&self, from: &dyn Fn(NodeId) -> usize) -> Vec<(NodeId, Time, Observed)> {
        let mut all = Vec::new();
        for (id, script) in self.scripts() {
            all.extend(script.observed.iter_from(from(id)).map(|(at, seen)| (id, *at, seen.clone())));
        }
        all
    }

    fn scripts(&self) -> impl Iterator<Item = (NodeId, &ScriptClient)> {
        let processes = (0u16..).zip(self.world.processes());
        processes.filter_map(|(id, process)| match &process.0 {
            Kind::Script(script) => Some((NodeId(id), &**script)),
            _ => None,
        })
    }
}

/// The scripted connections: those that the script names, and those named beside it.
fn connections(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let scripted = config.script.iter().filter_map(|(_, operation)| operation.connection());
    for name in scripted.chain(config.connections.iter().map(String::as_str)) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_string());
        }
    }
    names
}

struct Builder {
    processes: Vec<(Proc, MachineProfile)>,
    nodes: Vec<NodeInfo>,
}

impl Builder {
    fn add(&mut self, kind: Kind, machine: MachineProfile, name: String, role: Role) {
        let id = NodeId(self.processes.len() as u16);
        self.processes.push((Proc(kind), machine));
        self.nodes.push(NodeInfo { id, name, role });
    }

    fn publishers(&mut self, seed: u64, workload: &Workload, config: &Rc<Config>, places: Range<usize>) {
        for place in places {
            let (spec, index) = (&workload.producers[place], place as u16);
            let settings = config.publishers.get(place).cloned().unwrap_or_default();
            let publisher = Publisher::new(config, index, settings, Source::new(seed, index, spec));
            self.client(Kind::Publisher(Box::new(publisher)), &spec.name, Role::Producer(index));
        }
    }

    fn consumers(&mut self, seed: u64, workload: &Workload, config: &Rc<Config>, places: Range<usize>) {
        for place in places {
            let (spec, index) = (&workload.consumers[place], place as u16);
            let settings = config.consumers.get(place).cloned().unwrap_or_default();
            let consumer = Consumer::new(config, index, settings, spec, seed);
            self.client(Kind::Consumer(Box::new(consumer)), &spec.name, Role::Consumer(index));
        }
    }

    fn client(&mut self, kind: Kind, name: &str, role: Role) {
        let machine = MachineProfile { flush: Nanos::ZERO, ..MachineProfile::default() };
        self.add(kind, machine, name.to_string(), role);
    }
}
