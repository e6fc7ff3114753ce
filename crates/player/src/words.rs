//! The sentences: marks and verdicts in English, in one place.

use referee::Verdict;
use sim::Nanos;
use sim::story::Mark;

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
    ("hand-refused", "{0}"),
    ("commit-ordered", "{0} is told to commit"),
    ("abort-ordered", "{0} is told to abort"),
    ("disk-filled", "{0}: something else fills the disk, {1} are free"),
    ("disk-freed", "{0}: the disk has room again"),
    ("watermark-set", "{0}: the memory watermark is {1} % now"),
    ("reassigned", "{0} is asked to move {1}"),
    ("reassignment-cancelled", "{0} is asked to give up the move of {1}"),
    ("partitions-added", "{0} is asked to give {1}"),
    ("topic-config-set", "{0} is asked to give {1}"),
    ("policy-set", "{0} is asked to set the policy {1}"),
    ("policy-cleared", "{0} is asked to clear the policy {1}"),
    ("elect-preferred", "{0} is asked for the preferred leaders of {1}"),
    ("elect-unclean", "{0} is asked for any leaders of {1}"),
    ("member-added", "{0} is to get a member of {1}"),
    ("member-deleted", "{0} is to lose its member of {1}"),
];

/// The sentence of a mark.
#[must_use]
pub fn sentence(mark: &Mark) -> String {
    // Both clusters have codes of the same name: the rule tells whose words are meant.
    let own = if mark.rule.0.starts_with('R') { queue_cluster::WORDS } else { log_cluster::WORDS };
    let tables = [own, ORDERS, log_cluster::WORDS, queue_cluster::WORDS];
    let found = tables.iter().flat_map(|table| table.iter()).find(|(code, _)| *code == mark.code);
    let Some((_, template)) = found else { return mark.code.to_owned() };
    mark.values
        .iter()
        .enumerate()
        .fold((*template).to_owned(), |text, (n, value)| text.replace(&format!("{{{n}}}"), value))
}

/// A whole number with its thousands grouped.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn messages(count: u64) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{} messages", grouped(count)) }
}

fn are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// The verdict in words: a sentence to read first, and what is to be added.
#[must_use]
pub fn verdict(verdict: &Verdict, promise: &str) -> (String, Vec<String>) {
    let counts = &verdict.counts;
    let headline = match (counts.acknowledged, verdict.lost) {
        _ if counts.produced == 0 => "Nothing was produced yet.".to_owned(),
        (0, _) if verdict.gone > 0 => {
            format!("Nothing was {promise}, and {} {} gone.", messages(verdict.gone), are(verdict.gone))
        }
        (0, _) => format!("Nothing was {promise} yet."),
        // What a rule took was not lost, and yet nobody will process it: not safe either.
        (_, 0) if counts.dropped > 0 => {
            let were = if counts.dropped == 1 { "was" } else { "were" };
            format!("No message {promise} is lost; {} {were} dropped by a rule.", messages(counts.dropped))
        }
        (all, 0) => format!("All {} {promise} {} safe.", messages(all), are(all)),
        (all, lost) => format!("{} of {} {promise} {} lost.", grouped(lost), messages(all), are(lost)),
    };
    let mut more = Vec::new();
    let mut add = |count: u64, text: &str| {
        if count > 0 {
            more.push(format!("{} {text}", messages(count)));
        }
    };
    add(
        counts.duplicated,
        if counts.duplicated == 1 { "was processed more than once" } else { "were processed more than once" },
    );
    add(counts.reordered, "came after a later one of the same key");
    add(verdict.outstanding, if verdict.outstanding == 1 { "is on its way" } else { "are on their way" });
    add(counts.refused, if counts.refused == 1 { "was refused" } else { "were refused" });
    add(counts.dead_lettered, if counts.dead_lettered == 1 { "was dead-lettered" } else { "were dead-lettered" });
    if verdict.lost > 0 || counts.acknowledged == 0 {
        add(counts.dropped, if counts.dropped == 1 { "was dropped by a rule" } else { "were dropped by a rule" });
    }
    add(
        counts.aborted,
        if counts.aborted == 1 { "was aborted by its producer" } else { "were aborted by their producers" },
    );
    if counts.acknowledged > 0 {
        add(
            verdict.gone,
            if verdict.gone == 1 { "is gone that was never promised" } else { "are gone that were never promised" },
        );
    }
    if let Some(p99) = verdict.p99 {
        more.push(format!("99 % were processed within {}", Nanos(p99)));
    }
    (headline, more)
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
            let (headline, more) = super::verdict(&verdict, "acknowledged");
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
