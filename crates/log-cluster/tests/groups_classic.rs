//! Groups by the classic protocol: lists of strategies, static members, what a coordinator refuses, and offsets that
//! expire.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::config::{Acks, Config, ConsumerClient};
use sim::workload::Duration;
use sim::{Nanos, Time};

/// Four partitions, and consumers with these settings each.
fn group(settings: &[&[(&str, &str)]], broker: &[(&str, &str)]) -> (Config, sim::workload::Workload) {
    let mut config = config();
    config.topics[0].partitions = 4;
    config.topics[0].replica_assignment = Vec::new();
    config.producers = vec![producer(Acks::All)];
    let client = |settings: &&[(&str, &str)]| -> ConsumerClient {
        let mut client = consumer();
        settings.iter().for_each(|(name, value)| client.config.set(name, value).unwrap());
        client
    };
    config.consumers = settings.iter().map(client).collect();
    config.broker.set("group.initial.rebalance.delay.ms", "100").unwrap();
    broker.iter().for_each(|(name, value)| config.broker.set(name, value).unwrap());
    (config, workload(100, 1, settings.len()))
}

fn story(settings: &[&[(&str, &str)]]) -> Story {
    let (config, workload) = group(settings, &[]);
    Story::new(&config, &workload)
}

fn shares(story: &Story) -> Vec<Vec<u32>> {
    let parts = |view: &log_cluster::view::ConsumerView| view.assigned.iter().map(|part| part.partition).collect();
    story.view().consumers.iter().map(parts).collect()
}

#[test]
fn k_g5_a_list_with_range_and_cooperative_sticky_comes_to_range_and_stops_everybody() {
    let (mut config, mut workload) = group(&[&[], &[("max.poll.records", "20")], &[]], &[]);
    config.topics[0].partitions = 6;
    // The second takes two seconds for what it polled, and comes late to the rebalance.
    workload.consumers[1].processing = Duration::Constant(Nanos::millis(100));
    let mut story = Story::new(&config, &workload);
    story.run_to(6_000);
    assert_eq!(shares(&story), [[0, 1], [2, 3], [4, 5]], "ranges");
    assert_eq!(story.view().groups[0].protocol, "classic");
    story.stop("consumer-3");
    story.run_until(6_000, "nothing is owned while the group rebalances", |view| view.consumers[0].assigned.is_empty());
}

#[test]
fn k_g5_two_rolling_bounces_lead_from_eager_to_cooperative() {
    let both = ("partition.assignment.strategy", "cooperative-sticky,range");
    let sticky = ("partition.assignment.strategy", "cooperative-sticky");
    let mut story = story(&[&[("partition.assignment.strategy", "range")], &[both], &[sticky]]);
    let third = story.node("consumer-3");
    story.cluster.world_mut().pause(third);
    story.run_to(6_000);
    assert_eq!(shares(&story)[..2], [vec![0, 1], vec![2, 3]], "the only strategy in common is range");
    story.stop("consumer-1");
    story.run_for(8_000);
    story.cluster.world_mut().resume(third);
    story.run_for(12_000);
    let mut sizes: Vec<usize> = shares(&story).iter().skip(1).map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 2], "the only strategy in common is cooperative-sticky: {}", story.tell());
    assert!(story.view().consumers.iter().all(|consumer| consumer.failed.is_none()));
}

#[test]
fn k_g5_a_member_without_a_strategy_in_common_fails() {
    let mut story = story(&[
        &[("partition.assignment.strategy", "range")],
        &[("partition.assignment.strategy", "roundrobin,sticky")],
    ]);
    story.run_to(6_000);
    let failed: Vec<_> = story.view().consumers.iter().filter_map(|consumer| consumer.failed).collect();
    assert_eq!(failed, ["INCONSISTENT_GROUP_PROTOCOL"]);
    assert_eq!(story.view().groups[0].members.len(), 1);
}

const STATIC: [&[(&str, &str)]; 2] = [
    &[("group.instance.id", "one"), ("session.timeout.ms", "10000")],
    &[("group.instance.id", "two"), ("session.timeout.ms", "10000")],
];

#[test]
fn k_g6_a_static_member_that_restarts_within_its_session_keeps_its_share() {
    let mut story = story(&STATIC);
    story.run_to(6_000);
    let before = shares(&story);
    let generation = story.view().groups[0].generation;
    story.kill("consumer-2");
    story.run_for(2_000);
    story.start("consumer-2");
    story.run_until(3_000, "it has its share again", |view| view.consumers[1].assigned.len() == 2);
    assert_eq!((shares(&story), story.view().groups[0].generation), (before.clone(), generation));
    assert_eq!(story.marked("member-returned"), 1);
    // So does one that closes, and the first, who leads.
    story.stop("consumer-1");
    story.run_for(2_000);
    assert!(!story.cluster.world().health(story.node("consumer-1")).is_alive());
    story.start("consumer-1");
    story.run_for(15_000);
    assert_eq!((shares(&story), story.view().groups[0].generation), (before, generation), "{}", story.tell());
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_g6_a_static_member_that_does_not_come_back_is_gone_after_its_session() {
    let mut story = story(&STATIC);
    story.run_to(6_000);
    story.stop("consumer-2");
    let wait = story.run_until(20_000, "the other has it all", |view| view.consumers[0].assigned.len() == 4);
    assert!((7_000..=13_100).contains(&wait), "{wait} ms: the session of 10 s, and up to 3 s until the other learns");
    assert_eq!(story.marked("member-left"), 0);
}

#[test]
fn k_g6_the_same_name_twice_fences_the_older() {
    let twice: &[(&str, &str)] = &[("group.instance.id", "one")];
    let (config, mut workload) = group(&[twice, twice], &[]);
    workload.consumers[1].start = Time::ZERO + Nanos::secs(6);
    let mut story = Story::new(&config, &workload);
    story.run_to(16_000);
    let view = story.view();
    assert_eq!(view.consumers[0].failed, Some("FENCED_INSTANCE_ID"), "{}", story.tell());
    assert_eq!(view.consumers[1].assigned.len(), 4);
    assert_eq!(view.groups[0].members[0].instance.as_deref(), Some("one"));
}

#[test]
fn a_full_group_takes_nobody_in() {
    let (config, mut workload) = group(&[&[], &[]], &[("group.max.size", "1")]);
    workload.consumers[1].start = Time::ZERO + Nanos::secs(6);
    let mut story = Story::new(&config, &workload);
    story.run_to(10_000);
    assert_eq!(story.view().consumers[1].failed, Some("GROUP_MAX_SIZE_REACHED"));
    assert_eq!(story.view().consumers[0].assigned.len(), 4);
}

#[test]
fn k_g3_a_session_out_of_bounds_is_refused() {
    let (config, workload) = group(&[&[("session.timeout.ms", "5000")]], &[]);
    let problems = config.check().expect_err("the broker would refuse it");
    assert!(problems[0].message.contains("INVALID_SESSION_TIMEOUT"), "{problems:?}");
    // Whoever plays it all the same sees the coordinator refuse.
    let mut cluster = log_cluster::LogCluster::new(1, &workload, &config);
    cluster.world_mut().run_until(Time::ZERO + Nanos::secs(5));
    assert_eq!(cluster.view().consumers[0].failed, Some("INVALID_SESSION_TIMEOUT"));
}

#[test]
fn k_c5_with_none_the_application_fails_and_by_duration_it_begins_at_what_is_young() {
    let mut none = story(&[&[("auto.offset.reset", "none")]]);
    none.run_to(6_000);
    assert_eq!(none.view().consumers[0].failed, Some("NoOffsetForPartitionException"));
    assert!(!none.cluster.world().health(none.node("consumer-1")).is_alive());
    let (config, mut workload) = group(&[&[("auto.offset.reset", "by_duration:PT2S")]], &[]);
    workload.consumers[0].start = Time::ZERO + Nanos::secs(10);
    let mut young = Story::new(&config, &workload);
    young.run_to(15_000);
    let skipped = young.fates.values().filter(|fate| fate.acknowledged && fate.processed.is_empty()).count();
    assert!((700..=850).contains(&skipped), "{skipped} of the first 8 s are skipped");
}

#[test]
fn k_o3_offsets_of_a_group_without_members_expire() {
    let retention = [("offsets.retention.minutes", "1"), ("offsets.retention.check.interval.ms", "10000")];
    let (config, mut workload) = group(&[&[]], &retention);
    workload.consumers[0].processing = Duration::Constant(Nanos(0));
    let mut story = Story::new(&config, &workload);
    story.run_to(90_000);
    assert_eq!(story.marked("offsets-expired"), 0, "its members subscribe to them");
    story.stop("consumer-1");
    story.run_for(55_000);
    assert_eq!(story.marked("offsets-expired"), 0);
    story.run_for(20_000);
    assert_eq!(story.marked("offsets-expired"), 1, "{}", story.tell());
    let before = story.processed();
    story.start("consumer-1");
    story.run_for(8_000);
    assert!(story.processed() > before);
    let twice = story.fates.values().filter(|fate| fate.processed.values().any(|times| *times > 1)).count();
    assert!(twice > 8_000, "{twice}: it begins anew, at the beginning");
}

#[test]
fn k_g2_a_dynamic_member_needs_one_round_trip_more_than_a_static_one() {
    let takes = |settings: &[(&str, &str)]| {
        let (mut config, workload) = group(&[settings], &[("group.initial.rebalance.delay.ms", "0")]);
        config.link.latency = sim::Latency::Constant(Nanos::millis(50));
        config.late = (0, 1);
        let mut story = Story::new(&config, &workload);
        story.run_to(8_000);
        story.start("consumer-1");
        story.run_until(9_000, "its share", |view| view.consumers[0].assigned.len() == 4)
    };
    let (dynamic, fixed) = (takes(&[]), takes(&[("group.instance.id", "one")]));
    assert!((90..=110).contains(&dynamic.saturating_sub(fixed)), "{dynamic} {fixed}");
}

#[test]
fn k_g4_a_member_of_a_generation_that_was_lost_keeps_its_id() {
    let broker = [
        ("offsets.topic.num.partitions", "1"),
        ("unclean.leader.election.enable", "true"),
        ("replica.lag.time.max.ms", "3000"),
    ];
    let (mut config, mut workload) = group(&[&[], &[], &[]], &broker);
    config.topics[0].config.min_insync_replicas = Some(1);
    workload.consumers[2].start = Time::ZERO + Nanos::secs(20);
    let mut story = Story::new(&config, &workload);
    story.run_to(9_000);
    let before = story.view().groups[0].clone();
    assert_eq!((before.state, before.members.len()), ("Stable", 2));
    let keeper = story.cluster.nodes()[usize::from(before.coordinator.unwrap().0)].name.clone();
    let others: Vec<String> = (1..=3).map(|n| format!("broker-{n}")).filter(|name| *name != keeper).collect();
    // From now on the coordinator writes down for itself alone.
    for other in &others {
        story.cut(&keeper, other);
        story.cut(other, &keeper);
    }
    story.run_to(40_000);
    let lost = story.view().groups[0].clone();
    assert_eq!((lost.state, lost.members.len()), ("Stable", 3), "{}", story.tell());
    assert!(lost.generation > before.generation);
    story.kill(&keeper);
    let next = story.run_until(15_000, "another keeps it", |view| {
        view.groups[0].coordinator.is_some_and(|node| node != lost.coordinator.unwrap())
    });
    assert!(next > 1_000 && story.view().groups[0].generation < lost.generation, "what was written last is gone");
    // The two that it knows were told ILLEGAL_GENERATION. Under new ids they would have to wait for the old ones' sessions
    // of 45 s.
    let wait = story.run_until(30_000, "all three are members again", |view| {
        view.groups[0].state == "Stable" && view.groups[0].members.len() == 3
    });
    assert!(wait < 15_000, "{wait} ms\n{}", story.tell());
}
