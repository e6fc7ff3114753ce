//! What there is to see of a cluster, and what can still be processed of what it holds.

use crate::broker::Broker;
use crate::cluster::{LogCluster, Node};
use crate::config::{IsolationLevel, OffsetReset};
use crate::consumer::Consumer;
use crate::controller::Controller;
use crate::image::Image;
use crate::layout::Slot;
use crate::log::Entry;
use crate::producer::Producer;
use crate::replica::Replica;
use crate::rpc::{Fetched, Message, Produce, Request, Response};
use crate::transactions::TransactionState;
use crate::view::{
    AssignedView, BrokerView, ConsumerView, ControllerView, GroupView, PartitionView, ProducerView, Registration,
    ReplicaView, ServerView, TopicView, TransactionView, View,
};
use sim::NodeId;
use sim::story::MessageId;
use std::collections::BTreeMap;
use std::rc::Rc;

impl LogCluster {
    pub(crate) fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.world().processes().iter().filter_map(|node| match node {
            Node::Server(server) => server.broker.as_ref(),
            Node::Producer(_) | Node::Consumer(_) => None,
        })
    }

    fn controllers(&self) -> impl Iterator<Item = &Controller> {
        self.world().processes().iter().filter_map(|node| match node {
            Node::Server(server) => server.controller.as_ref(),
            Node::Producer(_) | Node::Consumer(_) => None,
        })
    }

    fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.world().processes().iter().filter_map(|node| match node {
            Node::Consumer(consumer) => Some(&**consumer),
            Node::Producer(_) | Node::Server(_) => None,
        })
    }

    /// The newest metadata that any controller or broker has.
    fn image(&self) -> Rc<Image> {
        let images = self.controllers().map(|controller| &controller.committed);
        let images = images.chain(self.brokers().map(|broker| &broker.image));
        images.max_by_key(|image| image.offset).cloned().unwrap_or_default()
    }

    fn replica(&self, broker: u16, slot: Slot) -> Option<&Replica> {
        self.brokers().find(|known| known.me == broker)?.replicas.get(&slot)
    }

    /// Whose logs a partition's records can still be read from: its leader's; or, while that one is away or does not
    /// know yet that it leads, those of all that may come to lead (K-E1, K-E2).
    pub(crate) fn sources(&self, image: &Image, slot: Slot) -> Vec<&Replica> {
        let Some(state) = image.partition(slot) else { return Vec::new() };
        let alive = |broker: u16| self.world().health(NodeId(broker)).is_alive();
        if let Some(leader) = state.leader.filter(|leader| alive(*leader))
            && let Some(replica) = self.replica(leader, slot)
            && replica.leads().is_some()
        {
            return vec![replica];
        }
        let any = state.replicas.iter().filter(|_| image.topic(&self.layout, u16::MAX, slot).unclean);
        let named = state.leader.iter().chain(&state.isr).chain(&state.elr).chain(&state.last_known_elr);
        let mut brokers: Vec<u16> = named.chain(any).copied().collect();
        brokers.sort_unstable();
        brokers.dedup();
        brokers.into_iter().filter_map(|broker| self.replica(broker, slot)).collect()
    }

    /// What a group has committed, as its coordinator knows or as the log of commits has it.
    fn committed(&self, image: &Image, group: &str, slot: Slot) -> Option<u64> {
        let commits = self.layout.group_slot(group)?;
        let keeper = self.brokers().find_map(|broker| broker.group(group));
        if let Some(group) = keeper {
            return group.offsets.get(&slot).copied();
        }
        let mut found = None;
        for replica in self.sources(image, commits) {
            for entry in replica.log.read(replica.log.start()) {
                if let crate::log::Payload::Commit(of, offsets) = &entry.batch.payload
                    && **of == *group
                    && replica.log.transactions.is_committed(entry)
                {
                    found = offsets.iter().find(|(known, _)| *known == slot).map(|(_, offset)| *offset).or(found);
                }
                if let crate::log::Payload::Expired(of, slots) = &entry.batch.payload
                    && **of == *group
                    && slots.contains(&slot)
                {
                    found = None;
                }
            }
        }
        found
    }

    /// Messages on their way into a topic: in producers' hands, to be sent or sent again, and in requests that nobody
    /// has appended yet.
    fn incoming(&self) -> Vec<(u32, MessageId)> {
        let mut found = Vec::new();
        for node in self.world().processes() {
            match node {
                Node::Producer(producer) => {
                    if let Some(topic) = self.layout.topics.iter().position(|topic| topic.first == producer.first) {
                        producer.held(&mut |id| found.push((topic as u32, id)));
                    }
                }
                Node::Server(server) => {
                    let accepted = server.broker.iter().flat_map(|broker| broker.accepted.values());
                    accepted.for_each(|produce| self.requested(produce, &mut found));
                }
                Node::Consumer(_) => {}
            }
        }
        for message in self.world().messages() {
            if let Message::Ask(_, Request::Produce(produce)) = message {
                self.requested(produce, &mut found);
            }
        }
        found
    }

    /// The messages that something sent between processes carries.
    #[must_use]
    pub fn carried(message: &Message) -> Vec<MessageId> {
        let of = |entries: &[Entry]| -> Vec<MessageId> {
            entries.iter().flat_map(|entry| entry.batch.messages(0).map(|(id, _)| id)).collect()
        };
        match message {
            Message::Ask(_, Request::Produce(produce)) => {
                produce.batches.iter().flat_map(|(_, batch)| batch.messages(0).map(|(id, _)| id)).collect()
            }
            Message::Answer(_, Response::Fetched(parts)) => parts.iter().flat_map(|part| of(&part.entries)).collect(),
            Message::Answer(_, Response::Share(crate::share::ShareResponse::Fetched { parts, .. })) => parts
                .iter()
                .flat_map(|part| part.entries.iter().flat_map(|e| e.batch.messages(0).map(|(id, _)| id)))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn requested(&self, produce: &Produce, found: &mut Vec<(u32, MessageId)>) {
        for (slot, batch) in &produce.batches {
            let topic = self.layout.slots[*slot as usize];
            found.extend(batch.messages(0).map(|(id, _)| (topic, id)));
        }
    }

    /// What answers to fetches carry: it arrives even if the log that it was read from is gone by then.
    fn answers_on_their_way(&self) -> BTreeMap<Slot, Vec<(&Fetched, &Entry)>> {
        let mut found: BTreeMap<Slot, Vec<(&Fetched, &Entry)>> = BTreeMap::new();
        for message in self.world().messages() {
            if let Message::Answer(_, Response::Fetched(parts)) = message {
                for part in parts {
                    found.entry(part.slot).or_default().extend(part.entries.iter().map(|entry| (part, entry)));
                }
            }
        }
        found
    }

    /// Visits every message that a reader can still come to process: what a partition holds from the group's
    /// committed offset on, what is on its way, and what is in a client's hands. A message may be visited more than
    /// once.
    pub fn held(&self, visit: &mut dyn FnMut(u8, MessageId)) {
        let image = self.image();
        let incoming = self.incoming();
        let fetched = self.answers_on_their_way();
        for (reader, group) in (0u8..).zip(&self.layout.readers) {
            let members: Vec<&Consumer> = self.consumers().filter(|consumer| consumer.reader == reader).collect();
            let topics: Vec<u32> = members.iter().flat_map(|consumer| consumer.topics.iter().copied()).collect();
            let reset = members.first().map_or(OffsetReset::Latest, |consumer| consumer.config.auto_offset_reset);
            incoming.iter().filter(|(topic, _)| topics.contains(topic)).for_each(|(_, id)| visit(reader, *id));
            let shared = members.iter().any(|member| member.share.is_some());
            if shared {
                self.held_by_share_group(&image, group, &topics, &mut |id| visit(reader, id));
            }
            let read = |slot: &Slot| !shared && topics.contains(&self.layout.slots[*slot as usize]);
            for (slot, _) in image.all().filter(|(slot, _)| read(slot)) {
                let position =
                    || members.iter().filter_map(|member| member.assigned.get(&slot).and_then(|a| a.position)).min();
                let from = self.committed(&image, group, slot).or_else(position);
                let committed_only = reads_committed_only(&members);
                let mut show = |entry: &Entry, from: u64| {
                    let skip = from.saturating_sub(entry.base) as usize;
                    entry.batch.messages(skip).for_each(|(id, _)| visit(reader, id));
                };
                for replica in self.sources(&image, slot) {
                    let from = from.unwrap_or(match reset {
                        OffsetReset::Earliest => replica.log.start(),
                        OffsetReset::Latest | OffsetReset::None => replica.log.end(),
                        OffsetReset::ByDuration(_) => replica.log.start(),
                    });
                    let index = &replica.log.transactions;
                    // K-X6: of an aborted transaction nothing comes to those who read committed records only.
                    let readable = |entry: &&Entry| !committed_only || !index.is_aborted(entry);
                    let entries = replica.log.read(from.max(replica.log.start())).filter(readable);
                    entries.for_each(|entry| show(entry, from));
                }
                let fetched = fetched.get(&slot).into_iter().flatten();
                let readable = |(part, entry): &&(&Fetched, &Entry)| {
                    !committed_only || crate::transactions::passes(&part.aborted, entry)
                };
                fetched.filter(readable).for_each(|(_, entry)| show(entry, from.unwrap_or(0)));
            }
            members.iter().for_each(|member| member.held(visit));
        }
    }

    /// What there is to see now.
    #[must_use]
    pub fn view(&self) -> View {
        let image = self.image();
        let mut view = View { topics: self.topic_views(&image), ..View::default() };
        for (id, node) in (0u16..).zip(self.world().processes()) {
            match node {
                Node::Server(server) => view.servers.push(ServerView {
                    node: NodeId(id),
                    broker: server.broker.as_ref().map(|broker| self.broker_view(broker, &image)),
                    controller: server.controller.as_ref().map(controller_view),
                }),
                Node::Producer(producer) => view.producers.push(producer_view(NodeId(id), producer)),
                Node::Consumer(consumer) => view.consumers.push(self.consumer_view(NodeId(id), consumer)),
            }
        }
        view.groups = self.layout.readers.iter().map(|group| self.group_view(group)).collect();
        view.shares = self.share_views();
        view.transactions = self.layout.transactional_ids.iter().map(|id| self.transaction_view(id)).collect();
        view
    }

    fn topic_views(&self, image: &Image) -> Vec<TopicView> {
        let nodes = |ids: &[u16]| ids.iter().copied().map(NodeId).collect();
        let partition = |partition: u32, slot: Slot| {
            let state = image.partition(slot)?;
            Some(PartitionView {
                partition,
                leader: state.leader.map(NodeId),
                leader_epoch: state.leader_epoch,
                replicas: nodes(&state.replicas),
                adding: nodes(&state.adding),
                removing: nodes(&state.removing),
                isr: nodes(&state.isr),
                elr: nodes(&state.elr),
            })
        };
        let topic = |topic: &crate::layout::Topic| TopicView {
            name: topic.name.to_string(),
            internal: topic.internal,
            min_isr: image.topic(&self.layout, u16::MAX, topic.first).min_isr as u32,
            partitions: (0..topic.room).filter_map(|number| partition(number, topic.first + number)).collect(),
        };
        self.layout.topics.iter().map(topic).collect()
    }

    fn broker_view(&self, broker: &Broker, image: &Image) -> BrokerView {
        let registered = image.brokers.get(&broker.me);
        let replica = |(slot, replica): (&Slot, &Replica)| {
            let topic = self.layout.slots[*slot as usize];
            if self.layout.topics[topic as usize].internal && replica.log.end() == 0 {
                return None;
            }
            Some(ReplicaView {
                topic,
                partition: slot - self.layout.topics[topic as usize].first,
                is_leader: replica.leads().is_some(),
                in_sync: image.partition(*slot).is_some_and(|state| state.isr.contains(&broker.me)),
                leader_epoch: replica.leader_epoch,
                log_start: replica.log.start(),
                local_start: replica.log.local_start(),
                log_end: replica.log.end(),
                high_watermark: replica.high_watermark,
                last_stable: replica.last_stable(),
                open_transactions: replica.log.transactions.open() as u32,
                flushed: replica.log.flushed(),
            })
        };
        BrokerView {
            registration: match registered {
                None => Registration::Unregistered,
                Some(known) if known.fenced => Registration::Fenced,
                Some(known) if known.leaving => Registration::ControlledShutdown,
                Some(_) => Registration::Active,
            },
            epoch: registered.map_or(0, |known| known.epoch),
            metadata_offset: broker.image.offset,
            replicas: broker.replicas.iter().filter_map(replica).collect(),
            waiting_produces: broker.produces.len() as u32,
            waiting_fetches: broker.fetches.len() as u32,
        }
    }

    fn consumer_view(&self, node: NodeId, consumer: &Consumer) -> ConsumerView {
        let assigned = consumer.assigned.iter().map(|(slot, assigned)| {
            let topic = self.layout.slots[*slot as usize];
            let position = assigned.position.unwrap_or(0);
            let in_hand = consumer.in_hand.iter().filter(|record| record.slot == *slot).count() as u64;
            AssignedView {
                topic,
                partition: slot - self.layout.topics[topic as usize].first,
                position,
                committed: assigned.committed,
                lag: assigned.high_watermark.saturating_sub(position) + in_hand,
            }
        });
        ConsumerView {
            node,
            state: consumer.state(),
            generation: consumer.membership.generation,
            assigned: assigned.collect(),
            buffered: consumer.buffered(),
            working: consumer.working,
            coordinator: consumer.membership.coordinator.map(NodeId),
            failed: consumer.failed,
            share: consumer.share.as_ref().map(|share| share.view(&self.layout)),
        }
    }

    fn transaction_view(&self, id: &str) -> TransactionView {
        let keeper = self.brokers().find_map(|broker| broker.transaction(id).map(|found| (broker.me, found)));
        let record = keeper.map(|(_, found)| &found.record);
        let place = |slot: &Slot| {
            let topic = self.layout.slots[*slot as usize];
            (topic, slot - self.layout.topics[topic as usize].first)
        };
        TransactionView {
            id: id.to_owned(),
            coordinator: keeper.map(|(broker, _)| NodeId(broker)),
            state: record.map(|record| record.state),
            producer: record.map(|record| (record.producer, record.epoch)),
            partitions: record.map_or_else(Vec::new, |record| record.partitions.iter().map(place).collect()),
            started: record.filter(|record| record.state == TransactionState::Ongoing).map(|record| record.started),
        }
    }

    fn group_view(&self, name: &str) -> GroupView {
        let keeper = self.brokers().find_map(|broker| broker.group(name).map(|group| (broker.me, group)));
        GroupView {
            name: name.to_owned(),
            coordinator: keeper.map(|(broker, _)| NodeId(broker)),
            protocol: keeper.map_or("", |(_, group)| group.protocol_name()),
            state: keeper.map_or("Unknown", |(_, group)| group.state_name()),
            generation: keeper.map_or(0, |(_, group)| group.number()),
            members: keeper.map_or_else(Vec::new, |(_, group)| group.member_views(&self.layout)),
        }
    }
}

/// Whether the members of a group get committed records only.
fn reads_committed_only(members: &[&Consumer]) -> bool {
    members.iter().all(|member| member.config.isolation_level == IsolationLevel::ReadCommitted)
}

fn controller_view(controller: &Controller) -> ControllerView {
    ControllerView {
        is_active: controller.active,
        is_candidate: controller.raft.role().is_candidate(),
        leader: controller.raft.leader().map(NodeId),
        epoch: controller.raft.term().0,
        snapshot: controller.raft.last_index().0 - controller.raft.log_len(),
        log_end: controller.raft.last_index().0,
        committed: controller.raft.commit().0,
    }
}

fn producer_view(node: NodeId, producer: &Producer) -> ProducerView {
    let waiting = producer.gathered.queues.iter().flatten();
    ProducerView {
        node,
        buffered: waiting.map(crate::accumulator::Bundle::count).sum(),
        buffered_bytes: producer.gathered.used,
        in_flight: producer.under_way(),
        blocked: producer.blocked.len() as u32,
        sticky_partition: producer.sticky.partition,
        producer_id: producer.ids.identity(),
        transactions: producer.transactions.as_ref().map(|own| own.view()),
    }
}
