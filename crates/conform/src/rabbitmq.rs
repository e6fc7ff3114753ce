//! Recordings of RabbitMQ, played through real client connections to a cluster of one node, one settled step at a time.

use crate::{Disagreement, Outcome};
use queue_cluster::{ADMIN, Config, Observed, Operation, QueueCluster, Rules};
use serde_json::{Map, Value};
use sim::workload::Workload;
use sim::{LinkProfile, Nanos, NodeId, Time};
use std::collections::BTreeMap;

/// The recorder waited until no client had got a frame for this long.
const SETTLED: Nanos = Nanos::millis(120);
/// What its polling of all connections takes on top.
const POLL: Nanos = Nanos::millis(10);
/// How far apart operations are that it did not wait after.
const BURST: Nanos = Nanos::micros(100);
/// How long it waits for that at the most.
const PATIENCE: Nanos = Nanos::secs(20);
/// How far apart the steps of a script are played.
const SPACING: Nanos = Nanos::millis(250);

/// Replays one recording.
///
/// # Errors
/// A sentence, if the value is no recording of RabbitMQ.
pub fn replay(place: &str, value: &Value) -> Result<Outcome, String> {
    let name = value.get("name").and_then(Value::as_str).unwrap_or(place).to_string();
    if let Some(disagreement) = unknown_operation(value) {
        return Ok(Outcome { name, disagreement: Some(disagreement) });
    }
    let steps = steps_of(place, value)?;
    let rules = rules_of(value);
    let mut config = Config { nodes: 1, rules, link: LinkProfile::default(), ..Config::of(rules) };
    let connections = steps.iter().filter_map(|step| step.operation.connection());
    config.connections = connections.chain([ADMIN]).map(str::to_string).collect();
    let mut player = Player::new(&config);
    let mut expected: Vec<&Value> = Vec::new();
    let last = steps.len().saturating_sub(1);
    for (number, step) in steps.iter().enumerate() {
        player.play(&step.operation, step.settle)?;
        expected.extend(step.observed.iter());
        if !step.settle {
            continue;
        }
        player.settle(&step.operation);
        let mut came = player.take();
        let mut disagreement = compare(number, step, &expected, &came);
        if number == last {
            let queues = value.get("queues").and_then(Value::as_object);
            let counts = queues.and_then(|queues| compare_queues(queues, &player));
            if disagreement.is_some() {
                // After the last step the recorder closed its connections, one after the other; what the ones still
                // open saw of that was in some recordings written down with the step.
                player.close_all()?;
                came.extend(player.take());
                disagreement = compare(number, step, &expected, &came);
            }
            return Ok(Outcome { name, disagreement: disagreement.or(counts) });
        }
        if disagreement.is_some() {
            return Ok(Outcome { name, disagreement });
        }
        expected.clear();
    }
    Ok(Outcome { name, disagreement: None })
}

/// The operations of a recording as a script for a document, one after the other.
///
/// # Errors
/// A sentence, if the value is no recording of RabbitMQ.
pub fn script_of(value: &Value) -> Result<Vec<(Time, Operation)>, String> {
    let mut at = Time::ZERO + SPACING;
    let mut script = Vec::new();
    for step in steps_of("script", value)? {
        if let Operation::Wait { ms } = step.operation {
            at += Nanos::millis(ms);
            continue;
        }
        script.push((at, step.operation));
        at += if step.settle { SPACING } else { BURST };
    }
    Ok(script)
}

/// The version's rules that a recording was made under.
#[must_use]
pub fn rules_of(value: &Value) -> Rules {
    let broker = value.get("broker").and_then(Value::as_str).unwrap_or("");
    if broker.contains(" 3.") { Rules::V3_10 } else { Rules::V4_2 }
}

struct Step {
    operation: Operation,
    settle: bool,
    observed: Vec<Value>,
}

fn steps_of(place: &str, value: &Value) -> Result<Vec<Step>, String> {
    let steps = value.get("steps").and_then(Value::as_array).ok_or_else(|| format!("{place}: no `steps`"))?;
    let read = |(number, step): (usize, &Value)| {
        let operation =
            serde_json::from_value(step.clone()).map_err(|error| format!("{place}: step {number}: {error}"))?;
        let observed = step.get("observed").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(Step { operation, settle: step.get("settle") != Some(&Value::Bool(false)), observed })
    };
    steps.iter().enumerate().map(read).collect()
}

/// The first step of a word that the engine's scripts have not.
fn unknown_operation(value: &Value) -> Option<Disagreement> {
    let steps = value.get("steps").and_then(Value::as_array)?;
    let unknown = |step: &Value| match serde_json::from_value::<Operation>(step.clone()) {
        Err(error) => error.to_string().starts_with("unknown variant"),
        Ok(_) => false,
    };
    let (number, step) = steps.iter().enumerate().find(|(_, step)| unknown(step))?;
    let operation = step.get("op").and_then(Value::as_str).unwrap_or("");
    Some(Disagreement {
        step: format!("step {number}: {operation}"),
        expected: step.get("observed").map(Value::to_string).unwrap_or_default(),
        came: "an operation that the engine does not know".into(),
    })
}

/// A cluster, and how much of what its connections saw was read.
struct Player {
    cluster: QueueCluster,
    read: BTreeMap<NodeId, usize>,
    /// Open connections, in the order in which they were opened.
    open: Vec<String>,
}

impl Player {
    fn new(config: &Config) -> Player {
        let mut cluster = QueueCluster::new(1, &Workload::default(), config);
        cluster.world_mut().run_until(Time::ZERO + Nanos::secs(1));
        Player { cluster, read: BTreeMap::new(), open: Vec::new() }
    }

    fn play(&mut self, operation: &Operation, settle: bool) -> Result<(), String> {
        self.cluster.operate(operation)?;
        match operation {
            Operation::ConnectionClose { connection } => self.open.retain(|open| open != connection),
            Operation::BrokerRestart {} => self.open.clear(),
            _ => {
                let name = operation.connection().map(str::to_string);
                self.open.extend(name.filter(|name| !self.open.contains(name)));
            }
        }
        if let Operation::Wait { ms } = operation {
            let until = self.cluster.world().now() + Nanos::millis(*ms);
            self.cluster.world_mut().run_until(until);
        }
        // An operation is on its way before the next one is given; where the recorder did not wait, it wrote the next
        // one at once.
        let pause = if settle { Nanos::millis(2) } else { BURST };
        let until = self.cluster.world().now() + pause;
        self.cluster.world_mut().run_until(until);
        Ok(())
    }

    fn settle(&mut self, operation: &Operation) {
        let start = self.cluster.world().now();
        let rest = if matches!(operation, Operation::BrokerRestart {}) { Nanos::secs(5) } else { SETTLED };
        let mut until = start + rest;
        while until.since(start) < PATIENCE {
            self.cluster.world_mut().run_until(until);
            let quiet = self.cluster.last_frame() + rest + POLL;
            if quiet <= until {
                return;
            }
            until = quiet;
        }
    }

    fn close_all(&mut self) -> Result<(), String> {
        for connection in std::mem::take(&mut self.open) {
            let close = Operation::ConnectionClose { connection };
            self.play(&close, true)?;
            self.settle(&close);
        }
        Ok(())
    }

    fn take(&mut self) -> Vec<Value> {
        let read = &mut self.read;
        let seen = self.cluster.observed(&|node| read.get(&node).copied().unwrap_or(0));
        for (node, ..) in &seen {
            *read.entry(*node).or_default() += 1;
        }
        let mut seen: Vec<(Time, Observed)> = seen.into_iter().map(|(_, at, observed)| (at, observed)).collect();
        seen.sort_by_key(|(at, _)| *at);
        seen.iter().filter_map(|(_, observed)| serde_json::to_value(observed).ok()).collect()
    }
}

/// Events are compared in order per consumer and per channel: between connections the order is the recorder's.
fn stream_of(event: &Value) -> String {
    let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or("");
    if event.get("delivered").is_some() {
        format!("consumer {}", text("consumer"))
    } else if event.get("got").is_some() {
        "gets".into()
    } else if event.get("channel_closed").is_some() {
        format!("channel {}", text("channel_closed"))
    } else if event.get("queue").is_some() {
        format!("counts {}", text("queue"))
    } else if event.get("consumer_cancelled").is_some() {
        format!("consumer {}", text("consumer_cancelled"))
    } else {
        format!("channel {}", text("channel"))
    }
}

fn compare(number: usize, step: &Step, expected: &[&Value], came: &[Value]) -> Option<Disagreement> {
    let mut streams: BTreeMap<String, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
    expected.iter().for_each(|event| streams.entry(stream_of(event)).or_default().0.push(event));
    came.iter().for_each(|event| streams.entry(stream_of(event)).or_default().1.push(event));
    let differs = |(wanted, seen): &(Vec<&Value>, Vec<&Value>)| {
        wanted.len() != seen.len() || wanted.iter().zip(seen).any(|(wanted, seen)| !agrees(wanted, seen))
    };
    let (_, (wanted, seen)) = streams.into_iter().find(|(_, both)| differs(both))?;
    let list = |events: &[&Value]| {
        let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
        if lines.is_empty() { "nothing".to_string() } else { lines.join("\n") }
    };
    let step = format!("step {number}: {:?}", step.operation);
    Some(Disagreement { step, expected: list(&wanted), came: list(&seen) })
}

/// A field that the recorded event lacks is not compared.
fn agrees(wanted: &Value, seen: &Value) -> bool {
    let (Some(wanted), Some(seen)) = (wanted.as_object(), seen.as_object()) else { return false };
    wanted.iter().all(|(key, value)| seen.get(key).unwrap_or(&Value::Null) == value)
}

fn compare_queues(queues: &Map<String, Value>, player: &Player) -> Option<Disagreement> {
    let view = player.cluster.view();
    let differs = |(name, counts): (&String, &Value)| {
        let queue = view.queues.iter().find(|queue| queue.name == *name);
        let came = queue.map(|queue| serde_json::json!({ "ready": queue.ready, "unacked": queue.unacked }));
        let came = came.unwrap_or(Value::Null);
        (!agrees(counts, &came)).then(|| Disagreement {
            step: format!("at the end: queue {name}"),
            expected: counts.to_string(),
            came: came.to_string(),
        })
    };
    queues.iter().find_map(differs)
}
