//! A message that no application can process, as an order makes one: a quorum queue gives it out until its delivery limit,
//! a classic queue for ever, a share group until its own limit, and a plain group loses one member after the other to it.

use player::{Player, report};
use serde_json::{Value, json};

const KEY: u32 = 65_535;

fn document() -> Value {
    let mut document: Value =
        serde_json::from_str(include_str!("../../../scenarios/one-node-lost.json")).expect("the gallery's first");
    document["length"] = json!("30s");
    document["tape"] = json!([
        { "at": "8s", "order": "fail-on", "node": "fulfil-1", "key": KEY },
        { "at": "8s", "order": "fail-on", "node": "fulfil-2", "key": KEY },
        { "at": "9s", "order": "publish-one", "node": "orders-1", "key": KEY }
    ]);
    document
}

fn played(document: &Value) -> Player {
    let document = scenario::read(&document.to_string()).unwrap_or_else(|refusal| panic!("{refusal}"));
    let mut player = Player::new(document).unwrap_or_else(|refusal| panic!("{refusal}"));
    player.advance(player.end(), u64::MAX);
    player
}

fn marks(player: &Player, code: &str) -> usize {
    let state = player.state();
    let log = state.log.iter().flat_map(|side| side.marks.iter()).filter(|mark| mark.code == code).count();
    log + state.queue.iter().flat_map(|side| side.marks.iter()).filter(|mark| mark.code == code).count()
}

/// What a queue of this type comes to: processed, dropped by a rule, and still on its way.
fn queue(kind: &str) -> (u64, u64, u64) {
    let mut document = document();
    document["queue"]["queues"][0]["arguments"]["x-queue-type"] = json!(kind);
    let mut player = played(&document);
    let report = report(&mut player);
    let queue = &report.clusters["queue"];
    assert_eq!((queue.lost, queue.duplicated), (0, 0), "{kind}");
    (queue.processed, queue.dropped, queue.outstanding)
}

#[test]
fn r_u5_a_quorum_queue_gives_up_what_everyone_returns_and_a_classic_queue_does_not() {
    let (processed, dropped, _) = queue("quorum");
    assert!(dropped == 1 && processed > 300, "{dropped} dropped, {processed} processed");
    let (processed, dropped, outstanding) = queue("classic");
    assert!(dropped == 0 && outstanding >= 1 && processed > 300, "{dropped} dropped, {processed} processed");
}

#[test]
fn a_plain_group_loses_its_members_one_after_the_other_unless_none_fails() {
    let mut document = document();
    document["log"]["consumer"]["enable.auto.commit"] = json!(false);
    let player = played(&document);
    assert_eq!(marks(&player, "consumer-failed"), 2);
    document["tape"].as_array_mut().unwrap().push(json!({ "at": "8500ms", "order": "fail-on", "node": "fulfil-1" }));
    document["tape"].as_array_mut().unwrap().push(json!({ "at": "8500ms", "order": "fail-on", "node": "fulfil-2" }));
    assert_eq!(marks(&played(&document), "consumer-failed"), 0);
}

#[test]
fn k_o2_closing_commits_what_was_polled_so_that_a_failing_application_skips_it() {
    let mut player = played(&document());
    let report = report(&mut player);
    let log = &report.clusters["log"];
    assert!(log.lost >= 1 && marks(&player, "consumer-failed") == 1, "{}", log.verdict);
}

#[test]
fn k_h5_a_share_group_archives_what_everyone_releases() {
    let mut document: Value =
        serde_json::from_str(include_str!("../../../scenarios/poison-message.json")).expect("of the gallery");
    document["log"]["share"] = json!({});
    document["length"] = json!("30s");
    let mut tape: Vec<Value> =
        (1..=3).map(|n| json!({ "at": "8s", "order": "fail-on", "node": format!("worker-{n}"), "key": KEY })).collect();
    tape.push(json!({ "at": "9s", "order": "publish-one", "node": "shop", "key": KEY }));
    document["tape"] = json!(tape);
    let mut player = played(&document);
    let report = report(&mut player);
    let log = &report.clusters["log"];
    assert_eq!((log.dropped, log.lost), (1, 0), "{}", log.verdict);
    assert_eq!(marks(&player, "consumer-failed"), 0);
}
