//! Simulated time: instants and durations, both in whole nanoseconds.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// An instant of a run: nanoseconds since its start. Holds 584 years.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub u64);

/// A duration in nanoseconds.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Nanos(pub u64);

impl Time {
    /// The start of every run.
    pub const ZERO: Time = Time(0);
    /// Later than anything that happens.
    pub const NEVER: Time = Time(u64::MAX);

    /// The time since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Time) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Nanos {
    /// No time at all.
    pub const ZERO: Nanos = Nanos(0);

    /// `n` microseconds.
    #[must_use]
    pub const fn micros(n: u64) -> Nanos {
        Nanos(n.saturating_mul(1_000))
    }

    /// `n` milliseconds.
    #[must_use]
    pub const fn millis(n: u64) -> Nanos {
        Nanos(n.saturating_mul(1_000_000))
    }

    /// `n` seconds.
    #[must_use]
    pub const fn secs(n: u64) -> Nanos {
        Nanos(n.saturating_mul(1_000_000_000))
    }

    /// The duration times `n`.
    #[must_use]
    pub const fn times(self, n: u64) -> Nanos {
        Nanos(self.0.saturating_mul(n))
    }

    /// The duration scaled by `percent`/100, rounded down.
    #[must_use]
    pub const fn percent(self, percent: u64) -> Nanos {
        Nanos(((self.0 as u128 * percent as u128) / 100) as u64)
    }

    /// Time to move `bytes` at `bytes_per_second`; zero when the rate is zero, which stands for "unlimited".
    #[must_use]
    pub const fn to_move(bytes: u64, bytes_per_second: u64) -> Nanos {
        if bytes_per_second == 0 {
            return Nanos::ZERO;
        }
        // In 64 bits if that is enough: this stands on every message's way.
        match bytes.checked_mul(1_000_000_000) {
            Some(scaled) => Nanos(scaled / bytes_per_second),
            None => Nanos(((bytes as u128 * 1_000_000_000) / bytes_per_second as u128) as u64),
        }
    }
}

impl Add<Nanos> for Time {
    type Output = Time;
    fn add(self, d: Nanos) -> Time {
        Time(self.0.saturating_add(d.0))
    }
}

impl AddAssign<Nanos> for Time {
    fn add_assign(&mut self, d: Nanos) {
        *self = *self + d;
    }
}

impl Add for Nanos {
    type Output = Nanos;
    fn add(self, d: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(d.0))
    }
}

impl AddAssign for Nanos {
    fn add_assign(&mut self, d: Nanos) {
        *self = *self + d;
    }
}

impl Sub for Nanos {
    type Output = Nanos;
    fn sub(self, d: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(d.0))
    }
}

impl fmt::Display for Nanos {
    /// Three significant figures with a unit: `12.4 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            0 => return f.write_str("0 ms"),
            1..1_000 => return write!(f, "{} ns", self.0),
            1_000..1_000_000 => (1_000, "µs"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            _ => (1_000_000_000, "s"),
        };
        let whole = self.0 / unit;
        let decimals = match whole {
            0..10 => 2,
            10..100 => 1,
            _ => 0,
        };
        let scale = 10u64.pow(decimals);
        let rounded = (u128::from(self.0) * u128::from(scale) + u128::from(unit / 2)) / u128::from(unit);
        let (int, fraction) = (rounded / u128::from(scale), rounded % u128::from(scale));
        if decimals == 0 || fraction == 0 {
            write!(f, "{int} {name}")
        } else {
            let text = format!("{fraction:0width$}", width = decimals as usize);
            write!(f, "{int}.{} {name}", text.trim_end_matches('0'))
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Nanos(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_three_significant_figures_with_a_unit() {
        let shown = |n: u64| Nanos(n).to_string();
        assert_eq!(shown(12_400_000), "12.4 ms");
        assert_eq!(shown(900), "900 ns");
        assert_eq!(shown(1_500), "1.5 µs");
        assert_eq!(shown(45_000_000_000), "45 s");
        assert_eq!(shown(999_999_999), "1000 ms");
        assert_eq!(shown(0), "0 ms");
    }

    #[test]
    fn moving_bytes_at_no_rate_is_free() {
        assert_eq!(Nanos::to_move(1_000_000, 0), Nanos::ZERO);
        assert_eq!(Nanos::to_move(125_000_000, 1_250_000_000), Nanos::millis(100));
    }
}
