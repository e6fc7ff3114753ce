//! Arguments of a queue's declaration.

use crate::config::{Rules, ServerSettings};
use crate::value::{Table, Value};
use crate::view::QueueKind;
use sim::Nanos;
use std::rc::Rc;

/// What happens when a queue is too long (R-T3).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The oldest goes.
    #[default]
    DropHead,
    /// The newest is refused.
    RejectPublish,
    /// The newest is refused and dead-lettered.
    RejectPublishDlx,
}

/// The arguments that a queue was declared with, understood.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct QueueArguments {
    pub kind: QueueKind,
    pub max_length: Option<u64>,
    pub max_length_bytes: Option<u64>,
    pub overflow: Overflow,
    pub message_ttl: Option<Nanos>,
    pub expires: Option<Nanos>,
    pub max_priority: Option<u8>,
    pub dead_letter_exchange: Option<Rc<str>>,
    pub dead_letter_routing_key: Option<Rc<str>>,
    pub single_active_consumer: bool,
    /// R-U5: `None` is no limit.
    pub delivery_limit: Option<u32>,
    /// `x-max-age` (R-S3).
    pub max_age: Option<Nanos>,
    /// `x-stream-max-segment-size-bytes` (R-S3); 0 is the default of 500 MB.
    pub segment_bytes: u64,
    /// `x-dead-letter-strategy` is `at-least-once` (R-U8).
    pub at_least_once: bool,
}

/// Known arguments, to catch misspelt ones in a config. The broker itself ignores what it does not know.
pub const KNOWN: &[&str] = &[
    "x-queue-type",
    "x-max-length",
    "x-max-length-bytes",
    "x-overflow",
    "x-message-ttl",
    "x-expires",
    "x-max-priority",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-single-active-consumer",
    "x-delivery-limit",
    "x-queue-mode",
    "x-queue-version",
    "x-queue-leader-locator",
    "x-quorum-initial-group-size",
    "x-max-age",
    "x-stream-max-segment-size-bytes",
];

/// Why an argument of another kind of queue is refused.
pub const NOT_OF_THIS_KIND: &str = "this kind of queue does not have it";

/// The longest time to live that is accepted, in milliseconds.
const LONGEST: u64 = 315_360_000_000;

impl QueueArguments {
    /// R-U8: dead letters are kept until their targets have confirmed them, if the queue refuses when it is full and
    /// there is an exchange for them; otherwise they go at most once.
    pub fn carries_dead_letters(&self) -> bool {
        self.at_least_once && self.overflow == Overflow::RejectPublish && self.dead_letter_exchange.is_some()
    }

    /// Reads the arguments as the broker does.
    ///
    /// # Errors
    /// The argument and what is wrong with it; the broker answers 406 PRECONDITION_FAILED.
    pub fn read(table: &Table, rules: Rules, server: &ServerSettings) -> Result<QueueArguments, (String, String)> {
        let count = |name: &str| -> Result<Option<u64>, (String, String)> {
            match table.get(name) {
                None => Ok(None),
                Some(Value::Int(n)) if *n >= 0 => Ok(Some(*n as u64)),
                Some(_) => Err((name.into(), "expected a number that is not negative".into())),
            }
        };
        let text = |name: &str| -> Result<Option<Rc<str>>, (String, String)> {
            match table.get(name) {
                None => Ok(None),
                Some(Value::Text(text)) => Ok(Some(text.clone())),
                Some(_) => Err((name.into(), "expected a text".into())),
            }
        };
        let kind = match text("x-queue-type")?.as_deref() {
            None | Some("classic") => QueueKind::Classic,
            Some("quorum") => QueueKind::Quorum,
            Some("stream") => QueueKind::Stream,
            Some(other) => return Err(("x-queue-type".into(), format!("classic, quorum or stream, not {other}"))),
        };
        let unknown = unknown_to(kind, rules);
        if let Some(name) = unknown.iter().find(|name| table.contains_key(**name)) {
            return Err(((*name).into(), NOT_OF_THIS_KIND.into()));
        }
        // 10 years in milliseconds: longer times are refused (recorded).
        let time = |name: &str| -> Result<Option<u64>, (String, String)> {
            match count(name)? {
                Some(n) if n > LONGEST => Err((name.into(), "expected at most 315360000000 ms, ten years".into())),
                n => Ok(n),
            }
        };
        if table.get("x-single-active-consumer").is_some_and(|value| !matches!(value, Value::Bool(_))) {
            return Err(("x-single-active-consumer".into(), "expected true or false".into()));
        }
        if let Some(mode) = text("x-queue-mode")?
            && !matches!(&*mode, "default" | "lazy")
        {
            return Err(("x-queue-mode".into(), format!("default or lazy, not {mode}")));
        }
        let old_quorum = kind == QueueKind::Quorum && rules < Rules::V4_2;
        let overflow = match text("x-overflow")?.as_deref() {
            None | Some("drop-head") => Overflow::DropHead,
            // R-U7: before 4.0 accepted, and the head is dropped (recorded).
            Some("reject-publish-dlx") if old_quorum => Overflow::DropHead,
            Some("reject-publish") => Overflow::RejectPublish,
            Some("reject-publish-dlx") if kind == QueueKind::Classic => Overflow::RejectPublishDlx,
            Some(other) => return Err(("x-overflow".into(), format!("{other} is not supported by this queue"))),
        };
        let max_priority = match count("x-max-priority")? {
            Some(n) if n > 255 => return Err(("x-max-priority".into(), "at most 255".into())),
            n => n.map(|n| n as u8),
        };
        let dead_letter_exchange = text("x-dead-letter-exchange")?;
        let dead_letter_routing_key = text("x-dead-letter-routing-key")?;
        if dead_letter_routing_key.is_some() && dead_letter_exchange.is_none() {
            return Err(("x-dead-letter-routing-key".into(), "needs x-dead-letter-exchange".into()));
        }
        let at_least_once = match text("x-dead-letter-strategy")?.as_deref() {
            None | Some("at-most-once") => false,
            Some("at-least-once") => true,
            Some(other) => {
                return Err(("x-dead-letter-strategy".into(), format!("at-most-once or at-least-once, not {other}")));
            }
        };
        let expires = time("x-expires")?;
        if expires == Some(0) {
            return Err(("x-expires".into(), "expected more than 0".into()));
        }
        let delivery_limit = delivery_limit(table, rules, server)?;
        Ok(QueueArguments {
            kind,
            max_length: count("x-max-length")?,
            max_length_bytes: count("x-max-length-bytes")?,
            overflow,
            message_ttl: time("x-message-ttl")?.map(Nanos::millis),
            expires: expires.map(Nanos::millis),
            max_priority,
            dead_letter_exchange,
            dead_letter_routing_key,
            single_active_consumer: table.get("x-single-active-consumer").is_some_and(Value::is_true),
            delivery_limit,
            max_age: text("x-max-age")?.map(|age| max_age(&age)).transpose()?,
            segment_bytes: count("x-stream-max-segment-size-bytes")?.unwrap_or(0),
            at_least_once: kind == QueueKind::Quorum && at_least_once,
        })
    }
}

/// A stream's age such as `7D`: a number and Y, M, D, h, m or s.
fn max_age(text: &str) -> Result<Nanos, (String, String)> {
    age(text).ok_or_else(|| ("x-max-age".into(), format!("expected a number and Y, M, D, h, m or s, found {text}")))
}

/// A length of time as streams write it; `None` if it is none.
pub fn age(text: &str) -> Option<Nanos> {
    let unit = match text.chars().last()? {
        'Y' => 365 * 86_400,
        'M' => 30 * 86_400,
        'D' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return None,
    };
    let count: u64 = text[..text.len() - 1].parse().ok()?;
    Some(Nanos::secs(count.checked_mul(unit)?))
}

/// Arguments that a kind of queue refuses.
pub fn unknown_to(kind: QueueKind, rules: Rules) -> &'static [&'static str] {
    // R-U7, R-S3: what a kind does not have, it refuses.
    match kind {
        QueueKind::Classic => &["x-delivery-limit", "x-max-age", "x-stream-max-segment-size-bytes"],
        QueueKind::Quorum if rules < Rules::V4_2 => {
            &["x-queue-mode", "x-max-priority", "x-max-age", "x-stream-max-segment-size-bytes"]
        }
        QueueKind::Quorum => &["x-max-priority", "x-max-age", "x-stream-max-segment-size-bytes"],
        QueueKind::Stream => &[
            "x-expires",
            "x-message-ttl",
            "x-max-priority",
            "x-queue-mode",
            "x-overflow",
            "x-max-length",
            "x-quorum-initial-group-size",
            "x-dead-letter-exchange",
            "x-dead-letter-routing-key",
            "x-single-active-consumer",
            "x-delivery-limit",
        ],
    }
}

fn delivery_limit(table: &Table, rules: Rules, server: &ServerSettings) -> Result<Option<u32>, (String, String)> {
    // R-U5: before 4.0 a quorum queue has no limit unless one is given; from then on 20, and -1 is none.
    let limit = match table.get("x-delivery-limit") {
        Some(Value::Int(n)) if *n >= 0 => Some(*n as u32),
        Some(Value::Int(_)) => None,
        // Before 4.0 nobody looks: what is no limit is none (recorded).
        Some(_) if rules < Rules::V4_2 => None,
        Some(_) => return Err(("x-delivery-limit".into(), "expected a number that is not negative".into())),
        None => server.quorum_delivery_limit.and_then(|limit| u32::try_from(limit).ok()),
    };
    Ok(limit)
}
