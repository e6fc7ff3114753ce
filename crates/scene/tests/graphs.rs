//! Topologies as graphs, and what is known of their elements: what there is, how it hangs together, what it counts.

use player::Player;
use scene::{Graph, Which, graph, inspect, layout_of, picture};
use sim::{Nanos, Time};

fn played(name: &str, seconds: u64, edit: impl Fn(&mut serde_json::Value)) -> Player {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let text = std::fs::read_to_string(format!("{root}/scenarios/{name}.json")).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    edit(&mut document);
    let mut player = Player::new(scenario::read(&document.to_string()).unwrap()).unwrap();
    player.advance(Time::ZERO + Nanos::secs(seconds), u64::MAX);
    player
}

/// The ways as `from kind to (label)`.
fn ways(graph: &Graph) -> Vec<String> {
    graph.edges.iter().map(|edge| format!("{} {} {} ({})", edge.from, edge.kind, edge.to, edge.label)).collect()
}

fn counted(graph: &Graph, id: &str, what: &str) -> f64 {
    let node = graph.nodes.iter().find(|node| node.id == id).unwrap();
    node.figures.iter().find(|figure| figure.what == what).unwrap().value
}

#[test]
fn exchanges_queues_and_clients_hang_together_with_dead_letters_and_alternates() {
    let player = played("dead-letters", 12, |document| {
        document["queue"]["exchanges"] = serde_json::json!([
            {"name": "shop", "type": "topic", "arguments": {"alternate-exchange": "rest"}},
            {"name": "rest", "type": "fanout"}
        ]);
        document["queue"]["bindings"] = serde_json::json!([
            {"source": "shop", "destination": "keeps", "routing_key": "order.*"},
            {"source": "rest", "destination": "dropped"}
        ]);
    });
    let graph = graph(&player, Which::Queue).unwrap();
    let ways = ways(&graph);
    for way in [
        "producer:careful publish exchange: (keeps)",
        "exchange: bind queue:keeps (keeps)",
        "exchange:shop bind queue:keeps (order.*)",
        "exchange:shop alternate exchange:rest ()",
        "exchange:rest bind queue:dropped ()",
        "queue:keeps dead-letter queue:kept (kept · at-least-once)",
        "queue:drops dead-letter queue:dropped (dropped)",
    ] {
        assert!(ways.iter().any(|known| known == way), "{way} in {ways:#?}");
    }
    assert!(ways.iter().any(|way| way.starts_with("queue:keeps deliver consumer:keeps (")), "{ways:#?}");
    // Since 10 s the home of `kept` is down: its letters wait in `keeps`, and nothing goes there.
    let kept = graph.nodes.iter().find(|node| node.id == "queue:kept").unwrap();
    assert_eq!((kept.up, kept.sort.as_str(), kept.at.as_str()), (false, "classic", "rabbit-3"));
    assert!(counted(&graph, "queue:keeps", "dead letters") > 0.0);
    assert_eq!(inspect(&player, Which::Queue, "exchange", "nowhere"), None);
    let facts = inspect(&player, Which::Queue, "exchange", "shop").unwrap();
    let fact = |name: &str| facts.iter().find(|fact| fact.name == name).map(|fact| (fact.value.as_str(), fact.rule));
    assert_eq!(fact("alternate exchange"), Some(("rest", "R-X6")));
    assert_eq!(fact("to queue keeps"), Some(("order.*", "R-X3")));
}

#[test]
fn topics_partitions_and_groups_hang_together_and_follow_the_leader() {
    let before = played("one-node-lost", 4, |_| {});
    let graph_of = |player: &Player| graph(player, Which::Log).unwrap();
    let whole = graph_of(&before);
    let all = ways(&whole);
    for way in ["producer:orders-1 publish topic:orders ()", "topic:orders part partition:orders-0 ()"] {
        assert!(all.iter().any(|known| known == way), "{way} in {all:#?}");
    }
    let leader = |graph: &Graph| graph.nodes.iter().find(|node| node.id == "partition:orders-0").unwrap().at.clone();
    assert_eq!(leader(&whole), "broker-1");
    assert!(counted(&whole, "partition:orders-0", "log end") > 0.0);
    // Every way leads from something to something.
    for edge in &whole.edges {
        for end in [&edge.from, &edge.to] {
            assert!(whole.nodes.iter().any(|node| node.id == *end), "{end}");
        }
    }
    let after = played("one-node-lost", 24, |_| {});
    assert_ne!(leader(&graph_of(&after)), "broker-1");
    let facts = inspect(&after, Which::Log, "partition", "orders-0").unwrap();
    let isr = facts.iter().find(|fact| fact.name == "in sync").unwrap();
    assert!(!isr.value.contains("broker-1") && isr.rule == "K-R3", "{isr:?}");
    let lost = inspect(&after, Which::Log, "node", "broker-1").unwrap();
    assert!(lost.iter().any(|fact| fact.name == "state" && fact.value == "powered off"), "{lost:?}");
    assert!(inspect(&after, Which::Log, "link", "broker-2 – broker-3").unwrap().len() > 2);
}

#[test]
fn what_has_nothing_to_do_with_the_focus_fades_its_links_and_its_flights_too() {
    let player = played("dead-letters", 8, |_| {});
    let focus = scene::Focus { kind: "queue".into(), name: "keeps".into() };
    let layout = layout_of(&player, Which::Queue, (700.0, 460.0), 1.0, Some(focus)).unwrap();
    let seen = picture(&player, Which::Queue, &layout).unwrap();
    let of = |name: &str| {
        let links = seen.links.iter().filter(|link| link.from == name || link.to == name);
        links.map(|link| link.faded).collect::<Vec<_>>()
    };
    assert!(!of("careless").is_empty() && of("careless").iter().all(|faded| *faded));
    assert!(!of("careful").is_empty() && of("careful").iter().all(|faded| !*faded));
    let (mut flying, sight) =
        (scene::Flying::default(), scene::Sight { wrecks: Nanos::ZERO, most: 10_000, crowd: scene::CROWD });
    let mut faded = [0, 0];
    let mut player = player;
    for step in 0..200 {
        player.advance(Time::ZERO + Nanos::secs(8) + Nanos::millis(step * 10), u64::MAX);
        scene::flights(&player, Which::Queue, &layout, sight, &mut flying);
        flying.rows.iter().for_each(|row| faded[usize::from(row.look >> 31 == 1)] += 1);
    }
    assert!(faded[0] > 50 && faded[1] > 50, "{faded:?}");
}
