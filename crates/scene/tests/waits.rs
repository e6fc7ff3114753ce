//! What is waited for, read as text; and the space-time diagram.

use player::Player;
use scene::{Which, Window, space_time, waits};
use sim::story::MessageId;
use sim::{Nanos, Time};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn played(name: &str, ms: u64) -> Player {
    let text = std::fs::read_to_string(format!("{ROOT}/scenarios/{name}.json")).unwrap();
    let mut player = Player::new(scenario::read(&text).unwrap()).unwrap();
    player.advance(Time::ZERO + Nanos::millis(ms), u64::MAX);
    player
}

#[test]
fn a_cluster_whose_leader_died_says_what_it_waits_for_and_until_when() {
    let told = waits(&played("one-node-lost", 6_000));
    let find = |part: &str| told.iter().find(|wait| wait.says.contains(part)).unwrap_or_else(|| panic!("{told:#?}"));
    let session = find("until broker-1 has been silent for broker.session.timeout.ms, 9 s");
    // Dead at 5 s, fenced 9 s later, looked at every eighth of that.
    assert_eq!((session.until, session.rule), (Some(15.125e9), "K-Q4"));
    assert_eq!(find("waits for its leader broker-1").rule, "K-E2");
    let queue = find("orders has no leader at work");
    assert!(queue.until.is_some_and(|until| until > 6e9 && until < 15e9), "{queue:?}");
    assert!(find("waits for the acknowledgement of").cluster == "log");
    let later = waits(&played("one-node-lost", 25_000));
    assert!(later.iter().all(|wait| !wait.says.contains("session.timeout")), "it is fenced by then: {later:#?}");
}

#[test]
fn nothing_but_an_order_ends_the_wait_for_power() {
    let told = waits(&played("all-power-lost", 9_000));
    let majority = told.iter().find(|wait| wait.says.contains("majority"));
    assert!(majority.is_some_and(|wait| wait.until.is_none()), "{told:#?}");
}

#[test]
fn a_window_shows_lanes_arrows_and_the_life_of_a_message_over_them() {
    let player = played("one-node-lost", 8_000);
    let id = MessageId { producer: 0, sequence: 20 };
    let life = player.life(true, id, player.at(), u64::MAX).unwrap();
    let from = life.log.steps[0].at;
    // What happens at the very beginning of a window was before it.
    let from = Time(from.0 - 1);
    let window = Window { from, to: from + Nanos::millis(400), width: 900.0, of: Some(id) };
    let diagram = space_time(&player, Which::Log, window).unwrap();
    assert_eq!((diagram.from, diagram.width), (from.0 as f64, 900.0));
    let of = |class: &str| diagram.spots.iter().filter(|spot| spot.class == class).count();
    assert!(of("arrow mine") >= 3, "to the leader, to its followers");
    assert!(of("step") >= 3 && of("arrow produce") > 0);
    assert!(diagram.spots.iter().any(|spot| spot.says.starts_with("orders-1 to broker-")));
    let fault = Window { from: Time(4_900_000_000), to: Time(5_100_000_000), width: 900.0, of: None };
    let diagram = space_time(&player, Which::Queue, fault).unwrap();
    assert!(diagram.spots.iter().any(|spot| spot.class == "event fault" && spot.says.contains("rabbit-1 loses power")));
    assert!(diagram.spots.iter().any(|spot| spot.class == "arrow lost"));
}

#[test]
fn a_lane_is_broken_where_its_node_does_not_run() {
    let mut player = played("one-node-lost", 18_000);
    let down = |player: &Player, from: u64, to: u64| {
        let window = Window { from: Time(from * 1_000_000), to: Time(to * 1_000_000), width: 900.0, of: None };
        let diagram = space_time(player, Which::Log, window).unwrap();
        diagram
            .spots
            .into_iter()
            .filter(|spot| spot.class == "lane down")
            .map(|spot| (spot.says, spot.at))
            .collect::<Vec<_>>()
    };
    let off = ("broker-1: power off, for 21 s".to_owned(), 5e9);
    let none = Vec::new();
    assert_eq!(down(&player, 4_000, 4_900), none);
    assert_eq!(down(&player, 4_900, 5_100), [("broker-1: power off".to_owned(), 5e9)], "nobody knows for how long yet");
    player.advance(Time(30_000_000_000), u64::MAX);
    assert_eq!(down(&player, 9_000, 9_100), [off], "all of the window, and when it began");
    assert_eq!(down(&player, 27_000, 27_100), none, "it runs again");
}
