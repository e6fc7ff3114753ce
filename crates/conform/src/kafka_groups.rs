//! Cases of a group's life, recorded on a Kafka cluster: members come, close, are killed and come back, by either
//! protocol, as static members or not.

use crate::Disagreement;
use crate::kafka_steps::{Case, Step, client_of, seeded, topic_of};
use log_cluster::LogCluster;
use log_cluster::config::{Config, Controllers};
use log_cluster::view::ConsumerView;
use serde_json::Value;
use sim::hand::Hand;
use sim::workload::{ClientOrder, ConsumerSpec, Duration, Workload};
use sim::{Crash, Nanos, NodeId, Time};

/// The operations of such a case.
pub(crate) const OPERATIONS: [&str; 7] =
    ["consumer.open", "consumer.close", "consumer.work", "client.kill", "group.settle", "consumer.state", "wait"];

/// When a case begins: by then the cluster stands.
const BEGIN: Time = Time(5_000_000_000);
/// How long the engine's group gets to settle at most: longer than a session, or a slow poll, and what follows its end.
const SETTLE: Nanos = Nanos::secs(40);
/// How often it is looked at meanwhile.
const STEP: Nanos = Nanos::millis(20);
/// How much its times may differ from those recorded: members learn of a rebalance from their signs of life, which
/// come every 0.5 or 1 s.
const TOLERANCE_MS: u64 = 1_200;
/// How long it takes until a client that closed or was killed is gone, and another one has started.
const CHANGE: Nanos = Nanos::millis(500);
/// Members of consumer groups have ids drawn by lot, and the coordinator's assignor looks at members in the order of
/// their hashes: with one of these seeds it comes out as recorded.
const SEEDS: u64 = 8;

fn takes(step: &Step) -> Nanos {
    match step.op.as_str() {
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
            members.push(Member { name, client: None, node: node.id });
        }
    }
    cluster.world_mut().run_until(BEGIN);
    let mut busy: Vec<(Time, u16)> = Vec::new();
    for (index, step) in case.steps.iter().enumerate() {
        let place = members.iter().position(|member| Some(member.name) == step.name.as_deref());
        let named = place.map(|place| &mut members[place]);
        match (step.op.as_str(), named) {
            ("consumer.open", Some(member)) => {
                member.client = step.client.as_deref();
                cluster.world_mut().start(member.node);
            }
            ("consumer.close", Some(member)) => cluster.world_mut().stop(member.node),
            ("consumer.work", Some(_)) => {
                let consumer = place.unwrap_or_default() as u16;
                cluster.order(&ClientOrder::Hand { consumer, hand: Hand::Take })?;
                busy.push((cluster.world().now() + Nanos::millis(step.ms.unwrap_or(0)), consumer));
            }
            ("client.kill", _) => {
                for member in members.iter().filter(|member| member.client == step.client.as_deref()) {
                    cluster.world_mut().crash(member.node, Crash::Kill);
                }
            }
            _ => {}
        }
        let now = cluster.world().now();
        let wrong = match step.op.as_str() {
            "group.settle" => {
                let took = settle(step, &mut cluster, &mut busy)?;
                settled(step, &cluster).or_else(|| in_time(step, took))
            }
            op => {
                pass_to(now + takes(step), &mut cluster, &mut busy)?;
                if op == "consumer.state" { state(step, &cluster) } else { None }
            }
        };
        if let Some(wrong) = wrong {
            let step = format!("step {}{}", index + 1, wrong.step);
            return Ok(Some(Disagreement { step, ..wrong }));
        }
    }
    Ok(None)
}

/// Lets time pass; applications that were busy poll again when they are done.
fn pass_to(at: Time, cluster: &mut LogCluster, busy: &mut Vec<(Time, u16)>) -> Result<(), String> {
    while let Some(place) = busy.iter().position(|(done, _)| *done <= at) {
        let (done, consumer) = busy.remove(place);
        cluster.world_mut().run_until(done);
        cluster.order(&ClientOrder::Hand { consumer, hand: Hand::LetGo })?;
    }
    cluster.world_mut().run_until(at);
    Ok(())
}

/// The recorder's own way to wait: until each partition is one member's and nothing has changed for a while. Answers
/// how long it took up to the last change.
fn settle(step: &Step, cluster: &mut LogCluster, busy: &mut Vec<(Time, u16)>) -> Result<Nanos, String> {
    let began = cluster.world().now();
    let shares = |cluster: &LogCluster| -> Vec<Value> {
        let views = cluster.view().consumers;
        step.members.iter().map(|name| assignment(consumer(cluster, &views, name))).collect()
    };
    let (mut last, mut changed) = (shares(cluster), began);
    while cluster.world().now() < began + SETTLE {
        let now = cluster.world().now() + STEP;
        pass_to(now, cluster, busy)?;
        let came = shares(cluster);
        if came != last {
            (last, changed) = (came, now);
        }
        let mut all: Vec<&str> = last.iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        let whole = count == step.partitions && all.len() == count;
        if whole && now.since(changed) > Nanos::millis(step.rest_ms) {
            break;
        }
    }
    Ok(changed.since(began))
}

/// Whether that took as long as recorded.
fn in_time(step: &Step, took: Nanos) -> Option<Disagreement> {
    let took = took.0 / 1_000_000;
    let (least, most) = (step.took_ms.iter().min().copied()?, step.took_ms.iter().max().copied()?);
    let within = took + TOLERANCE_MS >= least && took <= most + TOLERANCE_MS;
    (!within).then(|| Disagreement {
        step: ": how long it took".to_owned(),
        expected: format!("{least} to {most} ms, give or take {TOLERANCE_MS}"),
        came: format!("{took} ms"),
    })
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

/// A cluster whose consumers begin when the case opens them.
fn cluster_of(case: &Case, seed: u64, names: &[&str]) -> Result<LogCluster, String> {
    let mut config = Config {
        controllers: Controllers::Dedicated(1),
        topics: vec![topic_of(case)?],
        late: (0, names.len()),
        ..Config::default()
    };
    for (name, value) in case.settings.iter().filter(|(name, _)| name.starts_with("group.consumer.")) {
        config.broker.set(name, &value.to_string())?;
    }
    let mut workload = Workload::default();
    for name in names {
        let processing = Duration::Constant(Nanos(0));
        workload.consumers.push(ConsumerSpec {
            name: (*name).to_owned(),
            processing,
            start: Time::ZERO,
            by_hand: false,
        });
        let opened = |step: &&Step| step.op == "consumer.open" && step.name.as_deref() == Some(*name);
        let step = case.steps.iter().find(opened).ok_or_else(|| format!("{}: {name} is never opened", case.name))?;
        config.consumers.push(client_of(step)?);
    }
    seeded(seed, case, &workload, &config)
}
