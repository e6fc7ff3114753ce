//! Recordings that were made several times give ranges; the engine's runs must lie within.

use crate::Disagreement;
use sim::Time;

/// A measure of a run, by its name.
pub(crate) type Measure<R> = (&'static str, fn(&R) -> u64);

/// One measure of a recording and of the engine's runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The measure's name.
    pub measure: &'static str,
    /// The recorded range.
    pub recorded: (u64, u64),
    /// What the engine may differ by, and still be within.
    pub tolerance: u64,
    /// The engine's range; of a gap the engine's median, twice.
    pub came: (u64, u64),
}

impl Comparison {
    /// Whether the engine lies within what was recorded.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.came.0 + self.tolerance >= self.recorded.0 && self.came.1 <= self.recorded.1 + self.tolerance
    }

    /// The comparison in words, after the recording's name.
    #[must_use]
    pub fn told(&self, recording: &str) -> String {
        let Comparison { measure, recorded, tolerance, came } = self;
        let (low, high) = recorded;
        format!(
            "{recording}: {measure}: recorded {low} to {high}, give or take {tolerance}; came {} to {}",
            came.0, came.1
        )
    }

    /// Says in words what is not as it is known to be: a disagreement that nobody knows, or one that is over.
    #[must_use]
    pub fn surprise(&self, recording: &str, known: bool) -> Option<String> {
        match (self.agrees(), known) {
            (false, false) => Some(self.told(recording)),
            (true, true) => Some(format!("{recording}: {}: agrees now; take it off the list", self.measure)),
            _ => None,
        }
    }

    /// Compares a gap, which is drawn from timers: the median of the engine's must lie in the recorded range.
    pub(crate) fn of_gap<R>((measure, of): Measure<R>, recorded: &[R], runs: &[R], tolerance: u64) -> Comparison {
        let mut all: Vec<u64> = runs.iter().map(of).collect();
        all.sort_unstable();
        let median = all.get(all.len() / 2).copied().unwrap_or(0);
        Comparison { measure, recorded: range(recorded, of), tolerance, came: (median, median) }
    }
}

/// The first measure that does not agree, in words.
pub(crate) fn disagreement(compared: Vec<Comparison>) -> Option<Disagreement> {
    let found = compared.into_iter().find(|comparison| !comparison.agrees())?;
    Some(Disagreement {
        step: found.measure.to_string(),
        expected: format!("{} to {}, give or take {}", found.recorded.0, found.recorded.1, found.tolerance),
        came: format!("{} to {}", found.came.0, found.came.1),
    })
}

/// The least and the most of a measure; 0 without any runs.
pub(crate) fn range<R>(runs: &[R], measure: fn(&R) -> u64) -> (u64, u64) {
    let all = || runs.iter().map(measure);
    (all().min().unwrap_or(0), all().max().unwrap_or(0))
}

/// The longest time between two of these, in milliseconds, of which the later came after the fault.
pub(crate) fn longest_gap(times: &[Time], fault: Time) -> u64 {
    let gaps = times.windows(2).filter(|pair| pair[1] > fault).map(|pair| pair[1].since(pair[0]));
    gaps.max().map_or(0, |gap| (gap.0 + 500_000) / 1_000_000)
}
