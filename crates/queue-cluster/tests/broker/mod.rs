//! A broker of one node, told things through real connections, and what is seen of it in a word each.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "shared by several tests, each of which uses a part")]

use queue_cluster::*;
use sim::workload::Workload;
use sim::{Nanos, NodeId, Time};
use std::collections::BTreeMap;

/// A broker and what was seen of it.
pub struct Broker {
    pub cluster: QueueCluster,
    read: BTreeMap<NodeId, usize>,
}

pub fn table(entries: &[(&str, Value)]) -> Table {
    entries.iter().map(|(name, value)| ((*name).to_string(), value.clone())).collect()
}

impl Broker {
    pub fn new(rules: Rules) -> Broker {
        Broker::tuned(rules, |_| {})
    }

    pub fn tuned(rules: Rules, tune: impl FnOnce(&mut Config)) -> Broker {
        let mut config = Config { nodes: 1, ..Config::of(rules) };
        config.connections = ["setup", "p", "a", "b", "c", "d"].map(String::from).to_vec();
        tune(&mut config);
        let mut cluster = QueueCluster::new(1, &Workload::default(), &config);
        cluster.world_mut().run_until(Time::ZERO + Nanos::secs(1));
        Broker { cluster, read: BTreeMap::new() }
    }

    /// Does one thing, and tells what was seen of it, in a word each: `a<m1` is a delivery to consumer a, `a<<m1` a
    /// redelivery, `+m1` a confirm, `-m1` a refusal, `?m1` a return, `!a404` a closed channel, `=m1` a message got,
    /// `a:x` a cancelled consumer and `q2/1` a queue's messages and consumers.
    pub fn does(&mut self, operation: Operation) -> String {
        self.cluster.operate(&operation).unwrap();
        self.waits(150)
    }

    pub fn waits(&mut self, ms: u64) -> String {
        let until = self.cluster.world().now() + Nanos::millis(ms);
        self.cluster.world_mut().run_until(until);
        let read = &mut self.read;
        let mut seen = self.cluster.observed(&|node| read.get(&node).copied().unwrap_or(0));
        seen.iter().for_each(|(node, ..)| *read.entry(*node).or_default() += 1);
        seen.sort_by_key(|(_, at, _)| *at);
        seen.iter().map(|(_, _, seen)| word(seen)).collect::<Vec<_>>().join(" ")
    }

    pub fn queue(&mut self, name: &str, arguments: &[(&str, Value)]) -> String {
        self.does(declare(name, arguments))
    }

    pub fn publish(&mut self, queue: &str, message: &str) -> String {
        self.does(publish("", queue, message))
    }

    pub fn consume(&mut self, name: &str, queue: &str, prefetch: u16) -> String {
        self.consume_with(name, queue, prefetch, &[])
    }

    pub fn consume_with(&mut self, name: &str, queue: &str, prefetch: u16, arguments: &[(&str, Value)]) -> String {
        self.qos(name, prefetch, false);
        self.subscribe(name, queue, arguments)
    }

    /// Consumes with whatever basic.qos said before.
    pub fn subscribe(&mut self, name: &str, queue: &str, arguments: &[(&str, Value)]) -> String {
        self.does(Operation::BasicConsume {
            channel: Some(name.into()),
            queue: queue.into(),
            consumer: name.into(),
            no_ack: false,
            exclusive: false,
            arguments: table(arguments),
        })
    }

    pub fn qos(&mut self, name: &str, count: u16, global: bool) -> String {
        let channel = Some(name.to_string());
        self.does(Operation::BasicQos { channel, prefetch_size: 0, prefetch_count: count, global })
    }

    pub fn ack(&mut self, channel: &str, message: &str) -> String {
        self.does(Operation::BasicAck {
            channel: Some(channel.into()),
            message: message.into(),
            delivery_tag: None,
            multiple: false,
        })
    }

    pub fn ack_all(&mut self, channel: &str, message: &str) -> String {
        self.does(Operation::BasicAck {
            channel: Some(channel.into()),
            message: message.into(),
            delivery_tag: None,
            multiple: true,
        })
    }

    pub fn nack(&mut self, channel: &str, message: &str, requeue: bool) -> String {
        let channel = Some(channel.to_string());
        self.does(Operation::BasicNack {
            channel,
            message: message.into(),
            delivery_tag: None,
            multiple: false,
            requeue,
        })
    }

    pub fn get(&mut self, queue: &str) -> String {
        self.does(Operation::BasicGet { channel: Some("d".into()), queue: queue.into(), no_ack: true })
    }

    pub fn cancel(&mut self, name: &str) -> String {
        self.does(Operation::BasicCancel { channel: Some(name.into()), consumer: name.into() })
    }

    pub fn close(&mut self, connection: &str) -> String {
        self.does(Operation::ConnectionClose { connection: connection.into() })
    }

    pub fn confirms(&mut self) {
        self.does(Operation::ConfirmSelect { channel: Some("p".into()) });
    }

    pub fn counts(&mut self, queue: &str) -> String {
        let mut operation = declare(queue, &[]);
        if let Operation::QueueDeclare { passive, .. } = &mut operation {
            *passive = true;
        }
        self.does(operation)
    }
}

pub fn declare(name: &str, arguments: &[(&str, Value)]) -> Operation {
    Operation::QueueDeclare {
        channel: None,
        queue: name.into(),
        durable: true,
        exclusive: false,
        auto_delete: false,
        passive: false,
        arguments: table(arguments),
    }
}

pub fn publish(exchange: &str, key: &str, message: &str) -> Operation {
    publish_with(exchange, key, message, false, PropertiesOf::default())
}

pub fn publish_with(exchange: &str, key: &str, message: &str, mandatory: bool, properties: PropertiesOf) -> Operation {
    Operation::BasicPublish {
        channel: Some("p".into()),
        exchange: exchange.into(),
        routing_key: key.into(),
        message: message.into(),
        mandatory,
        bytes: None,
        properties,
    }
}

pub fn word(seen: &Observed) -> String {
    match seen {
        Observed::Delivered { delivered, consumer, redelivered, .. } => {
            format!("{consumer}{}{delivered}", if *redelivered { "<<" } else { "<" })
        }
        Observed::Got { got, .. } => format!("={}", got.as_deref().unwrap_or("nothing")),
        Observed::Confirmed { confirmed, .. } => format!("+{confirmed}"),
        Observed::Refused { refused, .. } => format!("-{refused}"),
        Observed::Returned { returned, .. } => format!("?{returned}"),
        Observed::ConsumerCancelled { consumer_cancelled } => format!("{consumer_cancelled}:x"),
        Observed::ChannelClosed { channel_closed, code } => format!("!{channel_closed}{code}"),
        Observed::Queue { queue, messages, consumers } => format!("{queue}{messages}/{consumers}"),
    }
}

pub fn priority(level: u8) -> PropertiesOf {
    PropertiesOf { priority: Some(level), ..PropertiesOf::default() }
}

pub fn expiring(ms: u32) -> PropertiesOf {
    PropertiesOf { expiration: Some(ms.to_string()), ..PropertiesOf::default() }
}

const QUORUM: (&str, &str) = ("x-queue-type", "quorum");

pub fn quorum() -> (&'static str, Value) {
    (QUORUM.0, QUORUM.1.into())
}

pub fn dead_to(queue: &str) -> [(&'static str, Value); 2] {
    [("x-dead-letter-exchange", "".into()), ("x-dead-letter-routing-key", queue.into())]
}
