//! Which queues a message goes to (R-X1 to R-X6).

use crate::config::ExchangeKind;
use crate::consistent_hash;
use crate::desk::QueueId;
use crate::few::Few;
use crate::headers;
use crate::message::{Message, keys_in};
use crate::topic;
use crate::topology::{Binding, Destination, Exchange, Topology};
use crate::value::{Table, Value};
use std::collections::BTreeSet;

/// The queues that a message published to its exchange goes to, each once, in the order of their ids.
/// `None` if there is no such exchange.
pub fn route(topology: &Topology, message: &Message) -> Option<Few<QueueId>> {
    let headers = message.headers();
    let selects = headers.is_some_and(|headers| headers.contains_key("CC") || headers.contains_key("BCC"));
    if !selects {
        // R-X1: the way of most messages.
        if message.exchange.is_empty()
            && let Some(queue) = topology.names.get(&message.routing_key)
        {
            return Some(Few::one(*queue));
        }
        return route_by(topology, &message.exchange, &message.routing_key, headers).map(Few::from);
    }
    // R-X8: the sender selected further keys.
    let unseen = headers.map(|headers| keys_in(headers, "BCC")).unwrap_or_default();
    let mut queues = BTreeSet::new();
    for key in message.routing_keys().into_iter().chain(unseen) {
        queues.extend(route_by(topology, &message.exchange, &key, headers)?);
    }
    Some(Few::from(queues.into_iter().collect::<Vec<_>>()))
}

/// As [`route`], by exchange and key.
pub fn route_by(topology: &Topology, exchange: &str, key: &str, headers: Option<&Table>) -> Option<Vec<QueueId>> {
    // R-X1: the default exchange knows every queue by its name.
    if exchange.is_empty() {
        return Some(topology.names.get(key).copied().into_iter().collect());
    }
    let (first, _) = topology.exchanges.get_key_value(exchange)?;
    let mut queues = BTreeSet::new();
    // R-X6: breadth first, and every exchange once.
    let mut seen = BTreeSet::from([first.clone()]);
    let mut next = vec![first.clone()];
    while !next.is_empty() {
        let mut found = Vec::new();
        for name in &next {
            let Some(exchange) = topology.exchanges.get(name) else { continue };
            let before = (queues.len(), found.len());
            let mut any = false;
            for binding in matching(exchange, key, headers) {
                any = true;
                match &binding.destination {
                    Destination::Queue(queue) => {
                        queues.insert(*queue);
                    }
                    Destination::Exchange(name) => found.push(name.clone()),
                }
            }
            // R-X6: the alternate exchange takes what this exchange itself sends nowhere.
            if !any
                && before == (queues.len(), found.len())
                && let Some(alternate) = exchange.alternate()
            {
                found.push(alternate.into());
            }
        }
        next = found.into_iter().filter(|name| seen.insert(name.clone())).collect();
    }
    Some(queues.into_iter().collect())
}

fn matching<'a>(exchange: &'a Exchange, key: &str, headers: Option<&Table>) -> Vec<&'a Binding> {
    let all = exchange.bindings.iter();
    match exchange.kind {
        // R-X2: equality; no look at the key at all.
        ExchangeKind::Direct => all.filter(|binding| &*binding.key == key).collect(),
        ExchangeKind::Fanout => all.collect(),
        ExchangeKind::Topic => all.filter(|binding| topic::matches(&binding.key, key)).collect(),
        ExchangeKind::Headers => {
            let none = Table::new();
            let headers = headers.unwrap_or(&none);
            all.filter(|binding| headers::matches(&binding.arguments, headers)).collect()
        }
        ExchangeKind::ConsistentHash => by_hash(exchange, key, headers).into_iter().collect(),
    }
}

/// R-X5: each binding has as many buckets as its key says, in the order of the bindings.
fn by_hash<'a>(exchange: &'a Exchange, key: &str, headers: Option<&Table>) -> Option<&'a Binding> {
    let weight = |binding: &Binding| binding.key.parse::<u32>().unwrap_or(0);
    let total: u32 = exchange.bindings.iter().map(weight).sum();
    let named = exchange.arguments.get("hash-header").and_then(Value::as_text);
    let hashed = match named {
        Some(header) => headers.and_then(|headers| headers.get(header)).and_then(Value::as_text).unwrap_or(""),
        None => key,
    };
    let bucket = consistent_hash::jump(consistent_hash::phash2(hashed.as_bytes()), total);
    let mut end = 0;
    exchange.bindings.iter().find(|binding| {
        end += weight(binding);
        bucket < end
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, QueueSpec, Rules};

    fn house() -> Topology {
        let mut config = Config::of(Rules::V4_2);
        let queue = |name: &str| QueueSpec { name: name.into(), durable: true, arguments: Table::new(), node: None };
        config.queues = ["a", "b", "lost"].map(queue).to_vec();
        let mut topology = Topology::of(&config);
        topology.declare_exchange(
            "d",
            ExchangeKind::Direct,
            true,
            false,
            Table::from([("alternate-exchange".into(), "f".into())]),
        );
        topology.declare_exchange("f", ExchangeKind::Fanout, true, false, Table::new());
        topology.bind("d", Destination::Queue(QueueId(0)), "k", Table::new());
        topology.bind("f", Destination::Queue(QueueId(2)), "", Table::new());
        topology
    }

    fn queues(topology: &Topology, exchange: &str, key: &str) -> Vec<u32> {
        route_by(topology, exchange, key, None).unwrap_or_default().into_iter().map(|queue| queue.0).collect()
    }

    #[test]
    fn r_x1_the_default_exchange_knows_queues_by_name() {
        assert_eq!(queues(&house(), "", "b"), [1]);
        assert!(queues(&house(), "", "none").is_empty());
        assert!(route_by(&house(), "missing", "b", None).is_none());
    }

    #[test]
    fn r_x2_two_bindings_to_one_queue_make_one_copy() {
        let mut topology = house();
        topology.bind("f", Destination::Queue(QueueId(2)), "again", Table::new());
        assert_eq!(queues(&topology, "f", "whatever"), [2]);
    }

    #[test]
    fn r_x6_alternates_and_circles_of_exchanges() {
        let mut topology = house();
        assert_eq!(queues(&topology, "d", "k"), [0]);
        assert_eq!(queues(&topology, "d", "other"), [2]);
        topology.bind("f", Destination::Exchange("d".into()), "", Table::new());
        assert_eq!(queues(&topology, "d", "other"), [2]);
        assert_eq!(queues(&topology, "f", "k"), [0, 2]);
    }
}
