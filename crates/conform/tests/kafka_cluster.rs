//! A Kafka cluster that fails: what became of messages, and how long nothing came, lie within what was recorded.

use conform::kafka_cluster::{Run, SEEDS, compare, play, read};
use conform::kafka_steps;
use std::path::{Path, PathBuf};

/// What does not agree yet: a recording and a measure. The test fails when one of them starts to, so that it leaves
/// this list.
const KNOWN: &[(&str, &str)] = &[];

fn texts() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts/kafka-cluster");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

fn is_case(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).unwrap().get("steps").is_some()
}

#[test]
fn the_log_cluster_fails_within_what_was_recorded() {
    let mut surprises = Vec::new();
    for text in texts().iter().filter(|text| !is_case(text)) {
        let recording = read(text).unwrap();
        let runs: Vec<_> = (0..SEEDS).map(|seed| play(&recording, seed).unwrap()).collect();
        for found in compare(&recording, &runs) {
            let name = &recording.name;
            let known = KNOWN.contains(&(name.as_str(), found.measure));
            println!("{} {}", if found.agrees() { " " } else { "!" }, found.told(name));
            surprises.extend(found.surprise(name, known));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

#[test]
fn what_lies_outside_is_noticed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts/kafka-cluster/kill-leader.json");
    let recording = read(&std::fs::read_to_string(file).unwrap()).unwrap();
    let wrong = |change: fn(&mut Run)| {
        let mut runs = recording.runs.clone();
        runs.iter_mut().for_each(change);
        let found = compare(&recording, &runs).into_iter().filter(|comparison| !comparison.agrees());
        found.map(|comparison| comparison.measure).collect::<Vec<_>>()
    };
    assert!(wrong(|_| {}).is_empty(), "the recorded runs lie within themselves");
    assert_eq!(wrong(|run| run.lost = 1), ["lost"]);
    assert_eq!(wrong(|run| run.duplicates = 1), ["duplicates"]);
    assert_eq!(wrong(|run| run.leader.1 = None), ["leader after"]);
    assert_eq!(wrong(|run| run.ack_gap_ms *= 4), ["gap without an acknowledgement"]);
}

#[test]
fn what_was_recorded_step_by_step_is_of_its_form() {
    let cases: Vec<_> =
        texts().iter().filter(|text| is_case(text)).map(|text| kafka_steps::read(text).unwrap()).collect();
    for case in &cases {
        assert!(case.broker.starts_with("Apache Kafka 4."), "{}", case.name);
        assert!(case.steps.iter().any(|step| step.observed.is_some()), "{}: nothing was observed", case.name);
    }
    let torn = r#"{"name":"n","broker":"b","plays":2,"topic":{"assignment":[]},"steps":[{"op":"o","took_ms":[1]}]}"#;
    assert!(kafka_steps::read(torn).unwrap_err().contains("step 1"));
}

/// The cases that are played. The test fails when one more is, so that it is held too.
const PLAYED: [&str; 18] = [
    "compaction",
    "fetch-out-of-range",
    "group-consumer",
    "group-cooperative",
    "group-range",
    "min-isr-steps",
    "produce-errors",
    "reset-earliest",
    "reset-latest",
    "reset-none",
    "share-group",
    "slow-poll-consumer",
    "slow-poll-cooperative",
    "slow-poll-range",
    "static-consumer",
    "static-range",
    "transaction-fencing",
    "transactions",
];

#[test]
fn groups_share_out_and_begin_as_was_recorded() {
    let (mut played, mut wrong) = (Vec::new(), Vec::new());
    for text in texts().iter().filter(|text| is_case(text)) {
        let value = serde_json::from_str(text).unwrap();
        let Some(outcome) = kafka_steps::replay(&value).unwrap() else { continue };
        wrong.extend(outcome.disagreement.map(|wrong| (outcome.name.clone(), wrong)));
        played.push(outcome.name);
    }
    assert_eq!(wrong, []);
    assert_eq!(played, PLAYED);
    let wrong = texts().into_iter().find(|text| text.contains("\"name\": \"group-range\"")).unwrap();
    let wrong = wrong.replace(r#""b":["3","4","5"]},"events""#, r#""b":["2","4","5"]},"events""#);
    let outcome = kafka_steps::replay(&serde_json::from_str(&wrong).unwrap()).unwrap().unwrap();
    assert_eq!(outcome.disagreement.map(|wrong| wrong.step), Some("step 4: b".to_owned()));
}

fn text_of(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../transcripts/kafka-cluster/{name}.json"));
    std::fs::read_to_string(file).unwrap()
}

/// Where a case does not agree.
fn step_of(text: &str) -> String {
    let outcome = kafka_steps::replay(&serde_json::from_str(text).unwrap()).unwrap().unwrap();
    outcome.disagreement.map(|wrong| wrong.step).unwrap_or_default()
}

#[test]
fn records_that_go_otherwise_are_noticed() {
    let steps = text_of("min-isr-steps");
    assert_eq!(
        step_of(&steps.replace(r#""last_stable":2,"latest":2"#, r#""last_stable":4,"latest":4"#)),
        "step 12: topic.offsets"
    );
    assert_eq!(step_of(&steps.replace(r#""isr":[1],"elr":[2]"#, r#""isr":[1],"elr":[]"#)), "step 9: isr.wait");
    assert_eq!(step_of(&steps.replace("NotEnoughReplicasException", "TimeoutException")), "step 10: producer.send");
    let errors = text_of("produce-errors");
    assert_eq!(step_of(&errors.replacen("InvalidTimestampException", "TimeoutException", 1)), "step 13: producer.send");
    assert_eq!(step_of(&errors.replace(r#""latest":6"#, r#""latest":7"#)), "step 40: topic.offsets");
    let taken = r#""config":{"delivery.timeout.ms":"30000"},"observed":{"error":"KafkaException"}"#;
    let untold = errors.replace(taken, r#""config":{"delivery.timeout.ms":"30000"}"#);
    assert_eq!(step_of(&untold), "step 5: producer.open");
    let range = text_of("fetch-out-of-range").replace("OffsetOutOfRangeException", "NoOffsetForPartitionException");
    assert_eq!(step_of(&range), "step 14");
    let kept = text_of("compaction").replace(r#"{"key":"k1","offset":2,"value":"c"},"#, "");
    assert_eq!(step_of(&kept), "step 11: topic.read");
}

#[test]
fn a_slow_poll_that_goes_otherwise_is_noticed() {
    let slow = text_of("slow-poll-range");
    let knows = r#"{"op":"consumer.state","name":"a","observed":{"assignment":["0","1","2"]"#;
    assert_eq!(step_of(&slow.replace(knows, &knows.replace(r#"["0","1","2"]"#, "[]"))), "step 7");
    assert_eq!(step_of(&slow.replace("[3524,3458]", "[1524,1458]")), "step 6: how long it took");
}

#[test]
fn transactions_that_go_otherwise_are_noticed() {
    let transactions = text_of("transactions");
    let stable = transactions.replace(r#""last_stable":6,"latest":8"#, r#""last_stable":8,"latest":8"#);
    assert_eq!(step_of(&stable), "step 28: topic.offsets");
    let read = transactions.replacen(r#"{"offset":5,"value":"m2"}]"#, r#"{"offset":3,"value":"a1"}]"#, 1);
    assert_eq!(step_of(&read), "step 20: topic.read");
    let late = transactions.replace("[7103,12512]", "[7103,14512]");
    assert_eq!(step_of(&late), "step 30: how long it took");
    let fenced = text_of("transaction-fencing").replacen("InvalidProducerEpochException", "ProducerFencedException", 1);
    assert_eq!(step_of(&fenced), "step 7: producer.send");
}

#[test]
fn a_share_group_that_goes_otherwise_is_noticed() {
    let share = text_of("share-group");
    let fourth = share.replacen(r#"[{"delivery_count":4,"value":"m2"}]"#, r#"[{"delivery_count":5,"value":"m2"}]"#, 1);
    assert_eq!(step_of(&fourth), "step 15: share.poll");
    let taken = share.replace("InvalidRecordStateException", "ok");
    assert_eq!(step_of(&taken), "step 13: share.acknowledge");
    let sixth = share.replace(r#""timeout_ms":4000,"observed":[]"#, r#""timeout_ms":4000,"observed":[{"value":"m2"}]"#);
    assert_eq!(step_of(&sixth), "step 19: share.poll");
    let soon = share.replace("[4386,4503]", "[1386,1503]");
    assert_eq!(step_of(&soon), "step 12: how long it took");
}
