//! How servers see each other: connections, signs of life, the topology that they share (R-N1, R-U2).

use crate::Fx;
use crate::desk::Ask;
use crate::frame::{Frame, Wake};
use crate::server::Server;
use crate::topology::Topology;
use sim::story::{FlightKind, Look, MarkKind, Rule};
use sim::{Nanos, NodeId};
use std::rc::Rc;

/// How long a connection attempt between servers may take before it is begun anew. Assumed.
const REACH_PATIENCE: Nanos = Nanos::secs(7);

impl Server {
    pub fn peer_connected(&mut self, peer: NodeId, fx: &mut Fx<'_>) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let again = std::mem::replace(&mut known.connected, true);
        known.heard = fx.now();
        known.suspected = false;
        let _ = again;
        self.send_control(peer, Frame::Hello { boot: self.boot }, fx);
        self.send_control(peer, Frame::Topology(self.topology.clone()), fx);
        let queues: Vec<_> = self.replicas.keys().copied().collect();
        for queue in queues {
            self.raft(queue, consensus::Input::Reconnected(peer.0), fx);
            if let Some(replica) = self.replicas.get(&queue)
                && replica.serving
            {
                let term = replica.raft.term().0;
                self.send_control(peer, Frame::Leads { queue, term }, fx);
            }
        }
    }

    /// The other node said who it is: what its earlier boots held is over (R-U4).
    fn peer_said_hello(&mut self, peer: NodeId, boot: u32, fx: &mut Fx<'_>) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.boot = boot;
        fx.mark(MarkKind::Change, "node-seen", vec![node_name(peer)], Rule("R-N1"));
        self.tell_led_queues(&Ask::NodeUp { node: peer, boot }, fx);
        self.resend_lines(peer, fx);
    }

    /// Another node is no longer seen: its process died, or the connection broke.
    pub fn peer_lost(&mut self, peer: NodeId, fx: &mut Fx<'_>) {
        fx.mark(MarkKind::Change, "node-lost", vec![node_name(peer)], Rule("R-N1"));
        self.lose_sight(peer, fx);
        self.home_lost(peer, fx);
        self.drop_transient_queues(peer, fx);
        let mine: Vec<_> = self.classics.keys().copied().collect();
        for queue in mine {
            self.ask_later(queue, Ask::NodeDown { node: peer }, fx);
        }
    }

    /// What follows for replicated queues when a node is down or suspected (R-U2, R-U4).
    fn lose_sight(&mut self, peer: NodeId, fx: &mut Fx<'_>) {
        self.tell_led_queues(&Ask::NodeDown { node: peer }, fx);
        let led: Vec<_> =
            self.replicas.iter().filter(|(_, r)| r.raft.leader() == Some(peer.0)).map(|(q, _)| *q).collect();
        for queue in led {
            // R-U2: a leader seen to die is replaced after a short wait.
            let wait = Nanos::millis(100) + fx.dice().between(Nanos::ZERO, Nanos::millis(500));
            self.arm(queue, wait, fx);
        }
        for line in self.lines.values_mut().filter(|line| line.leader == Some(peer)) {
            line.leader = None;
        }
    }

    fn tell_led_queues(&mut self, ask: &Ask, fx: &mut Fx<'_>) {
        let led: Vec<_> =
            self.replicas.iter().filter(|(_, replica)| replica.serving).map(|(queue, _)| *queue).collect();
        for queue in led {
            self.propose_own(queue, ask.clone(), fx);
        }
    }

    pub fn reach(&mut self, peer: NodeId, fx: &mut Fx<'_>) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.trying = false;
        if known.connected {
            return;
        }
        if fx.now().since(known.reaching) > REACH_PATIENCE {
            fx.disconnect(peer);
            known.reaching = fx.now();
        }
        fx.connect(peer);
        self.try_again(peer, fx);
    }

    /// Arranges the next try to reach a node, once.
    pub fn try_again(&mut self, peer: NodeId, fx: &mut Fx<'_>) {
        if let Some(known) = self.peers.get_mut(&peer)
            && !std::mem::replace(&mut known.trying, true)
        {
            fx.wake_in(self.config.server.reconnect, Wake::Reach(peer));
        }
    }

    /// aten: tells the others that it lives, and looks who does not (R-U2).
    pub fn poll(&mut self, fx: &mut Fx<'_>) {
        let now = fx.now();
        let settings = &self.config.server;
        let (suspects, tick, poll) = (settings.aten_suspects, settings.net_ticktime, settings.aten_poll);
        let mut silent = Vec::new();
        let mut down = Vec::new();
        for (peer, known) in &mut self.peers {
            if !known.connected {
                continue;
            }
            fx.send(*peer, Frame::Heartbeat, 20, Look::plain(FlightKind::Heartbeat));
            let silence = now.since(known.heard);
            if silence > tick {
                // R-N1: silent for net_ticktime: the connection is given up.
                known.connected = false;
                known.suspected = false;
                down.push(*peer);
            } else if silence > suspects && !known.suspected {
                known.suspected = true;
                silent.push(*peer);
            }
        }
        for peer in silent {
            self.lose_sight(peer, fx);
        }
        for peer in down {
            fx.disconnect(peer);
            self.try_again(peer, fx);
            self.peer_lost(peer, fx);
        }
        self.nudge_lines(fx);
        fx.wake_in(poll, Wake::Poll);
    }

    pub fn on_peer_frame(&mut self, peer: NodeId, frame: Frame, fx: &mut Fx<'_>) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.heard = fx.now();
            if std::mem::replace(&mut known.suspected, false) {
                let boot = known.boot;
                // It was only slow: the elections that its silence called for are off.
                let led = self.replicas.values_mut().filter(|replica| replica.raft.leader() == Some(peer.0));
                led.for_each(|replica| replica.armed = false);
                self.tell_led_queues(&Ask::NodeUp { node: peer, boot }, fx);
            }
        }
        match frame {
            Frame::Hello { boot } => self.peer_said_hello(peer, boot, fx),
            Frame::Topology(topology) => self.learn(&topology, fx),
            Frame::Ask(queue, ask) => self.ask_later(queue, ask, fx),
            Frame::Answer(channel, queue, answer) => self.answer(channel, queue, answer, fx),
            Frame::Command(queue, command) => self.command_came(peer, queue, command, fx),
            Frame::Applied { queue, session, upto, blocked } => {
                if session == self.boot {
                    self.applied(queue, upto, blocked, fx);
                }
            }
            Frame::NotLeader { queue, leader } => self.not_leader(peer, queue, leader, fx),
            Frame::Leads { queue, .. } => self.leads(queue, peer, fx),
            Frame::Raft(queue, message) => self.raft(queue, consensus::Input::Received(peer.0, *message), fx),
            Frame::Heartbeat => {}
            Frame::Method(..) | Frame::Goodbye | Frame::Restart | Frame::Reply(..) | Frame::ConnectionClosed(..) => {}
        }
    }

    /// Takes over a newer topology.
    fn learn(&mut self, topology: &Rc<Topology>, fx: &mut Fx<'_>) {
        if topology.version <= self.topology.version {
            return;
        }
        self.topology = topology.clone();
        self.classics.retain(|queue, _| topology.queues.contains_key(queue));
        self.replicas.retain(|queue, _| topology.queues.contains_key(queue));
        let queues: Vec<_> = topology.queues.keys().copied().collect();
        for queue in queues {
            if !self.classics.contains_key(&queue) && !self.replicas.contains_key(&queue) {
                self.host(queue, true, fx);
            }
        }
    }

    /// Changes the topology and tells the others.
    pub fn change_topology<R>(&mut self, fx: &mut Fx<'_>, change: impl FnOnce(&mut Topology) -> R) -> R {
        let topology = Rc::make_mut(&mut self.topology);
        let result = change(topology);
        topology.version = (topology.version.0 + 1, self.me.0);
        let connected: Vec<NodeId> = self.peers.iter().filter(|(_, p)| p.connected).map(|(node, _)| *node).collect();
        for peer in connected {
            self.send_control(peer, Frame::Topology(self.topology.clone()), fx);
        }
        result
    }

    /// R-Q3: queues that are not durable go with their node.
    pub fn drop_transient_queues(&mut self, node: NodeId, fx: &mut Fx<'_>) {
        let gone = self.topology.queues.values().filter(|queue| queue.is_classic() && queue.home() == node);
        let gone: Vec<_> = gone.filter(|queue| !queue.durable).map(|queue| queue.id).collect();
        if node == self.me && self.boot <= 1 || gone.is_empty() {
            return;
        }
        self.change_topology(fx, |topology| gone.iter().for_each(|queue| topology.delete_queue(*queue)));
        gone.iter().for_each(|queue| {
            self.classics.remove(queue);
        });
    }
}

/// A server's name.
pub fn node_name(node: NodeId) -> String {
    format!("rabbit-{}", node.0 + 1)
}
