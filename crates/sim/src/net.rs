//! The network as brokers see it: links with latency, bandwidth, loss and cuts, and TCP connections over them.
//!
//! TCP is modelled by what it shows to a process: bytes arrive in order or the connection breaks. It breaks at once
//! when the other process dies while its machine lives (reset), and stays silent when the machine or the link does
//! . What is sent into silence is sent again with exponential backoff and arrives after the link has healed.

use crate::story::Look;
use crate::{Dice, Nanos, NodeId, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How long one packet takes, one way.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Always the same.
    Constant(Nanos),
    /// Evenly spread, both ends included.
    Uniform(Nanos, Nanos),
    /// A floor, and on top an exponential with this mean.
    Exponential {
        /// The least.
        floor: Nanos,
        /// The mean of what is on top.
        mean: Nanos,
    },
}

impl Latency {
    fn sample(self, dice: &mut Dice) -> Nanos {
        match self {
            Latency::Constant(d) => d,
            Latency::Uniform(low, high) => dice.between(low, high),
            Latency::Exponential { floor, mean } => floor + dice.exponential(mean),
        }
    }

    /// The mean.
    #[must_use]
    pub fn mean(self) -> Nanos {
        match self {
            Latency::Constant(d) => d,
            Latency::Uniform(low, high) => Nanos((low.0 + high.0) / 2),
            Latency::Exponential { floor, mean } => floor + mean,
        }
    }
}

/// What a link is like, in one direction.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct LinkProfile {
    /// One way.
    pub latency: Latency,
    /// Bytes a second; 0 for unlimited.
    pub bytes_per_second: u64,
    /// Packets lost in a million. TCP sends them again, so a loss shows as a delay of what follows too.
    pub loss_per_million: u32,
}

impl Default for LinkProfile {
    /// Assumed: half a millisecond within a zone, 10 Gbit/s, no loss.
    fn default() -> Self {
        LinkProfile {
            latency: Latency::Constant(Nanos::micros(500)),
            bytes_per_second: 1_250_000_000,
            loss_per_million: 0,
        }
    }
}

/// Why a connection ended, as one side sees it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// The other side closed it.
    Closed,
    /// The other process died, or its machine came back without knowing this connection.
    Reset,
    /// Nothing listens there.
    Refused,
    /// No answer for as long as TCP tries.
    Unreachable,
}

/// The first wait before a lost segment is sent again (Linux: TCP_RTO_MIN, 200 ms); it doubles from there.
pub const RETRANSMIT_FIRST: Nanos = Nanos::millis(200);
/// The longest wait between two tries (Linux: TCP_RTO_MAX, 120 s).
pub const RETRANSMIT_MAX: Nanos = Nanos::secs(120);
/// The first wait before a connection attempt is tried again.
pub const CONNECT_RETRY: Nanos = Nanos::secs(1);
/// How often the wait is the same before it doubles (Linux since 6.5: tcp_syn_linear_timeouts = 4).
pub const CONNECT_LINEAR: u32 = 4;
/// How many times a connection attempt is repeated (Linux: tcp_syn_retries = 6, and those of the same wait).
pub const CONNECT_TRIES: u32 = 6 + CONNECT_LINEAR;

/// One side's view of a connection.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum SideState {
    #[default]
    Closed,
    Connecting(u32),
    Open,
}

/// A segment that could not get through and waits to be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Stuck<M> {
    pub since: Time,
    pub message: M,
    pub look: Look,
    pub bytes: u32,
}

/// One side of a connection: its state, and what it sends.
#[derive(Clone, Debug)]
pub(crate) struct Side<M> {
    pub state: SideState,
    pub free_at: Time,
    pub last_due: Time,
    pub stuck: VecDeque<Stuck<M>>,
    pub retransmitting: bool,
    /// The other side is gone and could not be told yet.
    pub hangup_owed: Option<Hangup>,
}

impl<M> Default for Side<M> {
    fn default() -> Self {
        Side {
            state: SideState::Closed,
            free_at: Time::ZERO,
            last_due: Time::ZERO,
            stuck: VecDeque::new(),
            retransmitting: false,
            hangup_owed: None,
        }
    }
}

/// The connection between two processes; side 0 is the one with the lower id.
#[derive(Clone, Debug)]
pub(crate) struct Pair<M> {
    pub ends: [NodeId; 2],
    pub epoch: u32,
    pub sides: [Side<M>; 2],
}

/// Something in flight: what a painter needs of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// From where.
    pub from: NodeId,
    /// To where.
    pub to: NodeId,
    /// What it looks like.
    pub look: Look,
    /// When it left.
    pub sent: Time,
    /// When it arrives.
    pub due: Time,
}

/// Something that was sent, with what it says.
#[derive(Clone, Debug)]
pub struct Sent<M> {
    /// What a painter needs of it.
    pub flight: Flight,
    /// The message.
    pub message: M,
}

/// Something that was lost on its way, and where it stopped.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Wreck {
    /// What flew.
    pub flight: Flight,
    /// When it was lost.
    pub at: Time,
}

/// How many wrecks are remembered: enough to show what was just lost.
const WRECKS: usize = 128;

/// All links and connections of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Network<M> {
    seed: u64,
    pub profile: BTreeMap<(NodeId, NodeId), LinkProfile>,
    pub default_profile: LinkProfile,
    /// What makes a link worse than its profile: more delay, and more loss in millionths.
    pub worse: BTreeMap<(NodeId, NodeId), (Nanos, u32)>,
    pub cuts: BTreeSet<(NodeId, NodeId)>,
    pub pairs: Vec<Pair<M>>,
    /// For each node its connections: (peer, pair), by peer.
    pub peers: Vec<Vec<(NodeId, u32)>>,
    dice: BTreeMap<(NodeId, NodeId), Dice>,
    pub flights: Vec<Option<Flight>>,
    free_flights: Vec<u32>,
    pub wrecks: VecDeque<Wreck>,
}

impl<M> Network<M> {
    pub fn new(seed: u64, nodes: usize, default_profile: LinkProfile) -> Self {
        Network {
            seed,
            profile: BTreeMap::new(),
            default_profile,
            worse: BTreeMap::new(),
            cuts: BTreeSet::new(),
            pairs: Vec::new(),
            peers: vec![Vec::new(); nodes],
            dice: BTreeMap::new(),
            flights: Vec::new(),
            free_flights: Vec::new(),
            wrecks: VecDeque::new(),
        }
    }

    pub fn link(&self, from: NodeId, to: NodeId) -> LinkProfile {
        if self.profile.is_empty() {
            return self.default_profile;
        }
        self.profile.get(&(from, to)).copied().unwrap_or(self.default_profile)
    }

    pub fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        !self.cuts.is_empty() && self.cuts.contains(&(from, to))
    }

    /// The pair of two nodes, made at need.
    pub fn pair(&mut self, a: NodeId, b: NodeId) -> u32 {
        match self.peers[a.index()].binary_search_by_key(&b, |(peer, _)| *peer) {
            Ok(found) => self.peers[a.index()][found].1,
            Err(place_a) => {
                let pair = self.pairs.len() as u32;
                self.pairs.push(Pair {
                    ends: [a.min(b), a.max(b)],
                    epoch: 0,
                    sides: [Side::default(), Side::default()],
                });
                self.peers[a.index()].insert(place_a, (b, pair));
                let place_b = self.peers[b.index()].partition_point(|(peer, _)| *peer < a);
                self.peers[b.index()].insert(place_b, (a, pair));
                pair
            }
        }
    }

    pub fn find(&self, a: NodeId, b: NodeId) -> Option<u32> {
        let peers = self.peers.get(a.index())?;
        peers.binary_search_by_key(&b, |(peer, _)| *peer).ok().map(|found| peers[found].1)
    }

    /// One way over the link now, slowness of either machine included.
    pub fn latency(&mut self, from: NodeId, to: NodeId, percent: u64) -> Nanos {
        let mut profile = self.link(from, to);
        let (more, loss) = self.worse.get(&(from, to)).copied().unwrap_or_default();
        profile.loss_per_million = profile.loss_per_million.saturating_add(loss).min(999_999);
        let delay = match profile.latency {
            Latency::Constant(d) if profile.loss_per_million == 0 => d,
            latency => {
                let seed = self.seed;
                let dice = self
                    .dice
                    .entry((from, to))
                    .or_insert_with(|| Dice::named(seed, "link", &[u64::from(from.0), u64::from(to.0)]));
                let mut delay = latency.sample(dice);
                let mut wait = RETRANSMIT_FIRST;
                while dice.chance(u64::from(profile.loss_per_million), 1_000_000) && wait <= RETRANSMIT_MAX {
                    delay += wait;
                    wait = wait.times(2);
                }
                delay
            }
        };
        let delay = delay + more;
        if percent == 100 { delay } else { delay.percent(percent) }
    }

    pub fn take_off(&mut self, flight: Flight) -> u32 {
        if let Some(index) = self.free_flights.pop() {
            self.flights[index as usize] = Some(flight);
            index
        } else {
            self.flights.push(Some(flight));
            (self.flights.len() - 1) as u32
        }
    }

    pub fn land(&mut self, index: u32) -> Option<Flight> {
        let flight = self.flights[index as usize].take();
        self.free_flights.push(index);
        flight
    }

    pub fn wreck(&mut self, flight: Flight, at: Time) {
        if self.wrecks.len() == WRECKS {
            self.wrecks.pop_front();
        }
        self.wrecks.push_back(Wreck { flight, at });
    }
}

/// When a segment first sent at `since` is next sent again, at or after `now`.
pub(crate) fn next_retransmission(since: Time, now: Time) -> Time {
    let (mut at, mut wait) = (since + RETRANSMIT_FIRST, RETRANSMIT_FIRST);
    while at < now {
        wait = Nanos(wait.0.saturating_mul(2).min(RETRANSMIT_MAX.0));
        at += wait;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retransmissions_back_off_by_doubling() {
        let at =
            |since: u64, now: u64| next_retransmission(Time(since * 1_000_000), Time(now * 1_000_000)).0 / 1_000_000;
        assert_eq!([at(0, 0), at(0, 200), at(0, 201), at(0, 601), at(0, 1401)], [200, 200, 600, 1400, 3000]);
    }
}
