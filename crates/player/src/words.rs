//! The sentences of marks and verdicts, in one place.

use crate::say::{fill, number};
use crate::{report::promise, say};
use referee::Verdict;
use sim::Nanos;
use sim::story::{Mark, Objection};
use std::fmt::Display;

/// The sentences of orders; those of the clusters are in their own tables.
const ORDERS: &[(&str, &str)] = &[
    ("killed", "{0} is killed"),
    ("powered-off", "{0} loses power"),
    ("paused", "{0} is paused"),
    ("resumed", "{0} goes on"),
    ("stopped", "{0} is asked to stop"),
    ("started", "{0} starts"),
    ("client-added", "{0} joins, with the settings of {1}"),
    ("cut", "{0} is cut off from {1}"),
    ("healed", "{0} reaches {1} again"),
    ("link-worse", "{0} and {1}: {2} more delay, {3} % of segments lost"),
    ("healed-all", "all links are healed"),
    ("slowed", "{0}: its {1} takes {2} % of the usual time"),
    ("rate-set", "{0} now produces {1}"),
    ("processing-set", "{0} now works {1} on a message"),
    ("prefetch-set", "{0}: prefetch {1}"),
    ("fails-on", "{0}: its application fails on messages of key {1} from now on"),
    ("fails-on-none", "{0}: its application fails on no message any more"),
    ("published-one", "{0} publishes one more"),
    ("commit-ordered", "{0} is told to commit"),
    ("abort-ordered", "{0} is told to abort"),
    ("disk-filled", "{0}: something else fills the disk, {1} are free"),
    ("disk-freed", "{0}: the disk has room again"),
    ("watermark-set", "{0}: the memory watermark is {1} % now"),
    ("reassigned", "{0} is asked to move {1} to {2}"),
    ("reassignment-cancelled", "{0} is asked to give up the move of {1}"),
    ("partitions-added", "{0} is asked to give {1} {2} partitions"),
    ("topic-config-set", "{0} is asked to give {1} {2}"),
    ("policy-set", "{0} is asked to set the policy {1}"),
    ("policy-cleared", "{0} is asked to clear the policy {1}"),
    ("elect-preferred", "{0} is asked for the preferred leaders of {1}"),
    ("elect-unclean", "{0} is asked for any leaders of {1}"),
    ("member-added", "{0} is to get a member of {1}"),
    ("member-deleted", "{0} is to lose its member of {1}"),
];

/// Values that are words, not names.
const VALUES: &[&str] = &[
    "nobody",
    "metadata",
    "all others",
    "all topics",
    "all brokers",
    "disk",
    "network",
    "processor",
    "memory",
    "a new member",
    "a member that joins again",
    "a member that left",
    "a member whose session ended",
    "a static member that is back",
    "its application threw an exception",
    "election of leaders",
    "accepts",
    "releases",
    "rejects",
    "back into the queue",
    "out of the queue",
    "there is no such queue",
    "a classic queue has no members",
    "the node is a member already",
    "the node is no member",
    "it is the last member",
];

/// The sentence of a mark.
#[must_use]
pub fn sentence(mark: &Mark) -> String {
    // Both clusters have codes of the same name: the rule tells whose words are meant.
    let own = if mark.rule.0.starts_with('R') { queue_cluster::WORDS } else { log_cluster::WORDS };
    if mark.code == "hand-refused" {
        let says = mark.values.first().map_or("", String::as_str);
        return filled(says, &mark.values[1..]);
    }
    let tables = [own, ORDERS, log_cluster::WORDS, queue_cluster::WORDS];
    let found = tables.iter().flat_map(|table| table.iter()).find(|(code, _)| *code == mark.code);
    let Some((_, template)) = found else { return mark.code.to_owned() };
    filled(template, &mark.values)
}

/// Why an order makes no sense, in a sentence.
#[must_use]
pub fn objection(objection: &Objection) -> String {
    filled(objection.says, &objection.values)
}

fn filled(template: &str, values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| shown(value)).collect();
    let values: Vec<&dyn Display> = values.iter().map(|value| value as &dyn Display).collect();
    fill(template, &values)
}

/// A mark's value as it is shown: what is a word or a time, not a name, is said in the reader's language.
fn shown(value: &str) -> String {
    match value.split_once(' ') {
        Some((digits, "ns" | "µs" | "ms" | "s")) if digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            number(value)
        }
        _ if VALUES.contains(&value) => fill(value, &[]),
        _ => value.to_owned(),
    }
}

/// A whole number with its thousands grouped.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    number(text)
}

/// The verdict in words: a sentence to read first, and what is to be added. `log`: whether it is the log cluster's.
#[must_use]
pub fn verdict(verdict: &Verdict, log: bool) -> (String, Vec<String>) {
    let counts = &verdict.counts;
    let mut more = Vec::new();
    let mut add = |count: u64, say: fn(String) -> String| {
        if count > 0 {
            more.push(say(grouped(count)));
        }
    };
    add(counts.duplicated, |n| {
        say!("{} message was processed more than once|{} messages were processed more than once", n)
    });
    add(counts.reordered, |n| {
        say!("{} message came after a later one of the same key|{} messages came after a later one of the same key", n)
    });
    add(verdict.outstanding, |n| say!("{} message is on its way|{} messages are on their way", n));
    add(counts.refused, |n| say!("{} message was refused|{} messages were refused", n));
    add(counts.dead_lettered, |n| say!("{} message was dead-lettered|{} messages were dead-lettered", n));
    if verdict.lost > 0 || counts.acknowledged == 0 {
        add(counts.dropped, |n| say!("{} message was dropped by a rule|{} messages were dropped by a rule", n));
    }
    add(counts.aborted, |n| {
        say!("{} message was aborted by its producer|{} messages were aborted by their producers", n)
    });
    if counts.acknowledged > 0 {
        add(verdict.gone, |n| {
            say!("{} message is gone that was never promised|{} messages are gone that were never promised", n)
        });
    }
    if let Some(p99) = verdict.p99 {
        more.push(say!("99 % were processed within {}", number(Nanos(p99))));
    }
    (headline(verdict, promise(log)), more)
}

fn headline(verdict: &Verdict, promised: &str) -> String {
    let counts = &verdict.counts;
    let [gone, dropped, all, lost] = [verdict.gone, counts.dropped, counts.acknowledged, verdict.lost].map(grouped);
    if counts.produced == 0 {
        say!("Nothing was produced yet.").to_owned()
    } else if counts.acknowledged == 0 && verdict.gone > 0 {
        say!("Nothing was {1}, and 1 message is gone.|Nothing was {1}, and {0} messages are gone.", gone, promised)
    } else if counts.acknowledged == 0 {
        say!("Nothing was {} yet.", promised)
    } else if verdict.lost > 0 {
        let all = say!("{} message {}|{} messages {}", all, promised);
        say!("{} of {} is lost.|{} of {} are lost.", lost, all)
    } else if counts.dropped > 0 {
        // What a rule took was not lost, and yet nobody will process it: not safe either.
        say!(
            "No message {1} is lost; 1 message was dropped by a rule.|\
             No message {1} is lost; {0} messages were dropped by a rule.",
            dropped,
            promised
        )
    } else {
        say!("All {} message {} is safe.|All {} messages {} are safe.", all, promised)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::story::{MarkKind, Rule};
    use sim::{NodeId, Time};

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([grouped(7), grouped(1_204), grouped(1_000_000)], ["7", "1,204", "1,000,000"]);
    }

    #[test]
    fn what_a_rule_dropped_is_not_called_safe() {
        let told = |acknowledged, dropped, lost| {
            let counts = referee::Counts { produced: 9, acknowledged, dropped, ..referee::Counts::default() };
            let verdict = Verdict {
                counts,
                lost,
                gone: 0,
                outstanding: 0,
                lost_ids: Vec::new(),
                p50: None,
                p99: None,
                p999: None,
            };
            let (headline, more) = super::verdict(&verdict, true);
            format!("{headline} {}", more.join(". "))
        };
        assert_eq!(told(9, 0, 0), "All 9 messages acknowledged are safe. ");
        assert_eq!(told(9, 3, 0), "No message acknowledged is lost; 3 messages were dropped by a rule. ");
        assert_eq!(told(9, 1, 2), "2 of 9 messages acknowledged are lost. 1 message was dropped by a rule");
    }

    #[test]
    fn a_code_that_both_clusters_use_is_said_in_the_words_of_its_rule() {
        let mark = |rule| Mark {
            at: Time::ZERO,
            kind: MarkKind::Election,
            node: NodeId(0),
            code: "leader-elected",
            values: ["orders", "node", "3"].map(str::to_owned).to_vec(),
            rule: Rule(rule),
        };
        assert_eq!(sentence(&mark("R-U2")), "orders: node leads, term 3");
        assert_eq!(sentence(&mark("K-E2")), "orders: node leads, epoch 3");
    }
}
