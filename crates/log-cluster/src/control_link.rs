//! A broker's dealings with the active controller: registration, signs of life, metadata, in-sync sets (K-Q4, K-R5).

use crate::admin::AdminOrder;
use crate::broker::{Broker, Fx};
use crate::config::millis;
use crate::error::Code;
use crate::image::{Image, Record};
use crate::layout::{Layout, Slot};
use crate::replica::Proposal;
use crate::rpc::{BrokerWake, ControlRequest, ControlResponse, Message, Response, Ticket, Wake};
use crate::server::post;
use sim::story::{FlightKind, Look, MarkKind, Rule};
use sim::{Alarm, Nanos, NodeId, Time};
use std::ops::Range;
use std::rc::Rc;

/// How soon a leaving broker asks again whether it may stop (Kafka: 50 ms).
const MAY_I_STOP: Nanos = Nanos::millis(50);

/// Something that is waited for.
#[derive(Copy, Clone, Debug)]
struct Awaited {
    ticket: Ticket,
    until: Time,
    alarm: Alarm,
}

/// What a broker knows of the controllers, and waits for.
#[derive(Clone, Debug)]
pub(crate) struct ControlLink {
    /// Who may be the active one.
    pub candidate: Option<u16>,
    turn: usize,
    /// The epoch of the registration of this life.
    pub epoch: Option<u64>,
    /// The epoch of the last life, if that one ended in good order.
    pub previous: Option<u64>,
    registering: Option<Ticket>,
    register_wait: bool,
    reading: Option<Ticket>,
    /// Metadata that was read and is being taken up; more is not read before.
    taking: Option<Rc<Image>>,
    beating: Option<Ticket>,
    beat_due: bool,
    beats: u32,
    fenced: bool,
    awaited: Vec<Awaited>,
    producer_asks: Vec<(u16, Ticket, Option<Ticket>)>,
    /// Ids for producers that the controller gave this broker, and that nobody has (K-Q3).
    producer_ids: Range<u64>,
    /// What administrators want, and the ticket with which the controller was asked.
    pub admin_asks: Vec<(AdminOrder, Option<Ticket>)>,
}

impl ControlLink {
    pub fn new(layout: &Layout, me: u16) -> ControlLink {
        ControlLink {
            candidate: None,
            turn: layout.voters.iter().position(|voter| *voter == me).unwrap_or(0),
            epoch: None,
            previous: None,
            registering: None,
            register_wait: false,
            reading: None,
            taking: None,
            beating: None,
            beat_due: false,
            beats: 0,
            fenced: true,
            awaited: Vec::new(),
            producer_asks: Vec::new(),
            producer_ids: 0..0,
            admin_asks: Vec::new(),
        }
    }
}

impl Broker {
    /// Turns to the next controller.
    pub(crate) fn seek_controller(&mut self, fx: &mut Fx<'_>) {
        if self.control.candidate.is_some() {
            return;
        }
        let voters = &self.layout.voters;
        let Some(next) = voters.get(self.control.turn % voters.len().max(1)).copied() else { return };
        self.control.turn += 1;
        self.turn_to(next, fx);
    }

    fn turn_to(&mut self, controller: u16, fx: &mut Fx<'_>) {
        self.control.candidate = Some(controller);
        if controller == self.me || fx.is_connected(NodeId(controller)) {
            return self.pump_control(fx);
        }
        self.dialer.want(controller, fx);
        // A controller that cannot be reached is given up after a while.
        let ticket = self.next_ticket();
        self.await_controller(ticket, fx);
    }

    fn await_controller(&mut self, ticket: Ticket, fx: &mut Fx<'_>) {
        let until = fx.now() + millis(self.layout.broker.controller_quorum_request_timeout_ms);
        let alarm = fx.wake_at(until, Wake::Broker(BrokerWake::ControllerSilent(ticket)));
        self.control.awaited.push(Awaited { ticket, until, alarm });
    }

    /// The controller is gone, silent, or not the active one: looks for another. K-R6: what this broker leads it goes
    /// on leading with the in-sync sets that it knows; changes of them wait.
    pub(crate) fn lose_controller(&mut self, hint: Option<u16>, fx: &mut Fx<'_>) {
        let control = &mut self.control;
        for awaited in control.awaited.drain(..) {
            fx.cancel(awaited.alarm);
        }
        (control.registering, control.reading) = (None, None);
        control.beat_due |= control.beating.take().is_some();
        control.producer_asks.iter_mut().for_each(|ask| ask.2 = None);
        control.admin_asks.iter_mut().for_each(|ask| ask.1 = None);
        let was = control.candidate.take();
        for replica in self.replicas.values_mut() {
            if let Some(Proposal { ticket, .. }) = replica.leads_mut().and_then(|lead| lead.proposal.as_mut()) {
                *ticket = None;
            }
        }
        let voters = &self.layout.voters;
        if let Some(place) = hint.and_then(|hint| voters.iter().position(|voter| *voter == hint)) {
            self.control.turn = place;
        } else if was.is_some_and(|was| voters.get(self.control.turn % voters.len()) == Some(&was)) {
            self.control.turn += 1;
        }
        let wait = millis(self.layout.broker.controller_quorum_retry_backoff_ms);
        fx.wake_in(wait, Wake::Broker(BrokerWake::FindController(0)));
    }

    /// K-R6: the controller did not answer in time. The connection is closed, and another one not tried at once. An
    /// attempt to connect goes on.
    pub(crate) fn controller_silent(&mut self, ticket: Ticket, fx: &mut Fx<'_>) {
        if !self.control.awaited.iter().any(|awaited| awaited.ticket == ticket) {
            return;
        }
        if let Some(silent) = self.control.candidate
            && silent != self.me
            && fx.is_connected(NodeId(silent))
            && !self.fetchers.contains_key(&silent)
        {
            fx.disconnect(NodeId(silent));
            self.dialer.left(silent, fx);
        }
        self.lose_controller(None, fx);
    }

    pub(crate) fn ask_controller(&mut self, request: ControlRequest, fx: &mut Fx<'_>) -> Option<Ticket> {
        let to = self.control.candidate?;
        let ticket = self.next_ticket();
        let kind = match request {
            ControlRequest::Heartbeat(..) => FlightKind::Heartbeat,
            _ => FlightKind::Control,
        };
        let message = Message::AskController(ticket, request);
        if !post(fx, self.me, to, message, 100, Look::plain(kind)) {
            return None;
        }
        self.await_controller(ticket, fx);
        Some(ticket)
    }

    /// Asks all that is to be asked, if there is a controller to ask.
    pub(crate) fn pump_control(&mut self, fx: &mut Fx<'_>) {
        let Some(to) = self.control.candidate else { return };
        if to != self.me && !fx.is_connected(NodeId(to)) {
            return;
        }
        if self.control.reading.is_none() && self.control.taking.is_none() {
            self.control.reading = self.ask_controller(ControlRequest::Metadata(self.image.offset), fx);
        }
        if self.control.epoch.is_none() && self.control.registering.is_none() && !self.control.register_wait {
            let incarnation = self.lives << 16 | u64::from(self.me);
            let request = ControlRequest::Register(incarnation, self.control.previous);
            self.control.registering = self.ask_controller(request, fx);
        }
        if self.control.beat_due && self.control.beating.is_none() {
            self.beat(fx);
        }
        let epoch = self.control.epoch.unwrap_or(0);
        let mut waiting: Vec<(Slot, i32, i32, Vec<u16>)> = Vec::new();
        for (slot, replica) in &self.replicas {
            if let Some(Proposal { isr, ticket: None }) = replica.leads().and_then(|lead| lead.proposal.as_ref()) {
                waiting.push((*slot, replica.leader_epoch, replica.partition_epoch, isr.clone()));
            }
        }
        for (slot, leader_epoch, partition_epoch, isr) in waiting {
            let request = ControlRequest::AlterIsr(epoch, slot, leader_epoch, partition_epoch, isr);
            let sent = self.ask_controller(request, fx);
            let lead = self.replicas.get_mut(&slot).and_then(|replica| replica.leads_mut());
            if let Some(proposal) = lead.and_then(|lead| lead.proposal.as_mut()) {
                proposal.ticket = sent;
            }
        }
        let asked = self.control.producer_asks.iter().any(|ask| ask.2.is_some());
        if !asked && !self.control.producer_asks.is_empty() {
            self.control.producer_asks[0].2 = self.ask_controller(ControlRequest::ProducerIds, fx);
        }
        self.pump_admin(fx);
    }

    pub(crate) fn want_producer_id(&mut self, from: u16, ticket: Ticket, fx: &mut Fx<'_>) {
        self.control.producer_asks.push((from, ticket, None));
        self.give_producer_ids(fx);
        self.pump_control(fx);
    }

    /// K-Q3: who waits for an id gets one, as long as there are any.
    fn give_producer_ids(&mut self, fx: &mut Fx<'_>) {
        while !self.control.producer_asks.is_empty()
            && let Some(id) = self.control.producer_ids.next()
        {
            let (to, asked, _) = self.control.producer_asks.remove(0);
            self.answer(to, asked, Response::Producer(Ok(id)), 60, Look::plain(FlightKind::Control), fx);
        }
    }

    /// K-R5: asks the controller for another in-sync set.
    pub(crate) fn propose_isr(&mut self, slot: Slot, isr: Vec<u16>, fx: &mut Fx<'_>) {
        if let Some(lead) = self.replicas.get_mut(&slot).and_then(|replica| replica.leads_mut()) {
            lead.proposal = Some(Proposal { isr, ticket: None });
            self.pump_control(fx);
        }
    }

    /// K-Q4: a sign of life, every `broker.heartbeat.interval.ms`.
    pub(crate) fn heartbeat_due(&mut self, life: u32, fx: &mut Fx<'_>) {
        if life == self.control.beats {
            self.control.beat_due = true;
            self.pump_control(fx);
        }
    }

    pub(crate) fn beat(&mut self, fx: &mut Fx<'_>) {
        let Some(epoch) = self.control.epoch else { return };
        self.control.beat_due = true;
        if self.control.beating.is_some() {
            return;
        }
        let request = ControlRequest::Heartbeat(epoch, self.image.offset, self.stopping);
        if let Some(ticket) = self.ask_controller(request, fx) {
            self.control.beating = Some(ticket);
            self.control.beat_due = false;
        }
    }

    fn beat_in(&mut self, wait: Nanos, fx: &mut Fx<'_>) {
        self.control.beats += 1;
        fx.wake_in(wait, Wake::Broker(BrokerWake::Heartbeat(self.control.beats)));
    }

    pub(crate) fn on_controller(&mut self, from: u16, ticket: Ticket, response: ControlResponse, fx: &mut Fx<'_>) {
        let place = self.control.awaited.iter().position(|awaited| awaited.ticket == ticket);
        let Some(place) = place.filter(|_| self.control.candidate == Some(from)) else { return };
        // K-R6: a process that was frozen finds that the time is over before it looks at what has come.
        if from != self.me && fx.now() > self.control.awaited[place].until {
            return self.controller_silent(ticket, fx);
        }
        fx.cancel(self.control.awaited.swap_remove(place).alarm);
        // Being answered by it at all, the search is over.
        let all = std::mem::take(&mut self.control.awaited);
        let (asked, sought): (Vec<_>, Vec<_>) = all.into_iter().partition(|other| self.waits_for(other.ticket));
        sought.iter().for_each(|other| fx.cancel(other.alarm));
        self.control.awaited = asked;
        match response {
            ControlResponse::NotController(hint) => self.lose_controller(hint, fx),
            ControlResponse::Registered(result) => self.registered(result, fx),
            ControlResponse::Beat(result) => self.beaten(result, fx),
            ControlResponse::Records(records, upto) => {
                self.control.reading = None;
                let mut image = self.image.clone();
                for (offset, records) in records.iter().filter(|(offset, _)| offset.0 > self.image.offset) {
                    Rc::make_mut(&mut image).apply(offset.0, records);
                }
                if upto > image.offset {
                    Rc::make_mut(&mut image).offset = upto;
                }
                // A run begins with a cluster that stands: what is new costs nothing.
                let mine = |record: &&Record| match record {
                    Record::Partition(slot, state) => {
                        state.replicas.contains(&self.me) && self.image.partition(*slot).is_some()
                    }
                    _ => false,
                };
                let changes: usize = records.iter().map(|(_, all)| all.iter().filter(mine).count()).sum();
                if changes == 0 {
                    return self.read(image, fx);
                }
                let cost = self.layout.costs.partition.times(changes as u64);
                self.control.taking = Some(image);
                fx.work(self.me, cost, Wake::Broker(BrokerWake::TakeUp));
            }
            ControlResponse::Snapshot(image) => {
                self.control.reading = None;
                if image.offset >= self.image.offset {
                    self.read(image, fx);
                } else {
                    self.pump_control(fx);
                }
            }
            ControlResponse::IsrAltered(slot, result) => self.isr_altered(slot, ticket, result, fx),
            ControlResponse::Admin(result) => self.admin_answered(ticket, result, fx),
            ControlResponse::ProducerIds(ids) => {
                self.control.producer_asks.iter_mut().for_each(|ask| ask.2 = None);
                self.control.producer_ids = ids;
                self.give_producer_ids(fx);
            }
        }
    }

    fn waits_for(&self, ticket: Ticket) -> bool {
        let some = Some(ticket);
        let control = &self.control;
        let proposed = |replica: &crate::replica::Replica| {
            replica.leads().and_then(|lead| lead.proposal.as_ref()).is_some_and(|proposal| proposal.ticket == some)
        };
        [control.registering, control.reading, control.beating].contains(&some)
            || self.waits_for_admin(ticket)
            || control.producer_asks.iter().any(|ask| ask.2 == some)
            || self.replicas.values().any(proposed)
    }

    pub(crate) fn taken_up(&mut self, fx: &mut Fx<'_>) {
        if let Some(image) = self.control.taking.take() {
            self.read(image, fx);
        }
    }

    fn read(&mut self, image: Rc<Image>, fx: &mut Fx<'_>) {
        self.take_up(image, fx);
        // K-Q4: a fenced broker that has caught up says so at once.
        let caught_up = self.control.epoch.is_some_and(|epoch| self.image.offset >= epoch);
        if (self.control.fenced && caught_up) || self.stopping {
            self.beat(fx);
        }
        self.pump_control(fx);
    }

    fn registered(&mut self, result: Result<u64, Code>, fx: &mut Fx<'_>) {
        self.control.registering = None;
        match result {
            Ok(epoch) => {
                self.control.epoch = Some(epoch);
                self.control.fenced = true;
                if self.image.offset >= epoch {
                    self.beat(fx);
                }
                self.pump_control(fx);
            }
            // K-Q5: as after a heartbeat, it waits its interval.
            Err(_) => {
                self.control.register_wait = true;
                let wait = millis(self.layout.broker.broker_heartbeat_interval_ms);
                fx.wake_in(wait, Wake::Broker(BrokerWake::Register(0)));
            }
        }
    }

    /// K-Q9: a broker that nobody takes in does not wait for ever.
    pub(crate) fn registration_due(&mut self, fx: &mut Fx<'_>) {
        if self.control.epoch.is_none() && !self.stopping {
            self.stopping = true;
            fx.mark(MarkKind::Refusal, "broker-gives-up", vec![self.layout.name(self.me)], Rule("K-Q9"));
            self.farewell(fx);
        }
    }

    pub(crate) fn register_again(&mut self, fx: &mut Fx<'_>) {
        self.control.register_wait = false;
        self.pump_control(fx);
    }

    fn beaten(&mut self, result: Result<(bool, bool), Code>, fx: &mut Fx<'_>) {
        self.control.beating = None;
        let interval = millis(self.layout.broker.broker_heartbeat_interval_ms);
        match result {
            Ok((_, true)) if self.stopping => return self.farewell(fx),
            Ok((fenced, _)) => {
                self.control.fenced = fenced;
                self.serving |= !fenced;
                let wait = if self.stopping { MAY_I_STOP } else { interval };
                self.beat_in(wait, fx);
            }
            Err(_) => self.beat_in(interval, fx),
        }
        if self.control.beat_due {
            self.beat(fx);
        }
    }

    fn isr_altered(&mut self, slot: Slot, ticket: Ticket, result: Result<(i32, Vec<u16>), Code>, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get_mut(&slot) else { return };
        let partition_epoch = replica.partition_epoch;
        let Some(lead) = replica.leads_mut() else { return };
        if lead.proposal.as_ref().is_none_or(|proposal| proposal.ticket != Some(ticket)) {
            return;
        }
        lead.proposal = None;
        match result {
            Ok((epoch, isr)) if epoch >= partition_epoch => {
                lead.isr = isr;
                lead.recovering = false;
                replica.partition_epoch = epoch;
                self.settle_partition(slot, fx);
            }
            // The metadata will tell what holds; a follower that is not eligible yet is looked at on its next fetch.
            Ok(_) | Err(_) => self.settle_partition(slot, fx),
        }
    }
}
