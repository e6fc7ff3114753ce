//! How servers see each other: connections, signs of life, the topology that they share (R-N1, R-U2).

use crate::Fx;
use crate::desk::Ask;
use crate::frame::{Frame, Wake};
use crate::metadata::Change;
use crate::server::Server;
use crate::topology::QueueRecord;
use sim::story::{FlightKind, Look, MarkKind, Rule};
use sim::{Nanos, NodeId};

/// How long a connection attempt between servers may take before it is begun anew. Assumed.
const REACH_PATIENCE: Nanos = Nanos::secs(7);

impl Server {
    /// A connection to another node stands. Whether a broker is at work there, it says itself.
    pub fn peer_connected(&mut self, peer: NodeId, fx: &mut Fx<'_>) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        if std::mem::replace(&mut known.linked, true) && std::mem::take(&mut known.connected) {
            // The old connection ended and this one took its place at once.
            known.lost_boot = None;
        }
        known.heard = fx.now();
        known.read = true;
        known.silent_ticks = 0;
        known.suspected = false;
        if !self.partition.paused {
            self.say_hello(peer, fx);
        }
    }

    /// The broker on the other node is up and said who it is: what its earlier boots held is over (R-U4).
    fn peer_said_hello(&mut self, peer: NodeId, boot: u32, fresh: bool, fx: &mut Fx<'_>) {
        // It may be back before all that followed from its going is done.
        self.peer_lost(peer, fx);
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let again = std::mem::replace(&mut known.boot, boot) != boot;
        known.connected = true;
        known.fresh = fresh;
        let ran_apart = known.lost_boot.take() == Some(boot);
        if again {
            self.partition.apart.remove(&peer);
        }
        fx.mark(MarkKind::Change, "node-seen", vec![node_name(peer)], Rule("R-N1"));
        if ran_apart {
            self.ran_apart(peer, fx);
        }
        let shares = !self.has_khepri() && !self.partition.apart.contains(&peer);
        if shares && (fresh || !self.partition.fresh) {
            self.send_control(peer, Frame::Topology(self.topology.clone(), self.partition.fresh), fx);
        }
        if again && self.has_khepri() {
            self.drop_transient_queues_of(peer, boot, fx);
        }
        self.tell_alarms(peer, fx);
        self.reconnect_queues(peer, fx);
        self.tell_led_queues(&Ask::NodeUp { node: peer, boot }, fx);
        self.resend_lines(peer, fx);
        self.mirror_found(peer, fx);
        self.ask_for_healing(fx);
    }

    /// The groups of replicated queues reach the other node again.
    fn reconnect_queues(&mut self, peer: NodeId, fx: &mut Fx<'_>) {
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

    /// Another node is no longer seen: its process died, or the connection broke.
    pub fn peer_gone(&mut self, peer: NodeId, graceful: bool, fx: &mut Fx<'_>) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.linked = false;
        known.suspected = false;
        if std::mem::replace(&mut known.connected, false) {
            known.lost_boot = Some(known.boot);
            known.leaving = Some(graceful);
            self.try_again(peer, fx);
            fx.mark(MarkKind::Change, "node-lost", vec![node_name(peer)], Rule("R-N1"));
            self.alarm_forgotten(peer, fx);
            self.lose_sight(peer, graceful, fx);
            let wait = self.config.server.node_down;
            fx.wake_in(if graceful { Nanos(wait.0 / 2) } else { wait }, Wake::PeerLost(peer));
        } else {
            self.try_again(peer, fx);
        }
    }

    /// What follows for replicated queues when a node is down or suspected (R-U2, R-U4).
    pub fn lose_sight(&mut self, peer: NodeId, graceful: bool, fx: &mut Fx<'_>) {
        self.tell_led_queues(&Ask::NodeDown { node: peer }, fx);
        let led: Vec<_> =
            self.replicas.iter().filter(|(_, r)| r.raft.leader() == Some(peer.0)).map(|(q, _)| *q).collect();
        for queue in led {
            // R-U2: a leader that ends in good order is replaced after a really short wait, one whose node is gone
            // after a short one.
            let wait = if graceful {
                fx.dice().between(Nanos::ZERO, Nanos::millis(100))
            } else {
                Nanos::millis(100) + fx.dice().between(Nanos::ZERO, Nanos::millis(500))
            };
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
        if known.linked {
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
        let (suspects, poll) = (settings.aten_suspects, settings.aten_poll);
        let mut silent = Vec::new();
        for (peer, known) in &mut self.peers {
            if !known.linked {
                continue;
            }
            fx.send(*peer, Frame::Heartbeat, 20, Look::plain(FlightKind::Heartbeat));
            let silence = now.since(known.heard);
            if silence > suspects && !known.suspected {
                known.suspected = true;
                silent.push(*peer);
            }
        }
        for peer in silent {
            self.lose_sight(peer, false, fx);
        }
        self.nudge_lines(fx);
        fx.wake_in(poll, Wake::Poll);
    }

    pub fn on_peer_frame(&mut self, peer: NodeId, frame: Frame, fx: &mut Fx<'_>) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.heard = fx.now();
            known.read = true;
            if std::mem::replace(&mut known.suspected, false) {
                let boot = known.boot;
                // It was only slow: the elections that its silence called for are off.
                let led = self.replicas.values_mut().filter(|replica| replica.raft.leader() == Some(peer.0));
                led.for_each(|replica| replica.armed = false);
                self.tell_led_queues(&Ask::NodeUp { node: peer, boot }, fx);
            }
        }
        if self.partition.paused {
            // The broker is not at work; whoever says hello is told when it is.
            return;
        }
        match frame {
            Frame::Hello { boot, fresh } => self.peer_said_hello(peer, boot, fresh, fx),
            Frame::Topology(topology, fresh) => self.learn(peer, &topology, fresh, fx),
            Frame::HealStart => self.heal_asked(fx),
            Frame::HealAsk => {
                let report = self.own_report();
                self.send_control(peer, Frame::HealReport(report), fx);
            }
            Frame::HealReport(report) => self.heal_reported(peer, report, fx),
            Frame::HealLose => self.lose(fx),
            Frame::ChangeMembers { queue, node, add } => self.change_members(queue, node, add, fx),
            Frame::HostMember { queue } => self.host_member(queue),
            Frame::Alarms { memory, disk } => self.alarms_told(peer, memory, disk, fx),
            Frame::Mirror(queue, turn) => self.mirror_came(peer, queue, turn, fx),
            Frame::Mirrored(queue, upto) => self.mirrored(peer, queue, upto, fx),
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
            Frame::Method(..)
            | Frame::Goodbye
            | Frame::Restart
            | Frame::Reply(..)
            | Frame::ConnectionClosed(..)
            | Frame::Blocked(_) => {}
        }
    }

    /// R-Q3: queues that are not durable go with their node.
    pub fn drop_transient_queues(&mut self, node: NodeId, fx: &mut Fx<'_>) {
        let gone = self.topology.queues.values().filter(|queue| queue.is_classic() && queue.home() == node);
        let gone: Vec<_> = gone.filter(|queue| !queue.durable).map(|queue| queue.id).collect();
        if node == self.me && self.boot <= 1 || gone.is_empty() {
            return;
        }
        self.change(Change::DeleteQueues(gone), None, fx);
    }

    /// R-N3: with Khepri, what is not durable on a node goes when the node is back without it.
    fn drop_transient_queues_of(&mut self, node: NodeId, boot: u32, fx: &mut Fx<'_>) {
        if boot <= 1 {
            return;
        }
        let old = |record: &&QueueRecord| record.is_classic() && record.home() == node && !record.durable;
        // What was declared in the node's present life stays: its owner says in which it was.
        let gone = self.topology.queues.values().filter(old).filter(|record| record.boot < boot);
        let gone: Vec<_> = gone.map(|record| record.id).collect();
        if !gone.is_empty() {
            self.change(Change::DeleteQueues(gone), None, fx);
        }
    }
}

/// A server's name.
pub fn node_name(node: NodeId) -> String {
    format!("rabbit-{}", node.0 + 1)
}
