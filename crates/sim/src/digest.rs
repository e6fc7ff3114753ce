//! The rolling 64-bit digest of a run.

/// A hash over everything that was mixed in, in order. Two runs with one digest played the same events.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Digest(u64);

const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

impl Default for Digest {
    fn default() -> Self {
        Digest(0xB0C4_E21A_B000_0001)
    }
}

impl Digest {
    /// Mixes one value in.
    #[inline]
    pub fn mix(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(23) ^ value).wrapping_mul(MULTIPLIER);
    }

    /// Mixes text in, byte by byte and with its length.
    pub fn mix_text(&mut self, text: &str) {
        self.mix(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    /// The digest as it stands, finished so that nearby states differ in all bits.
    #[must_use]
    pub fn value(self) -> u64 {
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_matters_and_the_value_is_pinned() {
        let digest = |values: &[u64]| {
            let mut d = Digest::default();
            values.iter().for_each(|v| d.mix(*v));
            d.value()
        };
        assert_ne!(digest(&[1, 2]), digest(&[2, 1]));
        assert_ne!(digest(&[]), digest(&[0]));
        let mut text = Digest::default();
        text.mix_text("orders");
        assert_eq!(text.value(), 15_151_177_804_945_505_209);
    }
}
