//! A histogram of durations in log-linear buckets of whole numbers, so that it is the same everywhere.

use sim::Nanos;

/// Each power of two is divided into this many buckets: values are kept to within 1/32, about 3 %.
const PARTS: u64 = 32;
const PART_BITS: u32 = PARTS.trailing_zeros();

/// Counts of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u32>,
    count: u64,
    max: u64,
}

fn bucket(value: u64) -> usize {
    if value < PARTS {
        return value as usize;
    }
    let shift = 63 - value.leading_zeros() - PART_BITS;
    ((u64::from(shift) + 1) * PARTS + ((value >> shift) - PARTS)) as usize
}

/// The highest value that falls into a bucket.
fn top(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return bucket;
    }
    let shift = bucket / PARTS - 1;
    ((bucket % PARTS + PARTS + 1) << shift) - 1
}

impl Histogram {
    /// Counts one duration, in microseconds' precision.
    pub fn add(&mut self, duration: Nanos) {
        let value = duration.0 / 1_000;
        let place = bucket(value);
        if self.buckets.len() <= place {
            self.buckets.resize(place + 1, 0);
        }
        self.buckets[place] += 1;
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The duration that `thousandth` in a thousand do not exceed; `None` without any. To within 3 %.
    #[must_use]
    pub fn quantile(&self, thousandth: u64) -> Option<Nanos> {
        if self.count == 0 {
            return None;
        }
        let rank = (self.count * thousandth).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank {
                return Some(Nanos::micros(top(place).min(self.max)));
            }
        }
        Some(Nanos::micros(self.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_everything_in_order_and_within_three_percent() {
        for value in (0..5_000).chain([1 << 20, (1 << 40) + 12_345, u64::MAX / 2]) {
            let top = top(bucket(value));
            assert!(top >= value && top - value <= value / PARTS, "{value} is in a bucket that ends at {top}");
            assert!(bucket(value + 1) >= bucket(value));
        }
    }

    #[test]
    fn quantiles_of_a_thousand_even_steps() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|n| histogram.add(Nanos::micros(n * 100)));
        let near = |thousandth: u64| histogram.quantile(thousandth).unwrap().0 / 100_000;
        assert!((500..=515).contains(&near(500)), "{}", near(500));
        assert!((990..=1_000).contains(&near(990)), "{}", near(990));
        assert_eq!(histogram.quantile(1_000), Some(Nanos::micros(100_000)));
        assert_eq!(Histogram::default().quantile(500), None);
    }
}
