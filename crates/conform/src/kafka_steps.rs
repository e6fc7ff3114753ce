//! Cases that were recorded on a Kafka cluster step by step, and are played in our engine: the life of a group, where a
//! group begins, transactions, share groups, and what becomes of records. The form is described in
//! `docs/transcripts.md`.

use crate::{Disagreement, Outcome, kafka_groups, kafka_records, kafka_share, kafka_transactions};
use log_cluster::LogCluster;
use log_cluster::config::{Config, ConsumerClient, Controllers, ProducerClient, TopicSpec};
use serde::Deserialize;
use serde_json::Value;
use sim::story::{Life, Note};
use sim::workload::{Arrivals, ConsumerSpec, Duration, ProducerSpec, Workload};
use sim::{Nanos, Time};
use std::collections::BTreeMap;

/// When a case with messages begins: by then the cluster stands.
const BEGIN: Time = Time(3_000_000_000);
/// How long a send gets until it is acknowledged.
const SEND: Nanos = Nanos::secs(1);

/// A case that was recorded step by step.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What recorded it.
    pub broker: String,
    /// How often it was played.
    pub plays: usize,
    /// Settings of the servers.
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, Value>,
    topic: Topic,
    /// What was done, and what it led to.
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, Deserialize)]
struct Topic {
    assignment: Vec<Vec<u16>>,
    #[serde(default)]
    config: BTreeMap<String, String>,
}

/// A step of a case; fields of operations that nothing plays are left out.
#[derive(Clone, Debug, Deserialize)]
pub struct Step {
    /// The operation.
    pub op: String,
    pub(crate) name: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) value: Option<Value>,
    pub(crate) key: Option<String>,
    pub(crate) broker: Option<u16>,
    pub(crate) ms: Option<u64>,
    pub(crate) timeout_ms: Option<u64>,
    /// Of a group: whose partitions are looked at, how many there are, and for how long nothing may change.
    #[serde(default)]
    pub(crate) members: Vec<String>,
    #[serde(default)]
    pub(crate) partitions: usize,
    #[serde(default)]
    pub(crate) rest_ms: u64,
    /// Of a record: its topic and partition, how large its value is, how far its time lies ahead.
    pub(crate) topic: Option<String>,
    pub(crate) partition: Option<u32>,
    pub(crate) bytes: Option<u32>,
    pub(crate) ahead_ms: Option<u64>,
    /// What is said of records, by their values.
    #[serde(default)]
    pub(crate) records: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) config: BTreeMap<String, String>,
    /// What it led to, if that was the same in all plays.
    pub observed: Option<Value>,
    /// What it led to in each play, if it was not.
    #[serde(default)]
    pub observed_by_play: Vec<Value>,
    /// How long it took in each play.
    #[serde(default)]
    pub took_ms: Vec<u64>,
}

/// Reads a case and checks its form.
///
/// # Errors
/// A sentence that says where the text is not of the form.
pub fn read(text: &str) -> Result<Case, String> {
    let case: Case = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let whole = |length: usize| length == 0 || length == case.plays;
    for (index, step) in case.steps.iter().enumerate() {
        let both = step.observed.is_some() && !step.observed_by_play.is_empty();
        if both || !whole(step.observed_by_play.len()) || !whole(step.took_ms.len()) {
            return Err(format!("{}: step {} ({}): not one answer a play", case.name, index + 1, step.op));
        }
    }
    Ok(case)
}

/// Plays a case, if it is one of a group's life, of where a group begins, of transactions, of
/// share groups, or of records; `None` if it is not.
///
/// # Errors
/// A sentence, if the value is not of the form, or the engine refuses a setting.
pub fn replay(value: &Value) -> Result<Option<Outcome>, String> {
    let case = read(&value.to_string())?;
    let disagreement = if is_of(&case, &kafka_groups::OPERATIONS) {
        kafka_groups::play(&case)?
    } else if is_of(&case, &READING) {
        play_reading(&case)?
    } else if kafka_transactions::is_of(&case) {
        return kafka_transactions::replay(case).map(Some);
    } else if kafka_share::is_of(&case) {
        return kafka_share::replay(&case).map(Some);
    } else if kafka_records::is_of(&case) {
        return kafka_records::replay(&case).map(Some);
    } else {
        return Ok(None);
    };
    Ok(Some(Outcome { name: case.name, disagreement }))
}

/// The operations of a case of where a group begins.
const READING: [&str; 9] = [
    "producer.open",
    "producer.send",
    "producer.close",
    "topic.offsets",
    "consumer.open",
    "consumer.records",
    "consumer.state",
    "consumer.close",
    "wait",
];

/// Whether a case has these operations only.
fn is_of(case: &Case, operations: &[&str]) -> bool {
    case.steps.iter().all(|step| operations.contains(&step.op.as_str()))
}

/// A consumer with a step's settings, but its name and its group's.
pub(crate) fn client_of(step: &Step) -> Result<ConsumerClient, String> {
    let mut client = ConsumerClient { topics: vec!["t".into()], ..ConsumerClient::default() };
    for (name, value) in &step.config {
        if !["client.id", "group.id"].contains(&name.as_str()) {
            client.config.set(name, value)?;
        }
    }
    Ok(client)
}

/// A topic as the case has it, with three replicas.
pub(crate) fn topic_of(case: &Case) -> Result<TopicSpec, String> {
    let mut topic = TopicSpec::new("t", u32::try_from(case.topic.assignment.len()).unwrap_or(u32::MAX), 3);
    topic.replica_assignment = case.topic.assignment.clone();
    case.topic.config.iter().try_for_each(|(name, value)| topic.config.set(name, value))?;
    Ok(topic)
}

pub(crate) fn cluster_with(case: &Case, workload: &Workload, config: Config, seed: u64) -> Result<LogCluster, String> {
    let config = Config { controllers: Controllers::Dedicated(1), topics: vec![topic_of(case)?], ..config };
    seeded(seed, case, workload, &config)
}

pub(crate) fn seeded(seed: u64, case: &Case, workload: &Workload, config: &Config) -> Result<LogCluster, String> {
    // A topic that is nowhere is refused before a run; here its producer may wait for it as Kafka's does.
    let mut checked = config.clone();
    checked.producers.retain(|producer| producer.topic != kafka_records::NOWHERE);
    checked.check().map_err(|problems| format!("{}: {problems:?}", case.name))?;
    Ok(LogCluster::new(seed, workload, config))
}

fn one_message(name: String, start: Time) -> ProducerSpec {
    let limit = Some(1);
    ProducerSpec { name, rate_milli: 1_000_000, arrivals: Arrivals::Steady, keys: 0, bytes: 100, limit, start }
}

/// Answers the first thing that is not as it was observed. Each send is a producer's of its own.
fn play_reading(case: &Case) -> Result<Option<Disagreement>, String> {
    let mut now = BEGIN;
    let mut workload = Workload::default();
    let mut values = Vec::new();
    let mut config = Config::default();
    for (name, value) in case.settings.iter().filter(|(name, _)| name.starts_with("log.")) {
        config.broker.set(name, value.to_string().trim_matches('"'))?;
    }
    let mut looks = Vec::new();
    for (index, step) in case.steps.iter().enumerate() {
        match step.op.as_str() {
            "producer.send" => {
                workload.producers.push(one_message(format!("p{index}"), now));
                config.producers.push(ProducerClient { topic: "t".into(), ..ProducerClient::default() });
                values.push(step.value.clone().unwrap_or_default());
                now += SEND;
            }
            "consumer.open" => {
                let processing = Duration::Constant(Nanos(0));
                let name = step.name.clone().unwrap_or_default();
                workload.consumers.push(ConsumerSpec { name, processing, start: now, by_hand: false });
                config.consumers.push(client_of(step)?);
            }
            "wait" => now += Nanos::millis(step.ms.unwrap_or(0)),
            "consumer.records" | "consumer.state" | "consumer.close" | "topic.offsets" => looks.push((index, now)),
            _ => {}
        }
    }
    let mut cluster = cluster_with(case, &workload, config, 1)?;
    let mut got = Vec::new();
    for (index, at) in looks {
        cluster.world_mut().run_until(at);
        for (_, _, note) in cluster.world_mut().take_notes() {
            if let Note::Life(id, Life::Delivered { .. }, _) = note {
                got.push(values[usize::from(id.producer)].clone());
            }
        }
        let step = &case.steps[index];
        let wrong = match step.op.as_str() {
            "consumer.state" => kafka_groups::state(step, &cluster),
            "consumer.close" => {
                let named = cluster.nodes().iter().find(|node| Some(node.name.as_str()) == step.name.as_deref());
                let node = named.map(|node| node.id);
                node.into_iter().for_each(|node| cluster.world_mut().stop(node));
                None
            }
            "topic.offsets" => {
                let came = kafka_records::offsets(&cluster);
                let expected = step.observed.clone().unwrap_or_default();
                (came != expected).then(|| Disagreement {
                    step: String::new(),
                    expected: expected.to_string(),
                    came: came.to_string(),
                })
            }
            _ => records(step, &got),
        };
        if let Some(wrong) = wrong {
            return Ok(Some(Disagreement { step: format!("step {}", index + 1), ..wrong }));
        }
    }
    Ok(None)
}

/// What consumers got, if it is not what was observed.
fn records(step: &Step, got: &[Value]) -> Option<Disagreement> {
    let seen = step.observed.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    let expected: Vec<Value> = seen.iter().filter_map(|record| record.get("value")).cloned().collect();
    (got != expected).then(|| Disagreement {
        step: String::new(),
        expected: Value::from(expected).to_string(),
        came: Value::from(got.to_vec()).to_string(),
    })
}
