//! Exchanges, queues and clients as a graph.

use crate::graph::{Graph, GraphNode, figure};
use crate::nodes;
use player::{Player, Side, say};
use queue_cluster::{Config, QueueCluster, QueueKind, QueueView, Routes, View};
use sim::NodeId;
use sim::workload::Role;

/// The default exchange as an element.
const DEFAULT: &str = "exchange:";

struct Drawing<'a> {
    player: &'a Player,
    config: &'a Config,
    view: View,
    routes: Routes,
    graph: Graph,
}

pub(crate) fn graph(player: &Player, side: &Side<QueueCluster>) -> Graph {
    let Some(config) = &player.compiled().queue else { return Graph::default() };
    let (view, routes) = (side.cluster.view(), side.cluster.routes());
    let mut drawing = Drawing { player, config, view, routes, graph: Graph::default() };
    drawing.publishers();
    drawing.exchanges();
    drawing.queues();
    drawing.consumers();
    drawing.graph.add_missing();
    drawing.graph
}

fn queue_id(name: &str) -> String {
    format!("queue:{name}")
}

fn exchange_id(name: &str) -> String {
    format!("exchange:{name}")
}

/// Whether a key with `{key}` or `{index}` in it can become this name.
fn may_become(template: &str, name: &str) -> bool {
    let Some((before, rest)) = template.split_once('{') else { return template == name };
    let after = rest.rsplit_once('}').map_or("", |(_, after)| after);
    name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
}

fn sort_of(queue: &QueueView) -> &'static str {
    match queue.kind {
        QueueKind::Classic => "classic",
        QueueKind::Quorum => "quorum",
        QueueKind::Stream => "stream",
    }
}

impl Drawing<'_> {
    fn name(&self, node: NodeId) -> String {
        let all = nodes(self.player, crate::Which::Queue);
        all.get(node.index()).map_or(String::new(), |info| info.name.clone())
    }

    fn publishers(&mut self) {
        for (index, publisher) in self.view.publishers.clone().iter().enumerate() {
            let Some(settings) = self.config.publishers.get(index).or(self.config.publishers.last()) else { continue };
            let name = self.name(publisher.id);
            let mut node = GraphNode { card: name.clone(), ..GraphNode::new("producer", &name) };
            node.at = publisher.connected.map_or(String::new(), |server| self.name(server));
            node.up = publisher.connected.is_some() && !publisher.blocked;
            node.figures =
                vec![figure(say!("unconfirmed"), publisher.unconfirmed), figure(say!("waiting"), publisher.waiting)];
            if publisher.refused > 0 {
                node.figures.push(figure(say!("refused"), publisher.refused));
            }
            let (from, up) = (node.id.clone(), node.up);
            self.graph.nodes.push(node);
            let (exchange, key) = (settings.exchange.clone(), settings.routing_key.clone());
            self.graph.connect(&from, &exchange_id(&exchange), "publish", key.clone(), up);
            if exchange.is_empty() {
                self.default_ways(&key);
            }
        }
    }

    /// R-X1: the default exchange leads to the queue that is called as the key.
    fn default_ways(&mut self, key: &str) {
        let named: Vec<String> =
            self.view.queues.iter().map(|queue| queue.name.clone()).filter(|name| may_become(key, name)).collect();
        let missing = named.is_empty() && !key.contains('{');
        for name in named.into_iter().chain(missing.then(|| key.to_owned())) {
            let to = queue_id(&name);
            if !self.graph.edges.iter().any(|edge| edge.from == DEFAULT && edge.to == to) {
                self.graph.connect(DEFAULT, &to, "bind", name, true);
            }
        }
    }

    fn exchanges(&mut self) {
        if self.graph.edges.iter().any(|edge| edge.to == DEFAULT) {
            self.graph.nodes.push(GraphNode { sort: say!("default").to_owned(), ..GraphNode::new("exchange", "") });
        }
        let routes = std::mem::take(&mut self.routes);
        for exchange in &routes.exchanges {
            let sort = if exchange.internal { say!("{}, internal", exchange.kind) } else { exchange.kind.to_string() };
            self.graph.nodes.push(GraphNode { sort, ..GraphNode::new("exchange", &exchange.name) });
            if let Some(other) = &exchange.alternate {
                self.graph.connect(&exchange_id(&exchange.name), &exchange_id(other), "alternate", "", true);
            }
        }
        for binding in &routes.bindings {
            let to = if binding.to_exchange { exchange_id } else { queue_id }(&binding.destination);
            let words = [binding.routing_key.as_str(), binding.arguments.as_str()];
            let label: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            self.graph.connect(&exchange_id(&binding.source), &to, "bind", label.join(" · "), true);
        }
        for letters in &routes.dead_letters {
            let key = letters.routing_key.clone().unwrap_or_default();
            // By way of the default exchange they go to one queue: the exchange would only hide to which.
            let to = match (letters.exchange.as_str(), key.as_str()) {
                ("", "") => exchange_id(""),
                ("", key) => queue_id(key),
                (exchange, _) => exchange_id(exchange),
            };
            let label = if letters.at_least_once { format!("{key} · at-least-once") } else { key };
            self.graph.connect(&queue_id(&letters.queue), &to, "dead-letter", label, true);
        }
    }

    fn queues(&mut self) {
        for queue in self.view.queues.clone() {
            let mut node = GraphNode::new("queue", &queue.name).focused("queue");
            node.sort = sort_of(&queue).to_owned();
            node.at = queue.leader.map_or(String::new(), |leader| self.name(leader));
            node.card = node.at.clone();
            node.up = queue.available;
            node.figures = vec![figure(say!("ready"), queue.ready), figure(say!("unacked"), queue.unacked)];
            if queue.dead_letters > 0 {
                node.figures.push(figure(say!("dead letters"), queue.dead_letters));
            }
            self.graph.nodes.push(node);
            for window in &queue.consumers {
                let to = format!("consumer:{}", self.name(window.client));
                let label = window.window.map_or(String::new(), |most| format!("{}/{most}", window.held_count));
                self.graph.connect(&queue_id(&queue.name), &to, "deliver", label, queue.available && window.active);
            }
        }
    }

    fn consumers(&mut self) {
        for consumer in self.view.consumers.clone() {
            let name = self.name(consumer.id);
            let mut node = GraphNode { card: name.clone(), ..GraphNode::new("consumer", &name) };
            node.at = consumer.connected.map_or(String::new(), |server| self.name(server));
            node.up = consumer.connected.is_some();
            node.figures =
                vec![figure(say!("held"), consumer.unacked_count), figure(say!("processed"), consumer.processed)];
            self.attach(&consumer.queue, node);
        }
        // Connections that play a script may consume, too.
        let scripted = |info: &&sim::workload::NodeInfo| info.role == Role::Producer(u16::MAX);
        let names: Vec<String> = nodes(self.player, crate::Which::Queue)
            .iter()
            .filter(scripted)
            .map(|info| info.name.clone())
            .filter(|name| self.graph.edges.iter().any(|edge| edge.to == format!("consumer:{name}")))
            .collect();
        for name in names {
            self.graph.nodes.push(GraphNode { card: name.clone(), ..GraphNode::new("consumer", &name) });
        }
    }

    /// A consumer that its queue does not know at the moment keeps its way, as one that nothing takes.
    fn attach(&mut self, queue: &str, node: GraphNode) {
        if !self.graph.edges.iter().any(|edge| edge.to == node.id) {
            self.graph.connect(&queue_id(queue), &node.id, "deliver", "", false);
        }
        self.graph.nodes.push(node);
    }
}

#[cfg(test)]
mod tests {
    use super::may_become;

    #[test]
    fn a_key_with_places_may_become_what_fits_around_them() {
        assert!(may_become("orders", "orders") && !may_become("orders", "orders-1"));
        assert!(may_become("{key}", "key-3") && may_become("q.{index}.x", "q.12.x") && !may_become("q.{index}", "r.1"));
    }
}
