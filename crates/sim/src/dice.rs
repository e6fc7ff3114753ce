//! Named streams of random numbers.
//!
//! Every subsystem draws from a stream of its own, made from the run's seed and a name, so that one more consumer
//! does not reshuffle the network. The generator is xoshiro256++ (Blackman and Vigna, 2019), seeded by splitmix64;
//! the samplers are ours and held by golden vectors, because no crate promises theirs across versions.

use crate::Nanos;

/// A stream of random numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dice {
    state: [u64; 4],
}

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Dice {
    /// The stream called `name`, with `indices` telling apart what has the same name: `named(seed, "link", &[a, b])`.
    #[must_use]
    pub fn named(seed: u64, name: &str, indices: &[u64]) -> Dice {
        // FNV-1a, 64 bits: short names, no cryptography wanted.
        let mut hash = 0xCBF2_9CE4_8422_2325_u64;
        let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        name.bytes().for_each(&mut eat);
        for index in indices {
            eat(0xFF);
            index.to_le_bytes().into_iter().for_each(&mut eat);
        }
        let mut mixer = seed ^ hash.rotate_left(17);
        Dice { state: core::array::from_fn(|_| splitmix64(&mut mixer)) }
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number below `n`; 0 when `n` is 0. By multiplication: the bias is below n/2^64.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A duration from `low` to `high`, both included.
    #[inline]
    pub fn between(&mut self, low: Nanos, high: Nanos) -> Nanos {
        Nanos(low.0 + self.below(high.0.saturating_sub(low.0).saturating_add(1)))
    }

    /// True `part` times in `whole`.
    #[inline]
    pub fn chance(&mut self, part: u64, whole: u64) -> bool {
        part > 0 && self.below(whole) < part
    }

    /// A duration from the exponential distribution with this mean.
    #[inline]
    pub fn exponential(&mut self, mean: Nanos) -> Nanos {
        // 53 random bits, shifted off zero, so the logarithm is finite; libm's is the same to the bit everywhere.
        let unit = ((self.next_u64() >> 11) + 1) as f64 * (1.0 / 9_007_199_254_740_992.0);
        Nanos((-libm::log(unit) * mean.0 as f64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_vectors_hold_the_generator_and_the_samplers() {
        let mut dice = Dice::named(7, "link", &[1, 2]);
        let raw: Vec<u64> = (0..3).map(|_| dice.next_u64()).collect();
        let below: Vec<u64> = (0..6).map(|_| dice.below(10)).collect();
        let exp: Vec<u64> = (0..3).map(|_| dice.exponential(Nanos::millis(1)).0).collect();
        let golden = format!("{raw:x?} {below:?} {exp:?}");
        assert_eq!(golden, GOLDEN);
    }

    const GOLDEN: &str =
        "[59992ecda367c310, 51e16eb4338fcd87, 4b17c1aab7a40e20] [4, 0, 5, 8, 1, 9] [1667735, 1391703, 364200]";

    #[test]
    fn streams_differ_by_seed_name_and_index() {
        let first = |seed, name, index| Dice::named(seed, name, &[index]).next_u64();
        let all = [first(1, "a", 0), first(2, "a", 0), first(1, "b", 0), first(1, "a", 1)];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn the_exponential_has_its_mean() {
        let mut dice = Dice::named(1, "mean", &[]);
        let sum: u64 = (0..100_000).map(|_| dice.exponential(Nanos(1_000_000)).0).sum();
        let mean = sum / 100_000;
        assert!((990_000..1_010_000).contains(&mean), "mean {mean} of 1,000,000");
    }
}
