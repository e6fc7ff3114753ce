//! What stands of the queue cluster's things.

use crate::Which;
use crate::inspect::{Facts, name_of, names, node_named, yes};
use player::words::grouped;
use player::{Player, Side, say};
use queue_cluster::{MemberView, NodeView, QueueCluster, QueueKind, QueueView, View};
use sim::NodeId;

/// Whether there is such a thing; what is known of it is added.
pub(crate) fn facts(player: &Player, side: &Side<QueueCluster>, kind: &str, name: &str, facts: &mut Facts) -> bool {
    let view = side.cluster.view();
    match kind {
        "node" => node_named(player, Which::Queue, name).is_some_and(|node| {
            server(player, &view, node, facts);
            client(player, &view, node, facts);
            true
        }),
        "queue" => view.queues.iter().find(|queue| queue.name == name).is_some_and(|known| {
            queue(player, known, facts);
            routes(side, name, false, facts);
            true
        }),
        "exchange" => exchange(side, name, facts),
        _ => false,
    }
}

fn server(player: &Player, view: &View, node: NodeId, facts: &mut Facts) {
    let Some(known) = view.nodes.iter().find(|known| known.id == node) else { return };
    facts.say(say!("serves"), yes(known.running), "R-N2");
    facts.say(say!("sees"), names(player, Which::Queue, known.sees.iter().copied()), "R-N1");
    facts.say(say!("clients"), names(player, Which::Queue, known.clients.iter().copied()), "R-M7");
    facts.say(say!("alarms"), alarm_words(known), "R-M4");
    if !known.blocked.is_empty() {
        facts.say(say!("blocked publishers"), names(player, Which::Queue, known.blocked.iter().copied()), "R-M4");
    }
    if !known.in_flow.is_empty() {
        facts.say(say!("in flow"), names(player, Which::Queue, known.in_flow.iter().copied()), "R-M3");
    }
    if !known.apart.is_empty() {
        facts.say(say!("ran apart from"), names(player, Which::Queue, known.apart.iter().copied()), "R-N2");
    }
    for queue in &view.queues {
        if queue.leader == Some(node) {
            let role = if queue.kind == QueueKind::Classic { say!("home") } else { say!("leader") };
            let said = say!("{}: {} ready, {} unacked", role, grouped(queue.ready), queue.unacked);
            facts.say(&queue.name, said, "R-U1");
        } else if let Some(member) = queue.members.iter().find(|member| member.node == node) {
            facts.say(&queue.name, member_words(member), "R-U1");
        } else if let Some((_, synced)) = queue.mirrors.iter().find(|(mirror, _)| *mirror == node) {
            facts.say(&queue.name, mirror_words(*synced), "R-M8");
        }
    }
}

/// A node's alarms, one after the other; `none` if there are none.
pub(crate) fn alarm_words(node: &NodeView) -> String {
    let alarm = |name: &&str| if *name == "disk" { say!("disk") } else { say!("memory") };
    let alarms: Vec<&str> = node.alarms.iter().map(alarm).collect();
    if alarms.is_empty() { say!("none").to_owned() } else { alarms.join(", ") }
}

fn mirror_words(synced: bool) -> &'static str {
    if synced { say!("mirror, synchronised") } else { say!("mirror, not synchronised") }
}

fn member_words(member: &MemberView) -> String {
    let role = match (member.leads, member.candidate) {
        (true, _) => say!("leader"),
        (_, true) => say!("candidate"),
        _ => say!("follower"),
    };
    let (term, end, commit, flushed) = (member.term, member.log_end, member.commit, member.flushed);
    say!("{}, term {}, log end {}, commit {}, flushed {}", role, term, end, commit, flushed)
}

fn client(player: &Player, view: &View, node: NodeId, facts: &mut Facts) {
    let at = |server: Option<NodeId>| server.map_or(say!("nobody").to_owned(), |id| name_of(player, Which::Queue, id));
    if let Some(publisher) = view.publishers.iter().find(|publisher| publisher.id == node) {
        facts.say(say!("connected to"), at(publisher.connected), "R-M7");
        facts.say(say!("unconfirmed"), publisher.unconfirmed, "R-C1");
        facts.say(say!("waiting in the client"), publisher.waiting, "R-C1");
        facts.say(say!("refused"), publisher.refused, "R-C2");
        facts.say(say!("blocked by an alarm"), yes(publisher.blocked), "R-M4");
    }
    if let Some(consumer) = view.consumers.iter().find(|consumer| consumer.id == node) {
        facts.say(say!("connected to"), at(consumer.connected), "R-M7");
        facts.say(say!("queue"), &consumer.queue, "R-P5");
        let most = if consumer.prefetch == 0 { say!("no limit").to_owned() } else { consumer.prefetch.to_string() };
        facts.say(say!("prefetch"), most, "R-P1");
        facts.say(say!("unacked"), consumer.unacked_count, "R-K4");
        facts.say(say!("processed"), grouped(consumer.processed), "");
        if let Some((since, until)) = consumer.working {
            facts.say(say!("works on one"), say!("from {} to {}", say::number(since), say::number(until)), "");
        }
    }
}

fn queue(player: &Player, queue: &QueueView, facts: &mut Facts) {
    let (kind, role) = match queue.kind {
        QueueKind::Classic => ("classic", say!("home")),
        QueueKind::Quorum => ("quorum", say!("leader")),
        QueueKind::Stream => ("stream", say!("leader")),
    };
    facts.say(say!("type"), kind, if queue.kind == QueueKind::Stream { "R-S1" } else { "" });
    facts.say(role, queue.leader.map_or(say!("nobody").to_owned(), |node| name_of(player, Which::Queue, node)), "R-U2");
    facts.say(say!("available"), yes(queue.available), if queue.kind == QueueKind::Classic { "R-Q3" } else { "R-U3" });
    facts.say(say!("ready"), grouped(queue.ready), "R-P5");
    facts.say(say!("unacked"), grouped(queue.unacked), "R-K4");
    if queue.dead_letters > 0 {
        facts.say(say!("dead letters that wait for their target"), grouped(queue.dead_letters), "R-U8");
    }
    for member in &queue.members {
        facts.say(name_of(player, Which::Queue, member.node), member_words(member), "R-U1");
    }
    for (node, synced) in &queue.mirrors {
        facts.say(name_of(player, Which::Queue, *node), mirror_words(*synced), "R-M8");
    }
    for window in &queue.consumers {
        let most = window.window.map_or(say!("no limit").to_owned(), |most| most.to_string());
        let words = say!("consumer {}: {} held of {}", window.tag, window.held_count, most);
        let said = if window.active { words } else { say!("{}, not the active one", words) };
        facts.say(name_of(player, Which::Queue, window.client), said, "R-P1");
    }
}

/// The ways that lead to a queue or an exchange, and those for its dead letters.
fn routes(side: &Side<QueueCluster>, name: &str, to_exchange: bool, facts: &mut Facts) {
    let routes = side.cluster.routes();
    for binding in routes.bindings.iter().filter(|b| b.destination == name && b.to_exchange == to_exchange) {
        let words = [binding.routing_key.as_str(), binding.arguments.as_str()];
        let said: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        facts.say(say!("bound to {}", binding.source), said.join(" "), "R-X2");
    }
    for letters in routes.dead_letters.iter().filter(|letters| !to_exchange && letters.queue == name) {
        let exchange = &letters.exchange;
        let exchange = if exchange.is_empty() { say!("the default exchange").to_owned() } else { exchange.to_string() };
        let key = letters.routing_key.as_ref().map_or(say!("its own key").to_owned(), |key| say!("key {}", key));
        let (once, rule) = if letters.at_least_once {
            (format!(", {}", say!("at least once")), "R-U8")
        } else {
            (String::new(), "R-T4")
        };
        facts.say(say!("dead letters go to"), format!("{exchange}, {key}{once}"), rule);
    }
}

fn exchange(side: &Side<QueueCluster>, name: &str, facts: &mut Facts) -> bool {
    if name.is_empty() {
        facts.say(say!("type"), say!("direct: to the queue that is called as the routing key"), "R-X1");
        return true;
    }
    let all = side.cluster.routes();
    let Some(exchange) = all.exchanges.iter().find(|exchange| exchange.name == name) else { return false };
    let rule = match exchange.kind {
        "topic" => "R-X3",
        "headers" => "R-X4",
        "x-consistent-hash" => "R-X5",
        _ => "R-X2",
    };
    facts.say(say!("type"), exchange.kind, rule);
    if exchange.internal {
        facts.say(say!("internal"), yes(true), "R-X9");
    }
    facts.say(say!("alternate exchange"), exchange.alternate.as_deref().unwrap_or(say!("none")), "R-X6");
    for binding in all.bindings.iter().filter(|binding| binding.source == name) {
        let words = [binding.routing_key.as_str(), binding.arguments.as_str()];
        let said: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let to = &binding.destination;
        let way = if binding.to_exchange { say!("to exchange {}", to) } else { say!("to queue {}", to) };
        facts.say(way, said.join(" "), rule);
    }
    routes(side, name, true, facts);
    true
}
