//! Many seeds with faults drawn by lot: the groups of quorum queues keep what Raft promises (election safety, log
//! matching, leader completeness), and nothing that was confirmed is lost while a majority survives.

mod story;

use queue_cluster::*;
use sim::workload::Role;
use sim::{Crash, Dice, Health, Nanos, NodeId};
use std::collections::BTreeMap;
use story::*;

/// What was seen of a group so far.
#[derive(Default)]
struct Watch {
    /// Who led each term.
    leaders: BTreeMap<u64, NodeId>,
    /// The committed entries, by place.
    committed: BTreeMap<u64, (u64, u64)>,
}

impl Watch {
    /// Looks at the group; what is seen must go with all that was seen before.
    fn look(&mut self, seed: u64, story: &Story) {
        let logs = story.cluster.member_logs("q");
        for log in &logs {
            if log.leads {
                let known = *self.leaders.entry(log.term).or_insert(log.node);
                assert_eq!(known, log.node, "seed {seed}: election safety: two leaders in term {}", log.term);
            }
            for (place, entry) in (log.base + 1..=log.commit).zip(&log.entries) {
                let known = *self.committed.entry(place).or_insert(*entry);
                assert_eq!(known, *entry, "seed {seed}: state machine safety: entry {place} on {:?}", log.node);
            }
        }
        for (a, b) in logs.iter().zip(logs.iter().skip(1)).chain(logs.first().zip(logs.last())) {
            matching(seed, a, b);
        }
        // Leader completeness: the newest leader has every entry that is known to be committed.
        let leader = logs.iter().filter(|log| log.leads).max_by_key(|log| log.term);
        if let Some(log) = leader.filter(|log| logs.iter().all(|other| other.term <= log.term)) {
            let last = log.base + log.entries.len() as u64;
            for (place, entry) in self.committed.range(log.base + 1..) {
                let mine = log.entries.get((place - log.base - 1) as usize);
                assert!(
                    *place <= last && mine == Some(entry),
                    "seed {seed}: leader completeness: entry {place} of {last}"
                );
            }
        }
    }
}

/// Log matching: below an entry that two logs have in common in place and term they are the same.
fn matching(seed: u64, a: &MemberLog, b: &MemberLog) {
    let base = a.base.max(b.base);
    let of =
        |log: &MemberLog| -> Vec<(u64, u64)> { log.entries.iter().skip((base - log.base) as usize).copied().collect() };
    let (a, b) = (of(a), of(b));
    let common = a.iter().zip(&b).rposition(|(a, b)| a.0 == b.0);
    if let Some(common) = common {
        assert_eq!(a[..=common], b[..=common], "seed {seed}: log matching");
    }
}

fn run(seed: u64, story: &mut Story, watch: &mut Watch, time: Nanos) {
    let until = story.cluster.world().now() + time;
    while story.cluster.world().now() < until {
        let left = until.since(story.cluster.world().now());
        story.run(left.min(Nanos::millis(400)));
        watch.look(seed, story);
    }
}

fn revive(story: &mut Story, node: NodeId) {
    match story.cluster.world().health(node) {
        Health::Paused => story.cluster.world_mut().resume(node),
        Health::Running | Health::Stopping => {}
        Health::Stopped | Health::Killed | Health::PoweredOff => story.cluster.world_mut().start(node),
    }
}

/// One fault at a time, on one node at a time, so that the two others are a majority.
fn trouble(seed: u64, story: &mut Story, watch: &mut Watch, dice: &mut Dice) {
    let node = NodeId(dice.below(3) as u16);
    let world = story.cluster.world_mut();
    match dice.below(6) {
        0 => world.crash(node, Crash::Kill),
        1 => world.crash(node, Crash::PowerLoss),
        2 => world.pause(node),
        3 => world.stop(node),
        4 => story.isolate(node.0, 3),
        _ => {
            let other = NodeId((node.0 + 1) % 3);
            world.cut(node, other);
        }
    }
    run(seed, story, watch, Nanos::millis(50) + dice.between(Nanos::ZERO, Nanos::secs(8)));
    story.heal();
    revive(story, node);
    // The node catches up before the next fault: else two are behind.
    run(seed, story, watch, Nanos::secs(6));
}

fn play(seed: u64) {
    let mut settings = config("quorum");
    settings.server.snapshot_every = 100;
    let mut story = Story::new(seed, &settings, &workload(20, Some(400), Nanos::millis(2)));
    let (mut dice, mut watch) = (Dice::named(seed, "trouble", &[]), Watch::default());
    run(seed, &mut story, &mut watch, Nanos::millis(1500));
    for _ in 0..3 {
        trouble(seed, &mut story, &mut watch, &mut dice);
        assert!(story.lost().is_empty(), "R-C4 broken: seed {seed}: {:?}", story.lost());
    }
    story.run(Nanos::secs(240));
    watch.look(seed, &story);
    let ledger = &story.ledger;
    assert_eq!(ledger.produced.len(), 400, "seed {seed}");
    assert!(story.lost().is_empty(), "R-C4 broken: seed {seed}: {:?}", story.lost());
    let unconfirmed = ledger.produced.len() - ledger.acknowledged.len();
    assert_eq!(unconfirmed, 0, "seed {seed}: the queue did not recover");
    assert_eq!(ledger.processed.len(), 400, "seed {seed}: messages are stuck");
    assert!(story.cluster.world().health(story.client(Role::Producer(0))).is_alive());
}

#[test]
fn r_c4_nothing_confirmed_is_lost_whatever_happens_to_one_node_at_a_time() {
    (0..1200).for_each(play);
}

fn mend(story: &mut Story) {
    story.heal();
    (0..3).map(NodeId).for_each(|node| revive(story, node));
}

/// Faults pile up: majorities come and go, all power may be lost.
fn pile_up(seed: u64) {
    let mut settings = config("quorum");
    settings.server.snapshot_every = 80;
    let mut story = Story::new(seed, &settings, &workload(20, Some(400), Nanos::millis(2)));
    let (mut dice, mut watch) = (Dice::named(seed, "pile", &[]), Watch::default());
    run(seed, &mut story, &mut watch, Nanos::millis(1500));
    for _ in 0..6 {
        let node = NodeId(dice.below(3) as u16);
        let world = story.cluster.world_mut();
        match dice.below(8) {
            0 => world.crash(node, Crash::Kill),
            1 => world.crash(node, Crash::PowerLoss),
            2 => world.pause(node),
            3 => world.stop(node),
            4 => story.isolate(node.0, 3),
            // To another server, or to a client.
            5 => world.cut(node, NodeId((node.0 + 1) % 5)),
            _ => mend(&mut story),
        }
        run(seed, &mut story, &mut watch, Nanos::millis(50) + dice.between(Nanos::ZERO, Nanos::secs(5)));
    }
    mend(&mut story);
    story.run(Nanos::secs(400));
    watch.look(seed, &story);
    let ledger = &story.ledger;
    assert!(story.lost().is_empty(), "R-C4 broken: seed {seed}: {:?}", story.lost());
    assert_eq!((ledger.acknowledged.len(), ledger.processed.len()), (400, 400), "seed {seed}: it did not recover");
}

#[test]
fn r_u3_when_the_majority_is_back_everything_goes_on_and_nothing_confirmed_is_lost() {
    (10_000..10_800).for_each(pile_up);
}

/// Members come and go among the faults.
fn reshape(seed: u64) {
    let mut settings = config("quorum");
    settings.nodes = 5;
    settings.server.snapshot_every = 80;
    let mut story = Story::new(seed, &settings, &workload(20, Some(400), Nanos::millis(2)));
    let (mut dice, mut watch) = (Dice::named(seed, "reshape", &[]), Watch::default());
    run(seed, &mut story, &mut watch, Nanos::millis(1500));
    for _ in 0..5 {
        let node = NodeId(dice.below(5) as u16);
        let queue = "q".to_string();
        let order =
            if dice.chance(1, 2) { ServerOrder::AddMember { queue } } else { ServerOrder::DeleteMember { queue } };
        if story.cluster.view().queues[0].members.len() > 3 || matches!(order, ServerOrder::AddMember { .. }) {
            story.cluster.order_server(node, order).unwrap();
        }
        let other = NodeId(dice.below(5) as u16);
        match dice.below(4) {
            0 => story.cluster.world_mut().crash(other, Crash::Kill),
            1 => story.cluster.world_mut().pause(other),
            _ => {}
        }
        run(seed, &mut story, &mut watch, Nanos::millis(50) + dice.between(Nanos::ZERO, Nanos::secs(3)));
        revive(&mut story, other);
        run(seed, &mut story, &mut watch, Nanos::secs(4));
    }
    story.run(Nanos::secs(120));
    watch.look(seed, &story);
    let ledger = &story.ledger;
    assert!(story.lost().is_empty(), "R-U1 broken: seed {seed}: {:?}", story.lost());
    assert_eq!((ledger.acknowledged.len(), ledger.processed.len()), (400, 400), "seed {seed}: it did not recover");
}

#[test]
fn r_u1_members_may_come_and_go_among_faults() {
    (20_000..20_200).for_each(reshape);
}
