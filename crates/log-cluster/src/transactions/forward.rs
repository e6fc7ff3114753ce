//! An application that consumes, processes and produces: what it read it writes to another topic, with its progress,
//! in one transaction for each polled batch (K-X7). That it does so is the lab's notion, not Kafka's.

use crate::accumulator::{HEADER, record_bytes};
use crate::client::Fx;
use crate::config::{Acks, Forwarding, ProducerConfig, millis};
use crate::consumer::{Asked, Consumer, InHand};
use crate::error::Code;
use crate::layout::{Layout, Slot};
use crate::log::{Batch, Payload, Row};
use crate::partitioner::partition_for_key;
use crate::rpc::{ClientWake, Produce, Request, Response, Ticket, Wake};
use crate::sequences::Sequences;
use crate::transactions::{Offsets, TransactionRequest, TransactionResponse};
use sim::story::{FlightKind, Look, MarkKind, Rule};
use sim::{Nanos, Time};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What such an application asked.
#[derive(Clone, Debug)]
pub(crate) enum ForwardAsk {
    Coordinator,
    Init,
    Batches(Vec<(Slot, Rc<Batch>)>),
    Offsets,
    End,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Step {
    Initializing,
    /// The next batch may be polled and processed.
    Ready,
    Sending,
    SendingOffsets,
    Ending(bool),
    Over,
}

/// What it does with what it has processed.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    id: Rc<str>,
    timeout: Nanos,
    first: Slot,
    partitions: u32,
    request_timeout: Nanos,
    step: Step,
    coordinator: Option<u16>,
    ids: Sequences,
    /// Processed, and not forwarded.
    processed: Vec<InHand>,
    /// As a member of which generation; the progress that goes with the transaction.
    progress: Option<Rc<Offsets>>,
    unsent: Vec<(Slot, Rc<Batch>)>,
    not_before: Time,
}

impl Forward {
    pub fn new(layout: &Layout, forwarding: &Forwarding, request_timeout: Nanos) -> Box<Forward> {
        let topic = layout.topic_named(&forwarding.topic);
        let config = ProducerConfig {
            transactional_id: Some(forwarding.transactional_id.clone()),
            transaction_timeout_ms: forwarding.transaction_timeout_ms,
            ..ProducerConfig::default()
        };
        let (first, partitions) = topic.map_or((0, 1), |topic| (topic.first, topic.partitions));
        Box::new(Forward {
            id: forwarding.transactional_id.as_str().into(),
            timeout: millis(config.transaction_timeout_ms),
            first,
            partitions,
            request_timeout,
            step: Step::Initializing,
            coordinator: None,
            ids: Sequences::of(&config, partitions),
            processed: Vec::new(),
            progress: None,
            unsent: Vec::new(),
            not_before: Time::ZERO,
        })
    }

    /// A new life of the application.
    pub fn renew(&mut self) {
        (self.step, self.coordinator, self.progress) = (Step::Initializing, None, None);
        self.processed.clear();
        self.unsent.clear();
        self.not_before = Time::ZERO;
    }

    /// The application has processed a record.
    pub fn take(&mut self, record: InHand) {
        self.processed.push(record);
    }

    /// What was processed, in batches: one of each partition and producer of the workload.
    fn batches(&mut self, now: Time) -> Vec<(Slot, Rc<Batch>)> {
        let mut sorted: BTreeMap<(u32, u16), (Vec<Row>, u32)> = BTreeMap::new();
        for record in &self.processed {
            let (key, sequence) = (record.key, record.id.sequence);
            let partition = match key {
                u32::MAX => sequence % self.partitions,
                key => partition_for_key(format!("key-{key}").as_bytes(), self.partitions),
            };
            let (rows, bytes) = sorted.entry((partition, record.id.producer)).or_insert((Vec::new(), HEADER));
            rows.push(Row { sequence, key });
            *bytes += record_bytes((key != u32::MAX).then_some(key), record.bytes);
        }
        let mut batches = Vec::with_capacity(sorted.len());
        for ((partition, producer), (rows, bytes)) in sorted {
            let stamp = self.ids.stamp(partition, rows.len() as u32);
            let payload = Payload::Messages(producer, rows.into_boxed_slice());
            batches.push((self.first + partition, Rc::new(Batch { payload, bytes, stamp, created: now })));
        }
        batches
    }
}

impl Consumer {
    /// Whether the application may poll again: all that it has processed is forwarded.
    pub(crate) fn has_forwarded(&mut self, fx: &mut Fx<'_>) -> bool {
        let Some(own) = &self.forward else { return true };
        if own.step == Step::Ready && !own.processed.is_empty() {
            self.begin_forwarding(fx);
        }
        let Some(own) = &self.forward else { return true };
        if own.step != Step::Ready && fx.now() >= own.not_before {
            self.go_on_forwarding(fx);
        }
        self.forward.as_ref().is_none_or(|own| own.step == Step::Ready)
    }

    fn begin_forwarding(&mut self, fx: &mut Fx<'_>) {
        let (member, generation) = (self.who(), self.membership.generation);
        let Some(own) = &mut self.forward else { return };
        let Some((producer, epoch)) = own.ids.identity() else { return };
        let mut offsets: BTreeMap<Slot, u64> = BTreeMap::new();
        for record in &own.processed {
            let next = offsets.entry(record.slot).or_default();
            *next = (*next).max(record.offset + 1);
        }
        own.unsent = own.batches(fx.now());
        own.processed.clear();
        let offsets = offsets.into_iter().collect();
        let group = self.group.clone();
        own.progress = Some(Rc::new(Offsets { group, member, generation, producer, epoch, offsets }));
        own.step = Step::Sending;
    }

    fn go_on_forwarding(&mut self, fx: &mut Fx<'_>) {
        let waits = self.client.all_waiting().any(|asked| matches!(asked, Asked::Forward(_)));
        let Some(own) = &mut self.forward else { return };
        if waits {
            return;
        }
        if own.step == Step::Sending && own.unsent.is_empty() {
            own.step = Step::SendingOffsets;
        }
        let id = own.id.clone();
        match (own.step, own.progress.clone()) {
            (Step::Sending, _) => self.send_batches(fx),
            (Step::SendingOffsets, Some(progress)) => {
                let Some(group) = self.membership.coordinator else {
                    self.seek_coordinator(fx);
                    return self.forward_later(false, fx);
                };
                let request = Request::Transaction(id, TransactionRequest::CommitOffsets(progress));
                self.ask_forward(group, request, ForwardAsk::Offsets, fx);
            }
            (Step::Initializing | Step::Ending(_), _) => self.ask_coordinator_of_transactions(fx),
            (Step::Ready | Step::Over | Step::SendingOffsets, _) => {}
        }
    }

    fn ask_coordinator_of_transactions(&mut self, fx: &mut Fx<'_>) {
        let Some(own) = &self.forward else { return };
        let id = own.id.clone();
        let (ask, request) = match (own.step, own.ids.identity()) {
            (Step::Ending(commit), Some((producer, epoch))) => {
                (ForwardAsk::End, TransactionRequest::End(producer, epoch, commit))
            }
            _ => (ForwardAsk::Init, TransactionRequest::Init(own.timeout)),
        };
        match own.coordinator {
            Some(coordinator) => self.ask_forward(coordinator, Request::Transaction(id, request), ask, fx),
            None => {
                let layout = self.client.layout.clone();
                let broker = layout.broker_nodes().find(|broker| self.client.is_reachable(broker.0, fx));
                let request = Request::Transaction(id, TransactionRequest::FindCoordinator);
                match broker {
                    Some(broker) => self.ask_forward(broker.0, request, ForwardAsk::Coordinator, fx),
                    None => self.forward_later(false, fx),
                }
            }
        }
    }

    fn ask_forward(&mut self, broker: u16, request: Request, ask: ForwardAsk, fx: &mut Fx<'_>) {
        let kind = if matches!(ask, ForwardAsk::Offsets) { FlightKind::Commit } else { FlightKind::Control };
        if self.client.ask(broker, request, Asked::Forward(ask), 100, Look::plain(kind), fx).is_none() {
            self.forward_later(true, fx);
        }
    }

    /// One request to each leader, with at most one batch of each partition; the next ones once all are answered.
    fn send_batches(&mut self, fx: &mut Fx<'_>) {
        let Some(own) = &mut self.forward else { return };
        let mut taken: Vec<Slot> = Vec::new();
        let mut round: BTreeMap<u16, Vec<(Slot, Rc<Batch>)>> = BTreeMap::new();
        let client = &self.client;
        let mut goes = |(slot, batch): &mut (Slot, Rc<Batch>)| {
            let leader = client.leader(*slot).filter(|(leader, _)| client.is_reachable(*leader, fx));
            let Some((leader, _)) = leader.filter(|_| !taken.contains(slot)) else { return false };
            taken.push(*slot);
            round.entry(leader).or_default().push((*slot, batch.clone()));
            true
        };
        own.unsent.retain_mut(|batch| !goes(batch));
        let (id, timeout) = (own.id.clone(), own.request_timeout);
        if round.is_empty() {
            let leaders: Vec<u16> =
                own.unsent.iter().filter_map(|(slot, _)| client.leader(*slot)).map(|(leader, _)| leader).collect();
            leaders.into_iter().for_each(|leader| self.client.want(leader, fx));
            self.client.refresh(fx);
            return self.forward_later(false, fx);
        }
        for (leader, batches) in round {
            let bytes = batches.iter().map(|(_, batch)| batch.bytes).sum();
            let count = batches.iter().map(|(_, batch)| batch.count()).sum::<u64>();
            let look = Look::of(FlightKind::Produce, 255, count as usize);
            let transaction = Some(id.clone());
            let produce = Produce { acks: Acks::All, timeout, batches: batches.clone(), transaction };
            let ask = Asked::Forward(ForwardAsk::Batches(batches));
            self.client.ask(leader, Request::Produce(Rc::new(produce)), ask, bytes, look, fx);
        }
    }

    fn forward_later(&mut self, elsewhere: bool, fx: &mut Fx<'_>) {
        let wait = self.client.waits.retry;
        if let Some(own) = &mut self.forward {
            own.not_before = fx.now() + wait;
            if elsewhere {
                own.coordinator = None;
            }
            fx.wake_in(wait, Wake::Client(ClientWake::Retry(0)));
        }
    }

    pub(crate) fn on_forward(&mut self, ticket: Ticket, response: Response, fx: &mut Fx<'_>) {
        let Some(Asked::Forward(ask)) = self.client.answered(ticket, fx) else { return };
        match (ask, response) {
            (ForwardAsk::Batches(batches), Response::Produced(results, leaders)) => {
                for (slot, leader) in leaders {
                    self.client.hear_of(slot, leader);
                }
                for (slot, batch) in batches {
                    let result = results.iter().find(|(of, _)| *of == slot).map(|(_, result)| *result);
                    self.batch_answered(slot, batch, result.unwrap_or(Err(Code::NetworkException)), fx);
                }
            }
            (_, Response::Transaction(response)) => self.on_transaction(response, fx),
            _ => {}
        }
    }

    fn batch_answered(&mut self, slot: Slot, batch: Rc<Batch>, result: Result<u64, Code>, fx: &mut Fx<'_>) {
        let Some(own) = &mut self.forward else { return };
        let lost = [Code::InvalidProducerEpoch, Code::InvalidProducerIdMapping, Code::InvalidTxnState];
        match result {
            Ok(_) => own.ids.acknowledged(slot - own.first, batch.stamp, batch.count() as u32),
            Err(code) if lost.contains(&code) || code == Code::OutOfOrderSequence || code == Code::MessageTooLarge => {
                own.unsent.clear();
                own.step = Step::Ending(false);
            }
            Err(_) if own.step == Step::Sending => {
                own.unsent.insert(0, (slot, batch));
                self.client.refresh(fx);
                self.forward_later(false, fx);
            }
            Err(_) => {}
        }
    }

    fn on_transaction(&mut self, response: TransactionResponse, fx: &mut Fx<'_>) {
        let Some(own) = &mut self.forward else { return };
        match response {
            TransactionResponse::Coordinator(Ok(broker)) => {
                own.coordinator = Some(broker);
                self.client.want(broker, fx);
            }
            TransactionResponse::Identity(Ok((producer, epoch))) => {
                own.ids.renew(producer, epoch);
                let ended = own.step;
                own.step = Step::Ready;
                if let (Step::Ending(commit), Some(progress)) = (ended, own.progress.take()) {
                    self.transaction_ended(commit, &progress, fx);
                }
            }
            TransactionResponse::Offsets(Ok(())) => own.step = Step::Ending(true),
            TransactionResponse::Identity(Err(code)) | TransactionResponse::Offsets(Err(code)) => {
                self.forward_refused(code, fx);
            }
            TransactionResponse::Coordinator(Err(_)) => self.forward_later(true, fx),
            TransactionResponse::Added(_) | TransactionResponse::Written(_) => {}
        }
    }

    fn forward_refused(&mut self, code: Code, fx: &mut Fx<'_>) {
        let Some(own) = &mut self.forward else { return };
        match (code, own.step) {
            (Code::ConcurrentTransactions | Code::CoordinatorNotAvailable | Code::NetworkException, _) => {
                self.forward_later(false, fx);
            }
            (Code::NotCoordinator, Step::SendingOffsets) => {
                self.membership.coordinator = None;
                self.forward_later(false, fx);
            }
            (Code::NotCoordinator, _) => self.forward_later(true, fx),
            // The group went on without this member: its work is another one's.
            (_, Step::SendingOffsets) => own.step = Step::Ending(false),
            _ => {
                own.step = Step::Over;
                let values = vec![self.client.layout.name(fx.me().0), code.name().to_owned()];
                fx.mark(MarkKind::Refusal, "producer-fenced", values, Rule("K-X3"));
                fx.exit();
            }
        }
    }

    /// Committed: so is the progress. Aborted: the work begins again at the committed offsets.
    fn transaction_ended(&mut self, commit: bool, progress: &Offsets, fx: &mut Fx<'_>) {
        if commit {
            self.settle_commit(Ok(()), &progress.offsets, fx);
            return;
        }
        let values = vec![self.client.layout.name(fx.me().0)];
        fx.mark(MarkKind::Change, "forwarding-aborted", values, Rule("K-X7"));
        for assigned in self.assigned.values_mut() {
            assigned.position = None;
            assigned.buffered.clear();
        }
        self.membership.offsets_wanted = true;
    }

    pub(crate) fn forward_in_vain(&mut self, ask: &ForwardAsk, fx: &mut Fx<'_>) {
        if let (ForwardAsk::Batches(batches), Some(own)) = (ask, &mut self.forward)
            && own.step == Step::Sending
        {
            own.unsent.splice(0..0, batches.iter().cloned());
        }
        self.forward_later(true, fx);
    }
}
