//! Each rule by itself: settings, elections, assignors, producers and consumers.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::assignor::{self, Candidate, Racks};
use log_cluster::config::{Acks, Config, OffsetReset, PartitionerClass, Strategy};
use log_cluster::election::{Change, Election, PartitionState, Rules, change};
use log_cluster::partitioner::crc32;
use sim::workload::Duration;
use sim::{Nanos, Time};

fn refused(config: &Config) -> String {
    let problems = config.check().expect_err("Kafka refuses this");
    problems.iter().map(|problem| format!("{}: {}\n", problem.path, problem.message)).collect()
}

#[test]
fn k_p5_settings_that_contradict_each_other_are_refused() {
    let mut config = config();
    config.producers = vec![producer(Acks::All)];
    assert!(config.check().is_ok());
    config.producers[0].config.set("delivery.timeout.ms", "20000").unwrap();
    assert!(refused(&config).contains("linger.ms + request.timeout.ms"));
    config.producers[0].config.set("delivery.timeout.ms", "120000").unwrap();
    config.producers[0].config.set("acks", "1").unwrap();
    assert!(config.check().is_ok() && !config.producers[0].config.is_idempotent(), "silently off");
    config.producers[0].config.set("enable.idempotence", "true").unwrap();
    assert!(refused(&config).contains("must set acks to all"));
}

#[test]
fn an_unknown_setting_names_the_nearest_known_one() {
    let mut config = config();
    let why = config.broker.set("min.insync.replica", "2").unwrap_err();
    assert!(why.contains("did you mean min.insync.replicas?"), "{why}");
    let why = config.broker.set("log.segment.bytes", "1024").unwrap_err();
    assert!(why.contains("at least 1048576"), "{why}");
}

#[test]
fn k_e9_more_replicas_than_brokers_are_refused_and_others_are_placed_in_turn() {
    let mut config = config();
    config.topics[0].replication_factor = 4;
    config.topics[0].replica_assignment.clear();
    assert!(refused(&config).contains("INVALID_REPLICATION_FACTOR"));
    config.topics[0].replication_factor = 2;
    config.topics[0].partitions = 3;
    let mut story = Story::new(&config, &workload(0, 1, 0));
    story.run_to(2_000);
    let view = story.view();
    let mut leaders: Vec<u16> = view.topics[0].partitions.iter().map(|partition| partition.replicas[0].0).collect();
    leaders.sort_unstable();
    assert_eq!(leaders, [0, 1, 2], "one each");
    let neighbours = |p: &log_cluster::view::PartitionView| p.replicas[1].0 == (p.replicas[0].0 + 1) % 3;
    assert!(view.topics[0].partitions.iter().all(neighbours));
}

fn state(isr: &[u16], elr: &[u16], leader: Option<u16>) -> PartitionState {
    let mut state = PartitionState::new(vec![0, 1, 2], isr.to_vec());
    (state.elr, state.leader) = (elr.to_vec(), leader);
    state
}

fn rules(elr: bool, unclean: bool, active: &[u16]) -> Rules<'_> {
    Rules { elr_enabled: elr, unclean_enabled: unclean, min_isr: 2, active }
}

#[test]
fn k_e1_only_replicas_in_sync_or_eligible_may_lead() {
    let after = change(&state(&[0], &[], Some(0)), &Change::Fenced(0), &rules(false, false, &[1, 2])).unwrap();
    assert_eq!((after.leader, after.isr), (None, vec![0]));
    let after = change(&state(&[], &[1], None), &Change::Unfenced(1), &rules(true, false, &[1, 2])).unwrap();
    assert_eq!(after.leader, Some(1));
}

#[test]
fn k_e2_an_unclean_election_takes_any_replica_at_work() {
    let after = change(&state(&[0], &[], Some(0)), &Change::Fenced(0), &rules(false, true, &[1, 2])).unwrap();
    assert_eq!((after.leader, after.isr, after.recovering), (Some(1), vec![1], true));
}

#[test]
fn k_e3_a_preferred_election_takes_the_first_replica() {
    let before = state(&[0, 1, 2], &[], Some(2));
    let after = change(&before, &Change::Elect(Election::Preferred), &rules(true, false, &[0, 1, 2])).unwrap();
    assert_eq!(after.leader, Some(0));
    assert_eq!(change(&before, &Change::Elect(Election::Preferred), &rules(true, false, &[1, 2])), None);
}

#[test]
fn k_e4_who_leaves_below_min_isr_stays_eligible() {
    let after = change(&state(&[0, 1], &[], Some(0)), &Change::Fenced(0), &rules(true, false, &[1, 2])).unwrap();
    assert_eq!((after.isr.clone(), after.elr.clone(), after.leader), (vec![1], vec![0], Some(1)));
    let unclean = change(&after, &Change::UncleanShutdown(0), &rules(true, false, &[1, 2])).unwrap();
    assert_eq!(unclean.elr, Vec::<u16>::new());
    let whole = change(&after, &Change::AlterIsr(vec![1, 2]), &rules(true, false, &[1, 2])).unwrap();
    assert_eq!(whole.elr, Vec::<u16>::new());
}

#[test]
fn k_e5_with_eligible_replicas_the_in_sync_set_may_become_empty() {
    let after = change(&state(&[0], &[], Some(0)), &Change::Fenced(0), &rules(true, false, &[1])).unwrap();
    assert_eq!((after.isr, after.elr, after.last_known_elr, after.leader), (vec![], vec![0], vec![0], None));
}

#[test]
fn k_e6_epochs_count_changes_and_nothing_is_no_change() {
    let before = state(&[0, 1, 2], &[], Some(0));
    assert_eq!(change(&before, &Change::AlterIsr(vec![0, 1, 2]), &rules(true, false, &[0, 1, 2])), None);
    let shrunk = change(&before, &Change::AlterIsr(vec![0, 1]), &rules(true, false, &[0, 1, 2])).unwrap();
    assert_eq!((shrunk.leader_epoch, shrunk.partition_epoch), (0, 1));
    let moved = change(&before, &Change::Fenced(0), &rules(true, false, &[1, 2])).unwrap();
    assert_eq!((moved.leader_epoch, moved.partition_epoch), (1, 1));
}

#[test]
fn k_e8_eligible_replicas_are_kept_unless_they_are_switched_off() {
    assert!(Config::default().broker.eligible_leader_replicas);
    let after = change(&state(&[0, 1], &[], Some(0)), &Change::Fenced(0), &rules(false, false, &[1, 2])).unwrap();
    assert_eq!(after.elr, Vec::<u16>::new());
}

const NO_RACKS: Racks = Racks(Vec::new());

fn member(id: &str, topics: &[u32], owned: &[(u32, u32)]) -> Candidate {
    let generation = if owned.is_empty() { -1 } else { 1 };
    Candidate { id: id.into(), instance: None, topics: topics.to_vec(), owned: owned.to_vec(), generation, rack: None }
}

#[test]
fn k_s1_range_gives_stretches_and_the_first_one_more() {
    let shares = assignor::range(&[5], &[member("b", &[0], &[]), member("a", &[0], &[])], &NO_RACKS);
    assert_eq!(shares, [vec![(0, 3), (0, 4)], vec![(0, 0), (0, 1), (0, 2)]]);
}

#[test]
fn k_s2_round_robin_passes_over_who_did_not_subscribe() {
    let shares = assignor::round_robin(&[2, 2], &[member("a", &[0, 1], &[]), member("b", &[1], &[])]);
    assert_eq!(shares, [vec![(0, 0), (0, 1), (1, 1)], vec![(1, 0)]]);
}

#[test]
fn k_s3_sticky_keeps_what_fits() {
    let members = [member("a", &[0], &[(0, 0), (0, 1), (0, 2), (0, 3)]), member("b", &[0], &[])];
    let shares = assignor::sticky(&[4], &members, &NO_RACKS, &[]);
    assert_eq!(shares, [vec![(0, 0), (0, 1)], vec![(0, 2), (0, 3)]]);
}

#[test]
fn k_s4_sticky_evens_out_what_differing_subscriptions_allow() {
    let members = [member("a", &[0, 1], &[(0, 0), (0, 1), (1, 0), (1, 1)]), member("b", &[1], &[])];
    let sizes: Vec<usize> = assignor::sticky(&[2, 2], &members, &NO_RACKS, &[]).iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 2]);
}

#[test]
fn k_s5_cooperative_sticky_gives_up_first() {
    let members = [member("a", &[0], &[(0, 0), (0, 1), (0, 2), (0, 3)]), member("b", &[0], &[])];
    assert_eq!(assignor::cooperative_sticky(&[4], &members, &NO_RACKS, &[]), [vec![(0, 0), (0, 1)], vec![]]);
}

#[test]
fn k_s6_uniform_fills_quotas_in_the_order_of_the_members() {
    let members = [member("a", &[0], &[(0, 0), (0, 1), (0, 2)]), member("b", &[0], &[])];
    assert_eq!(assignor::server_uniform(&[3], &members, &[0]), [vec![(0, 0), (0, 1)], vec![(0, 2)]]);
}

#[test]
fn k_s7_uniform_with_differing_subscriptions_evens_out() {
    let members = [member("a", &[0, 1], &[(0, 0), (0, 1), (0, 2), (0, 3)]), member("b", &[0], &[])];
    let sizes: Vec<usize> = assignor::server_uniform(&[4, 0], &members, &[0, 1]).iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 2]);
}

#[test]
fn k_s8_simple_shares_a_partition_among_many_and_keeps_what_fits() {
    let four: Vec<Candidate> = ["a", "b", "c", "d"].iter().map(|id| member(id, &[0], &[])).collect();
    let shares = assignor::share_simple(&[2], &four, &[0], &[0]);
    assert_eq!(shares, [vec![(0, 0)], vec![(0, 0)], vec![(0, 1)], vec![(0, 1)]]);
    let grown = [member("a", &[0], &[(0, 0), (0, 1), (0, 2), (0, 3)]), member("b", &[0], &[])];
    let shares = assignor::share_simple(&[4], &grown, &[0], &[0]);
    assert_eq!(shares, [vec![(0, 2), (0, 3)], vec![(0, 0), (0, 1)]]);
    let differing = [member("a", &[0], &[(1, 0)]), member("b", &[0, 1], &[])];
    assert_eq!(assignor::share_simple(&[1, 1], &differing, &[0, 1], &[0, 1]), [vec![(0, 0)], vec![(0, 0), (1, 0)]]);
}

#[test]
fn k_s8_simple_may_deal_a_partition_to_one_member_twice() {
    // Partition 1 lacks two members and only the first can take it, so that it is counted for both.
    let held: [&[u32]; 14] =
        [&[0, 3], &[0], &[0], &[0], &[0], &[1, 3], &[1], &[1], &[2], &[2, 3], &[2], &[2], &[3], &[3]];
    let owned = |parts: &[u32]| -> Vec<(u32, u32)> { parts.iter().map(|partition| (0, *partition)).collect() };
    let members: Vec<Candidate> = held.iter().map(|parts| member("m", &[0], &owned(parts))).collect();
    let shares = assignor::share_simple(&[4], &members, &[0], &[0]);
    assert_eq!((&shares[0], &shares[5], &shares[7]), (&owned(&[1]), &owned(&[3]), &owned(&[1, 2])));
}

fn consuming(change: impl Fn(&mut Config), rate: u64, consumers: usize) -> Story {
    let mut config = config();
    config.topics[0].partitions = 4;
    config.topics[0].replica_assignment = Vec::new();
    config.producers = vec![producer(Acks::All)];
    config.consumers = vec![consumer()];
    config.broker.group_initial_rebalance_delay_ms = 100;
    change(&mut config);
    Story::new(&config, &workload(rate, 1, consumers))
}

#[test]
fn k_g2_a_new_group_waits_and_waits_longer_when_more_join() {
    let mut story = consuming(|config| config.broker.group_initial_rebalance_delay_ms = 3_000, 10, 2);
    story.run_to(2_900);
    assert_eq!(story.marked("group-generation"), 0);
    story.run_to(6_500);
    assert_eq!(story.marked("group-generation"), 1, "{}", story.tell());
    let formed = story.marks.iter().find(|mark| mark.code == "group-generation").unwrap();
    assert!(formed.at > Time::ZERO + Nanos::secs(6), "the second joined during the first wait");
}

#[test]
fn k_g4_every_member_of_a_generation_gets_its_share() {
    let mut story = consuming(|_| (), 10, 3);
    story.run_to(5_000);
    let mut shares: Vec<usize> = story.view().consumers.iter().map(|consumer| consumer.assigned.len()).collect();
    shares.sort_unstable();
    assert_eq!(shares, [1, 1, 2]);
}

#[test]
fn k_g5_a_member_with_another_strategy_is_not_taken_in() {
    let odd = |config: &mut Config| {
        config.consumers.push(consumer());
        config.consumers[1].config.partition_assignment_strategy = Strategy::RoundRobin.into();
    };
    let mut story = consuming(odd, 10, 2);
    story.run_to(5_000);
    assert_eq!(story.view().groups[0].members.len(), 1);
}

#[test]
fn k_g3_a_cooperative_group_goes_on_while_it_rebalances() {
    let sticky = |config: &mut Config| {
        config.consumers[0].config.partition_assignment_strategy = Strategy::CooperativeSticky.into();
    };
    let mut story = consuming(sticky, 100, 2);
    let second = story.node("consumer-2");
    story.pause("consumer-2");
    story.run_to(5_000);
    assert_eq!(story.view().consumers[0].assigned.len(), 4);
    story.cluster.world_mut().resume(second);
    story.run_for(12_000);
    let shares: Vec<usize> = story.view().consumers.iter().map(|consumer| consumer.assigned.len()).collect();
    assert_eq!(shares, [2, 2], "{}", story.tell());
    assert!(story.marked("group-generation") >= 3, "one to give up, one to take");
}

#[test]
fn k_c1_consumers_see_what_is_below_the_high_watermark() {
    let mut story = consuming(|_| (), 100, 1);
    story.run_to(5_000);
    story.kill("broker-2");
    story.kill("broker-3");
    story.run_for(15_000);
    let before = story.processed();
    story.run_for(3_000);
    assert_eq!(story.processed(), before, "nothing is committed with one replica in sync");
}

#[test]
fn k_c3_a_poll_returns_a_limited_number_but_more_is_fetched() {
    let slow = |config: &mut Config| config.consumers[0].config.max_poll_records = 2;
    let mut config = config();
    config.producers = vec![producer(Acks::All)];
    config.consumers = vec![consumer()];
    slow(&mut config);
    config.broker.group_initial_rebalance_delay_ms = 0;
    let mut workload = workload(200, 1, 1);
    workload.consumers[0].processing = Duration::Constant(Nanos::millis(100));
    let mut story = Story::new(&config, &workload);
    story.run_to(5_000);
    assert!(story.view().consumers[0].buffered > 20, "{:?}", story.view().consumers[0]);
}

#[test]
fn k_c4_a_consumer_that_does_not_poll_leaves_its_group() {
    let mut config = config();
    config.producers = vec![producer(Acks::All)];
    config.consumers = vec![consumer()];
    config.consumers[0].config.max_poll_interval_ms = 5_000;
    config.broker.group_initial_rebalance_delay_ms = 0;
    let mut workload = workload(10, 1, 1);
    workload.consumers[0].processing = Duration::Constant(Nanos::secs(20));
    let mut story = Story::new(&config, &workload);
    story.run_to(15_000);
    assert!(story.marked("member-left") >= 1, "{}", story.tell());
}

#[test]
fn k_c5_latest_skips_what_came_before() {
    let latest = |config: &mut Config| config.consumers[0].config.auto_offset_reset = OffsetReset::Latest;
    let mut story = consuming(latest, 100, 1);
    story.pause("consumer-1");
    story.run_to(3_000);
    story.resume("consumer-1");
    story.run_for(5_000);
    let missed = story.fates.values().filter(|fate| fate.acknowledged && fate.processed.is_empty()).count();
    assert!(missed >= 250, "{missed}");
    assert!(story.processed() > 400);
    assert!(story.marked("offset-reset") >= 1);
}

#[test]
fn k_o1_commits_are_replicated_before_they_count() {
    let mut story = consuming(|_| (), 100, 1);
    story.run_to(12_000);
    assert!(story.fates.values().filter(|fate| fate.settled).count() > 500);
    let view = story.view();
    let commits = view.topics.iter().position(|topic| topic.internal).unwrap() as u32;
    let copies = view.servers.iter().filter_map(|server| server.broker.as_ref());
    let copies = copies.filter(|broker| broker.replicas.iter().any(|replica| replica.topic == commits));
    assert_eq!(copies.count(), 3);
}

fn producing(change: impl Fn(&mut Config), rate: u64) -> Story {
    let mut config = config();
    config.producers = vec![producer(Acks::All)];
    change(&mut config);
    Story::new(&config, &workload(rate, 1, 0))
}

#[test]
fn k_p1_a_full_buffer_blocks_the_application() {
    let small = |config: &mut Config| {
        config.producers[0].config.buffer_memory = 65_536;
        config.producers[0].config.max_block_ms = 2_000;
    };
    let mut story = producing(small, 500);
    story.run_to(2_000);
    ["broker-1", "broker-2", "broker-3"].iter().for_each(|broker| story.kill(broker));
    story.run_for(4_000);
    let producer = &story.view().producers[0];
    assert!(producer.blocked > 100 && producer.buffered_bytes <= 65_536, "{producer:?}");
    assert_eq!(story.marked("producer-blocked"), 1);
    assert!(story.fates.values().any(|fate| fate.refused), "after max.block.ms send() fails");
}

#[test]
fn k_p2_a_batch_waits_for_linger_and_no_longer() {
    let batches = |linger: i64| {
        let mut story = producing(|config| config.producers[0].config.linger_ms = linger, 1_000);
        story.run_to(3_000);
        story.cluster.world().events()
    };
    assert!(batches(0) > 2 * batches(50), "fewer, larger batches with a longer wait");
}

#[test]
fn k_p3_a_request_carries_one_batch_of_a_partition() {
    let mut story = producing(|config| config.producers[0].config.linger_ms = 100, 20_000);
    story.run_to(4_000);
    let most = story.cluster.world().flights().map(|flight| flight.look.count).max().unwrap_or(0);
    assert!(most <= 16_384 / 110, "{most} records in one flight, and one partition");
}

#[test]
fn k_p4_what_is_too_old_is_given_up() {
    let short = |config: &mut Config| {
        config.producers[0].config.request_timeout_ms = 1_000;
        config.producers[0].config.delivery_timeout_ms = 3_000;
    };
    let mut story = producing(short, 50);
    story.run_to(2_000);
    ["broker-1", "broker-2", "broker-3"].iter().for_each(|broker| story.kill(broker));
    story.run_for(6_000);
    let refused = story.fates.values().filter(|fate| fate.refused).count();
    assert!((100..=300).contains(&refused), "{refused}");
    assert!(story.marked("producer-gives-up") >= 1);
}

#[test]
fn k_i4_a_producer_that_left_a_gap_raises_its_epoch() {
    let short = |config: &mut Config| {
        config.producers[0].config.request_timeout_ms = 1_000;
        config.producers[0].config.delivery_timeout_ms = 3_000;
    };
    let mut story = producing(short, 50);
    story.run_to(2_000);
    story.power_off("broker-1");
    story.run_for(30_000);
    assert!(story.marked("producer-epoch") >= 1, "{}", story.tell());
    let before = story.acknowledged();
    story.run_for(2_000);
    assert!(story.acknowledged() >= before + 90, "and goes on: {}", story.tell());
}

#[test]
fn k_p6_without_idempotence_a_lost_answer_makes_duplicates() {
    let twice = |idempotence: bool| {
        let set = move |config: &mut Config| {
            config.producers[0].config.enable_idempotence = Some(idempotence);
            config.producers[0].config.request_timeout_ms = 2_000;
        };
        let mut story = producing(set, 100);
        story.run_to(2_000);
        let (a, b) = (story.node("broker-1"), story.node("producer-1"));
        story.cluster.world_mut().cut(a, b);
        story.run_for(1_500);
        story.run_for(2_000);
        story.cluster.world_mut().heal(a, b);
        story.run_for(20_000);
        story.stored_twice()
    };
    assert!(twice(false) > 0);
    assert_eq!(twice(true), 0);
}

#[test]
fn k_i5_a_restarted_producer_is_a_new_one() {
    let mut story = producing(|_| (), 100);
    story.run_to(2_000);
    let before = story.view().producers[0].producer_id.unwrap();
    story.kill("producer-1");
    story.start("producer-1");
    story.run_for(2_000);
    assert_ne!(story.view().producers[0].producer_id.unwrap().0, before.0);
}

#[test]
fn k_p7_a_batch_has_a_header_and_records_have_little_beside_their_values() {
    let mut story = producing(|_| (), 10);
    story.run_to(3_000);
    let view = story.view();
    assert!(view.producers[0].buffered_bytes <= 16_384);
    assert!(story.acknowledged() >= 28);
}

#[test]
fn k_t5_round_robin_has_to_be_asked_for() {
    let spread = |class: PartitionerClass, keys: u32| {
        let set = move |config: &mut Config| {
            config.topics[0].partitions = 4;
            config.topics[0].replica_assignment = Vec::new();
            config.producers[0].config.partitioner_class = class;
        };
        let mut config = config();
        config.producers = vec![producer(Acks::All)];
        set(&mut config);
        let mut workload = workload(10, 1, 0);
        workload.producers[0].keys = keys;
        let mut story = Story::new(&config, &workload);
        story.run_to(2_000);
        let view = story.view();
        let ends = view.servers.iter().filter_map(|server| server.broker.as_ref());
        let leaders = ends.flat_map(|broker| &broker.replicas).filter(|replica| replica.is_leader);
        leaders.filter(|replica| replica.log_end > 0).map(|replica| replica.partition).collect::<Vec<u32>>()
    };
    assert_eq!(spread(PartitionerClass::Default, 0).len(), 1, "a few messages stay on one partition");
    assert_eq!(spread(PartitionerClass::RoundRobin, 0).len(), 4);
    // As librdkafka does it: a partition is kept for 10 ms, and these are 100 ms apart.
    assert_eq!(spread(PartitionerClass::ConsistentRandom, 0).len(), 4);
    assert_eq!(spread(PartitionerClass::ConsistentRandom, 1), [crc32(b"key-0") % 4], "one key, one partition");
}

#[test]
fn k_r1_a_follower_knows_what_is_committed_one_fetch_later() {
    let mut story = producing(|_| (), 1);
    story.run_to(2_010);
    let (leader, follower) = (story.replica("broker-1"), story.replica("broker-2"));
    assert_eq!(leader.high_watermark, leader.log_end);
    assert_eq!((follower.log_end, follower.high_watermark), (leader.log_end, leader.log_end - 1));
    story.run_for(600);
    assert_eq!(story.replica("broker-2").high_watermark, leader.log_end, "within 500 ms when idle");
}

#[test]
fn k_r2_a_paused_follower_counts_as_caught_up_for_thirty_seconds() {
    let mut story = producing(|_| (), 50);
    story.run_to(2_000);
    story.pause("broker-3");
    story.run_for(8_000);
    assert_eq!(story.isr().len(), 3);
    story.run_for(4_000);
    assert_eq!(story.isr().len(), 2, "the controller's session is over first");
}

#[test]
fn k_r5_every_change_of_the_in_sync_set_is_agreed_with_the_controller() {
    let mut story = producing(|_| (), 50);
    story.run_to(2_000);
    ["controller-1", "controller-2", "controller-3"].iter().for_each(|controller| story.kill(controller));
    story.cut("broker-1", "broker-3");
    story.run_for(60_000);
    assert_eq!(story.isr().len(), 3, "nobody can agree to the change");
    assert!(story.acknowledged() < 200);
}

#[test]
fn k_a4_the_high_watermark_waits_for_every_replica_in_sync() {
    let mut story = producing(|config| config.producers[0].config.acks = Acks::Leader, 50);
    story.run_to(2_000);
    story.pause("broker-3");
    story.run_for(3_000);
    let leader = story.replica("broker-1");
    assert!(leader.log_end > leader.high_watermark + 100, "{leader:?}");
    assert_eq!(story.replica("broker-2").log_end, leader.log_end);
}

#[test]
fn k_l2_a_client_with_an_old_epoch_learns_of_the_new_leader() {
    let mut story = producing(|_| (), 50);
    story.run_to(2_000);
    story.stop("broker-1");
    story.run_for(3_000);
    assert!(story.acknowledged() > 230, "{}", story.tell());
}

#[test]
fn k_l3_a_follower_with_other_records_is_told_where_they_part() {
    let mut story = producing(|config| config.producers[0].config.acks = Acks::Leader, 200);
    story.run_to(3_000);
    ["broker-2", "broker-3"].iter().for_each(|other| story.cut("broker-1", other));
    story.run_for(300);
    story.kill("broker-1");
    story.run_for(12_000);
    ["broker-2", "broker-3"].iter().for_each(|other| story.heal("broker-1", other));
    story.start("broker-1");
    story.run_for(10_000);
    assert_eq!(story.marks.iter().filter(|mark| mark.code == "truncated" && mark.rule.0 == "K-L4").count(), 1);
    assert_eq!(story.replica("broker-1").leader_epoch, story.replica("broker-2").leader_epoch);
}

#[test]
fn k_l5_a_follower_that_lost_everything_fetches_from_the_start() {
    let mut story = producing(|_| (), 200);
    story.run_to(5_000);
    story.power_off("broker-3");
    story.run_for(15_000);
    assert_eq!(story.replica("broker-3").log_end, 0);
    story.start("broker-3");
    story.run_for(20_000);
    let (leader, follower) = (story.replica("broker-1"), story.replica("broker-3"));
    assert!(follower.log_end + 50 > leader.log_end, "{follower:?} {leader:?}");
}
