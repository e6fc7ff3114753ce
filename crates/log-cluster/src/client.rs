//! What producers and consumers have in common: connections, requests with their timeouts, and metadata.

use crate::cluster::Node;
use crate::dialer::{Dialer, backoff};
use crate::image::Image;
use crate::layout::{Layout, Slot};
use crate::rpc::{ClientWake, Message, NewLeader, Request, Ticket, Wake};
use sim::story::{FlightKind, Look};
use sim::{Alarm, Effects, Nanos, NodeId, Time};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

pub(crate) type Fx<'a> = Effects<'a, Node>;

/// Waits of a client.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    pub request: Nanos,
    pub retry: Nanos,
    pub retry_most: Nanos,
    pub reconnect: Nanos,
    pub reconnect_most: Nanos,
    pub metadata_age: Nanos,
    /// Its thread sleeps for as long as a request may take while nothing happens (K-P4).
    pub sleeps: bool,
}

/// What took too long while the thread slept.
#[derive(Copy, Clone, Debug)]
enum Overdue {
    Request(u16, Ticket),
    Dial(u16),
}

/// A request that is not answered.
#[derive(Clone, Debug)]
struct Open<A> {
    ticket: Ticket,
    broker: u16,
    about: Option<A>,
    alarm: Alarm,
}

/// A client. `A` is what it remembers of each request.
#[derive(Clone, Debug)]
pub(crate) struct Client<A> {
    pub layout: Rc<Layout>,
    /// The metadata as far as it is known here.
    pub image: Rc<Image>,
    pub waits: Waits,
    dialer: Dialer,
    tickets: Ticket,
    /// In the order in which it was asked: mostly that of the answers.
    asked: VecDeque<Open<A>>,
    wants_metadata: bool,
    asking_metadata: Option<Ticket>,
    metadata_tries: u32,
    not_before: Time,
    /// Leaders that brokers named when they were asked in vain, while the metadata has older ones (K-T8).
    named: BTreeMap<Slot, NewLeader>,
    metadata_alarm: Option<Alarm>,
    /// When its thread was last awake.
    awake: Time,
    overdue: Vec<Overdue>,
}

fn known_epoch(image: &Image, slot: Slot) -> i32 {
    image.partition(slot).map_or(-1, |partition| partition.leader_epoch)
}

impl<A> Client<A> {
    pub fn new(layout: Rc<Layout>, waits: Waits) -> Client<A> {
        let wake = |peer| Wake::Client(ClientWake::Connect(peer));
        Client {
            layout,
            image: Rc::default(),
            dialer: Dialer::new(waits.reconnect, waits.reconnect_most, wake),
            waits,
            tickets: 0,
            asked: VecDeque::new(),
            wants_metadata: true,
            asking_metadata: None,
            metadata_tries: 0,
            not_before: Time::ZERO,
            named: BTreeMap::new(),
            metadata_alarm: None,
            awake: Time::ZERO,
            overdue: Vec::new(),
        }
    }

    /// A new life of the process: only its tickets go on, so that late answers are told apart.
    pub fn renew(&mut self) {
        let tickets = self.tickets;
        *self = Client { tickets, ..Client::new(self.layout.clone(), self.waits.clone()) };
    }

    pub fn want(&mut self, broker: u16, fx: &mut Fx<'_>) {
        self.dialer.want(broker, fx);
    }

    pub fn is_reachable(&self, broker: u16, fx: &Fx<'_>) -> bool {
        fx.is_connected(NodeId(broker))
    }

    /// Sends a request; `None` if there is no connection, and then one is sought.
    pub fn ask(
        &mut self,
        broker: u16,
        request: Request,
        about: A,
        bytes: u32,
        look: Look,
        fx: &mut Fx<'_>,
    ) -> Option<Ticket> {
        self.send(broker, request, Some(about), bytes, look, fx)
    }

    fn send(
        &mut self,
        broker: u16,
        request: Request,
        about: Option<A>,
        bytes: u32,
        look: Look,
        fx: &mut Fx<'_>,
    ) -> Option<Ticket> {
        if !fx.is_connected(NodeId(broker)) {
            self.dialer.want(broker, fx);
            return None;
        }
        self.awake = fx.now();
        self.tickets = self.tickets.wrapping_add(1);
        let ticket = self.tickets;
        fx.send(NodeId(broker), Message::Ask(ticket, request), bytes, look);
        let alarm = fx.wake_in(self.waits.request, Wake::Client(ClientWake::RequestExpires(broker, ticket)));
        self.asked.push_back(Open { ticket, broker, about, alarm });
        Some(ticket)
    }

    /// Sends what will never be answered.
    pub fn tell(&mut self, broker: u16, request: Request, bytes: u32, look: Look, fx: &mut Fx<'_>) -> bool {
        self.tickets = self.tickets.wrapping_add(1);
        fx.send(NodeId(broker), Message::Ask(self.tickets, request), bytes, look)
    }

    /// An answer came: to what?
    pub fn answered(&mut self, ticket: Ticket, fx: &mut Fx<'_>) -> Option<A> {
        let place = self.asked.iter().position(|open| open.ticket == ticket)?;
        let open = self.asked.remove(place)?;
        fx.cancel(open.alarm);
        open.about
    }

    /// Requests to one broker that are not answered.
    pub fn waiting(&self, broker: u16) -> impl Iterator<Item = &A> {
        self.asked.iter().filter(move |open| open.broker == broker).filter_map(|open| open.about.as_ref())
    }

    /// All requests that are not answered.
    pub fn all_waiting(&self) -> impl Iterator<Item = &A> {
        self.asked.iter().filter_map(|open| open.about.as_ref())
    }

    /// The same, and at which broker.
    pub fn all_waiting_at(&self) -> impl Iterator<Item = (u16, &A)> {
        self.asked.iter().filter_map(|open| Some((open.broker, open.about.as_ref()?)))
    }

    /// All requests that are not answered, to be changed.
    pub fn all_waiting_mut(&mut self) -> impl Iterator<Item = &mut A> {
        self.asked.iter_mut().filter_map(|open| open.about.as_mut())
    }

    pub fn connected(&mut self, broker: u16, fx: &mut Fx<'_>) {
        self.dialer.connected(broker, fx);
        self.pump_metadata(fx);
    }

    /// A connection is gone: what was asked over it?
    pub fn disconnected(&mut self, broker: u16, fx: &mut Fx<'_>) -> Vec<A> {
        let mut lost = Vec::new();
        for open in std::mem::take(&mut self.asked) {
            if open.broker != broker {
                self.asked.push_back(open);
                continue;
            }
            fx.cancel(open.alarm);
            lost.extend(open.about);
            if self.asking_metadata == Some(open.ticket) {
                self.asking_metadata = None;
            }
        }
        self.dialer.lost(broker, fx);
        self.refresh(fx);
        lost
    }

    /// A request was not answered in time: the connection is given up, as Kafka's clients do. True if it was waited for.
    pub fn expired(&mut self, broker: u16, ticket: Ticket, fx: &mut Fx<'_>) -> bool {
        if !self.waits_for(ticket) {
            return false;
        }
        if let Some(at) = self.sleeps_until(fx) {
            let alarm = fx.wake_at(at, Wake::Client(ClientWake::RequestExpires(broker, ticket)));
            self.rearm(ticket, alarm, fx);
            self.overdue.push(Overdue::Request(broker, ticket));
            return false;
        }
        fx.disconnect(NodeId(broker));
        true
    }

    fn rearm(&mut self, ticket: Ticket, alarm: Alarm, fx: &mut Fx<'_>) {
        if let Some(open) = self.asked.iter_mut().find(|open| open.ticket == ticket) {
            fx.cancel(std::mem::replace(&mut open.alarm, alarm));
        }
    }

    fn waits_for(&self, ticket: Ticket) -> bool {
        self.asked.iter().any(|open| open.ticket == ticket)
    }

    /// When its thread wakes by itself, if it sleeps now: again and again after as long as a request may take.
    fn sleeps_until(&self, fx: &Fx<'_>) -> Option<Time> {
        let (span, asleep) = (self.waits.request.0.max(1), fx.now().since(self.awake));
        let more = asleep.0 % span;
        (self.waits.sleeps && more > 0).then(|| fx.now() + Nanos(span - more))
    }

    /// Something wakes its thread: what took too long meanwhile is noticed now (K-P4).
    pub fn stir(&mut self, fx: &mut Fx<'_>) {
        self.awake = fx.now();
        for overdue in std::mem::take(&mut self.overdue) {
            match overdue {
                Overdue::Request(broker, ticket) if self.waits_for(ticket) => {
                    let alarm = fx.wake_at(fx.now(), Wake::Client(ClientWake::RequestExpires(broker, ticket)));
                    self.rearm(ticket, alarm, fx);
                }
                Overdue::Dial(broker) if self.dialer.gives_up(broker) => self.dialer.postpone(broker, fx.now(), fx),
                Overdue::Request(..) | Overdue::Dial(_) => {}
            }
        }
    }

    /// Calls again, or gives the broker up: false.
    pub fn redial(&mut self, broker: u16, fx: &mut Fx<'_>) -> bool {
        let gives_up = self.dialer.gives_up(broker);
        if gives_up && let Some(at) = self.sleeps_until(fx) {
            self.dialer.postpone(broker, at, fx);
            self.overdue.push(Overdue::Dial(broker));
            return true;
        }
        // A broker that the metadata does not trust is not called again without need.
        let known = self.image.brokers.is_empty() || self.image.brokers.get(&broker).is_some_and(|b| !b.fenced);
        if known || self.wants_metadata {
            self.dialer.woke(broker, fx);
            if gives_up {
                // It could not be reached for a while: perhaps the metadata names others by now.
                self.refresh(fx);
            }
        } else {
            self.dialer.forget(broker, fx);
            return false;
        }
        true
    }

    /// The metadata may be out of date.
    pub fn refresh(&mut self, fx: &mut Fx<'_>) {
        self.wants_metadata = true;
        self.pump_metadata(fx);
    }

    pub fn pump_metadata(&mut self, fx: &mut Fx<'_>) {
        if !self.wants_metadata || self.asking_metadata.is_some() {
            return;
        }
        if self.not_before > fx.now() {
            let alarm = fx.wake_at(self.not_before, Wake::Client(ClientWake::Metadata));
            if let Some(old) = self.metadata_alarm.replace(alarm) {
                fx.cancel(old);
            }
            return;
        }
        // The connected broker with the fewest open requests; else any that is not known to be out of reach.
        let brokers: Vec<u16> = (0..self.layout.brokers).collect();
        let start = fx.dice().below(brokers.len() as u64) as usize;
        let turned = || brokers[start..].iter().chain(&brokers[..start]).copied();
        let load = |broker: &u16| self.asked.iter().filter(|open| open.broker == *broker).count();
        if let Some(best) = turned().filter(|broker| fx.is_connected(NodeId(*broker))).min_by_key(load) {
            self.asking_metadata = self.send(best, Request::Metadata, None, 60, Look::plain(FlightKind::Control), fx);
        } else {
            let fresh = turned().find(|broker| !self.dialer.is_backing_off(*broker));
            self.dialer.want(fresh.unwrap_or(brokers[start]), fx);
        }
    }

    pub fn metadata_woke(&mut self, fx: &mut Fx<'_>) {
        self.metadata_alarm = None;
        if self.not_before <= fx.now() {
            self.wants_metadata = true;
        }
        self.pump_metadata(fx);
    }

    /// Metadata came. True if it is newer than what was known.
    pub fn learn(&mut self, ticket: Ticket, image: Rc<Image>, fx: &mut Fx<'_>) -> bool {
        self.answered(ticket, fx);
        if self.asking_metadata == Some(ticket) {
            self.asking_metadata = None;
            self.wants_metadata = false;
        }
        let newer = image.offset > self.image.offset;
        self.metadata_tries = if newer { 0 } else { self.metadata_tries + 1 };
        let wait = backoff(self.waits.retry, self.waits.retry_most, self.metadata_tries, fx);
        self.not_before = fx.now() + wait;
        if let Some(alarm) = self.metadata_alarm.take() {
            fx.cancel(alarm);
        }
        // What is too old is asked for again.
        self.metadata_alarm = Some(fx.wake_in(self.waits.metadata_age, Wake::Client(ClientWake::Metadata)));
        if newer {
            self.image = image;
            let known = &self.image;
            self.named.retain(|slot, (_, epoch)| *epoch > known_epoch(known, *slot));
        }
        newer
    }

    /// K-T8: a broker named a leader. True if it is a newer one than was known: it can be asked at once.
    pub fn hear_of(&mut self, slot: Slot, (leader, epoch): NewLeader) -> bool {
        let named = self.named.get(&slot).map_or(-1, |(_, epoch)| *epoch);
        let newer = epoch > named.max(known_epoch(&self.image, slot));
        if newer {
            self.named.insert(slot, (leader, epoch));
        }
        newer
    }

    pub fn leader(&self, slot: Slot) -> Option<NewLeader> {
        // Mostly nobody was named.
        let named = if self.named.is_empty() { None } else { self.named.get(&slot) };
        named.copied().or_else(|| self.image.leader(slot))
    }
}
