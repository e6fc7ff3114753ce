//! The log cluster's part of a document.

use crate::compile::{Checker, bounds};
use crate::document::{ForwardPart, LogPart, Settings, SharePart, TopicPart, TransactionsPart};
use crate::read::suggest;
use log_cluster::Config;
use log_cluster::config::{
    ConsumerClient, ConsumerConfig, Controllers, Forwarding, ProducerClient, ProducerConfig, ShareConfig, SharePlan,
    TopicSpec, TransactionPlan,
};
use serde_json::Value;
use sim::Nanos;

/// A setting's value as one writes it in a properties file.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn apply(path: &str, settings: &Settings, check: &mut Checker, mut set: impl FnMut(&str, &str) -> Result<(), String>) {
    for (name, value) in settings {
        let path = format!("{path}.{name}");
        match text(value) {
            None => check.refuse(path, format!("expected a text, a number or true or false, found {value}")),
            Some(text) => {
                if let Err(message) = set(name, &text) {
                    check.refuse(path, message);
                }
            }
        }
    }
}

fn topic(index: usize, part: &TopicPart, brokers: u16, check: &mut Checker) -> TopicSpec {
    let path = format!("log.topics[{index}]");
    check.within(&format!("{path}.partitions"), "partitions", part.partitions.into(), 1, bounds::PARTITIONS.into());
    if part.name.is_empty() || part.name.len() > 249 {
        check.refuse(format!("{path}.name"), "a topic's name has 1 to 249 characters");
    }
    let mut spec = TopicSpec::new(&part.name, part.partitions, part.replication_factor);
    check.within(&format!("{path}.room"), "partitions", part.room.into(), 0, bounds::PARTITIONS.into());
    spec.room = part.room;
    for (partition, replicas) in part.replicas.iter().enumerate() {
        for broker in replicas {
            let path = format!("{path}.replicas[{partition}]");
            check.within(&path, "as a broker's number", (*broker).into(), 1, brokers.into());
        }
    }
    spec.replica_assignment.clone_from(&part.replicas);
    apply(&format!("{path}.config"), &part.config, check, |name, value| spec.config.set(name, value));
    spec
}

/// How an application uses transactions.
fn transactions(path: &str, part: &TransactionsPart, check: &mut Checker) -> TransactionPlan {
    let or = TransactionPlan::default();
    let every = part.every.map_or(or.every, |span| Some(span.0).filter(|every| *every > Nanos::ZERO));
    let plan = TransactionPlan {
        records: part.records.unwrap_or(or.records),
        every,
        abort_every: part.abort_every.unwrap_or(or.abort_every),
        hang_at: part.hang_at.unwrap_or(or.hang_at),
        hang_for: part.hang_for.map(|span| span.0),
    };
    let most = bounds::TRANSACTION_RECORDS.into();
    check.within(&format!("{path}.records"), "records in a transaction", plan.records.into(), 0, most);
    plan
}

fn share_plan(part: &SharePart) -> SharePlan {
    let (release_every, reject_every, forget_every) = (part.release_every, part.reject_every, part.forget_every);
    SharePlan { release_every, reject_every, forget_every, renew: part.renew, by_hand: false }
}

fn forwarding(part: &ForwardPart) -> Forwarding {
    let timeout = part.timeout.map_or(60_000, |span| span.0.0 / 1_000_000);
    Forwarding {
        topic: part.topic.clone(),
        transactional_id: part.transactional_id.clone(),
        transaction_timeout_ms: i64::try_from(timeout).unwrap_or(i64::MAX),
    }
}

/// Makes the engine's settings of the part.
pub(crate) fn config(part: &LogPart, producers: &[&str], consumers: &[&str], check: &mut Checker) -> Config {
    let mut config = Config::default();
    check.within("log.brokers", "brokers", part.brokers.into(), 1, bounds::NODES.into());
    config.brokers = part.brokers;
    check.within("log.spare", "spare brokers", part.spare.into(), 0, u64::from(part.brokers.max(1)) - 1);
    config.spare = part.spare;
    if part.racks.len() > usize::from(part.brokers) {
        let message = format!("names racks of {} brokers, and there are {}", part.racks.len(), part.brokers);
        check.refuse("log.racks", message);
    }
    if part.racks.iter().any(|rack| rack.len() > 64) {
        check.refuse("log.racks", "a rack's name has at most 64 bytes");
    }
    config.racks.clone_from(&part.racks);
    config.controllers = match part.controllers {
        0 => Controllers::Combined(if part.brokers >= 3 { 3 } else { 1 }),
        count => Controllers::Dedicated(count),
    };
    let partitions: u64 = part.topics.iter().map(|topic| u64::from(topic.partitions.max(topic.room))).sum();
    check.within("log.topics", "partitions in all topics", partitions, 0, bounds::PARTITIONS.into());
    if partitions <= u64::from(bounds::PARTITIONS) {
        config.topics = part.topics.iter().enumerate().map(|(i, t)| topic(i, t, part.brokers, check)).collect();
    }
    apply("log.broker", &part.broker, check, |name, value| {
        let share = ShareConfig::NAMES.contains(&name);
        if share { config.share.set(name, value) } else { config.broker.set(name, value) }
    });
    for (group, settings) in &part.groups {
        let own = config.groups.entry(group.clone()).or_default();
        apply(&format!("log.groups.{group}"), settings, check, |name, value| own.set(name, value));
    }
    let mut producer = ProducerConfig::default();
    apply("log.producer", &part.producer, check, |name, value| producer.set(name, value));
    let mut consumer = ConsumerConfig::default();
    apply("log.consumer", &part.consumer, check, |name, value| consumer.set(name, value));
    for name in
        part.clients.keys().filter(|name| !producers.contains(&name.as_str()) && !consumers.contains(&name.as_str()))
    {
        let known = producers.iter().chain(consumers).copied();
        check.refuse(format!("log.clients.{name}"), suggest(format!("there is no client `{name}`"), name, known));
    }
    let topics: Vec<String> = part.topics.iter().map(|topic| topic.name.clone()).collect();
    config.producers = producers
        .iter()
        .map(|name| {
            let topic = topics.first().cloned().unwrap_or_default();
            let mut client = ProducerClient { topic, config: producer.clone(), ..ProducerClient::default() };
            if let Some(own) = part.clients.get(*name) {
                client.topic = own.topics.first().cloned().unwrap_or(client.topic);
                apply(&format!("log.clients.{name}.config"), &own.config, check, |n, v| client.config.set(n, v));
                if own.forward.is_some() {
                    let path = format!("log.clients.{name}.forward");
                    check.refuse(path, format!("`{name}` is a producer: only consumers forward"));
                }
                if own.share.is_some() {
                    let path = format!("log.clients.{name}.share");
                    check.refuse(path, format!("`{name}` is a producer: only consumers are members of share groups"));
                }
                client.tombstone_every = own.tombstone_every;
                client.clock_ahead = own.clock_ahead.map_or(Nanos::ZERO, |span| span.0);
                let path = format!("log.clients.{name}.transactions");
                if let Some(part) = &own.transactions {
                    client.transactions = transactions(&path, part, check);
                    if client.config.transactional_id.is_none() {
                        check.refuse(path, format!("`{name}` has no transactional.id"));
                    }
                }
            }
            client
        })
        .collect();
    config.consumers = consumers
        .iter()
        .map(|name| {
            let share = part.share.as_ref().map(share_plan);
            let config = consumer.clone();
            let mut client = ConsumerClient { topics: topics.clone(), config, forward: None, share };
            if let Some(own) = part.clients.get(*name) {
                client.share = own.share.as_ref().map(share_plan).or(client.share);
                client.forward = own.forward.as_ref().map(forwarding);
                if own.transactions.is_some() {
                    let path = format!("log.clients.{name}.transactions");
                    check.refuse(path, format!("`{name}` is a consumer: only producers have transactions"));
                }
                if own.tombstone_every > 0 {
                    let path = format!("log.clients.{name}.tombstone_every");
                    check.refuse(path, format!("`{name}` is a consumer: only producers send tombstones"));
                }
                if own.clock_ahead.is_some() {
                    let path = format!("log.clients.{name}.clock_ahead");
                    check.refuse(path, format!("`{name}` is a consumer: only producers stamp records"));
                }
                if !own.topics.is_empty() {
                    client.topics.clone_from(&own.topics);
                }
                apply(&format!("log.clients.{name}.config"), &own.config, check, |n, v| client.config.set(n, v));
            }
            client
        })
        .collect();
    config
}
