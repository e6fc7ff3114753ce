//! Stories of one log.

use super::*;

const ROLL: Roll = Roll { bytes: 1_000, age: Nanos::secs(60), indexes: Indexes::ENDLESS };

fn batch(count: u32, stamp: Option<(u64, u16, u32)>, created: u64) -> Rc<Batch> {
    let rows: Vec<Row> = (0..count).map(|sequence| Row { sequence, key: 0 }).collect();
    let stamp = stamp.map(|(producer, epoch, first)| Stamp { producer, epoch, first, transactional: false });
    let payload = Payload::Messages(0, rows.into());
    Rc::new(Batch { payload, bytes: 100 * count, stamp, created: Time::ZERO + Nanos::secs(created) })
}

fn add(log: &mut Log, epoch: i32, batch: &Rc<Batch>) -> u64 {
    log.append(epoch, batch, batch.created, ROLL).0
}

fn ends(log: &Log) -> (u64, u64) {
    (log.start(), log.end())
}

#[test]
fn k_l1_an_epoch_begins_at_the_end_of_the_log_and_stamps_what_follows() {
    let mut log = Log::default();
    log.begin_epoch(0);
    add(&mut log, 0, &batch(3, None, 0));
    log.begin_epoch(2);
    add(&mut log, 2, &batch(2, None, 0));
    assert_eq!(
        [log.epoch_end(0), log.epoch_end(1), log.epoch_end(2), log.epoch_end(3)],
        [Some((0, 3)), Some((0, 3)), Some((2, 5)), None]
    );
    let epochs: Vec<i32> = log.read(0).map(|entry| entry.epoch).collect();
    assert_eq!(epochs, [0, 2]);
}

#[test]
fn k_i2_one_of_the_last_five_batches_is_recognized() {
    let mut log = Log::default();
    for first in 0..6 {
        add(&mut log, 0, &batch(1, Some((7, 0, first)), 0));
    }
    let judge =
        |first| log.judge(Stamp { producer: 7, epoch: 0, first, transactional: false }, 1, Time::ZERO, Nanos::secs(9));
    assert_eq!(judge(1), Verdict::Duplicate(1));
    assert_eq!(judge(5), Verdict::Duplicate(5));
    assert_eq!(judge(0), Verdict::Refuse(Code::OutOfOrderSequence), "the sixth from the end is forgotten");
    assert_eq!(judge(6), Verdict::Append);
}

#[test]
fn k_i3_gaps_and_old_epochs_are_refused_and_unknown_producers_are_not() {
    let mut log = Log::default();
    add(&mut log, 0, &batch(2, Some((7, 1, 0)), 0));
    let judge = |producer, epoch, first| {
        log.judge(Stamp { producer, epoch, first, transactional: false }, 1, Time::ZERO, Nanos::secs(9))
    };
    assert_eq!(judge(7, 1, 3), Verdict::Refuse(Code::OutOfOrderSequence));
    assert_eq!(judge(7, 0, 2), Verdict::Refuse(Code::InvalidProducerEpoch));
    assert_eq!(judge(7, 2, 1), Verdict::Refuse(Code::OutOfOrderSequence), "a new epoch begins at 0");
    assert_eq!(judge(7, 2, 0), Verdict::Append);
    assert_eq!(judge(8, 0, 55), Verdict::Append);
    let late = log.judge(
        Stamp { producer: 7, epoch: 1, first: 9, transactional: false },
        1,
        Time::ZERO + Nanos::secs(10),
        Nanos::secs(9),
    );
    assert_eq!(late, Verdict::Append, "what was known of it has expired");
}

#[test]
fn k_i1_sequences_count_records_and_wrap_to_zero() {
    assert_eq!([next_sequence(5, 3), next_sequence(0x7FFF_FFFF, 1)], [8, 0]);
}

#[test]
fn k_i6_after_a_truncation_producers_are_known_from_what_is_left() {
    let mut log = Log::default();
    add(&mut log, 0, &batch(2, Some((7, 0, 0)), 0));
    add(&mut log, 0, &batch(2, Some((7, 0, 2)), 0));
    log.truncate(2, Time::ZERO);
    let stamp = Stamp { producer: 7, epoch: 0, first: 2, transactional: false };
    assert_eq!(log.judge(stamp, 2, Time::ZERO, Nanos::secs(9)), Verdict::Append);
}

#[test]
fn k_l4_a_truncated_log_forgets_epochs_without_records() {
    let mut log = Log::default();
    log.begin_epoch(0);
    add(&mut log, 0, &batch(3, None, 0));
    log.begin_epoch(4);
    assert_eq!(log.last_epoch(), Some(4));
    assert_eq!(log.truncate(3, Time::ZERO), 0);
    assert_eq!((log.last_epoch(), log.end()), (Some(0), 3));
    assert_eq!(log.truncate(0, Time::ZERO), 3);
    assert_eq!((log.last_epoch(), log.end()), (None, 0));
}

#[test]
fn k_l4_a_log_whose_end_is_empty_is_cut_all_the_same() {
    let mut log = Log::default();
    add(&mut log, 0, &batch(3, None, 0));
    let entry = Entry { base: 10, epoch: 0, batch: batch(1, None, 0) };
    log.append_at(&entry, Time::ZERO, ROLL);
    assert_eq!((log.truncate(5, Time::ZERO), log.end()), (6, 5), "compaction left nothing from 3 to 10");
    assert_eq!((log.truncate(4, Time::ZERO), log.end()), (1, 4), "or its follower would be told so for ever");
}

#[test]
fn k_d1_a_segment_is_closed_when_it_is_full_or_old() {
    let mut log = Log::default();
    for _ in 0..3 {
        add(&mut log, 0, &batch(4, None, 0));
    }
    assert_eq!(log.segments.len(), 2, "two batches of 400 bytes fit into 1000");
    add(&mut log, 0, &batch(1, None, 61));
    assert_eq!(log.segments.len(), 3, "a minute after the first one");
}

#[test]
fn k_d2_retention_takes_whole_segments_and_stops_at_the_high_watermark() {
    let mut log = Log::default();
    for second in 0..6 {
        add(&mut log, 0, &batch(10, None, second));
    }
    let now = Time::ZERO + Nanos::secs(13);
    let age = Some(Nanos::secs(10));
    assert_eq!(log.expired(now, age, None, 60), 30, "those of 0, 1 and 2 s are older than 10 s");
    assert_eq!(log.expired(now, age, None, 25), 20, "not beyond the high watermark");
    assert_eq!(log.expired(now, None, Some(2_500), 60), 30, "3000 bytes are left, one segment less would be too few");
    assert_eq!(log.expired(now, None, None, 60), 0);
}

#[test]
fn k_d4_the_start_moves_and_segments_below_it_go() {
    let mut log = Log::default();
    for _ in 0..4 {
        add(&mut log, 0, &batch(10, None, 0));
    }
    log.advance_start(20);
    assert_eq!((ends(&log), log.segments.len(), log.bytes), ((20, 40), 2, 2_000));
    assert_eq!(log.read(0).next().map(|entry| entry.base), Some(20));
}

#[test]
fn k_f2_a_power_loss_takes_what_was_not_flushed() {
    let mut log = Log::default();
    add(&mut log, 0, &batch(10, None, 0));
    add(&mut log, 0, &batch(10, None, 0));
    log.mark_flushed(10);
    assert_eq!(log.lose_unflushed(Time::ZERO), 10);
    assert_eq!(ends(&log), (0, 10));
}

#[test]
fn k_c2_a_fetch_gets_at_least_one_batch_however_large() {
    let mut log = Log::default();
    for _ in 0..3 {
        add(&mut log, 0, &batch(5, None, 0));
    }
    let mut entries = Vec::new();
    assert_eq!(log.fetch(7, 15, 1, &mut entries), 500);
    assert_eq!(entries.iter().map(|entry| entry.base).collect::<Vec<_>>(), [5], "the batch that holds offset 7");
    entries.clear();
    assert_eq!(log.fetch(0, 10, 5_000, &mut entries), 1_000, "not beyond the limit");
}

/// How many segments there are after batches of `bytes` bytes each, a millisecond apart or all at once.
fn segments(batches: u64, count: u32, apart: bool, indexes: Indexes) -> usize {
    let mut log = Log::default();
    for number in 0..batches {
        let rows: Vec<Row> = vec![Row { sequence: 0, key: 0 }; count as usize];
        let created = Time::ZERO + if apart { Nanos::millis(number) } else { Nanos::ZERO };
        let batch = Batch { payload: Payload::Messages(0, rows.into()), bytes: 100, stamp: None, created };
        log.append(0, &Rc::new(batch), created, Roll { bytes: u64::MAX, age: Nanos::secs(60), indexes });
    }
    log.segments.len()
}

#[test]
fn k_d1_a_segment_is_closed_when_an_index_of_it_is_full() {
    // 80 bytes: ten entries of the index of offsets; six of the index of timestamps, of which the last is kept.
    let each = Indexes::of(99, 80);
    // The first batch of a segment gets no entry, all others do. All at the same time: one timestamp only.
    assert_eq!([segments(11, 1, false, each), segments(12, 1, false, each)], [1, 2], "ten entries are all");
    assert_eq!([segments(6, 1, true, each), segments(7, 1, true, each)], [1, 2], "five timestamps are all");
    // An entry is due when more than these bytes came since the last one: here for every second batch.
    let second = Indexes::of(100, 80);
    assert_eq!([segments(21, 1, false, second), segments(22, 1, false, second)], [1, 2]);
    assert_eq!(segments(5, 1, true, Indexes::of(4_096, 4)), 5, "without room for an entry each batch has a segment");
}

#[test]
fn k_d1_a_segment_that_was_cut_has_room_in_its_indexes_again() {
    let mut log = Log::default();
    let roll = Roll { bytes: u64::MAX, age: Nanos::secs(60), indexes: Indexes::of(99, 80) };
    let append = |log: &mut Log| log.append(0, &batch(1, None, 0), Time::ZERO, roll).1;
    assert!((0..11).all(|_| !append(&mut log)));
    log.truncate(6, Time::ZERO);
    // Five entries are left, and as the bytes behind the last one are forgotten, the next batch gets none.
    assert!((0..6).all(|_| !append(&mut log)) && append(&mut log), "{:?}", log.segments.len());
}

#[test]
fn k_d1_a_segment_is_closed_when_its_offsets_need_more_than_four_bytes() {
    let mut log = Log::default();
    let append = |log: &mut Log, base: u64| {
        log.append_at(&Entry { base, epoch: 0, batch: batch(1, None, 0) }, Time::ZERO, Roll { bytes: u64::MAX, ..ROLL })
            .1
    };
    assert!(!append(&mut log, 5));
    assert!(!append(&mut log, 5 + (1 << 31) - 1), "2^31 - 1 behind the first can be told");
    assert!(append(&mut log, 5 + (1 << 31)));
}
