//! Racks in the consumers' assignors: Kafka's own cases for them as numbers, and groups in a cluster of three racks.

mod common;
use common::{Story, config, consumer, producer, workload};
use log_cluster::assignor::{self, Candidate, Part, Racks};
use log_cluster::config::{Acks, Config};
use std::collections::BTreeSet;

type Assign = fn(&[u32], &[Candidate], &Racks) -> Vec<Vec<Part>>;

// No hash codes: nothing is moved here and back again.
const STICKY: Assign = |counts, members, racks| assignor::sticky(counts, members, racks, &[]);
const COOPERATIVE: Assign = |counts, members, racks| assignor::cooperative_sticky(counts, members, racks, &[]);

/// Topics, replicas of each partition, and brokers, each in a rack of its own. Replicas begin with one broker after the
/// other, from topic to topic.
struct Case {
    counts: &'static [u32],
    replicas: usize,
    brokers: usize,
    /// Who subscribed to what.
    topics: Vec<Vec<u32>>,
    /// The members' racks; a dot for none.
    racks: &'static str,
}

/// Partitions of one topic after the other: `03|12` are 0 and 3 of the first, 1 and 2 of the second.
fn parts(text: &str) -> Vec<Part> {
    let topic = |(number, digits): (u32, &str)| -> Vec<Part> {
        digits.chars().map(|digit| (number, digit.to_digit(10).unwrap())).collect()
    };
    (0u32..).zip(text.split('|')).flat_map(topic).collect()
}

impl Case {
    fn rack(broker: usize) -> String {
        char::from(b'a' + broker as u8).to_string()
    }

    fn members(&self, owned: &[&str]) -> Vec<Candidate> {
        let rack = |at: usize| self.racks[at..=at].to_owned();
        let member = |(at, topics): (usize, &Vec<u32>)| Candidate {
            id: format!("consumer{at}"),
            instance: None,
            topics: topics.clone(),
            owned: owned.get(at).map_or_else(Vec::new, |text| parts(text)),
            generation: -1,
            rack: Some(rack(at)).filter(|rack| rack != "."),
        };
        self.topics.iter().enumerate().map(member).collect()
    }

    fn table(&self) -> Racks {
        let mut first = 0;
        let mut topic = |count: &u32| -> Vec<BTreeSet<String>> {
            let of = |at: usize| (0..self.replicas).map(|j| Case::rack((first + at + j) % self.brokers)).collect();
            let racks = (0..*count as usize).map(of).collect();
            first += *count as usize;
            racks
        };
        Racks(self.counts.iter().map(&mut topic).collect())
    }

    /// What an assignor gives, against what Kafka's gave, and how many partitions are in no rack of their owners'.
    fn gives(&self, assign: Assign, owned: &[&str], expected: &[&str], astray: usize) {
        let (members, table) = (self.members(owned), self.table());
        let mut shares = assign(self.counts, &members, &table);
        shares.iter_mut().for_each(|share| share.sort_unstable());
        assert_eq!(shares, expected.iter().map(|text| parts(text)).collect::<Vec<_>>());
        let away = |(member, share): (&Candidate, &Vec<Part>)| {
            let here = |part: &&Part| {
                member.rack.as_ref().is_some_and(|own| !table.0[part.0 as usize][part.1 as usize].contains(own))
            };
            share.iter().filter(here).count()
        };
        assert_eq!(members.iter().zip(&shares).map(away).sum::<usize>(), astray);
    }
}

fn three(counts: &'static [u32], replicas: usize, brokers: usize, racks: &'static str) -> Case {
    Case { counts, replicas, brokers, topics: vec![vec![0, 1, 2]; 3], racks }
}

fn unequal(counts: &'static [u32], replicas: usize, brokers: usize, racks: &'static str) -> Case {
    Case { topics: vec![vec![0, 1, 2], vec![0, 1, 2], vec![0, 2]], ..three(counts, replicas, brokers, racks) }
}

#[test]
fn k_s1_range_matches_racks_within_each_topics_stretches() {
    let plain = ["01|012|0", "23|34|1", "45|56|"];
    // Everything is everywhere, or nobody is where anything is, or nobody has a rack: stretches as ever.
    three(&[6, 7, 2], 3, 3, "abc").gives(assignor::range, &[], &plain, 0);
    three(&[6, 7, 2], 1, 3, "def").gives(assignor::range, &[], &plain, 15);
    three(&[6, 7, 2], 1, 3, "...").gives(assignor::range, &[], &plain, 0);
    three(&[6, 7, 2], 3, 2, "abc").gives(assignor::range, &[], &plain, 4);
    three(&[6, 7, 2], 1, 3, "abc").gives(assignor::range, &[], &["03|036|", "14|14|0", "25|25|1"], 0);
    three(&[6, 7, 2], 2, 3, "abc").gives(assignor::range, &[], &["02|023|1", "13|14|0", "45|56|"], 1);
    unequal(&[6, 7, 2], 1, 3, "abc").gives(assignor::range, &[], &["03|0236|", "14|145|0", "25||1"], 2);
    unequal(&[6, 7, 2], 2, 3, "abc").gives(assignor::range, &[], &["02|0235|1", "13|146|0", "45||"], 0);
}

#[test]
fn k_s1_topics_alike_stay_together_before_racks_are_matched() {
    let plain = ["01|01|01", "23|23|23", "4|4|4"];
    three(&[5, 5, 5], 1, 3, "abc").gives(assignor::range, &[], &plain, 10);
    three(&[5, 5, 5], 2, 3, "abc").gives(assignor::range, &[], &plain, 5);
    unequal(&[5, 5, 5], 1, 3, "abc").gives(assignor::range, &[], &["01|014|01", "23|23|23", "4||4"], 9);
    unequal(&[5, 5, 5], 2, 3, "abc").gives(assignor::range, &[], &["2|013|2", "03|24|03", "14||14"], 0);
    let pairs = |brokers, all| {
        let each = [vec![0, 1], vec![0, 1], vec![2, 3], vec![2, 3]];
        let topics = if all { vec![vec![0, 1, 2, 3]; 4] } else { each.to_vec() };
        Case { counts: &[6, 6, 2, 2], replicas: 1, brokers, topics, racks: "abba" }
    };
    pairs(2, false).gives(assignor::range, &[], &["024|024||", "135|135||", "||1|1", "||0|0"], 0);
    pairs(2, true).gives(assignor::range, &[], &["02|02|0|0", "13|13|1|1", "5|5||", "4|4||"], 0);
    pairs(3, true).gives(assignor::range, &[], &["03|03|0|0", "14|14|1|1", "2|2||", "5|5||"], 6);
}

const ASTRAY: [&str; 3] = ["01234||", "5|0123|", "|456|01"];

#[test]
fn k_s3_sticky_keeps_only_what_lies_in_the_owners_rack() {
    let near = ["03|036|", "14|14|0", "25|25|1"];
    for assign in [STICKY, COOPERATIVE] {
        for replicas in [1, 2] {
            let case = three(&[6, 7, 2], replicas, 3, "abc");
            case.gives(assign, &[], &near, 0);
            case.gives(assign, &near, &near, 0);
        }
        // One member's rack has nothing: it gets its share all the same.
        three(&[6, 7, 2], 3, 2, "abc").gives(assign, &[], &near, 5);
        three(&[6, 7, 2], 1, 3, "abc").gives(assign, &ASTRAY, &near, 0);
    }
}

#[test]
fn k_s4_sticky_with_differing_subscriptions_matches_racks_before_it_evens_out() {
    let (one, two) = (["3|0236|", "4|145|0", "0125||1"], ["3|0256|", "0|134|0", "1245||1"]);
    for assign in [STICKY, COOPERATIVE] {
        unequal(&[6, 7, 2], 1, 3, "abc").gives(assign, &[], &one, 4);
        unequal(&[6, 7, 2], 1, 3, "abc").gives(assign, &one, &one, 4);
        unequal(&[6, 7, 2], 2, 3, "abc").gives(assign, &[], &two, 0);
        unequal(&[6, 7, 2], 3, 3, "abc").gives(assign, &[], &["5|0246|", "3|135|0", "0124||1"], 0);
    }
    let case = unequal(&[6, 7, 2], 1, 3, "abc");
    case.gives(STICKY, &ASTRAY, &one, 4);
    // What moves is given up first.
    let between = ["3||", "|1|", "||1"];
    case.gives(COOPERATIVE, &ASTRAY, &between, 0);
    case.gives(COOPERATIVE, &between, &one, 4);
}

/// Three brokers in three racks with a partition each, and consumers in the racks in reverse.
fn racked(protocol: &str) -> Config {
    let mut config = config();
    config.racks = vec!["a".into(), "b".into(), "c".into()];
    config.topics[0].partitions = 3;
    config.topics[0].replication_factor = 2;
    config.topics[0].replica_assignment = vec![vec![1, 2], vec![2, 1], vec![3, 1]];
    config.producers = vec![producer(Acks::All)];
    for rack in ["c", "b", "a"] {
        let mut client = consumer();
        client.config.set("client.rack", rack).unwrap();
        client.config.set("group.protocol", protocol).unwrap();
        client.config.set("metadata.max.age.ms", "5000").unwrap();
        config.consumers.push(client);
    }
    config
}

fn owned(story: &Story) -> Vec<u32> {
    story.view().consumers.iter().flat_map(|consumer| &consumer.assigned).map(|part| part.partition).collect()
}

#[test]
fn k_s1_members_get_what_lies_in_their_racks() {
    let mut story = Story::new(&racked("classic"), &workload(100, 1, 3));
    story.run_to(10_000);
    // Both the first and the second partition are in the racks of the last two.
    assert_eq!(owned(&story), [2, 0, 1], "{}", story.tell());
    let mut story = Story::new(&racked("consumer"), &workload(100, 1, 3));
    story.run_to(15_000);
    let shares = owned(&story);
    // Who is who hangs on the ids, not on the racks.
    assert_eq!((shares.len(), shares.iter().collect::<BTreeSet<_>>().len()), (3, 3), "{}", story.tell());
}

#[test]
fn k_s1_a_leader_with_a_rack_joins_again_when_replicas_are_in_other_racks() {
    let generations = |config: &Config| {
        let mut story = Story::new(config, &workload(100, 1, 3));
        story.run_to(10_000);
        let before = story.view().groups[0].generation;
        story.kill("broker-3");
        story.run_for(30_000);
        (before, story.view().groups[0].generation, owned(&story))
    };
    let mut config = racked("classic");
    config.broker.offsets_topic_num_partitions = 1;
    let (before, after, shares) = generations(&config);
    assert!(after > before, "{before} {after} {shares:?}");
    config.consumers.iter_mut().for_each(|client| client.config.client_rack = None);
    let (before, after, _) = generations(&config);
    assert_eq!(before, after);
}
