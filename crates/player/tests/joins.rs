//! Clients that join and leave while it runs.

use player::Player;
use scenario::tape::{TapeOrder, Verb, Which};
use scenario::units::Span;
use sim::{Nanos, Time};

fn document() -> scenario::Document {
    let text = serde_json::json!({
        "brokerlab": 1, "seed": 5, "length": "60s",
        "workload": {
            "producers": [{"name": "orders-1", "rate": "40/s"}],
            "consumers": [{"name": "fulfil-1", "processing": "10ms"}],
        },
        "log": {
            "brokers": 3,
            "topics": [{"name": "orders", "partitions": 4}],
            "producer": {"acks": "all"},
            "consumer": {"auto.offset.reset": "earliest"}
        },
        "queue": {"queues": [{"name": "orders", "arguments": {"x-queue-type": "quorum"}}]},
    });
    scenario::read(&text.to_string()).unwrap()
}

fn add(name: &str, like: &str) -> TapeOrder {
    let mut order = TapeOrder::new(Span::default(), Verb::AddClient);
    (order.node, order.like) = (Some(name.to_owned()), Some(like.to_owned()));
    order
}

fn stop(name: &str) -> TapeOrder {
    TapeOrder { node: Some(name.to_owned()), ..TapeOrder::new(Span::default(), Verb::Stop) }
}

fn at(seconds: u64) -> Time {
    Time::ZERO + Nanos::secs(seconds)
}

fn assigned(player: &Player) -> Vec<usize> {
    let view = player.state().log.as_ref().unwrap().cluster.view();
    view.consumers.iter().map(|consumer| consumer.assigned.len()).collect()
}

/// What became of the messages: acknowledged, processed, lost; of either cluster.
fn counts(player: &mut Player) -> [[u64; 3]; 2] {
    let state = player.state_mut();
    let log = state.log.as_mut().unwrap().verdict();
    let queue = state.queue.as_mut().unwrap().verdict();
    [log, queue].map(|verdict| [verdict.counts.acknowledged, verdict.counts.processed, verdict.lost])
}

fn digest_of(document: &scenario::Document, until: Time) -> u64 {
    let mut player = Player::new(document.clone()).unwrap();
    player.advance(until, u64::MAX);
    player.digest()
}

#[test]
fn a_consumer_joins_and_leaves_and_the_group_shares_out_anew() {
    let mut player = Player::new(document()).unwrap();
    player.advance(at(15), u64::MAX);
    let before = player.digest();
    assert_eq!(assigned(&player), vec![4]);
    player.order(add("fulfil-2", "fulfil-1")).unwrap();
    assert_eq!(player.at(), at(15));
    player.advance(at(30), u64::MAX);
    assert_eq!(assigned(&player), vec![2, 2]);
    let queue = player.state().queue.as_ref().unwrap().cluster.view();
    assert_eq!(queue.queues[0].consumers.len(), 2);
    player.order(stop("fulfil-2")).unwrap();
    player.advance(at(45), u64::MAX);
    assert_eq!(assigned(&player)[0], 4, "it has all again");
    let queue = player.state().queue.as_ref().unwrap().cluster.view();
    assert_eq!(queue.queues[0].consumers.len(), 1);
    let told: Vec<String> = player.marks().iter().map(|(_, mark)| player::words::sentence(mark)).collect();
    assert!(told.contains(&"fulfil-2 joins, with the settings of fulfil-1".to_owned()), "{told:?}");
    assert!(told.iter().any(|words| words.contains("fulfil-2") && words.contains("leaves")), "{told:?}");
    for [acknowledged, processed, lost] in counts(&mut player) {
        assert!(acknowledged > 1_500 && processed + 20 > acknowledged && lost == 0);
    }
    // However one comes there, it is the same run; and before the order it is what it was.
    let digest = player.digest();
    assert_eq!(digest_of(player.document(), at(45)), digest);
    assert_eq!(digest_of(player.document(), at(14)), digest_of(&document(), at(14)));
    player.seek(at(20), u64::MAX);
    player.seek(at(45), u64::MAX);
    assert_eq!(player.digest(), digest);
    assert!(player.undo() && player.undo());
    assert_eq!(player.state().log.as_ref().unwrap().cluster.nodes().len(), {
        let plain = Player::new(document()).unwrap();
        plain.state().log.as_ref().unwrap().cluster.nodes().len()
    });
    player.seek(at(15), u64::MAX);
    assert_eq!(player.digest(), before);
    assert!(player.redo() && player.redo());
    player.seek(at(45), u64::MAX);
    assert_eq!(player.digest(), digest);
    let link = scenario::link::encode(player.document(), Some(digest));
    assert_eq!(scenario::link::decode(&link).unwrap().document, *player.document());
}

#[test]
fn a_producer_joins_with_a_rate_of_its_own_in_both_clusters_and_can_be_told_things() {
    let mut player = Player::new(document()).unwrap();
    player.advance(at(10), u64::MAX);
    let mut order = add("orders-2", "orders-1");
    order.rate = Some(scenario::units::Rate(60_000));
    player.order(order).unwrap();
    player.advance(at(20), u64::MAX);
    for [acknowledged, ..] in counts(&mut player) {
        let expected = 40 * 20 + 60 * 10;
        assert!((expected - 60..=expected).contains(&acknowledged), "{acknowledged} of {expected}");
    }
    let mut rate = TapeOrder::new(Span::default(), Verb::SetRate);
    (rate.node, rate.rate) = (Some("orders-2".to_owned()), Some(scenario::units::Rate(0)));
    player.order(rate).unwrap();
    player.order(add("orders-3", "orders-2")).unwrap();
    player.order(stop("orders-1")).unwrap();
    player.advance(at(30), u64::MAX);
    let [[log, ..], [queue, ..]] = counts(&mut player);
    let expected = 40 * 20 + 60 * 20;
    assert!((expected - 80..=expected).contains(&log) && (expected - 80..=expected).contains(&queue), "{log} {queue}");
    assert_eq!(digest_of(player.document(), at(30)), player.digest());
}

#[test]
fn a_consumer_joins_another_group_or_queue() {
    let mut wide = document();
    wide.queue.as_mut().unwrap().queues.push(scenario::document::QueueDeclaration {
        name: "audit".to_owned(),
        durable: true,
        arguments: Default::default(),
        node: None,
    });
    let mut player = Player::new(wide).unwrap();
    player.advance(at(10), u64::MAX);
    let mut order = add("auditor", "fulfil-1");
    (order.group, order.queue) = (Some("audit".to_owned()), Some("audit".to_owned()));
    player.order(order).unwrap();
    player.advance(at(25), u64::MAX);
    assert_eq!(assigned(&player), vec![4, 4], "it shares with nobody");
    let queue = player.state().queue.as_ref().unwrap().cluster.view();
    assert_eq!(queue.queues.iter().map(|queue| queue.consumers.len()).collect::<Vec<_>>(), vec![1, 1]);
}

#[test]
fn who_cannot_join_is_refused_with_a_sentence() {
    let mut player = Player::new(document()).unwrap();
    player.advance(at(1), u64::MAX);
    let refused = |player: &mut Player, order| player.order(order).unwrap_err().to_string();
    assert!(refused(&mut player, add("fulfil-1", "fulfil-1")).contains("is the name of another client already"));
    assert!(refused(&mut player, add("fulfil-2", "fulfil-9")).contains("there is no client `fulfil-9`"));
    assert!(refused(&mut player, add("broker-9", "fulfil-1")).contains("cannot be a client's name"));
    let mut other = add("fulfil-2", "fulfil-1");
    other.queue = Some("nowhere".to_owned());
    assert!(refused(&mut player, other).contains("there is no queue `nowhere`"));
    let mut half = add("fulfil-2", "fulfil-1");
    half.cluster = Some(Which::Queue);
    player.order(half).unwrap();
    player.advance(at(10), u64::MAX);
    assert_eq!(assigned(&player), vec![4, 0], "it joins where it was told to");
}
