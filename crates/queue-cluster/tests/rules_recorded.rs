//! Rules that our own recordings brought to light, each as a story.

mod broker;
mod story;

use broker::*;
use queue_cluster::*;
use sim::Nanos;

fn exchange(name: &str, auto_delete: bool) -> Operation {
    Operation::ExchangeDeclare {
        channel: None,
        exchange: name.into(),
        kind: "direct".into(),
        durable: true,
        auto_delete,
        internal: false,
        passive: false,
        arguments: Table::new(),
    }
}

fn bind(queue: &str, exchange: &str, key: &str) -> Operation {
    Operation::QueueBind {
        channel: None,
        queue: queue.into(),
        exchange: exchange.into(),
        routing_key: key.into(),
        arguments: Table::new(),
    }
}

#[test]
fn r_x8_cc_and_bcc_select_further_queues_and_bcc_is_not_seen() {
    for rules in [Rules::V3_10, Rules::V4_2] {
        let mut broker = Broker::new(rules);
        ["a", "b", "c"].iter().for_each(|queue| drop(broker.queue(queue, &[])));
        let list = |keys: &[&str]| Value::List(keys.iter().map(|key| Value::from(*key)).collect());
        let headers = table(&[("CC", list(&["b", "a"])), ("BCC", list(&["c"]))]);
        broker.does(publish_with("", "a", "m1", false, PropertiesOf { headers, ..PropertiesOf::default() }));
        assert_eq!(["a", "b", "c"].map(|queue| broker.get(queue)), ["=m1", "=m1", "=m1"], "one copy each");
        let wrong = PropertiesOf { headers: table(&[("CC", "b".into())]), ..PropertiesOf::default() };
        assert_eq!(broker.does(publish_with("", "a", "m2", false, wrong)), "!p406", "a list is expected");
    }
}

#[test]
fn r_m2_a_priority_that_is_no_number_costs_the_channel() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[]);
    assert_eq!(broker.consume_with("a", "q", 1, &[("x-priority", "high".into())]), "!a406");
    assert_eq!(broker.consume_with("b", "q", 1, &[("x-priority", Value::Int(-5))]), "");
}

#[test]
fn r_q4_an_exchange_that_deletes_itself_goes_with_its_last_binding() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("q", &[]);
    broker.does(exchange("x", true));
    broker.does(bind("q", "x", "k"));
    broker.does(publish("x", "k", "m1"));
    assert_eq!(broker.get("q"), "=m1");
    broker.does(Operation::QueueDelete { channel: None, queue: "q".into(), if_unused: false, if_empty: false });
    assert_eq!(broker.does(publish("x", "k", "m2")), "!p404", "its only queue is gone, and so is it");
}

#[test]
fn r_q5_only_what_the_broker_knows_is_compared_when_a_queue_is_declared_again() {
    let mut broker = Broker::new(Rules::V3_10);
    broker.queue("q", &[("x-max-length", Value::Int(3)), ("x-nobody", Value::Int(1))]);
    assert_eq!(broker.queue("q", &[("x-max-length", Value::Int(3)), ("x-queue-type", "classic".into())]), "");
    assert_eq!(broker.queue("q", &[("x-max-length", Value::Int(4))]), "!setup406");
}

#[test]
fn r_s2_a_chunk_that_is_begun_is_sent_whole_whatever_the_credit() {
    let mut broker = Broker::new(Rules::V3_10);
    broker.queue("s", &[("x-queue-type", "stream".into())]);
    broker.publish("s", "m1");
    // Sent at once, they are one chunk.
    for message in ["m2", "m3", "m4"] {
        broker.cluster.operate(&publish("", "s", message)).unwrap();
    }
    broker.waits(100);
    let first = [("x-stream-offset", "first".into())];
    assert_eq!(broker.consume_with("a", "s", 1, &first), "a<m1", "one credit, one chunk of one");
    assert_eq!(broker.ack("a", "m1"), "a<m2 a<m3 a<m4", "one credit, one chunk of three");
    assert_eq!(broker.ack("a", "m2"), "", "two more than it had credit for");
    broker.publish("s", "m5");
    assert_eq!(broker.ack("a", "m3"), "");
    assert_eq!(broker.ack("a", "m4"), "a<m5");
    assert_eq!(broker.nack("a", "m5", true), "!a540", "a stream takes nothing back");
}

#[test]
fn r_t5_before_4_0_the_older_deaths_turn_around_each_time() {
    let deaths = |rules: Rules| {
        let mut broker = Broker::new(rules);
        broker.queue("dead", &[]);
        broker.queue("c", &[&dead_to("dead")[..], &[("x-message-ttl", Value::Int(20))]].concat());
        broker.queue("b", &[&dead_to("c")[..], &[("x-max-length", Value::Int(1))]].concat());
        broker.queue("a", &dead_to("b"));
        broker.consume("a", "a", 5);
        broker.publish("a", "m1");
        broker.publish("a", "m2");
        broker.nack("a", "m1", false);
        broker.nack("a", "m2", false);
        broker.get("dead");
        let seen = broker.cluster.observed(&|_| 0);
        let got = seen.iter().rev().find_map(|(.., seen)| match seen {
            Observed::Got { got: Some(_), deaths, .. } => Some(deaths.clone()),
            _ => None,
        });
        got.unwrap().iter().map(|death| death.queue.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(deaths(Rules::V3_10), ["c", "a", "b"], "recorded");
    assert_eq!(deaths(Rules::V4_2), ["c", "b", "a"], "the newest first");
}

#[test]
fn r_q3_while_its_home_is_down_a_queue_takes_nothing_and_the_versions_say_so_differently() {
    use story::{Story, config, seconds, workload};
    let outcome = |rules: Rules| {
        let mut settings = Config { rules, server: ServerSettings::of(rules), ..config("classic") };
        settings.consumers.clear();
        let mut load = workload(100, None, Nanos::millis(1));
        load.consumers.clear();
        let mut story = Story::new(1, &settings, &load);
        story.run(seconds(3));
        story.kill(0);
        story.run(seconds(5));
        (story.ledger.refused.len() > 400, story.lost().len() > 400)
    };
    assert_eq!(outcome(Rules::V3_10), (false, true), "routed to nothing, and confirmed: recorded");
    assert_eq!(outcome(Rules::V4_2), (true, false), "refused");
}

#[test]
fn r_x9_an_internal_exchange_takes_nothing_from_clients() {
    let mut broker = Broker::new(Rules::V4_2);
    let mut internal = exchange("x", false);
    if let Operation::ExchangeDeclare { internal, .. } = &mut internal {
        *internal = true;
    }
    broker.does(internal);
    assert_eq!(broker.does(publish("x", "k", "m1")), "!p403");
}

#[test]
fn r_c6_publishes_and_acknowledgements_wait_for_the_commit() {
    let mut broker = Broker::new(Rules::V4_2);
    let on = |channel: &str| Some(channel.to_string());
    broker.queue("q", &[]);
    broker.does(Operation::TxSelect { channel: on("p") });
    assert_eq!(broker.publish("q", "m1"), "");
    assert_eq!(broker.counts("q"), "q0/0", "not there yet");
    broker.does(Operation::TxCommit { channel: on("p") });
    assert_eq!(broker.counts("q"), "q1/0");
    broker.publish("q", "m2");
    broker.does(Operation::TxRollback { channel: on("p") });
    assert_eq!(broker.counts("q"), "q1/0", "the second never was");
    assert_eq!(broker.does(Operation::ConfirmSelect { channel: on("p") }), "!p406", "not both");
}

#[test]
fn r_k8_a_channel_of_3_10_takes_a_queue_of_another_type_for_the_one_that_it_knew() {
    for (before, after) in [("classic", "quorum"), ("quorum", "classic")] {
        let outcome = |rules: Rules, between: &str| {
            let mut broker = Broker::new(rules);
            broker.queue("q", &[("x-queue-type", before.into())]);
            broker.get("q");
            broker.does(Operation::QueueDelete { channel: None, queue: "q".into(), if_unused: false, if_empty: false });
            broker.queue("q", &[("x-queue-type", between.into())]);
            broker.get("q")
        };
        assert_eq!(outcome(Rules::V3_10, after), "!d541", "{before} to {after}");
        assert_eq!(outcome(Rules::V3_10, before), "=nothing", "{before} again");
        assert_eq!(outcome(Rules::V4_2, after), "=nothing", "{before} to {after}");
    }
}

#[test]
fn r_t1_what_expired_behind_a_message_is_buried_once_that_is_got() {
    let mut broker = Broker::new(Rules::V3_10);
    broker.queue("dead", &[]);
    let to_dead: &[(&str, Value)] = &[
        ("x-queue-type", "quorum".into()),
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", "dead".into()),
    ];
    broker.queue("q", to_dead);
    broker.publish("q", "a");
    let soon = PropertiesOf { expiration: Some("30".into()), ..PropertiesOf::default() };
    broker.does(publish_with("", "q", "b", false, soon));
    assert_eq!(broker.get("dead"), "=nothing", "it stays behind a live head");
    assert_eq!([broker.get("q"), broker.get("dead")], ["=a", "=b"]);
}

#[test]
fn r_p1_a_limit_for_consumers_to_come_ends_the_one_that_they_shared() {
    for rules in [Rules::V3_10, Rules::V4_2] {
        let mut broker = Broker::new(rules);
        broker.queue("q", &[]);
        ["m1", "m2", "m3", "m4"].iter().for_each(|message| drop(broker.publish("q", message)));
        broker.consume("b", "q", 1);
        broker.qos("b", 2, true);
        assert_eq!(broker.qos("a", 2, true), "");
        assert_eq!(broker.subscribe("a", "q", &[]), "a<m2 a<m3");
        assert_eq!(broker.qos("a", 7, false), "a<m4");
    }
}

#[test]
fn r_m1_rejected_messages_are_buried_by_priority() {
    let mut broker = Broker::new(Rules::V4_2);
    broker.queue("dead", &[]);
    let arguments: &[(&str, Value)] = &[
        ("x-max-priority", 3.into()),
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", "dead".into()),
    ];
    broker.queue("q", arguments);
    broker.consume("a", "q", 9);
    broker.publish("q", "low");
    let high = PropertiesOf { priority: Some(5), ..PropertiesOf::default() };
    broker.does(publish_with("", "q", "high", false, high));
    broker.does(Operation::BasicNack {
        channel: Some("a".into()),
        message: "high".into(),
        delivery_tag: None,
        multiple: true,
        requeue: false,
    });
    assert_eq!([broker.get("dead"), broker.get("dead")], ["=high", "=low"]);
}
