//! How the cluster is seen, and what of its messages is still to be had.

use crate::classic::Classic;
use crate::desk::{Ask, ChannelId};
use crate::frame::{Frame, Method, Reply};
use crate::message::Body;
use crate::quorum::Quorum;
use crate::replica::{Machine, Replica};
use crate::server::Server;
use crate::topology::{Destination, QueueRecord, Topology, is_predeclared};
use crate::view::*;
use crate::{Kind, QueueCluster};
use sim::story::MessageId;
use sim::{Health, NodeId};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How many ids a list shows at the most.
const SHOWN: usize = 64;

impl QueueCluster {
    fn servers(&self) -> impl Iterator<Item = (NodeId, &Server)> {
        let processes = (0u16..).zip(self.world().processes());
        processes.filter_map(|(id, process)| match &process.0 {
            Kind::Server(server) => Some((NodeId(id), &**server)),
            _ => None,
        })
    }

    fn up(&self, node: NodeId) -> bool {
        self.world().health(node).is_alive()
    }

    /// The topology that counts: the newest that a running server knows, or that any knows if none runs.
    pub(crate) fn topology(&self) -> Option<&Topology> {
        let newest = |only_up: bool| {
            let servers = self.servers().filter(move |(id, _)| !only_up || self.up(*id));
            servers.max_by_key(|(_, server)| server.topology.version).map(|(_, server)| &*server.topology)
        };
        newest(true).or_else(|| newest(false))
    }

    /// Every message that can still be processed by a reader (a queue, by its place in the config): stored where it
    /// can be read, or read again once its nodes are back, or in a client's hands. One may come up more than once.
    pub fn held(&self, visit: &mut dyn FnMut(u8, MessageId)) {
        let Some(topology) = self.topology() else { return };
        for (node, server) in self.servers() {
            for (queue, classic) in &server.classics {
                let Some(record) = topology.queues.get(queue) else { continue };
                // R-M8: what the old home of a queue that has moved still has does not come back.
                let moved = record.mirroring.is_some() && record.home() != node;
                let Some(reader) = record.reader.filter(|_| !moved) else { continue };
                let unacked = classic.unacked().values().map(|stored| &stored.body);
                classic.ready_messages().chain(unacked).filter_map(|body| body.id).for_each(|id| visit(reader, id));
            }
            for (queue, mirror) in &server.mirrors {
                let Some(record) = topology.queues.get(queue).filter(|record| !self.up(record.home())) else {
                    continue;
                };
                let Some(reader) = record.reader else { continue };
                mirror.copy.all().iter().filter_map(|stored| stored.body.id).for_each(|id| visit(reader, id));
            }
            for (queue, replica) in &server.replicas {
                let Some(reader) = topology.queues.get(queue).and_then(|record| record.reader) else { continue };
                held_by(replica, &mut |id| visit(reader, id));
            }
        }
        for process in self.world().processes() {
            match &process.0 {
                Kind::Consumer(consumer) => {
                    consumer.unprocessed().filter_map(|body| body.id).for_each(|id| visit(consumer.reader, id));
                }
                // It will send them, or send them again; to which reader they go only the exchange can say.
                Kind::Publisher(publisher) => {
                    let unconfirmed = publisher.unconfirmed.values();
                    publisher.waiting.iter().chain(unconfirmed).filter_map(|body| body.id).for_each(|id| visit(0, id));
                }
                Kind::Server(_) | Kind::Script(_) => {}
            }
        }
        // Publishes that nobody waits to have confirmed, and deliveries that count as done when they are sent, are
        // nowhere but in the air. Which reader they are for only the other end can say.
        self.world().messages().filter_map(body_of).filter_map(|body| body.id).for_each(|id| visit(0, id));
    }

    /// The messages that something sent between processes carries.
    #[must_use]
    pub fn carried(frame: &Frame) -> Vec<MessageId> {
        if let Frame::Raft(_, message) = frame
            && let consensus::Message::Append { entries, .. } = &**message
        {
            let commands = entries.iter().filter_map(|entry| entry.command.as_ref());
            return commands.filter_map(|command| of_ask(&command.ask)?.id).collect();
        }
        body_of(frame).and_then(|body| body.id).into_iter().collect()
    }

    /// What there is to see.
    #[must_use]
    pub fn view(&self) -> View {
        let mut view = View::default();
        for (id, server) in self.servers() {
            let health = self.world().health(id);
            view.nodes.push(NodeView {
                id,
                name: server.name.to_string(),
                health,
                running: health == Health::Running && !server.partition.paused,
                paused_by_strategy: server.partition.paused,
                apart: server.partition.apart.iter().copied().collect(),
                sees: server.peers.iter().filter(|(_, p)| p.connected && !p.suspected).map(|(node, _)| *node).collect(),
                clients: server.connections.keys().copied().collect(),
                in_flow: server.connections.iter().filter(|(_, c)| c.in_flow).map(|(client, _)| *client).collect(),
                blocked: server.connections.iter().filter(|(_, c)| c.blocked).map(|(client, _)| *client).collect(),
                alarms: server.alarms.of(id),
            });
        }
        if let Some(topology) = self.topology() {
            view.queues = topology.queues.values().map(|record| self.queue_view(record)).collect();
            add_bindings(topology, &mut view);
        }
        self.add_clients(&mut view);
        view
    }

    fn queue_view(&self, record: &QueueRecord) -> QueueView {
        let mut queue = QueueView {
            name: record.name.to_string(),
            reader: record.reader,
            kind: record.arguments.kind,
            leader: None,
            available: false,
            members: Vec::new(),
            mirrors: Vec::new(),
            dead_letters: 0,
            ready: 0,
            unacked: 0,
            first_ready: Vec::new(),
            consumers: Vec::new(),
        };
        let servers: BTreeMap<NodeId, &Server> = self.servers().collect();
        if record.is_classic() {
            let home = record.home();
            queue.leader = Some(home);
            queue.available = self.up(home) && servers.get(&home).is_some_and(|server| !server.partition.paused);
            queue.mirrors = record.members[1..].iter().map(|node| (*node, record.synced.contains(node))).collect();
            if let Some(classic) = servers.get(&home).and_then(|server| server.classics.get(&record.id)) {
                show_classic(classic, &mut queue);
            }
            return queue;
        }
        let mut best: Option<(&Replica, bool)> = None;
        for member in &record.members {
            let Some(replica) = servers.get(member).and_then(|server| server.replicas.get(&record.id)) else {
                continue;
            };
            let (up, raft) = (self.up(*member), &replica.raft);
            let leads = up && replica.is_leader();
            queue.members.push(MemberView {
                node: *member,
                leads,
                candidate: up && raft.role().is_candidate(),
                term: raft.term().0,
                commit: raft.commit().0,
                log_end: raft.last_index().0,
                flushed: raft.durable_index().0,
            });
            let newer = |other: &Replica| (other.raft.term(), other.raft.commit()) < (raft.term(), raft.commit());
            if best.is_none_or(|(other, led)| leads && (!led || newer(other)) || (!led && newer(other))) {
                best = Some((replica, leads));
                queue.leader = leads.then_some(*member);
            }
        }
        if let Some((replica, leads)) = best {
            queue.available = leads && replica.serving;
            show_replica(replica, &mut queue);
        }
        queue
    }

    /// The members of a replicated queue with their logs, by node. Empty if there is no such queue.
    #[must_use]
    pub fn member_logs(&self, queue: &str) -> Vec<MemberLog> {
        let Some(id) = self.topology().and_then(|topology| topology.names.get(queue).copied()) else {
            return Vec::new();
        };
        let log = |(node, server): (NodeId, &Server)| {
            let replica = server.replicas.get(&id)?;
            let raft = &replica.raft;
            let (last, base) = (raft.last_index().0, raft.last_index().0 - raft.log_len());
            let entry = |place: u64| {
                let entry = raft.entry(consensus::Index(place))?;
                let command = entry.command.as_ref();
                let of =
                    |c: &Rc<crate::replica::Command>| c.seq << 16 ^ u64::from(c.session.0.0) ^ c.at.0.rotate_left(32);
                Some((entry.term.0, command.map_or(0, of)))
            };
            Some(MemberLog {
                node,
                term: raft.term().0,
                leads: self.up(node) && replica.is_leader(),
                commit: raft.commit().0,
                base,
                entries: (base + 1..=last).filter_map(entry).collect(),
            })
        };
        self.servers().filter_map(log).collect()
    }

    fn add_clients(&self, view: &mut View) {
        for (id, process) in (0u16..).zip(self.world().processes()) {
            let id = NodeId(id);
            match &process.0 {
                Kind::Publisher(publisher) => view.publishers.push(PublisherView {
                    id,
                    connected: publisher.uplink.at(),
                    unconfirmed: publisher.unconfirmed.len() as u32,
                    waiting: publisher.waiting.len() as u32,
                    refused: publisher.refused,
                    blocked: publisher.blocked,
                }),
                Kind::Consumer(consumer) => {
                    let unacked = consumer.held.iter().chain(&consumer.finished);
                    view.consumers.push(ConsumerView {
                        id,
                        connected: consumer.uplink.at(),
                        queue: consumer.settings.queue.clone(),
                        prefetch: consumer.settings.prefetch_count,
                        unacked: unacked.filter_map(|(_, body)| body.id).take(SHOWN).collect(),
                        unacked_count: (consumer.held.len() + consumer.finished.len()) as u32,
                        working: consumer.working,
                        processed: consumer.processed,
                    });
                }
                Kind::Server(_) | Kind::Script(_) => {}
            }
        }
    }
}

/// The message that a frame brings somewhere, if it does.
fn of_ask(ask: &Ask) -> Option<&Body> {
    match ask {
        Ask::Publish { body, .. } => Some(body),
        _ => None,
    }
}

fn body_of(frame: &Frame) -> Option<&Body> {
    match frame {
        Frame::Method(_, Method::Publish { body, .. }) | Frame::Reply(_, Reply::Deliver { body, .. }) => Some(body),
        Frame::Ask(_, ask) => of_ask(ask),
        Frame::Command(_, command) => of_ask(&command.ask),
        _ => None,
    }
}

/// Messages in a member's state, and those in its log that it has not applied.
fn held_by(replica: &Replica, visit: &mut dyn FnMut(MessageId)) {
    match &replica.state.machine {
        Machine::Quorum(quorum) => {
            let out = quorum.checked_out.values().map(|out| &out.kept.body);
            let dead = quorum.dead.values().map(|(body, _)| body);
            quorum.ready_messages().chain(out).chain(dead).filter_map(|body| body.id).for_each(&mut *visit);
        }
        Machine::Stream(stream) => stream.messages().filter_map(|body| body.id).for_each(&mut *visit),
        Machine::Metadata(..) => {}
    }
    let mut index = replica.raft.commit().next();
    while let Some(entry) = replica.raft.entry(index) {
        if let Some(command) = &entry.command
            && let Ask::Publish { body, .. } = &command.ask
            && let Some(id) = body.id
        {
            visit(id);
        }
        index = index.next();
    }
}

fn show_classic(classic: &Classic, queue: &mut QueueView) {
    queue.ready = classic.ready();
    queue.unacked = classic.unacked().len() as u64;
    queue.first_ready = classic.ready_messages().filter_map(|body| body.id).take(SHOWN).collect();
    for (channel, record) in &classic.dispatch.channels {
        for (tag, taker) in &record.consumers {
            let request = &taker.request;
            let held = record.holds.iter().filter(|(_, holder)| holder.as_ref() == Some(tag)).map(|(id, _)| *id);
            let ids = held.clone().filter_map(|id| classic.unacked().get(&id)?.body.id);
            let me = (*channel, tag.clone());
            queue.consumers.push(WindowView {
                client: channel.client,
                tag: tag.clone(),
                window: (request.prefetch > 0 && !request.no_ack).then_some(request.prefetch),
                held: ids.take(SHOWN).collect(),
                held_count: held.count() as u32,
                active: !classic.dispatch.single_active || classic.dispatch.active.as_ref() == Some(&me),
            });
        }
    }
}

fn show_replica(replica: &Replica, queue: &mut QueueView) {
    match &replica.state.machine {
        Machine::Quorum(quorum) => show_quorum(quorum, queue),
        Machine::Metadata(..) => {}
        Machine::Stream(stream) => {
            queue.ready = stream.len();
            queue.first_ready = stream.messages().filter_map(|body| body.id).take(SHOWN).collect();
            for ((channel, tag), reader) in &stream.readers {
                queue.consumers.push(WindowView {
                    client: channel.client,
                    tag: tag.clone(),
                    window: Some(reader.request.prefetch),
                    held: Vec::new(),
                    held_count: 0,
                    active: true,
                });
            }
        }
    }
}

fn show_quorum(quorum: &Quorum, queue: &mut QueueView) {
    queue.ready = quorum.ready();
    queue.unacked = quorum.checked_out.len() as u64;
    queue.dead_letters = quorum.dead.len() as u64;
    queue.first_ready = quorum.ready_messages().filter_map(|body| body.id).take(SHOWN).collect();
    let mut held: BTreeMap<(ChannelId, Rc<str>), Vec<MessageId>> = BTreeMap::new();
    for out in quorum.checked_out.values() {
        if let (Some(tag), Some(id)) = (&out.tag, out.kept.body.id) {
            held.entry((out.channel, tag.clone())).or_default().push(id);
        }
    }
    let active = quorum.consumers.iter().map(|(id, consumer)| (id, consumer, true));
    let waiting = quorum.waiting.iter().map(|(id, consumer)| (id, consumer, false));
    for (id, consumer, active) in active.chain(waiting) {
        let mut mine = held.remove(id).unwrap_or_default();
        mine.truncate(SHOWN);
        queue.consumers.push(WindowView {
            client: id.0.client,
            tag: id.1.clone(),
            window: Some(consumer.credit + consumer.holds),
            held: mine,
            held_count: consumer.holds,
            active,
        });
    }
}

fn add_bindings(topology: &Topology, view: &mut View) {
    for (name, exchange) in &topology.exchanges {
        if is_predeclared(name) && exchange.bindings.is_empty() {
            continue;
        }
        view.exchanges.push(ExchangeView { name: name.to_string(), kind: exchange.kind });
        for binding in &exchange.bindings {
            let (destination, to_exchange) = match &binding.destination {
                Destination::Exchange(name) => (name.to_string(), true),
                Destination::Queue(queue) => {
                    (topology.queues.get(queue).map_or(String::new(), |record| record.name.to_string()), false)
                }
            };
            view.bindings.push(BindingView {
                source: name.to_string(),
                destination,
                to_exchange,
                routing_key: binding.key.to_string(),
            });
        }
    }
}
