//! The consistent hash exchange (R-X5), to the bit: Erlang's `phash2` of a binary, and a jump hash that draws from
//! Erlang's `exs1024` generator.

const GOLDEN: u32 = 0x9e37_79b9;
const BINARY_SEED: u32 = 13u32.wrapping_mul(0x9e37_79b9);
/// What `phash2` makes of an empty binary.
const EMPTY: u32 = 0x08d1_2e65;

fn mix(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32, u32) {
    a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> 13);
    b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << 8);
    c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> 13);
    a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> 12);
    b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << 16);
    c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> 5);
    a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> 3);
    b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << 10);
    c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> 15);
    (a, b, c)
}

/// `erlang:phash2/1` of a binary.
#[must_use]
pub fn phash2(binary: &[u8]) -> u32 {
    if binary.is_empty() {
        return EMPTY & ((1 << 27) - 1);
    }
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
    let (mut a, mut b, mut c) = (GOLDEN, GOLDEN, BINARY_SEED);
    let mut chunks = binary.chunks_exact(12);
    for chunk in &mut chunks {
        a = a.wrapping_add(word(&chunk[0..4]));
        b = b.wrapping_add(word(&chunk[4..8]));
        c = c.wrapping_add(word(&chunk[8..12]));
        (a, b, c) = mix(a, b, c);
    }
    let tail = chunks.remainder();
    let part = |from: usize, to: usize| word(&tail[from.min(tail.len())..to.min(tail.len())]);
    c = c.wrapping_add(binary.len() as u32);
    a = a.wrapping_add(part(0, 4));
    b = b.wrapping_add(part(4, 8));
    // The lowest byte of c holds the length.
    c = c.wrapping_add(part(8, 11) << 8);
    mix(a, b, c).2 & ((1 << 27) - 1)
}

const MASK_64: u128 = (1 << 64) - 1;

/// Erlang's `exs1024` (xorshift1024*): numbers of 64 bits.
struct Exs1024 {
    state: [u64; 16],
    place: usize,
}

impl Exs1024 {
    fn seeded(a: u32, b: u32, c: u32) -> Exs1024 {
        let spread = |value: u32, prime: u64| (u64::from(value) + 1).wrapping_mul(prime) & ((1 << 21) - 1);
        let mut x = spread(a, 2_097_131) << 43 | spread(b, 2_097_133) << 22 | spread(c, 2_097_143) << 1 | 1;
        let mut state: [u64; 16] = std::array::from_fn(|_| {
            x ^= x >> 12;
            x ^= x << 25;
            x ^= x >> 27;
            let product = u128::from(x) * 2_685_821_657_736_338_717;
            (product & MASK_64) as u64
        });
        // Erlang builds the list front to back and uses it back to front.
        state.reverse();
        Exs1024 { state, place: 0 }
    }

    fn next(&mut self) -> u64 {
        let s0 = self.state[self.place];
        self.place = (self.place + 1) % 16;
        let mut s1 = self.state[self.place];
        s1 ^= s1 << 31;
        let mixed = s1 ^ s0 ^ (s1 >> 11) ^ (s0 >> 30);
        self.state[self.place] = mixed;
        mixed.wrapping_mul(1_181_783_497_276_652_981)
    }

    /// A number in [0, 1).
    fn float(&mut self) -> f64 {
        // The generator is one of those that divide all 64 bits.
        self.next() as f64 / 18_446_744_073_709_551_616.0
    }
}

/// Which of `buckets` buckets a hash falls into.
#[must_use]
pub fn jump(hash: u32, buckets: u32) -> u32 {
    if buckets <= 1 {
        return 0;
    }
    let mut dice = Exs1024::seeded(hash, hash, hash);
    let (mut last, mut next) = (0u32, 0f64);
    while next < f64::from(buckets) {
        last = next as u32;
        next = (f64::from(last + 1) / dice.float()).trunc();
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_x5_hash_and_generator_are_erlangs() {
        assert_eq!(phash2(b"key-0"), 91_985_521);
        assert_eq!(phash2(b"a long binary of more than 12 bytes"), 56_903_976);
        assert_eq!(phash2(b""), 13_708_901);
        let first = Exs1024::seeded(5, 5, 5).float();
        assert_eq!(format!("{first:.15}"), "0.352440983626264");
    }
}
