//! One story for each rule, told to a broker of one node through real connections.

mod broker;

use broker::*;
use queue_cluster::*;
use sim::Nanos;

#[test]
fn r_x7_unroutable_messages_come_back_before_their_confirm() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.confirms();
    assert_eq!(broker.publish("nobody", "m1"), "+m1");
    assert_eq!(broker.does(publish_with("", "nobody", "m2", true, PropertiesOf::default())), "?m2 +m2");
}

#[test]
fn r_c1_each_message_is_confirmed_by_its_number() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[]);
    broker.queue("r", &[quorum()]);
    broker.confirms();
    for number in 0..30 {
        let queue = if number % 3 == 0 { "r" } else { "q" };
        broker.cluster.operate(&publish("", queue, &format!("m{number}"))).unwrap();
    }
    let mut seen: Vec<String> = broker.waits(500).split(' ').map(String::from).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 30, "{seen:?}");
}

#[test]
fn r_c2_one_queue_that_refuses_is_enough_for_a_refusal_and_the_other_has_it() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("full", &[("x-max-length", 0.into()), ("x-overflow", "reject-publish".into())]);
    broker.queue("free", &[]);
    for queue in ["full", "free"] {
        broker.does(Operation::QueueBind {
            channel: None,
            queue: queue.into(),
            exchange: "amq.fanout".into(),
            routing_key: String::new(),
            arguments: Table::new(),
        });
    }
    broker.confirms();
    assert_eq!(broker.does(publish("amq.fanout", "", "m1")), "-m1");
    assert_eq!(broker.counts("free"), "free1/0");
}

#[test]
fn r_p1_a_window_is_each_consumers_own_and_a_global_one_is_shared() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[]);
    (1..=5).for_each(|n| drop(broker.publish("q", &format!("m{n}"))));
    assert_eq!(broker.consume("a", "q", 2), "a<m1 a<m2");
    assert_eq!(broker.ack("a", "m1"), "a<m3");
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[]);
    (1..=5).for_each(|n| drop(broker.publish("q", &format!("m{n}"))));
    broker.qos("a", 2, true);
    let consume = |tag: &str| Operation::BasicConsume {
        channel: Some("a".into()),
        queue: "q".into(),
        consumer: tag.into(),
        no_ack: false,
        exclusive: false,
        arguments: Table::new(),
    };
    assert_eq!(broker.does(consume("x")), "x<m1 x<m2");
    assert_eq!(broker.does(consume("y")), "");
    assert_eq!(broker.ack("a", "m1").len(), "x<m3".len(), "one of the two");
    let size = Operation::BasicQos { channel: Some("b".into()), prefetch_size: 9, prefetch_count: 0, global: false };
    assert_eq!(broker.does(size), "!b540");
}

#[test]
fn r_p2_replicated_queues_want_windows_of_their_own() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[quorum()]);
    broker.queue("s", &[("x-queue-type", "stream".into())]);
    broker.qos("a", 5, true);
    assert_eq!(broker.subscribe("a", "q", &[]), "!a540");
    assert_eq!(broker.consume("b", "s", 0), "!b406");
}

#[test]
fn r_p3_ready_consumers_in_turn_and_those_of_lower_priority_only_when_all_others_are_full() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[]);
    broker.consume("a", "q", 2);
    broker.consume("b", "q", 5);
    broker.consume_with("c", "q", 5, &[("x-priority", (-1).into())]);
    let seen: Vec<String> = (1..=8).map(|n| broker.publish("q", &format!("m{n}"))).collect();
    assert_eq!(seen, ["a<m1", "b<m2", "a<m3", "b<m4", "b<m5", "b<m6", "b<m7", "c<m8"]);
}

#[test]
fn r_p4_a_quorum_queues_consumer_stands_in_line_again_with_its_first_ack() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[quorum()]);
    broker.consume("a", "q", 1);
    broker.consume("b", "q", 1);
    assert_eq!([broker.publish("q", "m1"), broker.publish("q", "m2")], ["a<m1", "b<m2"]);
    broker.ack("b", "m2");
    broker.ack("a", "m1");
    assert_eq!([broker.publish("q", "m3"), broker.publish("q", "m4")], ["b<m3", "a<m4"]);
}

#[test]
fn r_p6_single_active_consumers_and_what_3_10_8_left_idle() {
    for (rules, after_cancel) in [(Rules::V4_2, "b<m2"), (Rules::V3_10, "")] {
        let mut broker = Broker::new(rules);
        broker.queue("q", &[("x-single-active-consumer", true.into())]);
        broker.consume("a", "q", 1);
        broker.consume("b", "q", 1);
        assert_eq!([broker.publish("q", "m1"), broker.publish("q", "m2")], ["a<m1", ""]);
        assert_eq!(broker.cancel("a"), after_cancel);
    }
    let mut broker = Broker::new(Rules::V3_10);
    broker.queue("q", &[("x-single-active-consumer", true.into())]);
    broker.confirms();
    broker.consume("a", "q", 1);
    broker.consume("b", "q", 1);
    broker.publish("q", "m1");
    broker.publish("q", "m2");
    broker.cancel("a");
    assert_eq!(broker.publish("q", "m3"), "-m3 b:x", "the queue's process crashes");
}

#[test]
fn r_p6_in_4_x_a_higher_priority_takes_over_once_the_active_one_holds_nothing() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[quorum(), ("x-single-active-consumer", true.into())]);
    broker.consume("a", "q", 5);
    assert_eq!(broker.publish("q", "m1"), "a<m1");
    broker.consume_with("b", "q", 5, &[("x-priority", 5.into())]);
    assert_eq!(broker.publish("q", "m2"), "");
    assert_eq!(broker.ack("a", "m1"), "b<m2");
}

#[test]
fn r_p7_a_cancelled_consumer_keeps_what_it_has() {
    for kind in ["classic", "quorum"] {
        let mut broker = Broker::new(Rules::V4_2);
        broker.queue("q", &[("x-queue-type", kind.into())]);
        broker.publish("q", "m1");
        assert_eq!(broker.consume("a", "q", 1), "a<m1");
        broker.cancel("a");
        assert_eq!(broker.consume("b", "q", 1), "");
        assert_eq!(broker.close("a"), "b<<m1", "{kind}");
    }
}

#[test]
fn r_k1_a_delivery_is_acknowledged_once() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[]);
    (1..=3).for_each(|n| drop(broker.publish("q", &format!("m{n}"))));
    broker.consume("a", "q", 0);
    assert_eq!(broker.ack_all("a", "m2"), "");
    assert_eq!(broker.ack("a", "m1"), "!a406");
    assert_eq!(broker.get("q"), "=m3", "what the closed channel held went back");
}

#[test]
fn r_k2_a_classic_queue_takes_a_message_back_to_its_place() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[]);
    (1..=3).for_each(|n| drop(broker.publish("q", &format!("m{n}"))));
    broker.consume("a", "q", 2);
    broker.cancel("a");
    broker.nack("a", "m2", true);
    broker.nack("a", "m1", true);
    assert_eq!([broker.get("q"), broker.get("q"), broker.get("q")], ["=m1", "=m2", "=m3"]);
}

#[test]
fn r_k3_a_quorum_queue_puts_returns_first_with_a_limit_and_last_without() {
    for (rules, first) in [(Rules::V4_2, "=m1"), (Rules::V3_10, "=m2")] {
        let mut broker = Broker::new(rules);
        broker.queue("q", &[quorum()]);
        (1..=2).for_each(|n| drop(broker.publish("q", &format!("m{n}"))));
        assert_eq!(broker.consume("a", "q", 1), "a<m1");
        broker.cancel("a");
        broker.nack("a", "m1", true);
        assert_eq!(broker.get("q"), first);
    }
}

#[test]
fn r_k5_redelivered_even_if_the_client_never_saw_it() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[]);
    broker.publish("q", "m1");
    broker.consume("a", "q", 1);
    broker.close("a");
    assert_eq!(broker.consume("b", "q", 1), "b<<m1");
}

#[test]
fn r_k6_a_delivery_that_is_not_acknowledged_in_time_costs_the_channel() {
    let mut broker = Broker::tuned(Rules::V4_2, |config| {
        config.server.consumer_timeout = Nanos::secs(40);
    });
    broker.queue("q", &[]);
    broker.publish("q", "m1");
    assert_eq!(broker.consume("a", "q", 1), "a<m1");
    assert_eq!(broker.waits(70_000), "!a406");
}

#[test]
fn r_k7_one_channel_one_queue_one_consumer_keeps_the_order() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[]);
    broker.consume("a", "q", 0);
    (0..50).for_each(|n| broker.cluster.operate(&publish("", "q", &format!("m{n}"))).unwrap());
    let expected: Vec<String> = (0..50).map(|n| format!("a<m{n}")).collect();
    assert_eq!(broker.waits(500), expected.join(" "));
}

#[test]
fn r_q4_exclusive_queues_go_with_their_connection_and_auto_delete_ones_with_their_last_consumer() {
    let mut broker = Broker::new(Rules::V4_2);
    let own = |exclusive: bool, name: &str| Operation::QueueDeclare {
        channel: Some("a".into()),
        queue: name.into(),
        durable: false,
        exclusive,
        auto_delete: !exclusive,
        passive: false,
        arguments: Table::new(),
    };
    broker.does(own(true, "mine"));
    assert_eq!(broker.consume("b", "mine", 1), "!b405");
    broker.does(own(false, "passing"));
    broker.consume("a", "passing", 1);
    broker.cancel("a");
    assert_eq!(broker.counts("passing"), "!setup404");
    broker.close("a");
    assert_eq!(broker.counts("mine"), "!setup404");
}
