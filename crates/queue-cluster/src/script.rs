//! Operations on a connection in the transcripts' form, and what a client sees in answer.

use crate::value::Table;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

fn yes() -> bool {
    true
}

/// A message's properties, as a script gives them.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PropertiesOf {
    /// 2 is persistent.
    pub delivery_mode: Option<u8>,
    /// Priority.
    pub priority: Option<u8>,
    /// Milliseconds, as a text.
    pub expiration: Option<String>,
    /// Headers.
    pub headers: Table,
    /// Where to reply.
    pub reply_to: Option<String>,
    /// What a reply is to.
    pub correlation_id: Option<String>,
}

/// An operation of AMQP 0-9-1. `channel` is `connection/channel`; a name without a slash has a connection of its own
/// by that name, and none is the administrator's channel, `setup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op")]
#[allow(missing_docs)] // The fields are AMQP's.
pub enum Operation {
    #[serde(rename = "exchange.declare")]
    ExchangeDeclare {
        channel: Option<String>,
        exchange: String,
        #[serde(rename = "type")]
        kind: String,
        #[serde(default = "yes")]
        durable: bool,
        #[serde(default)]
        auto_delete: bool,
        #[serde(default)]
        internal: bool,
        #[serde(default)]
        passive: bool,
        #[serde(default)]
        arguments: Table,
    },
    #[serde(rename = "exchange.unbind")]
    ExchangeUnbind {
        channel: Option<String>,
        source: String,
        destination: String,
        #[serde(default)]
        routing_key: String,
        #[serde(default)]
        arguments: Table,
    },
    #[serde(rename = "exchange.bind")]
    ExchangeBind {
        channel: Option<String>,
        source: String,
        destination: String,
        #[serde(default)]
        routing_key: String,
        #[serde(default)]
        arguments: Table,
    },
    #[serde(rename = "exchange.delete")]
    ExchangeDelete {
        channel: Option<String>,
        exchange: String,
        #[serde(default)]
        if_unused: bool,
    },
    #[serde(rename = "queue.declare")]
    QueueDeclare {
        channel: Option<String>,
        queue: String,
        #[serde(default = "yes")]
        durable: bool,
        #[serde(default)]
        exclusive: bool,
        #[serde(default)]
        auto_delete: bool,
        #[serde(default)]
        passive: bool,
        #[serde(default)]
        arguments: Table,
    },
    #[serde(rename = "queue.bind")]
    QueueBind {
        channel: Option<String>,
        queue: String,
        exchange: String,
        #[serde(default)]
        routing_key: String,
        #[serde(default)]
        arguments: Table,
    },
    #[serde(rename = "queue.unbind")]
    QueueUnbind {
        channel: Option<String>,
        queue: String,
        exchange: String,
        #[serde(default)]
        routing_key: String,
        #[serde(default)]
        arguments: Table,
    },
    #[serde(rename = "queue.purge")]
    QueuePurge { channel: Option<String>, queue: String },
    #[serde(rename = "queue.delete")]
    QueueDelete {
        channel: Option<String>,
        queue: String,
        #[serde(default)]
        if_unused: bool,
        #[serde(default)]
        if_empty: bool,
    },
    #[serde(rename = "confirm.select")]
    ConfirmSelect { channel: Option<String> },
    #[serde(rename = "basic.publish")]
    BasicPublish {
        channel: Option<String>,
        #[serde(default)]
        exchange: String,
        #[serde(default)]
        routing_key: String,
        message: String,
        #[serde(default)]
        mandatory: bool,
        /// Pads the body with dots to this size.
        bytes: Option<u32>,
        #[serde(default)]
        properties: PropertiesOf,
    },
    #[serde(rename = "basic.qos")]
    BasicQos {
        channel: Option<String>,
        #[serde(default)]
        prefetch_size: u32,
        #[serde(default)]
        prefetch_count: u16,
        #[serde(default)]
        global: bool,
    },
    #[serde(rename = "basic.consume")]
    BasicConsume {
        channel: Option<String>,
        queue: String,
        consumer: String,
        #[serde(default)]
        no_ack: bool,
        #[serde(default)]
        exclusive: bool,
        #[serde(default)]
        arguments: Table,
    },
    #[serde(rename = "basic.cancel")]
    BasicCancel { channel: Option<String>, consumer: String },
    #[serde(rename = "basic.ack")]
    BasicAck {
        channel: Option<String>,
        message: String,
        /// The tag itself, in place of the message's newest.
        delivery_tag: Option<u64>,
        #[serde(default)]
        multiple: bool,
    },
    #[serde(rename = "basic.nack")]
    BasicNack {
        channel: Option<String>,
        message: String,
        /// The tag itself, in place of the message's newest.
        delivery_tag: Option<u64>,
        #[serde(default)]
        multiple: bool,
        #[serde(default = "yes")]
        requeue: bool,
    },
    #[serde(rename = "basic.reject")]
    BasicReject {
        channel: Option<String>,
        message: String,
        #[serde(default = "yes")]
        requeue: bool,
    },
    #[serde(rename = "basic.get")]
    BasicGet {
        channel: Option<String>,
        queue: String,
        #[serde(default)]
        no_ack: bool,
    },
    #[serde(rename = "basic.recover")]
    BasicRecover { channel: Option<String> },
    #[serde(rename = "tx.select")]
    TxSelect { channel: Option<String> },
    #[serde(rename = "tx.commit")]
    TxCommit { channel: Option<String> },
    #[serde(rename = "tx.rollback")]
    TxRollback { channel: Option<String> },
    #[serde(rename = "channel.close")]
    ChannelClose { channel: Option<String> },
    #[serde(rename = "connection.close")]
    ConnectionClose { connection: String },
    /// Nothing happens for a while.
    #[serde(rename = "wait")]
    Wait { ms: u64 },
    /// A clean stop and start of the broker; every connection is closed first.
    #[serde(rename = "broker.restart")]
    BrokerRestart {},
}

/// The administrator's channel.
pub const ADMIN: &str = "setup";

impl Operation {
    /// The connection that the operation is on; `None` for what concerns no connection.
    #[must_use]
    pub fn connection(&self) -> Option<&str> {
        match self {
            Operation::ConnectionClose { connection } => Some(connection),
            Operation::Wait { .. } => None,
            _ => Some(self.channel().split('/').next().unwrap_or(ADMIN)),
        }
    }

    /// The channel's full name.
    #[must_use]
    pub fn channel(&self) -> &str {
        match self {
            Operation::ExchangeDeclare { channel, .. }
            | Operation::ExchangeBind { channel, .. }
            | Operation::ExchangeUnbind { channel, .. }
            | Operation::ExchangeDelete { channel, .. }
            | Operation::QueueDeclare { channel, .. }
            | Operation::QueueBind { channel, .. }
            | Operation::QueueUnbind { channel, .. }
            | Operation::QueuePurge { channel, .. }
            | Operation::QueueDelete { channel, .. }
            | Operation::ConfirmSelect { channel }
            | Operation::BasicPublish { channel, .. }
            | Operation::BasicQos { channel, .. }
            | Operation::BasicConsume { channel, .. }
            | Operation::BasicCancel { channel, .. }
            | Operation::BasicAck { channel, .. }
            | Operation::BasicNack { channel, .. }
            | Operation::BasicReject { channel, .. }
            | Operation::BasicGet { channel, .. }
            | Operation::BasicRecover { channel }
            | Operation::TxSelect { channel }
            | Operation::TxCommit { channel }
            | Operation::TxRollback { channel }
            | Operation::ChannelClose { channel } => channel.as_deref().unwrap_or(ADMIN),
            Operation::ConnectionClose { .. } | Operation::Wait { .. } | Operation::BrokerRestart {} => ADMIN,
        }
    }
}

/// An entry of x-death, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeathSeen {
    /// The queue that it died in.
    pub queue: Rc<str>,
    /// Why.
    pub reason: &'static str,
    /// How often.
    pub count: u64,
    /// The exchange that it had been published to.
    pub exchange: Rc<str>,
    /// The keys that it had been published with.
    pub routing_keys: Vec<Rc<str>>,
}

/// What a scripted client saw, in the transcripts' form: the fields that are not there are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)] // The fields are the format's.
pub enum Observed {
    Delivered {
        delivered: Rc<str>,
        consumer: Rc<str>,
        redelivered: bool,
        exchange: Rc<str>,
        routing_key: Rc<str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        deaths: Vec<DeathSeen>,
        #[serde(rename = "x-delivery-count", skip_serializing_if = "Option::is_none")]
        delivery_count: Option<u32>,
        #[serde(rename = "x-stream-offset", skip_serializing_if = "Option::is_none")]
        stream_offset: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<Rc<str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        correlation_id: Option<Rc<str>>,
    },
    Got {
        got: Option<Rc<str>>,
        queue: Rc<str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        redelivered: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        remaining: Option<u64>,
        #[serde(rename = "x-delivery-count", skip_serializing_if = "Option::is_none")]
        delivery_count: Option<u32>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        deaths: Vec<DeathSeen>,
    },
    Confirmed {
        confirmed: Rc<str>,
        channel: Rc<str>,
    },
    Refused {
        refused: Rc<str>,
        channel: Rc<str>,
    },
    Returned {
        returned: Rc<str>,
        channel: Rc<str>,
        code: u16,
    },
    ConsumerCancelled {
        consumer_cancelled: Rc<str>,
    },
    ChannelClosed {
        channel_closed: Rc<str>,
        code: u16,
    },
    Queue {
        queue: Rc<str>,
        messages: u64,
        consumers: u32,
    },
}
