//! Crowds are drawn as streams, with the rate that really flies; what one looks for stays single.

use player::Player;
use scene::{
    CROWD, Flying, Focus, Picture, Sight, StreamKind, Which, figure, flights, focuses, layout, layout_of, picture,
};
use sim::story::FlightKind;
use sim::{Nanos, Time};

/// A publisher and a consumer a second's way from their queue.
fn document(rate: u32, queue: &str, publisher: &str) -> String {
    format!(
        r#"{{"brokerlab": 1, "title": "crowd", "seed": 1, "length": "20s",
        "workload": {{"producers": [{{"name": "source", "rate": "{rate}/s", "keys": 1}}],
        "consumers": [{{"name": "sink", "processing": "1us"}}]}},
        "network": {{"clients": {{"latency": "1s"}}}},
        "queue": {{"nodes": 1, "queues": [{{"name": "q"{queue}}}], "publisher": {publisher},
        "consumer": {{"no_ack": true, "prefetch_count": 0}}}}}}"#
    )
}

fn played(text: &str, ms: u64) -> Player {
    let mut player = Player::new(scenario::read(text).unwrap()).unwrap();
    player.advance(Time::ZERO + Nanos::millis(ms), u64::MAX);
    player
}

fn seen(player: &Player, crowd: u32) -> Flying {
    let layout = layout(player, Which::Queue, 700.0, 460.0).unwrap();
    let mut flying = Flying::default();
    let sight = Sight { wrecks: Nanos::ZERO, most: 100_000, crowd };
    // Twice into the same room: nothing of the first look may stay.
    flights(player, Which::Queue, &layout, sight, &mut flying);
    flights(player, Which::Queue, &layout, sight, &mut flying);
    flying
}

fn in_the_air(player: &Player) -> Vec<sim::Flight> {
    player.state().queue.as_ref().unwrap().cluster.world().flights().collect()
}

#[test]
fn a_few_fly_one_by_one_and_many_as_a_stream_with_their_rate() {
    let few = seen(&played(&document(150, "", r#"{"confirms": false}"#), 8_000), CROWD);
    assert!(few.streams.is_empty() && few.rows.len() >= 300, "{}", few.rows.len());

    let player = played(&document(3_000, "", r#"{"confirms": false}"#), 8_000);
    let many = seen(&player, CROWD);
    assert_eq!(many.streams.len(), 2, "there and on to the consumer");
    for stream in &many.streams {
        assert_eq!(stream.kind(), StreamKind::Messages);
        assert!((2_900.0..3_100.0).contains(&stream.rate), "{} a second are sent", stream.rate);
        assert!((0..16).all(|bin| stream.density_at(bin) > 0.9), "evenly sent, evenly dense: {:x?}", stream.density);
        assert_ne!(stream.look >> 4 & 255, 255, "one key gives its hue");
    }
    let flying: u32 = many.streams.iter().map(|stream| stream.flying).sum();
    let messages = in_the_air(&player).iter().filter(|f| f.look.kind <= FlightKind::Deliver).count();
    assert_eq!(flying as usize, messages, "each is counted once");
    assert!((4..40).contains(&many.rows.len()), "some of them ride on it: {}", many.rows.len());
    assert!(many.rows.iter().all(|row| row.sent <= 0.0 && row.due >= 0.0));

    let single = seen(&player, u32::MAX);
    assert!(single.streams.is_empty());
    assert_eq!(single.rows.len(), in_the_air(&player).len());
}

#[test]
fn what_rides_on_a_stream_rides_to_its_end() {
    let text = document(3_000, "", r#"{"confirms": false}"#);
    let mut player = played(&text, 8_000);
    let riders = |player: &Player| {
        let at = player.at().0 as f64 / 1e6;
        let sent = |row: &scene::FlightRow| ((at + f64::from(row.sent)) * 100.0).round() as i64;
        seen(player, CROWD).rows.iter().filter(|row| row.due > 300.0).map(sent).collect::<Vec<_>>()
    };
    let before = riders(&player);
    player.advance(player.at() + Nanos::millis(200), u64::MAX);
    let at = player.at().0 as f64 / 1e6;
    let rows = seen(&player, CROWD).rows;
    let after: Vec<i64> = rows.iter().map(|row| ((at + f64::from(row.sent)) * 100.0).round() as i64).collect();
    assert!(!before.is_empty() && before.iter().all(|sent| after.contains(sent)), "{before:?} in {after:?}");
}

#[test]
fn a_stream_is_as_dense_where_more_fly() {
    let text = document(3_000, "", r#"{"confirms": false}"#).replace(
        r#""queue": {"#,
        r#""tape": [{"at": "8s", "order": "set-rate", "node": "source", "rate": "600/s"}], "queue": {"#,
    );
    let player = played(&text, 8_500);
    let flying = seen(&player, CROWD);
    let stream = flying.streams.iter().find(|stream| stream.ends[0] != 0).unwrap();
    assert!(stream.density_at(2) < 0.4 && stream.density_at(12) > 0.9, "{:x?}", stream.density);
}

#[test]
fn refusals_are_drawn_one_by_one_in_any_crowd() {
    let full = r#", "arguments": {"x-max-length": 1, "x-overflow": "reject-publish"}"#;
    let publisher = r#"{"max_unconfirmed": 0}"#;
    let text =
        document(2_000, full, publisher).replace(r#""processing": "1us""#, r#""processing": "1us", "start": "15s""#);
    let player = played(&text, 8_000);
    let refused = in_the_air(&player).iter().filter(|f| f.look.kind == FlightKind::Refuse).count();
    let flying = seen(&player, CROWD);
    assert!(refused > 1_000, "{refused}");
    assert_eq!(flying.rows.iter().filter(|row| row.look & 15 == FlightKind::Refuse as u32).count(), refused);
    assert_eq!(flying.streams.len(), 1, "the messages themselves");
}

#[test]
fn a_stream_says_its_rate_in_words_and_in_the_figure() {
    let mut player = played(&document(3_120, "", r#"{"confirms": false}"#), 8_000);
    let layout = layout(&player, Which::Queue, 700.0, 460.0).unwrap();
    let picture = picture(&player, Which::Queue, &layout).unwrap();
    let stream = picture.streams.iter().find(|stream| stream.from == "source").unwrap();
    assert!(stream.says.starts_with("source → rabbit-1: 3,120 msg/s, 3,1"), "{}", stream.says);
    assert_eq!(stream.label, "3,120 msg/s");
    assert!(picture.cards.iter().all(|card| {
        let (right, bottom) = (card.place.x + card.place.w, card.place.y + card.place.h);
        stream.x + 20.0 < card.place.x || stream.x - 20.0 > right || stream.y < card.place.y || stream.y - 10.0 > bottom
    }));
    let text = figure(&mut player, 900.0, 600.0, true);
    assert!(text.contains("class=\"rate\"") && text.contains("3,120 msg/s"));
    assert!(!text.contains("NaN"));
}

#[test]
fn what_is_in_focus_has_the_room_and_the_rest_fades() {
    let text = r#"{"brokerlab": 1, "title": "focus", "seed": 1, "length": "20s",
        "workload": {"producers": [{"name": "a", "rate": "5/s"}, {"name": "b", "rate": "5/s"}],
        "consumers": [{"name": "c", "processing": "1ms"}, {"name": "d", "processing": "1ms"}]},
        "log": {"brokers": 3, "topics": [{"name": "orders", "partitions": 2}, {"name": "bills", "partitions": 60}],
        "clients": {"b": {"topics": ["bills"]}, "c": {"topics": ["orders"], "config": {"group.id": "first"}},
        "d": {"topics": ["bills"], "config": {"group.id": "second"}}}},
        "queue": {"nodes": 1, "queues": [{"name": "q"}, {"name": "r"}],
        "clients": {"b": {"publisher": {"routing_key": "r"}}, "d": {"consumer": {"queue": "r"}}}}}"#;
    let player = played(text, 8_000);
    let kinds = |which| focuses(&player, which).iter().map(|f| format!("{} {}", f.kind, f.name)).collect::<Vec<_>>();
    assert_eq!(kinds(Which::Log), ["topic orders", "topic bills", "group first", "group second"]);
    assert_eq!(kinds(Which::Queue), ["queue q", "queue r"]);
    let seen = |which, focus: Option<Focus>| {
        let layout = layout_of(&player, which, (700.0, 460.0), 1.0, focus).unwrap();
        picture(&player, which, &layout).unwrap()
    };
    let faded = |picture: &Picture| {
        picture.cards.iter().filter(|card| card.faded).map(|card| card.name.clone()).collect::<Vec<_>>()
    };
    let says = |picture: &Picture, name: &str| picture.cards.iter().find(|c| c.name == name).unwrap().says.clone();
    let all = seen(Which::Log, None);
    assert!(faded(&all).is_empty() && !says(&all, "broker-1").contains("orders-0 "), "folded to cells");
    for (which, index, clients) in [
        (Which::Log, 0, ["b", "d"]),
        (Which::Log, 1, ["a", "c"]),
        (Which::Log, 2, ["b", "d"]),
        (Which::Queue, 0, ["b", "d"]),
        (Which::Queue, 1, ["a", "c"]),
    ] {
        let focus = focuses(&player, which)[index].clone();
        assert_eq!(faded(&seen(which, Some(focus.clone()))), clients, "{focus:?}");
    }
    let orders = seen(Which::Log, Some(focuses(&player, Which::Log)[0].clone()));
    assert!(says(&orders, "broker-1").contains("orders-0 ") && !says(&orders, "broker-1").contains("bills-"));
    let queue = seen(Which::Queue, Some(focuses(&player, Which::Queue)[1].clone()));
    assert!(says(&queue, "rabbit-1").contains("r: ") && !says(&queue, "rabbit-1").contains("q: "));
}
