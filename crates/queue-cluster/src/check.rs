//! What is refused in a config, with the broker's reasons.

use crate::arguments::QueueArguments;
use crate::config::{Config, QueueSpec};
use crate::topology;
use crate::view::QueueKind;
use sim::workload::Problem;

impl Config {
    /// Checks the settings as the broker would.
    ///
    /// # Errors
    /// Every setting that is refused, with the broker's reason.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        let mut refuse = |path: String, message: String| problems.push(Problem { path, message });
        if self.nodes == 0 {
            refuse("nodes".into(), "a cluster has at least one node".into());
        }
        for (place, queue) in self.queues.iter().enumerate() {
            let path = format!("queues[{place}]");
            if self.queues[..place].iter().any(|other| other.name == queue.name) {
                refuse(format!("{path}.name"), format!("{} is declared twice", queue.name));
            }
            self.check_queue(&path, queue, &mut refuse);
        }
        let is_exchange = |name: &str| {
            name.is_empty()
                || topology::is_predeclared(name)
                || self.exchanges.iter().any(|exchange| exchange.name == name)
        };
        let is_queue = |name: &str| self.queues.iter().any(|queue| queue.name == name);
        for (place, binding) in self.bindings.iter().enumerate() {
            let path = format!("bindings[{place}]");
            if binding.source.is_empty() {
                refuse(format!("{path}.source"), "the default exchange cannot be bound (403 ACCESS_REFUSED)".into());
            } else if !is_exchange(&binding.source) {
                refuse(format!("{path}.source"), format!("no exchange is named {} (404 NOT_FOUND)", binding.source));
            }
            let known =
                if binding.to_exchange { is_exchange(&binding.destination) } else { is_queue(&binding.destination) };
            if !known {
                refuse(
                    format!("{path}.destination"),
                    format!("nothing is named {} (404 NOT_FOUND)", binding.destination),
                );
            }
        }
        self.check_clients(&is_exchange, &mut refuse);
        self.check_policies(&mut refuse);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn check_clients(&self, is_exchange: &impl Fn(&str) -> bool, refuse: &mut impl FnMut(String, String)) {
        for (place, publisher) in self.publishers.iter().enumerate() {
            if !is_exchange(&publisher.exchange) {
                let message = format!("no exchange is named {}: the channel would be closed, 404", publisher.exchange);
                refuse(format!("publishers[{place}].exchange"), message);
            }
        }
        for (place, consumer) in self.consumers.iter().enumerate() {
            let path = format!("consumers[{place}]");
            match self.queues.iter().find(|queue| queue.name == consumer.queue) {
                None => {
                    refuse(format!("{path}.queue"), format!("no queue is named {} (404 NOT_FOUND)", consumer.queue))
                }
                Some(queue) => {
                    let kind = queue.arguments.get("x-queue-type").and_then(|value| value.as_text());
                    let replicated = matches!(kind, Some("quorum" | "stream"));
                    // R-P2.
                    if consumer.global && replicated {
                        refuse(
                            format!("{path}.global"),
                            "540 NOT_IMPLEMENTED: replicated queues have no shared limit".into(),
                        );
                    }
                    if kind == Some("stream") && consumer.prefetch_count == 0 {
                        refuse(
                            format!("{path}.prefetch_count"),
                            "406: a stream's consumer needs a prefetch count".into(),
                        );
                    }
                    if kind == Some("stream") && consumer.no_ack {
                        refuse(format!("{path}.no_ack"), "540 NOT_IMPLEMENTED: streams need acknowledgements".into());
                    }
                }
            }
        }
    }

    fn check_policies(&self, refuse: &mut impl FnMut(String, String)) {
        for (place, policy) in self.policies.iter().enumerate() {
            if let Err((name, message)) = policy.check(self.rules) {
                refuse(format!("policies[{place}].definition.{name}"), message);
            }
        }
    }

    fn check_queue(&self, path: &str, queue: &QueueSpec, refuse: &mut impl FnMut(String, String)) {
        match QueueArguments::read(&self.arguments_of(&queue.name, &queue.arguments), self.rules, &self.server) {
            Err((name, reason)) => {
                refuse(format!("{path}.arguments.{name}"), format!("406 PRECONDITION_FAILED: {reason}"))
            }
            // R-U7.
            Ok(arguments) if arguments.kind != QueueKind::Classic && !queue.durable => {
                refuse(format!("{path}.durable"), "406 PRECONDITION_FAILED: a replicated queue is durable".into());
            }
            Ok(_) => {}
        }
        if queue.name.is_empty() || queue.name.starts_with("amq.") {
            refuse(format!("{path}.name"), "empty, or with the reserved prefix amq. (403 ACCESS_REFUSED)".into());
        }
        if queue.node.is_some_and(|node| node >= self.nodes) {
            refuse(format!("{path}.node"), format!("there are nodes 0 to {}", self.nodes.saturating_sub(1)));
        }
    }
}

/// How many letters two names differ by.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let cost = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = cost.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
