//! A cluster of queues by RabbitMQ's rules: nodes, exchanges, queues, channels, publishers and consumers.
//!
//! It must never know of documents, pages or the other cluster. Server nodes and clients are processes of a
//! [`sim::World`]; all that they do follows from events. Held by the recordings of a real broker (crate `conform`).

mod config;
mod script;
mod value;
mod view;

pub use config::*;
pub use script::{ADMIN, DeathSeen, Observed, Operation, PropertiesOf};
pub use value::{Table, Value};
pub use view::*;

use sim::story::MessageId;
use sim::workload::{ClientOrder, NodeInfo, Problem, Workload};
use sim::{Crash, Effects, Event, Fingerprint, MachineProfile, NodeId, Process, Time, World};
use std::rc::Rc;

/// The marks' sentences, by code.
pub const WORDS: &[(&str, &str)] = &[
    ("leader-elected", "{0}: {1} leads, term {2}"),
    ("leader-lost", "{0}: no leader"),
    ("queue-down", "{0}: its home node is down"),
    ("queue-back", "{0}: its home node is back, {1} messages recovered"),
    ("node-lost", "{0} is no longer seen"),
    ("node-seen", "{0} is seen again"),
    ("client-connected", "connected to {0}"),
    ("client-disconnected", "lost the connection to {0}"),
    ("channel-closed", "channel closed: {0} {1}"),
    ("connection-closed", "connection closed: {0} {1}"),
    ("publish-refused", "{0} refused a message"),
    ("returned", "{0} came back: no queue took it"),
    ("flow", "the connection of {0} is in flow"),
    ("consumer-cancelled", "{0} was cancelled by the broker"),
    ("active-consumer", "{0}: {1} is the active consumer"),
    ("consumers-returned", "{0}: messages of {1} return to the queue"),
    ("queue-deleted", "{0} is deleted"),
    ("cycle-dropped", "{0}: a message that goes in circles is dropped"),
    ("delivery-limit", "{0}: a message reached the delivery limit"),
    ("queue-crashed", "{0}: its process crashed"),
];

impl Config {
    /// Checks the settings as the broker would.
    ///
    /// # Errors
    /// Every setting that is refused, with the broker's reason.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        Ok(())
    }
}

/// What a user orders of a process.
#[derive(Clone, Debug)]
pub enum Order {
    /// Of a workload's client.
    Client(ClientOrder),
    /// Of a scripted connection.
    Operate(Rc<Operation>),
}

impl Fingerprint for Order {
    fn fingerprint(&self) -> u64 {
        match self {
            Order::Client(order) => order.fingerprint(),
            Order::Operate(_) => 2,
        }
    }
}

/// PLACEHOLDER process.
#[derive(Clone, Debug)]
pub struct Proc;
/// PLACEHOLDER frame.
#[derive(Clone, Debug)]
pub struct Frame;
impl Fingerprint for Frame {
    fn fingerprint(&self) -> u64 {
        0
    }
}
impl Process for Proc {
    type Message = Frame;
    type Wake = Frame;
    type Order = Order;
    fn on_event(&mut self, _event: Event<Self>, _fx: &mut Effects<'_, Self>) {}
    fn on_crash(&mut self, _crash: Crash) {}
}

/// A cluster at work with its clients.
#[derive(Clone, Debug)]
pub struct QueueCluster {
    world: World<Proc>,
    nodes: Vec<NodeInfo>,
}

impl QueueCluster {
    /// A cluster of which all nodes start at time 0.
    #[must_use]
    pub fn new(seed: u64, _workload: &Workload, config: &Config) -> QueueCluster {
        let processes = vec![(Proc, MachineProfile::default())];
        QueueCluster { world: World::new(seed, processes, config.link), nodes: Vec::new() }
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

    /// All nodes in the order of their ids: servers, publishers, consumers, scripted connections.
    #[must_use]
    pub fn nodes(&self) -> &[NodeInfo] {
        &self.nodes
    }

    /// Gives a client an order.
    ///
    /// # Errors
    /// A sentence, if there is no such client.
    pub fn order(&mut self, _order: &ClientOrder) -> Result<(), String> {
        Ok(())
    }

    /// Gives a scripted connection an operation. The connection must be named in the config's script.
    ///
    /// # Errors
    /// A sentence, if there is no such connection.
    pub fn operate(&mut self, _operation: &Operation) -> Result<(), String> {
        Ok(())
    }

    /// Every message that can still be processed by a reader (a queue, by its place in the config).
    pub fn held(&self, _visit: &mut dyn FnMut(u8, MessageId)) {}

    /// What there is to see.
    #[must_use]
    pub fn view(&self) -> View {
        View::default()
    }

    /// What the scripted connections saw, by connection and in its order.
    pub fn observed(&self) -> impl Iterator<Item = (NodeId, Time, &Observed)> {
        std::iter::empty()
    }
}
