//! Small cards fold their detail: nothing overlaps, nothing leaves its card or the stage, texts fit.

use player::Player;
use scene::{Picture, Shape, Which, layout, picture};
use sim::{Nanos, Time};

const STAGES: [(f32, f32); 3] = [(700.0, 460.0), (390.0, 600.0), (1_200.0, 620.0)];

fn played(edit: impl Fn(&mut serde_json::Value)) -> Player {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let text = std::fs::read_to_string(format!("{root}/scenarios/one-node-lost.json")).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document["tape"] = serde_json::json!([]);
    edit(&mut document);
    let mut player = Player::new(scenario::read(&document.to_string()).unwrap()).unwrap();
    player.advance(Time::ZERO + Nanos::millis(4_000), u64::MAX);
    player
}

fn partitions(document: &mut serde_json::Value, brokers: u16, partitions: u32) {
    document["queue"] = serde_json::Value::Null;
    document["log"]["brokers"] = brokers.into();
    document["log"]["broker"]["offsets.topic.replication.factor"] = brokers.min(3).into();
    document["log"]["topics"][0] = serde_json::json!({
        "name": "orders", "partitions": partitions, "replication.factor": brokers.min(3)
    });
}

/// As wide as the narrowest of the usual fonts would have it: what is wider than its card by that is cut anywhere.
fn least_width(text: &str) -> f32 {
    text.chars().count() as f32 * 12.0 * 0.42
}

fn holds(picture: &Picture) {
    for (index, card) in picture.cards.iter().enumerate() {
        let a = card.place;
        assert!(a.x >= 0.0 && a.y >= 0.0 && a.x_end() <= picture.width && a.y + a.h <= picture.height, "{a:?}");
        for other in &picture.cards[index + 1..] {
            let b = other.place;
            let apart = a.x_end() <= b.x || b.x_end() <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
            assert!(apart, "{} {a:?} and {} {b:?}", card.name, other.name);
        }
        for shape in &card.shapes {
            match shape {
                Shape::Rect { x, y, w, h, .. } => {
                    let within = *x >= a.x - 0.6 && x + w <= a.x_end() + 0.6 && y + h <= a.y + a.h + 0.6;
                    assert!(within && *y >= a.y - 0.6, "{}: {shape:?} outside {a:?}", card.name);
                }
                Shape::Text { x, y, text, anchor, .. } => {
                    let width = least_width(text);
                    let left = match *anchor {
                        "start" => *x,
                        "end" => x - width,
                        _ => x - width / 2.0,
                    };
                    assert!(left >= a.x - 1.0 && left + width <= a.x_end() + 1.0, "{}: {text:?} in {a:?}", card.name);
                    assert!(*y <= a.y + a.h, "{}: {text:?} below {a:?}", card.name);
                    // What is cut is said in full.
                    let kept = text.trim_end_matches('…');
                    let full = |words: &str| words.contains(kept) && !words.contains('…');
                    let told = full(&card.says) || card.tips.iter().any(|tip| full(&tip.text));
                    assert!(!text.contains('…') || told, "{}: {text:?}", card.name);
                }
                Shape::Path { .. } => {}
            }
        }
    }
}

fn seen(player: &Player, which: Which) -> Vec<Picture> {
    let picture = |(w, h)| picture(player, which, &layout(player, which, w, h).unwrap()).unwrap();
    STAGES.map(picture).into_iter().inspect(holds).collect()
}

#[test]
fn ten_brokers_with_a_hundred_partitions_are_cells_with_counts_in_words() {
    let player = played(|document| partitions(document, 10, 100));
    for picture in seen(&player, Which::Log) {
        let brokers: Vec<_> = picture.cards.iter().filter(|card| card.role == "server").collect();
        let cells = |wanted: &str| {
            let shapes = brokers.iter().flat_map(|card| &card.shapes);
            shapes.filter(|shape| matches!(shape, Shape::Rect { class, .. } if *class == wanted)).count()
        };
        assert_eq!((cells("bit lead"), cells("bit follow")), (100, 200), "{} wide", picture.width);
        assert!(brokers[0].says.contains("10 lead, 20 follow"), "{}", brokers[0].says);
        assert!(
            brokers[0]
                .tips
                .iter()
                .any(|tip| tip.text.contains(" leads, in sync, ") && tip.text.contains("high watermark"))
        );
    }
}

#[test]
fn one_broker_with_a_hundred_partitions_names_its_cells() {
    let player = played(|document| partitions(document, 1, 100));
    let pictures = seen(&player, Which::Log);
    let named = |text: &str| {
        let mut shapes = pictures[0].cards[0].shapes.iter();
        shapes.any(|shape| matches!(shape, Shape::Text { text: words, .. } if words == text))
    };
    assert!(named("100 lead") && named("leads 100"), "{:?}", pictures[0].cards[0]);
}

#[test]
fn a_few_partitions_more_are_thin_strips() {
    let player = played(|document| partitions(document, 3, 10));
    for picture in seen(&player, Which::Log).iter().filter(|picture| picture.width > 600.0) {
        let mut shapes = picture.cards[0].shapes.iter();
        assert!(!shapes.any(|shape| matches!(shape, Shape::Rect { class, .. } if class.starts_with("bit"))));
    }
}

#[test]
fn ten_nodes_with_a_hundred_queues_and_twenty_clients_fit_any_stage() {
    let player = played(|document| {
        document["log"] = serde_json::Value::Null;
        let queue =
            |n: u32| serde_json::json!({ "name": format!("work-{n}"), "arguments": { "x-queue-type": "quorum" } });
        document["queue"]["nodes"] = 10.into();
        document["queue"]["queues"] = (0..100).map(queue).collect();
        let producer = |n: u32| serde_json::json!({ "name": format!("source-{n}"), "rate": "2/s" });
        let consumer = |n: u32| serde_json::json!({ "name": format!("worker-{n}"), "processing": "40ms" });
        document["workload"]["producers"] = (1..=10).map(producer).collect();
        document["workload"]["consumers"] = (1..=10).map(consumer).collect();
    });
    for picture in seen(&player, Which::Queue) {
        assert_eq!(picture.cards.len(), 30);
        let cells = picture.cards.iter().flat_map(|card| &card.shapes);
        let cells =
            cells.filter(|shape| matches!(shape, Shape::Rect { class, .. } if class.starts_with("bit"))).count();
        assert_eq!(cells, 300);
    }
}

#[test]
fn every_scenario_fits_any_stage() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name == "digests.json") {
            continue;
        }
        let document = scenario::read(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let mut player = Player::new(document).unwrap();
        for second in [2, 6, 12] {
            player.advance(Time::ZERO + Nanos::millis(second * 1_000), u64::MAX);
            for which in [Which::Log, Which::Queue] {
                if layout(&player, which, 700.0, 460.0).is_some() {
                    assert_eq!(seen(&player, which).len(), STAGES.len(), "{}", path.display());
                }
            }
        }
    }
}
