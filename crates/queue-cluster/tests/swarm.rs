//! Many seeds with faults drawn by lot: nothing that a quorum queue confirmed is lost while a majority survives.

mod story;

use sim::workload::Role;
use sim::{Crash, Dice, Health, Nanos, NodeId};
use story::*;

/// One fault at a time, on one node at a time, so that the two others are a majority.
fn trouble(story: &mut Story, dice: &mut Dice) {
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
    story.run(Nanos::millis(50) + dice.between(Nanos::ZERO, Nanos::secs(8)));
    story.heal();
    match story.cluster.world().health(node) {
        Health::Paused => story.cluster.world_mut().resume(node),
        Health::Running | Health::Stopping => {}
        Health::Stopped | Health::Killed | Health::PoweredOff => story.cluster.world_mut().start(node),
    }
    // The node catches up before the next fault: else two are behind.
    story.run(Nanos::secs(6));
}

fn play(seed: u64) {
    let mut settings = config("quorum");
    settings.server.snapshot_every = 200;
    let mut story = Story::new(seed, &settings, &workload(60, Some(1200), Nanos::millis(2)));
    let mut dice = Dice::named(seed, "trouble", &[]);
    story.run(Nanos::millis(1500));
    for _ in 0..3 {
        trouble(&mut story, &mut dice);
        assert!(story.lost().is_empty(), "R-C4 broken: seed {seed}: {:?}", story.lost());
    }
    story.run(Nanos::secs(240));
    let ledger = &story.ledger;
    assert_eq!(ledger.produced.len(), 1200, "seed {seed}");
    assert!(story.lost().is_empty(), "R-C4 broken: seed {seed}: {:?}", story.lost());
    let unconfirmed = ledger.produced.len() - ledger.acknowledged.len();
    assert_eq!(unconfirmed, 0, "seed {seed}: the queue did not recover");
    assert_eq!(ledger.processed.len(), 1200, "seed {seed}: messages are stuck");
    assert!(story.cluster.world().health(story.client(Role::Producer(0))).is_alive());
}

#[test]
fn r_c4_nothing_confirmed_is_lost_whatever_happens_to_one_node_at_a_time() {
    (0..300).for_each(play);
}

fn mend(story: &mut Story) {
    story.heal();
    for node in (0..3).map(NodeId) {
        match story.cluster.world().health(node) {
            Health::Paused => story.cluster.world_mut().resume(node),
            Health::Running | Health::Stopping => {}
            Health::Stopped | Health::Killed | Health::PoweredOff => story.cluster.world_mut().start(node),
        }
    }
}

/// Faults pile up: majorities come and go, all power may be lost.
fn pile_up(seed: u64) {
    let mut settings = config("quorum");
    settings.server.snapshot_every = 150;
    let mut story = Story::new(seed, &settings, &workload(60, Some(1200), Nanos::millis(2)));
    let mut dice = Dice::named(seed, "pile", &[]);
    story.run(Nanos::millis(1500));
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
        story.run(Nanos::millis(50) + dice.between(Nanos::ZERO, Nanos::secs(5)));
    }
    mend(&mut story);
    story.run(Nanos::secs(400));
    let ledger = &story.ledger;
    assert!(story.lost().is_empty(), "R-C4 broken: seed {seed}: {:?}", story.lost());
    assert_eq!((ledger.acknowledged.len(), ledger.processed.len()), (1200, 1200), "seed {seed}: it did not recover");
}

#[test]
fn r_u3_when_the_majority_is_back_everything_goes_on_and_nothing_confirmed_is_lost() {
    (1000..1200).for_each(pile_up);
}
