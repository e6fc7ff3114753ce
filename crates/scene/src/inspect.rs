//! What stands at the playhead, of one thing: a node, a queue, an exchange, a topic, a partition, a group or a link.

use crate::faces::health_words;
use crate::{Which, inspect_log, inspect_queue, nodes};
use player::{Player, say};
use serde::Serialize;
use sim::story::FlightKind;
use sim::{Health, Nanos, NodeId};

/// Something that is so, and the rule that it goes by.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Fact {
    /// What, in the broker's words, such as `high watermark`.
    pub name: String,
    /// What it is now.
    pub value: String,
    /// The rule that says why; empty where there is nothing to say.
    pub rule: &'static str,
}

/// Gathers facts.
#[derive(Debug, Default)]
pub(crate) struct Facts(pub Vec<Fact>);

impl Facts {
    /// Says that something is so.
    pub fn say(&mut self, name: impl Into<String>, value: impl std::fmt::Display, rule: &'static str) {
        self.0.push(Fact { name: name.into(), value: value.to_string(), rule });
    }
}

/// What there is to know of a thing at the playhead; `None` if there is no such thing now.
///
/// `kind` is `node`, `link`, `queue`, `exchange`, `topic`, `partition` or `group`; a link's name is both ends' with ` – `
/// between.
#[must_use]
pub fn inspect(player: &Player, which: Which, kind: &str, name: &str) -> Option<Vec<Fact>> {
    let mut facts = Facts::default();
    let found = match kind {
        "node" => node(player, which, name, &mut facts),
        "link" => link(player, which, name, &mut facts),
        _ => Some(()),
    };
    found?;
    let state = player.state();
    let known = match which {
        Which::Log => inspect_log::facts(player, state.log.as_ref()?, kind, name, &mut facts),
        Which::Queue => inspect_queue::facts(player, state.queue.as_ref()?, kind, name, &mut facts),
    };
    (known || matches!(kind, "node" | "link")).then_some(facts.0)
}

pub(crate) fn name_of(player: &Player, which: Which, node: NodeId) -> String {
    nodes(player, which).get(node.index()).map_or(String::new(), |info| info.name.clone())
}

/// Names, one after the other; `nobody` if there are none.
pub(crate) fn names(player: &Player, which: Which, ids: impl IntoIterator<Item = NodeId>) -> String {
    let all: Vec<String> = ids.into_iter().map(|id| name_of(player, which, id)).collect();
    if all.is_empty() { say!("nobody").to_owned() } else { all.join(", ") }
}

pub(crate) fn node_named(player: &Player, which: Which, name: &str) -> Option<NodeId> {
    nodes(player, which).iter().find(|info| info.name == name).map(|info| info.id)
}

/// `yes` or `no`.
pub(crate) fn yes(is_so: bool) -> &'static str {
    if is_so { say!("yes") } else { say!("no") }
}

fn health(health: Health) -> &'static str {
    match health {
        Health::PoweredOff => say!("powered off"),
        other => health_words(other),
    }
}

/// How a node is, whom it is connected with, and what is on its way to it.
fn node(player: &Player, which: Which, name: &str, facts: &mut Facts) -> Option<()> {
    let node = node_named(player, which, name)?;
    let state = player.state();
    let (how, pairs, cuts, coming) = match which {
        Which::Log => of_world(state.log.as_ref()?.cluster.world(), node),
        Which::Queue => of_world(state.queue.as_ref()?.cluster.world(), node),
    };
    facts.say(say!("state"), health(how), "X-1");
    facts.say(say!("connected with"), names(player, which, pairs), "");
    if !cuts.is_empty() {
        facts.say(say!("links cut"), names(player, which, cuts), "X-1");
    }
    facts.say(say!("on its way to it"), coming, "");
    Some(())
}

type World = (Health, Vec<NodeId>, Vec<NodeId>, usize);

fn of_world<P: sim::Process>(world: &sim::World<P>, node: NodeId) -> World {
    let other = |(a, b): (NodeId, NodeId)| (a == node).then_some(b).or((b == node).then_some(a));
    let mut pairs: Vec<NodeId> = world.connections().filter_map(other).collect();
    let mut cuts: Vec<NodeId> = world.cuts().filter_map(other).collect();
    for list in [&mut pairs, &mut cuts] {
        list.sort_unstable();
        list.dedup();
    }
    (world.health(node), pairs, cuts, world.flights().filter(|flight| flight.to == node).count())
}

/// A link: whether it is cut, and what is on its way over it.
fn link(player: &Player, which: Which, name: &str, facts: &mut Facts) -> Option<()> {
    let (from, to) = name.split_once(" – ")?;
    let (from, to) = (node_named(player, which, from)?, node_named(player, which, to)?);
    let state = player.state();
    match which {
        Which::Log => over(player, which, state.log.as_ref()?.cluster.world(), (from, to), facts),
        Which::Queue => over(player, which, state.queue.as_ref()?.cluster.world(), (from, to), facts),
    }
    Some(())
}

fn over<P: sim::Process>(
    player: &Player,
    which: Which,
    world: &sim::World<P>,
    (a, b): (NodeId, NodeId),
    facts: &mut Facts,
) {
    let open = world.connections().any(|pair| pair == (a, b) || pair == (b, a));
    facts.say(say!("connection"), if open { say!("open") } else { say!("none") }, "X-1");
    for (from, to) in [(a, b), (b, a)] {
        let way = format!("{} → {}", name_of(player, which, from), name_of(player, which, to));
        let flights: Vec<_> = world.flights().filter(|flight| (flight.from, flight.to) == (from, to)).collect();
        let messages = flights.iter().filter(|flight| {
            matches!(flight.look.kind, FlightKind::Produce | FlightKind::Deliver | FlightKind::Replicate)
        });
        let slowest = flights.iter().map(|flight| flight.due.since(flight.sent)).max().unwrap_or(Nanos::ZERO);
        let mut said = Vec::new();
        if world.is_cut(from, to) {
            said.push(say!("cut").to_owned());
        }
        if let Some((_, (delay, loss))) = world.worse().find(|(link, _)| *link == (from, to)) {
            let lost = say::number(f64::from(loss) / 10_000.0);
            said.push(say!("{} slower, {} % more lost", say::number(delay), lost));
        }
        let (all, with) = (flights.len(), messages.count());
        let slowest = say::number(slowest);
        said.push(say!("{} on their way, {} of them with messages, {} at most", all, with, slowest));
        facts.say(way, said.join(", "), "");
    }
}
