//! A producer: gathers records, sends them in batches, and tries again what failed (K-P1 to K-P6, K-I1 to K-I5).

use crate::accumulator::{Accumulator, Bundle, Readiness, goes_at_once};
use crate::admin::Order;
use crate::client::{Client, Fx, Waits};
use crate::config::{Acks, ProducerClient, ProducerConfig, millis};
use crate::error::Code;
use crate::image::Image;
use crate::layout::{Layout, Slot};
use crate::partitioner::{LoadStats, Sticky};
use crate::producer_gather::LastRecord;
use crate::rpc::{ClientWake, Message, Produce, Request, Response, Ticket, Wake};
use crate::sequences::Sequences;
use crate::shared_queue::SharedQueue;
use crate::transactions::{TransactionAsk, Transactional};
use sim::story::{FlightKind, Look, MessageId};
use sim::workload::{ClientOrder, Fresh, Source};
use sim::{Alarm, Event, Nanos, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Arrivals are looked at no more often than this: they keep their order and come at most so much late.
const QUANTUM: Nanos = Nanos::micros(50);

/// What a producer remembers of a request.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    ProducerId,
    Batches(Vec<Bundle>),
    Transaction(TransactionAsk),
}

/// A producer.
#[derive(Clone, Debug)]
pub struct Producer {
    pub(crate) client: Client<Asked>,
    pub(crate) index: u16,
    pub(crate) config: ProducerConfig,
    pub(crate) source: Source,
    pub(crate) first: Slot,
    /// How many partitions of its topic the client knows of (K-T2), and how many there may come to be.
    pub(crate) partitions: u32,
    room: u32,
    pub(crate) gathered: Accumulator,
    pub(crate) sticky: Sticky,
    pub(crate) stats: Option<LoadStats>,
    /// Memory for the next ones.
    pub(crate) weights: Vec<u32>,
    pub(crate) last: Option<LastRecord>,
    /// The partitions with a leader, by which metadata, of how many.
    pub(crate) led: (Rc<Image>, u32, Rc<[u32]>),
    pub(crate) turn: u32,
    /// The partition drawn at random for records without a key, and until when (K-T5).
    pub(crate) drawn: (u32, Time),
    /// Records whose `send()` blocks, and since when the first one does.
    pub(crate) blocked: SharedQueue<Fresh>,
    pub(crate) blocked_since: Time,
    pub(crate) blocked_told: bool,
    pub(crate) ids: Sequences,
    drain_from: BTreeMap<u16, u32>,
    /// Partitions with a batch under way, when only one request may be.
    pub(crate) muted: BTreeSet<u32>,
    pump_alarm: Option<(Time, Alarm)>,
    source_alarm: Option<Alarm>,
    /// Memory for how busy brokers are.
    busy: Vec<u32>,
    /// No batch is too old before this; perhaps not then either (K-P4).
    pub(crate) none_expires_before: Time,
    pub(crate) closing: bool,
    born: bool,
    pub(crate) retry_told: Option<Code>,
    /// Every how-many-th message has no value; 0 for none.
    pub(crate) tombstone_every: u32,
    clock_ahead: Nanos,
    /// Its transactions, if it has a `transactional.id`.
    pub(crate) transactions: Option<Box<Transactional>>,
}

impl Producer {
    pub(crate) fn new(layout: Rc<Layout>, index: u16, client: ProducerClient, source: Source) -> Producer {
        // A topic that is nowhere is waited for in vain (K-P1).
        let (first, room) = layout.topic_named(&client.topic).map_or((Slot::MAX, 0), |topic| (topic.first, topic.room));
        let transactions = Transactional::new(&client);
        let config = client.config;
        let waits = Waits {
            request: millis(config.request_timeout_ms),
            retry: millis(config.retry_backoff_ms),
            retry_most: millis(config.retry_backoff_max_ms),
            reconnect: millis(config.reconnect_backoff_ms),
            reconnect_most: millis(config.reconnect_backoff_max_ms),
            metadata_age: millis(config.metadata_max_age_ms),
            sleeps: true,
        };
        Producer {
            client: Client::new(layout, waits),
            index,
            ids: Sequences::of(&config, room),
            tombstone_every: client.tombstone_every,
            clock_ahead: client.clock_ahead,
            transactions,
            config,
            source,
            first,
            partitions: 0,
            room,
            gathered: Accumulator::new(room),
            sticky: Sticky::default(),
            stats: None,
            last: None,
            weights: Vec::new(),
            led: (Rc::default(), 0, Rc::default()),
            turn: 0,
            drawn: (0, Time::ZERO),
            blocked: SharedQueue::default(),
            blocked_since: Time::ZERO,
            blocked_told: false,
            drain_from: BTreeMap::new(),
            muted: BTreeSet::new(),
            pump_alarm: None,
            source_alarm: None,
            busy: Vec::new(),
            none_expires_before: Time::ZERO,
            closing: false,
            born: false,
            retry_told: None,
        }
    }

    pub(crate) fn crash(&mut self) {
        self.client.renew();
        self.partitions = 0;
        self.gathered = Accumulator::new(self.room);
        self.ids = Sequences::of(&self.config, self.room);
        if let Some(transactions) = &mut self.transactions {
            transactions.renew();
        }
        self.sticky = Sticky::default();
        self.drawn = (0, Time::ZERO);
        self.stats = None;
        self.blocked.clear();
        self.blocked_told = false;
        self.muted.clear();
        (self.pump_alarm, self.source_alarm) = (None, None);
        self.closing = false;
        self.retry_told = None;
    }

    pub(crate) fn on_event(&mut self, event: Event<crate::cluster::Node>, fx: &mut Fx<'_>) {
        match event {
            Event::Started => {
                if std::mem::replace(&mut self.born, true) {
                    // K-I5: a new process is a new producer; what was due while it was down is not made up for.
                    self.crash();
                    self.source.set_rate(fx.now(), self.source.spec().rate_milli);
                }
                self.client.refresh(fx);
                self.arm_source(fx);
                self.arm_transactions(self.source.spec().start, fx);
            }
            Event::StopRequested => {
                self.closing = true;
                if let Some(alarm) = self.source_alarm.take() {
                    fx.cancel(alarm);
                }
                self.pump(fx);
            }
            Event::Connected(broker) => {
                self.client.connected(broker.0, fx);
                self.pump(fx);
            }
            Event::Disconnected(broker, _) => self.on_disconnected(broker.0, fx),
            Event::Received(_, Message::Answer(ticket, response)) => self.on_answer(ticket, response, fx),
            Event::Woke(Wake::Client(wake)) => self.on_wake(wake, fx),
            Event::Ordered(Order::Client(order)) => self.on_order(&order, fx),
            Event::Received(..) | Event::Woke(_) | Event::Ordered(Order::Admin(_) | Order::Share(_)) => {}
        }
    }

    fn on_order(&mut self, order: &ClientOrder, fx: &mut Fx<'_>) {
        match order {
            ClientOrder::SetRate { rate_milli, .. } => {
                self.source.set_rate(fx.now(), *rate_milli);
                self.arm_source(fx);
            }
            ClientOrder::PublishOne { key, null, .. } => {
                let fresh = self.source.make_one(*key, *null);
                self.produce(fresh, fx);
                self.pump(fx);
            }
            ClientOrder::EndTransaction { commit, .. } => {
                self.end_transaction(*commit, fx);
                self.pump(fx);
            }
            ClientOrder::SetProcessing { .. }
            | ClientOrder::SetPrefetch { .. }
            | ClientOrder::FailOn { .. }
            | ClientOrder::Hand { .. } => {}
        }
    }

    fn on_wake(&mut self, wake: ClientWake, fx: &mut Fx<'_>) {
        match wake {
            ClientWake::Source => {
                self.source_alarm = None;
                let ready = self.produce_due(fx);
                self.arm_source(fx);
                if ready {
                    self.pump(fx);
                }
            }
            ClientWake::Pump => {
                self.pump_alarm = None;
                self.pump(fx);
            }
            ClientWake::Connect(broker) => {
                self.client.redial(broker, fx);
            }
            ClientWake::RequestExpires(broker, ticket) => {
                if self.client.expired(broker, ticket, fx) {
                    self.on_disconnected(broker, fx);
                }
            }
            ClientWake::Metadata => self.client.metadata_woke(fx),
            ClientWake::Blocked => self.unblock(fx),
            ClientWake::Transaction(number) => self.transaction_woke(number, fx),
            ClientWake::ConnectExpires(..)
            | ClientWake::Heartbeat(_)
            | ClientWake::Poll
            | ClientWake::Worked(_)
            | ClientWake::Retry(_)
            | ClientWake::PollInterval(_)
            | ClientWake::Begin => {}
        }
    }

    fn arm_source(&mut self, fx: &mut Fx<'_>) {
        if let Some(alarm) = self.source_alarm.take() {
            fx.cancel(alarm);
        }
        if let Some(due) = self.source.due().filter(|_| !self.closing) {
            let busy = self.source.spec().rate_milli > 20_000_000;
            let at = if busy { due.max(fx.now() + QUANTUM) } else { due.max(fx.now()) };
            self.source_alarm = Some(fx.wake_at(at, Wake::Client(ClientWake::Source)));
        }
    }

    pub(crate) fn arm_pump(&mut self, at: Time, fx: &mut Fx<'_>) {
        if at == Time::NEVER || self.pump_alarm.is_some_and(|(armed, _)| armed <= at) {
            return;
        }
        let alarm = fx.wake_at(at, Wake::Client(ClientWake::Pump));
        if let Some((_, old)) = self.pump_alarm.replace((at, alarm)) {
            fx.cancel(old);
        }
    }

    /// Sends what is ready (K-P2, K-P3), and gives up what is too old (K-P4).
    pub(crate) fn pump(&mut self, fx: &mut Fx<'_>) {
        self.client.stir(fx);
        self.expire(fx);
        if self.ids.may_be_broken() {
            self.mend(fx);
        }
        if !self.blocked.is_empty() {
            self.unblock(fx);
            if self.client.image.partition(self.first).is_none() {
                self.client.refresh(fx);
            }
        }
        if self.transactions.is_none() && self.ids.wants_id() && !self.gathered.is_empty() {
            self.ask_for_id(fx);
        }
        let now = fx.now();
        let hurry = self.closing || !self.blocked.is_empty() || self.transactions.as_ref().is_some_and(|t| t.hurries());
        let limit = self.limit();
        let mut next = Time::NEVER;
        let mut ready: Vec<(u16, u32)> = Vec::new();
        let busy = self.busy_brokers(fx);
        let mut leaderless = false;
        for (partition, queue) in (0..self.partitions).zip(&self.gathered.queues) {
            if queue.is_empty() {
                continue;
            }
            let Some((leader, epoch)) = self.client.leader(self.first + partition) else {
                leaderless = true;
                continue;
            };
            if self.muted.contains(&partition) {
                continue;
            }
            if goes_at_once(queue, hurry) {
                if busy.get(usize::from(leader)) != Some(&limit) {
                    ready.push((leader, partition));
                }
                continue;
            }
            let readiness = Readiness { linger: millis(self.config.linger_ms), now, hurry, leader_epoch: epoch };
            match readiness.of(queue) {
                Ok(()) => ready.push((leader, partition)),
                Err(at) => next = next.min(at),
            }
        }
        self.busy = busy;
        self.drain_all(&ready, fx);
        self.weigh();
        if leaderless {
            self.client.refresh(fx);
        }
        // What expires later than the alarm will wake it, or has to be woken, moves nothing.
        let armed = self.pump_alarm.map_or(Time::NEVER, |(armed, _)| armed);
        if self.none_expires_before < next.min(armed)
            && let Some(deadline) = self.look_for_expiry(now)
        {
            next = next.min(deadline);
        }
        self.arm_pump(next, fx);
        self.pump_transactions(fx);
        if self.closing && self.is_done() {
            fx.exit();
        }
    }

    /// K-I4: partitions whose sequences have a gap begin anew.
    fn mend(&mut self, fx: &mut Fx<'_>) {
        for partition in 0..self.partitions {
            if self.ids.is_broken(partition) && self.transactions.is_some() {
                self.fail_transaction(fx);
            } else if self.ids.is_broken(partition) {
                self.raise_epoch(partition, None, fx);
            }
        }
        self.ids.look_for_doubts();
    }

    /// How many requests with batches each broker has under way, up to as many as it may have; none of one that is out
    /// of reach.
    fn busy_brokers(&mut self, fx: &Fx<'_>) -> Vec<u32> {
        let limit = self.limit();
        let mut busy = std::mem::take(&mut self.busy);
        busy.clear();
        busy.resize(usize::from(self.client.layout.brokers), 0);
        for (broker, asked) in self.client.all_waiting_at() {
            if let Some(count) = busy.get_mut(usize::from(broker)).filter(|_| matches!(asked, Asked::Batches(_))) {
                *count = limit.min(*count + 1);
            }
        }
        for (broker, count) in (0..).zip(&mut busy) {
            if *count == limit && !self.client.is_reachable(broker, fx) {
                *count = 0;
            }
        }
        busy
    }

    /// How many requests may be under way to a broker (K-P3).
    fn limit(&self) -> u32 {
        u32::try_from(self.config.max_in_flight_requests_per_connection.unsigned_abs()).unwrap_or(u32::MAX).max(1)
    }

    /// Sends what is ready, broker by broker.
    fn drain_all(&mut self, ready: &[(u16, u32)], fx: &mut Fx<'_>) {
        if ready.is_empty() {
            return;
        }
        let mut partitions = Vec::with_capacity(ready.len());
        let mut from = 0;
        while let Some(leader) = ready.iter().map(|(leader, _)| *leader).filter(|leader| *leader >= from).min() {
            partitions.clear();
            partitions.extend(ready.iter().filter(|(of, _)| *of == leader).map(|(_, partition)| *partition));
            self.drain(leader, &partitions, fx);
            from = leader + 1;
        }
    }

    fn is_done(&self) -> bool {
        let under_way = self.client.all_waiting().any(|asked| matches!(asked, Asked::Batches(_)));
        let transactions = self.transactions.as_ref().is_none_or(|transactions| transactions.is_done());
        self.gathered.is_empty() && self.blocked.is_empty() && !under_way && transactions
    }

    /// K-P3: one request to a broker, with at most one batch of each of its partitions, as long as it may have more
    /// unanswered ones.
    fn drain(&mut self, leader: u16, ready: &[u32], fx: &mut Fx<'_>) {
        if !self.client.is_reachable(leader, fx) {
            return self.client.want(leader, fx);
        }
        let limit = self.config.max_in_flight_requests_per_connection.unsigned_abs() as usize;
        let mut again = true;
        while again {
            let under_way = self.client.waiting(leader).filter(|asked| matches!(asked, Asked::Batches(_))).count();
            if under_way >= limit || self.ids.wants_id() {
                return;
            }
            let bundles = self.collect(leader, ready);
            if bundles.is_empty() {
                return;
            }
            self.send(leader, bundles, fx);
            // More requests at once only while whole batches wait.
            again = ready
                .iter()
                .any(|partition| self.gathered.queues[*partition as usize].front().is_some_and(Bundle::is_full));
        }
    }

    fn collect(&mut self, leader: u16, ready: &[u32]) -> Vec<Bundle> {
        let start = self.drain_from.get(&leader).copied().unwrap_or(0);
        let most = u64::try_from(self.config.max_request_size).unwrap_or(0);
        let one_at_a_time = self.config.max_in_flight_requests_per_connection == 1;
        let mut bytes = 0;
        let mut bundles: Vec<Bundle> = Vec::with_capacity(ready.len());
        for turn in 0..ready.len() {
            let partition = ready[(start as usize + turn) % ready.len()];
            if self.muted.contains(&partition) {
                continue;
            }
            let Some(head) = self.gathered.queues[partition as usize].front() else { continue };
            if !bundles.is_empty() && bytes + u64::from(head.bytes) > most {
                self.drain_from.insert(leader, (start + turn as u32) % ready.len() as u32);
                break;
            }
            if !self.ids.may_send(partition, head.stamp()) {
                continue;
            }
            let Some(mut bundle) = self.gathered.queues[partition as usize].pop_front() else { continue };
            bytes += u64::from(bundle.bytes);
            if bundle.sealed.is_none() {
                let stamp = self.ids.stamp(partition, bundle.count());
                bundle.seal(self.index, stamp, self.clock_ahead);
            }
            if one_at_a_time {
                self.muted.insert(partition);
            }
            bundles.push(bundle);
        }
        bundles
    }

    fn send(&mut self, leader: u16, mut bundles: Vec<Bundle>, fx: &mut Fx<'_>) {
        let (mut bytes, mut count, mut attempt) = (60, 0, 0);
        let mut batches = Vec::with_capacity(bundles.len());
        for bundle in &mut bundles {
            attempt = attempt.max(bundle.attempts.min(255) as u8);
            bundle.attempts += 1;
            bundle.tried_epoch = self.client.leader(self.first + bundle.partition).map_or(-1, |(_, epoch)| epoch);
            bytes += bundle.bytes;
            count += bundle.count() as usize;
            if let Some(batch) = &bundle.sealed {
                batches.push((self.first + bundle.partition, batch.clone()));
            }
        }
        let hue = match &batches[..] {
            [(_, batch)] if count == 1 => batch.messages(0).next().map_or(255, |(_, key)| key_hue(key)),
            _ => 255,
        };
        let look = Look { attempt, ..Look::of(FlightKind::Produce, hue, count) };
        let acks = self.config.acks;
        let transaction = self.transactions.as_ref().map(|transactions| transactions.id.clone());
        let produce = Produce { acks, timeout: millis(self.config.request_timeout_ms), batches, transaction };
        let request = Request::Produce(Rc::new(produce));
        if acks == Acks::None {
            // K-A1: nobody will answer; as far as this producer knows all is well.
            self.client.tell(leader, request, bytes, look, fx);
            for bundle in bundles {
                self.finish(&bundle);
            }
            return;
        }
        self.client.ask(leader, request, Asked::Batches(bundles), bytes, look, fx);
    }

    fn ask_for_id(&mut self, fx: &mut Fx<'_>) {
        if self.client.all_waiting().any(|asked| matches!(asked, Asked::ProducerId)) {
            return;
        }
        let layout = self.client.layout.clone();
        if let Some(broker) = layout.broker_nodes().find(|broker| self.client.is_reachable(broker.0, fx)) {
            let look = Look::plain(FlightKind::Control);
            self.client.ask(broker.0, Request::InitProducer, Asked::ProducerId, 60, look, fx);
        }
    }

    fn on_answer(&mut self, ticket: Ticket, response: Response, fx: &mut Fx<'_>) {
        match response {
            Response::Metadata(image) => {
                if self.client.learn(ticket, image, fx) {
                    self.count_partitions();
                    self.unblock(fx);
                }
            }
            Response::Producer(result) => {
                self.client.answered(ticket, fx);
                if let Ok(id) = result {
                    self.ids.begin(id);
                }
            }
            Response::Produced(results, leaders) => {
                if let Some(Asked::Batches(bundles)) = self.client.answered(ticket, fx) {
                    for (slot, leader) in leaders {
                        self.client.hear_of(slot, leader);
                    }
                    for bundle in bundles {
                        let slot = self.first + bundle.partition;
                        let result = results.iter().find(|(of, _)| *of == slot).map(|(_, result)| *result);
                        self.settle(bundle, result.unwrap_or(Err(Code::NetworkException)), fx);
                    }
                }
            }
            Response::Transaction(response) => self.on_transaction(ticket, response, fx),
            Response::Fetched(_) | Response::Offset(..) | Response::Coordinator(_) | Response::Group(_) => return,
            Response::Share(_) => return,
        }
        self.pump(fx);
    }

    fn on_disconnected(&mut self, broker: u16, fx: &mut Fx<'_>) {
        for asked in self.client.disconnected(broker, fx) {
            match asked {
                Asked::Batches(bundles) => {
                    for bundle in bundles {
                        self.settle(bundle, Err(Code::NetworkException), fx);
                    }
                }
                Asked::Transaction(_) => self.try_transaction_later(true, fx),
                Asked::ProducerId => {}
            }
        }
        self.pump(fx);
    }

    pub(crate) fn finish(&mut self, bundle: &Bundle) {
        self.muted.remove(&bundle.partition);
        self.gathered.release(bundle);
    }

    /// Visits the messages that it has and may send, or send again.
    pub(crate) fn held(&self, visit: &mut dyn FnMut(MessageId)) {
        self.blocked.iter().for_each(|fresh| visit(fresh.id));
        self.transactions.iter().for_each(|own| own.waiting.iter().for_each(|fresh| visit(fresh.id)));
        let under_way = self.client.all_waiting().flat_map(|asked| match asked {
            Asked::Batches(bundles) => &bundles[..],
            Asked::ProducerId | Asked::Transaction(_) => &[],
        });
        let gathered = self.gathered.queues.iter().flatten();
        for bundle in gathered.chain(under_way) {
            bundle.messages(self.index).into_iter().for_each(&mut *visit);
        }
    }

    /// Records sent and not answered.
    pub(crate) fn under_way(&self) -> u32 {
        let batches = self.client.all_waiting().map(|asked| match asked {
            Asked::Batches(bundles) => bundles.iter().map(Bundle::count).sum(),
            Asked::ProducerId | Asked::Transaction(_) => 0,
        });
        batches.sum()
    }
}

/// A key's hue.
pub(crate) fn key_hue(key: u32) -> u8 {
    if key == u32::MAX { 255 } else { (key % 8) as u8 }
}
