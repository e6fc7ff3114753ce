//! What the active controller decides: registrations, fencing, elections, in-sync sets (K-E7, K-Q4 to K-Q6).

use crate::cluster::Node;
use crate::config::millis;
use crate::controller::Controller;
use crate::election::{Change, Election, PartitionState, Rules, change};
use crate::error::Code;
use crate::image::{Image, Record, Registered};
use crate::layout::Slot;
use crate::placement::{Usable, place};
use crate::rpc::{ControlResponse, ControllerWake, Ticket, Wake};
use sim::story::{MarkKind, Rule};
use sim::{Effects, Nanos};

type Fx<'a> = Effects<'a, Node>;

/// How soon the next silent broker is looked for after one was found (K-Q4).
const SCAN_AGAIN: Nanos = Nanos::millis(10);
/// How long topics wait for brokers that are still missing when the cluster is formed. Ours: topics are made by hand.
const FORMATION: Nanos = Nanos::secs(5);
/// How many preferred elections one pass holds at the most (K-E7).
const ELECTIONS_A_PASS: usize = 1_000;

impl Controller {
    /// The records that follow for partitions when `what` happens and `image` holds already.
    fn consequences(&self, image: &Image, what: &Change, touched: impl Fn(&PartitionState) -> bool) -> Vec<Record> {
        let active = image.active();
        let mut records = Vec::new();
        for (slot, partition) in image.all().filter(|(_, partition)| touched(partition)) {
            if let Some(next) = change(partition, what, &self.rules(slot, &active)) {
                records.push(Record::Partition(slot, next));
            }
        }
        records
    }

    pub(crate) fn rules<'a>(&self, slot: Slot, active: &'a [u16]) -> Rules<'a> {
        let elr_enabled = self.layout.broker.eligible_leader_replicas;
        Rules {
            elr_enabled,
            unclean_enabled: self.planned.topic(&self.layout, self.me, slot).unclean,
            min_isr: self.planned.topic(&self.layout, self.me, slot).min_isr,
            active,
        }
    }

    /// Proposes a broker's new state with what follows from it for the partitions.
    fn change_broker(
        &mut self,
        id: u16,
        state: Registered,
        what: &Change,
        touched: impl Fn(&PartitionState) -> bool,
        fx: &mut Fx<'_>,
    ) -> consensus::Index {
        let mut image = Image::clone(&self.planned);
        let record = Record::Broker(id, state);
        image.apply(image.offset, std::slice::from_ref(&record));
        let mut records = vec![record];
        records.extend(self.consequences(&image, what, touched));
        self.propose(records, fx)
    }

    pub(crate) fn register(
        &mut self,
        id: u16,
        ticket: Ticket,
        incarnation: u64,
        previous: Option<u64>,
        fx: &mut Fx<'_>,
    ) {
        let session = millis(self.layout.broker.broker_session_timeout_ms);
        let existing = self.planned.brokers.get(&id).cloned();
        let known = existing.as_ref();
        let fresh = self.contact.get(&id).is_some_and(|at| fx.now().since(*at) <= session);
        if known.is_some_and(|k| k.incarnation != incarnation && !k.fenced && !k.leaving && fresh) {
            // K-Q5: the cluster trusts the old life until its session ends.
            let refused = ControlResponse::Registered(Err(Code::DuplicateBrokerRegistration));
            return self.answer(id, ticket, refused, fx);
        }
        let epoch = self.raft.last_index().next().0;
        let state = Registered { epoch, incarnation, fenced: true, leaving: false };
        let clean = !self.layout.broker.eligible_leader_replicas || known.is_none_or(|k| previous == Some(k.epoch));
        // K-E7: a new life after an unclean end is trusted with nothing that the old one had.
        let (what, elr_too) = match known {
            Some(_) if !clean => (Change::UncleanShutdown(id), true),
            _ => (Change::Fenced(id), false),
        };
        if elr_too {
            let values = vec![self.layout.name(id)];
            fx.mark(MarkKind::Change, "broker-unclean", values, Rule("K-E7"));
        }
        self.contact.insert(id, fx.now());
        self.may_stop_at.remove(&id);
        let touched = |p: &PartitionState| p.isr.contains(&id) || (elr_too && p.elr.contains(&id));
        let index = self.change_broker(id, state, &what, touched, fx);
        self.answer_when(index, id, ticket, ControlResponse::Registered(Ok(epoch)), fx);
    }

    /// K-Q4, K-Q6: a sign of life, and what it makes of the broker.
    pub(crate) fn heartbeat(&mut self, id: u16, ticket: Ticket, epoch: u64, offset: u64, stop: bool, fx: &mut Fx<'_>) {
        let Some(state) = self.planned.brokers.get(&id).filter(|state| state.epoch == epoch).cloned() else {
            return self.answer(id, ticket, ControlResponse::Beat(Err(Code::StaleBrokerEpoch)), fx);
        };
        self.contact.insert(id, fx.now());
        self.read_upto.insert(id, offset);
        let leads = self.planned.all().any(|(_, partition)| partition.leader == Some(id));
        let in_isr = move |p: &PartitionState| p.isr.contains(&id);
        let (fenced, leave) = match (state.fenced, state.leaving, stop) {
            (true, _, true) => (true, true),
            (true, _, false) if offset >= epoch => {
                let next = Registered { fenced: false, ..state };
                let index =
                    self.change_broker(id, next, &Change::Unfenced(id), |partition| partition.leader.is_none(), fx);
                self.answer_when(index, id, ticket, ControlResponse::Beat(Ok((false, false))), fx);
                fx.wake_in(Nanos::ZERO, Wake::Controller(ControllerWake::Create(self.reign)));
                return;
            }
            (true, _, false) => (true, false),
            (false, false, true) if leads => {
                let next = Registered { leaving: true, ..state };
                let index = self.change_broker(id, next, &Change::Fenced(id), in_isr, fx);
                self.may_stop_at.insert(id, index.0);
                (false, false)
            }
            (false, true, _) => (false, !leads && self.everyone_has_read(id)),
            (false, false, stop) => (false, stop),
        };
        if leave && !fenced {
            let next = Registered { fenced: true, ..self.planned.brokers[&id].clone() };
            self.change_broker(id, next, &Change::Fenced(id), in_isr, fx);
            self.contact.remove(&id);
        }
        self.answer(id, ticket, ControlResponse::Beat(Ok((fenced, leave))), fx);
    }

    /// K-Q6: a broker may stop once every active one knows that it is leaving.
    fn everyone_has_read(&self, id: u16) -> bool {
        let Some(upto) = self.may_stop_at.get(&id) else { return true };
        self.planned.active().iter().all(|broker| self.read_upto.get(broker).is_some_and(|read| read >= upto))
    }

    /// K-Q4: fences one broker whose session is over, and looks again soon if there was one.
    pub(crate) fn scan_for_silence(&mut self, reign: u32, fx: &mut Fx<'_>) {
        let session = millis(self.layout.broker.broker_session_timeout_ms);
        let now = fx.now();
        let unfenced = self.planned.brokers.iter().filter(|(_, state)| !state.fenced);
        let heard = |id: &u16| self.contact.get(id).copied();
        let over = |id: &u16| heard(id).is_none_or(|at| now.since(at) > session);
        // The one that was heard longest ago goes first.
        let silent = unfenced.filter(|(id, _)| over(id)).min_by_key(|(id, _)| (heard(id), **id));
        let found = silent.map(|(id, state)| (*id, state.clone())).filter(|_| self.active);
        let wait = if found.is_some() { SCAN_AGAIN } else { Nanos(session.0 / 8) };
        fx.wake_in(wait, Wake::Controller(ControllerWake::FenceScan(reign)));
        if let Some((id, state)) = found {
            let silence = self.contact.remove(&id).map(|at| now.since(at));
            let silence = silence.unwrap_or(session).to_string();
            fx.mark(MarkKind::Change, "broker-fenced", vec![self.layout.name(id), silence], Rule("K-Q4"));
            let next = Registered { fenced: true, ..state };
            self.change_broker(id, next, &Change::Fenced(id), |p| p.isr.contains(&id), fx);
        }
    }

    /// K-R5: a leader's in-sync set, against what the controller knows. `known`: broker, leader and partition epoch.
    pub(crate) fn alter_isr(
        &mut self,
        from: u16,
        ticket: Ticket,
        slot: Slot,
        known: (u64, i32, i32),
        isr: Vec<u16>,
        fx: &mut Fx<'_>,
    ) {
        let refused = self.refuse_isr(from, slot, known, &isr);
        let planned = self.planned.clone();
        let (Some(partition), None) = (planned.partition(slot), refused) else {
            let why = refused.unwrap_or(Code::InvalidRequest);
            return self.answer(from, ticket, ControlResponse::IsrAltered(slot, Err(why)), fx);
        };
        let active = planned.active();
        let next = change(partition, &Change::AlterIsr(isr), &self.rules(slot, &active));
        let state = next.clone().unwrap_or_else(|| partition.clone());
        let answer = ControlResponse::IsrAltered(slot, Ok((state.partition_epoch, state.isr)));
        match next {
            Some(next) => {
                let index = self.propose(vec![Record::Partition(slot, next)], fx);
                self.answer_when(index, from, ticket, answer, fx);
            }
            None => self.answer(from, ticket, answer, fx),
        }
    }

    fn refuse_isr(&self, from: u16, slot: Slot, known: (u64, i32, i32), isr: &[u16]) -> Option<Code> {
        let partition = self.planned.partition(slot)?;
        let (broker_epoch, leader_epoch, partition_epoch) = known;
        let stale = self.planned.brokers.get(&from).is_none_or(|state| state.epoch != broker_epoch);
        let member = |replica: &u16| partition.replicas.contains(replica);
        let code = if stale {
            Code::StaleBrokerEpoch
        } else if leader_epoch > partition.leader_epoch || partition_epoch > partition.partition_epoch {
            Code::NotController
        } else if leader_epoch < partition.leader_epoch {
            Code::FencedLeaderEpoch
        } else if partition.leader != Some(from) || !isr.contains(&from) || !isr.iter().all(member) {
            Code::InvalidRequest
        } else if partition_epoch < partition.partition_epoch {
            Code::InvalidUpdateVersion
        } else if partition.recovering && isr != [from] {
            Code::InvalidRequest
        } else if isr.iter().any(|replica| !self.planned.is_active(*replica)) {
            Code::IneligibleReplica
        } else {
            return None;
        };
        Some(code)
    }

    fn hold_elections(&mut self, kind: Election, wanted: impl Fn(&PartitionState) -> bool, fx: &mut Fx<'_>) {
        let image = self.planned.clone();
        let mut records = self.consequences(&image, &Change::Elect(kind), wanted);
        records.truncate(ELECTIONS_A_PASS);
        if !records.is_empty() && self.active {
            self.propose(records, fx);
        }
    }

    /// K-E7, K-Q7: gives leadership back to the preferred replicas.
    pub(crate) fn elect_preferred(&mut self, reign: u32, fx: &mut Fx<'_>) {
        let seconds = self.layout.broker.leader_imbalance_check_interval_seconds;
        let wait = millis(seconds.saturating_mul(1_000));
        fx.wake_in(wait, Wake::Controller(ControllerWake::Preferred(reign)));
        let image = self.planned.clone();
        let waits = |p: &PartitionState| {
            p.leader != p.replicas.first().copied() && p.replicas.first().is_some_and(|first| image.is_active(*first))
        };
        self.hold_elections(Election::Preferred, waits, fx);
    }

    /// K-E7: leaderless partitions whose topics allow it get any leader.
    pub(crate) fn elect_unclean(&mut self, reign: u32, fx: &mut Fx<'_>) {
        let wait = millis(self.layout.broker.unclean_leader_election_interval_ms);
        fx.wake_in(wait, Wake::Controller(ControllerWake::Unclean(reign)));
        let image = self.planned.clone();
        let active = image.active();
        let mut records = Vec::new();
        for (slot, partition) in image.all().filter(|(_, partition)| partition.leader.is_none()) {
            if image.topic(&self.layout, self.me, slot).unclean
                && let Some(next) = change(partition, &Change::Elect(Election::Unclean), &self.rules(slot, &active))
            {
                records.push(Record::Partition(slot, next));
            }
        }
        if !records.is_empty() && self.active {
            self.propose(records, fx);
        }
    }

    /// Who may be given replicas: registered, and not on the way out.
    pub(crate) fn usable(&self) -> Vec<Usable> {
        let registered = self.planned.brokers.iter().filter(|(_, state)| !state.leaving);
        let usable =
            |(id, state): (&u16, &Registered)| Usable { id: *id, rack: self.layout.rack(*id), fenced: state.fenced };
        registered.map(usable).collect()
    }

    /// Creates the topics once the brokers are there (K-E9).
    pub(crate) fn create_topics(&mut self, fx: &mut Fx<'_>) {
        if !self.active || !self.planned.partitions.is_empty() {
            return;
        }
        let active = self.planned.active();
        let most = self.layout.topics.iter().map(|topic| usize::from(topic.factor)).max().unwrap_or(0);
        let patient = fx.now().since(self.active_since) < FORMATION;
        let expected = usize::from(self.layout.brokers - self.layout.spare);
        if active.len() < most || (active.len() < expected && patient) {
            fx.wake_in(Nanos::millis(100), Wake::Controller(ControllerWake::Create(self.reign)));
            return;
        }
        let layout = self.layout.clone();
        let mut records = Vec::new();
        for topic in &layout.topics {
            let placed = if topic.assignment.is_empty() {
                place(&self.usable(), topic.partitions, topic.factor, fx.dice())
            } else {
                let ids = |list: &Vec<u16>| list.iter().map(|number| number.saturating_sub(1)).collect();
                topic.assignment.iter().map(ids).collect()
            };
            for (slot, replicas) in (topic.first..).zip(placed) {
                let isr = replicas.iter().copied().filter(|replica| active.contains(replica)).collect();
                records.push(Record::Partition(slot, PartitionState::new(replicas, isr)));
            }
        }
        self.propose(records, fx);
    }
}
