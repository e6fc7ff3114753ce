//! Brokers that join, partitions that move, elections that are asked for.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::AdminOrder;
use log_cluster::config::{Acks, Config};
use log_cluster::election::Election;

fn four_brokers() -> Config {
    let mut config = config();
    config.brokers = 4;
    config.spare = 1;
    config.producers = vec![producer(Acks::All)];
    config.consumers = vec![consumer()];
    config.broker.group_initial_rebalance_delay_ms = 0;
    config
}

fn reassign(story: &mut Story, replicas: &[u16]) {
    let node = story.node("broker-2");
    let order = AdminOrder::Reassign { topic: "orders".into(), partition: 0, replicas: replicas.to_vec() };
    story.cluster.administer(node, order).unwrap();
}

fn elect(story: &mut Story, kind: Election) {
    let node = story.node("broker-2");
    story.cluster.administer(node, AdminOrder::ElectLeaders { topic: Some("orders".into()), kind }).unwrap();
}

fn names(story: &Story, of: impl Fn(&log_cluster::view::PartitionView) -> Vec<sim::NodeId>) -> Vec<String> {
    let nodes = of(&story.view().topics[0].partitions[0]);
    nodes.iter().map(|node| story.cluster.nodes()[node.index()].name.clone()).collect()
}

#[test]
fn k_e10_a_partition_moves_to_a_broker_that_joined_and_loses_nothing() {
    let mut story = Story::new(&four_brokers(), &workload(200, 1, 1));
    story.run_to(5_000);
    assert_eq!(story.marked("broker-registered"), 3, "the spare one is not there");
    reassign(&mut story, &[4, 2, 3]);
    story.run_for(500);
    assert!(story.marks.iter().any(|m| m.code == "admin-refused" && m.values[1] == "INVALID_REPLICA_ASSIGNMENT"));
    story.start("broker-4");
    story.run_for(3_000);
    let epoch = story.view().topics[0].partitions[0].leader_epoch;
    reassign(&mut story, &[4, 2, 3]);
    story.run_until(10_000, "moved", |view| view.topics[0].partitions[0].replicas.len() == 3);
    story.run_for(1_000);
    assert_eq!(names(&story, |p| p.replicas.clone()), ["broker-4", "broker-2", "broker-3"]);
    assert_eq!(names(&story, |p| p.leader.into_iter().collect()), ["broker-4"], "the old leader went");
    assert!(story.view().topics[0].partitions[0].leader_epoch > epoch, "K-E6");
    assert_eq!(
        ["reassignment-begun", "reassignment-done", "replica-deleted"].map(|code| story.marked(code)),
        [1, 1, 1]
    );
    story.run_for(5_000);
    assert!(story.lost().is_empty(), "{}", story.tell());
    assert!(story.acknowledged() > 2_500 && story.processed() + 50 > story.acknowledged(), "{}", story.tell());
}

#[test]
fn k_e10_new_replicas_stay_out_until_they_are_in_sync_and_the_move_can_be_given_up() {
    let mut story = Story::new(&four_brokers(), &workload(200, 1, 1));
    story.run_to(3_000);
    story.start("broker-4");
    story.run_for(3_000);
    for other in ["broker-1", "broker-2", "broker-3"] {
        story.cut("broker-4", other);
    }
    reassign(&mut story, &[4, 2, 3]);
    story.run_for(3_000);
    assert_eq!(names(&story, |p| p.replicas.clone()), ["broker-4", "broker-2", "broker-3", "broker-1"]);
    assert_eq!(names(&story, |p| p.adding.clone()), ["broker-4"]);
    assert_eq!(names(&story, |p| p.removing.clone()), ["broker-1"]);
    assert_eq!(story.leader().as_deref(), Some("broker-1"), "it goes on leading");
    reassign(&mut story, &[]);
    story.run_for(1_000);
    assert_eq!(names(&story, |p| p.replicas.clone()), ["broker-2", "broker-3", "broker-1"]);
    assert_eq!(story.marked("reassignment-given-up"), 1);
    reassign(&mut story, &[]);
    story.run_for(1_000);
    assert!(story.marks.iter().any(|m| m.code == "admin-refused" && m.values[1] == "NO_REASSIGNMENT_IN_PROGRESS"));
}

#[test]
fn k_e7_elections_are_held_when_asked_for() {
    let mut config = four_brokers();
    config.broker.auto_leader_rebalance_enable = false;
    let mut story = Story::new(&config, &workload(50, 1, 1));
    story.run_to(3_000);
    elect(&mut story, Election::Preferred);
    story.run_for(500);
    let refused = story.marks.iter().find(|mark| mark.code == "admin-refused").unwrap();
    assert_eq!((&*refused.values[1], refused.rule.0), ("ELECTION_NOT_NEEDED", "K-E7"));
    story.stop("broker-1");
    story.run_for(3_000);
    assert_eq!(story.leader().as_deref(), Some("broker-2"));
    elect(&mut story, Election::Preferred);
    story.run_for(500);
    assert!(story.marks.iter().any(|m| m.code == "admin-refused" && m.values[1] == "PREFERRED_LEADER_NOT_AVAILABLE"));
    story.start("broker-1");
    story.run_for(5_000);
    assert_eq!(story.leader().as_deref(), Some("broker-2"), "K-Q7");
    elect(&mut story, Election::Preferred);
    story.run_for(1_000);
    assert_eq!(story.leader().as_deref(), Some("broker-1"));
}

#[test]
fn k_e10_faults_during_moves_lose_nothing() {
    for seed in 0..60 {
        let mut story = Story::seeded(seed, &four_brokers(), &workload(40, 1, 1));
        let mut dice = sim::Dice::named(seed, "moves", &[]);
        story.run_to(2_000);
        story.start("broker-4");
        story.run_for(2_000);
        for _ in 0..3 {
            let out = 1 + dice.below(4) as u16;
            let replicas: Vec<u16> = (1..=4).filter(|number| *number != out).collect();
            reassign(&mut story, &replicas);
            story.run_for(dice.below(400));
            let victim = format!("broker-{}", 1 + dice.below(4));
            if dice.chance(1, 2) {
                story.kill(&victim)
            } else {
                story.pause(&victim)
            }
            story.run_for(12_000);
            story.resume(&victim);
            story.start(&victim);
            story.run_for(20_000);
        }
        let whole = |view: &log_cluster::View| {
            let partition = &view.topics[0].partitions[0];
            partition.adding.is_empty() && partition.removing.is_empty() && partition.isr.len() == 3
        };
        story.run_until(60_000, "whole again", whole);
        story.run_for(10_000);
        assert!(story.lost().is_empty(), "seed {seed}\n{}", story.tell());
        assert!(story.processed() + 20 > story.acknowledged(), "seed {seed}\n{}", story.tell());
    }
}
