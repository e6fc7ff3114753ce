//! Declarations: exchanges, queues and bindings, and what is wrong with them (R-Q4, R-Q5).

use crate::Fx;
use crate::arguments::{KNOWN, QueueArguments};
use crate::config::{ExchangeKind, Rules};
use crate::desk::{Ask, ChannelId, ConsumerId, QueueId};
use crate::frame::{Method, WantedExchange};
use crate::metadata::{Change, NewQueue};
use crate::policy::Policy;
use crate::replica::Machine;
use crate::server::Server;
use crate::topology::{self, Destination, Exchange, QueueRecord};
use crate::value::{Table, Value};
use crate::view::QueueKind;
use sim::NodeId;
use sim::story::{MarkKind, Rule};
use std::rc::Rc;

impl Server {
    pub fn declare(&mut self, id: ChannelId, method: Method, fx: &mut Fx<'_>) {
        match method {
            Method::DeclareExchange(wanted) => self.declare_exchange(id, *wanted, fx),
            Method::DeleteExchange { name, if_unused } => {
                if topology::is_predeclared(&name) || name.is_empty() {
                    return self.close_channel(id, 403, "ACCESS_REFUSED - a predeclared exchange", fx);
                }
                let Some(exchange) = self.topology.exchanges.get(&name) else { return };
                if if_unused && !exchange.bindings.is_empty() {
                    return self.close_channel(id, 406, "PRECONDITION_FAILED - exchange in use", fx);
                }
                self.change(Change::DeleteExchange { name }, Some(id), fx);
            }
            Method::DeclareQueue { name, durable, exclusive, auto_delete, passive, arguments } => {
                let wanted = Wanted { name, durable, exclusive, auto_delete, arguments };
                self.declare_queue(id, passive, wanted, fx);
            }
            Method::DeleteQueue { name, if_unused, if_empty } => {
                if self.topology.names.contains_key(&name)
                    && let Some(queue) = self.usable_queue(id, &name, fx)
                {
                    if if_unused || if_empty {
                        // The queue knows.
                        let ask = Ask::Delete { channel: id, if_unused, if_empty };
                        return self.ask(queue, ask, None, fx);
                    }
                    self.delete_queue(queue, Some(id), fx);
                }
            }
            Method::PurgeQueue { name } => {
                if let Some(queue) = self.usable_queue(id, &name, fx) {
                    self.ask(queue, Ask::Purge { channel: id }, Some(id), fx);
                }
            }
            Method::Bind { source, destination, to_exchange, key, arguments } => {
                self.bind(id, &source, &destination, to_exchange, &key, arguments, fx);
            }
            Method::Unbind { source, .. } if source.is_empty() => {
                // R-X1.
                let reason = "ACCESS_REFUSED - operation not permitted on the default exchange";
                self.close_channel(id, 403, reason, fx);
            }
            Method::Unbind { source, destination, to_exchange, key, arguments } => {
                if let Some(destination) = self.topology.destination(&destination, to_exchange) {
                    self.change(Change::Unbind { source, destination, key, arguments }, Some(id), fx);
                }
            }
            // All others are the channel's own.
            _ => {}
        }
    }

    fn declare_exchange(&mut self, id: ChannelId, wanted: WantedExchange, fx: &mut Fx<'_>) {
        let WantedExchange { name, kind, durable, auto_delete, internal, passive, arguments } = wanted;
        if passive {
            if !self.topology.exchanges.contains_key(&name) && !name.is_empty() {
                self.close_channel(id, 404, "NOT_FOUND - no exchange", fx);
            }
            return;
        }
        let Some(kind) = ExchangeKind::named(&kind) else {
            return self.close_connection(id.client, 503, "COMMAND_INVALID - unknown exchange type", fx);
        };
        if name.is_empty() {
            return self.close_channel(id, 403, "ACCESS_REFUSED - operation not permitted on the default exchange", fx);
        }
        if arguments.get("alternate-exchange").is_some_and(|value| value.as_text().is_none()) {
            return self.close_channel(id, 406, "PRECONDITION_FAILED - invalid arg 'alternate-exchange'", fx);
        }
        let exchange = Exchange { kind, durable, auto_delete, internal, arguments, bindings: Vec::new() };
        match self.topology.exchanges.get(&name) {
            // R-Q5: an exchange, too, is declared again only as it is.
            Some(known) if !known.is_like(&exchange) => {
                self.close_channel(id, 406, "PRECONDITION_FAILED - inequivalent arg for exchange", fx);
            }
            Some(_) => {}
            None if name.starts_with("amq.") => self.close_channel(id, 403, "ACCESS_REFUSED - reserved prefix", fx),
            None => self.change(Change::DeclareExchange { name, exchange: Box::new(exchange) }, Some(id), fx),
        }
    }

    fn declare_queue(&mut self, id: ChannelId, passive: bool, wanted: Wanted, fx: &mut Fx<'_>) {
        if let Some(known) = self.topology.names.get(&wanted.name).copied() {
            let Some(record) = self.topology.queues.get(&known).cloned() else { return };
            if self.locked_out(id, &record) {
                return self.close_channel(id, 405, "RESOURCE_LOCKED - cannot obtain exclusive access", fx);
            }
            if !passive && wanted.exclusive && record.owner.is_none() {
                // R-Q4.
                return self.close_channel(id, 405, "RESOURCE_LOCKED - cannot obtain exclusive access", fx);
            }
            if !passive && !wanted.is(&record, id) {
                // R-Q5.
                return self.close_channel(id, 406, "PRECONDITION_FAILED - inequivalent arg for queue", fx);
            }
            if self.usable_queue(id, &wanted.name, fx).is_some() {
                self.ask(known, Ask::Stat { channel: id, passive }, Some(id), fx);
            }
            return;
        }
        if passive {
            return self.close_channel(id, 404, "NOT_FOUND - no queue", fx);
        }
        if wanted.name.starts_with("amq.") {
            return self.close_channel(id, 403, "ACCESS_REFUSED - queue name contains reserved prefix 'amq.*'", fx);
        }
        let all = Policy::with(&self.topology.policies, &wanted.name, &wanted.arguments, self.config.rules);
        let arguments = match QueueArguments::read(&all, self.config.rules, &self.config.server) {
            Ok(arguments) => arguments,
            Err((name, reason)) => {
                let reason = format!("PRECONDITION_FAILED - invalid arg '{name}': {reason}");
                // R-S3: before 4.0 the stream's process fell over an age that it could not read (recorded).
                if name == "x-max-age" && self.config.rules < Rules::V4_2 && is_stream(&all) {
                    return self.close_connection(id.client, 541, "INTERNAL_ERROR - invalid x-max-age", fx);
                }
                return self.close_channel(id, 406, &reason, fx);
            }
        };
        // R-U7: a replicated queue is durable and everybody's.
        if arguments.kind != QueueKind::Classic && (!wanted.durable || wanted.exclusive || wanted.auto_delete) {
            return self.close_channel(id, 406, "PRECONDITION_FAILED - invalid property for a replicated queue", fx);
        }
        let new = NewQueue {
            name: wanted.name,
            durable: wanted.durable,
            auto_delete: wanted.auto_delete,
            owner: wanted.exclusive.then_some(id),
            arguments,
            table: wanted.arguments,
            first: self.me,
            boot: self.boot,
        };
        self.change(Change::DeclareQueue(Box::new(new)), Some(id), fx);
    }

    #[allow(clippy::too_many_arguments)] // AMQP's fields.
    fn bind(
        &mut self,
        id: ChannelId,
        source: &str,
        to: &str,
        to_exchange: bool,
        key: &str,
        arguments: Table,
        fx: &mut Fx<'_>,
    ) {
        if source.is_empty() {
            // R-X1: the default exchange's bindings are not anybody's to make.
            return self.close_channel(id, 403, "ACCESS_REFUSED - operation not permitted on the default exchange", fx);
        }
        let Some(destination) = self.topology.destination(to, to_exchange) else {
            return self.close_channel(id, 404, "NOT_FOUND - no such destination", fx);
        };
        let Some(exchange) = self.topology.exchanges.get(source) else {
            return self.close_channel(id, 404, "NOT_FOUND - no exchange", fx);
        };
        if let Some(reason) = wrong_binding(exchange.kind, key, &arguments) {
            return self.close_channel(id, 406, reason, fx);
        }
        if let Destination::Queue(queue) = &destination
            && let Some(record) = self.topology.queues.get(queue)
            && self.locked_out(id, record)
        {
            return self.close_channel(id, 405, "RESOURCE_LOCKED - cannot obtain exclusive access", fx);
        }
        let change = Change::Bind { source: source.into(), destination, key: key.into(), arguments };
        self.change(change, Some(id), fx);
    }

    /// R-Q4: an exclusive queue is its connection's alone.
    fn locked_out(&self, id: ChannelId, record: &QueueRecord) -> bool {
        record.owner.is_some_and(|owner| (owner.node, owner.client) != (id.node, id.client))
    }

    /// The queue of this name, if the channel may use it now; the channel is closed if not.
    pub fn usable_queue(&mut self, id: ChannelId, name: &str, fx: &mut Fx<'_>) -> Option<QueueId> {
        let found = self.topology.names.get(name).and_then(|queue| self.topology.queues.get(queue));
        let Some(record) = found else {
            self.close_channel(id, 404, "NOT_FOUND - no queue", fx);
            return None;
        };
        let (queue, home) = (record.id, record.home());
        if self.locked_out(id, record) {
            self.close_channel(id, 405, "RESOURCE_LOCKED - cannot obtain exclusive access", fx);
            return None;
        }
        let down = home != self.me && !self.peers.get(&home).is_some_and(|peer| peer.connected);
        if record.is_classic() && down {
            // R-Q3.
            self.close_channel(id, 404, "NOT_FOUND - home node of the queue is down or inaccessible", fx);
            return None;
        }
        Some(queue)
    }

    /// A queue goes, with what is in it and all its bindings. Its consumers are told (R-P7).
    pub fn delete_queue(&mut self, queue: QueueId, whose: Option<ChannelId>, fx: &mut Fx<'_>) {
        let Some(record) = self.topology.queues.get(&queue) else { return };
        fx.mark(MarkKind::Change, "queue-deleted", vec![record.name.to_string()], Rule("R-P7"));
        self.change(Change::DeleteQueues(vec![queue]), whose, fx);
    }

    pub fn consumers_of(&self, queue: QueueId) -> Vec<ConsumerId> {
        if let Some(classic) = self.classics.get(&queue) {
            let all = classic.dispatch.channels.iter();
            return all
                .flat_map(|(channel, record)| record.consumers.keys().map(|tag| (*channel, tag.clone())))
                .collect();
        }
        match self.replicas.get(&queue).map(|replica| &replica.state.machine) {
            Some(Machine::Quorum(quorum)) => {
                quorum.consumers.keys().chain(quorum.waiting.iter().map(|(id, _)| id)).cloned().collect()
            }
            Some(Machine::Stream(stream)) => stream.readers.keys().cloned().collect(),
            Some(Machine::Metadata(..)) | None => Vec::new(),
        }
    }

    /// R-Q4: exclusive queues go with their connection.
    pub fn delete_owned(&mut self, client: NodeId, fx: &mut Fx<'_>) {
        let me = self.me;
        let mine = |record: &&QueueRecord| record.owner.is_some_and(|owner| (owner.node, owner.client) == (me, client));
        let owned: Vec<QueueId> = self.topology.queues.values().filter(mine).map(|record| record.id).collect();
        for queue in owned {
            self.delete_queue(queue, None, fx);
        }
    }
}

/// A queue as somebody wants it.
struct Wanted {
    name: Rc<str>,
    durable: bool,
    exclusive: bool,
    auto_delete: bool,
    arguments: Table,
}

impl Wanted {
    /// Whether the queue that exists is that.
    fn is(&self, record: &QueueRecord, id: ChannelId) -> bool {
        let mine = record.owner.is_some_and(|owner| (owner.node, owner.client) == (id.node, id.client));
        self.durable == record.durable
            && self.auto_delete == record.auto_delete
            && self.exclusive == mine
            && KNOWN.iter().all(|name| argument(&self.arguments, name) == argument(&record.table, name))
    }
}

/// An argument as it is compared when a queue is declared again (R-Q5): those that nobody knows are not, and a queue
/// without a kind is a classic one.
fn argument<'a>(table: &'a Table, name: &str) -> Option<&'a Value> {
    let value = table.get(name);
    let usual = name == "x-queue-type" && value.and_then(Value::as_text) == Some("classic");
    value.filter(|_| !usual)
}

fn is_stream(table: &Table) -> bool {
    table.get("x-queue-type").and_then(Value::as_text) == Some("stream")
}

/// Why a binding is refused, if it is (R-X4, R-X5).
fn wrong_binding(kind: ExchangeKind, key: &str, arguments: &Table) -> Option<&'static str> {
    let known = ["all", "any", "all-with-x", "any-with-x"];
    match kind {
        ExchangeKind::Headers => {
            let matching = arguments.get("x-match")?;
            let fits = matching.as_text().is_some_and(|text| known.contains(&text));
            (!fits).then_some("PRECONDITION_FAILED - invalid x-match field value")
        }
        ExchangeKind::ConsistentHash => {
            let weight = key.parse::<i64>().unwrap_or(0);
            (weight < 1).then_some("PRECONDITION_FAILED - the binding key must be a number that is greater than 0")
        }
        ExchangeKind::Direct | ExchangeKind::Fanout | ExchangeKind::Topic => None,
    }
}
