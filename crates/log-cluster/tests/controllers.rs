//! Controllers that stop in good order, what brokers hold for when there are none, and how long they wait (K-Q3, K-Q8 to
//! K-Q10).

mod common;
use common::{Story, config, producer, workload};
use log_cluster::config::{Acks, Controllers};
use sim::{Nanos, Time};

fn is_active(view: &log_cluster::View) -> bool {
    view.servers.iter().filter_map(|server| server.controller.as_ref()).any(|it| it.is_active && it.epoch > 1)
}

#[test]
fn k_q8_a_controller_that_stops_in_good_order_names_its_successor() {
    for combined in [false, true] {
        let mut config = config();
        if combined {
            config.controllers = Controllers::Combined(3);
        }
        config.producers = vec![producer(Acks::All)];
        let mut story = Story::new(&config, &workload(100, 1, 0));
        story.run_to(5_000);
        let first = if combined { "broker-1" } else { "controller-1" };
        story.stop(first);
        let wait = story.run_until(3_000, "another active controller", is_active);
        // A broker that is a controller as well hands its leaderships over first.
        let most = if combined { 1_500 } else { 200 };
        assert!(wait <= most, "{wait} ms: nobody waits for a timeout\n{}", story.tell());
        let mut story = Story::new(&config, &workload(100, 1, 0));
        story.run_to(5_000);
        story.kill(first);
        let wait = story.run_until(6_000, "another active controller", is_active);
        assert!(wait >= 1_000, "{wait} ms: a killed one says nothing");
    }
}

#[test]
fn k_q8_the_next_successor_stands_after_a_while_if_the_first_does_not() {
    let takes = |most: &str| {
        let mut config = config();
        config.controllers = Controllers::Dedicated(5);
        config.broker.set("controller.quorum.election.backoff.max.ms", most).unwrap();
        let mut story = Story::new(&config, &workload(10, 1, 0));
        story.run_to(5_200);
        // All four have all of the log, so that they are named in their order.
        story.pause("controller-2");
        story.stop("controller-1");
        story.run_until(4_000, "another active controller", is_active)
    };
    // Of four successors the second waits for an eighth: less than any election timeout.
    assert!((120..=250).contains(&takes("1000")), "{} ms", takes("1000"));
    assert!((500..=650).contains(&takes("4000")), "{} ms", takes("4000"));
    // All at once: nobody gets a majority, and who lost waits for the rest of its election timeout (K-Q2).
    assert!((1_000..=2_200).contains(&takes("0")), "{} ms", takes("0"));
}

#[test]
fn k_q3_a_broker_has_producer_ids_in_store_when_there_is_no_controller() {
    let mut config = config();
    config.producers = vec![producer(Acks::All), producer(Acks::All)];
    let mut workload = workload(50, 2, 0);
    workload.producers[1].start = Time::ZERO + Nanos::secs(10);
    config.late = (1, 0);
    let mut story = Story::new(&config, &workload);
    story.run_to(5_000);
    let first = story.view().producers[0].producer_id.expect("it has one").0;
    for controller in ["controller-1", "controller-2", "controller-3"] {
        story.kill(controller);
    }
    story.start("producer-2");
    story.run_to(20_000);
    assert_eq!(story.view().producers[1].producer_id, Some((first + 1, 0)), "of the same thousand");
}

#[test]
fn k_q9_a_broker_that_cannot_register_gives_up_after_a_minute() {
    let mut config = config();
    config.spare = 1;
    config.controllers = Controllers::Dedicated(1);
    config.topics[0].replica_assignment = vec![vec![1, 2]];
    config.topics[0].replication_factor = 2;
    let alive = |story: &Story, name: &str| story.cluster.world().health(story.node(name)).is_alive();
    let mut story = Story::new(&config, &workload(10, 1, 0));
    story.run_to(5_000);
    story.kill("controller-1");
    story.start("broker-3");
    story.run_for(59_000);
    assert!(alive(&story, "broker-3"), "{}", story.tell());
    story.run_for(2_000);
    assert!(!alive(&story, "broker-3") && alive(&story, "broker-1"), "who has registered goes on: {}", story.tell());
    assert_eq!(story.marked("broker-gives-up"), 1);
    config.broker.initial_broker_registration_timeout_ms = 600_000;
    let mut story = Story::new(&config, &workload(10, 1, 0));
    story.run_to(5_000);
    story.kill("controller-1");
    story.start("broker-3");
    story.run_for(120_000);
    story.start("controller-1");
    story.run_for(20_000);
    assert!(alive(&story, "broker-3") && story.marked("broker-gives-up") == 0, "{}", story.tell());
}

#[test]
fn k_q10_metadata_is_written_down_as_a_whole_by_bytes_and_by_time() {
    let snapshots = |interval: i64, bytes: i64| {
        let mut config = config();
        config.broker.metadata_log_max_snapshot_interval_ms = interval;
        config.broker.metadata_log_max_record_bytes_between_snapshots = bytes;
        let mut story = Story::new(&config, &workload(10, 1, 1));
        story.run_to(30_000);
        let view = story.view();
        let controllers: Vec<_> = view.servers.iter().filter_map(|server| server.controller.as_ref()).collect();
        // A broker that knows none of the log gets the whole, and the rest of it after that.
        story.kill("broker-3");
        story.start("broker-3");
        story.run_for(20_000);
        assert_eq!(story.isr().len(), 3, "{}", story.tell());
        controllers.iter().map(|it| it.snapshot).collect::<Vec<u64>>()
    };
    assert_eq!(snapshots(3_600_000, 20_971_520), [0, 0, 0], "an hour, 20 MB");
    let by_time = snapshots(10_000, 20_971_520);
    // A record that says nothing every half second: 20 s are some 40 of them.
    assert!(by_time.iter().all(|upto| (40..70).contains(upto)), "{by_time:?}");
    let by_bytes = snapshots(0, 1_200);
    assert!(by_bytes.iter().all(|upto| *upto > by_time[0]), "{by_bytes:?}");
}

#[test]
fn k_r6_how_long_a_controller_is_waited_for_is_a_setting() {
    let takes = |setting: &str, value: &str| {
        let mut config = config();
        config.producers = vec![producer(Acks::All)];
        config.broker.set(setting, value).unwrap();
        // Nobody else gets tired of waiting.
        config.broker.set("broker.session.timeout.ms", "60000").unwrap();
        let mut story = Story::new(&config, &workload(10, 1, 0));
        story.run_to(5_000);
        story.pause("controller-1");
        story.run_until(6_000, "another active controller", is_active);
        let broker = story.node("broker-1");
        let order =
            log_cluster::AdminOrder::ElectLeaders { topic: None, kind: log_cluster::election::Election::Preferred };
        story.cluster.administer(broker, order).unwrap();
        story.run_until(20_000, "an answer", |_| true);
        let mut waited = 0;
        while story.marked("admin-refused") == 0 && waited < 20_000 {
            story.run_for(10);
            waited += 10;
        }
        waited
    };
    let (usual, patient) =
        (takes("controller.quorum.request.timeout.ms", "2000"), takes("controller.quorum.request.timeout.ms", "9000"));
    assert!(usual < 2_500 && patient > usual + 1_500, "{usual} {patient}");
    let slow = takes("controller.quorum.retry.backoff.ms", "3000");
    assert!(slow > usual + 2_000, "{usual} {slow}");
}
