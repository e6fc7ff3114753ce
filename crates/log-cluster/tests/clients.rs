//! What clients notice, and when (K-P4).

mod common;
use common::{Story, config, producer, workload};
use log_cluster::config::Acks;

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
