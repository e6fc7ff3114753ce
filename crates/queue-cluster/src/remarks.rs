//! What the broker accepts, and what somebody who wrote it should know.

use crate::arguments::{KNOWN, Overflow, QueueArguments};
use crate::check::distance;
use crate::config::{Config, MetadataStore, PartitionHandling};
use crate::quorum::NO_PREFETCH;
use crate::routing;
use crate::topology::{Topology, is_predeclared};
use sim::workload::Problem;

impl Config {
    /// What is accepted here as the broker accepts it, and does less or something else than one may think: each with
    /// its place and a sentence.
    #[must_use]
    pub fn remarks(&self) -> Vec<Problem> {
        let mut remarks = Vec::new();
        let mut say = |path: String, message: String| remarks.push(Problem { path, message });
        let topology = Topology::of(self);
        for (place, queue) in self.queues.iter().enumerate() {
            let path = format!("queues[{place}]");
            for name in queue.arguments.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
                let nearest = KNOWN.iter().min_by_key(|known| distance(known, name)).copied().unwrap_or("");
                let message = format!("accepted and ignored: no queue knows this argument; did you mean {nearest}?");
                say(format!("{path}.arguments.{name}"), message);
            }
            let all = self.arguments_of(&queue.name, &queue.arguments);
            if let Ok(arguments) = QueueArguments::read(&all, self.rules, &self.server) {
                self.of_dead_letters(&path, &queue.name, &arguments, &topology, &mut say);
            }
            if !self.is_fed(&queue.name, &topology) {
                let message = "nothing routes to it: no binding, no publisher and no dead letters use its name";
                say(path, message.into());
            }
        }
        self.of_consumers(&mut say);
        if self.server.partition_handling != PartitionHandling::Ignore
            && self.server.metadata_store == MetadataStore::Khepri
        {
            // R-N3.
            let message = "without effect: with Khepri the majority decides, whatever the strategy";
            say("config.cluster_partition_handling".into(), message.into());
        }
        remarks
    }

    fn of_dead_letters(
        &self,
        path: &str,
        name: &str,
        arguments: &QueueArguments,
        topology: &Topology,
        say: &mut impl FnMut(String, String),
    ) {
        let Some(exchange) = &arguments.dead_letter_exchange else { return };
        let place = format!("{path}.arguments.x-dead-letter-exchange");
        let key = arguments.dead_letter_routing_key.as_deref().unwrap_or(name);
        match routing::route_by(topology, exchange, key, None) {
            // R-T4.
            None => say(place, format!("no exchange is named {exchange}: dead letters are dropped without a word")),
            Some(targets) => {
                let own = topology.names.get(name);
                if own.is_some_and(|own| targets.contains(own)) {
                    // R-T6.
                    let message = "dead letters come back to this queue: those that expired or were too many are \
                        dropped as a cycle, rejected ones go round for ever";
                    say(place, message.into());
                }
            }
        }
        if arguments.at_least_once && arguments.overflow != Overflow::RejectPublish {
            // R-U8.
            let message = "at-least-once needs x-overflow=reject-publish: dead letters go at most once";
            say(format!("{path}.arguments.x-dead-letter-strategy"), message.into());
        }
    }

    /// Whether anything can get into a queue.
    fn is_fed(&self, name: &str, topology: &Topology) -> bool {
        let bound = self.bindings.iter().any(|binding| !binding.to_exchange && binding.destination == name);
        let published = self.publishers.iter().any(|p| p.exchange.is_empty() && p.routing_key == name);
        let keyed = self.publishers.iter().any(|p| p.exchange.is_empty() && p.routing_key.contains('{'));
        let scripted = !self.script.is_empty() || !self.connections.is_empty();
        let dead = topology.queues.values().any(|record| {
            record.arguments.dead_letter_exchange.as_deref() == Some("")
                && record.arguments.dead_letter_routing_key.as_deref().is_none_or(|key| key == name)
        });
        bound || published || keyed || scripted || dead
    }

    fn of_consumers(&self, say: &mut impl FnMut(String, String)) {
        for (place, consumer) in self.consumers.iter().enumerate() {
            let queue = self.queues.iter().find(|queue| queue.name == consumer.queue);
            let kind = queue.and_then(|queue| queue.arguments.get("x-queue-type")).and_then(|value| value.as_text());
            if kind == Some("quorum") && consumer.prefetch_count == 0 && !consumer.no_ack {
                // R-P2.
                let message = format!("unlimited counts as {NO_PREFETCH} on a quorum queue");
                say(format!("consumers[{place}].prefetch_count"), message);
            }
            if consumer.no_ack && consumer.prefetch_count > 0 {
                // R-P1.
                let message = "without acknowledgements there is nothing to count: the window has no effect";
                say(format!("consumers[{place}].prefetch_count"), message.into());
            }
        }
        for (place, exchange) in self.exchanges.iter().enumerate() {
            let unused = !self.bindings.iter().any(|binding| binding.source == exchange.name)
                && !exchange.arguments.contains_key("alternate-exchange")
                && !is_predeclared(&exchange.name);
            if unused {
                // R-X7.
                let message = "nothing is bound to it: what is published to it is dropped, and confirmed all the same";
                say(format!("exchanges[{place}]"), message.into());
            }
        }
    }
}
