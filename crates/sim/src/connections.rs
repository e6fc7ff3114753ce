//! Connections at work: what happens to segments, handshakes, resets and retransmissions on their way.

use crate::Nanos;
use crate::net::{self, Flight, Hangup, Pair, Sent, Side, SideState, Stuck};
use crate::story::Look;
use crate::world::{Event, Health, Kit, Node, NodeId, Process, Scheduled, World};

impl<P: Process> World<P> {
    pub(crate) fn deliver(&mut self, pair: u32, side: u8, epoch: u32, flight: u32, bytes: u32, message: P::Message) {
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

    pub(crate) fn knock(&mut self, pair: u32, side: u8, attempt: u32, tries: u32) {
        let Pair { ends, ref sides, epoch } = self.kit.net.pairs[pair as usize];
        let (me, peer) = (ends[usize::from(side)], ends[usize::from(1 - side)]);
        let peer_open = sides[usize::from(1 - side)].state == SideState::Open;
        if sides[usize::from(side)].state != SideState::Connecting(attempt) {
            return;
        }
        // What the peer's machine answers has to come through, too.
        if self.kit.is_silent(me, peer) || self.kit.net.is_cut(peer, me) {
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

    pub(crate) fn welcome(&mut self, pair: u32, side: u8, epoch: u32, attempt: u32) {
        let state = &mut self.kit.net.pairs[pair as usize];
        let mine = &mut state.sides[usize::from(side)];
        if state.epoch == epoch && mine.state == SideState::Connecting(attempt) {
            mine.state = SideState::Open;
            let (me, peer) = (state.ends[usize::from(side)], state.ends[usize::from(1 - side)]);
            self.happen(me, Event::Connected(peer));
        }
    }

    pub(crate) fn hang_up(&mut self, pair: u32, side: u8, epoch: u32, why: Hangup) {
        let state = &mut self.kit.net.pairs[pair as usize];
        let mine = &mut state.sides[usize::from(side)];
        if state.epoch != epoch || mine.state != SideState::Open {
            return;
        }
        *mine = Side::default();
        let (me, peer) = (state.ends[usize::from(side)], state.ends[usize::from(1 - side)]);
        self.happen(me, Event::Disconnected(peer, why));
    }

    pub(crate) fn refuse(&mut self, pair: u32, side: u8, attempt: u32, why: Hangup) {
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

/// The wait after the how-many-th attempt to connect: five times 1 s, then 2 s, 4 s …
fn connect_backoff(tries: u32) -> Nanos {
    net::CONNECT_RETRY.times(1 << tries.saturating_sub(net::CONNECT_LINEAR).min(6))
}

impl<P: Process> Kit<P> {
    pub(crate) fn is_open(&self, from: NodeId, to: NodeId) -> bool {
        self.net.find(from, to).is_some_and(|pair| {
            let pair = &self.net.pairs[pair as usize];
            pair.sides[usize::from(pair.ends[1] == from)].state == SideState::Open
        })
    }

    /// Whether nothing that `from` sends comes through to `to`'s machine now.
    pub(crate) fn is_silent(&self, from: NodeId, to: NodeId) -> bool {
        self.net.is_cut(from, to) || self.nodes[to.index()].health == Health::PoweredOff
    }

    pub(crate) fn one_way(&mut self, from: NodeId, to: NodeId) -> Nanos {
        let slowest = |node: &Node| node.machine.slowness.network;
        let percent = slowest(&self.nodes[from.index()]).max(slowest(&self.nodes[to.index()]));
        self.net.latency(from, to, u64::from(percent))
    }

    pub(crate) fn connect(&mut self, me: NodeId, peer: NodeId) {
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

    pub(crate) fn disconnect(&mut self, me: NodeId, peer: NodeId) {
        if let Some(pair) = self.net.find(me, peer) {
            self.close_side(pair, me, Hangup::Closed, true);
        }
    }

    /// Closes `me`'s side and tells the other, after what was sent before.
    pub(crate) fn close_side(&mut self, pair: u32, me: NodeId, why: Hangup, tell: bool) {
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
    pub(crate) fn drop_connections(&mut self, node: NodeId, tell: Option<Hangup>) {
        let peers = self.net.peers[node.index()].clone();
        for (_, pair) in peers {
            self.close_side(pair, node, tell.unwrap_or(Hangup::Reset), tell.is_some());
        }
    }

    /// A machine is back: peers that sent into the silence get through, and learn that the connection is gone.
    pub(crate) fn revive_connections(&mut self, node: NodeId) {
        for (peer, _) in self.net.peers[node.index()].clone() {
            self.resume_sending(peer, node);
        }
    }

    pub(crate) fn resume_sending(&mut self, from: NodeId, to: NodeId) {
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

    pub(crate) fn retransmit(&mut self, pair: u32, side: u8, epoch: u32) {
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
        if !peer_open && self.net.is_cut(peer, me) {
            // The reset gets lost; it is owed.
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

    pub(crate) fn send(&mut self, me: NodeId, peer: NodeId, message: P::Message, bytes: u32, look: Look) -> bool {
        let Some(pair) = self.net.find(me, peer) else { return false };
        let state = &mut self.net.pairs[pair as usize];
        let side = u8::from(state.ends[1] == me);
        // A peer in the middle of the handshake will have finished it by the time this arrives.
        let peer_open = state.sides[usize::from(1 - side)].state != SideState::Closed;
        let mine = &mut state.sides[usize::from(side)];
        if mine.state != SideState::Open {
            return false;
        }
        let waiting = !mine.stuck.is_empty();
        if waiting || self.is_silent(me, peer) || !peer_open {
            let flight = Flight { from: me, to: peer, look, sent: self.now, due: self.now };
            let epoch = self.net.pairs[pair as usize].epoch;
            if !waiting && !self.is_silent(me, peer) && !self.net.is_cut(peer, me) {
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

    pub(crate) fn launch(&mut self, pair: u32, side: u8, message: P::Message, bytes: u32, look: Look) {
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
        let flight = Flight { from, to, look, sent: self.now, due };
        if let Some(journal) = &mut self.journal {
            journal.push(Sent { flight, message: message.clone() });
        }
        let flight = self.net.take_off(flight);
        self.wheel.push(due, Scheduled::Deliver { pair, side, epoch, flight, bytes, message });
    }
}
