//! Stories of too much: alarms, credit, heartbeats, overdue acknowledgements, dead letters that must arrive, and
//! members that come and go.

mod story;

use queue_cluster::*;
use sim::{Nanos, NodeId};
use story::*;

fn ordered(story: &mut Story, node: u16, order: ServerOrder) {
    story.cluster.order_server(NodeId(node), order).unwrap();
}

#[test]
fn r_m4_a_disk_alarm_on_one_node_blocks_publishers_on_all_and_consumers_go_on() {
    let mut settings = config("classic");
    settings.consumers[0].prefetch_count = 1;
    let mut story = Story::new(1, &settings, &workload(200, None, Nanos::millis(10)));
    story.run(seconds(5));
    ordered(&mut story, 2, ServerOrder::FillDisk { free: 1_000_000 });
    story.run(seconds(1));
    let view = story.cluster.view();
    assert_eq!(view.nodes[2].alarms, ["disk"]);
    assert!(view.publishers[0].blocked, "the publisher is on node 1, the alarm on node 2");
    let (acknowledged, processed) = (story.ledger.acknowledged.len(), story.ledger.processed.len());
    story.run(seconds(3));
    assert_eq!(story.ledger.acknowledged.len(), acknowledged);
    assert!(story.ledger.processed.len() > processed + 200, "consumers go on");
    ordered(&mut story, 2, ServerOrder::FillDisk { free: 1_000_000_000 });
    story.run(seconds(3));
    assert!(!story.cluster.view().publishers[0].blocked);
    assert!(story.ledger.acknowledged.len() > acknowledged + 500);
}

#[test]
fn r_m4_a_connection_that_does_not_publish_is_not_blocked() {
    let mut story = Story::new(2, &config("classic"), &workload(0, None, Nanos::millis(1)));
    story.run(seconds(2));
    ordered(&mut story, 0, ServerOrder::SetMemoryWatermark { percent: 1 });
    story.run(seconds(3));
    let view = story.cluster.view();
    assert_eq!(view.nodes[0].alarms, ["memory"], "100 MB are more than a hundredth of 4 GiB");
    assert!(view.nodes.iter().all(|node| node.blocked.is_empty()));
}

#[test]
fn r_m4_a_node_that_is_gone_takes_its_alarm_with_it() {
    let mut story = Story::new(3, &config("classic"), &workload(100, None, Nanos::millis(1)));
    story.run(seconds(2));
    ordered(&mut story, 2, ServerOrder::FillDisk { free: 0 });
    story.run(seconds(1));
    assert!(story.cluster.view().publishers[0].blocked);
    story.kill(2);
    story.run(seconds(1));
    assert!(!story.cluster.view().publishers[0].blocked);
}

#[test]
fn r_m3_a_publisher_without_confirms_that_is_faster_than_the_queue_is_in_flow() {
    let mut settings = config("classic");
    settings.publishers[0].confirms = false;
    settings.server.queue_cost = Nanos::millis(1);
    let mut story = Story::new(4, &settings, &workload(5000, None, Nanos::micros(10)));
    story.run(seconds(3));
    let view = story.cluster.view();
    assert!(!view.nodes[1].in_flow.is_empty(), "its connection is not read from");
    let slow = story.ledger.processed.len();
    assert!((2000..3000).contains(&slow), "the queue works as fast as it can: {slow}");
}

#[test]
fn r_p5_a_queue_takes_acknowledgements_before_the_publishes_that_wait() {
    let mut settings = config("classic");
    settings.server.queue_cost = Nanos::millis(1);
    settings.consumers[0].prefetch_count = 1;
    let mut story = Story::new(4, &settings, &workload(2000, None, Nanos::micros(10)));
    story.run(seconds(3));
    // Two hundred publishes wait at any time. Were acknowledgements to wait behind them, five a second would be done.
    assert!(story.ledger.processed.len() > 800, "{}", story.ledger.processed.len());
}

#[test]
fn r_m6_a_silent_client_is_given_up_after_two_to_three_heartbeats() {
    for seed in 0..6 {
        let mut settings = config("classic");
        settings.server.heartbeat = seconds(10);
        let mut story = Story::new(seed, &settings, &workload(0, None, Nanos::millis(1)));
        story.run(Nanos::millis(3000 + 1700 * seed));
        let consumer = story.client(sim::workload::Role::Consumer(0));
        story.cluster.world_mut().pause(consumer);
        let start = story.cluster.world().now();
        while !story.cluster.view().nodes[2].clients.is_empty() {
            story.run(Nanos::millis(500));
            assert!(story.cluster.world().now().since(start) < seconds(60));
        }
        let silent = story.cluster.world().now().since(start);
        // The last sign of life came up to half a heartbeat before the pause.
        assert!(silent >= seconds(15) && silent <= seconds(31), "{silent}");
    }
}

#[test]
fn r_k6_an_overdue_acknowledgement_costs_the_channel_within_a_minute_more() {
    let mut settings = config("classic");
    settings.server.consumer_timeout = seconds(100);
    settings.consumers[0].prefetch_count = 5;
    let mut story = Story::new(5, &settings, &workload(10, Some(5), seconds(1000)));
    story.run(seconds(95));
    assert_eq!(story.cluster.view().queues[0].unacked, 5);
    assert!(story.marks("channel-closed").is_empty());
    story.run(seconds(70));
    assert_eq!(story.marks("channel-closed").len(), 1);
    assert_eq!(story.marks("channel-closed")[0].values[0], "406");
}

fn rejecting(strategy: &str) -> Config {
    let mut settings = config("quorum");
    let arguments = &mut settings.queues[0].arguments;
    arguments.insert("x-dead-letter-exchange".into(), "".into());
    arguments.insert("x-dead-letter-routing-key".into(), "dead".into());
    arguments.insert("x-dead-letter-strategy".into(), strategy.into());
    arguments.insert("x-overflow".into(), "reject-publish".into());
    settings.queues.push(queue("dead", "classic", 2));
    settings.consumers[0].node = Some(1);
    settings.consumers[0].reject_every = 1;
    settings.consumers[0].requeue = false;
    settings
}

#[test]
fn r_u8_dead_letters_wait_for_their_target_at_least_once_and_are_lost_at_most_once() {
    let end = |strategy: &str| {
        let mut story = Story::new(6, &rejecting(strategy), &workload(100, Some(200), Nanos::millis(1)));
        story.run(seconds(2));
        // The home of the target is away while messages die.
        story.kill(2);
        story.run(seconds(5));
        let waiting = story.cluster.view().queues[0].dead_letters;
        story.start(2);
        story.run(seconds(400));
        let view = story.cluster.view();
        (waiting > 0, view.queues[0].dead_letters, view.queues[1].ready)
    };
    assert_eq!(end("at-least-once"), (true, 0, 200), "every dead letter arrived");
    let (waited, left, arrived) = end("at-most-once");
    assert!(!waited && left == 0 && arrived < 200, "those that died meanwhile are gone: {arrived} arrived");
}

#[test]
fn r_u8_with_drop_head_dead_letters_go_at_most_once() {
    let mut settings = rejecting("at-least-once");
    settings.queues[0].arguments.remove("x-overflow");
    let mut story = Story::new(7, &settings, &workload(100, Some(100), Nanos::millis(1)));
    story.run(seconds(2));
    story.kill(2);
    story.run(seconds(3));
    assert_eq!(story.cluster.view().queues[0].dead_letters, 0);
}

#[test]
fn r_u1_members_come_and_go_while_messages_flow() {
    let mut settings = config("quorum");
    settings.nodes = 5;
    let mut story = Story::new(8, &settings, &workload(200, Some(6000), Nanos::millis(1)));
    let members = |story: &Story| -> Vec<u16> {
        story.cluster.view().queues[0].members.iter().map(|member| member.node.0).collect()
    };
    story.run(seconds(3));
    assert_eq!(members(&story), [0, 1, 2]);
    ordered(&mut story, 3, ServerOrder::AddMember { queue: "q".into() });
    story.run(seconds(2));
    ordered(&mut story, 4, ServerOrder::AddMember { queue: "q".into() });
    story.run(seconds(2));
    assert_eq!(members(&story), [0, 1, 2, 3, 4]);
    let view = story.cluster.view();
    let ends: Vec<u64> = view.queues[0].members.iter().map(|member| member.commit).collect();
    assert!(ends.iter().all(|end| *end + 50 > ends[0]), "the new ones have caught up: {ends:?}");
    // The leader itself goes.
    ordered(&mut story, 0, ServerOrder::DeleteMember { queue: "q".into() });
    story.run(seconds(3));
    assert_eq!(members(&story), [1, 2, 3, 4]);
    assert!(story.leader().is_some_and(|leader| leader != 0));
    // Of five nodes the two that were members from the beginning die: the later ones carry the queue.
    ordered(&mut story, 1, ServerOrder::DeleteMember { queue: "q".into() });
    story.run(seconds(3));
    story.kill(2);
    story.run(seconds(30));
    assert_eq!(story.ledger.acknowledged.len(), 6000);
    assert_eq!(story.ledger.processed.len(), 6000);
    assert!(story.lost().is_empty());
    ordered(&mut story, 0, ServerOrder::DeleteMember { queue: "q".into() });
    story.run(seconds(1));
    assert_eq!(story.marks("members-refused").len(), 1, "it is no member");
}
