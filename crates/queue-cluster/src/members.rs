//! Members of replicated queues that come and go (R-U1): `rabbitmq-queues add_member` and `delete_member`.

use crate::Fx;
use crate::desk::QueueId;
use crate::frame::Frame;
use crate::metadata::{Change, METADATA};
use crate::server::Server;
use consensus::Input;
use sim::story::{MarkKind, Rule};
use sim::{Nanos, NodeId};

impl Server {
    /// This node is to get a member of the queue, or to lose its own. The queue's leader does it.
    pub fn ask_members(&mut self, name: &str, add: bool, fx: &mut Fx<'_>) {
        let found = self.topology.names.get(name).and_then(|queue| self.topology.queues.get(queue));
        let refused = match found {
            None => Some("there is no such queue"),
            Some(record) if record.is_classic() => Some("a classic queue has no members"),
            Some(record) if record.members.contains(&self.me) == add => {
                Some(if add { "the node is a member already" } else { "the node is no member" })
            }
            // A queue keeps a member: `delete_member` refuses to take the last.
            Some(record) if !add && record.members.len() == 1 => Some("it is the last member"),
            Some(_) => None,
        };
        if let Some(reason) = refused {
            let values = vec![name.to_string(), reason.to_string()];
            return fx.mark(MarkKind::Refusal, "members-refused", values, Rule("R-U1"));
        }
        let Some(record) = found else { return };
        let (queue, members) = (record.id, record.members.clone());
        let node = self.me;
        // Who does not lead passes it on to the one that does.
        let leader = self.lines.get(&queue).and_then(|line| line.leader);
        let own = self.replicas.get(&queue).and_then(|replica| replica.raft.leader()).map(NodeId);
        match own.or(leader).or(members.first().copied()) {
            Some(leader) if leader == self.me => self.change_members(queue, node, add, fx),
            Some(leader) => {
                self.send_control(leader, Frame::ChangeMembers { queue, node, add }, fx);
            }
            None => {}
        }
    }

    /// The leader proposes the new members to the queue's group.
    pub fn change_members(&mut self, queue: QueueId, node: NodeId, add: bool, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get(&queue) else { return };
        if !replica.is_leader() {
            if let Some(leader) = replica.raft.leader().map(NodeId).filter(|leader| *leader != self.me) {
                self.send_control(leader, Frame::ChangeMembers { queue, node, add }, fx);
            }
            return;
        }
        let mut members: Vec<u16> = replica.raft.voters().to_vec();
        members.retain(|member| *member != node.0);
        if add {
            members.push(node.0);
            // The node brings its member up before the group sends it anything.
            self.send_control(node, Frame::HostMember { queue }, fx);
        }
        self.raft(queue, Input::ChangeMembers(members), fx);
    }

    /// This node's member is about to join the group: it begins empty, and learns who the members are from the log.
    pub fn host_member(&mut self, queue: QueueId) {
        let Some(record) = self.topology.queues.get(&queue) else { return };
        let first = std::rc::Rc::new(crate::replica::State::new(&record.arguments));
        let me = self.me;
        self.replicas.entry(queue).or_insert_with(|| crate::replica::Replica::new(me, &[], &first));
    }

    /// The group has agreed on its members: the leader that did it writes them down.
    pub fn members_agreed(&mut self, queue: QueueId, members: &[u16], fx: &mut Fx<'_>) {
        let Some(record) = self.topology.queues.get(&queue).filter(|_| queue != METADATA) else { return };
        let mut ordered: Vec<NodeId> = record.members.clone();
        ordered.retain(|node| members.contains(&node.0));
        ordered.extend(members.iter().map(|node| NodeId(*node)).filter(|node| !record.members.contains(node)));
        let names = ordered.iter().map(|node| crate::cluster::node_name(*node)).collect::<Vec<_>>().join(", ");
        fx.mark(MarkKind::Change, "members-changed", vec![record.name.to_string(), names], Rule("R-U1"));
        self.change(Change::Members { queue, members: ordered, synced: Vec::new() }, None, fx);
    }

    /// A leader that is no member any more leads no more: the others choose another.
    pub fn leaders_checked(&mut self, fx: &mut Fx<'_>) {
        let left = self.replicas.iter().filter(|(queue, replica)| {
            let members = self.topology.queues.get(queue).map(|record| &record.members);
            let leader = replica.raft.leader().map(NodeId);
            leader.is_some_and(|leader| members.is_some_and(|members| !members.contains(&leader)))
        });
        let left: Vec<QueueId> = left.map(|(queue, _)| *queue).collect();
        for queue in left {
            let wait = fx.dice().between(Nanos::ZERO, Nanos::millis(100));
            self.arm(queue, wait, fx);
        }
    }
}
