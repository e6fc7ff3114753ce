//! Who is asked in vain names the leader (K-T8).

mod common;

use common::{Story, config, consumer, producer, workload};
use log_cluster::AdminOrder;
use log_cluster::config::Acks;
use log_cluster::election::Election;

/// The leadership goes from one broker to the next while all of them are at work.
fn move_to(story: &mut Story, replicas: [u16; 3]) {
    let any = story.node("broker-3");
    let reassign = AdminOrder::Reassign { topic: "orders".into(), partition: 0, replicas: replicas.to_vec() };
    story.cluster.administer(any, reassign).unwrap();
    story.run_for(100);
    let elect = AdminOrder::ElectLeaders { topic: Some("orders".into()), kind: Election::Preferred };
    story.cluster.administer(any, elect).unwrap();
    let name = format!("broker-{}", replicas[0]);
    let mut waited = 0;
    while story.leader().as_deref() != Some(&name) {
        assert!(waited < 1_000, "{} leads\n{}", story.leader().unwrap_or_default(), story.tell());
        story.run_for(5);
        waited += 5;
    }
}

/// Clients that may not ask for metadata again for a minute.
fn patient() -> Story {
    let mut config = config();
    config.producers = vec![producer(Acks::All)];
    config.consumers = vec![consumer()];
    let (sends, reads) = (&mut config.producers[0].config, &mut config.consumers[0].config);
    (sends.retry_backoff_ms, sends.retry_backoff_max_ms) = (60_000, 60_000);
    (reads.retry_backoff_ms, reads.retry_backoff_max_ms) = (20_000, 20_000);
    Story::new(&config, &workload(100, 1, 1))
}

#[test]
fn k_t8_a_client_goes_to_the_leader_that_is_named_before_it_has_new_metadata() {
    let mut story = patient();
    story.run_to(59_000);
    story.run_until(60_000, "it reads", |view| view.consumers[0].assigned.len() == 1);
    // Until then much had gathered.
    story.run_to(75_000);
    // The first move uses up what may be asked for metadata, whatever that was.
    for replicas in [[2, 1, 3], [1, 2, 3], [2, 1, 3]] {
        move_to(&mut story, replicas);
        story.run_for(300);
        let (acknowledged, processed) = (story.acknowledged(), story.processed());
        story.run_for(2_000);
        let more = (story.acknowledged() - acknowledged, story.processed() - processed);
        assert!(
            (190..=210).contains(&more.0) && (190..=210).contains(&more.1),
            "{more:?} after {replicas:?}\n{}",
            story.tell()
        );
    }
    assert_eq!(story.stored_twice(), 0);
}
