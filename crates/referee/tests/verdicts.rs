//! The referee's verdicts, on lives told by hand.

use referee::{Fate, Ledger};
use sim::story::{Life, MessageId};
use sim::{Nanos, Time};

fn id(sequence: u32) -> MessageId {
    MessageId { producer: 0, sequence }
}

fn at(ms: u64) -> Time {
    Time::ZERO + Nanos::millis(ms)
}

/// A ledger of `count` messages of one key, one a millisecond.
fn produced(count: u32) -> Ledger {
    let mut ledger = Ledger::new();
    for n in 0..count {
        ledger.hear(at(u64::from(n)), id(n), Life::Produced { key: 0 });
    }
    ledger
}

fn process(ledger: &mut Ledger, ms: u64, sequence: u32) {
    ledger.hear(at(ms), id(sequence), Life::Delivered { reader: 0, consumer: 0, redelivered: false });
    ledger.hear(at(ms), id(sequence), Life::Processed { reader: 0, consumer: 0 });
}

#[test]
fn acknowledged_and_held_nowhere_is_lost_and_without_the_acknowledgement_only_gone() {
    let mut ledger = produced(4);
    for n in [0, 1, 2] {
        ledger.hear(at(10), id(n), Life::Acknowledged);
    }
    process(&mut ledger, 20, 0);
    let verdict = ledger.verdict(&mut |visit| visit(0, id(1)));
    assert_eq!((verdict.lost, verdict.gone, verdict.outstanding), (1, 1, 1));
    assert_eq!(verdict.lost_ids, [(0, 2)]);
    assert_eq!(ledger.of_fate(Fate::Lost, 9, &mut |visit| visit(0, id(1))), [id(2)]);

    // What a machine brings back is not lost any more.
    let verdict = ledger.verdict(&mut |visit| [1, 2, 3].into_iter().for_each(|n| visit(0, id(n))));
    assert_eq!((verdict.lost, verdict.gone, verdict.outstanding), (0, 0, 3));
}

#[test]
fn twice_is_a_duplicate_once_and_late_is_out_of_order() {
    let mut ledger = produced(4);
    process(&mut ledger, 10, 0);
    process(&mut ledger, 11, 2);
    process(&mut ledger, 12, 1);
    process(&mut ledger, 13, 2);
    process(&mut ledger, 14, 2);
    process(&mut ledger, 15, 3);
    let counts = ledger.counts();
    assert_eq!((counts.processed, counts.duplicated, counts.reordered, counts.redelivered), (4, 1, 1, 2));
    assert_eq!(ledger.of_fate(Fate::Duplicated, 9, &mut |_| ()), [id(2)]);
    assert_eq!(ledger.of_fate(Fate::Reordered, 9, &mut |_| ()), [id(1)]);
}

#[test]
fn another_reader_of_the_same_message_is_no_duplicate() {
    let mut ledger = produced(1);
    ledger.hear(at(5), id(0), Life::Processed { reader: 0, consumer: 0 });
    ledger.hear(at(6), id(0), Life::Processed { reader: 1, consumer: 1 });
    assert_eq!((ledger.counts().processed, ledger.counts().duplicated), (1, 0));
}

#[test]
fn refused_dropped_and_dead_lettered_are_told_apart_from_lost() {
    let mut ledger = produced(3);
    ledger.hear(at(5), id(0), Life::Refused);
    ledger.hear(at(5), id(1), Life::Dropped);
    ledger.hear(at(5), id(2), Life::DeadLettered);
    let verdict = ledger.verdict(&mut |_| ());
    assert_eq!((verdict.lost, verdict.gone, verdict.outstanding), (0, 0, 0));
    assert_eq!((verdict.counts.refused, verdict.counts.dropped, verdict.counts.dead_lettered), (1, 1, 1));
}
