//! Stories of nodes that fail, and of what the queues' kinds make of it.

mod story;

use queue_cluster::*;
use sim::{Nanos, NodeId, Time};
use story::*;

#[test]
fn r_c4_a_quorum_queue_confirms_what_a_majority_has_and_delivers_all() {
    let mut story = Story::new(1, &config("quorum"), &workload(300, Some(900), Nanos::millis(2)));
    story.run(seconds(6));
    let ledger = &story.ledger;
    assert_eq!((ledger.acknowledged.len(), ledger.processed.len()), (900, 900));
    assert!(ledger.processed.values().all(|times| *times == 1));
    let queue = &story.cluster.view().queues[0];
    assert_eq!((queue.ready, queue.unacked, queue.members.len()), (0, 0, 3));
}

#[test]
fn r_u1_kill_9_of_a_quorum_queues_leader_loses_nothing_that_was_confirmed() {
    for seed in 0..5 {
        let mut story = Story::new(seed, &config("quorum"), &workload(500, Some(3000), Nanos::millis(1)));
        story.run(seconds(3));
        let leader = story.leader().unwrap();
        assert_eq!(leader, 0, "the declaring node leads");
        story.kill(leader);
        story.run(Nanos::millis(1500));
        let next = story.leader().expect("R-U2: a new leader within about a second");
        assert_ne!(next, leader);
        story.run(seconds(10));
        assert_eq!(story.ledger.acknowledged.len(), 3000, "the publisher got all its confirms in the end");
        assert_eq!(story.ledger.processed.len(), 3000);
        assert!(story.lost().is_empty());
    }
}

#[test]
fn r_u2_a_killed_leader_is_replaced_at_once_and_a_silent_one_after_seconds() {
    let failover = |silent: bool| {
        let mut story = Story::new(7, &config("quorum"), &workload(100, None, Nanos::millis(1)));
        story.run(seconds(3));
        if silent {
            story.isolate(0, 3);
        } else {
            story.kill(0);
        }
        let start = story.cluster.world().now();
        loop {
            story.run(Nanos::millis(20));
            let view = story.cluster.view();
            let members = &view.queues[0].members;
            if members.iter().any(|member| member.leads && member.node != NodeId(0)) {
                return story.cluster.world().now().since(start);
            }
            assert!(story.cluster.world().now().since(start) < seconds(30));
        }
    };
    let (killed, silent) = (failover(false), failover(true));
    assert!(killed < Nanos::millis(1300), "{killed}");
    assert!(silent > seconds(3) && silent < seconds(12), "{silent}");
}

#[test]
fn r_u3_without_a_majority_nothing_is_confirmed_and_the_connection_is_in_flow() {
    let mut story = Story::new(3, &config("quorum"), &workload(200, None, Nanos::millis(1)));
    story.run(seconds(3));
    story.kill(0);
    story.kill(2);
    story.run(seconds(2));
    let before = story.ledger.acknowledged.len();
    story.run(seconds(5));
    assert_eq!(story.ledger.acknowledged.len(), before);
    let view = story.cluster.view();
    assert!(!view.queues[0].available);
    assert!(!view.nodes[1].in_flow.is_empty(), "the soft limit of commands is reached");
    story.start(0);
    story.start(2);
    story.run(seconds(15));
    assert!(story.ledger.acknowledged.len() > before + 1000, "it recovers by itself");
    assert!(story.lost().is_empty());
}

#[test]
fn r_u3_a_leader_in_a_minority_cannot_commit_and_its_entries_give_way() {
    let mut settings = config("quorum");
    settings.publishers[0].node = Some(0);
    let mut story = Story::new(4, &settings, &workload(200, Some(2000), Nanos::millis(1)));
    story.run(seconds(3));
    story.isolate(0, 3);
    story.run(seconds(10));
    let view = story.cluster.view();
    let leader = view.queues[0].members.iter().filter(|member| member.leads).max_by_key(|member| member.term);
    assert_ne!(leader.unwrap().node, NodeId(0));
    story.heal();
    story.run(seconds(60));
    assert_eq!(story.ledger.processed.len(), 2000);
    assert!(story.ledger.processed.values().all(|times| *times == 1), "no message is there twice within a session");
    assert!(story.lost().is_empty());
}

#[test]
fn r_u4_what_consumers_hold_survives_a_change_of_leader() {
    let mut settings = config("quorum");
    settings.consumers[0].prefetch_count = 10;
    let mut story = Story::new(5, &settings, &workload(20, Some(60), Nanos::millis(400)));
    story.run(seconds(4));
    let held = |story: &Story| story.cluster.view().consumers[0].unacked.clone();
    let before = held(&story);
    assert_eq!(before.len(), 10);
    story.kill(0);
    story.run(Nanos::millis(1500));
    let after = held(&story);
    assert!(after.iter().filter(|id| before.contains(id)).count() >= 5, "it still holds the same messages");
    story.run(seconds(40));
    assert!(story.ledger.processed.values().all(|times| *times == 1), "none came twice");
    assert_eq!(story.ledger.processed.len(), 60);
}

#[test]
fn r_u4_messages_of_consumers_on_a_dead_node_return() {
    let mut story = Story::new(6, &config("quorum"), &workload(100, Some(500), Nanos::millis(5)));
    story.run(seconds(3));
    story.kill(2);
    story.run(seconds(15));
    assert_eq!(story.ledger.processed.len(), 500, "the consumer went to another node and had them again");
    assert!(!story.ledger.redelivered.is_empty());
}

#[test]
fn r_q3_a_classic_queue_is_down_with_its_home_and_back_with_it() {
    let mut story = Story::new(8, &config("classic"), &workload(200, None, Nanos::millis(1)));
    story.run(seconds(3));
    assert!(story.ledger.refused.is_empty());
    story.kill(0);
    story.run(seconds(3));
    assert!(!story.cluster.view().queues[0].available);
    assert!(!story.ledger.refused.is_empty(), "publishes to a queue whose home is down are refused");
    assert_eq!(story.marks("queue-down").len(), 2, "both other nodes see it");
    story.start(0);
    let before = story.ledger.processed.len();
    story.run(seconds(10));
    assert!(story.ledger.processed.len() > before + 500);
    assert!(story.lost().is_empty(), "kill -9 does not take the page cache");
}

#[test]
fn r_q2_a_power_loss_takes_confirmed_messages_of_a_classic_queue() {
    let mut settings = config("classic");
    settings.consumers.clear();
    let mut load = workload(200, Some(1500), Nanos::millis(1));
    load.consumers.clear();
    let outcome = |power: bool| {
        let mut story = Story::new(9, &settings, &load);
        story.run(seconds(4));
        if power {
            story.cut_power(0);
        } else {
            story.kill(0);
        }
        story.start(0);
        story.run(seconds(1));
        story.lost().len()
    };
    assert_eq!(outcome(false), 0, "written is enough when only the process dies");
    assert!(outcome(true) > 0, "and is not when the machine does: version 2 confirms without a flush");
}

#[test]
fn r_c3_before_4_0_a_classic_queue_confirms_only_what_is_flushed() {
    let mut settings = Config { rules: Rules::V3_10, server: ServerSettings::of(Rules::V3_10), ..config("classic") };
    settings.consumers.clear();
    let mut load = workload(200, Some(1500), Nanos::millis(1));
    load.consumers.clear();
    let mut story = Story::new(9, &settings, &load);
    story.run(seconds(4));
    story.cut_power(0);
    story.start(0);
    story.run(seconds(1));
    assert!(story.ledger.acknowledged.len() > 500);
    assert!(story.lost().is_empty());
}

#[test]
fn r_c4_a_quorum_queue_survives_the_loss_of_power_on_all_nodes() {
    let mut settings = config("quorum");
    settings.consumers.clear();
    let mut load = workload(300, Some(900), Nanos::millis(1));
    load.consumers.clear();
    let mut story = Story::new(10, &settings, &load);
    story.run(seconds(2));
    (0..3).for_each(|node| story.cut_power(node));
    (0..3).for_each(|node| story.start(node));
    story.run(seconds(30));
    assert_eq!(story.ledger.acknowledged.len(), 900);
    assert!(story.lost().is_empty());
    assert!(story.cluster.view().queues[0].ready >= 900);
}

/// A stream with 900 confirmed messages and no reader; `power` goes on these nodes at once, after a wait.
fn stream_after(seed: u64, wait: Nanos, power: &[u16]) -> Story {
    let mut settings = config("stream");
    settings.consumers.clear();
    let mut load = workload(300, Some(900), Nanos::millis(1));
    load.consumers.clear();
    let mut story = Story::new(seed, &settings, &load);
    story.run(seconds(8) + wait);
    assert_eq!(story.ledger.acknowledged.len(), 900);
    power.iter().for_each(|node| story.cut_power(*node));
    story.run(seconds(2));
    power.iter().for_each(|node| story.start(*node));
    story.run(seconds(30));
    story
}

#[test]
fn r_s1_a_stream_waits_for_no_disk_and_loses_what_all_its_members_lose() {
    let lost = |wait: u64, power: &[u16]| stream_after(12, seconds(wait), power).lost().len();
    assert_eq!(lost(0, &[0]), 0, "two members have all of it");
    assert_eq!(lost(0, &[0, 1, 2]), 900, "nobody had it on the disk");
    assert_eq!(lost(40, &[0, 1, 2]), 0, "the operating system had written it back");
}

#[test]
fn r_s1_a_member_gives_up_what_the_new_leader_lost() {
    let mut settings = config("stream");
    settings.consumers.clear();
    settings.server.snapshot_every = 100;
    let mut load = workload(300, Some(12_000), Nanos::millis(1));
    load.consumers.clear();
    let mut given_up = 0;
    for seed in 0..60 {
        let mut story = Story::new(seed, &settings, &load);
        // Some of it is on the disk, at other places on each member, when two lose power; the third has all of it, yet
        // sleeps while the two agree.
        story.run(seconds(30) + Nanos::millis(seed * 450));
        let survivor = (seed % 3) as u16;
        let pair = [(survivor + 1) % 3, (survivor + 2) % 3];
        pair.iter().for_each(|node| story.cut_power(*node));
        story.cluster.world_mut().pause(NodeId(survivor));
        pair.iter().for_each(|node| story.start(*node));
        story.run(seconds(40));
        story.cluster.world_mut().resume(NodeId(survivor));
        story.run(seconds(60));
        let logs = story.cluster.member_logs("q");
        let ends = |log: &MemberLog| (log.base + log.entries.len() as u64, log.commit);
        assert!(logs.iter().any(|log| log.leads), "seed {seed}: nobody leads");
        assert!(logs.iter().all(|log| ends(log) == ends(&logs[0])), "seed {seed}: they differ");
        let (lost, kept) = (story.lost().len() as u64, story.cluster.view().queues[0].ready);
        let confirmed = story.ledger.acknowledged.len() as u64;
        assert!(confirmed > 5_000 && confirmed <= lost + kept, "seed {seed}: {confirmed} confirmed, {kept} kept");
        given_up += u64::from(lost > 0);
    }
    assert!(given_up > 40, "only {given_up} of 60 lost anything");
}

#[test]
fn r_p1_a_shared_limit_counts_what_comes_from_queues_on_other_nodes() {
    // The queue lives on node 0, the channel on node 2.
    let mut settings = config("classic");
    (settings.consumers[0].global, settings.consumers[0].prefetch_count) = (true, 5);
    let mut story = Story::new(13, &settings, &workload(100, Some(60), Nanos::millis(100)));
    for _ in 0..20 {
        story.run(Nanos::millis(200));
        let unacked = story.cluster.view().queues[0].unacked;
        assert!(unacked <= 5, "{unacked} unacked");
    }
    assert!(story.ledger.processed.len() > 25);
    story.run(seconds(10));
    assert_eq!(story.ledger.processed.len(), 60);
    // The limit's own node goes, and comes back: nothing waits for an answer that never comes.
    let mut story = Story::new(14, &settings, &workload(100, Some(300), Nanos::millis(10)));
    story.run(seconds(2));
    story.kill(2);
    story.run(seconds(3));
    story.start(2);
    story.run(seconds(20));
    assert_eq!(story.ledger.processed.len(), 300);
}

#[test]
fn r_q1_transient_messages_are_gone_after_a_restart() {
    let mut settings = config("classic");
    settings.publishers[0].persistent = false;
    settings.consumers.clear();
    let mut load = workload(100, Some(100), Nanos::millis(1));
    load.consumers.clear();
    let mut story = Story::new(11, &settings, &load);
    story.run(seconds(3));
    assert_eq!(story.ledger.acknowledged.len(), 100);
    story.cluster.world_mut().stop(NodeId(0));
    story.start(0);
    story.run(seconds(1));
    assert_eq!(story.lost().len(), 100);
}

#[test]
fn r_k4_a_killed_consumers_messages_return_at_once_and_a_silent_ones_after_heartbeats() {
    let returned = |pause: bool| {
        let mut settings = config("classic");
        settings.consumers[0].prefetch_count = 50;
        let mut story = Story::new(12, &settings, &workload(100, Some(100), seconds(1000)));
        story.run(seconds(3));
        assert_eq!(story.cluster.view().queues[0].unacked, 50);
        let consumer = story.client(sim::workload::Role::Consumer(0));
        if pause {
            story.cluster.world_mut().pause(consumer);
        } else {
            story.cluster.world_mut().crash(consumer, sim::Crash::Kill);
        }
        let start = story.cluster.world().now();
        while story.cluster.view().queues[0].unacked > 0 {
            story.run(seconds(1));
            assert!(story.cluster.world().now().since(start) < seconds(400));
        }
        story.cluster.world().now().since(start)
    };
    assert!(returned(false) <= seconds(1));
    let silent = returned(true);
    assert!(silent >= seconds(90) && silent <= seconds(190), "R-M6: {silent}");
}

#[test]
fn a_run_is_the_same_every_time() {
    let digest = || {
        let mut story = Story::new(13, &config("quorum"), &workload(200, Some(500), Nanos::millis(2)));
        story.run(seconds(2));
        story.kill(0);
        story.run(seconds(5));
        story.start(0);
        story.run(seconds(5));
        (story.cluster.world().digest(), story.cluster.world().events())
    };
    assert_eq!(digest(), digest());
}

#[test]
fn memory_is_bounded_by_what_is_outstanding() {
    let mut settings = config("quorum");
    settings.server.snapshot_every = 500;
    let mut story = Story::new(14, &settings, &workload(2000, None, Nanos::micros(100)));
    story.run(seconds(10));
    let view = story.cluster.view();
    assert!(story.ledger.processed.len() > 15_000, "{}", story.ledger.processed.len());
    assert!(view.queues[0].ready < 500);
    let _ = Time::ZERO;
}

#[test]
fn r_c5_what_was_unconfirmed_is_sent_again_and_may_be_there_twice() {
    let twice = |resend: bool| {
        let mut settings = config("classic");
        settings.publishers[0].resend_unconfirmed = resend;
        settings.publishers[0].node = Some(1);
        let mut story = Story::new(15, &settings, &workload(2000, Some(6000), Nanos::micros(50)));
        story.run(seconds(2));
        story.kill(1);
        story.run(seconds(20));
        let unknown = story.ledger.produced.len() - story.ledger.acknowledged.len() - story.ledger.refused.len();
        (story.ledger.processed.values().any(|times| *times > 1), unknown)
    };
    assert_eq!(twice(true), (true, 0));
    let (duplicates, unknown) = twice(false);
    assert!(!duplicates && unknown > 0, "without resending some stay unknown for good: {unknown}");
}

#[test]
fn r_m7_clients_connect_again_to_another_node_after_the_recovery_interval() {
    let mut settings = config("quorum");
    settings.client.recovery_interval = seconds(5);
    let mut story = Story::new(16, &settings, &workload(100, None, Nanos::millis(1)));
    story.run(seconds(3));
    story.kill(1);
    story.run(seconds(4));
    assert_eq!(story.cluster.view().publishers[0].connected, None);
    story.run(seconds(2));
    assert_eq!(story.cluster.view().publishers[0].connected, Some(NodeId(2)));
    assert!(story.ledger.processed.len() > 300);
}

#[test]
fn r_m6_a_client_gives_up_a_server_that_is_silent_for_two_heartbeats() {
    let mut settings = config("quorum");
    settings.server.heartbeat = seconds(10);
    let mut story = Story::new(17, &settings, &workload(50, None, Nanos::millis(1)));
    story.run(seconds(3));
    story.cluster.world_mut().pause(NodeId(1));
    story.run(seconds(15));
    assert_eq!(story.cluster.view().publishers[0].connected, Some(NodeId(1)), "not yet");
    story.run(seconds(20));
    assert_eq!(story.cluster.view().publishers[0].connected, Some(NodeId(2)));
}

#[test]
fn r_n1_a_closed_connection_between_nodes_is_seen_at_once_and_silence_after_net_ticktime() {
    let sees = |story: &Story| story.cluster.view().nodes[0].sees.contains(&NodeId(1));
    let mut story = Story::new(18, &config("classic"), &workload(10, None, Nanos::millis(1)));
    story.run(seconds(2));
    assert!(sees(&story));
    story.kill(1);
    story.run(Nanos::millis(10));
    assert!(!sees(&story));
    let mut story = Story::new(18, &config("classic"), &workload(10, None, Nanos::millis(1)));
    story.run(seconds(2));
    story.isolate(1, 3);
    story.run(seconds(40));
    assert!(story.marks("node-lost").is_empty(), "only suspected");
    story.run(seconds(40));
    assert!(!story.marks("node-lost").is_empty());
}

#[test]
fn a_follower_that_slept_does_not_unseat_the_leader() {
    let mut story = Story::new(19, &config("quorum"), &workload(50, None, Nanos::millis(1)));
    story.run(seconds(3));
    let term = |story: &Story| story.cluster.view().queues[0].members.iter().map(|member| member.term).max();
    let before = term(&story);
    story.cluster.world_mut().pause(NodeId(2));
    story.run(seconds(8));
    story.cluster.world_mut().resume(NodeId(2));
    story.run(seconds(10));
    assert_eq!((story.leader(), term(&story)), (Some(0), before));
}
