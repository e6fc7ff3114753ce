mod common;
use common::*;
use log_cluster::config::Acks;

#[test]
fn looks() {
    let mut config = config();
    config.producers = vec![producer(Acks::All)];
    config.consumers = vec![consumer()];
    let mut story = Story::new(&config, &workload(100, 1, 2));
    for s in [1, 2, 4, 6, 8, 10] {
        story.run_to(s * 1000);
        println!(
            "{}s acked {} processed {} produced {}",
            s,
            story.acknowledged(),
            story.processed(),
            story.fates.len()
        );
    }
    let leader = story.leader().unwrap();
    println!("kill {leader}");
    story.kill(&leader);
    for s in 11..40 {
        story.run_to(s * 1000);
        println!(
            "{}s acked {} processed {} produced {} events {}",
            s,
            story.acknowledged(),
            story.processed(),
            story.fates.len(),
            story.cluster.world().events()
        );
    }
    println!("{}", story.tell());
    println!("{:#?}", story.view().consumers);
    println!("lost {:?}", story.lost().len());
}
