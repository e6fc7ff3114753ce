//! A recording becomes a script of a document, and plays as a run.

use queue_cluster::{Config, Observed, QueueCluster};
use sim::Nanos;
use sim::workload::Workload;
use std::path::Path;

#[test]
fn a_recording_plays_as_a_script() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts/rabbitmq/prefetch-window.json");
    let value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let script = conform::rabbitmq::script_of(&value).unwrap();
    let rules = conform::rabbitmq::rules_of(&value);
    let end = script.last().unwrap().0;
    let config = Config { nodes: 1, script, ..Config::of(rules) };
    let mut cluster = QueueCluster::new(1, &Workload::default(), &config);
    cluster.world_mut().run_until(end + Nanos::secs(1));
    let seen = cluster.observed(&|_| 0);
    let delivered = seen.iter().filter(|(_, _, seen)| matches!(seen, Observed::Delivered { .. })).count();
    assert_eq!(delivered, 10);
    assert_eq!(cluster.view().queues[0].unacked, 2);
}
