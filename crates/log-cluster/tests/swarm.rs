//! Many runs with faults at random: with acks=all and two in-sync replicas demanded, nothing acknowledged is lost as
//! long as at least one of the replicas that had it keeps its disk.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::config::Acks;
use sim::Dice;

const BROKERS: [&str; 3] = ["broker-1", "broker-2", "broker-3"];
const ALL: [&str; 6] = ["broker-1", "broker-2", "broker-3", "controller-1", "controller-2", "controller-3"];

/// Breaks one thing, and mends it after a while; one machine at a time loses power.
fn disturb(story: &mut Story, dice: &mut Dice) {
    let any = |dice: &mut Dice| ALL[dice.below(6) as usize];
    let wait = 5_000 + dice.below(10_000);
    match dice.below(5) {
        0 => {
            let node = any(dice);
            story.kill(node);
            story.run_for(wait);
            story.start(node);
        }
        1 => {
            let node = BROKERS[dice.below(3) as usize];
            story.power_off(node);
            story.run_for(wait);
            story.start(node);
        }
        2 => {
            let (a, b) = (any(dice), any(dice));
            if a != b {
                story.cut(a, b);
                story.run_for(wait);
                story.heal(a, b);
            }
        }
        3 => {
            let node = any(dice);
            story.pause(node);
            story.run_for(wait);
            story.resume(node);
        }
        _ => {
            let node = BROKERS[dice.below(3) as usize];
            story.stop(node);
            story.run_for(wait);
            story.start(node);
        }
    }
}

fn is_whole(story: &Story) -> bool {
    story.view().topics[0].partitions.iter().all(|partition| partition.isr.len() == 3)
}

#[test]
fn k_a6_with_acks_all_nothing_acknowledged_is_lost() {
    let (mut unclean, mut truncated, mut elected) = (0, 0, 0);
    for seed in 0..100 {
        let mut config = config();
        config.topics[0].partitions = 3;
        config.topics[0].replica_assignment = Vec::new();
        config.producers = vec![producer(Acks::All)];
        config.consumers = vec![consumer()];
        config.broker.group_initial_rebalance_delay_ms = 0;
        let mut story = Story::seeded(seed, &config, &workload(20, 1, 1));
        let mut dice = Dice::named(seed, "swarm", &[]);
        story.run_to(3_000);
        for _ in 0..6 {
            let calm = 1_000 + dice.below(20_000);
            disturb(&mut story, &mut dice);
            story.run_for(calm);
            // The next fault comes when the last one is mended: two at once may take the only copies.
            for _ in 0..40 {
                if is_whole(&story) {
                    break;
                }
                story.run_for(5_000);
            }
        }
        let lost = story.lost();
        assert!(lost.is_empty(), "seed {seed}: K-A1: {} lost: {:?}\n{}", lost.len(), lost.first(), story.tell());
        story.run_for(200_000);
        assert!(is_whole(&story), "seed {seed}: the cluster did not heal\n{}", story.tell());
        let (acked, processed) = (story.acknowledged(), story.processed());
        assert!(processed + 20 >= acked, "seed {seed}: {processed} of {acked} processed\n{}", story.tell());
        unclean += story.marked("broker-unclean");
        truncated += story.marked("truncated");
        elected += story.marked("leader-elected");
    }
    assert!(unclean > 10 && elected > 50, "the rare states were not reached: {unclean} {truncated} {elected}");
}
