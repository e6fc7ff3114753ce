use super::*;
use crate::log::{Batch, Payload, Row};

fn entry(base: u64, count: u32) -> Entry {
    let rows = (0..count).map(|at| Row::new(base as u32 + at, None, false)).collect();
    let batch = Batch { payload: Payload::Messages(0, rows), bytes: 100, stamp: None, created: Time::ZERO };
    Entry { base, epoch: 0, batch: Rc::new(batch) }
}

fn window(deliveries: u16, locks: u64) -> SharePartition {
    SharePartition::new(Limits { locks, deliveries }, 0)
}

fn id(name: &str) -> Rc<str> {
    name.into()
}

/// What a member is given of the log, at most `most` records, as (first, last, count).
fn get(it: &mut SharePartition, member: &str, most: u64, strict: bool, log: &[Entry]) -> Vec<(u64, u64, u16)> {
    let Some(from) = it.next_offset() else { return Vec::new() };
    let log: Vec<Entry> = log.iter().filter(|entry| entry.end() > from).cloned().collect();
    let member = id(member);
    let wish = Wish { member: &member, most, strict, lock: Nanos::secs(30), now: Time::ZERO };
    it.acquire(wish, &log).into_iter().map(|got| (got.first, got.last, got.count)).collect()
}

fn say(it: &mut SharePartition, member: &str, acks: &[(u64, u64, Ack)]) -> Result<(), Code> {
    let changes = it.acknowledge(&id(member), &acks.to_vec(), Time::ZERO)?;
    it.settle(&changes, true);
    Ok(())
}

#[test]
fn k_h1_members_share_a_window_that_moves_over_what_is_finished() {
    let mut it = window(5, 2_000);
    let log = [entry(0, 4), entry(4, 4)];
    assert_eq!(get(&mut it, "a", 1, false, &log), [(0, 3, 1)], "a whole batch");
    assert_eq!(get(&mut it, "b", 500, false, &log), [(4, 7, 1)]);
    assert_eq!(get(&mut it, "c", 500, false, &log), []);
    say(&mut it, "b", &[(4, 7, Ack::Accept)]).unwrap();
    assert_eq!((it.start(), it.end()), (0, 8), "what is before it is not finished");
    say(&mut it, "a", &[(0, 1, Ack::Accept)]).unwrap();
    assert_eq!((it.start(), it.end()), (2, 8));
    say(&mut it, "a", &[(2, 3, Ack::Accept)]).unwrap();
    assert_eq!((it.start(), it.end(), it.counts()), (8, 8, (0, 0)));
}

#[test]
fn k_h1_no_more_than_so_many_are_in_flight() {
    let mut it = window(5, 6);
    let log = [entry(0, 4), entry(4, 4)];
    assert_eq!(get(&mut it, "a", 500, false, &log), [(0, 5, 1)]);
    assert_eq!(it.next_offset(), None);
    say(&mut it, "a", &[(1, 5, Ack::Accept)]).unwrap();
    assert_eq!(it.next_offset(), None, "the first is not finished");
    say(&mut it, "a", &[(0, 0, Ack::Accept)]).unwrap();
    assert_eq!(get(&mut it, "a", 500, false, &log), [(6, 7, 1)]);
}

#[test]
fn k_h2_records_are_accepted_released_and_rejected_by_who_has_them() {
    let mut it = window(5, 2_000);
    let log = [entry(0, 4)];
    get(&mut it, "a", 500, false, &log);
    assert_eq!(say(&mut it, "b", &[(0, 0, Ack::Accept)]), Err(Code::InvalidRecordState));
    assert_eq!(say(&mut it, "a", &[(0, 9, Ack::Accept)]), Err(Code::InvalidRecordState), "all or nothing");
    say(&mut it, "a", &[(0, 0, Ack::Accept), (1, 1, Ack::Release), (2, 2, Ack::Reject), (3, 3, Ack::Accept)]).unwrap();
    assert_eq!((it.start(), it.is_finished(2), it.is_finished(1)), (1, true, false));
    assert_eq!(get(&mut it, "b", 500, false, &log), [(1, 1, 2)]);
    assert_eq!(say(&mut it, "a", &[(1, 1, Ack::Accept)]), Err(Code::InvalidRecordState));
    say(&mut it, "b", &[(1, 1, Ack::Accept)]).unwrap();
    assert_eq!(it.start(), 4);
    assert_eq!(say(&mut it, "b", &[(1, 1, Ack::Accept)]), Ok(()), "before the window nothing is looked at");
}

#[test]
fn k_h2_a_lock_ends_unless_it_is_renewed() {
    let mut it = window(2, 2_000);
    let log = [entry(0, 2)];
    get(&mut it, "a", 500, false, &log);
    assert_eq!(it.next_time(), Some(Time::ZERO + Nanos::secs(30)));
    let at = |secs| Time::ZERO + Nanos::secs(secs);
    it.acknowledge(&id("a"), &vec![(1, 1, Ack::Renew)], at(50)).unwrap();
    assert_eq!(it.expire(at(30)), (1, vec![]));
    assert_eq!((it.holder(0), it.holder(1).map(|(who, _)| who.to_string())), (None, Some("a".to_owned())));
    assert_eq!(get(&mut it, "b", 500, false, &log), [(0, 0, 2)]);
    assert_eq!(it.release(&id("b")), (0, vec![0]), "that was the last delivery");
    assert_eq!((it.expire(at(50)), it.start()), ((1, vec![]), 1));
}

#[test]
fn k_h2_nothing_changes_until_it_is_written_down() {
    let mut it = window(5, 2_000);
    let log = [entry(0, 2)];
    get(&mut it, "a", 500, false, &log);
    let changes = it.acknowledge(&id("a"), &vec![(0, 1, Ack::Release)], Time::ZERO).unwrap();
    assert_eq!((get(&mut it, "b", 500, false, &log), it.next_time()), (vec![], None));
    assert_eq!(it.acknowledge(&id("a"), &vec![(0, 0, Ack::Accept)], Time::ZERO), Err(Code::InvalidRecordState));
    assert_eq!(it.release(&id("a")), (0, vec![]));
    it.settle(&changes, false);
    assert_eq!(it.counts(), (2, 0));
    say(&mut it, "a", &[(0, 1, Ack::Accept)]).unwrap();
    assert_eq!(it.start(), 2);
}

#[test]
fn k_h3_what_fails_too_often_is_given_in_halves_and_at_last_alone() {
    let mut it = window(5, 2_000);
    let log = [entry(0, 8)];
    for count in 1..=3 {
        assert_eq!(get(&mut it, "a", 500, false, &log), [(0, 7, count)]);
        say(&mut it, "a", &[(0, 7, Ack::Release)]).unwrap();
    }
    assert_eq!(get(&mut it, "a", 500, false, &log), [(0, 3, 4)]);
    assert_eq!(get(&mut it, "b", 500, false, &log), [(4, 7, 4)]);
    say(&mut it, "a", &[(0, 3, Ack::Release)]).unwrap();
    assert_eq!(get(&mut it, "a", 500, false, &log), [(0, 0, 5)]);
    assert_eq!(get(&mut it, "a", 500, false, &log), [(1, 1, 5)]);
    say(&mut it, "a", &[(0, 0, Ack::Release), (1, 1, Ack::Accept)]).unwrap();
    assert_eq!(it.start(), 2, "the fifth delivery was the last");
}

#[test]
fn k_h4_a_window_is_taken_up_as_it_was_written_down() {
    let mut it = window(5, 2_000);
    let log = [entry(0, 8)];
    get(&mut it, "a", 500, false, &log);
    say(&mut it, "a", &[(0, 1, Ack::Accept), (3, 4, Ack::Release), (6, 6, Ack::Accept)]).unwrap();
    let state = it.snapshot(3);
    let run = |first, last, standing, count| Run { first, last, standing, count };
    let runs = vec![run(3, 4, Standing::Available, 1), run(6, 6, Standing::Acknowledged, 1)];
    assert_eq!(state, ShareState { epoch: 3, start: 2, runs });
    let mut again = SharePartition::load(Limits { locks: 2_000, deliveries: 5 }, &state);
    let got = get(&mut again, "b", 500, false, &log);
    assert_eq!(got, [(2, 2, 1), (3, 4, 2), (5, 5, 1), (7, 7, 1)], "a delivery under way is not counted");
}

#[test]
fn k_h5_a_strict_limit_cuts_batches() {
    let mut it = window(5, 2_000);
    let log = [entry(0, 4), entry(4, 4)];
    assert_eq!(get(&mut it, "a", 3, true, &log), [(0, 2, 1)]);
    assert_eq!(get(&mut it, "b", 3, true, &log), [(3, 5, 1)]);
    say(&mut it, "a", &[(0, 2, Ack::Release)]).unwrap();
    assert_eq!(get(&mut it, "b", 2, true, &log), [(0, 1, 2)], "the order is not that of the log");
    it.log_starts_at(5);
    assert_eq!((it.start(), get(&mut it, "a", 9, false, &log)), (5, vec![(6, 7, 1)]));
}
