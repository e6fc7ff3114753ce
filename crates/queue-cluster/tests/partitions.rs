//! Stories of nodes that lose sight of each other (R-N1 to R-N4), and of mirrored queues (R-M8).

mod story;

use queue_cluster::*;
use sim::workload::Role;
use sim::{Crash, Nanos, NodeId};
use story::*;

fn mnesia(kind: &str, handling: PartitionHandling) -> Config {
    let mut settings = config(kind);
    settings.server.metadata_store = MetadataStore::Mnesia;
    settings.server.partition_handling = handling;
    settings
}

fn operate(story: &mut Story, operation: Operation) {
    story.cluster.operate(&operation).unwrap();
    story.run(Nanos::millis(100));
}

fn declare(name: &str) -> Operation {
    Operation::QueueDeclare {
        channel: Some("admin".into()),
        queue: name.into(),
        durable: true,
        exclusive: false,
        auto_delete: false,
        passive: false,
        arguments: Table::new(),
    }
}

fn names(story: &Story) -> Vec<String> {
    story.cluster.view().queues.iter().map(|queue| queue.name.clone()).collect()
}

fn node(story: &Story, node: usize) -> NodeView {
    story.cluster.view().nodes[node].clone()
}

#[test]
fn r_n1_a_silent_node_is_down_after_45_to_75_seconds() {
    for seed in 0..12 {
        let mut story = Story::new(seed, &config("classic"), &workload(10, None, Nanos::millis(1)));
        story.run(seconds(3));
        story.isolate(1, 3);
        let start = story.cluster.world().now();
        while story.marks("node-lost").is_empty() {
            story.run(seconds(1));
            assert!(story.cluster.world().now().since(start) < seconds(90));
        }
        let silent = story.marks("node-lost")[0].at.since(start);
        assert!(silent >= seconds(45) && silent <= seconds(76), "{silent}");
    }
}

#[test]
fn r_n2_ignore_leaves_two_sides_that_differ_until_one_is_restarted() {
    let mut settings = mnesia("classic", PartitionHandling::Ignore);
    settings.connections = vec!["admin".into()];
    let mut story = Story::new(1, &settings, &workload(50, None, Nanos::millis(1)));
    story.run(seconds(3));
    story.isolate(2, 3);
    story.run(seconds(100));
    assert!(node(&story, 2).running, "the minority carries on");
    operate(&mut story, declare("only-here"));
    story.heal();
    story.run(seconds(60));
    assert_eq!(story.marks("partition-detected").len(), 4, "each side finds it of each other node");
    assert_eq!(node(&story, 2).apart, [NodeId(0), NodeId(1)]);
    // Somebody restarts the node of the minority.
    story.cluster.world_mut().stop(NodeId(2));
    story.start(2);
    story.run(seconds(10));
    assert!(node(&story, 2).apart.is_empty());
    assert!(names(&story).contains(&"only-here".to_string()), "it has taken over what the others have");
}

#[test]
fn r_n2_pause_minority_stops_the_smaller_side_and_lets_it_go_on_by_itself() {
    let settings = mnesia("classic", PartitionHandling::PauseMinority);
    let mut story = Story::new(2, &settings, &workload(50, None, Nanos::millis(1)));
    story.run(seconds(3));
    story.isolate(2, 3);
    story.run(seconds(100));
    assert!(node(&story, 2).paused_by_strategy && !node(&story, 2).running);
    assert!(node(&story, 2).clients.is_empty(), "listeners and connections are closed");
    assert!(node(&story, 0).running && node(&story, 1).running);
    let consumer = story.cluster.view().consumers[0].clone();
    assert_ne!(consumer.connected, Some(NodeId(2)), "its client went elsewhere");
    story.heal();
    story.run(seconds(60));
    assert!(node(&story, 2).running, "it goes on by itself");
    assert!(story.marks("partition-detected").is_empty(), "nobody ran apart");
}

#[test]
fn r_n2_with_two_nodes_pause_minority_stops_both() {
    let mut settings = mnesia("classic", PartitionHandling::PauseMinority);
    settings.nodes = 2;
    settings.consumers[0].node = Some(0);
    let mut story = Story::new(3, &settings, &workload(50, None, Nanos::millis(1)));
    story.run(seconds(3));
    story.kill(0);
    story.run(seconds(3));
    assert!(node(&story, 1).paused_by_strategy, "one of two is no majority");
    story.start(0);
    story.run(seconds(20));
    assert!(node(&story, 0).running && node(&story, 1).running);
}

#[test]
fn r_n2_pause_if_all_down_looks_at_the_named_nodes_only() {
    let handling = PartitionHandling::PauseIfAllDown { nodes: vec![2], autoheal: false };
    let settings = mnesia("classic", handling);
    let mut story = Story::new(4, &settings, &workload(50, None, Nanos::millis(1)));
    story.run(seconds(3));
    story.isolate(2, 3);
    story.run(seconds(100));
    assert!(node(&story, 2).running, "the named node sees itself");
    assert!(node(&story, 0).paused_by_strategy && node(&story, 1).paused_by_strategy);
}

#[test]
fn r_n2_autoheal_restarts_the_side_with_fewer_clients() {
    let mut settings = mnesia("classic", PartitionHandling::Autoheal);
    settings.connections = vec!["admin".into()];
    settings.publishers[0].node = Some(2);
    settings.consumers[0].node = Some(2);
    let mut story = Story::new(5, &settings, &workload(50, None, Nanos::millis(1)));
    story.run(seconds(3));
    story.isolate(2, 3);
    story.run(seconds(100));
    operate(&mut story, declare("on-the-losing-side"));
    story.heal();
    story.run(seconds(60));
    let restarted: Vec<NodeId> = story.marks("autoheal-restart").iter().map(|mark| mark.node).collect();
    assert_eq!(restarted, [NodeId(0), NodeId(1)], "two clients outweigh two nodes with one");
    assert!((0..3).all(|n| node(&story, n).running && node(&story, n).apart.is_empty()));
    assert!(!names(&story).contains(&"on-the-losing-side".to_string()), "what the losers changed is gone");
}

#[test]
fn r_n3_with_khepri_a_minority_cannot_declare_and_says_so_after_30_seconds() {
    let mut settings = config("quorum");
    settings.connections = vec!["admin".into()];
    let mut story = Story::new(6, &settings, &workload(50, None, Nanos::millis(1)));
    story.run(seconds(3));
    operate(&mut story, declare("before"));
    assert!(names(&story).contains(&"before".to_string()));
    story.kill(1);
    story.kill(2);
    story.run(seconds(1));
    operate(&mut story, declare("too-late"));
    let closed = |story: &Story| {
        let seen = story.cluster.observed(&|_| 0);
        seen.iter().any(|(.., seen)| matches!(seen, Observed::ChannelClosed { code: 541, .. }))
    };
    story.run(seconds(28));
    assert!(!closed(&story), "it waits");
    story.run(seconds(3));
    assert!(closed(&story), "541 INTERNAL_ERROR after 30 s");
    story.start(1);
    story.run(seconds(10));
    operate(&mut story, declare("after"));
    story.run(seconds(1));
    assert!(names(&story).contains(&"after".to_string()), "with a majority it can again");
}

#[test]
fn r_n3_with_khepri_what_waits_in_time_is_done_when_the_majority_is_back() {
    let mut settings = config("quorum");
    settings.connections = vec!["admin".into()];
    let mut story = Story::new(7, &settings, &workload(50, None, Nanos::millis(1)));
    story.run(seconds(3));
    story.kill(1);
    story.kill(2);
    story.run(seconds(1));
    operate(&mut story, declare("patient"));
    assert!(!names(&story).contains(&"patient".to_string()));
    story.start(2);
    story.run(seconds(10));
    assert!(names(&story).contains(&"patient".to_string()));
    assert!(story.marks("connection-closed").is_empty());
}

#[test]
fn r_n4_a_quorum_queue_serves_on_the_side_of_the_majority_and_a_paused_node_has_no_member_at_work() {
    let settings = mnesia("quorum", PartitionHandling::PauseMinority);
    let mut story = Story::new(8, &settings, &workload(100, None, Nanos::millis(1)));
    story.run(seconds(3));
    story.isolate(0, 3);
    story.run(seconds(100));
    let leader = story.leader().unwrap();
    assert_ne!(leader, 0);
    assert!(node(&story, 0).paused_by_strategy);
    let before = story.ledger.processed.len();
    story.run(seconds(10));
    assert!(story.ledger.processed.len() > before + 500, "the majority goes on");
    story.heal();
    story.run(seconds(60));
    assert!(node(&story, 0).running);
    assert!(story.lost().is_empty());
}

/// A queue with a mirror on every node, by a policy that says this beside.
fn mirrored(definition: &[(&str, Value)]) -> Config {
    let mut settings = Config { rules: Rules::V3_10, server: ServerSettings::of(Rules::V3_10), ..config("classic") };
    let mut all = Table::from([("ha-mode".to_string(), Value::from("all"))]);
    all.extend(definition.iter().map(|(name, value)| ((*name).to_string(), value.clone())));
    settings.policies = vec![Policy {
        name: "ha".into(),
        pattern: Pattern::parse("^q").unwrap(),
        apply_to: ApplyTo::Queues,
        definition: all,
        priority: 0,
    }];
    settings
}

#[test]
fn r_m8_the_oldest_synchronised_mirror_takes_over_and_nothing_confirmed_is_lost() {
    for seed in 0..5 {
        let mut story = Story::new(seed, &mirrored(&[]), &workload(300, Some(2000), Nanos::millis(2)));
        story.run(seconds(3));
        let view = story.cluster.view();
        assert_eq!(view.queues[0].mirrors, [(NodeId(1), true), (NodeId(2), true)]);
        story.kill(0);
        story.run(seconds(2));
        assert_eq!(story.cluster.view().queues[0].leader, Some(NodeId(1)));
        story.run(seconds(20));
        assert_eq!(story.ledger.acknowledged.len(), 2000, "what was unconfirmed is confirmed by the new home");
        assert_eq!(story.ledger.processed.len(), 2000);
        assert!(story.lost().is_empty());
        assert!(!story.ledger.redelivered.is_empty(), "what was out with the consumer came again");
    }
}

#[test]
fn r_m8_a_message_is_confirmed_only_when_every_mirror_has_it() {
    let mut story = Story::new(1, &mirrored(&[]), &workload(100, None, Nanos::millis(1)));
    story.run(seconds(3));
    // A mirror that is frozen holds all confirms up, until it is taken for down.
    story.cluster.world_mut().pause(NodeId(2));
    story.run(seconds(2));
    let before = story.ledger.acknowledged.len();
    story.run(seconds(10));
    assert_eq!(story.ledger.acknowledged.len(), before);
    story.cluster.world_mut().resume(NodeId(2));
    story.run(seconds(5));
    assert!(story.ledger.acknowledged.len() > before + 500);
}

#[test]
fn r_m8_an_unsynchronised_mirror_that_takes_over_loses_what_it_lacks() {
    let lost = |policy: &str| {
        let exactly = [("ha-mode", "exactly".into()), ("ha-params", Value::Int(2))];
        let [mode, count] = exactly;
        let mut settings = mirrored(&[mode, count, ("ha-promote-on-failure", policy.into())]);
        settings.nodes = 2;
        settings.publishers[0].node = Some(0);
        settings.consumers.clear();
        let mut load = workload(100, Some(300), Nanos::millis(1));
        load.consumers.clear();
        let mut story = Story::new(2, &settings, &load);
        story.run(seconds(5));
        // The mirror's node is away for a moment: it comes back empty, and is not synchronised.
        story.kill(1);
        story.run(seconds(1));
        story.start(1);
        story.run(seconds(3));
        assert_eq!(story.cluster.view().queues[0].mirrors, [(NodeId(1), false)]);
        story.cluster.world_mut().crash(NodeId(0), Crash::Kill);
        story.run(seconds(3));
        (story.lost().len(), story.cluster.view().queues[0].available)
    };
    assert_eq!(lost("always"), (300, true), "available, and empty");
    assert_eq!(lost("when-synced"), (0, false), "down until its home is back, with all that was confirmed");
}

#[test]
fn r_m8_automatic_synchronisation_gives_a_new_mirror_everything() {
    let mut settings = mirrored(&[("ha-sync-mode", "automatic".into())]);
    settings.publishers[0].node = Some(0);
    settings.consumers.clear();
    let mut load = workload(100, Some(300), Nanos::millis(1));
    load.consumers.clear();
    let mut story = Story::new(3, &settings, &load);
    story.run(seconds(5));
    story.kill(1);
    story.kill(2);
    story.run(seconds(1));
    story.start(1);
    story.run(seconds(3));
    assert_eq!(story.cluster.view().queues[0].mirrors, [(NodeId(1), true)]);
    story.kill(0);
    story.run(seconds(2));
    assert_eq!(story.cluster.view().queues[0].leader, Some(NodeId(1)));
    assert!(story.lost().is_empty());
    assert!(story.cluster.view().publishers[0].id == story.client(Role::Producer(0)));
}
