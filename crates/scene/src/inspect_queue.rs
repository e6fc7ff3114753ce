//! What stands of the queue cluster's things.

use crate::Which;
use crate::inspect::{Facts, name_of, names, node_named};
use player::words::grouped;
use player::{Player, Side};
use queue_cluster::{QueueCluster, QueueKind, QueueView, View};
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
    facts.say("serves", if known.running { "yes" } else { "no" }, "R-N2");
    facts.say("sees", names(player, Which::Queue, known.sees.iter().copied()), "R-N1");
    facts.say("clients", names(player, Which::Queue, known.clients.iter().copied()), "R-M7");
    let alarms = if known.alarms.is_empty() { "none".to_owned() } else { known.alarms.join(", ") };
    facts.say("alarms", alarms, "R-M4");
    if !known.blocked.is_empty() {
        facts.say("blocked publishers", names(player, Which::Queue, known.blocked.iter().copied()), "R-M4");
    }
    if !known.in_flow.is_empty() {
        facts.say("in flow", names(player, Which::Queue, known.in_flow.iter().copied()), "R-M3");
    }
    if !known.apart.is_empty() {
        facts.say("ran apart from", names(player, Which::Queue, known.apart.iter().copied()), "R-N2");
    }
    for queue in &view.queues {
        if queue.leader == Some(node) {
            let role = if queue.kind == QueueKind::Classic { "home" } else { "leader" };
            facts.say(
                &queue.name,
                format!("{role}: {} ready, {} unacked", grouped(queue.ready), queue.unacked),
                "R-U1",
            );
        } else if let Some(member) = queue.members.iter().find(|member| member.node == node) {
            let role = if member.candidate { "candidate" } else { "follower" };
            let (term, end, commit, flushed) = (member.term, member.log_end, member.commit, member.flushed);
            facts.say(
                &queue.name,
                format!("{role}, term {term}, log end {end}, commit {commit}, flushed {flushed}"),
                "R-U1",
            );
        } else if let Some((_, synced)) = queue.mirrors.iter().find(|(mirror, _)| *mirror == node) {
            facts.say(&queue.name, if *synced { "mirror, synchronised" } else { "mirror, not synchronised" }, "R-M8");
        }
    }
}

fn client(player: &Player, view: &View, node: NodeId, facts: &mut Facts) {
    let at = |server: Option<NodeId>| server.map_or("nobody".to_owned(), |id| name_of(player, Which::Queue, id));
    if let Some(publisher) = view.publishers.iter().find(|publisher| publisher.id == node) {
        facts.say("connected to", at(publisher.connected), "R-M7");
        facts.say("unconfirmed", publisher.unconfirmed, "R-C1");
        facts.say("waiting in the client", publisher.waiting, "R-C1");
        facts.say("refused", publisher.refused, "R-C2");
        facts.say("blocked by an alarm", if publisher.blocked { "yes" } else { "no" }, "R-M4");
    }
    if let Some(consumer) = view.consumers.iter().find(|consumer| consumer.id == node) {
        facts.say("connected to", at(consumer.connected), "R-M7");
        facts.say("queue", &consumer.queue, "R-P5");
        let most = if consumer.prefetch == 0 { "no limit".to_owned() } else { consumer.prefetch.to_string() };
        facts.say("prefetch", most, "R-P1");
        facts.say("unacked", consumer.unacked_count, "R-K4");
        facts.say("processed", grouped(consumer.processed), "");
        if let Some((since, until)) = consumer.working {
            facts.say("works on one", format!("from {since} to {until}"), "");
        }
    }
}

fn queue(player: &Player, queue: &QueueView, facts: &mut Facts) {
    let (kind, role) = match queue.kind {
        QueueKind::Classic => ("classic", "home"),
        QueueKind::Quorum => ("quorum", "leader"),
        QueueKind::Stream => ("stream", "leader"),
    };
    facts.say("type", kind, if queue.kind == QueueKind::Stream { "R-S1" } else { "" });
    facts.say(role, queue.leader.map_or("nobody".to_owned(), |node| name_of(player, Which::Queue, node)), "R-U2");
    facts.say("available", if queue.available { "yes" } else { "no" }, if role == "home" { "R-Q3" } else { "R-U3" });
    facts.say("ready", grouped(queue.ready), "R-P5");
    facts.say("unacked", grouped(queue.unacked), "R-K4");
    if queue.dead_letters > 0 {
        facts.say("dead letters that wait for their target", grouped(queue.dead_letters), "R-U8");
    }
    for member in &queue.members {
        let role = match (member.leads, member.candidate) {
            (true, _) => "leader",
            (_, true) => "candidate",
            _ => "follower",
        };
        let (term, end, commit, flushed) = (member.term, member.log_end, member.commit, member.flushed);
        let said = format!("{role}, term {term}, log end {end}, commit {commit}, flushed {flushed}");
        facts.say(name_of(player, Which::Queue, member.node), said, "R-U1");
    }
    for (node, synced) in &queue.mirrors {
        let said = if *synced { "mirror, synchronised" } else { "mirror, not synchronised" };
        facts.say(name_of(player, Which::Queue, *node), said, "R-M8");
    }
    for window in &queue.consumers {
        let most = window.window.map_or("no limit".to_owned(), |most| most.to_string());
        let idle = if window.active { "" } else { ", not the active one" };
        let said = format!("consumer {}: {} held of {most}{idle}", window.tag, window.held_count);
        facts.say(name_of(player, Which::Queue, window.client), said, "R-P1");
    }
}

/// The ways that lead to a queue or an exchange, and those for its dead letters.
fn routes(side: &Side<QueueCluster>, name: &str, to_exchange: bool, facts: &mut Facts) {
    let routes = side.cluster.routes();
    for binding in routes.bindings.iter().filter(|b| b.destination == name && b.to_exchange == to_exchange) {
        let words = [binding.routing_key.as_str(), binding.arguments.as_str()];
        let said: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        facts.say(format!("bound to {}", binding.source), said.join(" "), "R-X2");
    }
    for letters in routes.dead_letters.iter().filter(|letters| !to_exchange && letters.queue == name) {
        let exchange = if letters.exchange.is_empty() { "the default exchange" } else { &letters.exchange };
        let key = letters.routing_key.as_ref().map_or("its own key".to_owned(), |key| format!("key {key}"));
        let once = if letters.at_least_once { ", at least once" } else { "" };
        facts.say(
            "dead letters go to",
            format!("{exchange}, {key}{once}"),
            if letters.at_least_once { "R-U8" } else { "R-T4" },
        );
    }
}

fn exchange(side: &Side<QueueCluster>, name: &str, facts: &mut Facts) -> bool {
    if name.is_empty() {
        facts.say("type", "direct: to the queue that is called as the routing key", "R-X1");
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
    facts.say("type", exchange.kind, rule);
    if exchange.internal {
        facts.say("internal", "yes", "R-X9");
    }
    facts.say("alternate exchange", exchange.alternate.as_deref().unwrap_or("none"), "R-X6");
    for binding in all.bindings.iter().filter(|binding| binding.source == name) {
        let words = [binding.routing_key.as_str(), binding.arguments.as_str()];
        let said: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let kind = if binding.to_exchange { "exchange" } else { "queue" };
        facts.say(format!("to {kind} {}", binding.destination), said.join(" "), rule);
    }
    routes(side, name, true, facts);
    true
}
