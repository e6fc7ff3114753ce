//! What Kafka would refuse is refused here with its reason; what it accepts and does less of than one may think is
//! accepted, and said.

use scenario::{compile, read};
use serde_json::{Value, json};

fn document(change: impl FnOnce(&mut Value)) -> Value {
    let mut value = json!({
        "brokerlab": 1,
        "length": "10s",
        "workload": {
            "producers": [{ "name": "orders", "rate": "10/s" }],
            "consumers": [{ "name": "fulfil", "processing": "10ms" }],
        },
        "log": {
            "topics": [{ "name": "orders", "partitions": 3, "replication.factor": 3, "config": { "min.insync.replicas": 2 } }],
            "consumer": { "auto.offset.reset": "earliest" },
        },
    });
    change(&mut value["log"]);
    value
}

fn refused(change: impl FnOnce(&mut Value)) -> String {
    let text = document(change).to_string();
    match read(&text) {
        Err(refusal) => refusal.to_string(),
        Ok(document) => compile(&document).expect_err(&text).to_string(),
    }
}

fn remarks(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let compiled = compile(&read(&document(change).to_string()).unwrap()).unwrap();
    compiled.remarks.iter().map(|remark| format!("{}: {}", remark.path, remark.message)).collect()
}

#[test]
fn what_kafka_refuses_is_refused_with_its_reason() {
    let producer = |settings: Value| refused(|log| log["producer"] = settings);
    assert!(
        producer(json!({ "enable.idempotence": true, "acks": "1" })).to_lowercase().contains("must set acks to all")
    );
    let cases: [(&str, &str); 6] = [
        ("max.in.flight.requests.per.connection", "6"),
        ("retries", "0"),
        ("delivery.timeout.ms", "1000"),
        ("linger.ms", "-1"),
        ("acks", "2"),
        ("compresion.type", "lz4"),
    ];
    for (name, value) in cases {
        let why = producer(json!({ "enable.idempotence": true, name: value }));
        assert!(why.contains("log.producer") || why.contains("producers[0]"), "{name}={value}: {why}");
    }
    let factor = refused(|log| log["topics"][0]["replication.factor"] = json!(4));
    assert!(
        factor.contains("INVALID_REPLICATION_FACTOR") && factor.contains("only 3 broker(s) are registered"),
        "{factor}"
    );
    let session = refused(|log| log["consumer"]["session.timeout.ms"] = json!(3_000));
    assert!(session.contains("INVALID_SESSION_TIMEOUT") && session.contains("6000"), "{session}");
    let moved = refused(|log| log["topics"][0]["replicas"] = json!([[1, 2, 3], [1, 2, 2], [1, 2, 3]]));
    assert!(moved.contains("INVALID_REPLICA_ASSIGNMENT"), "{moved}");
    let ratio = refused(|log| log["topics"][0]["config"]["min.cleanable.dirty.ratio"] = json!("1.5"));
    assert!(ratio.contains("from 0 to 1"), "{ratio}");
}

#[test]
fn an_unknown_setting_names_its_place_and_the_nearest_name() {
    let why = refused(|log| log["topics"][0]["config"] = json!({ "min.insync.replica": 2 }));
    assert!(why.contains("log.topics[0].config.min.insync.replica"), "{why}");
    assert!(why.contains("did you mean min.insync.replicas?"), "{why}");
    let why = refused(|log| log["consumer"]["max.pol.records"] = json!(2));
    assert!(why.contains("log.consumer.max.pol.records") && why.contains("max.poll.records?"), "{why}");
}

#[test]
fn min_isr_above_the_factor_is_accepted_and_explained() {
    assert_eq!(remarks(|_| {}), [""; 0], "nothing to say of safe settings");
    let said = remarks(|log| log["topics"][0]["config"]["min.insync.replicas"] = json!(5));
    assert!(said.len() == 1 && said[0].starts_with("log.topics[0].min.insync.replicas: 5 is more than"), "{said:?}");
    let said = remarks(|log| log["topics"][0]["config"]["min.insync.replicas"] = json!(1));
    assert!(said.iter().any(|text| text.contains("the leader alone")), "{said:?}");
}

#[test]
fn settings_that_promise_less_than_they_seem_to_are_explained() {
    let said = remarks(|log| log["producer"] = json!({ "acks": "1" }));
    assert!(said.iter().any(|text| text.contains("idempotence is off")), "{said:?}");
    assert!(said.iter().any(|text| text.contains("binds acks=all only")), "{said:?}");
    let said = remarks(|log| log["topics"][0]["config"]["unclean.leader.election.enable"] = json!(true));
    assert!(said.iter().any(|text| text.contains("what it lacks is lost")), "{said:?}");
    let said = remarks(|log| log["consumer"]["auto.offset.reset"] = json!("latest"));
    assert!(said.iter().any(|text| text.contains("skips what was written before")), "{said:?}");
    let said = remarks(|log| log["consumer"]["heartbeat.interval.ms"] = json!(20_000));
    assert!(said.iter().any(|text| text.contains("two lost heartbeats")), "{said:?}");
}

#[test]
fn share_groups_take_their_own_settings_and_no_others() {
    let share = |log: &mut serde_json::Value| {
        log["consumer"] = json!({ "share.acknowledgement.mode": "explicit" });
        log["share"] = json!({ "release_every": 10 });
        log["broker"] = json!({ "group.share.delivery.count.limit": 3 });
    };
    let said = remarks(share);
    assert!(said.iter().any(|text| text.contains("share.auto.offset.reset of a share group is latest")), "{said:?}");
    let why = refused(|log| {
        share(log);
        log["consumer"]["enable.auto.commit"] = json!(false);
    });
    assert!(why.contains("enable.auto.commit cannot be set when using a share group."), "{why}");
    let why = refused(|log| {
        share(log);
        log["groups"] = json!({ "group": { "share.auto.offset.rest": "earliest" } });
    });
    assert!(
        why.contains("log.groups.group.share.auto.offset.rest") && why.contains("share.auto.offset.reset?"),
        "{why}"
    );
    let why = refused(|log| {
        share(log);
        log["broker"]["group.share.record.lock.duration.ms"] = json!(5_000);
    });
    assert!(why.contains("group.share.min.record.lock.duration.ms"), "{why}");
    let why = refused(|log| log["consumer"]["share.acquire.mode"] = json!("record_limit"));
    assert!(why.contains("for share consumers only"), "{why}");
}

#[test]
fn settings_that_change_while_it_runs_are_checked_before_it_does() {
    let order = |verb: &str, setting: &str, value: &str| {
        let mut whole = document(|_| {});
        whole["tape"] = json!([
            { "at": "1s", "order": verb, "node": "broker-1", "topic": "orders", "setting": setting, "value": value }
        ]);
        compile(&read(&whole.to_string()).unwrap()).map(drop).map_err(|refusal| refusal.to_string())
    };
    assert_eq!(order("set-broker-config", "log.retention.ms", "60000"), Ok(()));
    assert_eq!(order("set-broker-config", "min.insync.replicas", ""), Ok(()));
    assert_eq!(order("set-topic-config", "cleanup.policy", "compact"), Ok(()));
    let refusal = |setting: &str, value: &str| order("set-broker-config", setting, value).unwrap_err();
    let fixed = refusal("broker.session.timeout.ms", "18000");
    assert!(fixed.contains("cannot be changed while it runs: set it from the start"), "{fixed}");
    let misspelt = refusal("log.retenton.ms", "60000");
    assert!(misspelt.contains("there is no setting `log.retenton.ms`; did you mean `log.retention.ms`?"), "{misspelt}");
    let value = refusal("log.retention.ms", "-2");
    assert!(value.contains("tape[0].value: log.retention.ms: value must be at least -1"), "{value}");
    let topics = order("set-topic-config", "log.retention.ms", "1").unwrap_err();
    assert!(topics.contains("there is no setting `log.retention.ms`; did you mean"), "{topics}");
}

#[test]
fn a_setting_of_one_broker_is_checked_before_it_is_changed() {
    let order = |broker: u32, setting: &str, eligible: serde_json::Value| {
        let mut whole = document(|log| log["broker"] = json!({ "eligible.leader.replicas": eligible }));
        whole["tape"] = json!([{
            "at": "1s", "order": "set-broker-config", "node": "broker-1", "broker": broker, "setting": setting, "value": "1"
        }]);
        compile(&read(&whole.to_string()).unwrap()).map(drop).map_err(|refusal| refusal.to_string())
    };
    assert_eq!(order(2, "log.retention.ms", json!(true)), Ok(()));
    assert_eq!(order(2, "min.insync.replicas", json!(false)), Ok(()));
    assert_eq!(order(2, "min.insync.replicas", json!("false")), Ok(()));
    let own = order(2, "min.insync.replicas", json!(true)).unwrap_err();
    assert!(own.contains("tape[0].broker: cannot be one broker's own while `eligible.leader.replicas` is on"), "{own}");
    let nobody = order(9, "log.retention.ms", json!(true)).unwrap_err();
    assert!(nobody.contains("tape[0].broker"), "{nobody}");
    let fixed = order(2, "broker.session.timeout.ms", json!(true)).unwrap_err();
    assert!(fixed.contains("cannot be changed while it runs"), "{fixed}");
}
