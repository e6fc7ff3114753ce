//! Sequence numbers in a run: what comes before its turn.

mod common;
use common::{Story, config, producer, workload};
use log_cluster::AdminOrder;
use log_cluster::config::{Acks, Config};
use sim::workload::Arrivals;
use sim::{Latency, Nanos};

#[test]
fn k_i3_a_batch_behind_a_refused_one_is_out_of_order_and_comes_again_in_order() {
    let mut config: Config = config();
    config.producers = vec![producer(Acks::All)];
    // Several batches are under way at once.
    config.link.latency = Latency::Constant(Nanos::millis(20));
    let mut workload = workload(60, 1, 1);
    workload.producers[0].arrivals = Arrivals::Poisson;
    workload.producers[0].limit = Some(700);
    let mut story = Story::new(&config, &workload);
    story.run_to(8_000);
    // From now on batches of more than one record are refused, and split; single ones behind them are not.
    let (topic, setting) = (Some("orders".to_owned()), "max.message.bytes".to_owned());
    let order = AdminOrder::SetConfig { topic, broker: None, setting, value: "250".into() };
    story.cluster.administer(story.node("broker-1"), order).unwrap();
    story.run_to(60_000);
    let told = |code: &str| story.marks.iter().filter(|mark| mark.values.contains(&code.to_owned())).count();
    assert!(told("OUT_OF_ORDER_SEQUENCE_NUMBER") > 0, "{}", story.tell());
    let fates = (story.acknowledged(), story.stored_twice(), story.marked("producer-epoch"));
    assert_eq!(fates, (700, 0, 0), "{}", story.tell());
    let in_order = |sequences: &Vec<u32>| sequences.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(story.order.values().all(in_order), "{}", story.tell());
    assert!(story.order.len() >= 10 && story.lost().is_empty());
}
