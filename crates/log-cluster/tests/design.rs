//! What the design promises and what it does not: replicas instead of flushes (K-F3), epochs instead of high watermarks
//! (K-L6).

mod common;
use common::{Story, config, producer, workload};
use log_cluster::config::Acks;
use sim::{Nanos, Time};

fn producing() -> Story {
    let mut config = config();
    config.producers = vec![producer(Acks::All)];
    // Its one consumer never begins: what is acknowledged waits for it, or is lost.
    let mut workload = workload(200, 1, 1);
    workload.consumers[0].start = Time::ZERO + Nanos::secs(1_000_000);
    Story::new(&config, &workload)
}

#[test]
fn k_l6_a_replica_that_comes_back_is_not_cut_at_its_high_watermark() {
    let mut story = producing();
    story.run_to(9_000);
    story.kill("broker-3");
    let before = story.replica("broker-3");
    assert!(before.high_watermark < before.log_end, "its checkpoint is old: {before:?}");
    for other in ["broker-1", "broker-2", "controller-1", "controller-2", "controller-3"] {
        story.cut("broker-3", other);
    }
    story.start("broker-3");
    story.run_for(2_000);
    assert_eq!(story.replica("broker-3").log_end, before.log_end, "nobody has told it that anything is wrong");
    for other in ["broker-1", "broker-2", "controller-1", "controller-2", "controller-3"] {
        story.heal("broker-3", other);
    }
    story.run_for(20_000);
    assert_eq!((story.isr().len(), story.marked("truncated")), (3, 0), "all it had was the leader's, too");
}

#[test]
fn k_f3_what_was_never_flushed_survives_on_replicas_and_a_side_without_them_stands_still() {
    let mut story = producing();
    story.run_to(5_000);
    assert_eq!(story.replica("broker-1").flushed, 0);
    story.power_off("broker-1");
    // Its clients wait for answers of a machine that is silent.
    story.run_for(60_000);
    assert!(story.acknowledged() > 10_000 && story.lost().is_empty(), "the replicas have it");
    let leader = story.leader().expect("another leads");
    let others = ["broker-2", "broker-3", "controller-1", "controller-2", "controller-3"];
    for other in others.into_iter().filter(|other| *other != leader) {
        story.cut(&leader, other);
    }
    story.run_for(500);
    let before = story.acknowledged();
    story.run_for(20_000);
    assert_eq!(story.acknowledged(), before, "neither side has two in sync");
    for other in others.into_iter().filter(|other| *other != leader) {
        story.heal(&leader, other);
    }
    story.run_for(30_000);
    assert!(story.acknowledged() > before + 1_000 && story.lost().is_empty(), "{}", story.tell());
}
