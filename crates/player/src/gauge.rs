//! How a cluster stands, in a few numbers, and how long messages took, for charts.

use sim::Nanos;

/// How a cluster stands at one moment.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauge {
    /// Messages that consumers hold and have not finished.
    pub held: u64,
    /// How many they may hold together; 0 if one of them has no limit.
    pub window: u64,
    /// Messages behind the consumers: the lag of a log's groups, or what is ready in queues.
    pub lag: u64,
    /// Servers.
    pub servers: u32,
    /// Their cores.
    pub cores: u32,
    /// Time that the cores have worked since the start, in nanoseconds.
    pub cpu_busy: u64,
    /// Time that the disks have worked since the start, in nanoseconds.
    pub disk_busy: u64,
}

/// Records that were fetched and are not processed; a consumer of a log has no window.
pub(crate) fn of_log(view: &log_cluster::view::View) -> Gauge {
    Gauge {
        held: view.consumers.iter().map(|consumer| u64::from(consumer.buffered)).sum(),
        lag: view.consumers.iter().flat_map(|consumer| &consumer.assigned).map(|assigned| assigned.lag).sum(),
        ..Gauge::default()
    }
}

/// What is unacknowledged against the prefetch, and what is ready.
pub(crate) fn of_queue(view: &queue_cluster::View) -> Gauge {
    let unlimited = view.consumers.iter().any(|consumer| consumer.prefetch == 0);
    Gauge {
        held: view.consumers.iter().map(|consumer| u64::from(consumer.unacked_count)).sum(),
        window: if unlimited { 0 } else { view.consumers.iter().map(|consumer| u64::from(consumer.prefetch)).sum() },
        lag: view.queues.iter().map(|queue| queue.ready).sum(),
        ..Gauge::default()
    }
}

/// Steps to each doubling.
const FINE: u32 = 8;
/// The first step begins at 2^15 ns, about 33 us.
const FIRST: u32 = 15;
const STEPS: usize = 176;

/// How many messages took how long, in steps of a ninth; quantiles are right to within 5 %.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies(Vec<(u8, u32)>);

impl Latencies {
    /// Counts one.
    pub fn add(&mut self, latency: Nanos) {
        let value = latency.0.max(1 << FIRST);
        let octave = value.ilog2();
        let part = ((value >> (octave - 3)) & 7) as u32;
        let step = (((octave - FIRST) * FINE + part) as usize).min(STEPS - 1) as u8;
        match self.0.binary_search_by_key(&step, |(known, _)| *known) {
            Ok(place) => self.0[place].1 += 1,
            Err(place) => self.0.insert(place, (step, 1)),
        }
    }

    /// A quantile, in thousandths: the middle of its step, in nanoseconds. `None` if there are none.
    #[must_use]
    pub fn quantile(&self, thousandth: u64) -> Option<u64> {
        let all: u64 = self.0.iter().map(|(_, count)| u64::from(*count)).sum();
        let rank = (all * thousandth).div_ceil(1000).max(1);
        let mut seen = 0;
        let found = self.0.iter().find(|(_, count)| {
            seen += u64::from(*count);
            seen >= rank
        });
        found.map(|(step, _)| {
            let (octave, part) = (u32::from(*step) / FINE + FIRST, u64::from(*step) % u64::from(FINE));
            let low = (8 + part) << (octave - 3);
            low + (1 << (octave - 3)) / 2
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_within_a_twentieth() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(500), None);
        (1..=1000).for_each(|ms| latencies.add(Nanos::millis(ms)));
        for (thousandth, ms) in [(500, 500), (990, 990), (999, 999)] {
            let found = latencies.quantile(thousandth).unwrap_or(0);
            let right = ms * 1_000_000;
            assert!(found.abs_diff(right) * 16 <= right, "{thousandth}: {found} is far from {right}");
        }
    }
}
