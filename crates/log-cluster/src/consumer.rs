//! A consumer: fetches, polls, works on one message at a time, and commits (K-C1 to K-C5, K-O1, K-O2).

use crate::admin::Order;
use crate::by_hand::Led;
use crate::client::{Client, Fx, Waits};
use crate::config::{ConsumerClient, ConsumerConfig, millis};
use crate::layout::{Layout, Slot};
use crate::log::Entry;
use crate::membership::Membership;
use crate::rpc::{ClientWake, Message, Response, Ticket, Wake};
use crate::share::{ShareAsk, ShareMember};
use crate::transactions::{Forward, ForwardAsk};
use crate::unsettled::Unsettled;
use crate::view::MemberState;
use sim::story::{Life, MessageId, Note, Rule};
use sim::workload::{ClientOrder, ConsumerSpec, Duration};
use sim::{Event, Nanos, Time};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// What a consumer remembers of a request.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Coordinator,
    Join,
    Sync,
    Beat,
    Leave,
    Offsets,
    Offset(Slot),
    /// The commit before partitions are given up (K-G8).
    Revocation,
    /// Whether it is the one that a join, a stop or the application waits for.
    Commit(bool),
    Fetch,
    Forward(ForwardAsk),
    Share(ShareAsk),
}

/// A partition that a consumer was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assigned {
    /// The offset that the next poll returns; `None` until it is known.
    pub position: Option<u64>,
    /// The offset that the next fetch asks for.
    pub fetch_from: u64,
    pub committed: Option<u64>,
    /// The highest offset that a commit was sent for.
    pub committing: u64,
    pub high_watermark: u64,
    /// Fetched and not polled.
    pub buffered: VecDeque<Entry>,
    /// Worked on and not known to be committed.
    pub(crate) unsettled: Unsettled,
    /// Looking for its position.
    pub(crate) seeking: bool,
    /// Not asked for again before.
    pub(crate) seeks_from: Time,
}

/// A record in the application's hands.
#[derive(Copy, Clone, Debug)]
pub(crate) struct InHand {
    pub slot: Slot,
    pub offset: u64,
    pub id: MessageId,
    pub key: u32,
    /// Bytes of its value, about.
    pub bytes: u32,
}

impl InHand {
    /// Whether `next` is the record behind it, of the same producer.
    fn goes_on(&self, next: &InHand) -> bool {
        let follows = next.id == MessageId { sequence: self.id.sequence.wrapping_add(1), ..self.id };
        follows && next.slot == self.slot && next.offset == self.offset + 1
    }
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    pub(crate) client: Client<Asked>,
    pub(crate) index: u16,
    pub(crate) reader: u8,
    pub(crate) config: ConsumerConfig,
    pub(crate) group: Rc<str>,
    pub(crate) topics: Vec<u32>,
    processing: Duration,
    start: Time,
    pub(crate) poll_records: u32,
    pub(crate) membership: Membership,
    pub(crate) assigned: BTreeMap<Slot, Assigned>,
    /// Polled and not worked on; the first is being worked on.
    pub(crate) in_hand: VecDeque<InHand>,
    pub(crate) working: bool,
    /// What it was given is someone else's, and its application does not know yet.
    pub(crate) lost: bool,
    works: u32,
    pub(crate) last_poll: Time,
    next_auto_commit: Time,
    /// When an idle `poll()` looks again by itself.
    wakes_at: Time,
    /// The application waits for a commit.
    pub(crate) waits_for_commit: bool,
    polled_something: bool,
    pub(crate) rotate: u32,
    pub(crate) stopping: bool,
    pub(crate) begun: bool,
    /// Where it writes what it has processed, if it does (K-X7).
    pub(crate) forward: Option<Box<Forward>>,
    /// What it knows as a member of a share group, if it is one.
    pub(crate) share: Option<Box<ShareMember>>,
    /// The error that ended the application.
    pub(crate) failed: Option<&'static str>,
    /// Whether, and how, it is led by hand.
    pub(crate) hand: Led,
    /// The key of the records that its application fails on.
    pub(crate) fails_on: Option<u32>,
}

impl Consumer {
    pub(crate) fn new(layout: Rc<Layout>, index: u16, client: ConsumerClient, spec: &ConsumerSpec) -> Consumer {
        let config = client.config;
        let request_timeout = millis(config.request_timeout_ms);
        let forward = client.forward.as_ref().map(|own| Forward::new(&layout, own, request_timeout));
        let waits = Waits {
            request: millis(config.request_timeout_ms),
            retry: millis(config.retry_backoff_ms),
            retry_most: millis(config.retry_backoff_max_ms),
            reconnect: millis(config.reconnect_backoff_ms),
            reconnect_most: millis(config.reconnect_backoff_max_ms),
            metadata_age: millis(config.metadata_max_age_ms),
            sleeps: false,
        };
        let mut share = client.share.map(|plan| Box::new(ShareMember::new(plan, &config)));
        share.iter_mut().for_each(|share| share.plan.by_hand |= spec.by_hand);
        let named = |name: &String| (0..).zip(&layout.topics).find(|(_, topic)| *topic.name == **name).map(|(i, _)| i);
        let mut topics: Vec<u32> = client.topics.iter().filter_map(named).collect();
        topics.sort_unstable();
        topics.dedup();
        Consumer {
            reader: layout.reader(&config.group_id),
            group: config.group_id.as_str().into(),
            client: Client::new(layout, waits),
            index,
            topics,
            processing: spec.processing,
            start: spec.start,
            hand: Led::new(spec.by_hand),
            fails_on: None,
            poll_records: u32::try_from(config.max_poll_records).unwrap_or(500),
            config,
            membership: Membership::default(),
            assigned: BTreeMap::new(),
            in_hand: VecDeque::new(),
            working: false,
            lost: false,
            works: 0,
            last_poll: Time::ZERO,
            next_auto_commit: Time::ZERO,
            wakes_at: Time::ZERO,
            waits_for_commit: false,
            polled_something: false,
            rotate: 0,
            stopping: false,
            begun: false,
            forward,
            share,
            failed: None,
        }
    }

    pub(crate) fn crash(&mut self) {
        self.client.renew();
        self.membership = Membership { lives: self.membership.lives, ..Membership::default() };
        self.assigned.clear();
        self.in_hand.clear();
        (self.working, self.lost) = (false, false);
        self.waits_for_commit = false;
        self.polled_something = false;
        self.stopping = false;
        self.begun = false;
        self.failed = None;
        self.wakes_at = Time::ZERO;
        self.hand = Led::new(self.hand.on);
        self.forward.iter_mut().for_each(|own| own.renew());
        self.share.iter_mut().for_each(|share| share.renew());
    }

    pub(crate) fn on_event(&mut self, event: Event<crate::cluster::Node>, fx: &mut Fx<'_>) {
        match event {
            Event::Started => {
                self.crash();
                fx.wake_at(self.start.max(fx.now()), Wake::Client(ClientWake::Begin));
            }
            Event::StopRequested => {
                self.stopping = true;
                if !self.working {
                    self.poll(fx);
                }
            }
            Event::Connected(broker) => {
                self.client.connected(broker.0, fx);
                self.go_on(fx);
            }
            Event::Disconnected(broker, _) => self.on_disconnected(broker.0, fx),
            Event::Received(_, Message::Answer(ticket, response)) => self.on_answer(ticket, response, fx),
            Event::Woke(Wake::Client(wake)) => self.on_wake(wake, fx),
            Event::Ordered(Order::Client(ClientOrder::SetProcessing { processing, .. })) => {
                self.processing = processing
            }
            Event::Ordered(Order::Client(ClientOrder::SetPrefetch { count, .. })) => {
                self.poll_records = if count == 0 { 500 } else { u32::from(count) };
            }
            Event::Ordered(Order::Client(ClientOrder::FailOn { key, .. })) => self.fails_on = key,
            Event::Ordered(Order::Client(ClientOrder::Hand { hand, .. })) => self.on_hand(hand, fx),
            Event::Ordered(Order::Share(order)) => self.on_share_order(order, fx),
            Event::Ordered(_) | Event::Received(..) | Event::Woke(_) => {}
        }
    }

    fn on_wake(&mut self, wake: ClientWake, fx: &mut Fx<'_>) {
        match wake {
            ClientWake::Begin => {
                self.begun = true;
                self.last_poll = fx.now();
                self.next_auto_commit = fx.now() + millis(self.config.auto_commit_interval_ms);
                self.client.refresh(fx);
                self.start_life(fx);
                self.poll(fx);
            }
            ClientWake::Connect(broker) => {
                if !self.client.redial(broker, fx) && self.membership.coordinator == Some(broker) {
                    // K-G1: who is out of reach coordinates nothing any more.
                    self.membership.coordinator = None;
                    self.go_on(fx);
                }
            }
            ClientWake::RequestExpires(broker, ticket) => {
                if self.client.expired(broker, ticket, fx) {
                    self.on_disconnected(broker, fx);
                }
            }
            ClientWake::Metadata => self.client.metadata_woke(fx),
            ClientWake::Heartbeat(life) => self.heartbeat_due(life, fx),
            ClientWake::PollInterval(life) => self.check_poll_interval(life, fx),
            ClientWake::Worked(number) if number == self.works => self.worked(fx),
            ClientWake::Retry(_) | ClientWake::Poll => self.go_on(fx),
            ClientWake::Worked(_)
            | ClientWake::Source
            | ClientWake::Pump
            | ClientWake::ConnectExpires(..)
            | ClientWake::Transaction(_)
            | ClientWake::Blocked => {}
        }
    }

    /// Something changed: an application that waits in `poll()` looks again.
    pub(crate) fn go_on(&mut self, fx: &mut Fx<'_>) {
        if !self.begun {
            return;
        }
        if self.is_modern() {
            self.beat_if_due(fx);
        }
        if self.working {
            // The background thread goes on fetching nothing; the coordinator is kept up by heartbeats.
            return;
        }
        self.poll(fx);
    }

    /// One `poll()`: keeps up the membership, commits, fetches, and hands records to the application.
    pub(crate) fn poll(&mut self, fx: &mut Fx<'_>) {
        if !self.begun || self.working || self.idles(fx) {
            return;
        }
        self.last_poll = fx.now();
        if std::mem::take(&mut self.lost) {
            self.assigned.clear();
        }
        if self.waits_for_commit || !self.has_forwarded(fx) {
            return;
        }
        if self.stopping {
            return if self.close_sessions(fx) {
                self.close(fx)
            };
        }
        if self.commits_by_hand() && std::mem::take(&mut self.polled_something) && self.commit(true, fx) {
            self.waits_for_commit = true;
            return;
        }
        if !self.keep_membership(fx) {
            return;
        }
        if self.share.is_some() {
            return self.poll_share(fx);
        }
        if self.config.enable_auto_commit && fx.now() >= self.next_auto_commit {
            // K-O2: what earlier polls returned is committed now, and nobody waits for it.
            self.next_auto_commit = fx.now() + millis(self.config.auto_commit_interval_ms);
            self.commit(false, fx);
        }
        self.take_records();
        self.fetch(fx);
        if self.in_hand.is_empty() {
            if self.config.enable_auto_commit && self.wakes_at != self.next_auto_commit {
                self.wakes_at = self.next_auto_commit;
                fx.wake_at(self.wakes_at, Wake::Client(ClientWake::Poll));
            }
        } else {
            self.start_work(fx);
        }
    }

    fn commits_by_hand(&self) -> bool {
        !self.config.enable_auto_commit && self.share.is_none() && !self.hand.on
    }

    /// The application works on what it polled.
    pub(crate) fn start_work(&mut self, fx: &mut Fx<'_>) {
        self.polled_something = true;
        self.hand_polled(fx);
        self.work(fx);
    }

    /// The application works on the next record.
    fn work(&mut self, fx: &mut Fx<'_>) {
        self.work_for_nothing(fx);
        while !self.in_hand.is_empty() {
            let cost = self.processing.sample(fx.dice());
            self.works = self.works.wrapping_add(1);
            self.working = true;
            if cost > Nanos::ZERO {
                fx.work(0, cost, Wake::Client(ClientWake::Worked(self.works)));
                return;
            }
            self.done(fx);
        }
        // Not at once: an application without work of its own would never let go.
        fx.work(0, Nanos::micros(1), Wake::Client(ClientWake::Worked(self.works)));
    }

    /// Records whose processing takes no time, and that nobody else is told of, are worked on all at once.
    fn work_for_nothing(&mut self, fx: &mut Fx<'_>) {
        let plain = self.share.is_none() && self.forward.is_none() && self.fails_on.is_none();
        if !plain || self.processing != Duration::Constant(Nanos::ZERO) {
            return;
        }
        self.working = true;
        self.works = self.works.wrapping_add(self.in_hand.len() as u32);
        let life = Life::Processed { reader: self.reader, consumer: self.index };
        for run in self.in_hand.make_contiguous().chunk_by(InHand::goes_on) {
            let (first, count) = (run[0], run.len() as u32);
            fx.note_run(first.id, count, life, Rule("K-O2"));
            if let Some(assigned) = self.assigned.get_mut(&first.slot) {
                assigned.unsettled.push(first.offset, first.id, count);
            }
        }
        self.in_hand.clear();
    }

    fn worked(&mut self, fx: &mut Fx<'_>) {
        self.done(fx);
        if self.in_hand.is_empty() {
            self.working = false;
            self.poll(fx);
        } else {
            self.work(fx);
        }
    }

    fn done(&mut self, fx: &mut Fx<'_>) {
        let Some(record) = self.in_hand.pop_front() else { return };
        if self.share.is_some() {
            return self.share_worked(record, fx);
        }
        if self.fails_on == Some(record.key) {
            return self.throw(fx);
        }
        let life = Life::Processed { reader: self.reader, consumer: self.index };
        fx.note(Note::Life(record.id, life, Rule("K-O2")));
        self.forward.iter_mut().for_each(|own| own.take(record));
        if let Some(assigned) = self.assigned.get_mut(&record.slot) {
            assigned.unsettled.push(record.offset, record.id, 1);
        }
    }

    /// Nobody catches what the application throws: its loop ends, and closes the consumer on its way out.
    pub(crate) fn throw(&mut self, fx: &mut Fx<'_>) {
        self.in_hand.clear();
        self.fail("its application threw an exception", fx);
    }

    fn on_answer(&mut self, ticket: Ticket, response: Response, fx: &mut Fx<'_>) {
        match response {
            Response::Metadata(image) => {
                self.client.learn(ticket, image, fx);
                self.metadata_came(fx);
            }
            Response::Fetched(parts) => {
                if let Some(Asked::Fetch) = self.client.answered(ticket, fx) {
                    for part in parts {
                        self.take_fetched(part, fx);
                    }
                }
            }
            Response::Offset(slot, result) => {
                self.client.answered(ticket, fx);
                match result {
                    Ok(offset) => self.reset_to(slot, offset, fx),
                    Err(_) => self.position_unknown(slot, fx),
                }
            }
            Response::Coordinator(result) => {
                self.client.answered(ticket, fx);
                self.found_coordinator(result, fx);
            }
            Response::Group(response) => {
                if let Some(asked) = self.client.answered(ticket, fx) {
                    self.on_group(&asked, response, fx);
                }
            }
            response @ (Response::Produced(..) | Response::Transaction(_)) => self.on_forward(ticket, response, fx),
            Response::Share(response) => self.on_share_answer(ticket, response, fx),
            Response::Producer(_) => {}
        }
        self.go_on(fx);
    }

    pub(crate) fn try_later(&mut self, fx: &mut Fx<'_>) {
        self.client.refresh(fx);
        let wait = self.client.waits.retry;
        fx.wake_in(wait, Wake::Client(ClientWake::Retry(0)));
    }

    fn on_disconnected(&mut self, broker: u16, fx: &mut Fx<'_>) {
        for asked in self.client.disconnected(broker, fx) {
            self.asked_in_vain(&asked, fx);
        }
        if self.membership.coordinator == Some(broker) {
            self.membership.coordinator = None;
        }
        self.share_disconnected(broker);
        self.go_on(fx);
    }

    /// Its state in its group.
    pub(crate) fn state(&self) -> MemberState {
        self.membership.state
    }

    /// Records fetched or polled, and not worked on.
    pub(crate) fn buffered(&self) -> u32 {
        let ahead = self.assigned.values().map(|assigned| {
            assigned.fetch_from - assigned.position.unwrap_or(assigned.fetch_from).min(assigned.fetch_from)
        });
        let shared = self.share.as_ref().map_or(0, |share| share.buffered());
        ahead.sum::<u64>() as u32 + self.in_hand.len() as u32 + shared
    }

    /// Visits the messages in its hands that it has not worked on.
    pub(crate) fn held(&self, visit: &mut dyn FnMut(u8, MessageId)) {
        self.in_hand.iter().for_each(|record| visit(self.reader, record.id));
        self.share.iter().flat_map(|share| share.holds()).for_each(|got| visit(self.reader, got.id()));
        for assigned in self.assigned.values() {
            for entry in &assigned.buffered {
                let skip = assigned.position.unwrap_or(entry.base).saturating_sub(entry.base) as usize;
                entry.batch.messages(skip).for_each(|(id, _)| visit(self.reader, id));
            }
        }
    }
}
