//! Tiered storage in a cluster.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::AdminOrder;
use log_cluster::config::{Acks, Config};
use sim::{Nanos, Time};

fn tiered() -> Config {
    let mut config = config();
    config.producers = vec![producer(Acks::All)];
    config.consumers = vec![consumer()];
    config.broker.group_initial_rebalance_delay_ms = 0;
    config.broker.remote_log_storage_system_enable = true;
    config.broker.remote_log_manager_task_interval_ms = 5_000;
    config.broker.log_retention_check_interval_ms = 2_000;
    let topic = &mut config.topics[0].config;
    topic.set("remote.storage.enable", "true").unwrap();
    topic.set("segment.ms", "2000").unwrap();
    topic.set("local.retention.ms", "4000").unwrap();
    config
}

/// A reader that comes after `seconds`.
fn story(seed: u64, config: &Config, seconds: u64) -> Story {
    let mut load = workload(50, 1, 1);
    load.consumers[0].start = Time::ZERO + Nanos::secs(seconds);
    Story::seeded(seed, config, &load)
}

#[test]
fn k_z1_what_is_on_no_disk_any_more_is_read_from_remote_storage() {
    let mut story = story(7, &tiered(), 30);
    story.run_to(45_000);
    assert!(story.marked("tier-copied") > 5 && story.marked("tier-only") > 3, "{}", story.tell());
    let replica = story.replica("broker-1");
    assert!(replica.log_start == 0 && replica.local_start > 500, "{replica:?}");
    assert!(story.processed() + 50 > story.acknowledged(), "{} of {}", story.processed(), story.acknowledged());
    assert!(story.lost().is_empty());
}

#[test]
fn k_z1_only_what_was_copied_leaves_the_disk_before_its_time() {
    let mut config = tiered();
    config.broker.remote_log_manager_task_interval_ms = 3_600_000;
    let mut story = story(7, &config, 0);
    story.run_to(30_000);
    let replica = story.replica("broker-1");
    assert_eq!((replica.local_start, story.marked("tier-copied")), (0, 0), "nothing was copied yet");
    let mut config = tiered();
    config.topics[0].config.set("retention.ms", "12000").unwrap();
    let mut story = story_of(&config);
    story.run_to(40_000);
    let replica = story.replica("broker-1");
    assert!(replica.log_start > 800 && replica.local_start > replica.log_start, "what is too old goes: {replica:?}");
}

fn story_of(config: &Config) -> Story {
    story(7, config, 0)
}

#[test]
fn k_z1_a_new_replica_begins_where_the_leaders_disk_begins_and_can_lead() {
    let mut config = tiered();
    config.brokers = 4;
    config.spare = 1;
    let mut story = story(7, &config, 45);
    story.run_to(25_000);
    story.start("broker-4");
    story.run_for(3_000);
    let (node, replicas) = (story.node("broker-2"), vec![4, 2, 3]);
    let order = AdminOrder::Reassign { topic: "orders".into(), partition: 0, replicas };
    story.cluster.administer(node, order).unwrap();
    story.run_for(5_000);
    assert_eq!(story.leader().as_deref(), Some("broker-4"), "{}", story.tell());
    let replica = story.replica("broker-4");
    assert!(replica.log_start == 0 && replica.local_start > 500, "{replica:?}");
    story.run_for(30_000);
    assert!(story.processed() + 50 > story.acknowledged(), "{} of {}", story.processed(), story.acknowledged());
    assert!(story.lost().is_empty(), "{}", story.tell());
}

#[test]
fn k_z1_faults_lose_nothing_of_it() {
    for seed in 0..60 {
        let mut story = story(seed, &tiered(), 50);
        let mut dice = sim::Dice::named(seed, "tiers", &[]);
        story.run_to(8_000);
        for _ in 0..3 {
            let victim = format!("broker-{}", 1 + dice.below(3));
            match dice.below(3) {
                0 => story.kill(&victim),
                1 => story.power_off(&victim),
                _ => story.pause(&victim),
            }
            story.run_for(10_000 + dice.below(6_000));
            story.resume(&victim);
            story.start(&victim);
            story.run_until(60_000, "whole again", |view| view.topics[0].partitions[0].isr.len() == 3);
        }
        story.run_for(50_000);
        assert!(story.lost().is_empty(), "seed {seed}\n{}", story.tell());
        assert!(story.processed() + 50 > story.acknowledged(), "seed {seed}: {}\n{}", story.processed(), story.tell());
    }
}

#[test]
fn k_z1_topics_that_kafka_refuses_there_are_refused() {
    let refused = |change: fn(&mut Config)| {
        let mut config = tiered();
        change(&mut config);
        config.check().expect_err("refused").iter().map(|problem| problem.message.clone()).collect::<String>()
    };
    assert!(
        refused(|config| config.broker.remote_log_storage_system_enable = false).contains("disabled in the broker")
    );
    let compacted = refused(|config| config.topics[0].config.set("cleanup.policy", "compact").unwrap());
    assert!(compacted.contains("compacted topics"));
    let longer = refused(|config| config.topics[0].config.set("retention.ms", "3000").unwrap());
    assert!(longer.contains("retention.ms"));
}
