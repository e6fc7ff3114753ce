//! Stories of what breaks, and what is left of it.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::config::{Acks, Controllers};
use log_cluster::view::MemberState;
use sim::workload::Workload;
use sim::{Nanos, Time};

fn producing(acks: Acks) -> Story {
    let mut config = config();
    config.producers = vec![producer(acks)];
    Story::new(&config, &unread(200, 1))
}

/// A workload whose one consumer never begins: all that is acknowledged waits for it, or is lost.
fn unread(rate: u64, producers: usize) -> Workload {
    let mut workload = workload(rate, producers, 1);
    workload.consumers[0].start = Time::ZERO + Nanos::secs(1_000_000);
    workload
}

fn consuming(consumers: usize) -> Story {
    let mut config = config();
    config.topics[0].partitions = 4;
    config.topics[0].replica_assignment = Vec::new();
    config.producers = vec![producer(Acks::All)];
    config.consumers = vec![consumer()];
    config.broker.group_initial_rebalance_delay_ms = 100;
    Story::new(&config, &workload(200, 1, consumers))
}

#[test]
fn k_q4_a_killed_broker_is_fenced_after_seven_to_ten_seconds() {
    let mut waits = Vec::new();
    for after in [2_000, 2_700, 3_400, 4_100] {
        let mut story = producing(Acks::All);
        story.run_to(after);
        story.kill("broker-1");
        waits.push(story.run_until(11_000, "another leader", |view| {
            view.topics[0].partitions[0].leader.is_some_and(|leader| leader.0 != 0)
        }));
        assert_eq!(story.marked("broker-fenced"), 1);
    }
    assert!(waits.iter().all(|wait| (6_990..=10_150).contains(wait)), "{waits:?}");
}

#[test]
fn k_q5_a_reset_connection_does_not_make_the_controller_hurry() {
    let mut story = producing(Acks::All);
    story.run_to(2_000);
    story.kill("broker-1");
    story.run_for(6_500);
    assert_eq!((story.marked("broker-fenced"), story.leader().as_deref()), (0, Some("broker-1")));
    story.start("broker-1");
    story.run_for(300);
    assert_eq!(story.marked("broker-registered"), 3, "the old life's session is not over: the new one has to wait");
    story.run_for(20_000);
    assert_eq!(story.marked("broker-registered"), 4);
}

#[test]
fn k_e2_the_next_in_sync_replica_in_the_list_leads() {
    let mut story = producing(Acks::All);
    story.run_to(2_000);
    story.kill("broker-1");
    story.run_for(12_000);
    assert_eq!(story.leader().as_deref(), Some("broker-2"));
    story.kill("broker-2");
    story.run_for(12_000);
    assert_eq!(story.leader().as_deref(), Some("broker-3"));
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_q7_leadership_returns_at_the_next_preferred_election_only() {
    let mut story = producing(Acks::All);
    story.run_to(2_000);
    story.kill("broker-1");
    story.run_for(12_000);
    story.start("broker-1");
    story.run_for(30_000);
    assert_eq!(story.isr().len(), 3);
    assert_eq!(story.leader().as_deref(), Some("broker-2"));
    story.run_to(301_000);
    assert_eq!(story.leader().as_deref(), Some("broker-1"));
}

#[test]
fn k_q6_a_broker_that_stops_hands_over_within_milliseconds() {
    let mut story = producing(Acks::All);
    story.run_to(2_000);
    story.stop("broker-1");
    let wait = story.run_until(1_000, "another leader", |view| {
        view.topics[0].partitions[0].leader.is_some_and(|leader| leader.0 != 0)
    });
    assert!(wait <= 50, "{wait} ms");
    story.run_for(3_000);
    assert!(!story.cluster.world().health(story.node("broker-1")).is_alive());
    assert_eq!(story.lost().len(), 0);
    story.start("broker-1");
    story.run_for(5_000);
    assert_eq!((story.isr().len(), story.marked("broker-unclean")), (3, 0));
}

#[test]
fn k_e7_a_broker_that_was_killed_comes_back_trusted_with_nothing() {
    let mut story = producing(Acks::All);
    story.run_to(2_000);
    story.kill("broker-3");
    story.run_for(12_000);
    story.start("broker-3");
    story.run_for(5_000);
    assert_eq!(story.marked("broker-unclean"), 1);
    assert_eq!(story.isr().len(), 3, "it caught up and was taken in again");
}

#[test]
fn k_r6_what_a_cut_off_leader_takes_with_acks_1_is_lost() {
    let mut story = producing(Acks::Leader);
    story.run_to(3_000);
    for other in ["broker-2", "broker-3", "controller-1", "controller-2", "controller-3"] {
        story.cut("broker-1", other);
    }
    story.run_for(15_000);
    assert_eq!(story.leader().as_deref(), Some("broker-2"));
    let before = story.lost().len();
    assert!(before > 1_000, "the old leader goes on acknowledging: {before}");
    for other in ["broker-2", "broker-3", "controller-1", "controller-2", "controller-3"] {
        story.heal("broker-1", other);
    }
    story.run_for(60_000);
    assert!(story.marked("truncated") >= 1, "{}", story.tell());
    assert!(story.lost().len() >= before);
}

#[test]
fn k_r6_a_leader_that_was_frozen_acknowledges_until_it_has_asked_again() {
    let mut story = producing(Acks::Leader);
    story.run_to(3_000);
    story.pause("broker-1");
    story.run_for(15_000);
    assert_eq!(story.leader().as_deref(), Some("broker-2"));
    story.resume("broker-1");
    story.run_for(30);
    assert!(story.replica("broker-1").is_leader, "the answer with the news came too late to count");
    story.run_for(100);
    assert!(!story.replica("broker-1").is_leader);
    story.run_for(5_000);
    assert!(!story.lost().is_empty());
}

#[test]
fn k_a1_with_acks_all_a_cut_off_leader_acknowledges_nothing_that_is_lost() {
    let mut story = producing(Acks::All);
    story.run_to(3_000);
    for other in ["broker-2", "broker-3", "controller-1", "controller-2", "controller-3"] {
        story.cut("broker-1", other);
    }
    story.run_for(15_000);
    assert_eq!(story.lost().len(), 0);
    for other in ["broker-2", "broker-3", "controller-1", "controller-2", "controller-3"] {
        story.heal("broker-1", other);
    }
    story.run_for(60_000);
    assert_eq!(story.lost().len(), 0);
    assert!(story.acknowledged() > 14_000, "{}", story.acknowledged());
}

#[test]
fn k_l4_a_follower_drops_what_the_new_leader_does_not_have() {
    let mut story = producing(Acks::Leader);
    story.run_to(3_000);
    story.cut("broker-1", "broker-2");
    story.cut("broker-1", "broker-3");
    story.run_for(500);
    story.kill("broker-1");
    story.heal("broker-1", "broker-2");
    story.heal("broker-1", "broker-3");
    story.run_for(12_000);
    story.start("broker-1");
    story.run_for(5_000);
    assert_eq!(story.marked("truncated"), 1, "{}", story.tell());
    let (old, new) = (story.replica("broker-1"), story.replica("broker-2"));
    assert!(old.log_end <= new.log_end && new.log_end - old.log_end < 50);
    assert!(!story.lost().is_empty());
}

#[test]
fn k_a2_below_min_isr_acks_all_is_refused_and_acks_1_is_stored() {
    let mut config = config();
    config.producers = vec![producer(Acks::All), producer(Acks::Leader)];
    let mut story = Story::new(&config, &unread(100, 2));
    story.run_to(2_000);
    story.kill("broker-2");
    story.kill("broker-3");
    story.run_for(12_000);
    assert_eq!(story.isr(), ["broker-1"]);
    let acked = |story: &Story, producer: u16| {
        story.fates.iter().filter(|(id, fate)| id.producer == producer && fate.acknowledged).count()
    };
    // What was appended before waits in vain for 30 s first.
    story.run_for(31_000);
    let before = (acked(&story, 0), acked(&story, 1));
    story.run_for(2_000);
    assert_eq!(acked(&story, 0), before.0);
    assert!(acked(&story, 1) >= before.1 + 190);
    assert_eq!(story.marked("min-isr"), 1, "only the first of a run of refusals is told");
}

#[test]
fn k_a5_below_min_isr_the_high_watermark_stands_still() {
    let mut story = producing(Acks::Leader);
    story.run_to(2_000);
    story.kill("broker-2");
    story.kill("broker-3");
    story.run_for(12_000);
    let mark = story.high_watermark("broker-1");
    story.run_for(2_000);
    let replica = story.replica("broker-1");
    assert_eq!(replica.high_watermark, mark);
    assert!(replica.log_end > mark + 300, "{replica:?}");
    story.start("broker-2");
    story.run_for(3_000);
    assert!(story.high_watermark("broker-1") > mark + 300, "with enough in sync it moves on");
}

#[test]
fn k_a3_a_batch_whose_replicas_are_gone_times_out_although_it_was_appended() {
    let mut config = config();
    config.topics[0].config.min_insync_replicas = Some(3);
    config.producers = vec![producer(Acks::All)];
    let mut story = Story::new(&config, &unread(100, 1));
    story.run_to(2_000);
    story.kill("broker-3");
    story.run_for(45_000);
    let told = story.marks.iter().any(|mark| mark.values.iter().any(|value| value.contains("NOT_ENOUGH_REPLICAS")));
    assert!(told, "{}", story.tell());
    let late = |value: &String| value == "REQUEST_TIMED_OUT" || value == "NETWORK_EXCEPTION";
    assert!(story.marks.iter().any(|mark| mark.values.iter().any(late)), "{}", story.tell());
    assert_eq!(story.stored_twice(), 0, "idempotence: what was appended and refused is not appended again");
}

#[test]
fn k_f2_power_loss_of_one_machine_loses_nothing_that_others_have() {
    let mut story = producing(Acks::All);
    story.run_to(5_000);
    story.power_off("broker-1");
    story.run_for(12_000);
    story.start("broker-1");
    story.run_for(60_000);
    assert_eq!(story.isr().len(), 3);
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_f1_nothing_is_flushed_before_it_is_acknowledged() {
    let mut story = producing(Acks::All);
    story.run_to(10_000);
    assert!(story.acknowledged() > 1_900);
    assert_eq!(story.replica("broker-1").flushed, 0);
    for broker in ["broker-1", "broker-2", "broker-3"] {
        story.power_off(broker);
    }
    story.run_for(1_000);
    for broker in ["broker-1", "broker-2", "broker-3"] {
        story.start(broker);
    }
    story.run_for(30_000);
    assert!(story.lost().len() > 1_900, "all machines at once: the acknowledged is gone ({})", story.lost().len());
}

#[test]
fn k_f1_a_topic_that_flushes_every_message_survives_the_loss_of_all_power() {
    let mut config = config();
    config.topics[0].config.flush_messages = Some(1);
    config.producers = vec![producer(Acks::All)];
    let mut story = Story::new(&config, &unread(50, 1));
    story.run_to(10_000);
    let flushed = story.replica("broker-1").flushed;
    assert!(flushed > 450, "{flushed}");
}

#[test]
fn k_a7_a_restarted_broker_begins_at_its_checkpoint() {
    let mut story = producing(Acks::All);
    story.run_to(9_000);
    story.kill("broker-3");
    let replica = story.replica("broker-3");
    assert!(replica.high_watermark < replica.log_end && replica.high_watermark > 800, "{replica:?}");
}

#[test]
fn k_r3_a_follower_that_lags_leaves_the_in_sync_set_after_thirty_seconds() {
    let mut story = producing(Acks::All);
    story.run_to(2_000);
    story.cut("broker-1", "broker-3");
    story.run_for(29_000);
    assert_eq!(story.isr().len(), 3);
    let before = story.acknowledged();
    assert!(before < 600, "acks=all stalls meanwhile: {before}");
    story.run_for(18_000);
    assert_eq!(story.isr().len(), 2);
    story.run_for(3_000);
    assert!(story.acknowledged() > before + 5_000, "{}", story.acknowledged());
}

#[test]
fn k_r4_a_follower_that_has_caught_up_joins_the_in_sync_set_again() {
    let mut story = producing(Acks::All);
    story.run_to(2_000);
    story.cut("broker-1", "broker-3");
    story.run_for(60_000);
    assert_eq!(story.isr().len(), 2);
    story.heal("broker-1", "broker-3");
    story.run_for(125_000);
    assert_eq!(story.isr().len(), 3, "{}", story.tell());
    assert!(story.marked("isr-expanded") >= 1);
}

#[test]
fn k_q2_another_controller_takes_over_within_seconds() {
    let mut story = producing(Acks::All);
    story.run_to(2_000);
    story.kill("controller-1");
    let wait = story.run_until(6_000, "another active controller", |view| {
        view.servers.iter().filter_map(|server| server.controller.as_ref()).any(|c| c.is_active && c.epoch > 1)
    });
    assert!((1_000..=5_000).contains(&wait), "{wait} ms");
    let before = story.acknowledged();
    story.run_for(1_000);
    assert!(story.acknowledged() >= before + 190, "producing goes on without a controller (K-Q3)");
}

#[test]
fn k_q3_without_a_majority_of_controllers_nothing_is_elected() {
    let mut story = producing(Acks::All);
    story.run_to(2_000);
    story.kill("controller-1");
    story.kill("controller-2");
    story.run_for(5_000);
    let before = story.acknowledged();
    story.run_for(1_000);
    assert!(story.acknowledged() >= before + 190);
    story.kill("broker-1");
    story.run_for(20_000);
    assert_eq!(story.leader().as_deref(), Some("broker-1"), "nobody can say otherwise");
    story.start("controller-1");
    story.run_for(20_000);
    assert_eq!(story.leader().as_deref(), Some("broker-2"), "{}", story.tell());
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_q1_controllers_in_brokers_agree_too() {
    let mut config = config();
    config.controllers = Controllers::Combined(3);
    config.producers = vec![producer(Acks::All)];
    let mut story = Story::new(&config, &unread(100, 1));
    story.run_to(2_000);
    assert!(story.acknowledged() > 150, "{}", story.tell());
    story.kill("broker-1");
    story.run_for(20_000);
    assert_eq!(story.leader().as_deref(), Some("broker-2"), "{}", story.tell());
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_g3_a_killed_consumers_share_moves_after_its_session() {
    let mut story = consuming(2);
    story.run_to(8_000);
    let shares: Vec<usize> = story.view().consumers.iter().map(|consumer| consumer.assigned.len()).collect();
    assert_eq!(shares, [2, 2]);
    story.kill("consumer-1");
    let wait = story.run_until(50_000, "all partitions at the other", |view| view.consumers[1].assigned.len() == 4);
    assert!((42_000..=48_100).contains(&wait), "{wait} ms: 42 to 45 s, and up to 3 s until the other learns of it");
    story.run_for(20_000);
    assert!(story.processed() + 10 >= story.acknowledged(), "{} of {}", story.processed(), story.acknowledged());
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_g6_a_consumer_that_leaves_makes_the_group_rebalance_at_once() {
    let mut story = consuming(2);
    story.run_to(8_000);
    story.stop("consumer-1");
    let wait = story.run_until(5_000, "all partitions at the other", |view| view.consumers[1].assigned.len() == 4);
    assert!(wait <= 3_200, "{wait} ms");
    assert!(!story.cluster.world().health(story.node("consumer-1")).is_alive());
}

#[test]
fn k_g1_a_group_survives_its_coordinator() {
    let mut story = consuming(2);
    story.run_to(8_000);
    let keeper = story.view().groups[0].coordinator.unwrap();
    let name = story.cluster.nodes()[keeper.index()].name.clone();
    story.kill(&name);
    story.run_for(25_000);
    let view = story.view();
    assert!(view.groups[0].coordinator.is_some_and(|now| now != keeper), "{}", story.tell());
    assert!(view.consumers.iter().all(|consumer| consumer.state == MemberState::Stable), "{}", story.tell());
    assert_eq!(story.marked("group-generation"), 1, "its members and their shares were written down");
    let before = story.processed();
    story.run_for(2_000);
    assert!(story.processed() > before + 300);
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_o2_after_a_kill_what_was_not_committed_is_processed_again() {
    let mut story = consuming(1);
    story.run_to(9_000);
    story.kill("consumer-1");
    story.start("consumer-1");
    story.run_for(60_000);
    let twice = story.fates.values().filter(|fate| fate.processed.values().any(|times| *times > 1)).count();
    assert!(twice > 0, "auto commit every 5 s: some are processed twice");
    assert!(twice < 1_200, "{twice}");
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_p4_what_producers_may_send_again_is_not_gone() {
    for acks in [Acks::All, Acks::Leader] {
        let mut story = producing(acks);
        story.run_to(3_000);
        story.power_off("broker-1");
        for _ in 0..300 {
            assert_eq!(story.gone().len(), 0, "{acks:?} at {}\n{}", story.at(), story.tell());
            story.run_for(50);
        }
        assert_eq!(story.leader().as_deref(), Some("broker-2"));
    }
}

#[test]
fn k_a1_without_answers_what_is_in_the_air_is_not_gone() {
    let mut story = producing(Acks::None);
    story.run_to(2_000);
    for _ in 0..2_000 {
        story.run_for(1);
        assert_eq!(story.gone().len(), 0, "at {}", story.at());
    }
    story.kill("broker-1");
    story.run_for(20_000);
    assert!(!story.gone().is_empty(), "what flew to a dead broker is nobody's");
}

#[test]
fn k_r5_after_the_power_of_all_was_lost_production_goes_on() {
    let mut story = producing(Acks::All);
    story.run_to(6_000);
    let all = ["broker-1", "broker-2", "broker-3"];
    all.iter().for_each(|broker| story.power_off(broker));
    story.run_for(4_000);
    all.iter().for_each(|broker| story.start(broker));
    // The old sessions have to end before the new lives are let in (K-Q5).
    story.run_for(12_000);
    let (promised, lost) = (story.acknowledged(), story.lost().len());
    assert!(lost > 500, "what was acknowledged was on no disk: {lost}\n{}", story.tell());
    story.run_until(8_000, "all in sync", |view| view.topics[0].partitions[0].isr.len() == 3);
    story.run_for(3_000);
    assert!(story.acknowledged() > promised + 500, "{promised} {}\n{}", story.acknowledged(), story.tell());
    assert_eq!(story.lost().len(), lost, "what is acknowledged from now on is kept");
}

#[test]
fn k_e7_what_happens_to_many_partitions_at_once_is_one_mark() {
    let mut config = config();
    config.topics[0].partitions = 18;
    config.topics[0].replica_assignment = Vec::new();
    let mut story = Story::new(&config, &unread(200, 0));
    story.run_to(2_000);
    story.kill("broker-1");
    story.run_for(12_000);
    assert_eq!((story.marked("leaders-elected"), story.marked("isrs-shrunk")), (1, 1), "{}", story.tell());
    assert_eq!(story.marked("leader-elected") + story.marked("isr-shrunk"), 1, "the group's own\n{}", story.tell());
    let told = |code: &str| story.marks.iter().find(|mark| mark.code == code).map(|mark| mark.values.clone());
    assert_eq!(told("leaders-elected"), Some(vec!["6".to_owned(), "1".to_owned()]));
    assert_eq!(told("isrs-shrunk"), Some(vec!["12".to_owned(), "broker-1".to_owned()]));
    assert!(story.marks.iter().any(|mark| mark.code == "isrs-shrunk" && mark.rule.0 == "K-E7"));
}
