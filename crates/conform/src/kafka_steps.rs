//! Cases that were recorded on a Kafka cluster step by step. The life of a group by the classic protocol is played in
//! our engine; the others are read only, as nothing plays them yet. The form is described in `docs/transcripts.md`.

use crate::{Disagreement, Outcome};
use log_cluster::LogCluster;
use log_cluster::config::{Config, ConsumerClient, Controllers, TopicSpec};
use serde::Deserialize;
use serde_json::Value;
use sim::workload::{ConsumerSpec, Duration, Workload};
use sim::{Crash, Nanos, NodeId, Time};
use std::collections::BTreeMap;

/// How long the engine's group gets to settle: longer than a session and what follows its end.
const SETTLE: Nanos = Nanos::secs(20);

/// A case that was recorded step by step.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What recorded it.
    pub broker: String,
    /// How often it was played.
    pub plays: usize,
    topic: Topic,
    /// What was done, and what it led to.
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, Deserialize)]
struct Topic {
    assignment: Vec<Vec<u16>>,
}

/// A step of a case; fields of operations that nothing plays are left out.
#[derive(Clone, Debug, Deserialize)]
pub struct Step {
    /// The operation.
    pub op: String,
    name: Option<String>,
    client: Option<String>,
    #[serde(default)]
    config: BTreeMap<String, String>,
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

/// Plays a case, if it is one of a group by the classic protocol without static members; `None` if it is not.
///
/// # Errors
/// A sentence, if the value is not of the form, or the engine refuses a setting.
pub fn replay(value: &Value) -> Result<Option<Outcome>, String> {
    let case = read(&value.to_string())?;
    if !is_played(&case) {
        return Ok(None);
    }
    let disagreement = play(&case)?;
    Ok(Some(Outcome { name: case.name, disagreement }))
}

fn is_played(case: &Case) -> bool {
    let known = ["consumer.open", "consumer.close", "client.kill", "group.settle"];
    let other = ["group.protocol", "group.instance.id"];
    case.steps.iter().all(|step| {
        known.contains(&step.op.as_str()) && !step.config.keys().any(|setting| other.contains(&setting.as_str()))
    })
}

/// A member of the group, in the order in which they join.
struct Member<'a> {
    name: &'a str,
    client: Option<&'a str>,
    node: NodeId,
}

/// Answers the first share-out that is not the recorded one.
fn play(case: &Case) -> Result<Option<Disagreement>, String> {
    let opened = case.steps.iter().filter(|step| step.op == "consumer.open");
    let names: Vec<&str> = opened.clone().filter_map(|step| step.name.as_deref()).collect();
    let mut cluster = cluster_of(case, &names)?;
    let members: Vec<Member<'_>> = opened
        .filter_map(|step| {
            let name = step.name.as_deref()?;
            let node = cluster.nodes().iter().find(|node| node.name == name)?.id;
            Some(Member { name, client: step.client.as_deref(), node })
        })
        .collect();
    for (index, step) in case.steps.iter().enumerate() {
        match step.op.as_str() {
            "consumer.close" => {
                let leaves = members.iter().find(|member| Some(member.name) == step.name.as_deref());
                if let Some(member) = leaves {
                    cluster.world_mut().stop(member.node);
                }
            }
            "client.kill" => {
                for member in members.iter().filter(|member| member.client == step.client.as_deref()) {
                    cluster.world_mut().crash(member.node, Crash::Kill);
                }
            }
            "group.settle" => {
                let now = cluster.world().now();
                cluster.world_mut().run_until(now + SETTLE);
                let expected = step.observed.as_ref().and_then(|seen| seen.get("assignment")).cloned();
                let Some(Value::Object(expected)) = expected else { continue };
                for (name, partitions) in expected {
                    let came = assignment(&cluster, &names, &name);
                    if came != partitions {
                        let step = format!("step {}: {name}", index + 1);
                        let (expected, came) = (partitions.to_string(), came.to_string());
                        return Ok(Some(Disagreement { step, expected, came }));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

/// What a member was given: its partitions, as texts.
fn assignment(cluster: &LogCluster, names: &[&str], name: &str) -> Value {
    let place = names.iter().position(|known| *known == name);
    let view = cluster.view();
    let assigned = place.and_then(|place| view.consumers.get(place)).map(|consumer| consumer.assigned.as_slice());
    let mut numbers: Vec<u32> = assigned.unwrap_or_default().iter().map(|one| one.partition).collect();
    numbers.sort_unstable();
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().into()
}

/// A cluster whose consumers begin as the case opens them: each step that settles takes [`SETTLE`].
fn cluster_of(case: &Case, names: &[&str]) -> Result<LogCluster, String> {
    let mut topic = TopicSpec::new("t", u32::try_from(case.topic.assignment.len()).unwrap_or(u32::MAX), 3);
    topic.replica_assignment = case.topic.assignment.clone();
    let mut start = Time::ZERO;
    let mut consumers = Vec::new();
    let mut specs = Vec::new();
    for step in &case.steps {
        if step.op == "group.settle" {
            start += SETTLE;
        }
        if step.op != "consumer.open" {
            continue;
        }
        let mut client = ConsumerClient { topics: vec!["t".into()], config: Default::default() };
        for (name, value) in step.config.iter().filter(|(name, _)| !["client.id", "group.id"].contains(&name.as_str()))
        {
            client.config.set(name, value)?;
        }
        consumers.push(client);
        let name = names[specs.len()].to_owned();
        specs.push(ConsumerSpec { name, processing: Duration::Constant(Nanos(0)), start });
    }
    let config = Config { controllers: Controllers::Dedicated(1), topics: vec![topic], consumers, ..Config::default() };
    config.check().map_err(|problems| format!("{}: {problems:?}", case.name))?;
    Ok(LogCluster::new(1, &Workload { producers: Vec::new(), consumers: specs }, &config))
}
