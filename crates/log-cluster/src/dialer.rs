//! Keeping connections: one attempt at a time to each peer, with a backoff that doubles.

use crate::cluster::Node;
use crate::rpc::Wake;
use sim::{Alarm, Effects, Nanos, NodeId};
use std::collections::BTreeMap;

/// How long one attempt may take (Kafka: socket.connection.setup.timeout.ms, 10 s).
const SETUP: Nanos = Nanos::secs(10);

#[derive(Clone, Debug, Default)]
struct Dial {
    failures: u32,
    alarm: Option<Alarm>,
}

/// Who is being called, and when to call again.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    dials: BTreeMap<u16, Dial>,
    first: Nanos,
    most: Nanos,
    wake: fn(u16) -> Wake,
}

impl Dialer {
    pub fn new(first: Nanos, most: Nanos, wake: fn(u16) -> Wake) -> Dialer {
        Dialer { dials: BTreeMap::new(), first, most, wake }
    }

    /// Sees to it that a connection is open, or an attempt under way.
    pub fn want(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        if fx.is_connected(NodeId(peer)) || self.dials.get(&peer).is_some_and(|dial| dial.alarm.is_some()) {
            return;
        }
        self.dial(peer, fx);
    }

    fn dial(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        fx.connect(NodeId(peer));
        let alarm = fx.wake_in(SETUP, (self.wake)(peer));
        if let Some(old) = self.dials.entry(peer).or_default().alarm.replace(alarm) {
            fx.cancel(old);
        }
    }

    /// Whether the last attempt failed and the next one waits.
    pub fn is_backing_off(&self, peer: u16) -> bool {
        self.dials.get(&peer).is_some_and(|dial| dial.failures > 0)
    }

    /// The timer ran: the backoff is over, or the attempt took too long.
    pub fn woke(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        self.dials.entry(peer).or_default().alarm = None;
        if !fx.is_connected(NodeId(peer)) {
            fx.disconnect(NodeId(peer));
            self.dial(peer, fx);
        }
    }

    pub fn connected(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        if let Some(Dial { alarm: Some(alarm), .. }) = self.dials.insert(peer, Dial::default()) {
            fx.cancel(alarm);
        }
    }

    /// The connection is gone, or the attempt failed. Calls again after a while.
    pub fn lost(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        let (first, most) = (self.first, self.most);
        let dial = self.dials.entry(peer).or_default();
        let wait = backoff(first, most, dial.failures, fx);
        dial.failures += 1;
        if let Some(old) = dial.alarm.replace(fx.wake_in(wait, (self.wake)(peer))) {
            fx.cancel(old);
        }
    }

    /// Gives a peer up.
    pub fn forget(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        if let Some(Dial { alarm: Some(alarm), .. }) = self.dials.remove(&peer) {
            fx.cancel(alarm);
        }
        fx.disconnect(NodeId(peer));
    }
}

/// a wait that doubles with each failure up to a limit, spread by a fifth either way.
pub(crate) fn backoff(first: Nanos, most: Nanos, failures: u32, fx: &mut Effects<'_, Node>) -> Nanos {
    let wait = Nanos(first.0.saturating_mul(1 << failures.min(20)).min(most.0.max(first.0)));
    let jitter = Nanos(wait.0 / 5);
    fx.dice().between(wait - jitter, wait + jitter)
}
