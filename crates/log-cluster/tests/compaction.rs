//! Compacted topics in a cluster: what readers find, whatever happens to the brokers.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::config::{Acks, Config};
use sim::{Nanos, Time};

const KEYS: usize = 10;

fn compacted() -> Config {
    let mut config = config();
    config.producers = vec![producer(Acks::All)];
    config.producers[0].config.linger_ms = 0;
    config.consumers = vec![consumer()];
    config.broker.group_initial_rebalance_delay_ms = 0;
    config.broker.log_cleaner_backoff_ms = 1_000;
    let topic = &mut config.topics[0].config;
    topic.set("cleanup.policy", "compact").unwrap();
    topic.set("min.cleanable.dirty.ratio", "0.1").unwrap();
    topic.set("segment.ms", "1000").unwrap();
    config
}

/// A reader that comes late.
fn story(seed: u64, config: &Config, reader_starts: u64) -> Story {
    let mut load = workload(50, 1, 1);
    load.consumers[0].start = Time::ZERO + Nanos::secs(reader_starts);
    Story::seeded(seed, config, &load)
}

#[test]
fn k_d5_a_late_reader_finds_of_each_key_the_newest_and_little_else() {
    let mut story = story(7, &compacted(), 30);
    story.run_to(40_000);
    assert!(story.marked("compacted") > 5, "{}", story.tell());
    let (produced, processed) = (story.fates.len(), story.processed());
    // What came in the last seconds is not compacted yet, and the newest of each key stays.
    assert!(processed > 10 * 50 && processed < 10 * 50 + 4 * 50 + KEYS, "{processed} of {produced}");
    assert!(story.fates.values().filter(|fate| fate.deleted).count() > 1_000);
    assert!(story.lost().is_empty(), "{}", story.tell());
}

#[test]
fn k_d5_a_record_without_a_key_is_refused() {
    let mut load = workload(10, 1, 1);
    load.producers[0].keys = 0;
    let mut story = Story::seeded(7, &compacted(), &load);
    story.run_to(5_000);
    assert_eq!(story.acknowledged(), 0);
    assert!(story.fates.values().filter(|fate| fate.refused).count() > 10);
    assert!(story.marks.iter().any(|mark| mark.values.contains(&"INVALID_RECORD".to_owned())), "{}", story.tell());
}

#[test]
fn k_d6_tombstones_are_seen_for_a_while() {
    let mut config = compacted();
    config.producers[0].tombstone_every = 5;
    config.topics[0].config.set("delete.retention.ms", "3000").unwrap();
    let mut story = story(7, &config, 30);
    story.run_to(45_000);
    assert!(story.lost().is_empty(), "{}", story.tell());
    assert!(story.processed() > 700, "{}", story.processed());
}

#[test]
fn k_d7_leaders_come_and_go_over_compacted_logs_and_nothing_is_lost() {
    for seed in 0..60 {
        let mut config = compacted();
        config.producers[0].tombstone_every = 7;
        config.topics[0].config.set("delete.retention.ms", "2000").unwrap();
        if seed % 3 == 0 {
            config.topics[0].config.set("cleanup.policy", "compact,delete").unwrap();
        }
        let mut story = story(seed, &config, if seed % 2 == 0 { 0 } else { 20 });
        let mut dice = sim::Dice::named(seed, "compaction", &[]);
        story.run_to(4_000);
        for _ in 0..3 {
            let victim = format!("broker-{}", 1 + dice.below(3));
            match dice.below(4) {
                0 => story.kill(&victim),
                1 => story.power_off(&victim),
                2 => story.pause(&victim),
                _ => story.stop(&victim),
            }
            story.run_for(3_000 + dice.below(10_000));
            story.resume(&victim);
            story.start(&victim);
            story.run_until(60_000, "whole again", |view| view.topics[0].partitions[0].isr.len() == 3);
        }
        story.run_for(60_000);
        assert!(story.lost().is_empty(), "seed {seed}\n{}", story.tell());
        let waiting = story.fates.values().filter(|fate| !fate.deleted && fate.processed.is_empty()).count();
        assert!(waiting < 30, "seed {seed}: {waiting} were not processed\n{}", story.tell());
    }
}
