//! Both clusters at one time of the run.

use crate::side::{Cluster, Side};
use log_cluster::LogCluster;
use queue_cluster::QueueCluster;
use scenario::{Compiled, Step};
use sim::story::Objection;
use sim::workload::Role;
use sim::{Digest, Nanos, NodeId, Time};

/// How far one cluster may run ahead of the other within one call.
const SLICE: Nanos = Nanos::millis(1);

/// A state of the run. A clone is a keyframe.
#[derive(Clone, Debug)]
pub struct State {
    /// The playhead: everything up to here is played, but for the rest of this very instant after single steps.
    pub at: Time,
    /// The log cluster.
    pub log: Option<Side<LogCluster>>,
    /// The queue cluster.
    pub queue: Option<Side<QueueCluster>>,
    /// How many orders of the tape were carried out.
    pub orders: usize,
}

impl State {
    pub(crate) fn new(compiled: &Compiled) -> State {
        let log = compiled.log.as_ref().map(|config| {
            let mut cluster = LogCluster::new(compiled.seed, &compiled.workload, config);
            let names: Vec<(NodeId, bool)> =
                cluster.nodes().iter().map(|node| (node.id, is_client(node.role))).collect();
            set_client_links(cluster.world_mut(), &names, compiled);
            Side::new(cluster)
        });
        let queue = compiled.queue.as_ref().map(|config| {
            let mut cluster = QueueCluster::new(compiled.seed, &compiled.workload, config);
            let names: Vec<(NodeId, bool)> =
                cluster.nodes().iter().map(|node| (node.id, is_client(node.role))).collect();
            set_client_links(cluster.world_mut(), &names, compiled);
            Side::new(cluster)
        });
        State { at: Time::ZERO, log, queue, orders: 0 }
    }

    /// How many events were played.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.log.as_ref().map_or(0, |side| side.cluster.events())
            + self.queue.as_ref().map_or(0, |side| side.cluster.events())
    }

    /// The digest of both clusters' events.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut digest = Digest::default();
        digest.mix(self.log.as_ref().map_or(0, |side| side.cluster.digest()));
        digest.mix(self.queue.as_ref().map_or(0, |side| side.cluster.digest()));
        digest.value()
    }

    fn next_event(&self) -> Option<Time> {
        let log = self.log.as_ref().and_then(|side| side.cluster.next_time());
        let queue = self.queue.as_ref().and_then(|side| side.cluster.next_time());
        match (log, queue) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Plays up to and including `to`, orders of the tape among it, until at least `budget` events were played.
    /// It stops between slices only, where both clusters have reached one time: what [`State::at`] says is then true
    /// of both. Answers how many events it played.
    pub(crate) fn play(&mut self, tape: &[Step], to: Time, budget: u64) -> u64 {
        let mut played = 0;
        while played < budget {
            let order = tape.get(self.orders).filter(|step| step.at <= to);
            let bound = order.map_or(to, |step| step.at).max(self.at);
            let next = self.next_event().unwrap_or(Time::NEVER);
            let end = if next > bound { bound } else { bound.min(next + SLICE) };
            if let Some(side) = &mut self.log {
                played += side.play(end);
            }
            if let Some(side) = &mut self.queue {
                played += side.play(end);
            }
            self.arrive(end);
            if end < bound {
                continue;
            }
            match order {
                Some(step) => self.carry_out(step),
                None => break,
            }
        }
        played
    }

    fn arrive(&mut self, at: Time) {
        self.at = self.at.max(at);
        if let Some(side) = &mut self.log {
            side.cluster.arrive(at);
        }
        if let Some(side) = &mut self.queue {
            side.cluster.arrive(at);
        }
    }

    fn carry_out(&mut self, step: &Step) {
        let at = self.at;
        self.orders += 1;
        if let Some(side) = self.log.as_mut().filter(|_| step.log) {
            side.act(at, &step.deed);
        }
        if let Some(side) = self.queue.as_mut().filter(|_| step.queue) {
            side.act(at, &step.deed);
        }
    }

    /// Why an order makes no sense at the playhead: an objection of every cluster that it is for.
    pub(crate) fn objection(&self, step: &Step) -> Option<Objection> {
        let log = self.log.as_ref().filter(|_| step.log).map(|side| Cluster::objection(&side.cluster, &step.deed));
        let queue =
            self.queue.as_ref().filter(|_| step.queue).map(|side| Cluster::objection(&side.cluster, &step.deed));
        let all: Option<Vec<Objection>> = log.into_iter().chain(queue).collect();
        all.and_then(|all| all.into_iter().next())
    }

    /// Plays one event, or carries out one order, whichever is next by `limit`. False if nothing is.
    pub(crate) fn step(&mut self, tape: &[Step], limit: Time) -> bool {
        let next = self.next_event();
        if let Some(step) = tape.get(self.orders).filter(|step| next.is_none_or(|next| step.at < next)) {
            if step.at > limit {
                return false;
            }
            self.arrive(step.at);
            self.carry_out(step);
            return true;
        }
        let Some(next) = next.filter(|next| *next <= limit) else { return false };
        self.arrive(next);
        let first_log = self.log.as_ref().and_then(|side| side.cluster.next_time()) == Some(next);
        match (&mut self.log, &mut self.queue) {
            (Some(side), _) if first_log => side.play_one(next),
            (_, Some(side)) => side.play_one(next),
            _ => {}
        }
        true
    }
}

fn is_client(role: Role) -> bool {
    matches!(role, Role::Producer(_) | Role::Consumer(_))
}

/// Links between clients and servers are not like those between servers.
fn set_client_links<P: sim::Process>(world: &mut sim::World<P>, nodes: &[(NodeId, bool)], compiled: &Compiled) {
    for (a, a_is_client) in nodes {
        for (b, b_is_client) in nodes.iter().filter(|(b, _)| b != a) {
            if *a_is_client || *b_is_client {
                world.set_link(*a, *b, compiled.client_link);
            }
        }
    }
}
