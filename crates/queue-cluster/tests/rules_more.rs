//! One story for each rule, continued: the second half of `rules.rs`.

mod broker;

use broker::*;
use queue_cluster::*;
use sim::{Crash, Nanos, NodeId};

#[test]
fn r_q5_a_queue_is_declared_again_only_as_it_is() {
    let mut broker = Broker::new(Rules::V4_2);
    assert_eq!(broker.queue("q", &[("x-max-length", 3.into())]), "");
    assert_eq!(broker.queue("q", &[("x-max-length", 3.into())]), "");
    assert_eq!(broker.queue("q", &[("x-max-length", 4.into())]), "!setup406");
}

#[test]
fn r_t1_only_the_head_expires() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("dead", &[]);
    broker.queue("q", &dead_to("dead"));
    broker.does(publish_with("", "q", "long", false, expiring(5000)));
    broker.does(publish_with("", "q", "short", false, expiring(100)));
    broker.waits(1000);
    assert_eq!([broker.counts("q"), broker.counts("dead")], ["q2/0", "dead0/0"]);
    assert_eq!(broker.get("q"), "=long");
    assert_eq!([broker.counts("q"), broker.counts("dead")], ["q0/0", "dead1/0"]);
}

#[test]
fn r_t2_an_unused_queue_goes() {
    for kind in ["classic", "quorum"] {
        let mut broker = Broker::new(Rules::V4_2);
        broker.queue("q", &[("x-expires", 500.into()), ("x-queue-type", kind.into())]);
        broker.consume("a", "q", 1);
        broker.waits(2000);
        assert_eq!(broker.counts("q"), "q0/1", "{kind}: a consumer keeps it");
        broker.close("a");
        broker.waits(1000);
        assert_eq!(broker.counts("q"), "!setup404", "{kind}");
    }
}

#[test]
fn r_t3_the_head_is_dropped_or_the_newest_refused() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("head", &[("x-max-length", 2.into())]);
    broker.queue("new", &[("x-max-length", 2.into()), ("x-overflow", "reject-publish".into())]);
    broker.confirms();
    let seen = |queue: &str, broker: &mut Broker| -> Vec<String> {
        (1..=3).map(|n| broker.publish(queue, &format!("m{n}"))).collect()
    };
    assert_eq!(seen("head", &mut broker), ["+m1", "+m2", "+m3"]);
    assert_eq!(broker.get("head"), "=m2");
    assert_eq!(seen("new", &mut broker), ["+m1", "+m2", "-m3"]);
}

#[test]
fn r_u9_a_quorum_queue_takes_one_more_than_its_length_and_refuses_until_a_fifth_is_free() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[quorum(), ("x-max-length", 5.into()), ("x-overflow", "reject-publish".into())]);
    broker.confirms();
    let seen: Vec<String> = (1..=7).map(|n| broker.publish("q", &format!("m{n}"))).collect();
    assert_eq!(seen, ["+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "-m7"]);
    broker.get("q");
    assert_eq!(broker.publish("q", "m8"), "-m8");
    broker.get("q");
    assert_eq!(broker.publish("q", "m9"), "+m9");
}

#[test]
fn r_t4_rejected_messages_go_to_the_dead_letter_exchange_with_their_key() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("dead", &[]);
    broker.queue("q", &dead_to("dead"));
    broker.publish("q", "m1");
    broker.consume("a", "q", 1);
    broker.consume("b", "dead", 1);
    assert_eq!(broker.nack("a", "m1", false), "b<m1");
}

#[test]
fn r_t5_deaths_are_counted_by_queue_and_reason() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &dead_to("q"));
    broker.publish("q", "m1");
    broker.consume("a", "q", 1);
    assert_eq!(broker.nack("a", "m1", false), "a<m1", "a circle of rejections goes on");
    broker.nack("a", "m1", false);
    let seen = broker.cluster.observed(&|_| 0);
    let Some((_, _, Observed::Delivered { deaths, .. })) = seen.last() else { panic!("no delivery") };
    assert_eq!(deaths.len(), 1);
    assert_eq!((deaths[0].count, deaths[0].reason), (2, "rejected"));
}

#[test]
fn r_t6_a_circle_of_expiries_is_cut() {
    let mut broker = Broker::new(Rules::V4_2);
    let mut arguments = dead_to("q").to_vec();
    arguments.push(("x-message-ttl", 100.into()));
    broker.queue("q", &arguments);
    broker.publish("q", "m1");
    broker.waits(1000);
    assert_eq!(broker.counts("q"), "q0/0");
}

#[test]
fn r_m1_a_priority_queue_gives_the_highest_first_and_drops_it_first() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[("x-max-priority", 3.into()), ("x-max-length", 3.into())]);
    for (level, message) in [(1, "one"), (2, "two"), (3, "three"), (9, "nine")] {
        broker.does(publish_with("", "q", message, false, priority(level)));
    }
    assert_eq!([broker.get("q"), broker.get("q"), broker.get("q")], ["=nine", "=two", "=one"]);
}

#[test]
fn r_m5_a_direct_reply_goes_to_the_channel_that_asked() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("rpc", &[]);
    broker.does(Operation::BasicConsume {
        channel: Some("p".into()),
        queue: "amq.rabbitmq.reply-to".into(),
        consumer: "answers".into(),
        no_ack: true,
        exclusive: false,
        arguments: Table::new(),
    });
    broker.consume("a", "rpc", 1);
    let asks = PropertiesOf { reply_to: Some("amq.rabbitmq.reply-to".into()), ..PropertiesOf::default() };
    assert_eq!(broker.does(publish_with("", "rpc", "ask", false, asks)), "a<ask");
    let seen = broker.cluster.observed(&|_| 0);
    let Some((_, _, Observed::Delivered { reply_to: Some(address), .. })) = seen.last() else { panic!("no address") };
    let address = address.to_string();
    let reply = Operation::BasicPublish {
        channel: Some("a".into()),
        exchange: String::new(),
        routing_key: address,
        message: "reply".into(),
        mandatory: false,
        bytes: None,
        properties: PropertiesOf::default(),
    };
    assert_eq!(broker.does(reply.clone()), "answers<reply");
    broker.close("p");
    assert_eq!(broker.does(reply), "", "dropped when the asker is gone");
}

#[test]
fn r_u5_a_message_returned_too_often_is_dead() {
    for (rules, limit) in [(Rules::V4_2, 20), (Rules::V3_10, usize::MAX)] {
        let mut broker = Broker::new(rules);
        broker.queue("dead", &[]);
        let mut arguments = dead_to("dead").to_vec();
        arguments.push(quorum());
        broker.queue("q", &arguments);
        broker.publish("q", "m1");
        broker.consume("a", "q", 1);
        let returns = (0..30).take_while(|_| broker.nack("a", "m1", true) == "a<<m1").count();
        assert_eq!(returns, limit.min(30), "{rules:?}");
    }
}

#[test]
fn r_u6_two_high_ones_and_a_normal_one() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[quorum()]);
    for (level, message) in [(5, "hi1"), (4, "no2"), (9, "hi3"), (0, "no4"), (7, "hi5")] {
        broker.does(publish_with("", "q", message, false, priority(level)));
    }
    let got: Vec<String> = (0..5).map(|_| broker.get("q")).collect();
    assert_eq!(got, ["=hi1", "=hi3", "=no2", "=hi5", "=no4"]);
}

#[test]
fn r_u7_what_a_quorum_queue_does_not_have() {
    let mut broker = Broker::new(Rules::V4_2);
    assert_eq!(broker.queue("q", &[quorum(), ("x-max-priority", 3.into())]), "!setup406");
    assert_eq!(broker.queue("q", &[quorum(), ("x-overflow", "reject-publish-dlx".into())]), "!setup406");
    let mut transient = declare("q", &[quorum()]);
    if let Operation::QueueDeclare { durable, .. } = &mut transient {
        *durable = false;
    }
    assert_eq!(broker.does(transient), "!setup406");
}

#[test]
fn r_s1_streams_are_read_from_anywhere_again_and_again() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("s", &[("x-queue-type", "stream".into())]);
    (0..4).for_each(|n| drop(broker.publish("s", &format!("m{n}"))));
    assert_eq!(broker.consume_with("a", "s", 9, &[("x-stream-offset", "first".into())]), "a<m0 a<m1 a<m2 a<m3");
    assert_eq!(broker.consume_with("b", "s", 9, &[("x-stream-offset", 2.into())]), "b<m2 b<m3");
    assert_eq!(broker.consume_with("c", "s", 9, &[("x-stream-offset", "next".into())]), "");
}

#[test]
fn r_s2_an_ack_to_a_stream_is_credit() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("s", &[("x-queue-type", "stream".into())]);
    (0..4).for_each(|n| drop(broker.publish("s", &format!("m{n}"))));
    assert_eq!(broker.consume_with("a", "s", 1, &[("x-stream-offset", "first".into())]), "a<m0");
    assert_eq!(broker.ack("a", "m0"), "a<m1");
    assert_eq!(broker.consume_with("b", "s", 1, &[("x-stream-offset", "first".into())]), "b<m0");
}

#[test]
fn r_c3_3_10_waits_for_the_disk_and_4_2_does_not() {
    let confirmed_after = |rules: Rules| {
        let mut broker = Broker::tuned(rules, |config| config.machine.flush = Nanos::millis(40));
        broker.queue("q", &[]);
        broker.confirms();
        let persistent = PropertiesOf { delivery_mode: Some(2), ..PropertiesOf::default() };
        broker.cluster.operate(&publish_with("", "q", "m1", false, persistent)).unwrap();
        broker.waits(20)
    };
    assert_eq!([confirmed_after(Rules::V4_2), confirmed_after(Rules::V3_10)], ["+m1", ""]);
}

#[test]
fn r_q1_only_persistent_messages_in_durable_queues_outlive_the_broker() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[]);
    let persistent = PropertiesOf { delivery_mode: Some(2), ..PropertiesOf::default() };
    broker.does(publish_with("", "q", "kept", false, persistent));
    broker.publish("q", "gone");
    broker.cluster.world_mut().crash(NodeId(0), Crash::Kill);
    broker.cluster.world_mut().start(NodeId(0));
    broker.waits(1000);
    assert_eq!([broker.get("q"), broker.get("q")], ["=kept", "=nothing"]);
}
