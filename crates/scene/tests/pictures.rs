//! What pictures show, read as text. `BLESS=1 cargo test -p scene` rewrites the README's picture; look at it.

use player::Player;
use scene::{CROWD, Flying, Layout, Picture, Shape, Sight, Which, figure, flights, layout, picture};
use sim::{Nanos, Time};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn document(name: &str) -> scenario::Document {
    scenario::read(&std::fs::read_to_string(format!("{ROOT}/scenarios/{name}.json")).unwrap()).unwrap()
}

fn played(document: scenario::Document, ms: u64) -> Player {
    let mut player = Player::new(document).unwrap();
    player.advance(Time::ZERO + Nanos::millis(ms), u64::MAX);
    player
}

fn seen(player: &Player, which: Which) -> (Layout, Picture) {
    let layout = layout(player, which, 700.0, 460.0).unwrap();
    let picture = picture(player, which, &layout).unwrap();
    (layout, picture)
}

fn says<'a>(picture: &'a Picture, node: &str) -> &'a str {
    &picture.cards.iter().find(|card| card.name == node).unwrap().says
}

#[test]
fn the_picture_of_the_readme_is_what_the_scene_draws() {
    let mut player = played(document("one-node-lost"), 5_060);
    let text = figure(&mut player, 1440.0, 680.0, true);
    let file = format!("{ROOT}/docs/picture.svg");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), text, "BLESS=1 rewrites it");
    assert!(text.contains("power off"));
}

#[test]
fn faces_say_in_words_what_they_show() {
    let player = played(document("one-node-lost"), 4_500);
    let (_, log) = seen(&player, Which::Log);
    assert!(says(&log, "broker-1").starts_with("broker-1, leads p0, p0 leads, in sync, log end "));
    assert!(says(&log, "fulfil-1").contains("lag"));
    let (_, queue) = seen(&player, Which::Queue);
    assert!(says(&queue, "rabbit-1").contains("leader · term 1, orders: "));
    assert!(says(&queue, "rabbit-2").contains("follows in term 1"));
    assert!(says(&queue, "fulfil-2").contains("prefetch 10, "));

    let player = played(document("one-node-lost"), 7_000);
    let (_, log) = seen(&player, Which::Log);
    // Nothing was flushed: what the machine will come back with is what is on its disk.
    assert!(says(&log, "broker-1").starts_with("broker-1, power off · 2 s, p0: 0 on its disk"));
    assert!(says(&log, "broker-2").contains("leads p1"));
}

#[test]
fn a_hung_transaction_is_seen_at_its_producer_its_coordinator_and_its_partitions() {
    let player = played(document("hung-transaction"), 20_000);
    let (_, log) = seen(&player, Which::Log);
    assert!(says(&log, "payments").contains("hangs in transaction 5"), "{}", says(&log, "payments"));
    assert!(says(&log, "broker-1").contains("1 open transactions, last stable offset "), "{}", says(&log, "broker-1"));
    assert!(
        says(&log, "broker-3").contains("transaction of payments: Ongoing, in p0, p1"),
        "{}",
        says(&log, "broker-3")
    );
    let player = played(document("hung-transaction"), 44_000);
    let (_, log) = seen(&player, Which::Log);
    assert!(!says(&log, "broker-1").contains("open transactions"));
}

#[test]
fn what_flies_is_on_its_way_between_the_two_cards() {
    let player = played(document("one-node-lost"), 4_500);
    for which in [Which::Log, Which::Queue] {
        let (layout, _) = seen(&player, which);
        let mut flying = Flying::default();
        let sight = Sight { wrecks: Nanos::ZERO, most: 1_000, crowd: CROWD };
        flights(&player, which, &layout, sight, &mut flying);
        assert!(!flying.rows.is_empty() && flying.streams.is_empty());
        for row in flying.rows {
            assert!(row.sent <= 0.0 && row.due >= 0.0, "{row:?}");
            assert!(row.curve.iter().all(|place| (-60.0..760.0).contains(place)), "{row:?}");
        }
    }
}

#[test]
fn names_from_a_document_are_text_and_nothing_else() {
    let mut document = document("one-node-lost");
    document.title = "<script>alert(1)</script> & \"more\"".to_owned();
    document.workload.producers[0].name = "<b onclick=x>".to_owned();
    let text = figure(&mut played(document, 3_000), 1440.0, 680.0, false);
    assert!(!text.contains("<script") && !text.contains("<b ") && text.contains("&lt;script&gt;"));
}

#[test]
fn many_nodes_and_partitions_fold_instead_of_overflowing() {
    let mut document = document("one-node-lost");
    let log = document.log.as_mut().unwrap();
    log.brokers = 10;
    log.topics[0].partitions = 100;
    log.topics[0].replicas = Vec::new();
    document.queue = None;
    document.tape.clear();
    let player = played(document, 4_000);
    let (_, picture) = seen(&player, Which::Log);
    for card in &picture.cards {
        for shape in &card.shapes {
            if let Shape::Rect { x, y, w, h, .. } = shape {
                let (right, bottom) = (card.place.x + card.place.w + 0.6, card.place.y + card.place.h + 0.6);
                assert!(x + w <= right && y + h <= bottom, "{}: {shape:?} outside {:?}", card.name, card.place);
            }
        }
    }
    assert!(layout(&player, Which::Queue, 700.0, 460.0).is_none());
}

#[test]
fn a_picture_with_everything_dead_is_still_a_picture() {
    let mut document = document("all-power-lost");
    document.tape.truncate(6);
    let mut player = played(document, 9_000);
    let (_, log) = seen(&player, Which::Log);
    let dead = log.cards.iter().filter(|card| card.health == "powered-off").count();
    assert_eq!(dead, 3);
    assert!(figure(&mut player, 800.0, 400.0, false).ends_with("</svg>\n"));
}
