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
    story.run_to(30000);
    println!(
        "acked {} processed {} produced {} events {}",
        story.acknowledged(),
        story.processed(),
        story.fates.len(),
        story.cluster.world().events()
    );
    story.start(&leader);
    story.run_to(60000);
    println!(
        "acked {} processed {} produced {} events {}",
        story.acknowledged(),
        story.processed(),
        story.fates.len(),
        story.cluster.world().events()
    );
    story.stop("broker-2");
    story.run_to(65000);
    story.start("broker-2");
    story.run_to(70000);
    story.kill("consumer-1");
    story.run_to(170000);
    story.power_off("controller-1");
    story.run_to(190000);
    story.power_off("broker-1");
    story.run_to(230000);
    println!(
        "acked {} processed {} produced {} events {}",
        story.acknowledged(),
        story.processed(),
        story.fates.len(),
        story.cluster.world().events()
    );
    println!("{}", story.tell());
    println!("lost {:?}", story.lost().len());
    println!("{:?}", story.view().servers);
}
