//! Controllers that stop in good order, and what brokers hold for when there are none (K-Q3, K-Q8).

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
