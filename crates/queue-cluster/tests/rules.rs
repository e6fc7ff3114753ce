//! One story for each rule, told to a broker of one node through real connections.

use queue_cluster::*;
use sim::workload::Workload;
use sim::{Crash, Nanos, NodeId, Time};
use std::collections::BTreeMap;

/// A broker and what was seen of it.
struct Broker {
    cluster: QueueCluster,
    read: BTreeMap<NodeId, usize>,
}

fn table(entries: &[(&str, Value)]) -> Table {
    entries.iter().map(|(name, value)| ((*name).to_string(), value.clone())).collect()
}

impl Broker {
    fn new(rules: Rules) -> Broker {
        Broker::tuned(rules, |_| {})
    }

    fn tuned(rules: Rules, tune: impl FnOnce(&mut Config)) -> Broker {
        let mut config = Config { nodes: 1, ..Config::of(rules) };
        config.connections = ["setup", "p", "a", "b", "c", "d"].map(String::from).to_vec();
        tune(&mut config);
        let mut cluster = QueueCluster::new(1, &Workload::default(), &config);
        cluster.world_mut().run_until(Time::ZERO + Nanos::secs(1));
        Broker { cluster, read: BTreeMap::new() }
    }

    /// Does one thing, and tells what was seen of it, in a word each: `a<m1` is a delivery to consumer a, `a<<m1` a
    /// redelivery, `+m1` a confirm, `-m1` a refusal, `?m1` a return, `!a404` a closed channel, `=m1` a message got,
    /// `a:x` a cancelled consumer and `q2/1` a queue's messages and consumers.
    fn does(&mut self, operation: Operation) -> String {
        self.cluster.operate(&operation).unwrap();
        self.waits(150)
    }

    fn waits(&mut self, ms: u64) -> String {
        let until = self.cluster.world().now() + Nanos::millis(ms);
        self.cluster.world_mut().run_until(until);
        let read = &mut self.read;
        let mut seen = self.cluster.observed(&|node| read.get(&node).copied().unwrap_or(0));
        seen.iter().for_each(|(node, ..)| *read.entry(*node).or_default() += 1);
        seen.sort_by_key(|(_, at, _)| *at);
        seen.iter().map(|(_, _, seen)| word(seen)).collect::<Vec<_>>().join(" ")
    }

    fn queue(&mut self, name: &str, arguments: &[(&str, Value)]) -> String {
        self.does(declare(name, arguments))
    }

    fn publish(&mut self, queue: &str, message: &str) -> String {
        self.does(publish("", queue, message))
    }

    fn consume(&mut self, name: &str, queue: &str, prefetch: u16) -> String {
        self.consume_with(name, queue, prefetch, &[])
    }

    fn consume_with(&mut self, name: &str, queue: &str, prefetch: u16, arguments: &[(&str, Value)]) -> String {
        self.qos(name, prefetch, false);
        self.does(Operation::BasicConsume {
            channel: Some(name.into()),
            queue: queue.into(),
            consumer: name.into(),
            no_ack: false,
            exclusive: false,
            arguments: table(arguments),
        })
    }

    fn qos(&mut self, name: &str, count: u16, global: bool) -> String {
        let channel = Some(name.to_string());
        self.does(Operation::BasicQos { channel, prefetch_size: 0, prefetch_count: count, global })
    }

    fn ack(&mut self, channel: &str, message: &str) -> String {
        self.does(Operation::BasicAck { channel: Some(channel.into()), message: message.into(), multiple: false })
    }

    fn ack_all(&mut self, channel: &str, message: &str) -> String {
        self.does(Operation::BasicAck { channel: Some(channel.into()), message: message.into(), multiple: true })
    }

    fn nack(&mut self, channel: &str, message: &str, requeue: bool) -> String {
        let channel = Some(channel.to_string());
        self.does(Operation::BasicNack { channel, message: message.into(), multiple: false, requeue })
    }

    fn get(&mut self, queue: &str) -> String {
        self.does(Operation::BasicGet { channel: Some("d".into()), queue: queue.into(), no_ack: true })
    }

    fn cancel(&mut self, name: &str) -> String {
        self.does(Operation::BasicCancel { channel: Some(name.into()), consumer: name.into() })
    }

    fn close(&mut self, connection: &str) -> String {
        self.does(Operation::ConnectionClose { connection: connection.into() })
    }

    fn confirms(&mut self) {
        self.does(Operation::ConfirmSelect { channel: Some("p".into()) });
    }

    fn counts(&mut self, queue: &str) -> String {
        let mut operation = declare(queue, &[]);
        if let Operation::QueueDeclare { passive, .. } = &mut operation {
            *passive = true;
        }
        self.does(operation)
    }
}

fn declare(name: &str, arguments: &[(&str, Value)]) -> Operation {
    Operation::QueueDeclare {
        channel: None,
        queue: name.into(),
        durable: true,
        exclusive: false,
        auto_delete: false,
        passive: false,
        arguments: table(arguments),
    }
}

fn publish(exchange: &str, key: &str, message: &str) -> Operation {
    publish_with(exchange, key, message, false, PropertiesOf::default())
}

fn publish_with(exchange: &str, key: &str, message: &str, mandatory: bool, properties: PropertiesOf) -> Operation {
    Operation::BasicPublish {
        channel: Some("p".into()),
        exchange: exchange.into(),
        routing_key: key.into(),
        message: message.into(),
        mandatory,
        bytes: None,
        properties,
    }
}

fn word(seen: &Observed) -> String {
    match seen {
        Observed::Delivered { delivered, consumer, redelivered, .. } => {
            format!("{consumer}{}{delivered}", if *redelivered { "<<" } else { "<" })
        }
        Observed::Got { got, .. } => format!("={}", got.as_deref().unwrap_or("nothing")),
        Observed::Confirmed { confirmed, .. } => format!("+{confirmed}"),
        Observed::Refused { refused, .. } => format!("-{refused}"),
        Observed::Returned { returned, .. } => format!("?{returned}"),
        Observed::ConsumerCancelled { consumer_cancelled } => format!("{consumer_cancelled}:x"),
        Observed::ChannelClosed { channel_closed, code } => format!("!{channel_closed}{code}"),
        Observed::Queue { queue, messages, consumers } => format!("{queue}{messages}/{consumers}"),
    }
}

fn priority(level: u8) -> PropertiesOf {
    PropertiesOf { priority: Some(level), ..PropertiesOf::default() }
}

fn expiring(ms: u32) -> PropertiesOf {
    PropertiesOf { expiration: Some(ms.to_string()), ..PropertiesOf::default() }
}

const QUORUM: (&str, &str) = ("x-queue-type", "quorum");

fn quorum() -> (&'static str, Value) {
    (QUORUM.0, QUORUM.1.into())
}

fn dead_to(queue: &str) -> [(&'static str, Value); 2] {
    [("x-dead-letter-exchange", "".into()), ("x-dead-letter-routing-key", queue.into())]
}

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
    assert_eq!(broker.consume("a", "q", 0), "!a540");
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
    assert_eq!(broker.nack("a", "m0", true), "a<m1");
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
