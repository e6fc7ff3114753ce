//! Stories of applications that consume, process and produce in transactions: in the output each record is there once,
//! whatever breaks.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::config::{Acks, Config, Forwarding, IsolationLevel, TopicSpec};
use sim::{Dice, Nanos, Time};

const INPUT: u8 = 0;
const OUTPUT: u8 = 1;

/// A producer, two members that forward from `orders` to `invoices`, and a reader of committed invoices.
fn story(seed: u64) -> Story {
    let mut config = Config { topics: vec![config().topics[0].clone(), TopicSpec::new("invoices", 2, 3)], ..config() };
    config.topics[0].partitions = 4;
    config.topics[0].replica_assignment = Vec::new();
    config.topics[1].config.min_insync_replicas = Some(2);
    config.broker.group_initial_rebalance_delay_ms = 0;
    config.producers = vec![producer(Acks::All)];
    let forwards = |number: u32| {
        let mut client = consumer();
        client.config.isolation_level = IsolationLevel::ReadCommitted;
        client.config.max_poll_records = 20;
        client.config.session_timeout_ms = 6_000;
        client.config.heartbeat_interval_ms = 2_000;
        client.forward = Some(Forwarding {
            topic: "invoices".into(),
            transactional_id: format!("invoicing-{number}"),
            transaction_timeout_ms: 10_000,
        });
        client
    };
    let mut reader = consumer();
    reader.topics = vec!["invoices".into()];
    reader.config.group_id = "invoices".into();
    reader.config.isolation_level = IsolationLevel::ReadCommitted;
    config.consumers = vec![forwards(1), forwards(2), reader];
    let mut workload = workload(50, 1, 3);
    workload.producers[0].limit = Some(1_500);
    workload.producers[0].start = Time::ZERO + Nanos::secs(4);
    Story::seeded(seed, &config, &workload)
}

/// How often a record of the output was read: never less than once, and never twice.
fn judge(story: &Story, what: &str) -> usize {
    let mut twice = 0;
    for (id, fate) in &story.fates {
        let (input, output) = (fate.processed.get(&INPUT), fate.processed.get(&OUTPUT));
        assert_eq!(output, Some(&1), "{what}: {id:?} {fate:?}\n{}", story.tell());
        twice += usize::from(input.is_some_and(|times| *times > 1));
    }
    assert_eq!(story.fates.len(), 1_500);
    twice
}

#[test]
fn k_x7_what_is_forwarded_is_in_the_output_once() {
    let mut story = story(3);
    story.run_to(60_000);
    assert_eq!(judge(&story, "undisturbed"), 0, "nothing is processed twice either");
}

#[test]
fn k_x7_progress_and_output_are_one_transaction_whatever_breaks() {
    let mut twice = 0;
    let mut aborted = 0;
    for seed in 0..60 {
        let mut story = story(seed);
        let mut dice = Dice::named(seed, "forwarding", &[]);
        story.run_to(8_000);
        for _ in 0..3 {
            let broker = ["broker-1", "broker-2", "broker-3"][dice.below(3) as usize];
            let member = ["consumer-1", "consumer-2"][dice.below(2) as usize];
            let wait = 500 + dice.below(12_000);
            match dice.below(4) {
                0 => {
                    story.kill(member);
                    story.run_for(wait);
                    story.start(member);
                }
                1 => {
                    story.pause(member);
                    story.run_for(wait);
                    story.resume(member);
                }
                2 => {
                    story.kill(broker);
                    story.run_for(wait);
                    story.start(broker);
                }
                _ => {
                    story.stop(member);
                    story.run_for(wait);
                    story.start(member);
                }
            }
            story.run_for(dice.below(4_000));
        }
        story.run_for(90_000);
        twice += judge(&story, &format!("seed {seed}"));
        aborted += story.marked("transaction-aborted");
    }
    println!("{twice} processed twice, {aborted} transactions aborted");
    assert!(twice > 100 && aborted > 20, "work is repeated, its effect is not: {twice} {aborted}");
}
