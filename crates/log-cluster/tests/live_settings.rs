//! Settings of topics that are changed while the cluster runs.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::AdminOrder;
use log_cluster::config::Acks;

fn set(story: &mut Story, setting: &str, value: &str) {
    let node = story.node("broker-3");
    let (setting, value) = (setting.to_owned(), value.to_owned());
    story
        .cluster
        .administer(node, AdminOrder::SetConfig { topic: Some("orders".into()), broker: None, setting, value })
        .unwrap();
    story.run_for(500);
}

fn cluster() -> log_cluster::Config {
    let mut config = config();
    config.producers = vec![producer(Acks::All)];
    config.consumers = vec![consumer()];
    config
}

#[test]
fn k_t6_a_raised_minimum_of_replicas_in_sync_refuses_at_once_and_a_lowered_one_lets_go_on() {
    let mut story = Story::new(&cluster(), &workload(50, 1, 1));
    story.run_to(10_000);
    let leader = story.leader().unwrap();
    let follower = ["broker-1", "broker-2"].into_iter().find(|name| *name != leader).unwrap();
    story.kill(follower);
    story.run_for(20_011);
    assert_eq!(story.isr().len(), 2, "{}", story.tell());
    let before = story.acknowledged();
    set(&mut story, "min.insync.replicas", "3");
    story.run_for(5_000);
    assert_eq!((story.marked("topic-config"), story.view().topics[0].min_isr), (1, 3));
    assert!(story.marked("min-isr") > 0, "{}", story.tell());
    let stopped = story.acknowledged();
    assert!(stopped < before + 60, "{before} {stopped}");
    set(&mut story, "min.insync.replicas", "2");
    story.run_for(10_000);
    assert!(story.acknowledged() > stopped + 300, "{stopped} {}", story.acknowledged());
    assert!(story.lost().is_empty(), "{}", story.tell());
}

#[test]
fn k_t6_retention_is_shortened_while_it_runs() {
    let mut config = cluster();
    config.topics[0].config.segment_ms = Some(1_000);
    config.broker.log_retention_check_interval_ms = 1_000;
    let mut story = Story::new(&config, &workload(50, 1, 1));
    story.run_to(10_000);
    assert_eq!(story.marked("retention"), 0);
    set(&mut story, "retention.ms", "2000");
    story.run_for(10_000);
    assert!(story.marked("retention") > 0, "{}", story.tell());
}

#[test]
fn k_t6_an_unclean_election_is_allowed_while_nobody_leads() {
    let mut config = cluster();
    config.broker.unclean_leader_election_interval_ms = 2_000;
    config.broker.eligible_leader_replicas = false;
    let mut story = Story::new(&config, &workload(50, 1, 1));
    story.run_to(8_000);
    let leader = story.leader().unwrap();
    let others: Vec<&str> = ["broker-1", "broker-2", "broker-3"].into_iter().filter(|name| *name != leader).collect();
    others.iter().for_each(|name| story.kill(name));
    story.run_for(15_000);
    assert_eq!(story.isr(), vec![leader.clone()], "{}", story.tell());
    story.power_off(&leader);
    others.iter().for_each(|name| story.start(name));
    story.run_for(20_000);
    assert_eq!(story.leader(), None, "{}", story.tell());
    let (topic, setting) = ("orders".to_owned(), "unclean.leader.election.enable".to_owned());
    let node = story.node(others[0]);
    let order = AdminOrder::SetConfig { topic: Some(topic), broker: None, setting, value: "true".into() };
    story.cluster.administer(node, order).unwrap();
    story.run_for(5_000);
    assert!(story.leader().is_some_and(|elected| elected != leader), "{}", story.tell());
    assert!(story.marked("leader-unclean") > 0, "{}", story.tell());
}

#[test]
fn k_t6_what_is_no_live_setting_or_no_value_is_refused() {
    let mut story = Story::new(&cluster(), &workload(10, 1, 1));
    story.run_to(5_000);
    set(&mut story, "remote.storage.enable", "true");
    set(&mut story, "min.insync.replicas", "none");
    let refused = story.marks.iter().filter(|mark| mark.values.contains(&"INVALID_CONFIG".to_owned())).count();
    assert_eq!((refused, story.marked("topic-config")), (2, 0));
}

fn set_broker(story: &mut Story, setting: &str, value: &str) {
    let node = story.node("broker-3");
    let (setting, value) = (setting.to_owned(), value.to_owned());
    story.cluster.administer(node, AdminOrder::SetConfig { topic: None, broker: None, setting, value }).unwrap();
    story.run_for(500);
}

#[test]
fn k_t7_the_brokers_settings_hold_for_topics_without_their_own_until_they_are_deleted() {
    let mut config = cluster();
    config.topics[0].config.min_insync_replicas = None;
    config.broker.min_insync_replicas = 2;
    let mut story = Story::new(&config, &workload(50, 1, 1));
    story.run_to(8_000);
    let minimum = |story: &Story| story.view().topics[0].min_isr;
    assert_eq!(minimum(&story), 2);
    set_broker(&mut story, "min.insync.replicas", "3");
    assert_eq!((story.marked("broker-config"), minimum(&story)), (1, 3));
    set(&mut story, "min.insync.replicas", "1");
    assert_eq!(minimum(&story), 1);
    set(&mut story, "min.insync.replicas", "");
    assert_eq!(minimum(&story), 3);
    set_broker(&mut story, "min.insync.replicas", "");
    assert_eq!(minimum(&story), 2);
}

#[test]
fn k_t7_retention_and_segments_of_all_topics_and_compaction_of_one_change_while_it_runs() {
    let mut config = cluster();
    config.broker.log_retention_check_interval_ms = 1_000;
    let mut story = Story::new(&config, &workload(50, 1, 1));
    story.run_to(10_000);
    set_broker(&mut story, "log.roll.ms", "1000");
    set_broker(&mut story, "log.retention.ms", "2000");
    story.run_for(10_000);
    assert!(story.marked("retention") > 0, "{}", story.tell());
    set_broker(&mut story, "log.cleaner.backoff.ms", "1000");
    set(&mut story, "cleanup.policy", "compact");
    story.run_for(20_000);
    assert!(story.marked("compacted") > 0, "{}", story.tell());
}

fn set_one(story: &mut Story, broker: u16, setting: &str, value: &str) {
    let node = story.node("broker-3");
    let (setting, value) = (setting.to_owned(), value.to_owned());
    let order = AdminOrder::SetConfig { topic: None, broker: Some(broker), setting, value };
    story.cluster.administer(node, order).unwrap();
    story.run_for(500);
}

#[test]
fn k_t7_one_brokers_setting_goes_before_that_of_all_which_goes_before_the_one_it_was_started_with() {
    let mut story = Story::new(&cluster(), &workload(50, 1, 1));
    story.run_to(8_000);
    let refused = |story: &Story| story.fates.values().filter(|fate| fate.refused).count();
    set_one(&mut story, 2, "message.max.bytes", "100");
    story.run_for(1_000);
    assert_eq!(refused(&story), 0, "broker-1 leads");
    set_one(&mut story, 1, "message.max.bytes", "1000000");
    set_broker(&mut story, "message.max.bytes", "100");
    story.run_for(1_000);
    assert_eq!((refused(&story), story.marked("one-broker-config")), (0, 2), "{}", story.tell());
    set_one(&mut story, 1, "message.max.bytes", "");
    story.run_for(1_000);
    let while_small = refused(&story);
    assert!(while_small > 30, "{while_small}");
    set_broker(&mut story, "message.max.bytes", "");
    story.run_for(1_000);
    assert!(refused(&story) < while_small + 30, "{}", story.tell());
}

#[test]
fn k_t7_one_broker_has_no_minimum_of_its_own_where_eligible_replicas_are_kept() {
    let mut config = cluster();
    config.topics[0].config.min_insync_replicas = None;
    config.broker.min_insync_replicas = 1;
    let mut story = Story::new(&config, &workload(50, 1, 1));
    story.run_to(8_000);
    set_one(&mut story, 1, "min.insync.replicas", "3");
    set_one(&mut story, 9, "message.max.bytes", "100");
    let refused = |code: &str| story.marks.iter().filter(|mark| mark.values.contains(&code.to_owned())).count();
    assert_eq!((refused("INVALID_CONFIG"), refused("BROKER_ID_NOT_REGISTERED")), (1, 1), "{}", story.tell());
    config.broker.eligible_leader_replicas = false;
    let mut story = Story::new(&config, &workload(50, 1, 1));
    story.run_to(8_000);
    story.kill("broker-3");
    story.run_for(12_000);
    let before = story.acknowledged();
    story
        .cluster
        .administer(
            story.node("broker-2"),
            AdminOrder::SetConfig {
                topic: None,
                broker: Some(1),
                setting: "min.insync.replicas".into(),
                value: "3".into(),
            },
        )
        .unwrap();
    story.run_for(3_000);
    assert!(story.acknowledged() < before + 30, "two in sync are too few for the leader now: {}", story.tell());
}

#[test]
fn k_t7_what_holds_from_the_start_on_is_refused() {
    let mut story = Story::new(&cluster(), &workload(10, 1, 1));
    story.run_to(5_000);
    set_broker(&mut story, "broker.session.timeout.ms", "18000");
    set_broker(&mut story, "log.retention.ms", "-5");
    let refused = story.marks.iter().filter(|mark| mark.values.contains(&"INVALID_CONFIG".to_owned())).count();
    assert_eq!((refused, story.marked("broker-config")), (2, 0));
}

#[test]
fn k_q1_what_is_proposed_waits_for_more_before_it_is_written_down() {
    let takes = |linger: i64| {
        let mut config = cluster();
        config.broker.controller_quorum_append_linger_ms = linger;
        config.broker.metadata_max_idle_interval_ms = 0;
        let mut story = Story::new(&config, &workload(10, 1, 1));
        story.run_to(5_000);
        let (topic, setting) = (Some("orders".to_owned()), "min.insync.replicas".to_owned());
        let order = AdminOrder::SetConfig { topic, broker: None, setting, value: "3".into() };
        story.cluster.administer(story.node("broker-3"), order).unwrap();
        story.run_until(1_000, "the new minimum", |view| view.topics[0].min_isr == 3)
    };
    let (none, usual, long) = (takes(0), takes(25), takes(200));
    assert!(none < 25 && (25..60).contains(&usual) && (200..240).contains(&long), "{none} {usual} {long}");
}

#[test]
fn k_q1_the_active_controller_writes_a_record_that_says_nothing_from_time_to_time() {
    let grows = |interval: i64| {
        let mut config = cluster();
        config.broker.metadata_max_idle_interval_ms = interval;
        let mut story = Story::new(&config, &workload(10, 1, 1));
        story.run_to(5_000);
        let offset = |story: &Story| story.view().servers[0].broker.as_ref().unwrap().metadata_offset;
        let before = offset(&story);
        story.run_for(10_000);
        offset(&story) - before
    };
    assert_eq!((grows(500), grows(1_000), grows(0)), (20, 10, 0));
}
