//! The cluster as a whole: its nodes, its orders, and what there is to see of it.

use crate::config::{Config, Controllers};
use crate::view::View;
use sim::story::MessageId;
use sim::workload::{ClientOrder, NodeInfo, Role, Workload};
use sim::{Crash, Effects, Event, Fingerprint, NodeId, Process, World};

/// What nodes send each other.
#[derive(Clone, Debug)]
pub struct Message;
/// What a node tells itself.
#[derive(Clone, Debug)]
pub struct Wake;

impl Fingerprint for Message {
    fn fingerprint(&self) -> u64 {
        0
    }
}
impl Fingerprint for Wake {
    fn fingerprint(&self) -> u64 {
        0
    }
}

/// A process of the cluster.
#[derive(Clone, Debug)]
pub enum Node {
    /// Not written yet.
    Idle,
}

impl Process for Node {
    type Message = Message;
    type Wake = Wake;
    type Order = ClientOrder;

    fn on_event(&mut self, _event: Event<Self>, _fx: &mut Effects<'_, Self>) {}

    fn on_crash(&mut self, _crash: Crash) {}
}

/// A cluster of logs at work.
#[derive(Clone, Debug)]
pub struct LogCluster {
    world: World<Node>,
    nodes: Vec<NodeInfo>,
    readers: Vec<String>,
    clients: NodeId,
    producers: u16,
}

impl LogCluster {
    /// A cluster with all nodes started at time 0. `config` should have passed [`Config::check`].
    #[must_use]
    pub fn new(seed: u64, workload: &Workload, config: &Config) -> LogCluster {
        let nodes = name_nodes(workload, config);
        let server = |node: &NodeInfo| matches!(node.role, Role::Server | Role::Controller);
        let profile = |node: &NodeInfo| if server(node) { &config.machine } else { &config.client_machine }.clone();
        let processes = nodes.iter().map(|node| (Node::Idle, profile(node))).collect();
        let mut world = World::new(seed, processes, config.link);
        nodes.iter().for_each(|node| world.start(node.id));
        let clients = NodeId(nodes.iter().filter(|node| server(node)).count() as u16);
        LogCluster {
            world,
            readers: name_readers(workload, config),
            nodes,
            clients,
            producers: workload.producers.len() as u16,
        }
    }

    /// The world that drives it.
    #[must_use]
    pub fn world(&self) -> &World<Node> {
        &self.world
    }

    /// The world that drives it, to be broken and driven.
    pub fn world_mut(&mut self) -> &mut World<Node> {
        &mut self.world
    }

    /// All nodes: brokers, then controllers, producers and consumers.
    #[must_use]
    pub fn nodes(&self) -> &[NodeInfo] {
        &self.nodes
    }

    /// The groups' ids, by reader number.
    #[must_use]
    pub fn readers(&self) -> &[String] {
        &self.readers
    }

    /// Gives a client an order, now.
    ///
    /// # Errors
    /// A sentence, if there is no such client.
    pub fn order(&mut self, order: &ClientOrder) -> Result<(), String> {
        let role = match order {
            ClientOrder::SetRate { producer, .. } | ClientOrder::PublishOne { producer } => Role::Producer(*producer),
            ClientOrder::SetProcessing { consumer, .. } | ClientOrder::SetPrefetch { consumer, .. } => {
                Role::Consumer(*consumer)
            }
        };
        let Some(node) = self.nodes.iter().find(|node| node.role == role) else {
            return Err(format!("there is no such client: {role:?}"));
        };
        self.world.order(node.id, order.clone());
        Ok(())
    }

    /// Visits every message that a reader can still come to process.
    pub fn held(&self, _visit: &mut dyn FnMut(u8, MessageId)) {}

    /// What there is to see now.
    #[must_use]
    pub fn view(&self) -> View {
        let _ = (self.clients, self.producers);
        View::default()
    }
}

fn name_nodes(workload: &Workload, config: &Config) -> Vec<NodeInfo> {
    let mut nodes: Vec<(String, Role)> = Vec::new();
    nodes.extend((1..=config.brokers).map(|number| (format!("broker-{number}"), Role::Server)));
    if let Controllers::Dedicated(count) = config.controllers {
        nodes.extend((1..=count).map(|number| (format!("controller-{number}"), Role::Controller)));
    }
    nodes.extend((0..).zip(&workload.producers).map(|(index, spec)| (spec.name.clone(), Role::Producer(index))));
    nodes.extend((0..).zip(&workload.consumers).map(|(index, spec)| (spec.name.clone(), Role::Consumer(index))));
    (0..).zip(nodes).map(|(id, (name, role))| NodeInfo { id: NodeId(id), name, role }).collect()
}

/// The groups in the order of their first members; a reader is a group.
fn name_readers(workload: &Workload, config: &Config) -> Vec<String> {
    let mut readers: Vec<String> = Vec::new();
    for index in 0..workload.consumers.len() {
        let group = config.consumer(index).config.group_id;
        if !readers.contains(&group) {
            readers.push(group);
        }
    }
    readers
}
