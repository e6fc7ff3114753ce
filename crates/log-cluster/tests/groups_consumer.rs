//! Groups by the consumer protocol (KIP-848).

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::config::{Acks, Config};
use log_cluster::view::MemberState;
use sim::workload::{Duration, Workload};
use sim::{Nanos, Time};

/// Six partitions and members that come one after the other, 10 s apart.
fn settings(settings: &[(&str, &str)], members: usize) -> (Config, Workload) {
    let mut config = config();
    config.topics[0].partitions = 6;
    config.topics[0].replica_assignment = Vec::new();
    config.producers = vec![producer(Acks::All)];
    let mut client = consumer();
    client.config.set("group.protocol", "consumer").unwrap();
    settings.iter().for_each(|(name, value)| client.config.set(name, value).unwrap());
    config.consumers = vec![client; members];
    let mut workload = workload(200, 1, members);
    for (place, spec) in workload.consumers.iter_mut().enumerate() {
        spec.start = Time::ZERO + Nanos::secs(10 * place as u64);
    }
    (config, workload)
}

fn story(own: &[(&str, &str)], members: usize) -> Story {
    let (config, workload) = settings(own, members);
    Story::new(&config, &workload)
}

fn shares(story: &Story) -> Vec<Vec<u32>> {
    let parts = |view: &log_cluster::view::ConsumerView| view.assigned.iter().map(|part| part.partition).collect();
    story.view().consumers.iter().map(parts).collect()
}

#[test]
fn k_g7_a_member_that_joins_is_given_its_share_without_a_wait_for_the_others() {
    let mut story = story(&[], 2);
    let wait = story.run_until(4_000, "the first has all", |view| view.consumers[0].assigned.len() == 6);
    assert!(wait < 2_500, "{wait} ms: there is no initial wait");
    story.run_to(9_900);
    let group = story.view().groups[0].clone();
    assert_eq!((group.protocol, group.state, group.generation), ("consumer", "Stable", 1));
    story.run_to(18_000);
    assert_eq!(shares(&story), [[0, 1, 2], [3, 4, 5]], "{}", story.tell());
    let group = story.view().groups[0].clone();
    assert_eq!((group.state, group.generation, group.members.len()), ("Stable", 2, 2));
    assert!(group.members.iter().all(|member| member.epoch == 2 && member.state == "Stable"));
    assert_eq!(story.marked("group-assigned"), 2);
}

#[test]
fn k_g8_members_go_on_with_the_partitions_that_they_keep() {
    let mut story = story(&[], 2);
    story.run_to(9_900);
    let mut before = story.processed();
    let (mut least, mut moved) = (usize::MAX, false);
    for _ in 0..80 {
        story.run_for(100);
        let now = story.processed();
        let shares = shares(&story);
        assert!(shares[0].starts_with(&[0, 1, 2]), "what it keeps it never lets go: {shares:?}");
        if !moved && shares[1].is_empty() {
            least = least.min(now - before);
        }
        moved |= !shares[1].is_empty();
        before = now;
    }
    assert!(moved && least >= 5, "it went on reading throughout: {least} in the slowest tenth of a second");
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_g8_what_another_still_owns_is_waited_for() {
    let (config, mut workload) = settings(&[("max.poll.records", "50")], 2);
    // A batch of 50 takes the first member 10 s: it gives up late.
    workload.consumers[0].processing = Duration::Constant(Nanos::millis(200));
    let mut story = Story::new(&config, &workload);
    let waits = |view: &log_cluster::View| {
        let members = &view.groups[0].members;
        members.iter().any(|member| member.state == "UnrevokedPartitions")
            && members.iter().any(|member| member.state == "UnreleasedPartitions" && member.assigned.is_empty())
    };
    story.run_until(25_000, "one has not given up, the other waits", waits);
    assert_eq!(story.view().groups[0].state, "Reconciling");
    story.run_until(30_000, "it is handed over", |view| view.consumers[1].assigned.len() == 3);
    let twice = story.fates.values().filter(|fate| fate.processed.values().any(|times| *times > 1)).count();
    assert_eq!(twice, 0, "progress was committed before");
}

#[test]
fn k_g8_who_does_not_give_up_in_time_is_fenced() {
    let (config, mut workload) = settings(&[("max.poll.interval.ms", "300000"), ("max.poll.records", "1")], 2);
    workload.consumers[0].processing = Duration::Constant(Nanos::secs(400));
    let mut story = Story::new(&config, &workload);
    story.run_to(340_000);
    let gone = story.marked("member-fenced") + story.marked("member-left");
    assert!(gone >= 1, "{}", story.tell());
    assert_eq!(shares(&story)[1].len(), 6, "{}", story.tell());
}

#[test]
fn k_g7_a_killed_members_share_moves_after_its_session() {
    let mut story = story(&[], 2);
    story.run_to(20_000);
    story.kill("consumer-1");
    let wait = story.run_until(60_000, "all at the other", |view| view.consumers[1].assigned.len() == 6);
    assert!((40_000..=50_100).contains(&wait), "{wait} ms: 40 to 45 s, and up to 5 s until the other asks");
    assert_eq!(story.marked("member-expired"), 1);
    story.run_for(10_000);
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_g9_who_closes_leaves_at_once() {
    let mut story = story(&[], 2);
    story.run_to(20_000);
    story.stop("consumer-1");
    let wait = story.run_until(10_000, "all at the other", |view| view.consumers[1].assigned.len() == 6);
    assert!(wait <= 5_100, "{wait} ms: at its next sign of life");
    assert_eq!(story.marked("member-left"), 1);
    assert!(!story.cluster.world().health(story.node("consumer-1")).is_alive());
}

#[test]
fn k_g9_a_static_member_is_away_for_a_while_and_comes_back() {
    let (mut config, workload) = settings(&[("group.instance.id", "one")], 2);
    config.consumers[1].config.set("group.instance.id", "two").unwrap();
    let mut story = Story::new(&config, &workload);
    story.run_to(20_000);
    let before = shares(&story);
    let epoch = story.view().groups[0].generation;
    story.stop("consumer-2");
    story.run_for(3_000);
    let away = story.view().groups[0].members.iter().any(|member| member.epoch == -2);
    assert!(away, "{:?}", story.view().groups[0]);
    story.start("consumer-2");
    story.run_until(3_000, "it has its share again", |view| view.consumers[1].assigned.len() == 3);
    assert_eq!((shares(&story), story.view().groups[0].generation), (before, epoch));
    // One that was killed has not left.
    story.kill("consumer-2");
    story.start("consumer-2");
    story.run_for(3_000);
    assert_eq!(story.view().consumers[1].failed, Some("UNRELEASED_INSTANCE_ID"));
    story.run_for(60_000);
    assert_eq!(shares(&story)[0].len(), 6, "{}", story.tell());
}

#[test]
fn k_g7_a_new_coordinator_goes_on_where_the_old_one_was() {
    let mut story = story(&[], 2);
    story.run_to(20_000);
    let before = shares(&story);
    let keeper = story.view().groups[0].coordinator.unwrap();
    let name = story.cluster.nodes()[keeper.index()].name.clone();
    story.kill(&name);
    story.run_for(25_000);
    let view = story.view();
    assert!(view.groups[0].coordinator.is_some_and(|now| now != keeper), "{}", story.tell());
    assert_eq!((view.groups[0].state, view.groups[0].generation), ("Stable", 2), "{}", story.tell());
    assert_eq!(shares(&story), before);
    assert!(view.consumers.iter().all(|consumer| consumer.state == MemberState::Stable));
    let processed = story.processed();
    story.run_for(2_000);
    assert!(story.processed() > processed + 300);
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_g9_a_member_that_was_thought_dead_joins_again() {
    let mut story = story(&[], 2);
    story.run_to(20_000);
    story.pause("consumer-1");
    story.run_for(60_000);
    assert_eq!(shares(&story)[1].len(), 6);
    story.resume("consumer-1");
    story.run_for(20_000);
    let mut sizes: Vec<usize> = shares(&story).iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [3, 3], "{}", story.tell());
    assert_eq!(story.lost().len(), 0);
}

#[test]
fn k_c4_a_member_that_does_not_poll_leaves_and_comes_back_when_it_does() {
    let (config, mut workload) = settings(&[("max.poll.interval.ms", "5000"), ("max.poll.records", "1")], 1);
    workload.consumers[0].processing = Duration::Constant(Nanos::secs(8));
    let mut story = Story::new(&config, &workload);
    story.run_to(30_000);
    assert!(story.marked("member-left") >= 2, "{}", story.tell());
    assert!(story.marked("member-joined") >= 2, "{}", story.tell());
}

#[test]
fn k_g7_the_assignor_is_the_one_that_is_asked_for() {
    let (mut config, workload) = settings(&[("group.remote.assignor", "range")], 1);
    let mut story = Story::new(&config, &workload);
    story.run_to(5_000);
    assert_eq!(shares(&story)[0].len(), 6);
    config.broker.set("group.consumer.assignors", "uniform").unwrap();
    let mut story = Story::new(&config, &workload);
    story.run_to(5_000);
    assert_eq!(story.view().consumers[0].failed, Some("UNSUPPORTED_ASSIGNOR"));
    let (mut config, workload) = settings(&[], 2);
    config.broker.set("group.consumer.max.size", "1").unwrap();
    let mut story = Story::new(&config, &workload);
    story.run_to(15_000);
    assert_eq!(story.view().consumers[1].failed, Some("GROUP_MAX_SIZE_REACHED"));
}

#[test]
fn settings_of_the_other_protocol_are_refused() {
    let (mut config, _) = settings(&[("session.timeout.ms", "10000")], 1);
    let message = |config: &Config| config.check().expect_err("Kafka refuses this")[0].message.clone();
    assert_eq!(message(&config), "session.timeout.ms cannot be set when group.protocol=CONSUMER");
    config.consumers[0] = consumer();
    config.consumers[0].config.set("group.remote.assignor", "range").unwrap();
    assert_eq!(message(&config), "group.remote.assignor cannot be set when group.protocol=CLASSIC");
    config.consumers[0] = consumer();
    config.broker.set("group.consumer.session.timeout.ms", "6000").unwrap();
    assert!(message(&config).contains("group.consumer.min.session.timeout.ms"));
}

#[test]
fn k_c4_a_static_member_that_does_not_poll_is_away_and_comes_back() {
    let own = [("max.poll.interval.ms", "5000"), ("max.poll.records", "1"), ("group.instance.id", "one")];
    let (config, mut workload) = settings(&own, 1);
    workload.consumers[0].processing = Duration::Constant(Nanos::secs(8));
    let mut story = Story::new(&config, &workload);
    story.run_until(20_000, "it is away", |view| view.groups[0].members.iter().any(|member| member.epoch == -2));
    story.run_until(8_000, "it is back", |view| view.consumers[0].assigned.len() == 6);
    assert_eq!(story.view().consumers[0].failed, None);
}

#[test]
fn k_g7_a_group_may_have_a_session_and_an_interval_of_its_own() {
    let gone_after = |own: &[(&str, &str)]| {
        let (mut config, mut workload) = settings(&[], 2);
        workload.consumers[1].start = Time::ZERO;
        config.broker.set("group.consumer.min.session.timeout.ms", "6000").unwrap();
        config.broker.set("group.consumer.min.heartbeat.interval.ms", "1000").unwrap();
        let group = config.groups.entry("group".into()).or_default();
        own.iter().for_each(|(name, value)| group.set(name, value).unwrap());
        let mut story = Story::new(&config, &workload);
        story.run_to(30_000);
        story.kill("consumer-2");
        story.run_until(70_000, "it is put out", |view| view.groups[0].members.len() == 1)
    };
    let (session, interval) = ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms");
    assert!((40_000..=45_100).contains(&gone_after(&[])), "as the brokers have it: 45 s since the last sign of life");
    assert!((5_000..=10_100).contains(&gone_after(&[(session, "10000")])), "a sign of life every 5 s");
    assert!((9_000..=10_100).contains(&gone_after(&[(session, "10000"), (interval, "1000")])), "one every second");
}

#[test]
fn k_g7_a_groups_session_and_interval_lie_within_the_brokers_bounds() {
    let refused = |own: &[(&str, &str)]| {
        let (mut config, _) = settings(&[], 1);
        config.broker.set("group.consumer.max.heartbeat.interval.ms", "60000").unwrap();
        let group = config.groups.entry("group".into()).or_default();
        own.iter().for_each(|(name, value)| group.set(name, value).unwrap());
        let problem = config.check().expect_err("Kafka refuses this").remove(0);
        format!("{}: {}", problem.path, problem.message)
    };
    let (session, interval) = ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms");
    for (name, value, bound) in [
        (session, "44999", "greater than or equal to group.consumer.min.session.timeout.ms"),
        (session, "60001", "less than or equal to group.consumer.max.session.timeout.ms"),
        (interval, "4999", "greater than or equal to group.consumer.min.heartbeat.interval.ms"),
        (interval, "60001", "less than or equal to group.consumer.max.heartbeat.interval.ms"),
    ] {
        assert_eq!(refused(&[(name, value)]), format!("groups.group.{name}: {name} must be {bound}"));
    }
    // The brokers' session counts where the group has none.
    let message = "groups.group.consumer.session.timeout.ms: consumer.session.timeout.ms must be greater than \
                   consumer.heartbeat.interval.ms";
    assert_eq!(refused(&[(interval, "45000")]), message);
}
