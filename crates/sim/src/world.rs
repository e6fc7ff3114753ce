//! The driver: plays events in the order of their times, and carries out what the processes answer.

use crate::effects::Effects;
use crate::machine::{Machine, MachineProfile, Slowness};
use crate::net::{Flight, Hangup, LinkProfile, Network, Sent, Side, SideState, Wreck};
use crate::objection;
use crate::story::{MessageId, Note, Objection};
use crate::wheel::{Handle, Wheel};
use crate::{Dice, Digest, Nanos, Time};

/// A process of a cluster: a broker, a controller, a producer, a consumer. Each has a machine of its own.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct NodeId(pub u16);

impl NodeId {
    /// As an index into a table of all nodes.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What identifies a value in the digest: equal for equal values on every machine, and different for most others.
pub trait Fingerprint {
    /// 64 bits of identity.
    fn fingerprint(&self) -> u64;
}

/// A process: a function from an event to effects. It has no clock, no dice and no other process but through `fx`.
pub trait Process: Clone + core::fmt::Debug {
    /// What processes send each other.
    type Message: Clone + core::fmt::Debug + Fingerprint;
    /// What a process tells itself later: a timer, work that is done, bytes that are flushed.
    type Wake: Clone + core::fmt::Debug + Fingerprint;
    /// What a user orders of a process while it runs.
    type Order: Clone + core::fmt::Debug + Fingerprint;

    /// One event happens to the process. It changes itself and answers through `fx`.
    fn on_event(&mut self, event: Event<Self>, fx: &mut Effects<'_, Self>);

    /// The process ends without a chance to do anything. What it held in memory is lost; on [`Crash::PowerLoss`] so
    /// is what was written but not flushed. What is left is what it will start from.
    fn on_crash(&mut self, crash: Crash);
}

/// How a process ended without being asked.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Crash {
    /// kill -9: the page cache survives.
    Kill,
    /// The machine lost power: only what was flushed survives.
    PowerLoss,
}

/// What can happen to a process.
#[derive(Clone, Debug)]
pub enum Event<P: Process> {
    /// It starts, for the first time or again.
    Started,
    /// It is asked to stop in good order; it calls [`Effects::exit`] when it has.
    StopRequested,
    /// A connection with this node is open, whoever asked for it.
    Connected(NodeId),
    /// The connection with this node is gone, or could not be made.
    Disconnected(NodeId, Hangup),
    /// A message arrived.
    Received(NodeId, P::Message),
    /// What it told itself to remember.
    Woke(P::Wake),
    /// A user's order.
    Ordered(P::Order),
}

/// How a node is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// Not started yet, or stopped in good order.
    Stopped,
    /// At work.
    Running,
    /// Asked to stop and not finished.
    Stopping,
    /// Frozen: it does nothing, its machine answers for it (a long garbage collection, SIGSTOP).
    Paused,
    /// kill -9.
    Killed,
    /// Its machine has no power.
    PoweredOff,
}

impl Health {
    /// Whether the process exists.
    #[must_use]
    pub fn is_alive(self) -> bool {
        matches!(self, Health::Running | Health::Stopping | Health::Paused)
    }

    /// Why a node of this name takes no orders now, in a sentence that says what to do; `None` if it is at work.
    #[must_use]
    pub fn objection(self, name: &str) -> Option<Objection> {
        match self {
            Health::Running => None,
            Health::Paused => Some(objection!("{} is paused: let it go on first", name)),
            Health::Stopping => Some(objection!("{} is stopping", name)),
            Health::Stopped | Health::Killed | Health::PoweredOff => {
                Some(objection!("{} is not running: start it first", name))
            }
        }
    }
}

/// Names a wake-up, to cancel it.
pub type Alarm = Handle;

#[derive(Clone, Debug)]
pub(crate) enum Scheduled<P: Process> {
    Wake { node: NodeId, life: u32, wake: P::Wake },
    Deliver { pair: u32, side: u8, epoch: u32, flight: u32, bytes: u32, message: P::Message },
    Knock { pair: u32, side: u8, attempt: u32, tries: u32 },
    Welcome { pair: u32, side: u8, epoch: u32, attempt: u32 },
    Retransmit { pair: u32, side: u8, epoch: u32 },
    Hangup { pair: u32, side: u8, epoch: u32, why: Hangup },
    Refused { pair: u32, side: u8, attempt: u32, why: Hangup },
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) health: Health,
    pub(crate) life: u32,
    pub(crate) machine: Machine,
    pub(crate) dice: Dice,
    /// Whether it was asked to stop before it was paused.
    pub(crate) stopping: bool,
    /// How it has been, each from when on.
    course: Vec<(Time, Health)>,
}

impl Node {
    fn turn(&mut self, now: Time, health: Health) {
        self.health = health;
        self.course.push((now, health));
    }
}

/// What processes act through; all of the world but the processes themselves.
#[derive(Clone, Debug)]
pub(crate) struct Kit<P: Process> {
    pub(crate) now: Time,
    pub(crate) wheel: Wheel<Scheduled<P>>,
    pub(crate) net: Network<P::Message>,
    pub(crate) nodes: Vec<Node>,
    /// What happened to a paused process, in order; it sees it when it goes on.
    pub(crate) held: Vec<Vec<Event<P>>>,
    pub(crate) notes: Vec<(Time, NodeId, u32, Note)>,
    pub(crate) attempts: u32,
    /// What was sent, while somebody keeps account of it.
    pub(crate) journal: Option<Vec<Sent<P::Message>>>,
}

/// A cluster at work: processes, their machines, and the network between them.
#[derive(Clone, Debug)]
pub struct World<P: Process> {
    processes: Vec<P>,
    pub(crate) kit: Kit<P>,
    digest: Digest,
    events: u64,
}

impl<P: Process> World<P> {
    /// A world of these processes, all stopped. `seed` feeds every stream of dice.
    #[must_use]
    pub fn new(seed: u64, processes: Vec<(P, MachineProfile)>, link: LinkProfile) -> World<P> {
        let nodes = (0u64..).zip(&processes).map(|(index, (_, profile))| Node {
            health: Health::Stopped,
            life: 0,
            machine: Machine::new(profile.clone()),
            dice: Dice::named(seed, "process", &[index]),
            stopping: false,
            course: Vec::new(),
        });
        let nodes: Vec<Node> = nodes.collect();
        let count = nodes.len();
        assert!(count < usize::from(u16::MAX), "at most 65,534 processes");
        World {
            kit: Kit {
                now: Time::ZERO,
                wheel: Wheel::default(),
                net: Network::new(seed, count, link),
                held: (0..count).map(|_| Vec::new()).collect(),
                nodes,
                notes: Vec::new(),
                attempts: 0,
                journal: None,
            },
            processes: processes.into_iter().map(|(process, _)| process).collect(),
            digest: Digest::default(),
            events: 0,
        }
    }

    /// Sets what the link is like in one direction.
    pub fn set_link(&mut self, from: NodeId, to: NodeId, profile: LinkProfile) {
        self.kit.net.profile.insert((from, to), profile);
    }

    /// What the link is like in one direction.
    #[must_use]
    pub fn link(&self, from: NodeId, to: NodeId) -> LinkProfile {
        self.kit.net.link(from, to)
    }

    /// All processes, by node.
    #[must_use]
    pub fn processes(&self) -> &[P] {
        &self.processes
    }

    /// One process.
    #[must_use]
    pub fn process(&self, node: NodeId) -> &P {
        &self.processes[node.index()]
    }

    /// The time that the world has reached: that of the last event.
    #[must_use]
    pub fn now(&self) -> Time {
        self.kit.now
    }

    /// How many events were played.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The digest of all events played so far.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest.value()
    }

    /// When the next event is due.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        self.kit.wheel.next_time()
    }

    /// How a node is.
    #[must_use]
    pub fn health(&self, node: NodeId) -> Health {
        self.kit.nodes[node.index()].health
    }

    /// How a node has been, each from when on; before the first it was not there yet.
    #[must_use]
    pub fn course(&self, node: NodeId) -> &[(Time, Health)] {
        &self.kit.nodes[node.index()].course
    }

    /// A node's machine.
    #[must_use]
    pub fn machine(&self, node: NodeId) -> &Machine {
        &self.kit.nodes[node.index()].machine
    }

    /// Whether the link is cut in this direction.
    #[must_use]
    pub fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.kit.net.is_cut(from, to)
    }

    /// The cut links, each direction by itself.
    pub fn cuts(&self) -> impl Iterator<Item = (NodeId, NodeId)> {
        self.kit.net.cuts.iter().copied()
    }

    /// Whether `from` sees an open connection to `to`.
    #[must_use]
    pub fn is_connected(&self, from: NodeId, to: NodeId) -> bool {
        self.kit.is_open(from, to)
    }

    /// The pairs of nodes of which at least one side sees an open connection.
    pub fn connections(&self) -> impl Iterator<Item = (NodeId, NodeId)> {
        let open = |side: &Side<P::Message>| side.state == SideState::Open;
        self.kit.net.pairs.iter().filter(move |p| p.sides.iter().any(open)).map(|p| (p.ends[0], p.ends[1]))
    }

    /// What is in flight, in no order that means anything.
    pub fn flights(&self) -> impl Iterator<Item = Flight> {
        self.kit.net.flights.iter().flatten().copied()
    }

    /// The messages on their way: in the air, held up to be sent again, or waiting at a paused process.
    pub fn messages(&self) -> impl Iterator<Item = &P::Message> {
        let flying = self.kit.wheel.iter().filter_map(|scheduled| match scheduled {
            Scheduled::Deliver { message, .. } => Some(message),
            _ => None,
        });
        let sides = self.kit.net.pairs.iter().flat_map(|pair| &pair.sides);
        let waiting = self.kit.held.iter().flatten().filter_map(|event| match event {
            Event::Received(_, message) => Some(message),
            _ => None,
        });
        flying.chain(sides.flat_map(|side| &side.stuck).map(|stuck| &stuck.message)).chain(waiting)
    }

    /// What was lost lately, oldest first.
    pub fn wrecks(&self) -> impl Iterator<Item = Wreck> {
        self.kit.net.wrecks.iter().copied()
    }

    /// From now on keeps account of all that is sent, for [`World::take_journal`]. What is played does not change.
    pub fn keep_journal(&mut self) {
        self.kit.journal = Some(Vec::new());
    }

    /// Takes what was sent since the last call; nothing unless [`World::keep_journal`] was called.
    pub fn take_journal(&mut self) -> Vec<Sent<P::Message>> {
        self.kit.journal.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes what the processes told since the last call.
    pub fn take_notes(&mut self) -> impl Iterator<Item = (Time, NodeId, Note)> {
        self.take_note_runs().flat_map(|(at, node, count, note)| {
            (0..count).map(move |place| {
                let note = match &note {
                    Note::Life(id, life, rule) => {
                        Note::Life(MessageId { sequence: id.sequence.wrapping_add(place), ..*id }, *life, *rule)
                    }
                    mark => mark.clone(),
                };
                (at, node, note)
            })
        })
    }

    /// Takes the same, but messages of one producer that follow each other, and of which the same was told at once, are
    /// not told apart: each note comes with the number of messages that it is of, of which it names the first.
    pub fn take_note_runs(&mut self) -> std::vec::Drain<'_, (Time, NodeId, u32, Note)> {
        self.kit.notes.drain(..)
    }

    /// Plays the next event if its time is at most `limit`, and answers its time.
    #[inline]
    pub fn step(&mut self, limit: Time) -> Option<Time> {
        let (at, scheduled) = self.kit.wheel.pop_until(limit)?;
        self.kit.now = at;
        self.events += 1;
        self.digest.mix(at.0);
        match scheduled {
            Scheduled::Wake { node, life, wake } => {
                self.digest.mix(1 | u64::from(node.0) << 8 | wake.fingerprint() << 24);
                if self.kit.nodes[node.index()].life == life {
                    self.happen(node, Event::Woke(wake));
                }
            }
            Scheduled::Deliver { pair, side, epoch, flight, bytes, message } => {
                self.digest.mix(2 | u64::from(pair) << 8 | u64::from(side) << 32);
                self.digest.mix(message.fingerprint());
                self.deliver(pair, side, epoch, flight, bytes, message);
            }
            Scheduled::Knock { pair, side, attempt, tries } => {
                self.digest.mix(3 | u64::from(pair) << 8 | u64::from(side) << 32);
                self.knock(pair, side, attempt, tries);
            }
            Scheduled::Welcome { pair, side, epoch, attempt } => {
                self.digest.mix(4 | u64::from(pair) << 8 | u64::from(side) << 32);
                self.welcome(pair, side, epoch, attempt);
            }
            Scheduled::Retransmit { pair, side, epoch } => {
                self.digest.mix(5 | u64::from(pair) << 8 | u64::from(side) << 32);
                self.kit.retransmit(pair, side, epoch);
            }
            Scheduled::Hangup { pair, side, epoch, why } => {
                self.digest.mix(6 | u64::from(pair) << 8 | u64::from(side) << 32);
                self.hang_up(pair, side, epoch, why);
            }
            Scheduled::Refused { pair, side, attempt, why } => {
                self.digest.mix(7 | u64::from(pair) << 8 | u64::from(side) << 32);
                self.refuse(pair, side, attempt, why);
            }
        }
        Some(at)
    }

    /// Plays all events up to and including `limit`; the world's time is `limit` afterwards.
    pub fn run_until(&mut self, limit: Time) {
        while self.step(limit).is_some() {}
        self.arrive(limit);
    }

    /// Moves the clock to `at` when nothing is due before it.
    pub fn arrive(&mut self, at: Time) {
        if at > self.kit.now && at != Time::NEVER {
            self.kit.now = at;
        }
    }

    /// Gives a process a user's order, now.
    pub fn order(&mut self, node: NodeId, order: P::Order) {
        self.digest.mix(8 | u64::from(node.0) << 8);
        self.digest.mix(order.fingerprint());
        if self.kit.nodes[node.index()].health.is_alive() {
            self.happen(node, Event::Ordered(order));
        }
    }

    /// Starts a node that is down. A node that is up stays as it is.
    pub fn start(&mut self, node: NodeId) {
        self.digest.mix(9 | u64::from(node.0) << 8);
        let state = &mut self.kit.nodes[node.index()];
        if state.health.is_alive() {
            return;
        }
        state.turn(self.kit.now, Health::Running);
        state.stopping = false;
        state.life += 1;
        self.kit.revive_connections(node);
        self.happen(node, Event::Started);
    }

    /// Asks a node to stop in good order.
    pub fn stop(&mut self, node: NodeId) {
        self.digest.mix(10 | u64::from(node.0) << 8);
        let state = &mut self.kit.nodes[node.index()];
        if state.health == Health::Running {
            state.turn(self.kit.now, Health::Stopping);
        }
        if state.health.is_alive() && !state.stopping {
            state.stopping = true;
            self.happen(node, Event::StopRequested);
        }
    }

    /// Ends a node without asking: kill -9, or its machine loses power.
    pub fn crash(&mut self, node: NodeId, crash: Crash) {
        self.digest.mix(11 | u64::from(node.0) << 8 | u64::from(crash == Crash::PowerLoss) << 32);
        let state = &mut self.kit.nodes[node.index()];
        let was = state.health;
        if was == Health::PoweredOff || (!was.is_alive() && crash == Crash::Kill) {
            return;
        }
        state.turn(self.kit.now, if crash == Crash::Kill { Health::Killed } else { Health::PoweredOff });
        state.life += 1;
        state.machine.abandon(self.kit.now, crash == Crash::PowerLoss);
        self.kit.held[node.index()].clear();
        self.processes[node.index()].on_crash(crash);
        self.kit.drop_connections(node, (crash == Crash::Kill).then_some(Hangup::Reset));
    }

    /// Freezes a node.
    pub fn pause(&mut self, node: NodeId) {
        self.digest.mix(12 | u64::from(node.0) << 8);
        let state = &mut self.kit.nodes[node.index()];
        if matches!(state.health, Health::Running | Health::Stopping) {
            state.turn(self.kit.now, Health::Paused);
        }
    }

    /// Lets a frozen node go on: it sees all that came meanwhile, in order.
    pub fn resume(&mut self, node: NodeId) {
        self.digest.mix(13 | u64::from(node.0) << 8);
        let state = &mut self.kit.nodes[node.index()];
        if state.health != Health::Paused {
            return;
        }
        state.turn(self.kit.now, if state.stopping { Health::Stopping } else { Health::Running });
        for event in std::mem::take(&mut self.kit.held[node.index()]) {
            self.happen(node, event);
        }
    }

    /// Cuts the link in one direction. What is in the air does not arrive.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.digest.mix(14 | u64::from(from.0) << 8 | u64::from(to.0) << 24);
        self.kit.net.cuts.insert((from, to));
    }

    /// Heals the link in one direction. What was held up is sent again when TCP next tries.
    pub fn heal(&mut self, from: NodeId, to: NodeId) {
        self.digest.mix(15 | u64::from(from.0) << 8 | u64::from(to.0) << 24);
        if self.kit.net.cuts.remove(&(from, to)) {
            self.kit.resume_sending(from, to);
        }
    }

    /// Makes the link worse than it is in one direction: by this much delay and so many lost segments in a million,
    /// each of which TCP sends again. Nothing of either makes it as it was.
    pub fn worsen(&mut self, from: NodeId, to: NodeId, delay: Nanos, loss_per_million: u32) {
        self.digest.mix(17 | u64::from(from.0) << 8 | u64::from(to.0) << 24);
        self.digest.mix(delay.0 ^ u64::from(loss_per_million) << 40);
        if delay == Nanos::ZERO && loss_per_million == 0 {
            self.kit.net.worse.remove(&(from, to));
        } else {
            self.kit.net.worse.insert((from, to), (delay, loss_per_million));
        }
    }

    /// The links that are worse than their profile, each direction by itself: delay, and losses in a million.
    pub fn worse(&self) -> impl Iterator<Item = ((NodeId, NodeId), (Nanos, u32))> {
        self.kit.net.worse.iter().map(|(link, worse)| (*link, *worse))
    }

    /// Sets how slow a node's machine is.
    pub fn slow(&mut self, node: NodeId, slowness: Slowness) {
        self.digest.mix(16 | u64::from(node.0) << 8 | u64::from(slowness.cpu) << 24);
        self.digest.mix(u64::from(slowness.disk) | u64::from(slowness.network) << 32);
        self.kit.nodes[node.index()].machine.slowness = slowness;
    }

    pub(crate) fn happen(&mut self, node: NodeId, event: Event<P>) {
        match self.kit.nodes[node.index()].health {
            Health::Running | Health::Stopping => {
                let mut fx = Effects { kit: &mut self.kit, me: node, exiting: false };
                self.processes[node.index()].on_event(event, &mut fx);
                if fx.exiting {
                    let state = &mut self.kit.nodes[node.index()];
                    state.turn(self.kit.now, Health::Stopped);
                    state.life += 1;
                    state.machine.abandon(self.kit.now, false);
                    self.kit.drop_connections(node, Some(Hangup::Closed));
                }
            }
            Health::Paused => self.kit.held[node.index()].push(event),
            Health::Stopped | Health::Killed | Health::PoweredOff => {}
        }
    }
}
