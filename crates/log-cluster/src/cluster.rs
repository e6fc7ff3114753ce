//! The cluster as a whole: its nodes, its orders, and what there is to see of it.

use crate::admin::{AdminOrder, Order};
use crate::config::{Config, Controllers};
use crate::consumer::Consumer;
use crate::layout::Layout;
use crate::producer::Producer;
use crate::rpc::{Message, Wake};
use crate::server::Server;
use crate::share::ShareOrder;
use sim::workload::{ClientOrder, NodeInfo, Role, Source, Workload};
use sim::{Crash, Effects, Event, NodeId, Process, World};
use std::rc::Rc;

/// A process of the cluster.
#[derive(Clone, Debug)]
pub enum Node {
    /// A broker, a controller, or both in one.
    Server(Box<Server>),
    /// A producing client.
    Producer(Box<Producer>),
    /// A consuming client.
    Consumer(Box<Consumer>),
}

impl Process for Node {
    type Message = Message;
    type Wake = Wake;
    type Order = Order;

    fn on_event(&mut self, event: Event<Self>, fx: &mut Effects<'_, Self>) {
        match self {
            Node::Server(server) => server.on_event(event, fx),
            Node::Producer(producer) => producer.on_event(event, fx),
            Node::Consumer(consumer) => consumer.on_event(event, fx),
        }
    }

    fn on_crash(&mut self, crash: Crash) {
        match self {
            Node::Server(server) => server.on_crash(crash),
            Node::Producer(producer) => producer.crash(),
            Node::Consumer(consumer) => consumer.crash(),
        }
    }
}

/// A cluster of logs at work.
#[derive(Clone, Debug)]
pub struct LogCluster {
    world: World<Node>,
    nodes: Vec<NodeInfo>,
    pub(crate) layout: Rc<Layout>,
}

impl LogCluster {
    /// A cluster with all nodes started at time 0. `config` should have passed [`Config::check`].
    #[must_use]
    pub fn new(seed: u64, workload: &Workload, config: &Config) -> LogCluster {
        let nodes = name_nodes(workload, config);
        let layout = Rc::new(Layout::new(config, &nodes, name_readers(workload, config)));
        let process = |node: &NodeInfo| match node.role {
            Role::Server | Role::Controller => {
                (Node::Server(Box::new(Server::new(&layout, node.id.0))), config.machine.clone())
            }
            Role::Producer(index) => {
                let source = Source::new(seed, index, &workload.producers[usize::from(index)]);
                let client = config.producer(usize::from(index));
                let producer = Producer::new(layout.clone(), index, client, source);
                (Node::Producer(Box::new(producer)), config.client_machine.clone())
            }
            Role::Consumer(index) => {
                let spec = &workload.consumers[usize::from(index)];
                let client = config.consumer(usize::from(index));
                let consumer = Consumer::new(layout.clone(), index, client, spec);
                (Node::Consumer(Box::new(consumer)), config.client_machine.clone())
            }
        };
        let processes = nodes.iter().map(process).collect();
        let mut world = World::new(seed, processes, config.link);
        let spare = layout.brokers - layout.spare..layout.brokers;
        let late = config.late.0 + config.late.1;
        let there = nodes.iter().take(nodes.len() - late).filter(|node| !spare.contains(&node.id.0));
        there.for_each(|node| world.start(node.id));
        LogCluster { world, nodes, layout }
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
        &self.layout.readers
    }

    /// Gives a client an order, now.
    ///
    /// # Errors
    /// A sentence, if there is no such client.
    pub fn order(&mut self, order: &ClientOrder) -> Result<(), String> {
        let role = order.role();
        let Some(node) = self.nodes.iter().find(|node| node.role == role) else {
            return Err(format!("there is no such client: {role:?}"));
        };
        self.world.order(node.id, Order::Client(order.clone()));
        Ok(())
    }

    /// Has a share consumer's application do something that does nothing by itself.
    ///
    /// # Errors
    /// A sentence, if there is no such consumer.
    pub fn order_share(&mut self, consumer: u16, order: ShareOrder) -> Result<(), String> {
        let role = Role::Consumer(consumer);
        let node = self.nodes.iter().find(|node| node.role == role).map(|node| node.id);
        let node = node.ok_or_else(|| format!("there is no such client: {role:?}"))?;
        self.world.order(node, Order::Share(order));
        Ok(())
    }

    /// Has an administrator's tool talk to a broker, now. A broker that is down hears nothing of it.
    ///
    /// # Errors
    /// A sentence, if that is no broker.
    pub fn administer(&mut self, broker: NodeId, order: AdminOrder) -> Result<(), String> {
        if broker.0 >= self.layout.brokers {
            return Err(format!("node {} is no broker", broker.0));
        }
        self.world.order(broker, Order::Admin(order));
        Ok(())
    }
}

fn name_nodes(workload: &Workload, config: &Config) -> Vec<NodeInfo> {
    let mut nodes: Vec<(String, Role)> = Vec::new();
    nodes.extend((1..=config.brokers).map(|number| (format!("broker-{number}"), Role::Server)));
    if let Controllers::Dedicated(count) = config.controllers {
        nodes.extend((1..=count).map(|number| (format!("controller-{number}"), Role::Controller)));
    }
    let producers = (0..).zip(&workload.producers).map(|(index, spec)| (spec.name.clone(), Role::Producer(index)));
    let consumers = (0..).zip(&workload.consumers).map(|(index, spec)| (spec.name.clone(), Role::Consumer(index)));
    let (mut producers, mut consumers): (Vec<_>, Vec<_>) = (producers.collect(), consumers.collect());
    // Who joins later comes after all others, so that these are the same nodes as without.
    let late_producers = producers.split_off(producers.len().saturating_sub(config.late.0));
    let late_consumers = consumers.split_off(consumers.len().saturating_sub(config.late.1));
    nodes.extend([producers, consumers, late_producers, late_consumers].into_iter().flatten());
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
