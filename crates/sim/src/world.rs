//! The driver: plays events in the order of their times, and carries out what the processes answer.

use crate::machine::{Machine, MachineProfile, Slowness};
use crate::net::{self, Flight, Hangup, LinkProfile, Network, Pair, Side, SideState, Stuck, Wreck};
use crate::story::{Look, Mark, Note};
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
pub enum Event<P: Process + ?Sized> {
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
}

/// Names a wake-up, to cancel it.
pub type Alarm = Handle;

#[derive(Clone, Debug)]
enum Scheduled<P: Process> {
    Wake { node: NodeId, life: u32, wake: P::Wake },
    Deliver { pair: u32, side: u8, epoch: u32, flight: u32, bytes: u32, message: P::Message },
    Knock { pair: u32, side: u8, attempt: u32, tries: u32 },
    Welcome { pair: u32, side: u8, epoch: u32, attempt: u32 },
    Retransmit { pair: u32, side: u8, epoch: u32 },
    Hangup { pair: u32, side: u8, epoch: u32, why: Hangup },
    Refused { pair: u32, side: u8, attempt: u32, why: Hangup },
}

#[derive(Clone, Debug)]
struct Node {
    health: Health,
    life: u32,
    machine: Machine,
    dice: Dice,
    /// Whether it was asked to stop before it was paused.
    stopping: bool,
}

/// What processes act through; all of the world but the processes themselves.
#[derive(Clone, Debug)]
struct Kit<P: Process> {
    now: Time,
    wheel: Wheel<Scheduled<P>>,
    net: Network<P::Message>,
    nodes: Vec<Node>,
    /// What happened to a paused process, in order; it sees it when it goes on.
    held: Vec<Vec<Event<P>>>,
    notes: Vec<(Time, NodeId, Note)>,
    attempts: u32,
}

/// A cluster at work: processes, their machines, and the network between them.
#[derive(Clone, Debug)]
pub struct World<P: Process> {
    processes: Vec<P>,
    kit: Kit<P>,
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

    /// What was lost lately, oldest first.
    pub fn wrecks(&self) -> impl Iterator<Item = Wreck> {
        self.kit.net.wrecks.iter().copied()
    }

    /// Takes what the processes told since the last call.
    pub fn take_notes(&mut self) -> std::vec::Drain<'_, (Time, NodeId, Note)> {
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
        state.health = Health::Running;
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
            state.health = Health::Stopping;
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
        state.health = if crash == Crash::Kill { Health::Killed } else { Health::PoweredOff };
        state.life += 1;
        state.machine.abandon(self.kit.now, crash == Crash::PowerLoss);
        self.kit.held[node.index()].clear();
        self.processes[node.index()].on_crash(crash);
        self.kit.drop_connections(node, crash == Crash::Kill);
    }

    /// Freezes a node.
    pub fn pause(&mut self, node: NodeId) {
        self.digest.mix(12 | u64::from(node.0) << 8);
        let state = &mut self.kit.nodes[node.index()];
        if matches!(state.health, Health::Running | Health::Stopping) {
            state.health = Health::Paused;
        }
    }

    /// Lets a frozen node go on: it sees all that came meanwhile, in order.
    pub fn resume(&mut self, node: NodeId) {
        self.digest.mix(13 | u64::from(node.0) << 8);
        let state = &mut self.kit.nodes[node.index()];
        if state.health != Health::Paused {
            return;
        }
        state.health = if state.stopping { Health::Stopping } else { Health::Running };
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

    /// Sets how slow a node's machine is.
    pub fn slow(&mut self, node: NodeId, slowness: Slowness) {
        self.digest.mix(16 | u64::from(node.0) << 8 | u64::from(slowness.cpu) << 24);
        self.digest.mix(u64::from(slowness.disk) | u64::from(slowness.network) << 32);
        self.kit.nodes[node.index()].machine.slowness = slowness;
    }

    fn happen(&mut self, node: NodeId, event: Event<P>) {
        match self.kit.nodes[node.index()].health {
            Health::Running | Health::Stopping => {
                let mut fx = Effects { kit: &mut self.kit, me: node, exiting: false };
                self.processes[node.index()].on_event(event, &mut fx);
                if fx.exiting {
                    let state = &mut self.kit.nodes[node.index()];
                    state.health = Health::Stopped;
                    state.life += 1;
                    state.machine.abandon(self.kit.now, false);
                    self.kit.drop_connections(node, true);
                }
            }
            Health::Paused => self.kit.held[node.index()].push(event),
            Health::Stopped | Health::Killed | Health::PoweredOff => {}
        }
    }

    fn deliver(&mut self, pair: u32, side: u8, epoch: u32, flight: u32, bytes: u32, message: P::Message) {
        let now = self.kit.now;
        let landed = self.kit.net.land(flight);
        let Pair { ends, epoch: current, .. } = self.kit.net.pairs[pair as usize];
        let (from, to) = (ends[usize::from(side)], ends[usize::from(1 - side)]);
        let Some(flown) = landed else { return };
        if epoch != current {
            self.kit.net.wreck(flown, now);
        } else if self.kit.is_silent(from, to) {
            // The link or the machine went while it flew: TCP will send it again.
            self.kit.net.wreck(flown, now);
            let stuck = Stuck { since: flown.sent, message, look: flown.look, bytes };
            self.kit.net.pairs[pair as usize].sides[usize::from(side)].stuck.push_back(stuck);
        } else if self.kit.net.pairs[pair as usize].sides[usize::from(1 - side)].state == SideState::Open {
            self.happen(to, Event::Received(from, message));
        } else {
            self.kit.net.wreck(flown, now);
        }
    }

    fn knock(&mut self, pair: u32, side: u8, attempt: u32, tries: u32) {
        let Pair { ends, ref sides, epoch } = self.kit.net.pairs[pair as usize];
        let (me, peer) = (ends[usize::from(side)], ends[usize::from(1 - side)]);
        let peer_open = sides[usize::from(1 - side)].state == SideState::Open;
        if sides[usize::from(side)].state != SideState::Connecting(attempt) {
            return;
        }
        if self.kit.is_silent(me, peer) {
            let wait = connect_backoff(tries);
            let next = if tries >= net::CONNECT_TRIES {
                Scheduled::Refused { pair, side, attempt, why: Hangup::Unreachable }
            } else {
                Scheduled::Knock { pair, side, attempt, tries: tries + 1 }
            };
            self.kit.wheel.push(self.kit.now + wait, next);
            return;
        }
        let back = self.kit.one_way(peer, me);
        if !self.kit.nodes[peer.index()].health.is_alive() {
            let refused = Scheduled::Refused { pair, side, attempt, why: Hangup::Refused };
            self.kit.wheel.push(self.kit.now + back, refused);
            return;
        }
        if peer_open {
            // It still holds a connection that this side has forgotten: that one ends first.
            self.hang_up(pair, 1 - side, epoch, Hangup::Reset);
        }
        let now = self.kit.now;
        let pair_state = &mut self.kit.net.pairs[pair as usize];
        pair_state.epoch += 1;
        for side in &mut pair_state.sides {
            *side = Side { state: side.state, ..Side::default() };
        }
        pair_state.sides[usize::from(1 - side)].state = SideState::Open;
        let epoch = pair_state.epoch;
        let due = now + back;
        // What the peer sends in answer must not overtake the handshake.
        pair_state.sides[usize::from(1 - side)].last_due = due;
        self.kit.wheel.push(due, Scheduled::Welcome { pair, side, epoch, attempt });
        self.happen(peer, Event::Connected(me));
    }

    fn welcome(&mut self, pair: u32, side: u8, epoch: u32, attempt: u32) {
        let state = &mut self.kit.net.pairs[pair as usize];
        let mine = &mut state.sides[usize::from(side)];
        if state.epoch == epoch && mine.state == SideState::Connecting(attempt) {
            mine.state = SideState::Open;
            let (me, peer) = (state.ends[usize::from(side)], state.ends[usize::from(1 - side)]);
            self.happen(me, Event::Connected(peer));
        }
    }

    fn hang_up(&mut self, pair: u32, side: u8, epoch: u32, why: Hangup) {
        let state = &mut self.kit.net.pairs[pair as usize];
        let mine = &mut state.sides[usize::from(side)];
        if state.epoch != epoch || mine.state != SideState::Open {
            return;
        }
        *mine = Side::default();
        let (me, peer) = (state.ends[usize::from(side)], state.ends[usize::from(1 - side)]);
        self.happen(me, Event::Disconnected(peer, why));
    }

    fn refuse(&mut self, pair: u32, side: u8, attempt: u32, why: Hangup) {
        let state = &mut self.kit.net.pairs[pair as usize];
        let mine = &mut state.sides[usize::from(side)];
        if mine.state != SideState::Connecting(attempt) {
            return;
        }
        mine.state = SideState::Closed;
        let (me, peer) = (state.ends[usize::from(side)], state.ends[usize::from(1 - side)]);
        self.happen(me, Event::Disconnected(peer, why));
    }
}

/// The wait after the how-many-th attempt to connect: 1 s, 2 s, 4 s …
fn connect_backoff(tries: u32) -> Nanos {
    net::CONNECT_RETRY.times(1 << tries.min(6))
}

impl<P: Process> Kit<P> {
    fn is_open(&self, from: NodeId, to: NodeId) -> bool {
        self.net.find(from, to).is_some_and(|pair| {
            let pair = &self.net.pairs[pair as usize];
            pair.sides[usize::from(pair.ends[1] == from)].state == SideState::Open
        })
    }

    /// Whether nothing that `from` sends comes through to `to`'s machine now.
    fn is_silent(&self, from: NodeId, to: NodeId) -> bool {
        self.net.is_cut(from, to) || self.nodes[to.index()].health == Health::PoweredOff
    }

    fn one_way(&mut self, from: NodeId, to: NodeId) -> Nanos {
        let slowest = |node: &Node| node.machine.slowness.network;
        let percent = slowest(&self.nodes[from.index()]).max(slowest(&self.nodes[to.index()]));
        self.net.latency(from, to, u64::from(percent))
    }

    fn connect(&mut self, me: NodeId, peer: NodeId) {
        let pair = self.net.pair(me, peer);
        let side = u8::from(self.net.pairs[pair as usize].ends[1] == me);
        if self.net.pairs[pair as usize].sides[usize::from(side)].state != SideState::Closed {
            return;
        }
        self.attempts += 1;
        let attempt = self.attempts;
        self.net.pairs[pair as usize].sides[usize::from(side)].state = SideState::Connecting(attempt);
        let due = self.now + self.one_way(me, peer);
        self.wheel.push(due, Scheduled::Knock { pair, side, attempt, tries: 0 });
    }

    fn disconnect(&mut self, me: NodeId, peer: NodeId) {
        if let Some(pair) = self.net.find(me, peer) {
            self.close_side(pair, me, Hangup::Closed, true);
        }
    }

    /// Closes `me`'s side and tells the other, after what was sent before.
    fn close_side(&mut self, pair: u32, me: NodeId, why: Hangup, tell: bool) {
        let state = &mut self.net.pairs[pair as usize];
        let side = u8::from(state.ends[1] == me);
        let peer = state.ends[usize::from(1 - side)];
        let was = std::mem::take(&mut state.sides[usize::from(side)]);
        let epoch = state.epoch;
        let peer_open = state.sides[usize::from(1 - side)].state == SideState::Open;
        let peer_waits = matches!(state.sides[usize::from(1 - side)].state, SideState::Connecting(_));
        if !peer_open || peer_waits || was.state == SideState::Closed || !tell {
            return;
        }
        if self.is_silent(me, peer) {
            self.net.pairs[pair as usize].sides[usize::from(1 - side)].hangup_owed = Some(why);
            return;
        }
        let due = (self.now + self.one_way(me, peer)).max(was.last_due);
        self.wheel.push(due, Scheduled::Hangup { pair, side: 1 - side, epoch, why });
    }

    /// All connections of a node end: told to the peers by its machine, or not at all.
    fn drop_connections(&mut self, node: NodeId, tell: bool) {
        let peers = self.net.peers[node.index()].clone();
        for (_, pair) in peers {
            self.close_side(pair, node, Hangup::Reset, tell);
        }
    }

    /// A machine is back: peers that sent into the silence get through, and learn that the connection is gone.
    fn revive_connections(&mut self, node: NodeId) {
        for (peer, _) in self.net.peers[node.index()].clone() {
            self.resume_sending(peer, node);
        }
    }

    fn resume_sending(&mut self, from: NodeId, to: NodeId) {
        let Some(pair) = self.net.find(from, to) else { return };
        let state = &mut self.net.pairs[pair as usize];
        let side = u8::from(state.ends[1] == from);
        let epoch = state.epoch;
        if let Some(why) = state.sides[usize::from(1 - side)].hangup_owed.take() {
            let due = self.now + net::RETRANSMIT_FIRST;
            self.wheel.push(due, Scheduled::Hangup { pair, side: 1 - side, epoch, why });
        }
        let mine = &mut state.sides[usize::from(side)];
        if let Some(first) = mine.stuck.front()
            && !mine.retransmitting
        {
            mine.retransmitting = true;
            let at = net::next_retransmission(first.since, self.now);
            self.wheel.push(at, Scheduled::Retransmit { pair, side, epoch });
        }
    }

    fn retransmit(&mut self, pair: u32, side: u8, epoch: u32) {
        let state = &mut self.net.pairs[pair as usize];
        if state.epoch != epoch {
            return;
        }
        let (me, peer) = (state.ends[usize::from(side)], state.ends[usize::from(1 - side)]);
        let peer_open = state.sides[usize::from(1 - side)].state == SideState::Open;
        state.sides[usize::from(side)].retransmitting = false;
        if self.is_silent(me, peer) {
            return;
        }
        if !peer_open {
            // The machine answers, but knows nothing of this connection: a reset.
            let due = self.now + self.one_way(me, peer) + self.one_way(peer, me);
            self.wheel.push(due, Scheduled::Hangup { pair, side, epoch, why: Hangup::Reset });
            return;
        }
        let stuck = std::mem::take(&mut self.net.pairs[pair as usize].sides[usize::from(side)].stuck);
        for segment in stuck {
            self.launch(pair, side, segment.message, segment.bytes, segment.look);
        }
    }

    fn send(&mut self, me: NodeId, peer: NodeId, message: P::Message, bytes: u32, look: Look) -> bool {
        let Some(pair) = self.net.find(me, peer) else { return false };
        let state = &mut self.net.pairs[pair as usize];
        let side = u8::from(state.ends[1] == me);
        let peer_open = state.sides[usize::from(1 - side)].state == SideState::Open;
        let mine = &mut state.sides[usize::from(side)];
        if mine.state != SideState::Open {
            return false;
        }
        let waiting = !mine.stuck.is_empty();
        if waiting || self.is_silent(me, peer) || !peer_open {
            let flight = Flight { from: me, to: peer, look, sent: self.now, due: self.now };
            let epoch = self.net.pairs[pair as usize].epoch;
            if !waiting && !self.is_silent(me, peer) {
                // Half open: the machine answers with a reset.
                let due = self.now + self.one_way(me, peer) + self.one_way(peer, me);
                self.wheel.push(due, Scheduled::Hangup { pair, side, epoch, why: Hangup::Reset });
            }
            self.net.wreck(flight, self.now);
            let stuck = Stuck { since: self.now, message, look, bytes };
            self.net.pairs[pair as usize].sides[usize::from(side)].stuck.push_back(stuck);
            return true;
        }
        self.launch(pair, side, message, bytes, look);
        true
    }

    fn launch(&mut self, pair: u32, side: u8, message: P::Message, bytes: u32, look: Look) {
        let state = &self.net.pairs[pair as usize];
        let (from, to, epoch) = (state.ends[usize::from(side)], state.ends[usize::from(1 - side)], state.epoch);
        let rate = self.net.link(from, to).bytes_per_second;
        let card = self.nodes[from.index()].machine.profile().network_bytes_per_second;
        let rate = if rate == 0 || (card != 0 && card < rate) { card } else { rate };
        let latency = self.one_way(from, to);
        let mine = &mut self.net.pairs[pair as usize].sides[usize::from(side)];
        let depart = self.now.max(mine.free_at) + Nanos::to_move(u64::from(bytes), rate);
        mine.free_at = depart;
        let due = (depart + latency).max(mine.last_due);
        mine.last_due = due;
        let flight = self.net.take_off(Flight { from, to, look, sent: self.now, due });
        self.wheel.push(due, Scheduled::Deliver { pair, side, epoch, flight, bytes, message });
    }
}

/// What a process can do in answer to an event.
#[derive(Debug)]
pub struct Effects<'a, P: Process> {
    kit: &'a mut Kit<P>,
    me: NodeId,
    exiting: bool,
}

impl<P: Process> Effects<'_, P> {
    /// Which node this process is.
    #[must_use]
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// The time of the event.
    #[must_use]
    pub fn now(&self) -> Time {
        self.kit.now
    }

    /// The dice of this process.
    pub fn dice(&mut self) -> &mut Dice {
        &mut self.kit.nodes[self.me.index()].dice
    }

    /// Remembers something for later.
    pub fn wake_at(&mut self, at: Time, wake: P::Wake) -> Alarm {
        let life = self.kit.nodes[self.me.index()].life;
        self.kit.wheel.push(at, Scheduled::Wake { node: self.me, life, wake })
    }

    /// Remembers something for after a while.
    pub fn wake_in(&mut self, wait: Nanos, wake: P::Wake) -> Alarm {
        self.wake_at(self.kit.now + wait, wake)
    }

    /// Forgets what was to be remembered. Harmless if it has come already.
    pub fn cancel(&mut self, alarm: Alarm) {
        self.kit.wheel.cancel(alarm);
    }

    /// Does `cost` of work on a core; `wake` comes when it is done. A lane does one thing at a time, in order.
    pub fn work(&mut self, lane: u16, cost: Nanos, wake: P::Wake) {
        let end = self.kit.nodes[self.me.index()].machine.book_work(self.kit.now, lane, cost);
        self.wake_at(end, wake);
    }

    /// When the work booked on a lane will be done; in the past if it is idle.
    #[must_use]
    pub fn lane_free(&self, lane: u16) -> Time {
        self.kit.nodes[self.me.index()].machine.lane_free(lane)
    }

    /// Writes bytes to the page cache.
    pub fn write(&mut self, bytes: u64) {
        self.kit.nodes[self.me.index()].machine.write(bytes);
    }

    /// Flushes `bytes` of what was written (fsync); `wake` comes when they are on the disk.
    pub fn flush(&mut self, bytes: u64, wake: P::Wake) {
        let end = self.kit.nodes[self.me.index()].machine.book_flush(self.kit.now, bytes);
        self.wake_at(end, wake);
    }

    /// Opens a connection; [`Event::Connected`] or [`Event::Disconnected`] follows. Nothing happens if one is open.
    pub fn connect(&mut self, peer: NodeId) {
        self.kit.connect(self.me, peer);
    }

    /// Closes the connection, or gives up opening it. The peer learns of it; this process gets no event.
    pub fn disconnect(&mut self, peer: NodeId) {
        self.kit.disconnect(self.me, peer);
    }

    /// Whether this process sees an open connection to `peer`. It may be dead without knowing.
    #[must_use]
    pub fn is_connected(&self, peer: NodeId) -> bool {
        self.kit.is_open(self.me, peer)
    }

    /// Sends a message over the open connection. False if there is none: then nothing was sent.
    pub fn send(&mut self, peer: NodeId, message: P::Message, bytes: u32, look: Look) -> bool {
        self.kit.send(self.me, peer, message, bytes, look)
    }

    /// Tells the observers something.
    pub fn note(&mut self, note: Note) {
        self.kit.notes.push((self.kit.now, self.me, note));
    }

    /// Tells the observers of something that belongs on the time line.
    pub fn mark(
        &mut self,
        kind: crate::story::MarkKind,
        code: &'static str,
        values: Vec<String>,
        rule: crate::story::Rule,
    ) {
        let mark = Mark { at: self.kit.now, kind, node: self.me, code, values, rule };
        self.note(Note::Mark(mark));
    }

    /// Ends this process in good order, after this event. Connections are closed.
    pub fn exit(&mut self) {
        self.exiting = true;
    }
}
