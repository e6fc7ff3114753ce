//! Producers, topics, partitions, groups and their members as a graph.

use crate::graph::{Graph, GraphNode, figure};
use crate::nodes;
use log_cluster::LogCluster;
use log_cluster::config::Acks;
use log_cluster::view::{AssignedView, ConsumerView, MemberState, PartitionView, ReplicaView, TopicView, View};
use player::{Player, Side, say};
use sim::NodeId;
use std::collections::BTreeMap;

/// So many partitions of a member are named one by one.
const NAMED: usize = 4;

struct Drawing<'a> {
    player: &'a Player,
    side: &'a Side<LogCluster>,
    view: View,
    /// The leaders' replicas, by topic and partition.
    led: BTreeMap<(u32, u32), ReplicaView>,
    graph: Graph,
}

pub(crate) fn graph(player: &Player, side: &Side<LogCluster>) -> Graph {
    let view = side.cluster.view();
    let mut led = BTreeMap::new();
    for server in &view.servers {
        for replica in server.broker.iter().flat_map(|broker| &broker.replicas) {
            let partition = view
                .topics
                .get(replica.topic as usize)
                .and_then(|topic| topic.partitions.get(replica.partition as usize));
            if partition.is_some_and(|partition| partition.leader == Some(server.node)) {
                led.insert((replica.topic, replica.partition), replica.clone());
            }
        }
    }
    let mut drawing = Drawing { player, side, view, led, graph: Graph::default() };
    drawing.producers();
    let topics = drawing.view.topics.clone();
    for (place, topic) in (0..).zip(&topics).filter(|(_, topic)| !topic.internal) {
        drawing.topic(place, topic);
    }
    drawing.groups();
    drawing.graph
}

fn acks(acks: Acks) -> &'static str {
    match acks {
        Acks::None => "acks=0",
        Acks::Leader => "acks=1",
        Acks::All => "acks=all",
    }
}

/// Where a consumer is with its group.
pub(crate) fn member_words(state: MemberState) -> &'static str {
    match state {
        MemberState::Unjoined => say!("Unjoined"),
        MemberState::Joining => say!("Joining"),
        MemberState::Syncing => say!("Syncing"),
        MemberState::Reconciling => say!("Reconciling"),
        MemberState::Stable => say!("Stable"),
    }
}

/// A group's state, as Kafka calls it; but whether one knows it is ours to say.
pub(crate) fn state_words(state: &'static str) -> &'static str {
    if state == "Unknown" { say!("not known") } else { state }
}

fn partition_id(topic: &str, partition: u32) -> String {
    format!("partition:{topic}-{partition}")
}

impl Drawing<'_> {
    fn name(&self, node: NodeId) -> String {
        let all = nodes(self.player, crate::Which::Log);
        all.get(node.index()).map_or(String::new(), |info| info.name.clone())
    }

    fn is_up(&self, node: NodeId) -> bool {
        self.side.cluster.world().health(node).is_alive()
    }

    fn producers(&mut self) {
        let Some(config) = &self.player.compiled().log else { return };
        for (index, producer) in self.view.producers.clone().iter().enumerate() {
            let name = self.name(producer.node);
            let mut node = GraphNode { card: name.clone(), ..GraphNode::new("producer", &name) };
            node.up = self.is_up(producer.node);
            node.sort = acks(config.producer(index).config.acks).to_owned();
            node.figures =
                vec![figure(say!("buffered"), producer.buffered), figure(say!("in flight"), producer.in_flight)];
            let topic = format!("topic:{}", config.producer(index).topic);
            self.graph.connect(&node.id, &topic, "publish", "", node.up);
            self.graph.nodes.push(node);
        }
    }

    fn topic(&mut self, place: u32, topic: &TopicView) {
        let mut node = GraphNode::new("topic", &topic.name).focused("topic");
        node.figures =
            vec![figure(say!("partitions"), topic.partitions.len() as u64), figure(say!("min ISR"), topic.min_isr)];
        node.up = topic.partitions.iter().any(|partition| partition.leader.is_some());
        let from = node.id.clone();
        self.graph.nodes.push(node);
        for partition in &topic.partitions {
            let node = self.partition(place, topic, partition);
            self.graph.connect(&from, &node.id, "part", "", node.up);
            self.graph.nodes.push(node);
        }
    }

    fn partition(&self, place: u32, topic: &TopicView, partition: &PartitionView) -> GraphNode {
        let name = format!("{}-{}", topic.name, partition.partition);
        let mut node =
            GraphNode { id: partition_id(&topic.name, partition.partition), ..GraphNode::new("partition", &name) };
        node.sort = say!("epoch {} · ISR {}/{}", partition.leader_epoch, partition.isr.len(), partition.replicas.len());
        node.at = partition.leader.map_or(String::new(), |leader| self.name(leader));
        node.card = node.at.clone();
        node.up = partition.leader.is_some_and(|leader| self.is_up(leader));
        if let Some(replica) = self.led.get(&(place, partition.partition)).filter(|_| node.up) {
            node.figures =
                vec![figure(say!("log end"), replica.log_end), figure(say!("high watermark"), replica.high_watermark)];
        }
        node
    }

    fn groups(&mut self) {
        let Some(config) = &self.player.compiled().log else { return };
        let consumers = self.view.consumers.clone();
        for group in self.view.groups.clone() {
            let members: Vec<(usize, &ConsumerView)> = (0..)
                .zip(&consumers)
                .filter(|(index, _)| config.consumer(*index).config.group_id == group.name)
                .collect();
            if members.is_empty() {
                continue;
            }
            let mut node = GraphNode::new("group", &group.name).focused("group");
            node.sort = [group.protocol, state_words(group.state)]
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" · ");
            node.at = group.coordinator.map_or(String::new(), |broker| self.name(broker));
            node.card = node.at.clone();
            node.up = group.coordinator.is_some_and(|broker| self.is_up(broker));
            let lag: u64 = members.iter().flat_map(|(_, member)| &member.assigned).map(|assigned| assigned.lag).sum();
            node.figures = vec![figure(say!("members"), group.members.len() as u64), figure(say!("lag"), lag)];
            let to = node.id.clone();
            self.graph.nodes.push(node);
            self.reads(&group.name, &to, &members);
            for (_, member) in &members {
                self.member(&to, member);
            }
        }
    }

    /// Every partition that the group has subscribed to, with its lag where a member has it.
    fn reads(&mut self, group: &str, to: &str, members: &[(usize, &ConsumerView)]) {
        let Some(config) = &self.player.compiled().log else { return };
        let topics = self.view.topics.clone();
        for (place, topic) in (0u32..).zip(&topics) {
            if !members.iter().any(|(index, _)| config.consumer(*index).topics.contains(&topic.name)) {
                continue;
            }
            for partition in &topic.partitions {
                let of = |a: &&AssignedView| a.topic == place && a.partition == partition.partition;
                let assigned = members.iter().find_map(|(_, member)| member.assigned.iter().find(of));
                let window = self.view.shares.iter().find(|share| {
                    share.group == group && share.topic == place && share.partition == partition.partition
                });
                let label = match (assigned, window) {
                    (_, Some(window)) => say!("{} acquired", window.acquired),
                    (Some(assigned), None) => say!("lag {}", player::words::grouped(assigned.lag)),
                    (None, None) => String::new(),
                };
                let is_read = assigned.is_some() || window.is_some();
                self.graph.connect(&partition_id(&topic.name, partition.partition), to, "read", label, is_read);
            }
        }
    }

    fn member(&mut self, group: &str, member: &ConsumerView) {
        let name = self.name(member.node);
        let mut node = GraphNode { card: name.clone(), ..GraphNode::new("consumer", &name) };
        node.up = self.is_up(member.node) && member.failed.is_none();
        node.sort = member.failed.unwrap_or_else(|| member_words(member.state)).to_owned();
        node.figures = vec![figure(say!("buffered"), member.buffered)];
        let names: Vec<String> = member.assigned.iter().map(|assigned| format!("p{}", assigned.partition)).collect();
        let label = if names.len() > NAMED { say!("{} partitions", names.len()) } else { names.join(" ") };
        self.graph.connect(group, &node.id, "deliver", label, !member.assigned.is_empty() || member.share.is_some());
        self.graph.nodes.push(node);
    }
}
