//! How fast it is: run with `cargo test --release -p queue-cluster --test speed -- --ignored --nocapture`.

mod story;

use sim::Nanos;
use story::*;

#[test]
#[ignore = "a measurement"]
fn events_a_second() {
    for (kind, rate) in [("classic", 20_000), ("quorum", 20_000)] {
        let mut settings = config(kind);
        settings.publishers[0].max_unconfirmed = 2000;
        settings.server.quorum_commands_soft_limit = 2000;
        settings.consumers[0].prefetch_count = 500;
        settings.consumers[0].ack_every = 50;
        let mut story = Story::new(1, &settings, &workload(rate, None, Nanos::micros(10)));
        #[allow(clippy::disallowed_types, clippy::disallowed_methods)] // A measurement of wall time.
        let start = std::time::Instant::now();
        story.run(seconds(10));
        let took = start.elapsed();
        let events = story.cluster.world().events();
        println!("{kind}: {} messages, {events} events in {took:?}", story.ledger.processed.len());
        #[allow(clippy::disallowed_types, clippy::disallowed_methods)]
        let start = std::time::Instant::now();
        let copies: Vec<_> = (0..100).map(|_| story.cluster.clone()).collect();
        println!("{kind}: a keyframe takes {:?}", start.elapsed() / copies.len() as u32);
    }
}
