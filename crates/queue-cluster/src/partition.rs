//! What nodes do when they lose sight of each other and find each other again (R-N1 to R-N4).

use crate::Fx;
use crate::config::PartitionHandling;
use crate::desk::Ask;
use crate::frame::{Frame, Wake};
use crate::server::Server;
use sim::story::{MarkKind, Rule};
use sim::{Nanos, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// What a node reports of itself to the one that decides who restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub clients: u32,
    pub apart: Vec<NodeId>,
}

/// How a node stands to partitions.
#[derive(Clone, Debug, Default)]
pub struct Partition {
    /// Nodes that ran apart from this one, and whose metadata is not shared any more.
    pub apart: BTreeSet<NodeId>,
    /// The broker on this node does not serve.
    pub paused: bool,
    /// It waits for its restart, not for the others.
    healing: bool,
    /// It has just started, and takes over what the running nodes have.
    pub fresh: bool,
    /// The reports that the deciding node has got.
    reports: BTreeMap<NodeId, Report>,
}

impl Server {
    /// How many nodes this one sees, with itself.
    fn seen(&self) -> u16 {
        1 + self.peers.values().filter(|known| known.linked).count() as u16
    }

    /// Whether the strategy lets this node serve (R-N2).
    fn may_serve(&self) -> bool {
        if self.has_khepri() {
            return true;
        }
        match &self.config.server.partition_handling {
            PartitionHandling::Ignore | PartitionHandling::Autoheal => true,
            PartitionHandling::PauseMinority => self.seen() * 2 > self.config.nodes,
            PartitionHandling::PauseIfAllDown { nodes, .. } => nodes
                .iter()
                .any(|node| *node == self.me.0 || self.peers.get(&NodeId(*node)).is_some_and(|known| known.linked)),
        }
    }

    /// Another node is out of sight: perhaps too many are.
    pub fn check_minority(&mut self, fx: &mut Fx<'_>) {
        if self.partition.paused || self.may_serve() {
            return;
        }
        fx.mark(MarkKind::Change, "node-paused", vec![self.name.to_string()], Rule("R-N2"));
        self.pause_broker(false, fx);
    }

    /// The broker stops and the node stays: connections are closed, listeners too.
    fn pause_broker(&mut self, healing: bool, fx: &mut Fx<'_>) {
        self.close_all_connections(fx);
        self.settle_down();
        for peer in self.peers.keys().copied().collect::<Vec<_>>() {
            fx.disconnect(peer);
            self.try_again(peer, fx);
        }
        self.partition.paused = true;
        self.partition.healing = healing;
        fx.wake_in(self.config.server.down_ping, Wake::DownPing);
    }

    /// A paused node looks whether it may go on.
    pub fn down_ping(&mut self, fx: &mut Fx<'_>) {
        if !self.partition.paused {
            return;
        }
        if !self.partition.healing && !self.may_serve() {
            fx.wake_in(self.config.server.down_ping, Wake::DownPing);
            return;
        }
        self.partition.paused = false;
        self.partition.healing = false;
        fx.mark(MarkKind::Change, "node-resumed", vec![self.name.to_string()], Rule("R-N2"));
        self.start(fx);
        let linked = self.peers.iter().filter(|(_, known)| known.linked).map(|(node, _)| *node);
        for peer in linked.collect::<Vec<_>>() {
            self.say_hello(peer, fx);
        }
    }

    pub fn say_hello(&self, peer: NodeId, fx: &mut Fx<'_>) {
        self.send_control(peer, Frame::Hello { boot: self.boot, fresh: self.partition.fresh }, fx);
    }

    /// The other node's broker was up all the time that it was out of sight: it ran apart (R-N2).
    pub fn ran_apart(&mut self, peer: NodeId, fx: &mut Fx<'_>) {
        if self.has_khepri() {
            return;
        }
        self.partition.apart.insert(peer);
        let values = vec![self.name.to_string(), crate::cluster::node_name(peer)];
        fx.mark(MarkKind::Change, "partition-detected", values, Rule("R-N2"));
    }

    /// A node came up or into sight while this one is partitioned: time to ask for healing.
    pub fn ask_for_healing(&mut self, fx: &mut Fx<'_>) {
        if self.partition.apart.is_empty() || !self.config.server.partition_handling.heals() {
            return;
        }
        // The first node of the cluster decides.
        if self.me == NodeId(0) {
            self.heal_asked(fx);
        } else {
            self.send_control(NodeId(0), Frame::HealStart, fx);
        }
    }

    /// This node decides, if all nodes are up; it asks them how they stand.
    pub fn heal_asked(&mut self, fx: &mut Fx<'_>) {
        if self.me != NodeId(0) || self.peers.values().any(|known| !known.connected) {
            return;
        }
        self.partition.reports.clear();
        for peer in self.peers.keys().copied().collect::<Vec<_>>() {
            self.send_control(peer, Frame::HealAsk, fx);
        }
        let own = self.own_report();
        self.heal_reported(self.me, own, fx);
    }

    pub fn own_report(&self) -> Report {
        let apart = self.partition.apart.iter().copied().collect();
        Report { clients: self.connections.len() as u32, apart }
    }

    /// R-N2: the winner is the side with most connections, then with most nodes.
    pub fn heal_reported(&mut self, from: NodeId, report: Report, fx: &mut Fx<'_>) {
        self.partition.reports.insert(from, report);
        if self.partition.reports.len() < usize::from(self.config.nodes) {
            return;
        }
        let reports = std::mem::take(&mut self.partition.reports);
        let sides = sides(&reports);
        let weight = |side: &Vec<NodeId>| -> (u32, usize) {
            (side.iter().filter_map(|node| reports.get(node)).map(|report| report.clients).sum(), side.len())
        };
        let Some(winner) = sides.iter().rev().max_by_key(|side| weight(side)).cloned() else { return };
        if sides.len() < 2 {
            return;
        }
        let names = winner.iter().map(|node| crate::cluster::node_name(*node)).collect::<Vec<_>>().join(", ");
        fx.mark(MarkKind::Change, "autoheal-winner", vec![names], Rule("R-N2"));
        let losers: Vec<NodeId> = reports.keys().copied().filter(|node| !winner.contains(node)).collect();
        for loser in losers {
            if loser != self.me {
                self.send_control(loser, Frame::HealLose, fx);
            }
        }
        if !winner.contains(&self.me) {
            self.lose(fx);
        }
    }

    /// This node's side lost: it restarts and takes over the winner's metadata.
    pub fn lose(&mut self, fx: &mut Fx<'_>) {
        fx.mark(MarkKind::Change, "autoheal-restart", vec![self.name.to_string()], Rule("R-N2"));
        self.pause_broker(true, fx);
    }

    /// One quarter of net_ticktime is over: who was not heard in four of them is down (R-N1).
    pub fn net_tick(&mut self, fx: &mut Fx<'_>) {
        let mut down = Vec::new();
        for (peer, known) in self.peers.iter_mut().filter(|(_, known)| known.linked) {
            if std::mem::take(&mut known.read) {
                known.silent_ticks = 0;
            } else {
                known.silent_ticks += 1;
            }
            if known.silent_ticks >= 4 {
                down.push(*peer);
            }
        }
        for peer in down {
            fx.disconnect(peer);
            self.peer_gone(peer, false, fx);
        }
        fx.wake_in(self.net_tick_time(), Wake::NetTick);
    }

    pub fn net_tick_time(&self) -> Nanos {
        Nanos(self.config.server.net_ticktime.0 / 4)
    }

    /// What follows for queues when a node is out of sight for good (R-N1).
    pub fn peer_lost(&mut self, peer: NodeId, fx: &mut Fx<'_>) {
        let Some(graceful) = self.peers.get_mut(&peer).and_then(|known| known.leaving.take()) else { return };
        self.home_lost(peer, fx);
        // R-N3: with Khepri the queues of a node are kept until it is back: it may only be out of sight.
        if !self.has_khepri() {
            self.drop_transient_queues(peer, fx);
        }
        self.mirror_lost(peer, graceful, fx);
        let mine: Vec<_> = self.classics.keys().copied().collect();
        for queue in mine {
            self.ask_later(queue, Ask::NodeDown { node: peer }, fx);
        }
        self.unstick(fx);
        self.check_minority(fx);
    }
}

/// The sides of a partition: nodes that did not run apart are on one.
fn sides(reports: &BTreeMap<NodeId, Report>) -> Vec<Vec<NodeId>> {
    let mut sides: Vec<Vec<NodeId>> = Vec::new();
    for node in reports.keys() {
        let apart = |other: &NodeId| {
            let says = |a: &NodeId, b: &NodeId| reports.get(a).is_some_and(|report| report.apart.contains(b));
            says(node, other) || says(other, node)
        };
        match sides.iter_mut().find(|side| !side.iter().any(apart)) {
            Some(side) => side.push(*node),
            None => sides.push(vec![*node]),
        }
    }
    sides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_did_not_run_apart_are_on_one_side() {
        let report = |apart: &[u16]| Report { clients: 0, apart: apart.iter().map(|n| NodeId(*n)).collect() };
        let reports =
            BTreeMap::from([(NodeId(0), report(&[1, 2])), (NodeId(1), report(&[0])), (NodeId(2), report(&[0]))]);
        assert_eq!(sides(&reports), [vec![NodeId(0)], vec![NodeId(1), NodeId(2)]]);
    }
}
