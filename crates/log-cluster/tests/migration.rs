//! Groups that go from one protocol to the other while they have members (K-G11).

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::config::{Acks, Config};
use log_cluster::view::ConsumerView;
use sim::workload::Workload;
use sim::{Health, Nanos, Time};

/// Six partitions and members that come 10 s apart, by the protocols that are named.
fn members(protocols: &[&str]) -> (Config, Workload) {
    let mut config = config();
    config.topics[0].partitions = 6;
    config.topics[0].replica_assignment = Vec::new();
    config.producers = vec![producer(Acks::All)];
    config.consumers = protocols
        .iter()
        .map(|protocol| {
            let mut client = consumer();
            client.config.set("group.protocol", protocol).unwrap();
            client
        })
        .collect();
    let mut workload = workload(200, 1, protocols.len());
    for (place, spec) in workload.consumers.iter_mut().enumerate() {
        spec.start = Time::ZERO + Nanos::secs(10 * place as u64);
    }
    (config, workload)
}

/// How many partitions each has that is there.
fn counts(story: &Story) -> Vec<usize> {
    let there = |view: &&ConsumerView| story.cluster.world().health(view.node) == Health::Running;
    story.view().consumers.iter().filter(there).map(|view| view.assigned.len()).collect()
}

fn group(story: &Story) -> (&'static str, &'static str, usize) {
    let group = story.view().groups[0].clone();
    (group.protocol, group.state, group.members.len())
}

#[test]
fn k_g11_a_member_of_the_consumer_protocol_takes_the_group_along_and_the_last_one_gives_it_back() {
    let (config, workload) = members(&["classic", "classic", "consumer"]);
    let mut story = Story::new(&config, &workload);
    story.run_to(19_900);
    assert_eq!((group(&story), counts(&story)), (("classic", "Stable", 2), vec![3, 3, 0]));
    story.run_to(38_000);
    assert_eq!((group(&story), counts(&story)), (("consumer", "Stable", 3), vec![2, 2, 2]), "{}", story.tell());
    // The coordinator assigns to classic members, too: nobody is killed or put out.
    assert_eq!(
        (story.marked("member-expired"), story.marked("member-fenced"), story.marked("group-converted")),
        (0, 0, 1)
    );
    story.stop("consumer-3");
    story.run_for(10_000);
    assert_eq!((group(&story), counts(&story)), (("classic", "Stable", 2), vec![3, 3]), "{}", story.tell());
    story.run_for(5_000);
    assert_eq!(story.marked("group-converted"), 2);
    assert!(story.lost().is_empty());
    let twice = story.fates.values().filter(|fate| fate.processed.values().any(|times| *times > 1)).count();
    assert_eq!(twice, 0, "who gives partitions up commits first");
}

#[test]
fn k_g11_classic_members_are_taken_into_a_consumer_group_and_live_by_their_own_sessions() {
    let (config, workload) = members(&["consumer", "classic"]);
    let mut story = Story::new(&config, &workload);
    story.run_to(20_000);
    assert_eq!((group(&story), counts(&story)), (("consumer", "Stable", 2), vec![3, 3]), "{}", story.tell());
    story.kill("consumer-2");
    let wait = story.run_until(60_000, "its session ends", |view| view.groups[0].members.len() == 1);
    assert!((41_000..46_000).contains(&wait), "{wait} ms: session.timeout.ms is the member's own");
    story.run_for(6_000);
    assert_eq!(counts(&story)[0], 6);
}

#[test]
fn k_g11_a_new_coordinator_knows_who_is_of_which_protocol() {
    let (config, workload) = members(&["classic", "consumer"]);
    let mut story = Story::new(&config, &workload);
    story.run_to(25_000);
    let coordinator = story.view().groups[0].coordinator.expect("it has one");
    let name = story.cluster.nodes()[coordinator.index()].name.clone();
    story.stop(&name);
    story.run_for(15_000);
    assert_eq!((group(&story), counts(&story)), (("consumer", "Stable", 2), vec![3, 3]), "{}", story.tell());
    story.stop("consumer-2");
    story.run_for(10_000);
    assert_eq!((group(&story), counts(&story)), (("classic", "Stable", 1), vec![6]), "{}", story.tell());
}

#[test]
fn k_g11_what_the_policy_forbids_is_refused() {
    for policy in ["disabled", "downgrade"] {
        let (mut config, workload) = members(&["classic", "consumer"]);
        config.broker.set("group.consumer.migration.policy", policy).unwrap();
        let mut story = Story::new(&config, &workload);
        story.run_to(20_000);
        assert_eq!(story.view().consumers[1].failed, Some("GROUP_ID_NOT_FOUND"), "{policy}");
        assert_eq!((group(&story), counts(&story)), (("classic", "Stable", 1), vec![6]), "{policy}");
    }
    let (mut config, workload) = members(&["classic", "consumer"]);
    config.broker.set("group.consumer.migration.policy", "upgrade").unwrap();
    let mut story = Story::new(&config, &workload);
    story.run_to(25_000);
    story.stop("consumer-2");
    story.run_for(10_000);
    assert_eq!((group(&story), counts(&story)), (("consumer", "Stable", 1), vec![6]), "{}", story.tell());
}
