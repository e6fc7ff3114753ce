//! Records' timestamps: whose clock they are of, and what a clock that goes wrong does (K-D3).

mod common;
use common::{Story, config, producer, workload};
use log_cluster::config::{Acks, Config};
use sim::Nanos;
use sim::workload::Workload;

/// Two producers of which the first sends one record, by a clock that is ahead; what is older than 2 s is deleted.
fn clocks(ahead: Nanos, settings: &[(&str, &str)]) -> (Config, Workload) {
    let mut config = config();
    config.topics[0].config.segment_ms = Some(1_000);
    config.topics[0].config.retention_ms = Some(2_000);
    config.broker.log_retention_check_interval_ms = 1_000;
    settings.iter().for_each(|(name, value)| config.topics[0].config.set(name, value).unwrap());
    config.producers = vec![producer(Acks::All), producer(Acks::All)];
    config.producers[0].clock_ahead = ahead;
    let mut workload = workload(50, 2, 0);
    workload.producers[0].limit = Some(1);
    (config, workload)
}

fn started_at(story: &Story) -> (u64, u64) {
    let replica = story.replica("broker-1");
    (replica.log_start, replica.log_end)
}

#[test]
fn k_d3_a_record_of_the_future_keeps_its_segment_and_all_that_follow() {
    let (config, workload) = clocks(Nanos::ZERO, &[]);
    let mut story = Story::new(&config, &workload);
    story.run_to(20_000);
    let (start, end) = started_at(&story);
    assert!(start > 500 && end - start < 300, "what is old goes: {start} to {end}");
    let (config, workload) = clocks(Nanos::secs(30 * 60), &[]);
    let mut story = Story::new(&config, &workload);
    story.run_to(20_000);
    let (start, end) = started_at(&story);
    assert!(start < 20 && end > 800, "one record ahead of its time keeps all: {start} to {end}");
}

#[test]
fn k_d3_the_leader_can_refuse_a_clock_or_stamp_records_itself() {
    let hours = Nanos::secs(2 * 60 * 60);
    let (config, workload) = clocks(hours, &[]);
    let mut story = Story::new(&config, &workload);
    story.run_to(20_000);
    let refused = story.marks.iter().filter(|mark| mark.code == "producer-gives-up");
    assert_eq!(refused.map(|mark| mark.values[2].as_str()).collect::<Vec<_>>(), ["INVALID_TIMESTAMP"]);
    let (config, workload) = clocks(hours, &[("message.timestamp.after.max.ms", "7200000")]);
    let mut story = Story::new(&config, &workload);
    story.run_to(20_000);
    assert!(started_at(&story).0 < 20, "allowed, and in the way");
    let (config, workload) = clocks(hours, &[("message.timestamp.type", "LogAppendTime")]);
    let mut story = Story::new(&config, &workload);
    story.run_to(20_000);
    assert!(started_at(&story).0 > 500, "{:?}", started_at(&story));
    assert_eq!(story.marked("producer-gives-up"), 0);
}
