//! What stands of the log cluster's things.

use crate::Which;
use crate::graph_log::{member_words, state_words};
use crate::inspect::{Facts, name_of, names, node_named};
use log_cluster::LogCluster;
use log_cluster::view::{
    BrokerView, ConsumerView, ControllerView, ProducerView, Registration, ReplicaView, Stage, View,
};
use player::words::grouped;
use player::{Player, Side, say};
use sim::NodeId;

/// Whether there is such a thing; what is known of it is added.
pub(crate) fn facts(player: &Player, side: &Side<LogCluster>, kind: &str, name: &str, facts: &mut Facts) -> bool {
    let view = side.cluster.view();
    match kind {
        "node" => node_named(player, Which::Log, name).is_some_and(|node| {
            of_node(player, &view, node, facts);
            true
        }),
        "topic" => topic(player, &view, name, facts),
        "partition" => partition(player, side, name, facts),
        "group" => group(player, &view, name, facts),
        _ => false,
    }
}

fn of_node(player: &Player, view: &View, node: NodeId, facts: &mut Facts) {
    if let Some(server) = view.servers.iter().find(|server| server.node == node) {
        server.broker.iter().for_each(|known| broker(view, known, facts));
        server.controller.iter().for_each(|known| controller(player, known, facts));
    }
    view.producers.iter().filter(|known| known.node == node).for_each(|known| producer(known, facts));
    view.consumers.iter().filter(|known| known.node == node).for_each(|known| consumer(player, view, known, facts));
}

fn replica_words(replica: &ReplicaView) -> String {
    let role = match (replica.is_leader, replica.in_sync) {
        (true, _) => say!("leader"),
        (_, true) => say!("follower in sync"),
        _ => say!("follower out of sync"),
    };
    say!(
        "{}, epoch {}, log end {}, high watermark {}, last stable {}, flushed {}",
        role,
        replica.leader_epoch,
        replica.log_end,
        replica.high_watermark,
        replica.last_stable,
        replica.flushed
    )
}

fn registration_words(registration: Registration) -> &'static str {
    match registration {
        Registration::Unregistered => say!("Unregistered"),
        Registration::Fenced => say!("Fenced"),
        Registration::Active => say!("Active"),
        Registration::ControlledShutdown => say!("ControlledShutdown"),
    }
}

fn stage_words(stage: Stage) -> &'static str {
    match stage {
        Stage::Idle => say!("has not begun"),
        Stage::Initializing => "initTransactions",
        Stage::Ready => say!("between two"),
        Stage::Open => say!("open"),
        Stage::Hung => say!("hangs"),
        Stage::Ending(true) => say!("commits"),
        Stage::Ending(false) => say!("aborts"),
        Stage::Over => say!("fenced"),
    }
}

fn broker(view: &View, broker: &BrokerView, facts: &mut Facts) {
    facts.say(say!("registration"), registration_words(broker.registration), "K-Q4");
    facts.say(say!("broker epoch"), broker.epoch, "K-Q5");
    facts.say(say!("metadata offset"), broker.metadata_offset, "K-Q1");
    facts.say(say!("produce requests that wait for replicas"), broker.waiting_produces, "K-A1");
    facts.say(say!("fetches that wait for data"), broker.waiting_fetches, "K-C1");
    for replica in &broker.replicas {
        let topic = view.topics.get(replica.topic as usize).map_or("", |topic| topic.name.as_str());
        facts.say(format!("{topic}-{}", replica.partition), replica_words(replica), "K-R1");
    }
}

fn controller(player: &Player, controller: &ControllerView, facts: &mut Facts) {
    let role = match (controller.is_active, controller.is_candidate) {
        (true, _) => say!("active"),
        (_, true) => say!("candidate"),
        _ => say!("follower"),
    };
    facts.say(say!("controller"), role, "K-Q1");
    let active = controller.leader.map_or(say!("nobody").to_owned(), |node| name_of(player, Which::Log, node));
    facts.say(say!("takes for the active one"), active, "K-Q2");
    facts.say(say!("controller epoch"), controller.epoch, "K-Q2");
    facts.say(say!("metadata log"), say!("end {}, committed {}", controller.log_end, controller.committed), "K-Q1");
}

fn producer(producer: &ProducerView, facts: &mut Facts) {
    facts.say(say!("buffered records"), producer.buffered, "K-P1");
    facts.say(say!("buffered bytes"), grouped(producer.buffered_bytes), "K-P1");
    facts.say(say!("records in flight"), producer.in_flight, "K-P4");
    facts.say(say!("held back, as send blocks"), producer.blocked, "K-P1");
    if let Some(partition) = producer.sticky_partition {
        facts.say(say!("sticky partition"), partition, "K-T3");
    }
    if let Some((id, epoch)) = producer.producer_id {
        facts.say(say!("producer id and epoch"), format!("{id}, {epoch}"), "K-I1");
    }
    if let Some(open) = &producer.transactions {
        let stage = stage_words(open.stage);
        let said = say!("{}: {}, {} begun, {} records in it", open.id, stage, open.begun, open.records);
        facts.say(say!("transaction"), said, "K-X2");
    }
}

fn consumer(player: &Player, view: &View, consumer: &ConsumerView, facts: &mut Facts) {
    facts.say(say!("in its group"), member_words(consumer.state), "K-G2");
    facts.say(say!("generation or epoch"), consumer.generation, "K-G4");
    let keeper = consumer.coordinator.map_or(say!("not known").to_owned(), |node| name_of(player, Which::Log, node));
    facts.say(say!("coordinator"), keeper, "K-G1");
    facts.say(say!("buffered records"), consumer.buffered, "K-C2");
    for assigned in &consumer.assigned {
        let topic = view.topics.get(assigned.topic as usize).map_or("", |topic| topic.name.as_str());
        let committed = assigned.committed.map_or(say!("nothing").to_owned(), |offset| offset.to_string());
        let said = say!("position {}, committed {}, lag {}", assigned.position, committed, assigned.lag);
        facts.say(format!("{topic}-{}", assigned.partition), said, "K-O2");
    }
    if let Some(error) = consumer.failed {
        facts.say(say!("its application failed"), error, "K-C5");
    }
}

fn topic(player: &Player, view: &View, name: &str, facts: &mut Facts) -> bool {
    let Some(topic) = view.topics.iter().find(|topic| topic.name == name) else { return false };
    facts.say(say!("partitions"), topic.partitions.len(), "K-T2");
    facts.say("min.insync.replicas", topic.min_isr, "K-A2");
    for partition in &topic.partitions {
        let leader = partition.leader.map_or(say!("nobody").to_owned(), |node| name_of(player, Which::Log, node));
        let isr = names(player, Which::Log, partition.isr.iter().copied());
        let said = say!("leader {}, epoch {}, in sync {}", leader, partition.leader_epoch, isr);
        facts.say(format!("{name}-{}", partition.partition), said, "K-E2");
    }
    true
}

fn partition(player: &Player, side: &Side<LogCluster>, name: &str, facts: &mut Facts) -> bool {
    let view = side.cluster.view();
    let Some((topic, number)) = name.rsplit_once('-') else { return false };
    let Some(place) = view.topics.iter().position(|known| known.name == topic) else { return false };
    let found = view.topics[place].partitions.iter().find(|known| known.partition.to_string() == number);
    let Some(partition) = found else { return false };
    let list = |ids: &[NodeId]| names(player, Which::Log, ids.iter().copied());
    facts.say(say!("leader"), list(partition.leader.as_slice()), "K-E2");
    facts.say(say!("leader epoch"), partition.leader_epoch, "K-L1");
    facts.say(say!("replicas"), list(&partition.replicas), "K-E9");
    facts.say(say!("in sync"), list(&partition.isr), "K-R3");
    if !partition.elr.is_empty() {
        facts.say(say!("eligible to lead"), list(&partition.elr), "K-E4");
    }
    if !partition.adding.is_empty() || !partition.removing.is_empty() {
        let said = say!("adds {}, removes {}", list(&partition.adding), list(&partition.removing));
        facts.say(say!("reassignment"), said, "K-E10");
    }
    for server in &view.servers {
        let here = |replica: &&ReplicaView| replica.topic as usize == place && replica.partition == partition.partition;
        if let Some(replica) = server.broker.iter().flat_map(|broker| &broker.replicas).find(here) {
            let at_work = side.cluster.world().health(server.node).is_alive();
            let said = if at_work { replica_words(replica) } else { say!("not at work").to_owned() };
            facts.say(name_of(player, Which::Log, server.node), said, "K-A4");
        }
    }
    for consumer in &view.consumers {
        let here = consumer.assigned.iter().find(|a| a.topic as usize == place && a.partition == partition.partition);
        if let Some(assigned) = here {
            let committed = assigned.committed.map_or(say!("nothing").to_owned(), |offset| offset.to_string());
            let said = say!("reads, position {}, committed {}, lag {}", assigned.position, committed, assigned.lag);
            facts.say(name_of(player, Which::Log, consumer.node), said, "K-C1");
        }
    }
    true
}

fn known(word: &'static str) -> &'static str {
    if word.is_empty() { say!("not known") } else { word }
}

fn group(player: &Player, view: &View, name: &str, facts: &mut Facts) -> bool {
    let Some(group) = view.groups.iter().find(|group| group.name == name) else { return false };
    facts.say(say!("coordinator"), names(player, Which::Log, group.coordinator), "K-G1");
    facts.say(say!("protocol"), known(group.protocol), "K-G5");
    facts.say(say!("state"), known(state_words(group.state)), "K-G2");
    facts.say(say!("generation or epoch"), group.generation, "K-G4");
    for member in &group.members {
        let owned = |&(topic, partition): &(u32, u32)| {
            format!("{}-{partition}", view.topics.get(topic as usize).map_or("", |topic| topic.name.as_str()))
        };
        let assigned: Vec<String> = member.assigned.iter().map(owned).collect();
        let said = say!("{}, epoch {}, owns {}", member.state, member.epoch, assigned.join(" "));
        facts.say(name_of(player, Which::Log, member.node), said, "K-G4");
    }
    true
}
