//! Policies: what a queue is given by its name, beside the arguments that it was declared with.

use crate::arguments::{NOT_OF_THIS_KIND, QueueArguments, unknown_to};
use crate::check::distance;
use crate::config::{HaMode, Mirroring, Promote, Rules, ServerSettings};
use crate::value::{Table, Value};
use crate::view::QueueKind;

/// What a policy is for (`apply-to`).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum ApplyTo {
    /// Queues of all kinds.
    #[default]
    Queues,
    /// Classic queues.
    ClassicQueues,
    /// Quorum queues.
    QuorumQueues,
    /// Streams.
    Streams,
}

/// A policy. Of those that match, the one with the highest priority counts, and only that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Which names it is for.
    pub pattern: Pattern,
    /// Which kinds of queues.
    pub apply_to: ApplyTo,
    /// What it gives, by the policy's names, such as `max-length`.
    pub definition: Table,
    /// The highest counts.
    pub priority: i64,
}

/// What a policy may give, and the argument that it stands for.
const GIVES: &[(&str, &str)] = &[
    ("message-ttl", "x-message-ttl"),
    ("expires", "x-expires"),
    ("max-length", "x-max-length"),
    ("max-length-bytes", "x-max-length-bytes"),
    ("delivery-limit", "x-delivery-limit"),
    ("overflow", "x-overflow"),
    ("dead-letter-exchange", "x-dead-letter-exchange"),
    ("dead-letter-routing-key", "x-dead-letter-routing-key"),
    ("dead-letter-strategy", "x-dead-letter-strategy"),
    ("max-age", "x-max-age"),
    ("stream-max-segment-size-bytes", "x-stream-max-segment-size-bytes"),
];

/// What a policy gave a classic queue's mirrors, before 4.0 (R-M8).
const MIRRORS: &[&str] = &["ha-mode", "ha-params", "ha-sync-mode", "ha-promote-on-failure", "ha-promote-on-shutdown"];

impl Policy {
    /// The names that a definition may use.
    pub fn names() -> impl Iterator<Item = &'static str> {
        GIVES.iter().map(|(name, _)| *name).chain(MIRRORS.iter().copied())
    }

    /// Whether a name in a definition is about mirrors.
    #[must_use]
    pub fn is_about_mirrors(name: &str) -> bool {
        MIRRORS.contains(&name)
    }

    /// What the policy says of mirrors (R-M8).
    ///
    /// # Errors
    /// The name and what is wrong with its value.
    pub fn mirroring(&self) -> Result<Option<Mirroring>, (String, String)> {
        let text = |name: &str, known: &[&str]| match self.definition.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) if known.contains(&&**text) => Ok(Some(text.to_string())),
            Some(_) => Err((name.to_string(), format!("expected {}", known.join(" or ")))),
        };
        let Some(mode) = text("ha-mode", &["all", "exactly"])? else { return Ok(None) };
        let mode = match (mode.as_str(), self.definition.get("ha-params")) {
            ("all", _) => HaMode::All,
            (_, Some(Value::Int(count))) if (1..=100).contains(count) => HaMode::Exactly(*count as u16),
            _ => return Err(("ha-params".into(), "expected how many copies there are, with the home".into())),
        };
        let promote = |name: &str, usual: Promote| -> Result<Promote, (String, String)> {
            let chosen = text(name, &["always", "when-synced"])?;
            Ok(chosen.map_or(usual, |text| if text == "always" { Promote::Always } else { Promote::WhenSynced }))
        };
        let usual = Mirroring::default();
        Ok(Some(Mirroring {
            mode,
            automatic_sync: text("ha-sync-mode", &["manual", "automatic"])?.as_deref() == Some("automatic"),
            on_failure: promote("ha-promote-on-failure", usual.on_failure)?,
            on_shutdown: promote("ha-promote-on-shutdown", usual.on_shutdown)?,
        }))
    }

    /// The mirroring that a policy gives a classic queue of this name, before 4.0 (R-M8).
    #[must_use]
    pub fn mirroring_of(policies: &[Policy], name: &str, table: &Table, rules: Rules) -> Option<Mirroring> {
        let policy = Policy::of(policies, name, table).filter(|_| rules < Rules::V4_2)?;
        policy.mirroring().ok().flatten()
    }

    /// What RabbitMQ refuses of it: the name in the definition, and why.
    ///
    /// # Errors
    /// The first such name.
    pub fn check(&self, rules: Rules) -> Result<(), (String, String)> {
        let server = ServerSettings::of(rules);
        for (name, value) in &self.definition {
            if !Policy::names().any(|known| known == name) {
                let nearest = Policy::names().min_by_key(|known| distance(known, name)).unwrap_or("");
                return Err((name.clone(), format!("not recognised; did you mean {nearest}?")));
            }
            if Policy::is_about_mirrors(name) && rules >= Rules::V4_2 {
                // R-M8.
                return Err((name.clone(), "not recognised: mirrored queues were removed in 4.0".into()));
            }
            let Some((_, argument)) = GIVES.iter().find(|(known, _)| known == name) else { continue };
            // It is right if any kind of queue can have it.
            let read = |kind: &str| {
                let table = [("x-queue-type", kind.into()), (*argument, value.clone())];
                QueueArguments::read(&table.map(|(name, value)| (name.to_string(), value)).into(), rules, &server)
            };
            let mut refusals =
                ["classic", "quorum", "stream"].into_iter().map(|kind| read(kind).err()).collect::<Vec<_>>();
            if refusals.iter().all(Option::is_some) {
                refusals.retain(|why| why.as_ref().is_some_and(|(_, why)| why != NOT_OF_THIS_KIND));
                let why = refusals.into_iter().flatten().next().map_or_else(String::new, |(_, why)| why);
                return Err((name.clone(), why));
            }
        }
        self.mirroring().map(drop)
    }

    fn applies(&self, name: &str, kind: Option<&str>) -> bool {
        let kind = kind.unwrap_or("classic");
        let meant = match self.apply_to {
            ApplyTo::Queues => true,
            ApplyTo::ClassicQueues => kind == "classic",
            ApplyTo::QuorumQueues => kind == "quorum",
            ApplyTo::Streams => kind == "stream",
        };
        meant && self.pattern.matches(name)
    }

    /// The policy that counts for a queue.
    #[must_use]
    pub fn of<'a>(policies: &'a [Policy], name: &str, table: &Table) -> Option<&'a Policy> {
        let kind = table.get("x-queue-type").and_then(Value::as_text);
        // Of equal priorities the first one counts here; the broker leaves it open.
        policies.iter().rev().filter(|policy| policy.applies(name, kind)).max_by_key(|policy| policy.priority)
    }

    /// A queue's arguments with what its policy adds: of two numbers the smaller counts (of delivery limits a negative
    /// one stands for none), else the queue's own; but what a quorum queue does when it is full the policy says. What
    /// the queue's kind does not have is left out (R-M9).
    #[must_use]
    pub fn with(policies: &[Policy], name: &str, table: &Table, rules: Rules) -> Table {
        let mut all = table.clone();
        let Some(policy) = Policy::of(policies, name, table) else { return all };
        let kind = table.get("x-queue-type").and_then(Value::as_text);
        let strange = match kind {
            Some("quorum") => unknown_to(QueueKind::Quorum, rules),
            Some("stream") => unknown_to(QueueKind::Stream, rules),
            _ => &["x-delivery-limit", "x-dead-letter-strategy", "x-max-age", "x-stream-max-segment-size-bytes"],
        };
        for (given, argument) in GIVES.iter().filter(|(_, argument)| !strange.contains(argument)) {
            let Some(value) = policy.definition.get(*given) else { continue };
            let smaller = match (all.get(*argument), value) {
                (Some(Value::Int(own)), Value::Int(theirs)) => (theirs < own) ^ (*own.min(theirs) < 0),
                (Some(_), _) => *argument == "x-overflow" && kind == Some("quorum"),
                (None, _) => true,
            };
            if smaller {
                all.insert((*argument).to_string(), value.clone());
            }
        }
        all
    }
}

/// The part of regular expressions that policies live on: `^`, `$`, `.`, `.*`, `.+`, and backslashes before a
/// character that is meant itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    from_start: bool,
    to_end: bool,
    parts: Vec<Part>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Part {
    One(char),
    Any,
    AnyMany,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is not understood.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let mut parts = Vec::new();
        let from_start = text.starts_with('^');
        let body = text.strip_prefix('^').unwrap_or(text);
        let escaped_end = body.ends_with("\\$");
        let to_end = body.ends_with('$') && !escaped_end;
        let body = if to_end { &body[..body.len() - 1] } else { body };
        let mut rest = body.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\\' => parts.push(Part::One(rest.next().ok_or("a backslash stands before nothing")?)),
                '.' => match rest.peek() {
                    Some('*') => {
                        rest.next();
                        parts.push(Part::AnyMany);
                    }
                    Some('+') => {
                        rest.next();
                        parts.extend([Part::Any, Part::AnyMany]);
                    }
                    _ => parts.push(Part::Any),
                },
                '*' | '+' | '?' | '[' | ']' | '(' | ')' | '{' | '}' | '|' | '^' | '$' => {
                    return Err(format!("`{c}` is not understood here: patterns may use ^ $ . .* .+ and a backslash"));
                }
                c => parts.push(Part::One(c)),
            }
        }
        Ok(Pattern { text: text.to_string(), from_start, to_end, parts })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is found in a name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let starts = if self.from_start { 0..=0 } else { 0..=name.len() };
        // The ends that can be reached, one part after the other: never more than the name has places.
        let mut ends: Vec<bool> = (0..=name.len()).map(|place| starts.contains(&place)).collect();
        for part in &self.parts {
            let mut next = vec![false; name.len() + 1];
            for place in (0..=name.len()).filter(|place| ends[*place]) {
                match part {
                    Part::One(c) if name.get(place) == Some(c) => next[place + 1] = true,
                    Part::Any if place < name.len() => next[place + 1] = true,
                    Part::AnyMany => next[place..].fill(true),
                    Part::One(_) | Part::Any => {}
                }
            }
            ends = next;
        }
        if self.to_end { ends[name.len()] } else { ends.contains(&true) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_regular_expressions_do() {
        let matches = |pattern: &str, name: &str| Pattern::parse(pattern).unwrap().matches(name);
        assert!(matches("^qq-", "qq-orders") && !matches("^qq-", "a-qq-orders"));
        assert!(matches("", "anything") && matches(".*", "") && matches("rder", "orders"));
        assert!(matches("^a.*z$", "abcz") && !matches("^a.*z$", "abc"));
        assert!(matches("^amq\\.", "amq.gen") && !matches("^amq\\.", "amqp"));
        assert!(!matches("^a.+$", "a") && matches("^a.+$", "ab"));
        assert!(Pattern::parse("(a|b)").unwrap_err().contains("not understood"));
    }

    #[test]
    fn of_two_numbers_the_smaller_counts_and_else_the_queues_own() {
        let policy = Policy {
            name: "short".into(),
            pattern: Pattern::parse("^q").unwrap(),
            apply_to: ApplyTo::Queues,
            definition: [("max-length", Value::Int(10)), ("overflow", "reject-publish".into())]
                .map(|(name, value)| (name.to_string(), value))
                .into(),
            priority: 0,
        };
        let own: Table = [("x-max-length", Value::Int(5)), ("x-overflow", "drop-head".into())]
            .map(|(name, value)| (name.to_string(), value))
            .into();
        let policies = [policy];
        assert_eq!(Policy::with(&policies, "q1", &own, Rules::V4_2), own);
        let longer: Table = [("x-max-length".to_string(), Value::Int(50))].into();
        let with = Policy::with(&policies, "q1", &longer, Rules::V4_2);
        assert_eq!(with.get("x-max-length"), Some(&Value::Int(10)));
        assert_eq!(with.get("x-overflow"), Some(&"reject-publish".into()));
        assert_eq!(Policy::with(&policies, "other", &longer, Rules::V4_2), longer);
    }
}
