//! A broker: what it is made of, and how its events are shared out among its parts.

use crate::cluster::Node;
use crate::config::{Acks, millis};
use crate::control_link::ControlLink;
use crate::coordinator::Coordinator;
use crate::dialer::Dialer;
use crate::error::Code;
use crate::image::Image;
use crate::layout::{Layout, Slot};
use crate::produce::ProduceWait;
use crate::replica::{FollowerState, Part, Replica};
use crate::replica_fetch::Fetcher;
use crate::rpc::{BrokerWake, Fetch, FetchPart, Fetched, Message, Produce, Request, Response, Ticket, Wake};
use crate::server::post;
use crate::share::{ShareRequest, ShareResponse, Shares};
use crate::transactions::Transactions;
use sim::story::{FlightKind, Look, MarkKind, Rule};
use sim::{Alarm, Effects, Nanos, NodeId};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

pub(crate) type Fx<'a> = Effects<'a, Node>;

/// A fetch that waits for data (K-C1).
#[derive(Clone, Debug)]
pub(crate) struct FetchWait {
    pub ticket: Ticket,
    pub fetch: Box<Fetch>,
    pub alarm: Alarm,
    /// Whether it waits for remote storage (K-Z1).
    pub remote: bool,
}

/// A broker.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    pub layout: Rc<Layout>,
    pub me: u16,
    /// On the disk: the replicas' logs.
    pub replicas: BTreeMap<Slot, Replica>,
    /// On the disk: the epoch of the last life, if that one ended in good order (K-E7).
    pub clean_epoch: Option<u64>,
    pub lives: u64,
    /// The metadata as far as it was read.
    pub image: Rc<Image>,
    pub control: ControlLink,
    pub fetchers: BTreeMap<u16, Fetcher>,
    /// Produce requests that wait for replicas, one a connection: the next one is not looked at before.
    pub produces: BTreeMap<u16, ProduceWait>,
    /// Produce requests behind one that waits.
    pub queued: BTreeMap<u16, VecDeque<(Ticket, Rc<Produce>)>>,
    /// Produce requests without answers (acks=0) that wait for their turn on a core: nobody else has them.
    pub accepted: BTreeMap<(u16, Ticket), Rc<Produce>>,
    pub fetches: BTreeMap<u16, FetchWait>,
    pub coordinator: Coordinator,
    pub transactions: Transactions,
    pub shares: Shares,
    pub dialer: Dialer,
    pub tickets: Ticket,
    /// Whether clients are let in: the broker was unfenced once in this life.
    pub serving: bool,
    pub stopping: bool,
    /// Partitions that refuse writes now, so that only the first of a run of refusals is told.
    pub refusing: std::collections::BTreeSet<Slot>,
    /// Whether the cleaner is at work (K-D5).
    pub cleaning: bool,
}

impl Broker {
    pub fn new(layout: Rc<Layout>, me: u16) -> Broker {
        let wake = |peer| Wake::Broker(BrokerWake::Connect(peer));
        Broker {
            control: ControlLink::new(&layout, me),
            layout,
            me,
            replicas: BTreeMap::new(),
            clean_epoch: None,
            lives: 0,
            image: Rc::default(),
            fetchers: BTreeMap::new(),
            produces: BTreeMap::new(),
            queued: BTreeMap::new(),
            accepted: BTreeMap::new(),
            fetches: BTreeMap::new(),
            coordinator: Coordinator::default(),
            transactions: Transactions::default(),
            shares: Shares::default(),
            dialer: Dialer::new(Nanos::millis(50), Nanos::secs(1), wake),
            tickets: 0,
            serving: false,
            stopping: false,
            refusing: std::collections::BTreeSet::new(),
            cleaning: false,
        }
    }

    pub fn start(&mut self, fx: &mut Fx<'_>) {
        // After a stop in good order the memory is as it was; a new life begins from the disk.
        let clean = self.clean_epoch.take();
        let mut replicas = std::mem::take(&mut self.replicas);
        replicas.values_mut().for_each(Replica::recover);
        let (lives, tickets) = (self.lives + 1, self.tickets);
        *self = Broker { replicas, lives, tickets, ..Broker::new(self.layout.clone(), self.me) };
        self.control.previous = clean;
        self.start_disk_timers(fx);
        self.arm_scan(fx);
        self.arm_expiry(fx);
        let lag = millis(self.layout.broker.replica_lag_time_max_ms);
        fx.wake_in(Nanos(lag.0 / 2), Wake::Broker(BrokerWake::IsrCheck));
        let patience = millis(self.layout.broker.initial_broker_registration_timeout_ms);
        fx.wake_in(patience, Wake::Broker(BrokerWake::RegistrationDue));
        self.seek_controller(fx);
    }

    /// K-F2: what survives a process, and what survives a machine.
    pub fn crash(&mut self, power_lost: bool) {
        if power_lost {
            for replica in self.replicas.values_mut() {
                replica.log.lose_unflushed(sim::Time::ZERO);
            }
        }
        self.replicas.values_mut().for_each(Replica::recover);
        self.accepted.clear();
    }

    pub fn stop(&mut self, fx: &mut Fx<'_>) {
        self.stopping = true;
        if !self.layout.broker.controlled_shutdown_enable || self.control.epoch.is_none() {
            return self.farewell(fx);
        }
        self.beat(fx);
    }

    pub fn next_ticket(&mut self) -> Ticket {
        self.tickets = self.tickets.wrapping_add(1);
        self.tickets
    }

    pub fn on_connected(&mut self, peer: u16, fx: &mut Fx<'_>) {
        self.dialer.connected(peer, fx);
        if self.control.candidate == Some(peer) {
            self.pump_control(fx);
        }
        if self.fetchers.contains_key(&peer) {
            self.send_fetch(peer, fx);
        }
        self.calls_connected(peer, fx);
    }

    pub fn on_disconnected(&mut self, peer: u16, fx: &mut Fx<'_>) {
        if let Some(wait) = self.fetches.remove(&peer) {
            fx.cancel(wait.alarm);
        }
        if let Some(wait) = self.produces.remove(&peer) {
            fx.cancel(wait.alarm);
        }
        self.queued.remove(&peer);
        let fetches = self.fetchers.get(&peer).is_some_and(|fetcher| !fetcher.slots.is_empty());
        if self.control.candidate == Some(peer) {
            self.lose_controller(None, fx);
        }
        self.fetch_failed(peer, fx);
        if fetches {
            self.dialer.lost(peer, fx);
        } else if peer < self.layout.brokers || self.layout.voters.contains(&peer) {
            self.dialer.forget(peer, fx);
        }
        self.calls_disconnected(peer, fx);
        self.share_disconnected(peer, fx);
    }

    pub fn on_ask(&mut self, from: u16, ticket: Ticket, request: Request, fx: &mut Fx<'_>) {
        if !self.serving {
            return self.turn_away(from, ticket, request, fx);
        }
        let costs = &self.layout.costs;
        let bytes = match &request {
            Request::Produce(produce) => {
                if produce.acks == Acks::None {
                    self.accepted.insert((from, ticket), produce.clone());
                }
                produce.batches.iter().map(|(_, batch)| u64::from(batch.bytes)).sum()
            }
            Request::Fetch(_) | Request::Share(_, ShareRequest::Fetch(_)) => 0,
            _ => return self.serve(from, ticket, request, fx),
        };
        let cost = costs.request + Nanos(costs.kilobyte.0.saturating_mul(bytes) / 1_000);
        fx.work(from, cost, Wake::Serve(from, ticket, Box::new(request)));
    }

    /// The listener opens once the broker is unfenced. Brokers share one connection for both ways here, and may have
    /// questions of this broker under way on it: they are told no, and back off as if they had not come through.
    fn turn_away(&mut self, from: u16, ticket: Ticket, request: Request, fx: &mut Fx<'_>) {
        match request {
            Request::Fetch(fetch) if fetch.replica.is_some() => {
                let refused = |part: &FetchPart| Fetched::refused(part.slot, Code::NotLeaderOrFollower);
                let answer = Response::Fetched(fetch.parts.iter().map(refused).collect());
                self.answer(from, ticket, answer, 100, Look::plain(FlightKind::Refuse), fx);
            }
            Request::Transaction(_, request) => self.turn_transaction_away(from, ticket, &request, fx),
            Request::Share(_, ShareRequest::Read(..) | ShareRequest::Write(..)) => {
                let answer = Response::Share(ShareResponse::State(Err(Code::CoordinatorNotAvailable)));
                self.answer(from, ticket, answer, 60, Look::plain(FlightKind::Refuse), fx);
            }
            _ => fx.disconnect(NodeId(from)),
        }
    }

    pub fn serve(&mut self, from: u16, ticket: Ticket, request: Request, fx: &mut Fx<'_>) {
        match request {
            Request::Metadata => {
                let answer = Response::Metadata(self.image.clone());
                self.answer(from, ticket, answer, 500, Look::plain(FlightKind::Control), fx);
            }
            Request::InitProducer => self.want_producer_id(from, ticket, fx),
            Request::Produce(produce) => {
                self.accepted.remove(&(from, ticket));
                self.on_produce(from, ticket, produce, fx);
            }
            Request::Fetch(fetch) => self.on_fetch(from, ticket, fetch, fx),
            Request::ListOffset(slot, which, level) => self.list_offset((from, ticket), slot, which, level, fx),
            Request::Transaction(id, request) => self.on_transaction((from, ticket), &id, request, fx),
            Request::Share(group, request) => self.on_share((from, ticket), &group, request, fx),
            Request::FindCoordinator(group) => self.find_coordinator(from, ticket, &group, fx),
            Request::Group(group, request) => self.on_group(from, ticket, &group, request, fx),
        }
    }

    pub fn answer(&mut self, to: u16, ticket: Ticket, answer: Response, bytes: u32, look: Look, fx: &mut Fx<'_>) {
        post(fx, self.me, to, Message::Answer(ticket, answer), bytes, look);
    }

    pub fn on_answer(&mut self, from: u16, ticket: Ticket, response: Response, fx: &mut Fx<'_>) {
        match response {
            Response::Fetched(parts) => self.on_fetched(from, ticket, parts, fx),
            response => self.call_answered(ticket, response, fx),
        }
    }

    pub fn on_wake(&mut self, wake: BrokerWake, fx: &mut Fx<'_>) {
        match wake {
            BrokerWake::Heartbeat(life) => self.heartbeat_due(life, fx),
            BrokerWake::Register(_) => self.register_again(fx),
            BrokerWake::RegistrationDue => self.registration_due(fx),
            BrokerWake::FindController(_) => self.seek_controller(fx),
            BrokerWake::TakeUp => self.taken_up(fx),
            BrokerWake::ControllerSilent(ticket) => self.controller_silent(ticket, fx),
            BrokerWake::ProduceExpires(from, ticket) => self.produce_expired(from, ticket, fx),
            BrokerWake::FetchExpires(from, ticket) => self.fetch_expired(from, ticket, fx),
            BrokerWake::FetchAgain(leader) => self.send_fetch(leader, fx),
            BrokerWake::FetchSilent(leader, ticket) => self.fetch_silent(leader, ticket, fx),
            BrokerWake::IsrCheck => self.check_isr(fx),
            BrokerWake::Checkpoint => self.checkpoint(fx),
            BrokerWake::Writeback => self.write_back(fx),
            BrokerWake::Flushed(slot, upto, epoch) => self.flushed(slot, upto, epoch),
            BrokerWake::FlushTick(slot) => self.flush_tick(slot, fx),
            BrokerWake::Clean => self.clean(fx),
            BrokerWake::TierTask => self.tier_task(fx),
            BrokerWake::Copied(slot, end, epoch) => self.copied(slot, end, epoch, fx),
            BrokerWake::Retention => self.retain(fx),
            BrokerWake::Group(number) => self.group_woke(number, fx),
            BrokerWake::CommitExpires(number) => self.write_expired(number, fx),
            BrokerWake::AlterAgain(_) => self.pump_control(fx),
            BrokerWake::Farewell => self.exit(fx),
            BrokerWake::CallExpires(ticket) => self.call_failed(ticket, fx),
            BrokerWake::Transaction(wake) => self.on_transaction_wake(wake, fx),
            BrokerWake::Connect(peer) => self.redial(peer, fx),
            BrokerWake::Share(wake) => self.on_share_wake(wake, fx),
        }
    }

    fn redial(&mut self, peer: u16, fx: &mut Fx<'_>) {
        let fetches = self.fetchers.get(&peer).is_some_and(|fetcher| !fetcher.slots.is_empty());
        if fetches || self.control.candidate == Some(peer) || self.transactions.wants(peer) {
            self.dialer.woke(peer, fx);
        } else {
            self.dialer.forget(peer, fx);
        }
    }

    /// K-R4: whether a follower may be in sync: at work, not leaving, and of this life.
    pub fn eligible(image: &Image, follower: &FollowerState) -> bool {
        let registered = image.brokers.get(&follower.id);
        image.is_active(follower.id) && registered.is_some_and(|known| known.epoch == follower.broker_epoch)
    }

    /// Takes up what the metadata says of this broker's partitions.
    pub fn take_up(&mut self, image: Rc<Image>, fx: &mut Fx<'_>) {
        let old = std::mem::replace(&mut self.image, image.clone());
        if image.settings.is_some() {
            self.start_cleaner(fx);
        }
        for (slot, state) in image.all() {
            let same = old.partitions.get(slot as usize).and_then(Option::as_ref);
            let unchanged = same.zip(image.partitions[slot as usize].as_ref()).is_some_and(|(a, b)| Rc::ptr_eq(a, b));
            if unchanged {
                continue;
            }
            if !state.replicas.contains(&self.me) {
                self.give_up_replica(slot, fx);
                continue;
            }
            let known = self.replicas.entry(slot).or_insert_with(Replica::new);
            // An answer of the controller may have been faster than the metadata.
            let newer = known.partition_epoch >= state.partition_epoch && known.leads().is_some();
            if known.leader_epoch == state.leader_epoch && newer {
                continue;
            }
            if state.leader == Some(self.me) {
                let begins = known.lead(self.me, state, fx.now());
                if begins {
                    self.stop_fetching(slot);
                    self.leads_now(slot, fx);
                }
                self.recover(slot, fx);
                self.settle_partition(slot, fx);
            } else {
                let led = known.leads().is_some();
                let news = known.follow(state);
                if led {
                    self.leads_no_more(slot, fx);
                }
                if news {
                    self.stop_fetching(slot);
                    if let Some(leader) = state.leader {
                        self.start_fetching(slot, leader, fx);
                    }
                }
            }
        }
    }

    /// K-E10: the replica was reassigned: its log is deleted.
    fn give_up_replica(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.remove(&slot) else { return };
        self.stop_fetching(slot);
        if replica.leads().is_some() {
            self.leads_no_more(slot, fx);
        }
        let values = vec![self.layout.label(slot), self.layout.name(self.me)];
        fx.mark(MarkKind::Change, "replica-deleted", values, Rule("K-E10"));
    }

    /// A leadership begins.
    fn leads_now(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        if self.layout.holds_transactions(slot) {
            self.load_transactions(slot, fx);
        } else if self.layout.holds_shares(slot) {
            self.load_share_states(slot);
        } else if self.layout.topic(slot).internal {
            self.load_groups(slot, fx);
        } else {
            self.unload_shares(slot, fx);
        }
    }

    /// A leadership ends: who waits is told to look elsewhere.
    fn leads_no_more(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        self.complete_produces(slot, fx);
        self.complete_fetches(slot, fx);
        self.markers_replicated(fx);
        if self.layout.holds_transactions(slot) {
            self.unload_transactions(slot, fx);
        } else if self.layout.holds_shares(slot) {
            self.unload_share_states(slot, fx);
        } else if self.layout.topic(slot).internal {
            self.unload_groups(slot, fx);
        } else {
            self.unload_shares(slot, fx);
        }
    }

    /// K-R5: ends the recovery after an unclean election.
    pub fn recover(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        if let Some(isr) = self.replicas.get(&slot).and_then(|replica| replica.recovered(self.me)) {
            self.propose_isr(slot, isr, fx);
        }
    }

    /// Looks what a change of a log, of a follower or of the in-sync set lets happen.
    pub fn settle_partition(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        let lag = millis(self.layout.broker.replica_lag_time_max_ms);
        let min_isr = self.image.topic(&self.layout, self.me, slot).min_isr;
        let image = self.image.clone();
        let Some(replica) = self.replicas.get_mut(&slot) else { return };
        if replica.leads().is_some_and(|leadership| leadership.isr.len() >= min_isr) && !self.refusing.is_empty() {
            self.refusing.remove(&slot);
        }
        if replica.advance(fx.now(), lag, min_isr, &|follower| Broker::eligible(&image, follower)) {
            self.complete_produces(slot, fx);
            self.complete_fetches(slot, fx);
            self.complete_writes(slot, fx);
            self.settle_transactions(slot, fx);
            self.complete_share_writes(slot, fx);
            self.share_changed(slot, fx);
        }
    }

    /// K-R3: every half of `replica.lag.time.max.ms`.
    fn check_isr(&mut self, fx: &mut Fx<'_>) {
        let lag = millis(self.layout.broker.replica_lag_time_max_ms);
        fx.wake_in(Nanos(lag.0 / 2), Wake::Broker(BrokerWake::IsrCheck));
        let now = fx.now();
        let next = |replica: &Replica| replica.recovered(self.me).or_else(|| replica.shrunk(now, lag));
        let behind: Vec<(Slot, Vec<u16>)> =
            self.replicas.iter().filter_map(|(slot, replica)| Some((*slot, next(replica)?))).collect();
        for (slot, isr) in behind {
            self.propose_isr(slot, isr, fx);
        }
    }

    /// Tells of a truncation.
    pub fn tell_truncated(&self, slot: Slot, from: u64, gone: u64, rule: &'static str, fx: &mut Fx<'_>) {
        if gone > 0 && !self.layout.topic(slot).internal {
            let (label, name) = (self.layout.label(slot), self.layout.name(self.me));
            let values = vec![label, name, gone.to_string(), from.to_string()];
            fx.mark(MarkKind::Change, "truncated", values, Rule(rule));
        }
    }

    pub fn is_follower_of(&self, slot: Slot, leader: u16) -> bool {
        self.replicas.get(&slot).is_some_and(|replica| replica.part == Part::Follows(Some(leader)))
    }
}
