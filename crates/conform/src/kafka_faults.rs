//! What happens to a recorded Kafka cluster, and how it is done to the engine's.

use crate::kafka_cluster::Run;
use log_cluster::LogCluster;
use serde::Deserialize;
use sim::workload::Role;
use sim::{Crash, Nanos, NodeId, Time};

/// Brokers are numbered from 1, times are milliseconds after the producer's first message.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Fault {
    op: Op,
    at_ms: u64,
    broker: u16,
    /// The other ends of links.
    #[serde(default)]
    brokers: Vec<u16>,
    #[serde(default)]
    controller: bool,
    #[serde(default)]
    pub(crate) clients: bool,
    /// Whether only what the broker sends is meant.
    #[serde(default)]
    one_way: bool,
}

#[derive(Copy, Clone, Debug, Deserialize)]
enum Op {
    #[serde(rename = "broker.kill")]
    Kill,
    #[serde(rename = "broker.stop")]
    Stop,
    #[serde(rename = "broker.start")]
    Start,
    #[serde(rename = "broker.pause")]
    Pause,
    #[serde(rename = "broker.resume")]
    Resume,
    #[serde(rename = "links.cut")]
    Cut,
    #[serde(rename = "links.heal")]
    Heal,
}

/// Something that happens to the cluster.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Kill(NodeId),
    Stop(NodeId),
    Start(NodeId),
    Pause(NodeId),
    Resume(NodeId),
    /// Links, each one way.
    Cut(Vec<(NodeId, NodeId)>),
    Heal(Vec<(NodeId, NodeId)>),
}

/// A broker's node by the recording's number.
pub(crate) fn broker(cluster: &LogCluster, number: u16) -> Option<NodeId> {
    let name = format!("broker-{number}");
    cluster.nodes().iter().find(|node| node.name == name).map(|node| node.id)
}

pub(crate) fn number(cluster: &LogCluster, node: NodeId) -> u16 {
    let name = &cluster.nodes()[node.index()].name;
    name.strip_prefix("broker-").and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn links(cluster: &LogCluster, fault: &Fault, me: NodeId) -> Vec<(NodeId, NodeId)> {
    let others = cluster.nodes().iter().filter(|node| match node.role {
        Role::Server => fault.brokers.contains(&number(cluster, node.id)),
        Role::Controller => fault.controller,
        Role::Producer(_) | Role::Consumer(_) => fault.clients,
    });
    let both = |other: NodeId| [(me, other), (other, me)].into_iter().take(if fault.one_way { 1 } else { 2 });
    others.flat_map(|other| both(other.id)).collect()
}

/// The faults in the order of their times. A broker that was started begins to register when its process was ready to,
/// or, where that was not recorded, when it was let in.
pub(crate) fn events_of(cluster: &LogCluster, faults: &[Fault], run: &Run, begin: Time) -> Vec<(Time, Event)> {
    let mut started = if run.boot_ms.is_empty() { &run.up_ms } else { &run.boot_ms }.iter();
    let mut of = |fault: &Fault| {
        let mut at = begin + Nanos::millis(fault.at_ms);
        let node = broker(cluster, fault.broker)?;
        let event = match fault.op {
            Op::Kill => Event::Kill(node),
            Op::Stop => Event::Stop(node),
            Op::Pause => Event::Pause(node),
            Op::Resume => Event::Resume(node),
            Op::Start => {
                at += Nanos::millis(started.next().copied().unwrap_or(0));
                Event::Start(node)
            }
            Op::Cut => Event::Cut(links(cluster, fault, node)),
            Op::Heal => Event::Heal(links(cluster, fault, node)),
        };
        Some((at, event))
    };
    let mut events: Vec<_> = faults.iter().filter_map(&mut of).collect();
    events.sort_by_key(|(at, _)| *at);
    events
}

pub(crate) fn happen(cluster: &mut LogCluster, event: &Event) {
    let world = cluster.world_mut();
    match event {
        Event::Kill(node) => world.crash(*node, Crash::Kill),
        Event::Stop(node) => world.stop(*node),
        Event::Start(node) => world.start(*node),
        Event::Pause(node) => world.pause(*node),
        Event::Resume(node) => world.resume(*node),
        Event::Cut(links) => links.iter().for_each(|(from, to)| world.cut(*from, *to)),
        Event::Heal(links) => links.iter().for_each(|(from, to)| world.heal(*from, *to)),
    }
}
