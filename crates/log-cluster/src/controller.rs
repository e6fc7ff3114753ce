//! A controller: a member of the quorum that agrees on the metadata, and while it is the active one, its keeper.

use crate::cluster::Node;
use crate::config::millis;
use crate::dialer::Dialer;
use crate::image::{Image, Record};
use crate::layout::Layout;
use crate::rpc::{ControlRequest, ControlResponse, ControllerWake, Message, RaftMessage, Ticket, Wake};
use crate::server::post;
use consensus::{Index, Input, Options, Output, Raft, Role};
use sim::story::{FlightKind, Look, MarkKind, Rule};
use sim::{Alarm, Effects, Nanos, Time};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

type Fx<'a> = Effects<'a, Node>;
type Metadata = Raft<Rc<[Record]>, Rc<Image>>;

/// How long a fetch of metadata waits for news, a broker's or a controller's (Kafka: the raft client's, 500 ms).
const METADATA_WAIT: Nanos = Nanos::millis(500);
/// How often the active controller tells controllers that do not fetch that its epoch has begun (Kafka: half of
/// controller.quorum.fetch.timeout.ms).
const BEAT: Nanos = Nanos::secs(1);
/// How many ids for producers a broker gets at once (Kafka: ProducerIdsBlock).
const PRODUCER_IDS: u64 = 1_000;
/// Assumed size of a record in the metadata log.
const RECORD_BYTES: u64 = 120;

/// A controller.
#[derive(Clone, Debug)]
pub(crate) struct Controller {
    pub layout: Rc<Layout>,
    pub me: u16,
    pub raft: Metadata,
    /// What is agreed on.
    pub committed: Rc<Image>,
    /// What will be once all that is proposed is agreed on; the active controller plans on it.
    pub planned: Rc<Image>,
    /// Whether it leads, and has agreement on an entry of its own epoch.
    pub active: bool,
    pub active_since: Time,
    /// Counts the times it came to lead, so that timers of an earlier reign are told apart.
    pub reign: u32,
    election: Option<Alarm>,
    elections: u32,
    replies: VecDeque<(Index, u16, Ticket, ControlResponse)>,
    waiting: BTreeMap<u16, (Ticket, u64, Alarm)>,
    /// When each broker was last heard (K-Q4).
    pub contact: BTreeMap<u16, Time>,
    /// How far each broker has read the metadata.
    pub read_upto: BTreeMap<u16, u64>,
    /// From which metadata offset on a broker may stop (K-Q6).
    pub may_stop_at: BTreeMap<u16, u64>,
    dialer: Dialer,
    started: u32,
    /// What was proposed waits for more before it is written down (K-Q1).
    gathering: bool,
    /// When the last snapshot was taken, and the bytes of the records since then (K-Q10).
    snapshot: (Time, u64),
}

impl Controller {
    pub fn new(layout: Rc<Layout>, me: u16) -> Controller {
        let voters = layout.voters.clone();
        let wake = |peer| Wake::Controller(ControllerWake::Connect(peer));
        Controller {
            layout,
            me,
            raft: Raft::new(me, voters, Options { pull: true, ..Options::default() }),
            committed: Rc::default(),
            planned: Rc::default(),
            active: false,
            active_since: Time::ZERO,
            reign: 0,
            election: None,
            elections: 0,
            replies: VecDeque::new(),
            waiting: BTreeMap::new(),
            contact: BTreeMap::new(),
            read_upto: BTreeMap::new(),
            may_stop_at: BTreeMap::new(),
            dialer: Dialer::new(Nanos::millis(50), Nanos::secs(1), wake),
            started: 0,
            gathering: false,
            snapshot: (Time::ZERO, 0),
        }
    }

    /// The process ends: the log is on the disk as far as it was flushed, the rest is memory.
    pub fn crash(&mut self, power_lost: bool) {
        let mut raft = self.raft.clone();
        raft.crash(power_lost);
        let committed = raft.snapshot().cloned().unwrap_or_default();
        let (started, reign) = (self.started, self.reign);
        *self = Controller { raft, committed, started, reign, ..Controller::new(self.layout.clone(), self.me) };
    }

    pub fn start(&mut self, fx: &mut Fx<'_>) {
        self.started += 1;
        self.snapshot.0 = fx.now();
        self.planned = self.committed.clone();
        if std::mem::take(&mut self.gathering) {
            // It stopped in good order before that came to the disk.
            self.write_down(fx);
        }
        for peer in self.peers() {
            self.dialer.want(peer, fx);
        }
        if self.started == 1 && self.layout.voters.first() == Some(&self.me) {
            // A run begins with a cluster that stands: the first controller is elected as soon as it can be.
            self.election = Some(fx.wake_in(Nanos::millis(5), Wake::Controller(ControllerWake::Election(0))));
        } else {
            self.arm_election(None, fx);
        }
    }

    /// K-Q8: a controller that stops in good order gives its reign up, and names those that have most of its log.
    pub fn stop(&mut self, fx: &mut Fx<'_>) {
        self.drive(Input::Resign, fx);
    }

    fn peers(&self) -> Vec<u16> {
        self.layout.voters.iter().copied().filter(|peer| *peer != self.me).collect()
    }

    /// K-Q2: who hears an active controller waits for the fetch timeout; who hears none, for a random election timeout.
    /// K-Q8: who was named as a successor behind others, for the longer the later it comes.
    fn arm_election(&mut self, succeeds: Option<(usize, usize)>, fx: &mut Fx<'_>) {
        if let Some(old) = self.election.take() {
            fx.cancel(old);
        }
        let broker = &self.layout.broker;
        let wait = if let Some((place @ 1.., count)) = succeeds {
            // Doubled for each place behind the second, in whole milliseconds.
            let shortest = broker.controller_quorum_election_backoff_max_ms >> (count - 1).min(31);
            millis(shortest << (place - 1).min(31))
        } else if self.raft.leader().is_some() {
            millis(broker.controller_quorum_fetch_timeout_ms)
        } else {
            let least = millis(broker.controller_quorum_election_timeout_ms);
            fx.dice().between(least, least.times(2))
        };
        self.elections += 1;
        self.election = Some(fx.wake_in(wait, Wake::Controller(ControllerWake::Election(self.elections))));
    }

    pub fn on_connected(&mut self, peer: u16, fx: &mut Fx<'_>) {
        if self.layout.voters.contains(&peer) {
            self.dialer.connected(peer, fx);
            self.drive(Input::Reconnected(peer), fx);
        }
    }

    pub fn on_disconnected(&mut self, peer: u16, fx: &mut Fx<'_>) {
        if let Some((_, _, alarm)) = self.waiting.remove(&peer) {
            fx.cancel(alarm);
        }
        if self.layout.voters.contains(&peer) {
            self.dialer.lost(peer, fx);
        }
    }

    pub fn on_raft(&mut self, from: u16, message: RaftMessage, fx: &mut Fx<'_>) {
        self.drive(Input::Received(from, message), fx);
    }

    pub fn on_wake(&mut self, wake: ControllerWake, fx: &mut Fx<'_>) {
        let reigning = |reign: u32| reign == self.reign && self.raft.role() == Role::Leader;
        let broker = &self.layout.broker;
        match wake {
            ControllerWake::Election(_) => {
                self.election = None;
                self.drive(Input::ElectionTimeout, fx);
            }
            ControllerWake::Beat(reign) if reigning(reign) => {
                self.drive(Input::Heartbeat, fx);
                fx.wake_in(BEAT, Wake::Controller(wake));
            }
            ControllerWake::CheckQuorum(reign) if reigning(reign) => {
                // K-Q2: one and a half fetch timeouts without a majority end a reign.
                let wait = millis(broker.controller_quorum_fetch_timeout_ms).percent(150);
                fx.wake_in(wait, Wake::Controller(wake));
                self.drive(Input::CheckQuorum, fx);
            }
            ControllerWake::FetchExpires(peer, ticket) => self.drive(Input::FetchExpired(peer, ticket), fx),
            ControllerWake::Flushed(written) => self.drive(Input::Flushed(written), fx),
            ControllerWake::Drain => {
                self.gathering = false;
                self.write_down(fx);
            }
            ControllerWake::Idle(reign) if reigning(reign) => {
                fx.wake_in(millis(broker.metadata_max_idle_interval_ms), Wake::Controller(wake));
                self.propose(Vec::new(), fx);
            }
            ControllerWake::FenceScan(reign) if reigning(reign) => self.scan_for_silence(reign, fx),
            ControllerWake::Preferred(reign) if reigning(reign) => self.elect_preferred(reign, fx),
            ControllerWake::Unclean(reign) if reigning(reign) => self.elect_unclean(reign, fx),
            ControllerWake::Create(reign) if reigning(reign) => self.create_topics(fx),
            ControllerWake::MetadataExpires(from, ticket) => {
                if self.waiting.get(&from).is_some_and(|(waits, _, _)| *waits == ticket) {
                    self.waiting.remove(&from);
                    let answer = ControlResponse::Records(Vec::new(), self.committed.offset);
                    self.answer(from, ticket, answer, fx);
                }
            }
            ControllerWake::Connect(peer) => self.dialer.woke(peer, fx),
            ControllerWake::Beat(_)
            | ControllerWake::Idle(_)
            | ControllerWake::CheckQuorum(_)
            | ControllerWake::FenceScan(_)
            | ControllerWake::Preferred(_)
            | ControllerWake::Unclean(_)
            | ControllerWake::Create(_) => {}
        }
    }

    /// Gives Raft an input, and does what it wants done.
    fn drive(&mut self, input: Input<Rc<[Record]>, Rc<Image>>, fx: &mut Fx<'_>) {
        let mut out = Output::default();
        // K-Q1: only a leader's proposals are gathered. A run begins with a cluster that stands, without a wait.
        let linger = millis(self.layout.broker.controller_quorum_append_linger_ms);
        let gathers =
            matches!(input, Input::Propose(_)) && linger > Nanos::ZERO && !self.committed.partitions.is_empty();
        self.raft.handle(input, &mut out);
        for (peer, message) in out.send {
            let kind = match message {
                RaftMessage::Fetch { .. } => FlightKind::Fetch,
                RaftMessage::Fetched { .. } | RaftMessage::Snapshot { .. } => FlightKind::Control,
                _ => FlightKind::Vote,
            };
            post(fx, self.me, peer, Message::Raft(Box::new(message)), 200, Look::plain(kind));
        }
        for (peer, ticket) in out.park {
            fx.wake_in(METADATA_WAIT, Wake::Controller(ControllerWake::FetchExpires(peer, ticket)));
        }
        if out.flush && !gathers {
            self.write_down(fx);
        } else if out.flush && !self.gathering {
            self.gathering = true;
            fx.wake_in(linger, Wake::Controller(ControllerWake::Drain));
        }
        if let Some(image) = out.restored {
            self.committed = image;
        }
        if out.changed {
            self.on_role(fx);
        }
        if out.restart_timer && self.raft.role() != Role::Leader {
            self.arm_election(out.succeeds, fx);
        }
        self.apply(fx);
    }

    fn write_down(&self, fx: &mut Fx<'_>) {
        fx.write(RECORD_BYTES);
        fx.flush(RECORD_BYTES, Wake::Controller(ControllerWake::Flushed(self.raft.written())));
    }

    fn on_role(&mut self, fx: &mut Fx<'_>) {
        let leads = self.raft.role() == Role::Leader;
        if self.active && !leads {
            self.active = false;
            self.planned = self.committed.clone();
            self.replies.clear();
            let name = self.layout.name(self.me);
            fx.mark(MarkKind::Election, "controller-resigned", vec![name], Rule("K-Q2"));
        }
        if leads && !self.active {
            if let Some(alarm) = self.election.take() {
                fx.cancel(alarm);
            }
            self.reign += 1;
            let wait = millis(self.layout.broker.controller_quorum_fetch_timeout_ms).percent(150);
            fx.wake_in(BEAT, Wake::Controller(ControllerWake::Beat(self.reign)));
            fx.wake_in(wait, Wake::Controller(ControllerWake::CheckQuorum(self.reign)));
        } else if !leads && self.election.is_none() {
            self.arm_election(None, fx);
        }
    }

    /// Applies what is agreed on, answers what waited for it, and tells the brokers.
    fn apply(&mut self, fx: &mut Fx<'_>) {
        let mut news = false;
        while let Some((index, entry)) = self.raft.next_committed() {
            news = true;
            let before = self.committed.clone();
            let records = entry.command.unwrap_or_else(|| Rc::from([]));
            self.snapshot.1 += RECORD_BYTES * records.len().max(1) as u64;
            Rc::make_mut(&mut self.committed).apply(index.0, &records);
            // What an earlier active controller proposed it has told itself, most likely; a log read from the disk
            // has all of it once more.
            if self.raft.role() == Role::Leader && entry.term == self.raft.term() {
                self.announce(&before, &records, fx);
                if !self.active {
                    self.activate(fx);
                }
            }
        }
        if !news {
            return;
        }
        let commit = self.raft.commit();
        while self.replies.front().is_some_and(|(index, ..)| *index <= commit) {
            if let Some((_, to, ticket, answer)) = self.replies.pop_front() {
                self.answer(to, ticket, answer, fx);
            }
        }
        for (broker, (ticket, offset, alarm)) in std::mem::take(&mut self.waiting) {
            fx.cancel(alarm);
            self.tell(broker, ticket, offset, fx);
        }
        // K-Q10
        let broker = &self.layout.broker;
        let most = broker.metadata_log_max_record_bytes_between_snapshots.unsigned_abs();
        let longest = millis(broker.metadata_log_max_snapshot_interval_ms);
        let old = longest > Nanos::ZERO && fx.now().since(self.snapshot.0) >= longest;
        if self.snapshot.1 >= most || old {
            self.snapshot = (fx.now(), 0);
            self.raft.compact(Index(self.committed.offset), self.committed.clone());
        }
    }

    fn activate(&mut self, fx: &mut Fx<'_>) {
        self.active = true;
        self.active_since = fx.now();
        self.planned = self.committed.clone();
        self.may_stop_at.clear();
        self.read_upto.clear();
        // K-Q4: a new active controller gives every broker a whole session.
        self.contact = self.committed.brokers.keys().map(|broker| (*broker, fx.now())).collect();
        let values = vec![self.layout.name(self.me), self.raft.term().0.to_string()];
        fx.mark(MarkKind::Election, "controller-elected", values, Rule("K-Q2"));
        let broker = &self.layout.broker;
        let reign = self.reign;
        let scan = Nanos(millis(broker.broker_session_timeout_ms).0 / 8);
        fx.wake_in(scan, Wake::Controller(ControllerWake::FenceScan(reign)));
        if broker.auto_leader_rebalance_enable {
            let wait = millis(broker.leader_imbalance_check_interval_seconds.saturating_mul(1_000));
            fx.wake_in(wait, Wake::Controller(ControllerWake::Preferred(reign)));
        }
        let wait = millis(broker.unclean_leader_election_interval_ms);
        fx.wake_in(wait, Wake::Controller(ControllerWake::Unclean(reign)));
        fx.wake_in(Nanos::millis(1), Wake::Controller(ControllerWake::Create(reign)));
        if broker.metadata_max_idle_interval_ms > 0 {
            let wait = millis(broker.metadata_max_idle_interval_ms);
            fx.wake_in(wait, Wake::Controller(ControllerWake::Idle(reign)));
        }
    }

    /// Proposes records; they hold from now on for what the active controller plans.
    pub fn propose(&mut self, records: Vec<Record>, fx: &mut Fx<'_>) -> Index {
        let index = self.raft.last_index().next();
        let records: Rc<[Record]> = records.into();
        Rc::make_mut(&mut self.planned).apply(index.0, &records);
        self.drive(Input::Propose(records), fx);
        index
    }

    /// Answers once what was proposed up to `index` is agreed on.
    pub fn answer_when(&mut self, index: Index, to: u16, ticket: Ticket, answer: ControlResponse, fx: &mut Fx<'_>) {
        if index <= self.raft.commit() {
            self.answer(to, ticket, answer, fx);
        } else {
            self.replies.push_back((index, to, ticket, answer));
        }
    }

    pub fn answer(&mut self, to: u16, ticket: Ticket, answer: ControlResponse, fx: &mut Fx<'_>) {
        let look = Look::plain(match answer {
            ControlResponse::Beat(_) => FlightKind::Heartbeat,
            _ => FlightKind::Control,
        });
        post(fx, self.me, to, Message::ControllerAnswers(ticket, answer), 100, look);
    }

    pub fn on_ask(&mut self, from: u16, ticket: Ticket, request: ControlRequest, fx: &mut Fx<'_>) {
        if !self.active {
            let hint = self.raft.leader().filter(|leader| *leader != self.me);
            return self.answer(from, ticket, ControlResponse::NotController(hint), fx);
        }
        match request {
            ControlRequest::Register(incarnation, previous) => self.register(from, ticket, incarnation, previous, fx),
            ControlRequest::Heartbeat(epoch, offset, stop) => self.heartbeat(from, ticket, epoch, offset, stop, fx),
            ControlRequest::Metadata(offset) if offset < self.committed.offset => self.tell(from, ticket, offset, fx),
            ControlRequest::Metadata(offset) => {
                let wake = Wake::Controller(ControllerWake::MetadataExpires(from, ticket));
                let alarm = fx.wake_in(METADATA_WAIT, wake);
                if let Some((_, _, old)) = self.waiting.insert(from, (ticket, offset, alarm)) {
                    fx.cancel(old);
                }
            }
            ControlRequest::AlterIsr(epoch, slot, leader_epoch, partition_epoch, isr) => {
                let known = (epoch, leader_epoch, partition_epoch);
                self.alter_isr(from, ticket, slot, known, isr, fx);
            }
            ControlRequest::Admin(order) => self.administer(from, ticket, &order, fx),
            ControlRequest::ProducerIds => {
                let first = self.planned.next_producer;
                let ids = first..first + PRODUCER_IDS;
                let index = self.propose(vec![Record::ProducerIds(ids.end)], fx);
                self.answer_when(index, from, ticket, ControlResponse::ProducerIds(ids), fx);
            }
        }
    }

    /// Tells a broker what was agreed on since `offset`.
    fn tell(&mut self, broker: u16, ticket: Ticket, offset: u64, fx: &mut Fx<'_>) {
        let upto = self.committed.offset;
        let records: Option<Vec<_>> = (offset + 1..=upto)
            .map(|at| {
                let entry = self.raft.entry(Index(at))?;
                Some((Index(at), entry.command.clone().unwrap_or_else(|| Rc::from([]))))
            })
            .collect();
        let answer = match records {
            Some(records) if offset > 0 => ControlResponse::Records(records, upto),
            _ => ControlResponse::Snapshot(self.committed.clone()),
        };
        self.answer(broker, ticket, answer, fx);
    }
}
