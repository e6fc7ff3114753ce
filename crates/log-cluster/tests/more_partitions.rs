//! A topic that gets more partitions while it runs.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::AdminOrder;
use log_cluster::config::{Acks, Config};
use std::collections::{BTreeMap, BTreeSet};

fn growing() -> Config {
    let mut config = config();
    config.topics[0].partitions = 2;
    config.topics[0].room = 5;
    config.topics[0].replica_assignment = Vec::new();
    config.producers = vec![producer(Acks::All)];
    config.producers[0].config.metadata_max_age_ms = 3_000;
    config.consumers = vec![consumer()];
    config.consumers[0].config.metadata_max_age_ms = 6_000;
    config.broker.group_initial_rebalance_delay_ms = 0;
    config
}

fn grow(story: &mut Story, count: u32) {
    let node = story.node("broker-1");
    story.cluster.administer(node, AdminOrder::CreatePartitions { topic: "orders".into(), count }).unwrap();
}

fn ends(story: &Story) -> BTreeMap<u32, u64> {
    let view = story.view();
    let replicas = view.servers.iter().filter_map(|server| server.broker.as_ref()).flat_map(|broker| &broker.replicas);
    replicas.filter(|replica| replica.topic == 0 && replica.is_leader).map(|r| (r.partition, r.log_end)).collect()
}

#[test]
fn k_t2_more_partitions_move_keys_once_clients_know_of_them_and_old_records_stay() {
    let mut story = Story::new(&growing(), &workload(100, 1, 1));
    story.run_to(10_000);
    grow(&mut story, 5);
    story.run_for(200);
    assert_eq!((story.view().topics[0].partitions.len(), story.marked("partition-created")), (5, 3));
    let before = ends(&story);
    assert!(before[&0] > 300 && before[&1] > 300, "{before:?}");
    assert_eq!(
        [2, 3, 4].map(|number| before.get(&number).copied().unwrap_or(0)),
        [0, 0, 0],
        "nobody knows of them yet"
    );
    story.run_for(20_000);
    let after = ends(&story);
    assert!([2, 3, 4].iter().filter(|number| after[number] > 50).count() >= 2, "keys went there: {after:?}");
    assert!(after[&0] >= before[&0] && after[&1] >= before[&1], "old records stay");
    assert!(story.processed() + 30 > story.acknowledged(), "{}\n{}", story.processed(), story.tell());
    let read: BTreeSet<u32> = story.view().consumers[0].assigned.iter().map(|assigned| assigned.partition).collect();
    assert_eq!(read.len(), 5, "the group shares all of them out");
    assert!(story.lost().is_empty(), "{}", story.tell());
}

#[test]
fn k_t2_fewer_partitions_and_more_than_there_is_room_for_are_refused() {
    let mut story = Story::new(&growing(), &workload(10, 1, 1));
    story.run_to(3_000);
    for count in [1, 2, 6] {
        grow(&mut story, count);
        story.run_for(500);
    }
    let refused = story.marks.iter().filter(|mark| mark.values.contains(&"INVALID_PARTITIONS".to_owned())).count();
    assert_eq!((refused, story.view().topics[0].partitions.len()), (3, 2));
}
