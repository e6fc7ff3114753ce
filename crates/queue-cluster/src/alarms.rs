//! Memory and disk alarms: while any node has one, no node reads from connections that publish (R-M4).

use crate::Fx;
use crate::config::Rules;
use crate::frame::{Frame, ServerOrder, Wake};
use crate::metadata::Change;
use crate::server::Server;
use sim::NodeId;
use sim::story::{FlightKind, Look, MarkKind, Rule};
use std::collections::BTreeMap;

/// What a message takes in memory beside its body. Assumed.
const MESSAGE_OVERHEAD: u64 = 500;
/// A classic queue of version 2 keeps at most so many bodies in memory (R-Q2).
const IN_MEMORY: u64 = 2048;

/// A node's alarms, and those that it was told of.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    /// Memory and disk, by node; no entry without an alarm.
    pub nodes: BTreeMap<NodeId, (bool, bool)>,
    /// Bytes on the disk that are not the broker's, beyond those that the disk began with.
    foreign: u64,
    /// The watermark in percent, if it was changed.
    watermark: Option<u64>,
}

impl Alarms {
    pub fn any(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// The names of a node's own alarms.
    pub fn of(&self, node: NodeId) -> Vec<&'static str> {
        let (memory, disk) = self.nodes.get(&node).copied().unwrap_or_default();
        [(memory, "memory"), (disk, "disk")].into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect()
    }
}

impl Server {
    /// Bytes that the node's messages take in memory and on the disk.
    fn used(&self) -> (u64, u64) {
        let (mut memory, mut disk) = (self.config.server.base_memory, 0);
        let copies = self.mirrors.values().map(|mirror| &mirror.copy);
        for classic in self.classics.values().chain(copies) {
            let (count, bytes) = classic.size();
            disk += bytes;
            // R-Q2: version 2 keeps the first in memory, version 1 all.
            let held = if self.config.rules >= Rules::V4_2 { count.min(IN_MEMORY) } else { count };
            memory += (bytes * held).checked_div(count).unwrap_or(0) + held * MESSAGE_OVERHEAD;
        }
        for replica in self.replicas.values() {
            let (count, bytes) = replica.size();
            disk += bytes;
            memory += count * MESSAGE_OVERHEAD;
        }
        (memory, disk)
    }

    /// The monitor's turn.
    pub fn monitor(&mut self, fx: &mut Fx<'_>) {
        self.check_alarms(fx);
        fx.wake_in(self.config.server.memory_monitor, Wake::Monitor);
    }

    /// Looks at memory and disk.
    fn check_alarms(&mut self, fx: &mut Fx<'_>) {
        if self.partition.paused {
            return;
        }
        let settings = &self.config.server;
        let (memory, disk) = self.used();
        let percent = self.alarms.watermark.unwrap_or(settings.memory_watermark_percent);
        let over = memory > settings.total_memory / 100 * percent;
        let free = settings.disk_free.saturating_sub(disk + self.alarms.foreign);
        self.set_alarms(self.me, over, free < settings.disk_free_limit, fx);
    }

    /// A node's alarms are these now; if they are this one's, the others are told.
    fn set_alarms(&mut self, node: NodeId, memory: bool, disk: bool, fx: &mut Fx<'_>) {
        let before = self.alarms.nodes.get(&node).copied().unwrap_or_default();
        if before == (memory, disk) {
            return;
        }
        if memory || disk {
            self.alarms.nodes.insert(node, (memory, disk));
        } else {
            self.alarms.nodes.remove(&node);
        }
        if node == self.me {
            for (was, is, name) in [(before.0, memory, "memory"), (before.1, disk, "disk")] {
                if was != is {
                    let code = if is { "alarm-set" } else { "alarm-cleared" };
                    fx.mark(MarkKind::Change, code, vec![self.name.to_string(), name.into()], Rule("R-M4"));
                }
            }
            let peers: Vec<NodeId> = self.peers.iter().filter(|(_, p)| p.connected).map(|(peer, _)| *peer).collect();
            for peer in peers {
                self.send_control(peer, Frame::Alarms { memory, disk }, fx);
            }
        }
        if !self.alarms.any() {
            self.unblock_all(fx);
        }
    }

    pub fn alarms_told(&mut self, peer: NodeId, memory: bool, disk: bool, fx: &mut Fx<'_>) {
        self.set_alarms(peer, memory, disk, fx);
    }

    /// A node that is out of sight has no alarms any more.
    pub fn alarm_forgotten(&mut self, peer: NodeId, fx: &mut Fx<'_>) {
        self.set_alarms(peer, false, false, fx);
    }

    /// A node that has just come into sight learns of this one's alarms.
    pub fn tell_alarms(&self, peer: NodeId, fx: &mut Fx<'_>) {
        if let Some((memory, disk)) = self.alarms.nodes.get(&self.me).copied() {
            self.send_control(peer, Frame::Alarms { memory, disk }, fx);
        }
    }

    /// R-M4: the connection has published while there is an alarm: it is told so, and not read from any more.
    pub fn block_publisher(&mut self, client: NodeId, fx: &mut Fx<'_>) {
        let Some(connection) = self.connections.get_mut(&client) else { return };
        if std::mem::replace(&mut connection.blocked, true) {
            return;
        }
        fx.mark(MarkKind::Refusal, "connection-blocked", vec![self.name.to_string()], Rule("R-M4"));
        self.send(client, Frame::Blocked(true), 0, Look::plain(FlightKind::Refuse), fx);
    }

    fn unblock_all(&mut self, fx: &mut Fx<'_>) {
        let blocked = self.connections.iter_mut().filter(|(_, connection)| connection.blocked);
        let blocked: Vec<NodeId> = blocked.map(|(client, _)| *client).collect();
        for client in blocked {
            if let Some(connection) = self.connections.get_mut(&client) {
                connection.blocked = false;
            }
            self.send(client, Frame::Blocked(false), 0, Look::plain(FlightKind::Control), fx);
            self.read_on(client, fx);
        }
    }

    /// A user's order for a server.
    pub fn ordered(&mut self, order: &ServerOrder, fx: &mut Fx<'_>) {
        let settings = &self.config.server;
        match order {
            ServerOrder::FillDisk { free } => {
                let (_, disk) = self.used();
                self.alarms.foreign = settings.disk_free.saturating_sub(disk + free);
            }
            ServerOrder::SetMemoryWatermark { percent } => self.alarms.watermark = Some(u64::from(*percent)),
            ServerOrder::AddMember { queue } => return self.ask_members(queue, true, fx),
            ServerOrder::DeleteMember { queue } => return self.ask_members(queue, false, fx),
            ServerOrder::SetPolicy(policy) => return self.set_policy(Change::SetPolicy(policy.clone()), fx),
            ServerOrder::ClearPolicy(name) => return self.set_policy(Change::ClearPolicy(name.as_str().into()), fx),
        }
        self.check_alarms(fx);
    }
}
