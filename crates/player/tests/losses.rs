//! What Kafka loses is lost, and the verdict says so: an unclean election, all power lost at once, and acks=1 on a leader
//! that was deposed without knowing it. The same faults with safe settings lose nothing.

use player::{Player, report};
use serde_json::{Value, json};

const SEEDS: u64 = 70;

fn scenario(name: &str) -> Value {
    let file = format!("{}/../../scenarios/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let mut document: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let orders = document["tape"].as_array_mut().unwrap();
    orders.retain(|order| {
        order["cluster"] != "queue" && !order["node"].as_str().unwrap_or_default().starts_with("rabbit")
    });
    document.as_object_mut().unwrap().remove("queue");
    document
}

/// Plays a document with many seeds: in how many runs something was lost, and how much of how much in all.
fn losses(document: &Value) -> (u64, u64, u64) {
    let (mut runs, mut lost, mut acknowledged) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut document = document.clone();
        document["seed"] = json!(seed);
        let document = scenario::read(&document.to_string()).unwrap_or_else(|refusal| panic!("{refusal}"));
        let mut player = Player::new(document).unwrap_or_else(|refusal| panic!("{refusal}"));
        player.advance(player.end(), u64::MAX);
        let report = report(&mut player);
        let log = &report.clusters["log"];
        let says = log.verdict.contains("lost") && !log.verdict.to_lowercase().contains("no message");
        assert_eq!(log.lost > 0, says, "seed {seed}: {} lost, and the verdict says: {}", log.lost, log.verdict);
        runs += u64::from(log.lost > 0);
        lost += log.lost;
        acknowledged += log.acknowledged;
    }
    (runs, lost, acknowledged)
}

#[test]
fn all_power_lost_at_once_loses_what_was_acknowledged() {
    let (runs, lost, acknowledged) = losses(&scenario("all-power-lost"));
    assert!(runs == SEEDS && lost * 100 > acknowledged, "{runs} runs, {lost} of {acknowledged}");
    let mut flushing = scenario("all-power-lost");
    flushing["log"]["broker"]["log.flush.interval.messages"] = json!(1);
    let (runs, lost, acknowledged) = losses(&flushing);
    assert!(runs == 0 && acknowledged > 10_000, "flushed: {runs} runs, {lost} of {acknowledged}");
}

#[test]
fn a_deposed_leader_with_acks_1_loses_what_it_acknowledged() {
    let (runs, lost, acknowledged) = losses(&scenario("acks-1-cut-leader"));
    assert!(runs == SEEDS && lost * 20 > acknowledged, "{runs} runs, {lost} of {acknowledged}");
    let mut all = scenario("acks-1-cut-leader");
    all["log"]["producer"] = json!({ "acks": "all" });
    all["log"]["topics"][0]["config"]["min.insync.replicas"] = json!(2);
    let (runs, lost, acknowledged) = losses(&all);
    assert!(runs == 0 && acknowledged > 10_000, "acks=all: {runs} runs, {lost} of {acknowledged}");
}

/// The followers die, the leader goes on alone, and then loses its machine; a follower comes back.
fn unclean(allowed: bool) -> Value {
    let mut document = scenario("all-power-lost");
    document["log"]["topics"][0]["config"] =
        json!({ "min.insync.replicas": 1, "unclean.leader.election.enable": allowed });
    document["log"]["topics"][0]["replicas"] = json!([[1, 2, 3], [1, 2, 3], [1, 2, 3]]);
    document["log"]["broker"]["eligible.leader.replicas"] = json!(false);
    document["log"]["broker"]["offsets.topic.replication.factor"] = json!(3);
    document["tape"] = json!([
        { "at": "4s", "order": "kill", "node": "broker-2" },
        { "at": "4s", "order": "kill", "node": "broker-3" },
        { "at": "17s", "order": "kill", "node": "broker-1" },
        { "at": "18s", "order": "start", "node": "broker-2" },
        { "at": "19s", "order": "start", "node": "broker-3" }
    ]);
    document
}

#[test]
fn an_unclean_election_loses_what_was_acknowledged() {
    let (runs, lost, acknowledged) = losses(&unclean(true));
    assert!(runs == SEEDS && lost * 20 > acknowledged, "{runs} runs, {lost} of {acknowledged}");
    let (runs, lost, acknowledged) = losses(&unclean(false));
    assert!(runs == 0 && acknowledged > 10_000, "clean only: {runs} runs, {lost} of {acknowledged}");
}
