//! Stories of transactions: commits, aborts, hung applications, and what breaks in between.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::TransactionState;
use log_cluster::config::{Acks, Config, ConsumerClient, IsolationLevel, ProducerClient, TransactionPlan};
use log_cluster::view::{Stage, TransactionView};
use sim::story::MessageId;
use sim::workload::{ClientOrder, Workload};
use sim::{Nanos, Time};

const COMMITTED: u8 = 0;
const UNCOMMITTED: u8 = 1;

/// A producer whose transactions have ten records each.
fn transactional(id: &str) -> ProducerClient {
    let mut client = producer(Acks::All);
    client.config.transactional_id = Some(id.to_owned());
    client.transactions = TransactionPlan { records: 10, every: None, ..TransactionPlan::default() };
    client
}

/// The first group reads committed records only, the second one all.
fn readers() -> Vec<ConsumerClient> {
    let mut committed = consumer();
    committed.config.group_id = "committed".into();
    committed.config.isolation_level = IsolationLevel::ReadCommitted;
    let mut uncommitted = consumer();
    uncommitted.config.group_id = "uncommitted".into();
    vec![committed, uncommitted]
}

fn of(producers: Vec<ProducerClient>) -> (Config, Workload) {
    let count = producers.len();
    let mut config = Config { producers, consumers: readers(), ..config() };
    config.broker.group_initial_rebalance_delay_ms = 0;
    let mut workload = workload(20, count, 2);
    workload.producers.iter_mut().for_each(|producer| producer.start = Time::ZERO + Nanos::secs(3));
    (config, workload)
}

fn story(plan: impl Fn(&mut TransactionPlan)) -> Story {
    let mut client = transactional("orders-app");
    plan(&mut client.transactions);
    let (config, workload) = of(vec![client]);
    Story::new(&config, &workload)
}

fn transaction(story: &Story) -> TransactionView {
    story.view().transactions[0].clone()
}

fn read_by(story: &Story, reader: u8) -> Vec<MessageId> {
    story.fates.iter().filter(|(_, fate)| fate.processed.contains_key(&reader)).map(|(id, _)| *id).collect()
}

fn coordinator(story: &Story) -> String {
    let node = transaction(story).coordinator.expect("a coordinator");
    story.cluster.nodes()[node.index()].name.clone()
}

/// What a reader of committed records has processed was committed, and nothing that was committed is lost.
fn check(story: &Story) {
    for (id, fate) in &story.fates {
        assert!(!(fate.aborted && fate.processed.contains_key(&COMMITTED)), "{id:?} was aborted\n{}", story.tell());
        assert!(fate.processed.values().all(|times| *times < 2) || !fate.aborted, "{id:?} was read twice");
    }
    assert_eq!(story.lost(), [], "\n{}", story.tell());
}

#[test]
fn k_x2_a_transaction_is_begun_prepared_and_completed() {
    let mut story = story(|_| {});
    assert_eq!(transaction(&story).state, None, "nobody has begun");
    story.run_to(3_100);
    assert_eq!(transaction(&story).state, Some(TransactionState::Ongoing), "\n{}", story.tell());
    story.run_to(3_400);
    assert_eq!(
        (story.acknowledged(), story.replica("broker-1").high_watermark > 0),
        (0, true),
        "nothing is acknowledged"
    );
    assert_eq!((read_by(&story, COMMITTED).len(), read_by(&story, UNCOMMITTED).len() > 3), (0, true));
    story.run_to(8_000);
    assert!(story.acknowledged() >= 80, "{}\n{}", story.acknowledged(), story.tell());
    assert!(read_by(&story, COMMITTED).len() >= 80);
    for code in ["transaction-begun", "transaction-prepared", "transaction-committed"] {
        assert_eq!(story.marked(code), 1, "only the first of a run is told: {code}\n{}", story.tell());
    }
    check(&story);
}

#[test]
fn k_x1_the_coordinator_leads_the_partition_that_the_ids_hash_names() {
    let mut story = story(|_| {});
    story.run_to(4_000);
    // "orders-app".hashCode() is 1764085506 in Java.
    let place = (0..50).find(|place| {
        story.view().topics[2].partitions[*place].leader == transaction(&story).coordinator
            && *place == hash("orders-app")
    });
    assert_eq!(
        (story.view().topics[2].name.as_str(), story.view().topics[2].partitions.len()),
        ("__transaction_state", 50)
    );
    assert!(place.is_some());
}

fn hash(text: &str) -> usize {
    let hash = text.encode_utf16().fold(0i32, |sum, unit| sum.wrapping_mul(31).wrapping_add(i32::from(unit)));
    (hash.unsigned_abs() % 50) as usize
}

#[test]
fn k_x6_aborted_records_are_passed_over_by_readers_of_committed_records() {
    let mut story = story(|plan| plan.abort_every = 2);
    story.run_to(12_000);
    let aborted: Vec<MessageId> = story.fates.iter().filter(|(_, fate)| fate.aborted).map(|(id, _)| *id).collect();
    assert!(aborted.len() >= 60 && story.acknowledged() >= 60, "{} {}", aborted.len(), story.acknowledged());
    assert!(aborted.iter().filter(|id| read_by(&story, UNCOMMITTED).contains(id)).count() >= 50, "others see them");
    assert!(aborted.iter().all(|id| !story.fates[id].acknowledged));
    let read = read_by(&story, COMMITTED).len();
    assert!((story.acknowledged() - 10..=story.acknowledged()).contains(&read), "{read}");
    check(&story);
}

#[test]
fn k_x6_a_hung_transaction_stalls_readers_of_committed_records_until_its_timeout() {
    let mut waits = Vec::new();
    for later in [0, 2_500, 5_000, 7_500] {
        let mut hung = transactional("hung");
        hung.config.transaction_timeout_ms = 5_000;
        hung.transactions = TransactionPlan { hang_at: 1, ..hung.transactions };
        let (mut config, mut workload) = of(vec![hung, producer(Acks::All)]);
        config.broker.transaction_abort_timed_out_transaction_cleanup_interval_ms = 10_000;
        workload.producers.iter_mut().for_each(|producer| producer.start += Nanos::millis(later));
        let mut story = Story::new(&config, &workload);
        story.run_to(7_000 + later);
        let others = |story: &Story, reader| read_by(story, reader).iter().filter(|id| id.producer == 1).count();
        assert!(others(&story, UNCOMMITTED) > 60 && others(&story, COMMITTED) < 10, "\n{}", story.tell());
        let replica = story.replica("broker-1");
        assert!(replica.last_stable < replica.high_watermark && replica.open_transactions == 1, "{replica:?}");
        let waited = story.run_until(12_000, "the abort", |view| {
            view.servers[0].broker.as_ref().is_some_and(|broker| broker.replicas[0].open_transactions == 0)
        });
        waits.push(waited + 4_000);
        assert_eq!((story.marked("application-hangs"), story.marked("transaction-timed-out")), (1, 1));
        story.run_for(2_000);
        assert!(others(&story, COMMITTED) + 20 > others(&story, UNCOMMITTED), "they go on");
        assert!(read_by(&story, COMMITTED).iter().all(|id| id.producer == 1));
        check(&story);
    }
    assert!(waits.iter().all(|wait| (5_000..=15_300).contains(wait)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait > 7_500), "the scan comes each 10 s: {waits:?}");
}

#[test]
fn k_x3_the_later_producer_of_an_id_fences_the_earlier_one() {
    let (config, mut workload) = of(vec![transactional("same"), transactional("same")]);
    workload.producers[1].start = Time::ZERO + Nanos::millis(6_230);
    let mut story = Story::new(&config, &workload);
    story.run_to(6_000);
    let (before, epoch) = (story.acknowledged(), transaction(&story).producer.unwrap());
    story.run_to(12_000);
    assert_eq!(story.marked("transaction-taken-over"), 1, "\n{}", story.tell());
    assert_eq!(story.marked("producer-fenced"), 1, "\n{}", story.tell());
    let view = story.view();
    assert_eq!(view.producers[0].transactions.as_ref().unwrap().stage, Stage::Over);
    let later = transaction(&story).producer.unwrap();
    assert!(later.0 == epoch.0 && later.1 > epoch.1 + 2, "the same id under a higher epoch");
    assert!(story.acknowledged() > before + 60);
    assert!(story.fates.iter().filter(|(id, _)| id.producer == 0).any(|(_, fate)| fate.refused));
    assert!(read_by(&story, COMMITTED).iter().all(|id| story.fates[id].acknowledged));
    check(&story);
}

#[test]
fn k_x4_each_end_of_a_transaction_raises_the_epoch() {
    let mut story = story(|plan| plan.abort_every = 3);
    story.run_to(3_400);
    let (id, epoch) = transaction(&story).producer.unwrap();
    let begun = story.view().producers[0].transactions.as_ref().unwrap().begun;
    story.run_to(8_400);
    let ended = story.view().producers[0].transactions.as_ref().unwrap().begun - begun;
    assert!(ended >= 9);
    assert_eq!(transaction(&story).producer, Some((id, epoch + ended as u16)));
    check(&story);
}

#[test]
fn k_x5_markers_take_one_offset_in_each_partition() {
    let mut client = transactional("orders-app");
    client.transactions.records = 5;
    let (config, mut workload) = of(vec![client]);
    workload.producers[0].limit = Some(50);
    let mut story = Story::new(&config, &workload);
    story.run_to(9_000);
    assert_eq!(story.acknowledged(), 50);
    let replica = story.replica("broker-1");
    assert_eq!((replica.log_end, replica.last_stable), (50 + 10, 60));
    check(&story);
}

#[test]
fn k_x5_what_is_prepared_is_completed_by_the_next_coordinator() {
    let mut found = 0;
    for seed in 0..20 {
        let (config, workload) = of(vec![transactional("orders-app")]);
        let mut story = Story::seeded(seed, &config, &workload);
        story.run_to(3_400);
        let before = coordinator(&story);
        let prepared = (0..600).find(|_| {
            story.run_for(1);
            transaction(&story).state == Some(TransactionState::PrepareCommit)
        });
        if before == "broker-1" || prepared.is_none() {
            continue;
        }
        found += 1;
        story.kill(&before);
        story.run_for(14_000);
        assert_eq!(story.marked("transactions-loaded"), 1, "\n{}", story.tell());
        story.start(&before);
        story.run_for(10_000);
        assert!(story.fates.iter().filter(|(id, _)| id.sequence < 10).all(|(_, fate)| fate.acknowledged));
        assert!(story.acknowledged() >= 380, "{}\n{}", story.acknowledged(), story.tell());
        check(&story);
    }
    assert!(found >= 5, "{found}");
}

#[test]
fn k_x5_a_leader_that_dies_gets_its_marker_when_it_is_followed() {
    let mut story = story(|_| {});
    story.run_to(3_300);
    story.kill("broker-1");
    story.run_for(30_000);
    assert!(story.acknowledged() >= 400, "{}\n{}", story.acknowledged(), story.tell());
    assert!(read_by(&story, COMMITTED).len() + 20 >= story.acknowledged());
    check(&story);
}

#[test]
fn k_x3_a_restarted_producer_takes_its_own_transaction_over() {
    let mut story = story(|plan| (plan.records, plan.every) = (0, None));
    story.run_to(4_000);
    story.kill("producer-1");
    story.start("producer-1");
    story.run_for(3_000);
    assert_eq!(
        (story.marked("transaction-taken-over"), story.marked("transaction-aborted")),
        (1, 1),
        "{}",
        story.tell()
    );
    let order = ClientOrder::EndTransaction { producer: 0, commit: true };
    story.cluster.order(&order).unwrap();
    story.run_for(1_000);
    assert!(story.acknowledged() >= 50);
    check(&story);
}

#[test]
fn k_x3_a_timeout_above_the_brokers_is_refused() {
    let mut client = transactional("orders-app");
    client.config.transaction_timeout_ms = 900_001;
    let (config, workload) = of(vec![client]);
    let problems = config.check().unwrap_err();
    assert!(problems[0].message.starts_with("INVALID_TRANSACTION_TIMEOUT"), "{problems:?}");
    let mut cluster = log_cluster::LogCluster::new(7, &workload, &config);
    cluster.world_mut().run_until(Time::ZERO + Nanos::secs(5));
    assert_eq!(cluster.view().producers[0].transactions.as_ref().unwrap().stage, Stage::Over);
}

#[test]
fn k_x3_a_transactional_producer_needs_idempotence() {
    for (change, text) in [
        (("acks", "1"), "Cannot set a transactional.id without also enabling idempotence."),
        (("enable.idempotence", "false"), "Cannot set a transactional.id without also enabling idempotence."),
    ] {
        let mut client = transactional("orders-app");
        client.config.set(change.0, change.1).unwrap();
        let (config, _) = of(vec![client]);
        let problems = config.check().unwrap_err();
        assert!(problems.iter().any(|problem| problem.message.contains(text)), "{problems:?}");
    }
}

#[test]
fn k_x2_an_id_without_a_transaction_expires_and_its_producer_is_not_known_any_more() {
    let (mut config, mut workload) = of(vec![transactional("a")]);
    config.broker.transactional_id_expiration_ms = 5_000;
    config.broker.transaction_remove_expired_transaction_cleanup_interval_ms = 1_000;
    workload.producers[0].limit = Some(20);
    let mut story = Story::new(&config, &workload);
    story.run_to(8_000);
    assert_eq!((story.acknowledged(), story.marked("transactional-id-expired")), (20, 0), "{}", story.tell());
    story.run_to(14_000);
    assert_eq!(story.marked("transactional-id-expired"), 1, "{}", story.tell());
    story.cluster.order(&ClientOrder::PublishOne { producer: 0, key: None, null: false }).unwrap();
    story.run_to(20_000);
    let told = story.marks.iter().any(|mark| mark.values.contains(&"INVALID_PRODUCER_ID_MAPPING".to_owned()));
    assert!(told && story.acknowledged() == 20, "{}", story.tell());
}
