//! The queue cluster's part of a document.

use crate::compile::{Checker, bounds};
use crate::document::{
    BindingPart, ExchangePart, PolicyPart, PublisherPart, QueueConsumerPart, QueueDeclaration, QueuePart, Settings,
};
use crate::queue_settings;
use crate::read::suggest;
use queue_cluster::{
    ApplyTo, BindingSpec, Config, ConsumerSettings, ExchangeKind, ExchangeSpec, Operation, Pattern, Policy,
    PublisherSettings, QueueSpec, Rules, Table,
};
use serde_json::Value;

const KINDS: [&str; 5] = ["direct", "fanout", "topic", "headers", "x-consistent-hash"];

fn table(path: &str, settings: &Settings, check: &mut Checker) -> Table {
    let mut table = Table::new();
    for (name, value) in settings {
        match serde_json::from_value::<queue_cluster::Value>(value.clone()) {
            Ok(value) => drop(table.insert(name.clone(), value)),
            Err(_) => check.refuse(format!("{path}.{name}"), format!("{value} cannot be a value of an AMQP table")),
        }
    }
    table
}

fn exchange(index: usize, part: &ExchangePart, check: &mut Checker) -> Option<ExchangeSpec> {
    let path = format!("queue.exchanges[{index}]");
    let arguments = table(&format!("{path}.arguments"), &part.arguments, check);
    let Some(kind) = ExchangeKind::named(&part.kind) else {
        // 503 COMMAND_INVALID is what the broker closes the connection with.
        let message = format!("503 COMMAND_INVALID: unknown exchange type `{}`", part.kind);
        check.refuse(format!("{path}.type"), suggest(message, &part.kind, KINDS));
        return None;
    };
    Some(ExchangeSpec { name: part.name.clone(), kind, durable: part.durable, arguments })
}

fn declaration(index: usize, part: &QueueDeclaration, nodes: u16, check: &mut Checker) -> QueueSpec {
    let path = format!("queue.queues[{index}]");
    if part.name.is_empty() || part.name.len() > bounds::NAME {
        check.refuse(format!("{path}.name"), "a queue's name has 1 to 255 bytes");
    }
    QueueSpec {
        name: part.name.clone(),
        durable: part.durable,
        arguments: table(&format!("{path}.arguments"), &part.arguments, check),
        node: node(&path, part.node, nodes, check),
    }
}

/// A node's number, counted from 1 in documents and from 0 in the engine.
fn node(path: &str, number: Option<u16>, nodes: u16, check: &mut Checker) -> Option<u16> {
    let number = number?;
    check.within(&format!("{path}.node"), "as a node's number", number.into(), 1, nodes.into()).then(|| number - 1)
}

fn binding(index: usize, part: &BindingPart, check: &mut Checker) -> BindingSpec {
    let path = format!("queue.bindings[{index}]");
    let kinds = ["queue", "exchange"];
    if !kinds.contains(&part.destination_type.as_str()) {
        let message = format!("expected `queue` or `exchange`, found `{}`", part.destination_type);
        check.refuse(format!("{path}.destination_type"), suggest(message, &part.destination_type, kinds));
    }
    BindingSpec {
        source: part.source.clone(),
        destination: part.destination.clone(),
        to_exchange: part.destination_type == "exchange",
        routing_key: part.routing_key.clone(),
        arguments: table(&format!("{path}.arguments"), &part.arguments, check),
    }
}

pub(crate) fn policy(path: &str, part: &PolicyPart, check: &mut Checker) -> Option<Policy> {
    let kinds = ["all", "queues", "classic_queues", "quorum_queues", "streams"];
    let apply_to = match part.apply_to.as_str() {
        "all" | "queues" => ApplyTo::Queues,
        "classic_queues" => ApplyTo::ClassicQueues,
        "quorum_queues" => ApplyTo::QuorumQueues,
        "streams" => ApplyTo::Streams,
        other => {
            let message = format!("expected one of {}, found `{other}`", kinds.join(", "));
            check.refuse(format!("{path}.apply-to"), suggest(message, other, kinds));
            return None;
        }
    };
    if part.pattern.len() > bounds::NAME {
        check.refuse(format!("{path}.pattern"), "a pattern has at most 255 bytes");
        return None;
    }
    match Pattern::parse(&part.pattern) {
        Ok(pattern) => Some(Policy {
            name: part.name.clone(),
            pattern,
            apply_to,
            definition: table(&format!("{path}.definition"), &part.definition, check),
            priority: part.priority,
        }),
        Err(message) => {
            check.refuse(format!("{path}.pattern"), message);
            None
        }
    }
}

fn publisher(path: &str, part: &PublisherPart, first: &str, nodes: u16, check: &mut Checker) -> PublisherSettings {
    let usual = PublisherSettings::default();
    PublisherSettings {
        node: node(path, part.node, nodes, check),
        exchange: part.exchange.clone().unwrap_or_default(),
        routing_key: part.routing_key.clone().unwrap_or_else(|| first.to_owned()),
        confirms: part.confirms.unwrap_or(usual.confirms),
        max_unconfirmed: part.max_unconfirmed.unwrap_or(usual.max_unconfirmed),
        mandatory: part.mandatory.unwrap_or(usual.mandatory),
        persistent: part.persistent.unwrap_or(usual.persistent),
        priority: part.priority,
        expiration: part.expiration.map(|span| span.0.0 / 1_000_000),
        resend_unconfirmed: part.resend_unconfirmed.unwrap_or(usual.resend_unconfirmed),
        retry_refused: part.retry_refused.map(|span| span.0),
    }
}

fn consumer(path: &str, part: &QueueConsumerPart, first: &str, nodes: u16, check: &mut Checker) -> ConsumerSettings {
    let usual = ConsumerSettings::default();
    ConsumerSettings {
        node: node(path, part.node, nodes, check),
        queue: part.queue.clone().unwrap_or_else(|| first.to_owned()),
        prefetch_count: part.prefetch_count.unwrap_or(usual.prefetch_count),
        no_ack: part.no_ack.unwrap_or(usual.no_ack),
        exclusive: part.exclusive.unwrap_or(usual.exclusive),
        priority: part.priority.unwrap_or(usual.priority),
        ack_every: part.ack_every.unwrap_or(usual.ack_every),
        reject_every: part.reject_every.unwrap_or(usual.reject_every),
        requeue: part.requeue.unwrap_or(usual.requeue),
        stream_offset: part.stream_offset.clone(),
        ..usual
    }
}

/// The version whose rules hold.
pub(crate) fn rules(text: &str) -> Option<Rules> {
    match text {
        "4.2" => Some(Rules::V4_2),
        "3.10" => Some(Rules::V3_10),
        _ => None,
    }
}

/// Makes the engine's settings of the part.
pub(crate) fn config(part: &QueuePart, producers: &[&str], consumers: &[&str], check: &mut Checker) -> Config {
    let rules = rules(&part.rules).unwrap_or_else(|| {
        check.refuse("queue.rules", format!("expected `4.2` or `3.10`, found `{}`", part.rules));
        Rules::V4_2
    });
    let mut config = Config::of(rules);
    check.within("queue.nodes", "nodes", part.nodes.into(), 1, bounds::NODES.into());
    check.within("queue.queues", "queues", part.queues.len() as u64, 0, bounds::QUEUES as u64);
    check.within("queue.exchanges", "exchanges", part.exchanges.len() as u64, 0, bounds::BINDINGS as u64);
    check.within("queue.bindings", "bindings", part.bindings.len() as u64, 0, bounds::BINDINGS as u64);
    check.within("queue.script", "steps", part.script.len() as u64, 0, bounds::STEPS as u64);
    config.nodes = part.nodes;
    config.exchanges = part.exchanges.iter().enumerate().filter_map(|(i, e)| exchange(i, e, check)).collect();
    config.queues = part.queues.iter().enumerate().map(|(i, q)| declaration(i, q, part.nodes, check)).collect();
    config.bindings = part.bindings.iter().enumerate().map(|(i, b)| binding(i, b, check)).collect();
    check.within("queue.policies", "policies", part.policies.len() as u64, 0, bounds::BINDINGS as u64);
    let policies = part.policies.iter().enumerate();
    let read = |(i, part)| policy(&format!("queue.policies[{i}]"), part, check);
    config.policies = policies.filter_map(read).collect();
    for name in
        part.clients.keys().filter(|name| !producers.contains(&name.as_str()) && !consumers.contains(&name.as_str()))
    {
        let known = producers.iter().chain(consumers).copied();
        check.refuse(format!("queue.clients.{name}"), suggest(format!("there is no client `{name}`"), name, known));
    }
    let first = part.queues.first().map_or("", |queue| queue.name.as_str());
    for name in producers {
        let own = part.clients.get(*name).and_then(|client| client.publisher.as_ref());
        let path = if own.is_some() { format!("queue.clients.{name}.publisher") } else { "queue.publisher".to_owned() };
        let settings = publisher(&path, own.unwrap_or(&part.publisher), first, part.nodes, check);
        config.publishers.push(settings);
    }
    let known: Vec<&str> = part.queues.iter().map(|queue| queue.name.as_str()).collect();
    for name in consumers {
        let own = part.clients.get(*name).and_then(|client| client.consumer.as_ref());
        let path = if own.is_some() { format!("queue.clients.{name}.consumer") } else { "queue.consumer".to_owned() };
        let settings = consumer(&path, own.unwrap_or(&part.consumer), first, part.nodes, check);
        if !known.contains(&settings.queue.as_str()) {
            let message = format!("404 NOT_FOUND: there is no queue `{}`", settings.queue);
            check.refuse(format!("{path}.queue"), suggest(message, &settings.queue, known.iter().copied()));
        }
        config.consumers.push(settings);
    }
    queue_settings::settings(part, &mut config, check);
    for (index, step) in part.script.iter().enumerate() {
        let value = Value::Object(step.operation.clone().into_iter().collect());
        match serde_json::from_value::<Operation>(value) {
            Ok(operation) => config.script.push((step.at.time(), operation)),
            Err(error) => check.refuse(format!("queue.script[{index}]"), error.to_string()),
        }
    }
    config
}
