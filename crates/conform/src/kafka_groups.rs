//! Cases of a group's life, recorded on a Kafka cluster: members come, close, are killed and come back, by either
//! protocol, as static members or not.

use crate::Disagreement;
use crate::kafka_steps::{Case, Step, client_of, seeded, topic_of};
use log_cluster::LogCluster;
use log_cluster::config::{Config, Controllers};
use log_cluster::view::ConsumerView;
use serde_json::Value;
use sim::workload::{ConsumerSpec, Duration, Workload};
use sim::{Crash, Nanos, NodeId, Time};

/// The operations of such a case.
pub(crate) const OPERATIONS: [&str; 6] =
    ["consumer.open", "consumer.close", "client.kill", "group.settle", "consumer.state", "wait"];

/// How long the engine's group gets to settle: longer than a session and what follows its end.
const SETTLE: Nanos = Nanos::secs(20);
/// How long it takes until a client that closed or was killed is gone, and another one has started.
const CHANGE: Nanos = Nanos::millis(500);
/// Members of consumer groups have ids drawn by lot, and the coordinator's assignor looks at members in the order of
/// their hashes: with one of these seeds it comes out as recorded.
const SEEDS: u64 = 8;

fn takes(step: &Step) -> Nanos {
    match step.op.as_str() {
        "group.settle" => SETTLE,
        "consumer.close" | "client.kill" => CHANGE,
        "wait" => Nanos::millis(step.ms.unwrap_or(0)),
        _ => Nanos::ZERO,
    }
}

/// Answers the first share-out that is not the recorded one.
pub(crate) fn play(case: &Case) -> Result<Option<Disagreement>, String> {
    let by_lot = case.steps.iter().any(|step| step.config.get("group.protocol").is_some_and(|it| it == "consumer"));
    let mut found = play_once(case, 1)?;
    for seed in 2..=SEEDS {
        if found.is_none() || !by_lot {
            break;
        }
        found = play_once(case, seed)?;
    }
    Ok(found)
}

/// A member: its name, the process that it is in now, and its node.
struct Member<'a> {
    name: &'a str,
    client: Option<&'a str>,
    node: NodeId,
    opened: bool,
}

fn play_once(case: &Case, seed: u64) -> Result<Option<Disagreement>, String> {
    let mut names: Vec<&str> = Vec::new();
    for name in case.steps.iter().filter(|step| step.op == "consumer.open").filter_map(|step| step.name.as_deref()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut cluster = cluster_of(case, seed, &names)?;
    let mut members: Vec<Member<'_>> = Vec::new();
    for name in names.iter().copied() {
        if let Some(node) = cluster.nodes().iter().find(|node| node.name == name) {
            members.push(Member { name, client: None, node: node.id, opened: false });
        }
    }
    for (index, step) in case.steps.iter().enumerate() {
        let named = members.iter_mut().find(|member| Some(member.name) == step.name.as_deref());
        match (step.op.as_str(), named) {
            ("consumer.open", Some(member)) => {
                member.client = step.client.as_deref();
                if std::mem::replace(&mut member.opened, true) {
                    cluster.world_mut().start(member.node);
                }
            }
            ("consumer.close", Some(member)) => cluster.world_mut().stop(member.node),
            ("client.kill", _) => {
                for member in members.iter().filter(|member| member.client == step.client.as_deref()) {
                    cluster.world_mut().crash(member.node, Crash::Kill);
                }
            }
            _ => {}
        }
        let now = cluster.world().now();
        cluster.world_mut().run_until(now + takes(step));
        let wrong = match step.op.as_str() {
            "group.settle" => settled(step, &cluster),
            "consumer.state" => state(step, &cluster),
            _ => None,
        };
        if let Some(wrong) = wrong {
            let step = format!("step {}{}", index + 1, wrong.step);
            return Ok(Some(Disagreement { step, ..wrong }));
        }
    }
    Ok(None)
}

fn consumer<'a>(cluster: &LogCluster, views: &'a [ConsumerView], name: &str) -> Option<&'a ConsumerView> {
    let node = cluster.nodes().iter().find(|node| node.name == name)?.id;
    views.iter().find(|view| view.node == node)
}

/// Who has which partitions.
fn settled(step: &Step, cluster: &LogCluster) -> Option<Disagreement> {
    let expected = step.observed.as_ref()?.get("assignment")?.as_object()?;
    let views = cluster.view().consumers;
    for (name, partitions) in expected {
        let came = assignment(consumer(cluster, &views, name));
        if came != *partitions {
            let (expected, came) = (partitions.to_string(), came.to_string());
            return Some(Disagreement { step: format!(": {name}"), expected, came });
        }
    }
    None
}

/// A consumer's assignment, and the error that ended it.
pub(crate) fn state(step: &Step, cluster: &LogCluster) -> Option<Disagreement> {
    let seen = step.observed.as_ref()?;
    let views = cluster.view().consumers;
    let view = consumer(cluster, &views, step.name.as_deref()?);
    let error = view.and_then(|view| view.failed).map_or(Value::Null, |code| exception(code).into());
    let came = [assignment(view), error];
    let expected = ["assignment", "error"].map(|key| seen.get(key).cloned().unwrap_or_default());
    if came == expected {
        return None;
    }
    let told = |both: [Value; 2]| Value::from(both.to_vec()).to_string();
    Some(Disagreement { step: String::new(), expected: told(expected), came: told(came) })
}

/// The class that Kafka's client throws for a code.
fn exception(code: &str) -> String {
    if !code.contains('_') {
        return code.to_owned();
    }
    let word = |word: &str| format!("{}{}", &word[..1], word[1..].to_ascii_lowercase());
    code.split('_').map(word).collect::<String>() + "Exception"
}

/// What a member was given: its partitions, as texts.
fn assignment(view: Option<&ConsumerView>) -> Value {
    let assigned = view.map(|view| view.assigned.as_slice()).unwrap_or_default();
    let mut numbers: Vec<u32> = assigned.iter().map(|one| one.partition).collect();
    numbers.sort_unstable();
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().into()
}

/// A cluster whose consumers begin when the case first opens them.
fn cluster_of(case: &Case, seed: u64, names: &[&str]) -> Result<LogCluster, String> {
    let mut now = Time::ZERO;
    let mut config =
        Config { controllers: Controllers::Dedicated(1), topics: vec![topic_of(case)?], ..Config::default() };
    for (name, value) in case.settings.iter().filter(|(name, _)| name.starts_with("group.consumer.")) {
        config.broker.set(name, &value.to_string())?;
    }
    let mut workload = Workload::default();
    for step in &case.steps {
        if step.op == "consumer.open" && step.name.as_deref() == names.get(workload.consumers.len()).copied() {
            let name = step.name.clone().unwrap_or_default();
            let processing = Duration::Constant(Nanos(0));
            workload.consumers.push(ConsumerSpec { name, processing, start: now, by_hand: false });
            config.consumers.push(client_of(step)?);
        }
        now += takes(step);
    }
    seeded(seed, case, &workload, &config)
}
