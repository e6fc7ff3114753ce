//! Keeping connections: one attempt at a time to each peer, with a backoff that doubles.

use crate::cluster::Node;
use crate::rpc::Wake;
use sim::{Alarm, Dice, Effects, Nanos, NodeId, Time};
use std::collections::BTreeMap;

/// How long one attempt may take (Kafka: socket.connection.setup.timeout.ms, 10 s); it doubles with each that did.
const SETUP: Nanos = Nanos::secs(10);
/// How long it may take at most (Kafka: socket.connection.setup.timeout.max.ms, 30 s).
const SETUP_MOST: Nanos = Nanos::secs(30);

/// What the alarm of a peer is for.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
enum Phase {
    /// The least that an attempt may take.
    #[default]
    Dialing,
    /// What chance adds to it.
    Lingering,
    /// The next attempt waits.
    Resting,
}

#[derive(Clone, Debug, Default)]
struct Dial {
    failures: u32,
    /// How many attempts have met with silence.
    silent: u32,
    phase: Phase,
    alarm: Option<Alarm>,
    /// No attempt before.
    until: Time,
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

    /// Sees to it that a connection is open, or an attempt under way or to come.
    pub fn want(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        let dial = self.dials.get(&peer);
        if fx.is_connected(NodeId(peer)) || dial.is_some_and(|dial| dial.alarm.is_some()) {
            return;
        }
        match dial.map(|dial| dial.until).filter(|until| *until > fx.now()) {
            Some(until) => {
                let alarm = fx.wake_at(until, (self.wake)(peer));
                self.set(peer, Phase::Resting, alarm, fx);
            }
            None => self.dial(peer, fx),
        }
    }

    fn set(&mut self, peer: u16, phase: Phase, alarm: Alarm, fx: &mut Effects<'_, Node>) {
        let dial = self.dials.entry(peer).or_default();
        dial.phase = phase;
        if let Some(old) = dial.alarm.replace(alarm) {
            fx.cancel(old);
        }
    }

    fn dial(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        fx.connect(NodeId(peer));
        let silent = self.dials.get(&peer).map_or(0, |dial| dial.silent);
        let alarm = fx.wake_in(setup(silent).percent(80), (self.wake)(peer));
        self.set(peer, Phase::Dialing, alarm, fx);
    }

    /// Whether the last attempt failed and the next one waits.
    pub fn is_backing_off(&self, peer: u16) -> bool {
        self.dials.get(&peer).is_some_and(|dial| dial.failures > 0)
    }

    /// The timer ran: the backoff is over, or the attempt took too long.
    pub fn woke(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        let dial = self.dials.entry(peer).or_default();
        dial.alarm = None;
        if fx.is_connected(NodeId(peer)) {
            return;
        }
        match dial.phase {
            Phase::Resting => self.dial(peer, fx),
            Phase::Dialing => {
                let more = fx.dice().between(Nanos::ZERO, setup(dial.silent).percent(40));
                let alarm = fx.wake_in(more, (self.wake)(peer));
                self.set(peer, Phase::Lingering, alarm, fx);
            }
            Phase::Lingering => {
                dial.silent += 1;
                fx.disconnect(NodeId(peer));
                self.lost(peer, fx);
            }
        }
    }

    /// Whether the attempt has taken as long as it may.
    pub fn gives_up(&self, peer: u16) -> bool {
        self.dials.get(&peer).is_some_and(|dial| dial.phase == Phase::Lingering)
    }

    /// The attempt goes on until then.
    pub fn postpone(&mut self, peer: u16, at: Time, fx: &mut Effects<'_, Node>) {
        let alarm = fx.wake_at(at, (self.wake)(peer));
        self.set(peer, Phase::Lingering, alarm, fx);
    }

    pub fn connected(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        if let Some(Dial { alarm: Some(alarm), .. }) = self.dials.insert(peer, Dial::default()) {
            fx.cancel(alarm);
        }
    }

    /// The connection is gone, or the attempt failed. Calls again after a while.
    pub fn lost(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        let until = self.rest(peer, fx);
        let alarm = fx.wake_at(until, (self.wake)(peer));
        self.set(peer, Phase::Resting, alarm, fx);
    }

    /// The connection is gone, or the attempt failed. Calls again when it is wanted, and not before a while.
    pub fn left(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        self.rest(peer, fx);
        if let Some(alarm) = self.dials.get_mut(&peer).and_then(|dial| dial.alarm.take()) {
            fx.cancel(alarm);
        }
    }

    /// How long the peer is left alone.
    fn rest(&mut self, peer: u16, fx: &mut Effects<'_, Node>) -> Time {
        let (first, most) = (self.first, self.most);
        let dial = self.dials.entry(peer).or_default();
        dial.until = fx.now() + backoff(first, most, dial.failures, fx);
        dial.failures += 1;
        dial.until
    }

    /// Gives a peer up.
    pub fn forget(&mut self, peer: u16, fx: &mut Effects<'_, Node>) {
        if let Some(Dial { alarm: Some(alarm), .. }) = self.dials.remove(&peer) {
            fx.cancel(alarm);
        }
        fx.disconnect(NodeId(peer));
    }
}

/// How long an attempt may take after so many that met with silence, give or take a fifth.
fn setup(silent: u32) -> Nanos {
    Nanos((SETUP.0 << silent.min(2)).min(SETUP_MOST.0))
}

/// a wait that doubles with each failure, spread by a fifth either way, up to a limit; where the limit is not above
/// the first wait, that limit (ExponentialBackoff.java).
pub(crate) fn backoff(first: Nanos, most: Nanos, failures: u32, fx: &mut Effects<'_, Node>) -> Nanos {
    drawn(first, most, failures, fx.dice())
}

fn drawn(first: Nanos, most: Nanos, failures: u32, dice: &mut Dice) -> Nanos {
    if most <= first {
        return most;
    }
    let wait = Nanos(first.0.saturating_mul(1 << failures.min(20)).min(most.0));
    let jitter = Nanos(wait.0 / 5);
    dice.between(wait - jitter, wait + jitter).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Nanos = Nanos::millis(100);
    const MOST: Nanos = Nanos::secs(1);

    fn waits(seed: u64, failures: u32) -> Vec<Nanos> {
        let mut dice = Dice::named(seed, "node", &[1]);
        (0..2_000).map(|_| drawn(FIRST, MOST, failures, &mut dice)).collect()
    }

    #[test]
    fn x_5_a_backoff_doubles_and_is_spread_by_a_fifth_either_way() {
        for (failures, low, high) in [(0, 80, 120), (1, 160, 240), (2, 320, 480), (3, 640, 960), (4, 800, 1_000)] {
            let waits = waits(7, failures);
            let (least, most) = (*waits.iter().min().unwrap(), *waits.iter().max().unwrap());
            assert!(least >= Nanos::millis(low) && most <= Nanos::millis(high), "{failures}: {least:?} {most:?}");
            // All of the range is drawn from, and evenly.
            let span = most.0 - least.0;
            assert!(span > Nanos::millis(high - low).0 * 99 / 100, "{failures}: {least:?} {most:?}");
            let lower = waits.iter().filter(|wait| wait.0 < least.0 + span / 2).count();
            assert!((900..1_100).contains(&lower) || failures == 4, "{failures}: {lower} in the lower half");
        }
        // At the limit nothing is drawn above it: half of the waits are as long as may be.
        let full = waits(7, 9).into_iter().filter(|wait| *wait == MOST).count();
        assert!((900..1_100).contains(&full), "{full}");
        assert!(waits(7, 40).iter().all(|wait| (Nanos::millis(800)..=MOST).contains(wait)), "however often it failed");
    }

    #[test]
    fn x_5_a_backoff_is_the_same_for_the_same_seed() {
        assert_eq!(waits(7, 1), waits(7, 1));
        assert_ne!(waits(7, 1), waits(8, 1));
    }

    #[test]
    fn x_5_a_limit_that_is_not_above_the_first_wait_is_the_wait() {
        let mut dice = Dice::named(7, "node", &[1]);
        let next = dice.clone().next_u64();
        assert_eq!(drawn(FIRST, Nanos::millis(100), 3, &mut dice), Nanos::millis(100));
        assert_eq!(drawn(FIRST, Nanos::millis(30), 0, &mut dice), Nanos::millis(30));
        assert_eq!(dice.next_u64(), next, "and nothing is drawn");
    }
}
