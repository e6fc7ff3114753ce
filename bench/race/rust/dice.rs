// What the Rust programs share: the same cheap random numbers for every engine, so that the engines are compared and
// not their generators, and the one line that the race reads.
use std::time::Instant;

pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    // xorshift64*: the upper 53 bits make a number in (0, 1], whose logarithm exists.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        -((bits + 1) as f64 / (1u64 << 53) as f64).ln() * mean
    }
}

pub const GAP: f64 = 1.0 / 0.9;
pub const SERVICE: f64 = 1.0;

pub fn customers() -> u64 {
    std::env::args().nth(1).and_then(|text| text.parse().ok()).expect("the number of customers")
}

pub fn tell(from: Instant, mean_stay: f64) {
    println!("{{\"seconds\": {}, \"mean_stay\": {mean_stay}}}", from.elapsed().as_secs_f64());
}
