//! A share group of four members with faults at random: no record is ever two members' at once; in the end every record
//! that was acknowledged to its producer is processed or archived by the rules, and nothing is stuck.

mod common;
use common::{Story, config, producer, workload};
use log_cluster::config::{Acks, ConsumerClient, SharePlan};
use sim::{Dice, Time};
use std::collections::BTreeMap;

const RUNS: u64 = 120;
const MEMBERS: usize = 4;

fn story(seed: u64, explicit: bool) -> Story {
    let mut config = config();
    config.topics[0].partitions = 3;
    config.topics[0].replica_assignment = Vec::new();
    config.producers = vec![producer(Acks::All)];
    let plan = SharePlan { release_every: 40, reject_every: 50, forget_every: 60, renew: false, by_hand: false };
    let share = Some(if explicit { plan } else { SharePlan::default() });
    let mut client = ConsumerClient { topics: vec!["orders".into()], share, ..ConsumerClient::default() };
    if explicit {
        client.config.set("share.acknowledgement.mode", "explicit").unwrap();
        client.config.set("share.acquire.mode", "record_limit").unwrap();
        client.config.set("max.poll.records", "5").unwrap();
    }
    config.consumers = vec![client; MEMBERS];
    config.groups.entry("group".into()).or_default().set("share.auto.offset.reset", "earliest").unwrap();
    config.broker.set("offsets.topic.num.partitions", "1").unwrap();
    for (name, value) in [
        ("share.coordinator.state.topic.num.partitions", "3"),
        ("group.share.min.session.timeout.ms", "6000"),
        ("group.share.session.timeout.ms", "6000"),
        ("group.share.min.heartbeat.interval.ms", "1000"),
        ("group.share.heartbeat.interval.ms", "1000"),
        ("group.share.min.record.lock.duration.ms", "3000"),
        ("group.share.record.lock.duration.ms", "3000"),
    ] {
        config.share.set(name, value).unwrap();
    }
    let mut workload = workload(20, 1, MEMBERS);
    workload.producers[0].limit = Some(600);
    Story::seeded(seed, &config, &workload)
}

fn disturb(story: &mut Story, dice: &mut Dice) {
    let member = format!("consumer-{}", 1 + dice.below(MEMBERS as u64));
    let broker = format!("broker-{}", 1 + dice.below(3));
    let wait = 1_000 + dice.below(10_000);
    match dice.below(7) {
        0 => story.kill(&member),
        1 => story.stop(&member),
        2 => story.pause(&member),
        3 => story.cut(&member, &broker),
        4 => story.kill(&broker),
        5 => story.stop(&broker),
        _ => story.pause(&broker),
    }
    story.run_for(wait);
    story.resume(&member);
    story.resume(&broker);
    story.heal(&member, &broker);
    story.start(&member);
    story.start(&broker);
}

fn swarm(explicit: bool) {
    let (mut twice, mut archived) = (0, 0);
    for seed in 0..RUNS {
        let mut story = story(seed, explicit);
        let mut dice = Dice::named(seed, "share", &[]);
        story.run_for(3_000);
        for _ in 0..3 {
            disturb(&mut story, &mut dice);
            story.run_for(dice.below(6_000));
        }
        story.run_for(90_000);
        let view = story.view();
        assert_eq!((view.groups[0].state, view.groups[0].members.len()), ("Stable", 4), "seed {seed} {}", story.tell());
        for share in &view.shares {
            let still = (share.end - share.start, share.acquired, share.available);
            assert_eq!(still, (0, 0, 0), "seed {seed}: {share:?} {}", story.tell());
        }
        assert_eq!(view.shares.len(), 3, "seed {seed} {}", story.tell());
        for (id, fate) in story.fates.iter().filter(|(_, fate)| fate.acknowledged) {
            let done = !fate.processed.is_empty() || fate.deleted;
            assert!(done, "seed {seed}: {id:?} {fate:?} {}", story.tell());
            archived += usize::from(fate.processed.is_empty());
            twice += usize::from(fate.processed.values().any(|times| *times > 1));
        }
        assert_eq!(story.lost().len(), 0, "seed {seed}");
    }
    assert!(twice > 0 && (archived > 0) == explicit, "{twice} {archived}");
}

#[test]
fn k_h4_whatever_breaks_every_record_is_accepted_or_archived_by_the_rules() {
    swarm(false);
}

#[test]
fn k_h2_the_same_when_applications_release_reject_and_forget() {
    swarm(true);
}

/// What members have in their hands, as the partitions' leaders count it.
fn holders(story: &Story) -> BTreeMap<(u32, u64), usize> {
    let mut held = BTreeMap::new();
    for member in &story.view().consumers {
        for (partition, offset, _) in member.share.iter().flat_map(|share| &share.records) {
            *held.entry((*partition, *offset)).or_insert(0) += 1;
        }
    }
    held
}

#[test]
fn k_h2_while_its_lock_holds_a_record_is_one_members() {
    for seed in 0..100 {
        let mut story = story(seed, true);
        let mut dice = Dice::named(seed, "owners", &[]);
        while story.cluster.world().now() < Time(30_000_000_000) {
            story.run_for(50);
            assert!(holders(&story).values().all(|count| *count == 1), "seed {seed} {}", story.tell());
            if dice.below(60) == 0 {
                let member = format!("consumer-{}", 1 + dice.below(MEMBERS as u64));
                story.kill(&member);
                story.run_for(20);
                story.start(&member);
            }
        }
        assert!(story.processed() > 300, "seed {seed} {}", story.tell());
    }
}
