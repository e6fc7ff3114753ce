//! What the active controller puts on the time line of what was agreed on.

use crate::cluster::Node;
use crate::controller::Controller;
use crate::election::PartitionState;
use crate::image::{Image, Record, Registered};
use crate::layout::{Layout, Slot};
use crate::live::Whose;
use sim::Effects;
use sim::story::{MarkKind, Rule};

type Fx<'a> = Effects<'a, Node>;

/// More changes of one kind at once than this are told in one sentence.
const EACH: usize = 4;

/// What became of partitions, in the order of the time line.
#[derive(Copy, Clone, PartialEq, Eq)]
enum What {
    Elected,
    Unclean,
    Lost,
    Shrunk,
    Expanded,
}

impl What {
    /// The codes for one partition and for many.
    fn codes(self) -> (&'static str, &'static str) {
        match self {
            What::Elected => ("leader-elected", "leaders-elected"),
            What::Unclean => ("leader-unclean", "leaders-unclean"),
            What::Lost => ("leader-lost", "leaders-lost"),
            What::Shrunk => ("isr-shrunk", "isrs-shrunk"),
            What::Expanded => ("isr-expanded", "isrs-expanded"),
        }
    }

    fn is_election(self) -> bool {
        matches!(self, What::Elected | What::Unclean | What::Lost)
    }
}

struct Piece<'a> {
    what: What,
    slot: Slot,
    was: &'a PartitionState,
    now: &'a PartitionState,
}

impl Controller {
    /// Puts on the time line what was agreed on at once.
    pub(crate) fn announce(&mut self, before: &Image, records: &[Record], fx: &mut Fx<'_>) {
        let mut pieces: Vec<Piece<'_>> = Vec::new();
        let mut cause = None;
        for record in records {
            match record {
                Record::Broker(id, now) => {
                    self.announce_broker(*id, before.brokers.get(id), now, fx);
                    cause = Some(if now.leaving { Rule("K-Q6") } else { Rule("K-E7") });
                }
                Record::Partition(slot, now) => {
                    let topic = self.layout.topic(*slot);
                    if before.partition(*slot).is_none() && before.partition(topic.first).is_some() {
                        let values = vec![self.layout.label(*slot), names(&self.layout, &now.replicas)];
                        fx.mark(MarkKind::Change, "partition-created", values, Rule("K-T2"));
                    }
                    if let Some(was) = before.partition(*slot).filter(|_| is_in_use(&self.layout, *slot)) {
                        let slot = *slot;
                        self.announce_reassignment(slot, was, now, fx);
                        pieces.extend(changes(was, now).into_iter().flatten().map(|what| Piece {
                            what,
                            slot,
                            was,
                            now,
                        }));
                    }
                }
                Record::ProducerIds(_) => {}
                Record::Settings(_, (whose, setting, value)) => {
                    let (setting, value) = (setting.to_string(), if value.is_empty() { "-" } else { value }.to_owned());
                    match whose {
                        Whose::Topic(topic) => {
                            let values = vec![self.layout.topics[*topic as usize].name.to_string(), setting, value];
                            fx.mark(MarkKind::Change, "topic-config", values, Rule("K-T6"));
                        }
                        Whose::Broker(broker) => {
                            let values = vec![self.layout.name(*broker), setting, value];
                            fx.mark(MarkKind::Change, "one-broker-config", values, Rule("K-T7"));
                        }
                        Whose::Brokers => {
                            fx.mark(MarkKind::Change, "broker-config", vec![setting, value], Rule("K-T7"))
                        }
                    }
                }
            }
        }
        // The brokers' own partitions are no more than a change of who keeps a group.
        let (own, users): (Vec<_>, Vec<_>) =
            pieces.into_iter().partition(|piece| self.layout.topic(piece.slot).internal);
        let sum_up = |what: What| users.iter().filter(|piece| piece.what == what).count() > EACH;
        for what in [What::Elected, What::Unclean, What::Lost, What::Shrunk, What::Expanded] {
            if sum_up(what) {
                let many: Vec<&Piece<'_>> = users.iter().filter(|piece| piece.what == what).collect();
                self.announce_many(what, &many, cause, fx);
            }
        }
        for piece in users.iter().filter(|piece| !sum_up(piece.what)).chain(&own) {
            self.announce_one(piece, cause, fx);
        }
    }

    fn announce_broker(&self, id: u16, was: Option<&Registered>, now: &Registered, fx: &mut Fx<'_>) {
        let values = vec![self.layout.name(id)];
        if now.leaving && was.is_some_and(|was| !was.leaving) {
            fx.mark(MarkKind::Change, "controlled-shutdown", values, Rule("K-Q6"));
        } else if !now.fenced && was.is_some_and(|was| was.fenced) {
            fx.mark(MarkKind::Change, "broker-unfenced", values, Rule("K-Q4"));
        } else if was.is_none_or(|was| was.incarnation != now.incarnation) {
            fx.mark(MarkKind::Change, "broker-registered", values, Rule("K-Q4"));
        }
    }

    /// K-E10
    fn announce_reassignment(&self, slot: Slot, was: &PartitionState, now: &PartitionState, fx: &mut Fx<'_>) {
        let under_way = |state: &PartitionState| !(state.adding.is_empty() && state.removing.is_empty());
        let stays = now.replicas.iter().copied().filter(|replica| !now.removing.contains(replica));
        let values = vec![self.layout.label(slot), self.layout.names_of(&stays.collect::<Vec<u16>>())];
        let code = match (under_way(was), under_way(now)) {
            (_, true) if (&was.adding, &was.removing) != (&now.adding, &now.removing) => "reassignment-begun",
            (true, false) if was.adding.iter().any(|replica| !now.replicas.contains(replica)) => {
                "reassignment-given-up"
            }
            (true, false) => "reassignment-done",
            (false, false) if was.replicas != now.replicas => "reassignment-done",
            _ => return,
        };
        fx.mark(MarkKind::Change, code, values, Rule("K-E10"));
    }

    fn announce_one(&self, piece: &Piece<'_>, cause: Option<Rule>, fx: &mut Fx<'_>) {
        let (layout, now) = (&self.layout, piece.now);
        let mut values = vec![layout.label(piece.slot)];
        match (piece.what, now.leader) {
            (What::Elected | What::Unclean, Some(leader)) => {
                values.extend([layout.name(leader), now.leader_epoch.to_string()]);
            }
            (What::Shrunk | What::Expanded, _) => values.push(names(layout, &now.isr)),
            _ => {}
        }
        let kind = kind(piece.what, layout.topic(piece.slot).internal);
        fx.mark(kind, piece.what.codes().0, values, rule(piece.what, cause));
    }

    fn announce_many(&self, what: What, pieces: &[&Piece<'_>], cause: Option<Rule>, fx: &mut Fx<'_>) {
        let mut values = vec![pieces.len().to_string()];
        let epochs = || pieces.iter().map(|piece| piece.now.leader_epoch);
        match what {
            What::Elected | What::Unclean => {
                let (least, most) = (epochs().min().unwrap_or(0), epochs().max().unwrap_or(0));
                values.push(if least == most { least.to_string() } else { format!("{least} to {most}") });
            }
            What::Lost => {}
            What::Shrunk | What::Expanded => {
                let moved = |piece: &&Piece<'_>| -> Vec<u16> {
                    let (from, to) = (&piece.was.isr, &piece.now.isr);
                    let (all, rest) = if what == What::Shrunk { (from, to) } else { (to, from) };
                    all.iter().copied().filter(|replica| !rest.contains(replica)).collect()
                };
                let mut moved: Vec<u16> = pieces.iter().flat_map(moved).collect();
                moved.sort_unstable();
                moved.dedup();
                values.push(names(&self.layout, &moved));
            }
        }
        fx.mark(kind(what, false), what.codes().1, values, rule(what, cause));
    }
}

/// Of fifty partitions of commits few are in use: the others would hide the rest.
fn is_in_use(layout: &Layout, slot: Slot) -> bool {
    let transactions = || layout.transactional_ids.iter().any(|id| layout.transaction_slot(id) == Some(slot));
    let groups = || layout.readers.iter().any(|group| layout.group_slot(group) == Some(slot));
    !layout.topic(slot).internal || groups() || transactions()
}

/// What is to be told of a partition; a new leader's in-sync set comes with its election.
fn changes(was: &PartitionState, now: &PartitionState) -> [Option<What>; 2] {
    let elected = was.leader_epoch != now.leader_epoch;
    let leader = elected.then(|| match now.leader {
        Some(leader) if now.recovering && !was.isr.contains(&leader) && !was.elr.contains(&leader) => What::Unclean,
        Some(_) => What::Elected,
        None => What::Lost,
    });
    let in_sync = was.isr != now.isr && (!elected || now.leader.is_none());
    let grown = now.isr.len() > was.isr.len();
    [leader, in_sync.then_some(if grown { What::Expanded } else { What::Shrunk })]
}

fn kind(what: What, internal: bool) -> MarkKind {
    if what.is_election() && !internal { MarkKind::Election } else { MarkKind::Change }
}

/// The rule that made it; in-sync sets change with a broker (K-E7, K-Q6), or by the leader's word (K-R3, K-R4).
fn rule(what: What, cause: Option<Rule>) -> Rule {
    match what {
        What::Elected | What::Unclean => Rule("K-E2"),
        What::Lost => Rule("K-E5"),
        What::Shrunk => cause.unwrap_or(Rule("K-R3")),
        What::Expanded => cause.unwrap_or(Rule("K-R4")),
    }
}

fn names(layout: &Layout, brokers: &[u16]) -> String {
    if brokers.is_empty() { "nobody".to_owned() } else { layout.names_of(brokers) }
}

#[cfg(test)]
mod tests {
    use super::What;

    #[test]
    fn all_codes_have_words() {
        for what in [What::Elected, What::Unclean, What::Lost, What::Shrunk, What::Expanded] {
            let (one, many) = what.codes();
            assert_eq!(crate::WORDS.iter().filter(|(code, _)| [one, many].contains(code)).count(), 2);
        }
    }
}
