//! Benchmarks of the kernel: the same code runs natively (`npm run bench`) and, as WebAssembly, in Chromium.
//! The caller measures wall time; nothing here knows a clock.

pub mod logs;
pub mod queues;

use queues::Passed;
use sim::{Dice, Nanos, Time, Wheel};
use std::collections::VecDeque;

/// A cluster under a load, ready to be played.
#[derive(Clone, Debug)]
pub enum Ready {
    /// Of queues.
    Queues(queues::Ready),
    /// Of logs.
    Logs(logs::Ready),
}

impl Ready {
    /// Opens a load by its name, such as `quorum` or `steady`, with so many messages in all.
    ///
    /// # Errors
    /// A sentence, if there is no such load.
    pub fn open(name: &str, messages: u32) -> Result<Ready, String> {
        let queues = queues::Load::named(name).map(|load| Ready::Queues(queues::open(load, messages)));
        let logs = || logs::Load::named(name).map(|load| Ready::Logs(logs::open(load, messages)));
        queues.or_else(logs).ok_or_else(|| format!("{name}: no such load"))
    }

    /// Plays it to its end.
    pub fn play(&mut self) -> Passed {
        match self {
            Ready::Queues(ready) => queues::play(ready),
            Ready::Logs(ready) => logs::play(ready),
        }
    }
}

/// What a run of the M/M/1 queue gave.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Mm1 {
    /// Events played: two a customer.
    pub events: u64,
    /// The mean time in the system, in thousandths of the mean service time; theory says 10,000.
    pub mean_stay_milli: u64,
}

#[derive(Copy, Clone)]
enum Event {
    Arrive,
    Depart,
}

/// One server, exponential arrivals at 0.9 and services at 1.0, first come first served.
#[must_use]
pub fn mm1(seed: u64, customers: u64) -> Mm1 {
    const SERVICE: Nanos = Nanos::millis(1);
    const GAP: Nanos = Nanos(SERVICE.0 * 10 / 9);
    let mut arrivals = Dice::named(seed, "arrivals", &[]);
    let mut services = Dice::named(seed, "services", &[]);
    let mut wheel = Wheel::default();
    let mut waiting: VecDeque<Time> = VecDeque::new();
    let (mut arrived, mut departed, mut stay) = (0u64, 0u64, 0u128);
    wheel.push(Time::ZERO + arrivals.exponential(GAP), Event::Arrive);
    while let Some((now, event)) = wheel.pop() {
        match event {
            Event::Arrive => {
                arrived += 1;
                if arrived < customers {
                    wheel.push(now + arrivals.exponential(GAP), Event::Arrive);
                }
                waiting.push_back(now);
                if waiting.len() == 1 {
                    wheel.push(now + services.exponential(SERVICE), Event::Depart);
                }
            }
            Event::Depart => {
                if let Some(since) = waiting.pop_front() {
                    stay += u128::from(now.since(since).0);
                    departed += 1;
                }
                if !waiting.is_empty() {
                    wheel.push(now + services.exponential(SERVICE), Event::Depart);
                }
            }
        }
    }
    let mean = stay / u128::from(departed.max(1));
    Mm1 { events: arrived + departed, mean_stay_milli: (mean * 1_000 / u128::from(SERVICE.0)) as u64 }
}

/// The hold model: `pending` events wait; each pop pushes one, 95 % exponential around 100 µs and 5 % at 30 s, as
/// broker timers are. Answers a sum over the times, so that nothing is optimised away.
#[must_use]
pub fn hold(seed: u64, pending: u64, holds: u64) -> u64 {
    let mut dice = Dice::named(seed, "hold", &[]);
    let mut wheel = Wheel::default();
    // Increments are drawn before, so that the wheel is measured and not the logarithm.
    let far = |dice: &mut Dice| {
        if dice.chance(5, 100) { Nanos::secs(30) } else { dice.exponential(Nanos::micros(100)) }
    };
    let increments: Vec<Nanos> = (0..8_192).map(|_| far(&mut dice)).collect();
    for n in 0..pending {
        wheel.push(Time::ZERO + increments[n as usize % 8_192], n);
    }
    let mut sum = 0u64;
    for n in 0..holds {
        if let Some((now, event)) = wheel.pop() {
            sum = sum.wrapping_mul(31).wrapping_add(now.0 ^ event);
            wheel.push(now + increments[n as usize % 8_192], event);
        }
    }
    sum
}

/// What playing a document came to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Events played.
    pub events: u64,
    /// The digest of the whole run.
    pub digest: u64,
}

/// Plays an opened document to its end, as one call of the page's engine does.
pub fn play(player: &mut player::Player) -> Played {
    let end = player.end();
    let progress = player.advance(end, u64::from(u32::MAX));
    Played { events: progress.events, digest: player.digest() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_behaves_as_theory_says() {
        let run = mm1(1, 400_000);
        assert_eq!(run.events, 800_000);
        assert!((9_000..11_000).contains(&run.mean_stay_milli), "{}", run.mean_stay_milli);
    }

    #[test]
    fn the_hold_model_is_the_same_every_time() {
        assert_eq!(hold(1, 256, 10_000), hold(1, 256, 10_000));
    }
}
