//! Recordings of Kafka's own classes, held against the functions that the log cluster works by.

use crate::kafka_assignors as assignors;
use crate::{Disagreement, Outcome};
use log_cluster::election::{Change, Election, PartitionState, Rules, change};
use log_cluster::partitioner::{LoadStats, murmur2, partition_for_key};
use serde_json::{Value, json};

/// Replays one recording.
///
/// # Errors
/// A sentence, if the value is no recording of Kafka.
pub fn replay(place: &str, value: &Value) -> Result<Outcome, String> {
    let checks = if value.get("murmur2").is_some() {
        key_hash(value)
    } else if value.get("queue_sizes").is_some() {
        adaptive(value)
    } else if value.get("event").is_some() {
        election(value)
    } else if value.get("assignor").is_some() {
        assignors::replay(value)
    } else {
        None
    };
    let Some(checks) = checks else {
        return Err(format!("{place}: not a recording of Kafka that is understood"));
    };
    let wrong = checks.into_iter().find(|check| check.expected != check.came);
    let disagreement = wrong.map(|check| Disagreement {
        step: check.step,
        expected: check.expected.to_string(),
        came: check.came.to_string(),
    });
    Ok(Outcome { name: place.to_owned(), disagreement })
}

/// One answer of the real class, and ours.
pub(crate) struct Check {
    pub step: String,
    pub expected: Value,
    pub came: Value,
}

/// K-T1
fn key_hash(value: &Value) -> Option<Vec<Check>> {
    let hex = value.get("key_hex")?.as_str()?;
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    let key: Vec<u8> = (0..hex.len() / 2).map(|index| byte(index * 2)).collect::<Option<_>>()?;
    let mut checks = vec![Check {
        step: format!("murmur2 of {hex}"),
        expected: value.get("murmur2")?.clone(),
        came: json!(murmur2(&key)),
    }];
    for (partitions, expected) in value.get("partition")?.as_object()? {
        let count: u32 = partitions.parse().ok()?;
        let came = json!(partition_for_key(&key, count));
        checks.push(Check { step: format!("{hex} among {count}"), expected: expected.clone(), came });
    }
    Some(checks)
}

/// K-T4
fn adaptive(value: &Value) -> Option<Vec<Check>> {
    let queues: Vec<u32> = numbers(value.get("queue_sizes")?)?;
    let length = value.get("length")?.as_u64()? as usize;
    let partitions: Vec<u32> = (0..queues.len() as u32).collect();
    let stats = LoadStats::new(&queues, partitions.get(..length)?, queues.len());
    let came = stats.map(|stats| (0..stats.total()).map(|draw| stats.pick(draw)).collect::<Vec<u32>>());
    let expected = value.get("random_to_partition")?.clone();
    Some(vec![Check { step: format!("queues {queues:?}, {length} of them"), expected, came: json!(came) }])
}

pub(crate) fn numbers<T: TryFrom<i64>>(value: &Value) -> Option<Vec<T>> {
    value.as_array()?.iter().map(|item| T::try_from(item.as_i64()?).ok()).collect()
}

/// K-E1 to K-E6
fn election(value: &Value) -> Option<Vec<Check>> {
    let before = partition(value.get("before")?)?;
    let active: Vec<u16> = numbers(value.get("active_after")?)?;
    let rules = Rules {
        elr_enabled: value.get("elr_enabled")?.as_bool()?,
        unclean_enabled: value.get("unclean_enabled")?.as_bool()?,
        min_isr: value.get("min_isr")?.as_u64()? as usize,
        active: &active,
    };
    let event = value.get("event")?.as_str()?;
    let what = happening(event)?;
    let after = change(&before, &what, &rules).unwrap_or(before);
    let expected = value.get("after")?;
    Some(vec![Check { step: event.to_owned(), expected: tidy(expected), came: tidy(&show(&after)) }])
}

/// Sets are compared as sets.
fn tidy(state: &Value) -> Value {
    let mut state = state.clone();
    for name in ["elr", "last_known_elr"] {
        if let Some(list) = state.get_mut(name).and_then(Value::as_array_mut) {
            list.sort_by_key(Value::as_i64);
        }
    }
    state
}

fn happening(event: &str) -> Option<Change> {
    let (name, argument) = event.split_once('(').unwrap_or((event, ")"));
    let argument = argument.strip_suffix(')')?;
    Some(match name {
        "fence" => Change::Fenced(argument.parse().ok()?),
        "unfence" => Change::Unfenced(argument.parse().ok()?),
        "unclean_shutdown" => Change::UncleanShutdown(argument.parse().ok()?),
        "alter_partition" => Change::AlterIsr(numbers(&serde_json::from_str(argument).ok()?)?),
        "elect_preferred" => Change::Elect(Election::Preferred),
        "elect_unclean" => Change::Elect(Election::Unclean),
        _ => return None,
    })
}

fn partition(value: &Value) -> Option<PartitionState> {
    Some(PartitionState {
        replicas: numbers(value.get("replicas")?)?,
        adding: Vec::new(),
        removing: Vec::new(),
        isr: numbers(value.get("isr")?)?,
        elr: numbers(value.get("elr")?)?,
        last_known_elr: numbers(value.get("last_known_elr")?)?,
        leader: u16::try_from(value.get("leader")?.as_i64()?).ok(),
        recovering: value.get("recovery")?.as_str()? == "RECOVERING",
        leader_epoch: i32::try_from(value.get("leader_epoch")?.as_i64()?).ok()?,
        partition_epoch: i32::try_from(value.get("partition_epoch")?.as_i64()?).ok()?,
    })
}

fn show(state: &PartitionState) -> Value {
    json!({
        "replicas": state.replicas,
        "isr": state.isr,
        "elr": state.elr,
        "last_known_elr": state.last_known_elr,
        "leader": state.leader.map_or(-1, i32::from),
        "recovery": if state.recovering { "RECOVERING" } else { "RECOVERED" },
        "leader_epoch": state.leader_epoch,
        "partition_epoch": state.partition_epoch,
    })
}
