//! What clients notice, and when (K-P4), and how long they rest.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::config::Acks;
use sim::{Nanos, Time};

/// A record a second, each a batch of its own, of which the last is handed over at `5 s`; from 1.5 s on the producer
/// hears nothing of the leader.
fn unheard(limit: u32) -> Story {
    let mut config = config();
    config.producers = vec![producer(Acks::All)];
    config.producers[0].config.request_timeout_ms = 5_000;
    let mut workload = workload(1, 1, 0);
    workload.producers[0].bytes = 16_000;
    workload.producers[0].limit = Some(limit);
    let mut story = Story::new(&config, &workload);
    story.run_to(1_500);
    let (leader, client) = (story.node("broker-1"), story.node("producer-1"));
    story.cluster.world_mut().cut(leader, client);
    story
}

#[test]
fn k_p4_a_producer_that_nothing_wakes_notices_late_that_an_answer_is_missing() {
    // The record of 2 s has been waited for since then; the last one was handed over at 5 s.
    let mut story = unheard(5);
    story.run_to(9_900);
    assert_eq!(story.marked("producer-retries"), 0, "its thread sleeps for as long as a request may take");
    story.run_to(10_200);
    assert_eq!(story.marked("producer-retries"), 1, "{}", story.tell());
    // New records wake it.
    let mut story = unheard(60);
    story.run_to(6_900);
    assert_eq!(story.marked("producer-retries"), 0);
    story.run_to(8_200);
    assert_eq!(story.marked("producer-retries"), 1, "{}", story.tell());
}

#[test]
fn k_p4_an_attempt_to_connect_that_nobody_answers_is_given_up_when_the_producer_wakes() {
    let mut story = unheard(5);
    story.run_to(3_500);
    story.kill("broker-1");
    let wait = story.run_until(40_000, "another leads, and all is acknowledged", |view| {
        let producer = &view.producers[0];
        producer.in_flight + producer.buffered == 0 && view.topics[0].partitions[0].leader.is_some()
    });
    // Noticed at 10 s; the attempt at the dead one takes 8 to 12 s, and is looked at every 5 s.
    assert!((16_400..17_400).contains(&wait) || (21_400..22_400).contains(&wait), "{wait} ms\n{}", story.tell());
    assert_eq!((story.acknowledged(), story.stored_twice()), (5, 0));
}

/// How long after the return of the only broker that keeps `__consumer_offsets` a consumer that came meanwhile has its
/// share, in milliseconds, with retries up to this long apart.
fn found_after(seed: u64, protocol: &str, most: &str) -> u64 {
    let mut config = config();
    config.broker.set("offsets.topic.replication.factor", "1").unwrap();
    config.broker.set("group.initial.rebalance.delay.ms", "0").unwrap();
    let mut client = consumer();
    client.config.set("group.protocol", protocol).unwrap();
    client.config.set("retry.backoff.max.ms", most).unwrap();
    config.consumers = vec![client];
    let mut workload = workload(1, 0, 2);
    workload.consumers[1].start = Time::ZERO + Nanos::secs(30);
    let mut story = Story::seeded(seed, &config, &workload);
    story.run_to(5_000);
    let keeper = story.view().groups[0].coordinator.expect("somebody keeps the group");
    let name = story.cluster.nodes()[usize::from(keeper.0)].name.clone();
    story.kill(&name);
    story.run_to(70_000);
    assert!(story.view().consumers[1].coordinator.is_none(), "{}", story.tell());
    story.start(&name);
    story.run_until(60_000, "the broker leads again", |view| view.groups[0].coordinator.is_some());
    story.run_until(60_000, "the consumer has found it", |view| view.consumers[1].coordinator.is_some())
}

#[test]
fn x_5_searches_for_a_coordinator_rest_for_twice_as_long_each_time_up_to_the_limit() {
    for protocol in ["classic", "consumer"] {
        let waits = |most: &str| (1..=6).map(|seed| found_after(seed, protocol, most)).collect::<Vec<u64>>();
        let (usual, slow) = (waits("1000"), waits("16000"));
        assert!(usual.iter().all(|wait| *wait <= 1_100), "{protocol}: a second at most: {usual:?}");
        assert!(slow.iter().all(|wait| *wait <= 16_100), "{protocol}: {slow:?}");
        assert!(slow.iter().filter(|wait| **wait > 1_100).count() >= 4, "{protocol}: {slow:?}");
        assert_eq!(found_after(3, protocol, "16000"), slow[2], "by the seed, and nothing else");
    }
}
