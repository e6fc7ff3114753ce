//! The ways that a message can take through exchanges and queues, as plain data.

use crate::QueueCluster;
use crate::arguments::QueueArguments;
use crate::topology::{Destination, QueueRecord, Topology, is_predeclared};
use crate::value::{Table, Value};

/// All ways at one time, by the topology that counts.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Routes {
    /// The exchanges, but the predeclared ones that nothing is bound to, and the default exchange.
    pub exchanges: Vec<ExchangeRoute>,
    /// The bindings, exchange by exchange, in the order in which they were made.
    pub bindings: Vec<BindingRoute>,
    /// Where the queues' dead letters go; only queues that have such a way.
    pub dead_letters: Vec<DeadLetterRoute>,
}

/// An exchange, and where it sends what it has no binding for (R-X6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRoute {
    /// Its name.
    pub name: String,
    /// The broker's name for its kind.
    pub kind: &'static str,
    /// Its `alternate-exchange`.
    pub alternate: Option<String>,
    /// Whether only exchanges may publish to it (R-X9).
    pub internal: bool,
}

/// A binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingRoute {
    /// From this exchange.
    pub source: String,
    /// To this queue or exchange.
    pub destination: String,
    /// Whether the destination is an exchange.
    pub to_exchange: bool,
    /// The key, pattern or weight.
    pub routing_key: String,
    /// Its arguments as `name=value`, one after the other; empty if it has none.
    pub arguments: String,
}

/// Where a queue's dead letters go (R-T4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterRoute {
    /// The queue.
    pub queue: String,
    /// The exchange; empty is the default exchange.
    pub exchange: String,
    /// The key that they get; `None` keeps their own.
    pub routing_key: Option<String>,
    /// Whether they are kept until their targets have confirmed them (R-U8).
    pub at_least_once: bool,
}

fn value_words(value: &Value) -> String {
    match value {
        Value::Void => "any".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text.to_string(),
        Value::List(values) => values.iter().map(value_words).collect::<Vec<_>>().join(", "),
        Value::Table(table) => words_of(table),
    }
}

/// A table in words: `name=value`, one after the other.
fn words_of(table: &Table) -> String {
    let word = |(name, value): (&String, &Value)| format!("{name}={}", value_words(value));
    table.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn dead_letters(record: &QueueRecord) -> Option<DeadLetterRoute> {
    let arguments: &QueueArguments = &record.arguments;
    Some(DeadLetterRoute {
        queue: record.name.to_string(),
        exchange: arguments.dead_letter_exchange.as_ref()?.to_string(),
        routing_key: arguments.dead_letter_routing_key.as_ref().map(ToString::to_string),
        at_least_once: arguments.carries_dead_letters(),
    })
}

fn bindings<'a>(topology: &'a Topology, name: &'a str) -> impl Iterator<Item = BindingRoute> + 'a {
    let all = topology.exchanges.get(name).into_iter().flat_map(|exchange| &exchange.bindings);
    all.filter_map(move |binding| {
        let (destination, to_exchange) = match &binding.destination {
            Destination::Exchange(other) => (other.to_string(), true),
            Destination::Queue(queue) => (topology.queues.get(queue)?.name.to_string(), false),
        };
        let (routing_key, arguments) = (binding.key.to_string(), words_of(&binding.arguments));
        Some(BindingRoute { source: name.to_owned(), destination, to_exchange, routing_key, arguments })
    })
}

impl QueueCluster {
    /// The ways that a message can take now.
    #[must_use]
    pub fn routes(&self) -> Routes {
        let Some(topology) = self.topology() else { return Routes::default() };
        let is_used = |name: &str| {
            !is_predeclared(name) || topology.exchanges.get(name).is_some_and(|exchange| !exchange.bindings.is_empty())
        };
        let used = || topology.exchanges.iter().filter(|(name, _)| !name.is_empty() && is_used(name));
        let exchanges = used().map(|(name, exchange)| ExchangeRoute {
            name: name.to_string(),
            kind: exchange.kind.name(),
            alternate: exchange.alternate().map(str::to_owned),
            internal: exchange.internal,
        });
        Routes {
            exchanges: exchanges.collect(),
            bindings: used().flat_map(|(name, _)| bindings(topology, name)).collect(),
            dead_letters: topology.queues.values().filter_map(dead_letters).collect(),
        }
    }
}
