//! Replays recordings of real brokers through the engines, and says where they disagree.
//! The forms of recordings are told apart by their content.

pub mod kafka;
mod kafka_assignors;
pub mod kafka_cluster;
mod kafka_faults;
mod kafka_groups;
mod kafka_records;
mod kafka_share;
pub mod kafka_steps;
mod kafka_transactions;
pub mod rabbitmq;
pub mod rabbitmq_cluster;
pub mod ranges;

/// What replaying one recording gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The recording's name.
    pub name: String,
    /// The first disagreement, if any.
    pub disagreement: Option<Disagreement>,
}

/// Where an engine did not do what the real broker did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Which step of the recording, in words.
    pub step: String,
    /// What the real broker answered.
    pub expected: String,
    /// What the engine answered.
    pub came: String,
}

fn is_kafka(value: &serde_json::Value) -> bool {
    value.get("broker").and_then(|broker| broker.as_str()).is_some_and(|broker| broker.starts_with("Apache Kafka"))
}

/// Replays all recordings in a file's text. `file` names those that have no name of their own. Steps that were recorded
/// on a Kafka cluster are read, and lead to no outcome where nothing plays them yet.
///
/// # Errors
/// A sentence that names the line and what was expected, if the text is no recording.
pub fn replay(file: &str, text: &str) -> Result<Vec<Outcome>, String> {
    let mut outcomes = Vec::new();
    let whole: Result<serde_json::Value, _> = serde_json::from_str(text);
    let values = match whole {
        Ok(value) => vec![value],
        Err(_) => {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            let parse = |(number, line): (usize, &str)| {
                serde_json::from_str(line).map_err(|error| format!("{file}: line {}: {error}", number + 1))
            };
            lines.map(parse).collect::<Result<Vec<_>, _>>()?
        }
    };
    for (index, value) in values.into_iter().enumerate() {
        let place = format!("{file}:{}", index + 1);
        if is_kafka(&value) && value.get("steps").is_some() {
            outcomes.extend(kafka_steps::replay(&value)?);
            continue;
        }
        outcomes.push(if is_kafka(&value) && value.get("runs").is_some() {
            kafka_cluster::replay(&value)?
        } else if value.get("runs").is_some() {
            rabbitmq_cluster::replay(&value)?
        } else if value.get("steps").is_some() {
            rabbitmq::replay(&place, &value)?
        } else {
            kafka::replay(&place, &value)?
        });
    }
    Ok(outcomes)
}

/// Makes a document of a recording of RabbitMQ, so that it can be played as a run: one node, its steps at their times.
/// `None` if the text is no such recording.
///
/// # Errors
/// A sentence, if it is one but cannot be played.
pub fn document_of(text: &str) -> Result<Option<String>, String> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let parsed = serde_json::from_str(text).or_else(|_| serde_json::from_str(first));
    let Ok(value) = parsed else { return Ok(None) };
    let value: serde_json::Value = value;
    if value.get("steps").is_none() || is_kafka(&value) {
        return Ok(None);
    }
    let script = rabbitmq::script_of(&value)?;
    let rules = if rabbitmq::rules_of(&value) == queue_cluster::Rules::V3_10 { "3.10" } else { "4.2" };
    let millis = |nanos: u64| format!("{}ms", nanos / 1_000_000);
    let end = script.last().map_or(0, |(at, _)| at.0) + 2_000_000_000;
    let mut steps = Vec::new();
    for (at, operation) in &script {
        let mut step = serde_json::to_value(operation).map_err(|error| error.to_string())?;
        step["at"] = millis(at.0).into();
        steps.push(step);
    }
    let document = serde_json::json!({
        "brokerlab": 1,
        "title": value.get("name"),
        "about": value.get("about"),
        "length": millis(end),
        "queue": { "rules": rules, "nodes": 1, "script": steps },
    });
    Ok(Some(document.to_string()))
}
