//! Messages as they travel and lie in queues. Their bodies are shared; what a queue knows of them is its own.

use crate::script::DeathSeen;
use crate::value::{Table, Value};
use sim::story::MessageId;
use std::rc::Rc;

/// A message, shared by all that hold it.
pub type Body = Rc<Message>;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its identity in the workload; a scripted message has none.
    pub id: Option<MessageId>,
    /// Its key's index in the workload, if it has one.
    pub key: Option<u32>,
    /// A scripted message's body.
    pub text: Rc<str>,
    /// Bytes of the body.
    pub bytes: u32,
    /// The hue that it is painted in.
    pub hue: u8,
    /// The exchange that it was published to.
    pub exchange: Rc<str>,
    /// The key that it was published with.
    pub routing_key: Rc<str>,
    /// Whether it is persistent (delivery_mode 2).
    pub persistent: bool,
    /// Its priority, if it has one.
    pub priority: Option<u8>,
    /// Its expiration in milliseconds, if it has one.
    pub expiration: Option<u64>,
    /// Everything that few messages have.
    pub more: Option<Rc<More>>,
}

/// What few messages have.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct More {
    /// Headers.
    pub headers: Table,
    /// Where to reply.
    pub reply_to: Option<Rc<str>>,
    /// What it replies to.
    pub correlation_id: Option<Rc<str>>,
    /// x-death, newest first (R-T5).
    pub deaths: Vec<Death>,
}

/// Why a message was dead-lettered (R-T4).
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A consumer refused it without requeue.
    Rejected,
    /// Its time was over.
    Expired,
    /// The queue was too long.
    MaxLen,
    /// It was returned too often.
    DeliveryLimit,
}

impl Reason {
    /// The broker's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Reason::Rejected => "rejected",
            Reason::Expired => "expired",
            Reason::MaxLen => "maxlen",
            Reason::DeliveryLimit => "delivery_limit",
        }
    }
}

/// An entry of x-death: one per queue and reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The queue.
    pub queue: Rc<str>,
    /// Why.
    pub reason: Reason,
    /// How often.
    pub count: u64,
    /// The exchange that it had been published to, the first time.
    pub exchange: Rc<str>,
    /// The keys that it had been published with, the first time.
    pub routing_keys: Vec<Rc<str>>,
}

impl Message {
    /// The headers, if there are any.
    #[must_use]
    pub fn headers(&self) -> Option<&Table> {
        self.more.as_deref().map(|more| &more.headers)
    }

    /// All keys that it is routed by: its own, and those that its sender selected beside (`CC`, R-X8).
    #[must_use]
    pub fn routing_keys(&self) -> Vec<Rc<str>> {
        let beside = self.headers().map(|headers| keys_in(headers, "CC")).unwrap_or_default();
        std::iter::once(self.routing_key.clone()).chain(beside).collect()
    }

    /// x-death.
    #[must_use]
    pub fn deaths(&self) -> &[Death] {
        self.more.as_deref().map_or(&[], |more| &more.deaths)
    }

    /// x-death as a client sees it.
    #[must_use]
    pub fn deaths_seen(&self) -> Vec<DeathSeen> {
        let seen = |death: &Death| DeathSeen {
            queue: death.queue.clone(),
            reason: death.reason.name(),
            count: death.count,
            exchange: death.exchange.clone(),
            routing_keys: death.routing_keys.clone(),
        };
        self.deaths().iter().map(seen).collect()
    }

    /// A number for the digest.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        match self.id {
            Some(id) => u64::from(id.producer) << 32 | u64::from(id.sequence),
            None => self.text.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte))),
        }
    }
}

/// The keys in a header of that name; none if there is no such header, or if it is no list of texts.
pub fn keys_in(headers: &Table, name: &str) -> Vec<Rc<str>> {
    match headers.get(name) {
        Some(Value::List(list)) => {
            let text = |value: &Value| if let Value::Text(text) = value { Some(text.clone()) } else { None };
            list.iter().filter_map(text).collect()
        }
        _ => Vec::new(),
    }
}
