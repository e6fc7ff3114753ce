//! Which partition a record goes to (K-T1 to K-T5).

use sim::Dice;
use std::rc::Rc;

/// Kafka's murmur2 of a key's bytes (K-T1).
#[must_use]
pub fn murmur2(bytes: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash: u32 = 0x9747_b28c ^ bytes.len() as u32;
    let words = bytes.chunks_exact(4);
    let tail = words.remainder();
    for word in words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !tail.is_empty() {
        for (place, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    (hash ^ (hash >> 15)) as i32
}

/// K-T1: a key's partition among all partitions, those without a leader too.
#[must_use]
pub fn partition_for_key(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7FFF_FFFF) as u32 % partitions.max(1)
}

/// A key's partition as librdkafka chooses it by default: by the CRC32 of zlib (K-T5).
#[must_use]
pub fn consistent(key: &[u8], partitions: u32) -> u32 {
    crc32(key) % partitions.max(1)
}

/// The CRC32 of zlib.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    let fold = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), fold))
}

/// How busy partitions are: what makes the next sticky one a matter of weight (K-T4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadStats {
    /// Running sums of the weights.
    sums: Vec<u32>,
    /// The partitions that the sums are of.
    partitions: Rc<[u32]>,
}

impl LoadStats {
    /// From the batches that wait for each of `partitions`. `None` if they say nothing: fewer than two partitions, or
    /// all alike while none is left out.
    #[must_use]
    pub fn new(queues: &[u32], partitions: &[u32], all: usize) -> Option<LoadStats> {
        let length = queues.len().min(partitions.len());
        LoadStats::of(queues[..length].to_vec(), partitions[..length].into(), all).ok()
    }

    /// The same, in the memory of `queues`, which come back if they say nothing.
    pub(crate) fn of(mut queues: Vec<u32>, partitions: Rc<[u32]>, all: usize) -> Result<LoadStats, Vec<u32>> {
        let Some(most) = queues.iter().copied().max() else { return Err(queues) };
        let alike = queues.iter().all(|queue| *queue == queues[0]);
        if all < 2 || (alike && queues.len() == all) {
            return Err(queues);
        }
        let mut sum = 0;
        for queue in &mut queues {
            sum += most + 1 - *queue;
            *queue = sum;
        }
        Ok(LoadStats { sums: queues, partitions })
    }

    /// Its memory, for the next ones.
    pub(crate) fn into_memory(self) -> Vec<u32> {
        self.sums
    }

    /// The sum of all weights: a draw is below it.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.sums.last().copied().unwrap_or(0)
    }

    /// The partition for a draw: the first whose running sum is above it.
    #[must_use]
    pub fn pick(&self, draw: u32) -> u32 {
        let place = self.sums.partition_point(|sum| *sum <= draw).min(self.sums.len().saturating_sub(1));
        self.partitions.get(place).copied().unwrap_or(0)
    }
}

/// K-T4: the next sticky partition: by weight if there are statistics, else at random among those with a leader.
pub(crate) fn next_sticky(
    stats: Option<&LoadStats>,
    available: impl FnOnce() -> Rc<[u32]>,
    partitions: u32,
    dice: &mut Dice,
) -> u32 {
    if let Some(stats) = stats.filter(|stats| stats.total() > 0) {
        return stats.pick(dice.below(u64::from(stats.total())) as u32);
    }
    let available = available();
    if available.is_empty() {
        return dice.below(u64::from(partitions)) as u32;
    }
    available[dice.below(available.len() as u64) as usize]
}

/// The sticky partition of records without a key (K-T3).
#[derive(Clone, Debug, Default)]
pub(crate) struct Sticky {
    pub partition: Option<u32>,
    produced: u64,
}

impl Sticky {
    /// Bytes went to the sticky partition; whether it is time for another one.
    pub fn produced(&mut self, bytes: u64, batch_size: u64, all_full: bool) {
        self.produced += bytes;
        if (self.produced >= batch_size && all_full) || self.produced >= 2 * batch_size {
            *self = Sticky::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k_t1_murmur2_gives_kafkas_values() {
        let values = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("abc", 479_470_107),
        ];
        values.iter().for_each(|(key, hash)| assert_eq!(murmur2(key.as_bytes()), *hash, "{key}"));
    }

    #[test]
    fn k_t5_crc32_gives_zlibs_values() {
        let values = [("", 0), ("123456789", 0xCBF4_3926), ("a", 0xE8B7_BE43), ("abc", 0x3524_41C2)];
        values.iter().for_each(|(key, crc)| assert_eq!(crc32(key.as_bytes()), *crc, "{key}"));
        assert_eq!(consistent(b"123456789", 10), 0xCBF4_3926 % 10);
    }

    #[test]
    fn k_t4_a_busy_partition_is_drawn_less_often() {
        let stats = LoadStats::new(&[0, 3, 1], &[0, 1, 2], 3).unwrap();
        let drawn: Vec<u32> = (0..stats.total()).map(|draw| stats.pick(draw)).collect();
        assert_eq!(drawn, [0, 0, 0, 0, 1, 2, 2, 2]);
        assert_eq!(LoadStats::new(&[2, 2], &[0, 1], 2), None, "all alike: nothing to go by");
    }

    #[test]
    fn k_t3_the_sticky_partition_changes_after_a_batch_of_bytes() {
        let mut sticky = Sticky { partition: Some(2), produced: 0 };
        sticky.produced(900, 1_000, true);
        assert_eq!(sticky.partition, Some(2));
        sticky.produced(200, 1_000, false);
        assert_eq!(sticky.partition, Some(2), "a batch is half full: it is filled first");
        sticky.produced(900, 1_000, false);
        assert_eq!(sticky.partition, None, "twice the size: it changes whatever is half full");
    }
}
