//! Nothing is moving: why? What each part of a cluster waits for at the playhead, and until when, as far as that is known.

use crate::inspect_queue::alarm_words;
use log_cluster::view::{ConsumerView as Member, MemberState, PartitionView, ProducerView, Registration, TopicView};
use player::{Player, Side, say};
use queue_cluster::{ConsumerView, PublisherView, QueueKind, QueueView};
use serde::Serialize;
use sim::workload::NodeInfo;
use sim::{Health, Nanos, NodeId, Time};

/// Something that somebody waits for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Wait {
    /// `log` or `queue`.
    pub cluster: &'static str,
    /// Who waits for what, in a sentence.
    pub says: String,
    /// Until when at the latest, in nanoseconds of the run; absent where nothing but an order ends it.
    pub until: Option<f64>,
    /// By which rule.
    pub rule: &'static str,
}

/// All that is waited for at the playhead, the log cluster's first.
#[must_use]
pub fn waits(player: &Player) -> Vec<Wait> {
    let mut found = Vec::new();
    let state = player.state();
    if let Some(side) = &state.log {
        log(player, side, &mut found);
    }
    if let Some(side) = &state.queue {
        queue(player, side, &mut found);
    }
    found
}

fn named(nodes: &[NodeInfo], node: NodeId) -> &str {
    nodes.get(node.index()).map_or("", |node| node.name.as_str())
}

fn list(nodes: &[NodeInfo], ids: &[NodeId]) -> String {
    ids.iter().map(|id| named(nodes, *id)).collect::<Vec<_>>().join(", ")
}

fn log(player: &Player, side: &Side<log_cluster::LogCluster>, found: &mut Vec<Wait>) {
    let Some(config) = &player.compiled().log else { return };
    let (view, nodes) = (side.cluster.view(), side.cluster.nodes());
    let up = |node: NodeId| side.cluster.world().health(node) == Health::Running;
    let mut tell = |says: String, until: Option<Time>, rule| {
        found.push(Wait { cluster: "log", says, until: until.map(|at| at.0 as f64), rule });
    };
    let controllers: Vec<_> = view.servers.iter().filter(|server| server.controller.is_some()).collect();
    let at_work = controllers.iter().filter(|server| up(server.node)).count();
    if at_work * 2 <= controllers.len() {
        let says = say!(
            "the cluster waits for a majority of its controllers: {} of {} are at work; nobody is fenced or elected",
            at_work,
            controllers.len()
        );
        tell(says, None, "K-Q3");
    } else if !controllers
        .iter()
        .any(|server| server.controller.as_ref().is_some_and(|c| c.is_active) && up(server.node))
    {
        tell(say!("the controllers elect an active one").to_owned(), None, "K-Q1");
    }
    for server in &view.servers {
        let Some(broker) = &server.broker else { continue };
        if broker.registration == Registration::Active && !up(server.node) && at_work * 2 > controllers.len() {
            let session = Nanos::millis(config.broker.broker_session_timeout_ms.unsigned_abs());
            let down = crate::down_since(side, server.node).unwrap_or(player.at());
            // The controller looks every eighth of the session.
            let until = down + session + Nanos(session.0 / 8);
            let says = say!(
                "the controller waits until {} has been silent for broker.session.timeout.ms, {}",
                named(nodes, server.node),
                say::number(session)
            );
            tell(says, Some(until), "K-Q4");
        }
    }
    for topic in view.topics.iter().filter(|topic| !topic.internal) {
        topic.partitions.iter().for_each(|partition| partition_waits(topic, partition, nodes, &up, &mut tell));
    }
    for producer in &view.producers {
        producer_waits(producer, named(nodes, producer.node), &mut tell);
    }
    for consumer in &view.consumers {
        member_waits(consumer, named(nodes, consumer.node), &mut tell);
    }
}

type Tell<'a> = &'a mut dyn FnMut(String, Option<Time>, &'static str);

fn producer_waits(producer: &ProducerView, name: &str, tell: Tell<'_>) {
    if producer.blocked > 0 {
        let says = say!(
            "{1}: send() blocks for {0} record, buffer.memory is full|\
             {1}: send() blocks for {0} records, buffer.memory is full",
            producer.blocked,
            name
        );
        tell(says, None, "K-P1");
    } else if producer.in_flight > 0 {
        let says = say!(
            "{1} waits for the acknowledgement of {0} record|{1} waits for the acknowledgement of {0} records",
            producer.in_flight,
            name
        );
        tell(says, None, "K-A1");
    }
}

fn member_waits(consumer: &Member, name: &str, tell: Tell<'_>) {
    match consumer.state {
        MemberState::Unjoined => tell(say!("{} looks for its group's coordinator", name), None, "K-G1"),
        MemberState::Joining => tell(say!("{} waits for its group to form", name), None, "K-G3"),
        MemberState::Syncing => tell(say!("{} waits for its share of the partitions", name), None, "K-G3"),
        MemberState::Reconciling => tell(say!("{} gives up or takes up partitions", name), None, "K-G8"),
        MemberState::Stable => {}
    }
}

fn partition_waits(
    topic: &TopicView,
    partition: &PartitionView,
    nodes: &[NodeInfo],
    up: &dyn Fn(NodeId) -> bool,
    tell: Tell<'_>,
) {
    let name = format!("{}-{}", topic.name, partition.partition);
    match partition.leader {
        None => {
            let able: &[NodeId] = if partition.isr.is_empty() { &partition.elr } else { &partition.isr };
            let says = say!("{} has no leader: it waits for one of {}", name, list(nodes, able));
            tell(says, None, "K-E1");
        }
        Some(leader) if !up(leader) => {
            let says = say!("{} waits for its leader {}, or for a new one", name, named(nodes, leader));
            tell(says, None, "K-E2");
        }
        Some(_) => {}
    }
    let in_sync = partition.isr.len();
    if partition.leader.is_some() && in_sync < topic.min_isr as usize {
        let says = say!(
            "{} takes no record with acks=all: {} in sync, min.insync.replicas is {}; its high watermark stands still",
            name,
            in_sync,
            topic.min_isr
        );
        tell(says, None, "K-A5");
    }
    let behind: Vec<NodeId> =
        partition.isr.iter().copied().filter(|node| !up(*node) && partition.leader != Some(*node)).collect();
    if !behind.is_empty() && partition.leader.is_some_and(up) {
        let says = say!("{}: the high watermark waits for {}, still counted as in sync", name, list(nodes, &behind));
        tell(says, None, "K-R3");
    }
}

fn queue(player: &Player, side: &Side<queue_cluster::QueueCluster>, found: &mut Vec<Wait>) {
    let Some(config) = &player.compiled().queue else { return };
    let (view, nodes) = (side.cluster.view(), side.cluster.nodes());
    let up = |node: NodeId| side.cluster.world().health(node) == Health::Running;
    let mut tell = |says: String, until: Option<Time>, rule| {
        found.push(Wait { cluster: "queue", says, until: until.map(|at| at.0 as f64), rule });
    };
    for node in &view.nodes {
        if node.paused_by_strategy {
            tell(say!("{} has paused itself: it waits to see enough of the others", node.name), None, "R-N2");
        }
        if !node.alarms.is_empty() && up(node.id) {
            let says = say!("{} raises an alarm ({}): publishers wait everywhere", node.name, alarm_words(node));
            tell(says, None, "R-M4");
        }
    }
    for queue in view.queues.iter().filter(|queue| !queue.available) {
        let (says, until) = unavailable(queue, nodes, &up);
        let down = queue.members.iter().map(|member| member.node).filter(|node| !up(*node));
        let since = down.filter_map(|node| crate::down_since(side, node)).max().filter(|_| until);
        let suspects = config.server.aten_suspects + config.server.aten_poll;
        let rule = if queue.kind == QueueKind::Classic { "R-Q3" } else { "R-U2" };
        tell(says, since.map(|since| since + suspects).filter(|at| *at > player.at()), rule);
    }
    for publisher in view.publishers.iter().filter(|publisher| up(publisher.id)) {
        publisher_waits(publisher, named(nodes, publisher.id), &mut tell);
    }
    for consumer in view.consumers.iter().filter(|consumer| up(consumer.id)) {
        consumer_waits(consumer, named(nodes, consumer.id), &mut tell);
    }
}

fn publisher_waits(publisher: &PublisherView, name: &str, tell: Tell<'_>) {
    let with = publisher.waiting;
    if publisher.connected.is_none() {
        let says = say!(
            "{1} waits for a connection, and {0} message with it|{1} waits for a connection, and {0} messages with it",
            with,
            name
        );
        tell(says, None, "R-M7");
    } else if publisher.blocked {
        let says = say!(
            "{1} is blocked by an alarm, and {0} message with it|{1} is blocked by an alarm, and {0} messages with it",
            with,
            name
        );
        tell(says, None, "R-M4");
    } else if publisher.unconfirmed > 0 {
        let says = say!("{1} waits for {0} confirm|{1} waits for {0} confirms", publisher.unconfirmed, name);
        tell(says, None, "R-C1");
    }
}

fn consumer_waits(consumer: &ConsumerView, name: &str, tell: Tell<'_>) {
    if consumer.connected.is_none() {
        tell(say!("{} waits for a connection", name), None, "R-M7");
    } else if consumer.prefetch > 0 && consumer.unacked_count >= u32::from(consumer.prefetch) {
        let says = say!("{}: {}'s prefetch window of {} is full", consumer.queue, name, consumer.prefetch);
        tell(says, consumer.working.map(|(_, until)| until), "R-P1");
    }
}

/// Why a queue cannot be used, and whether an election will end that.
fn unavailable(queue: &QueueView, nodes: &[NodeInfo], up: &dyn Fn(NodeId) -> bool) -> (String, bool) {
    let name = &queue.name;
    if queue.kind == QueueKind::Classic {
        let home = queue.leader.map_or(say!("its node"), |home| named(nodes, home));
        return (say!("{} is down with {}: it waits for it to come back", name, home), false);
    }
    let at_work = queue.members.iter().filter(|member| up(member.node)).count();
    if at_work * 2 <= queue.members.len() {
        let all = queue.members.len();
        return (say!("{} waits for a majority: {} of its {} members are at work", name, at_work, all), false);
    }
    (say!("{} has no leader at work: its members elect one once they suspect the old one", name), true)
}
