//! Share groups (KIP-932).

mod common;
use common::{Story, config, producer, workload};
use log_cluster::config::{Acks, Config, ConsumerClient, SharePlan};
use sim::workload::{Duration, Workload};
use sim::{Nanos, Time};

/// One partition unless told otherwise, `members` members with a plan and settings; the group begins at the beginning.
fn settings(own: &[(&str, &str)], plan: &SharePlan, rate: u64, members: usize) -> (Config, Workload) {
    let mut config = config();
    config.producers = vec![producer(Acks::All)];
    let share = Some(plan.clone());
    let mut client = ConsumerClient { topics: vec!["orders".into()], share, ..ConsumerClient::default() };
    own.iter().for_each(|(name, value)| client.config.set(name, value).unwrap());
    config.consumers = vec![client; members];
    config.groups.entry("group".into()).or_default().set("share.auto.offset.reset", "earliest").unwrap();
    let mut workload = workload(rate, 1, members);
    workload.producers[0].limit = Some(rate as u32 * 10);
    (config, workload)
}

fn story(own: &[(&str, &str)], plan: &SharePlan, rate: u64, members: usize) -> Story {
    let (config, workload) = settings(own, plan, rate, members);
    Story::new(&config, &workload)
}

fn times(story: &Story) -> Vec<u32> {
    story.fates.values().map(|fate| fate.processed.get(&0).copied().unwrap_or(0)).collect()
}

const EXPLICIT: (&str, &str) = ("share.acknowledgement.mode", "explicit");

#[test]
fn k_h1_members_share_one_partition_and_each_record_is_processed_once() {
    let mut story = story(&[], &SharePlan::default(), 200, 3);
    story.run_to(20_000);
    let view = story.view();
    let group = &view.groups[0];
    assert_eq!((group.protocol, group.state, group.members.len()), ("share", "Stable", 3), "{}", story.tell());
    assert!(group.members.iter().all(|member| member.assigned == [(0, 0)]), "all read the one partition");
    assert_eq!(times(&story), vec![1; 2_000], "{}", story.tell());
    assert!(story.fates.values().all(|fate| fate.settled));
    let window = &view.shares[0];
    assert_eq!((window.start, window.end, window.acquired, window.available), (2_000, 2_000, 0, 0));
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_h1_a_group_begins_at_the_end_unless_its_settings_say_otherwise() {
    let (mut config, mut workload) = settings(&[], &SharePlan::default(), 100, 1);
    config.groups.clear();
    workload.consumers[0].start = Time::ZERO + Nanos::secs(5);
    let mut story = Story::new(&config, &workload);
    story.run_to(20_000);
    let done = story.processed();
    assert!((300..800).contains(&done), "{done}: what was written before is skipped");
}

#[test]
fn k_h2_a_record_that_is_not_acknowledged_comes_again_when_its_lock_is_over() {
    let own = [EXPLICIT];
    let plan = SharePlan { forget_every: 100, ..SharePlan::default() };
    let mut story = story(&own, &plan, 20, 2);
    story.run_to(200_000);
    let times = times(&story);
    assert_eq!(times.iter().filter(|times| **times == 5).count(), 2, "five times and never again: {}", story.tell());
    assert_eq!(times.iter().filter(|times| **times == 1).count(), 198);
    assert!(story.marked("share-locks-ended") >= 4 && story.marked("share-given-up") >= 1, "{}", story.tell());
}

#[test]
fn k_h2_what_is_rejected_is_archived_at_once() {
    let plan = SharePlan { reject_every: 10, ..SharePlan::default() };
    let mut story = story(&[EXPLICIT], &plan, 50, 2);
    story.run_to(20_000);
    assert_eq!(story.processed(), 450);
    assert_eq!(story.fates.values().filter(|fate| fate.deleted && fate.processed.is_empty()).count(), 50);
    assert!(story.marked("share-rejected") > 0 && story.marked("share-given-up") == 0);
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_h2_a_killed_members_records_are_others_at_once() {
    let (config, mut workload) = settings(&[("max.poll.records", "50")], &SharePlan::default(), 200, 2);
    workload.consumers[0].processing = Duration::Constant(Nanos::secs(100));
    let mut story = Story::new(&config, &workload);
    story.run_until(12_000, "the slow one has some", |view| view.consumers[0].buffered > 0);
    story.run_to(12_000);
    let held = story.view().shares[0].acquired;
    assert!(held > 0);
    story.kill("consumer-1");
    let wait = story.run_until(2_000, "all is done", |view| view.shares[0].start == 2_000);
    assert!(wait <= 600, "{wait} ms");
    assert_eq!(story.marked("share-session-ended"), 1);
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_h3_what_always_fails_is_delivered_five_times_and_archived() {
    let plan = SharePlan { release_every: 25, ..SharePlan::default() };
    let mut story = story(&[EXPLICIT], &plan, 50, 2);
    story.run_to(30_000);
    assert_eq!(story.processed(), 480, "{}", story.tell());
    assert_eq!(story.fates.values().filter(|fate| fate.deleted && fate.processed.is_empty()).count(), 20);
    assert!(story.marked("share-given-up") > 0);
    assert_eq!(story.view().shares[0].start, 500);
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_h4_a_new_leader_goes_on_where_the_old_one_was() {
    let mut story = story(&[], &SharePlan::default(), 200, 2);
    story.run_to(6_000);
    let leader = story.leader().unwrap();
    story.kill(&leader);
    story.run_to(60_000);
    let done = story.processed();
    assert_eq!((story.lost().len(), story.view().shares[0].start >= done as u64), (0, true), "{}", story.tell());
    let twice = times(&story).iter().filter(|times| **times > 1).count();
    assert!(twice < 500, "what was not written down comes again, and no more: {twice}");
    assert_eq!(
        story.acknowledged(),
        story.fates.values().filter(|f| f.acknowledged && !f.processed.is_empty()).count()
    );
}

#[test]
fn k_h4_an_acknowledgement_is_answered_once_it_is_written_down() {
    let (config, workload) = settings(&[], &SharePlan::default(), 20, 1);
    let mut story = Story::new(&config, &workload);
    story.run_to(5_000);
    story.kill("broker-2");
    story.kill("broker-3");
    story.run_for(1_000);
    let settled = |story: &Story| story.fates.values().filter(|fate| fate.settled).count();
    let before = settled(&story);
    story.run_for(5_000);
    assert_eq!(settled(&story), before, "one replica of three is not enough");
    story.start("broker-2");
    story.start("broker-3");
    story.run_for(60_000);
    assert!(settled(&story) > before, "{}", story.tell());
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_h5_a_strict_limit_is_kept() {
    let own = [("share.acquire.mode", "record_limit"), ("max.poll.records", "3")];
    let mut story = story(&own, &SharePlan::default(), 100, 2);
    for _ in 0..100 {
        story.run_for(100);
        let view = story.view();
        let hands = view.consumers.iter().filter_map(|consumer| consumer.share.as_ref());
        assert!(hands.map(|member| member.records.len()).all(|held| held <= 3));
        // What is acknowledged counts until that is written down, beside what the same fetch acquired.
        assert!(view.shares.first().is_none_or(|share| share.acquired <= 12));
    }
    story.run_for(10_000);
    assert_eq!(times(&story), vec![1; 1_000]);
}

#[test]
fn k_h1_a_member_that_closes_gives_back_what_it_has() {
    let mut story = story(&[], &SharePlan::default(), 100, 2);
    story.run_to(5_000);
    story.stop("consumer-1");
    story.run_for(2_000);
    assert!(!story.cluster.world().health(story.node("consumer-1")).is_alive());
    assert_eq!((story.marked("member-left"), story.view().groups[0].members.len()), (1, 1));
    story.run_to(20_000);
    assert_eq!(story.processed(), 1_000);
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_h1_a_group_is_kept_by_the_next_coordinator() {
    let mut story = story(&[], &SharePlan::default(), 100, 2);
    story.run_to(5_000);
    let keeper = story.view().groups[0].coordinator.unwrap();
    let name = story.cluster.nodes()[keeper.index()].name.clone();
    let epoch = story.view().groups[0].generation;
    story.kill(&name);
    story.run_for(25_000);
    let group = story.view().groups[0].clone();
    assert!(group.coordinator.is_some_and(|now| now != keeper), "{}", story.tell());
    assert_eq!((group.generation, group.members.len(), group.state), (epoch, 2, "Stable"), "{}", story.tell());
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_s8_partitions_are_dealt_so_that_all_members_have_work() {
    let (mut config, workload) = settings(&[], &SharePlan::default(), 100, 6);
    config.topics[0].partitions = 4;
    config.topics[0].replica_assignment = Vec::new();
    let mut story = Story::new(&config, &workload);
    story.run_to(15_000);
    let view = story.view();
    let shares: Vec<usize> = view.consumers.iter().map(|consumer| consumer.assigned.len()).collect();
    assert!(shares.iter().all(|share| (1..=2).contains(share)) && shares.iter().sum::<usize>() == 8, "{shares:?}");
    assert_eq!(times(&story), vec![1; 1_000], "{}", story.tell());
}

#[test]
fn k_h2_a_group_may_have_a_session_and_an_interval_of_its_own() {
    let back_after = |own: &[(&str, &str)]| {
        let (mut config, mut workload) = settings(&[], &SharePlan::default(), 10, 2);
        config.share.set("group.share.min.session.timeout.ms", "6000").unwrap();
        config.share.set("group.share.min.heartbeat.interval.ms", "1000").unwrap();
        let group = config.groups.entry("group".into()).or_default();
        own.iter().for_each(|(name, value)| group.set(name, value).unwrap());
        workload.producers[0].limit = Some(10);
        let mut story = Story::new(&config, &workload);
        story.run_to(30_000);
        story.kill("consumer-2");
        story.run_until(70_000, "it is put out", |view| view.groups[0].members.len() == 1)
    };
    let (session, interval) = ("share.session.timeout.ms", "share.heartbeat.interval.ms");
    assert!((40_000..=45_100).contains(&back_after(&[])), "as the brokers have it");
    assert!((5_000..=10_100).contains(&back_after(&[(session, "10000")])), "a sign of life every 5 s");
    assert!((9_000..=10_100).contains(&back_after(&[(session, "10000"), (interval, "1000")])), "one every second");
    let (mut config, _) = settings(&[], &SharePlan::default(), 1, 1);
    let group = config.groups.entry("group".into()).or_default();
    group.set(session, "70000").unwrap();
    group.set(interval, "4000").unwrap();
    let problems = config.check().expect_err("Kafka refuses this");
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "share.heartbeat.interval.ms must be greater than or equal to group.share.min.heartbeat.interval.ms",
            "share.session.timeout.ms must be less than or equal to group.share.max.session.timeout.ms",
        ]
    );
}

#[test]
fn what_a_share_consumer_does_not_take_is_refused() {
    let refused = |own: &[(&str, &str)], plan: SharePlan| {
        let (config, _) = settings(own, &plan, 1, 1);
        config.check().expect_err("Kafka refuses this")[0].message.clone()
    };
    for (name, value) in
        [("enable.auto.commit", "false"), ("auto.offset.reset", "earliest"), ("group.instance.id", "a")]
    {
        let message = format!("{name} cannot be set when using a share group.");
        assert_eq!(refused(&[(name, value)], SharePlan::default()), message);
    }
    let plan = SharePlan { release_every: 2, ..SharePlan::default() };
    assert!(refused(&[], plan).contains("share.acknowledgement.mode=explicit"));
    let (mut config, _) = settings(&[], &SharePlan::default(), 1, 1);
    config.share.set("group.share.record.lock.duration.ms", "5000").unwrap();
    let message = config.check().expect_err("too short")[0].message.clone();
    assert!(message.contains("group.share.min.record.lock.duration.ms"), "{message}");
}

#[test]
fn k_h2_an_application_that_renews_keeps_what_it_has_not_worked_on() {
    let slow = |renew: bool| {
        let plan = SharePlan { renew, ..SharePlan::default() };
        let (config, mut workload) = settings(&[EXPLICIT], &plan, 10, 2);
        workload.consumers.iter_mut().for_each(|spec| spec.processing = Duration::Constant(Nanos::secs(2)));
        workload.consumers[1].start = Time::ZERO + Nanos::secs(12);
        workload.producers[0].limit = Some(40);
        let mut story = Story::new(&config, &workload);
        story.run_to(150_000);
        (times(&story).iter().filter(|times| **times > 1).count(), story.processed())
    };
    let (twice, processed) = slow(false);
    assert!(twice > 0 && processed == 40, "locks of 30 s run out before the last is worked on: {twice}");
    assert_eq!(slow(true), (0, 40), "renewed, they hold");
}

#[test]
fn k_x6_a_share_group_that_reads_committed_gets_nothing_of_aborted_transactions() {
    let run = |level: &str| {
        let (mut config, mut workload) = settings(&[], &SharePlan::default(), 100, 1);
        config.producers[0].config.transactional_id = Some("t".to_owned());
        config.producers[0].transactions.abort_every = 2;
        config.groups.entry("group".into()).or_default().set("share.isolation.level", level).unwrap();
        workload.producers[0].limit = Some(1_000);
        let mut story = Story::new(&config, &workload);
        story.run_to(40_000);
        let aborted = story.fates.values().filter(|fate| fate.aborted);
        let read = aborted.filter(|fate| !fate.processed.is_empty()).count();
        let committed = story.fates.values().filter(|fate| fate.acknowledged);
        (read > 0, committed.filter(|fate| fate.processed.is_empty()).count())
    };
    assert_eq!(run("read_committed"), (false, 0));
    assert_eq!(run("read_uncommitted"), (true, 0));
}
