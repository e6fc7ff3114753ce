//! Compaction, rule by rule.

use super::*;
use crate::log::{Indexes, Roll, Stamp};

const SMALL: u64 = 300;
const OLD: Nanos = Nanos(u64::MAX);

fn wanted(now: u64, last_stable: u64) -> Wanted {
    Wanted {
        now: Time::ZERO + Nanos::secs(now),
        last_stable,
        min_lag: Nanos::ZERO,
        max_lag: OLD,
        delete_retention: Nanos::secs(100),
        segment_bytes: SMALL,
    }
}

/// Records as `(key, null)`, one a batch of 100 bytes: three batches a segment.
fn log(records: &[(u32, bool)]) -> Log {
    let mut log = Log::default();
    for (sequence, (key, null)) in (0..).zip(records) {
        add(&mut log, sequence, Row::new(sequence, Some(*key), *null), None);
    }
    log
}

fn add(log: &mut Log, at: u32, row: Row, stamp: Option<Stamp>) {
    let payload = Payload::Messages(0, Box::new([row]));
    let created = Time::ZERO + Nanos::secs(u64::from(at));
    let batch = Rc::new(Batch { payload, bytes: 100, stamp, created });
    log.append(0, &batch, created, Roll { bytes: SMALL, age: OLD, indexes: Indexes::ENDLESS });
}

fn offsets(log: &Log) -> Vec<u64> {
    log.read(0).flat_map(|entry| entry.batch.records(0).map(|(delta, _, _)| entry.base + delta)).collect()
}

fn clean(log: &mut Log, wanted: &Wanted) -> Vec<u64> {
    let dirt = log.dirt(wanted).unwrap();
    log.compact(dirt.upto, wanted);
    offsets(log)
}

const LIVE: bool = false;
const NULL: bool = true;

#[test]
fn k_d5_of_each_key_the_newest_stays_and_the_active_segment_is_left_alone() {
    let mut log = log(&[(1, LIVE), (2, LIVE), (1, LIVE), (2, LIVE), (3, LIVE), (3, LIVE), (1, LIVE)]);
    let end = log.end();
    let bytes = log.bytes;
    assert_eq!(log.dirt(&wanted(10, end)), Some(Dirt { upto: 6, ratio: 1_000_000, overdue: false }));
    assert_eq!(clean(&mut log, &wanted(10, end)), [2, 3, 5, 6], "record 6 is in the active segment");
    assert_eq!((log.end(), log.start(), log.bytes < bytes), (end, 0, true), "offsets stay");
    assert_eq!(log.dirt(&wanted(10, end)), None, "all that can be compacted is");
    assert_eq!(log.read(0).next().map(|entry| entry.base), Some(2), "a reader passes over the gap");
}

#[test]
fn k_d5_nothing_from_the_last_stable_offset_on_nor_younger_than_the_lag_is_compacted() {
    let mut log = log(&[(1, LIVE), (1, LIVE), (1, LIVE), (1, LIVE), (1, LIVE), (1, LIVE), (1, LIVE)]);
    assert_eq!(log.dirt(&wanted(10, 5)).map(|dirt| dirt.upto), Some(3));
    let young = Wanted { min_lag: Nanos::secs(7), ..wanted(10, 7) };
    assert_eq!(log.dirt(&young).map(|dirt| dirt.upto), Some(3), "the second segment is five seconds old");
    let late = Wanted { max_lag: Nanos::secs(9), ..wanted(10, 7) };
    assert!(log.dirt(&late).unwrap().overdue);
    assert_eq!(clean(&mut log, &wanted(10, 5)), [2, 3, 4, 5, 6]);
}

#[test]
fn k_d6_a_tombstone_goes_with_a_compaction_after_its_horizon() {
    let mut log = log(&[(1, LIVE), (1, NULL), (2, LIVE), (9, LIVE)]);
    assert_eq!(clean(&mut log, &wanted(10, 4)), [1, 2, 3], "it stays at first");
    for sequence in 4..8 {
        add(&mut log, sequence, Row::new(sequence, Some(9), LIVE), None);
    }
    assert_eq!(clean(&mut log, &wanted(50, 8)), [1, 2, 5, 6, 7], "50 s is before its horizon");
    for sequence in 8..11 {
        add(&mut log, sequence, Row::new(sequence, Some(9), LIVE), None);
    }
    assert_eq!(clean(&mut log, &wanted(111, 11)), [2, 8, 9, 10], "its horizon was at 110 s");
}

#[test]
fn k_d7_the_last_batch_of_a_producer_stays_even_if_empty() {
    let mut log = Log::default();
    for sequence in 0u32..7 {
        let producer = if sequence == 1 { 7 } else { 8 };
        let first = sequence.saturating_sub(u32::from(producer == 7));
        let stamp = Stamp { producer, epoch: 0, first, transactional: false };
        add(&mut log, sequence, Row::new(sequence, Some(1), LIVE), Some(stamp));
    }
    assert_eq!(clean(&mut log, &wanted(10, 7)), [5, 6]);
    let bases: Vec<u64> = log.read(0).map(|entry| entry.base).collect();
    assert_eq!(bases, [1, 5, 6], "producer 7's only batch stays without its record");
    log.truncate(6, Time::ZERO);
    assert!(log.producers.contains_key(&7), "what is known of it outlives the record");
}
