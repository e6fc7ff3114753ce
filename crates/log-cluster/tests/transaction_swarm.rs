//! Many runs of transactions with faults at random. A reader of committed records gets of a transaction all or nothing,
//! and never what was aborted; what a commit was answered for can be read; and once all is mended no transaction stays
//! open.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::config::{Acks, IsolationLevel, TransactionPlan};
use sim::story::MessageId;
use sim::{Dice, Nanos, Time};
use std::collections::BTreeMap;

const BROKERS: [&str; 3] = ["broker-1", "broker-2", "broker-3"];
const PRODUCERS: [&str; 2] = ["producer-1", "producer-2"];
const SEEDS: u64 = 120;
const RECORDS: u32 = 7;

/// Two producers with transactions over three partitions, one reader of committed records and one of all.
fn swarm(seed: u64) -> Story {
    let mut config = config();
    config.topics[0].partitions = 3;
    config.topics[0].replica_assignment = Vec::new();
    config.broker.group_initial_rebalance_delay_ms = 0;
    config.producers = ["one", if seed.is_multiple_of(3) { "one" } else { "two" }]
        .map(|id| {
            let mut client = producer(Acks::All);
            client.config.transactional_id = Some(id.to_owned());
            client.config.transaction_timeout_ms = 8_000;
            // Each transaction has records of all keys, and so of several partitions.
            client.transactions = TransactionPlan { records: RECORDS, every: None, abort_every: 4, ..plan(seed) };
            client
        })
        .to_vec();
    let reader = |group: &str, level| {
        let mut client = consumer();
        client.config.group_id = group.into();
        client.config.isolation_level = level;
        client
    };
    config.consumers =
        vec![reader("committed", IsolationLevel::ReadCommitted), reader("all", IsolationLevel::ReadUncommitted)];
    let mut workload = workload(20, 2, 2);
    workload.producers.iter_mut().for_each(|producer| producer.start = Time::ZERO + Nanos::secs(2));
    if seed.is_multiple_of(3) {
        workload.producers[1].start = Time::ZERO + Nanos::secs(12);
    }
    Story::seeded(seed, &config, &workload)
}

fn plan(seed: u64) -> TransactionPlan {
    let hang_for = Some(Nanos::secs(2 + seed % 20));
    TransactionPlan { hang_at: if seed.is_multiple_of(5) { 9 } else { 0 }, hang_for, ..TransactionPlan::default() }
}

/// Breaks one thing, and mends it after a while.
fn disturb(story: &mut Story, dice: &mut Dice) {
    let broker = BROKERS[dice.below(3) as usize];
    let producer = PRODUCERS[dice.below(2) as usize];
    let wait = 1_000 + dice.below(14_000);
    match dice.below(7) {
        0 | 1 => {
            story.kill(broker);
            story.run_for(wait);
            story.start(broker);
        }
        2 => {
            story.power_off(broker);
            story.run_for(wait);
            story.start(broker);
        }
        3 => {
            story.pause(broker);
            story.run_for(wait);
            story.resume(broker);
        }
        4 => {
            story.kill(producer);
            story.run_for(wait / 3);
            story.start(producer);
        }
        5 => {
            let other = BROKERS[dice.below(3) as usize];
            if other != broker {
                story.cut(broker, other);
                story.run_for(wait);
                story.heal(broker, other);
            }
        }
        _ => {
            story.pause(producer);
            story.run_for(wait);
            story.resume(producer);
        }
    }
    story.run_for(2_000 + dice.below(8_000));
    // Who was fenced has ended, and is started again.
    PRODUCERS.iter().for_each(|name| story.start(name));
}

#[test]
fn k_x6_a_reader_of_committed_records_gets_all_of_a_transaction_or_nothing() {
    let (mut committed, mut aborted, mut fenced, mut timed_out, mut loaded) = (0, 0, 0, 0, 0);
    for seed in 0..SEEDS {
        let mut story = swarm(seed);
        let mut dice = Dice::named(seed, "transactions", &[]);
        story.run_to(5_000);
        for _ in 0..3 {
            disturb(&mut story, &mut dice);
        }
        // Past every session, timeout and look of the coordinator; what goes on being sent ends.
        story.run_for(40_000);
        PRODUCERS.iter().for_each(|name| story.stop(name));
        story.run_for(60_000);
        judge(seed, &story);
        committed += story.acknowledged();
        aborted += story.fates.values().filter(|fate| fate.aborted).count();
        fenced += story.marked("producer-fenced");
        timed_out += story.marked("transaction-timed-out");
        loaded += story.marked("transactions-loaded");
    }
    println!("{committed} committed, {aborted} aborted, {fenced} fenced, {timed_out} timed out, {loaded} loaded");
    assert!(committed > 100_000 && aborted > 30_000, "{committed} {aborted}");
    assert!(fenced > 100 && timed_out > 30 && loaded > 100, "{fenced} {timed_out} {loaded}");
}

fn judge(seed: u64, story: &Story) {
    let told = || format!("seed {seed}\n{}", story.tell());
    let view = story.view();
    for broker in view.servers.iter().filter_map(|server| server.broker.as_ref()) {
        for replica in broker.replicas.iter().filter(|replica| replica.is_leader) {
            assert_eq!((replica.open_transactions, replica.last_stable), (0, replica.high_watermark), "{}", told());
        }
    }
    for (id, fate) in &story.fates {
        let read = fate.processed.contains_key(&0);
        assert!(!(fate.aborted && read), "{id:?} was aborted and read: {}", told());
        assert!(!fate.acknowledged || read, "{id:?} was committed and cannot be read: {}", told());
        assert!(!(fate.aborted && fate.acknowledged), "{id:?} was both: {}", told());
    }
    assert_eq!(story.lost(), [], "{}", told());
    for (transaction, records) in transactions(story) {
        let read = records.iter().filter(|id| story.fates[id].processed.contains_key(&0)).count();
        let sent = records.iter().filter(|id| story.fates[id].stored > 0).count();
        assert!(read == 0 || read == sent, "{transaction:?}: {read} of {sent} were read: {}", told());
    }
}

/// The records of each transaction, by its producer and its first record: runs of the same outcome and length would do,
/// but what was answered tells them apart: all records of a transaction are answered at once.
fn transactions(story: &Story) -> BTreeMap<(u16, Time), Vec<MessageId>> {
    let mut found: BTreeMap<(u16, Time), Vec<MessageId>> = BTreeMap::new();
    for (id, fate) in &story.fates {
        if let Some(at) = fate.answered {
            found.entry((id.producer, at)).or_default().push(*id);
        }
    }
    found
}
