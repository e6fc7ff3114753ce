use super::*;
use crate::log::{Indexes, Log, NO_SEQUENCE, Roll, Row, Stamp, Verdict};
use sim::{Nanos, Time};

fn append(log: &mut Log, payload: Payload, stamp: Option<Stamp>) -> u64 {
    let batch = Rc::new(Batch { payload, bytes: 100, stamp, created: Time::ZERO });
    log.append(0, &batch, Time::ZERO, Roll { bytes: u64::MAX, age: Nanos::secs(1_000), indexes: Indexes::ENDLESS }).0
}

fn records(log: &mut Log, producer: u64, epoch: u16, first: u32) -> u64 {
    let rows = vec![Row { sequence: first, key: 0 }, Row { sequence: first + 1, key: 0 }];
    let stamp = Stamp { producer, epoch, first, transactional: true };
    append(log, Payload::Messages(0, rows.into_boxed_slice()), Some(stamp))
}

fn marker(producer: u64, epoch: u16, commit: bool) -> Marker {
    Marker { producer, epoch, commit, coordinator_epoch: 3, horizon: None }
}

fn end(log: &mut Log, marker: Marker) -> u64 {
    let stamp = Stamp { producer: marker.producer, epoch: marker.epoch, first: NO_SEQUENCE, transactional: true };
    append(log, Payload::Marker(marker), Some(stamp))
}

#[test]
fn k_x6_the_last_stable_offset_waits_until_the_end_is_below_the_high_watermark() {
    let mut log = Log::default();
    records(&mut log, 1, 0, 0);
    records(&mut log, 2, 0, 0);
    let index = |log: &Log, mark| log.transactions.last_stable(mark);
    assert_eq!((index(&log, 1), index(&log, 4)), (0, 0));
    assert_eq!(end(&mut log, marker(1, 1, true)), 4);
    assert_eq!((index(&log, 4), index(&log, 5)), (0, 2), "the marker is at 4; the other transaction begins at 2");
    assert_eq!(end(&mut log, marker(2, 1, false)), 5);
    assert_eq!((index(&log, 5), index(&log, 6)), (2, 6));
    log.transactions.settle(6);
    assert_eq!(index(&log, 6), 6);
}

#[test]
fn k_x6_what_is_known_of_transactions_follows_from_the_log() {
    let mut log = Log::default();
    records(&mut log, 1, 0, 0);
    records(&mut log, 2, 0, 0);
    end(&mut log, marker(1, 1, false));
    records(&mut log, 1, 1, 0);
    end(&mut log, marker(1, 2, true));
    let aborted = Aborted { producer: 1, first: 0, last: 4 };
    assert_eq!(log.transactions.aborted_in(0, 8), [aborted]);
    assert_eq!(log.transactions.aborted_in(5, 8), []);
    let passed: Vec<bool> = log.read(0).map(|entry| log.transactions.is_aborted(entry)).collect();
    assert_eq!(passed, [true, false, false, false, false], "not the markers, and not the later transaction");
    let entries = readable(log.read(0).cloned().collect(), &[aborted]);
    let seen: Vec<usize> = entries.iter().map(|entry| entry.batch.messages(0).count()).collect();
    assert_eq!((seen, entries[0].end()), (vec![0, 2, 0, 2, 0], 2), "what is passed over takes its offsets");
    log.truncate(4, Time::ZERO);
    assert_eq!((log.transactions.open(), log.transactions.aborted_in(0, 8)), (2, vec![]));
}

#[test]
fn k_x4_a_marker_has_a_higher_epoch_or_is_one_sent_again() {
    let mut log = Log::default();
    records(&mut log, 1, 4, 0);
    let refused = |log: &Log, marker| match log.judge_marker(marker) {
        Verdict::Refuse(code) => Some(code.name()),
        Verdict::Append | Verdict::Duplicate(_) => None,
    };
    assert_eq!(refused(&log, marker(1, 3, true)), Some("INVALID_PRODUCER_EPOCH"));
    assert_eq!(refused(&log, marker(1, 4, true)), Some("INVALID_PRODUCER_EPOCH"), "a transaction is open under it");
    assert_eq!(refused(&log, marker(1, 5, true)), None);
    end(&mut log, marker(1, 5, true));
    assert_eq!(refused(&log, marker(1, 5, true)), None, "sent again");
    let outdated = Marker { coordinator_epoch: 2, ..marker(1, 6, false) };
    assert_eq!(refused(&log, outdated), Some("TRANSACTION_COORDINATOR_FENCED"));
    let late = Stamp { producer: 1, epoch: 4, first: 2, transactional: true };
    let verdict = log.judge(late, 1, Time::ZERO, Nanos::secs(9));
    assert!(matches!(verdict, Verdict::Refuse(code) if code.name() == "INVALID_PRODUCER_EPOCH"), "the zombie's");
    let gap = Stamp { producer: 1, epoch: 5, first: 2, transactional: true };
    let verdict = log.judge(gap, 1, Time::ZERO, Nanos::secs(9));
    assert!(
        matches!(verdict, Verdict::Refuse(code) if code.name() == "OUT_OF_ORDER_SEQUENCE_NUMBER"),
        "it begins at 0"
    );
}
