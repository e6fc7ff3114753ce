//! Policies that are set and cleared while queues are at work.

mod story;

use queue_cluster::*;
use sim::{Nanos, NodeId};
use story::*;

fn policy(name: &str, priority: i64, definition: &[(&str, Value)]) -> ServerOrder {
    ServerOrder::SetPolicy(Box::new(Policy {
        name: name.into(),
        pattern: Pattern::parse("^q").unwrap(),
        apply_to: ApplyTo::Queues,
        definition: definition.iter().map(|(name, value)| ((*name).to_string(), value.clone())).collect(),
        priority,
    }))
}

fn order(story: &mut Story, order: ServerOrder) {
    story.cluster.order_server(NodeId(2), order).unwrap();
    story.run(seconds(1));
}

/// A queue that nobody takes anything from, with these messages in it.
fn filled(kind: &str, arguments: &[(&str, Value)], messages: u32) -> Story {
    let mut settings = config(kind);
    settings.consumers.clear();
    let own = arguments.iter().map(|(name, value)| ((*name).to_string(), value.clone()));
    settings.queues[0].arguments.extend(own);
    let mut work = workload(100, Some(messages), Nanos::millis(1));
    work.consumers.clear();
    let mut story = Story::new(1, &settings, &work);
    story.run(seconds(5));
    story
}

fn ready(story: &Story) -> u64 {
    story.cluster.view().queues[0].ready
}

#[test]
fn r_m9_a_limit_holds_at_once_the_highest_priority_alone_counts_and_the_lower_number_wins() {
    for kind in ["classic", "quorum"] {
        let mut story = filled(kind, &[("x-max-length", Value::Int(200))], 300);
        assert_eq!(ready(&story), 200, "{kind}");
        order(&mut story, policy("p", 0, &[("max-length", Value::Int(500))]));
        assert_eq!(ready(&story), 200, "{kind}: the queue's own number is lower");
        order(&mut story, policy("p", 0, &[("max-length", Value::Int(120))]));
        assert_eq!((ready(&story), story.marks("policy-applied").len()), (120, 1), "{kind}");
        order(&mut story, policy("higher", 5, &[("overflow", "reject-publish".into())]));
        assert_eq!(story.marks("policy-applied").len(), 2, "{kind}: the other one does not count any more");
        order(&mut story, policy("p", 0, &[("max-length", Value::Int(10))]));
        assert_eq!(ready(&story), 120, "{kind}");
        order(&mut story, ServerOrder::ClearPolicy("higher".into()));
        assert_eq!(ready(&story), 10, "{kind}");
    }
}

#[test]
fn r_m9_messages_keep_their_time_to_live_and_the_queues_own_begins_anew() {
    let mut settings = config("classic");
    settings.consumers.clear();
    let mut work = workload(10, Some(100), Nanos::millis(1));
    work.consumers.clear();
    let mut story = Story::new(1, &settings, &work);
    story.run(seconds(5));
    order(&mut story, policy("p", 0, &[("message-ttl", Value::Int(500))]));
    story.run(seconds(10));
    assert_eq!(ready(&story), 100, "what has expired waits behind a head that never will");
    order(&mut story, policy("p", 0, &[("expires", Value::Int(3_000))]));
    assert_eq!(story.cluster.view().queues.len(), 1);
    story.run(seconds(3));
    assert_eq!(story.cluster.view().queues.len(), 0, "nobody has used it for 3 s");
}

#[test]
fn r_m9_a_quorum_queue_goes_by_the_policy_when_it_is_full_and_a_classic_one_by_its_own() {
    for (kind, refused) in [("quorum", true), ("classic", false)] {
        let own = [("x-max-length", Value::Int(50)), ("x-overflow", "drop-head".into())];
        let mut story = filled(kind, &own, 600);
        order(&mut story, policy("p", 0, &[("overflow", "reject-publish".into())]));
        let before = story.ledger.refused.len();
        story.run(seconds(2));
        assert_eq!(story.ledger.refused.len() > before, refused, "{kind}");
    }
}

#[test]
fn r_m9_a_new_leader_and_a_node_that_was_away_go_by_what_was_set_meanwhile() {
    let mut story = filled("quorum", &[], 300);
    let leader = story.leader().unwrap();
    let away = (0..3).find(|node| *node != leader && *node != 2).unwrap();
    story.kill(away);
    order(&mut story, policy("p", 0, &[("max-length", Value::Int(40))]));
    assert_eq!(ready(&story), 40);
    story.start(away);
    story.run(seconds(10));
    story.kill(leader);
    story.run(seconds(15));
    assert_eq!(ready(&story), 40);
    story.start(leader);
    story.run(seconds(10));
    order(&mut story, ServerOrder::ClearPolicy("p".into()));
    assert_eq!(story.marks("policy-applied").len(), 2);
}

#[test]
fn r_m9_mirrors_come_and_go_with_a_policy() {
    let mut settings = Config { rules: Rules::V3_10, server: ServerSettings::of(Rules::V3_10), ..config("classic") };
    settings.policies.clear();
    let mut story = Story::new(1, &settings, &workload(50, Some(2_000), Nanos::millis(1)));
    story.run(seconds(3));
    let mirrors = |story: &Story| story.cluster.view().queues[0].mirrors.len();
    assert_eq!(mirrors(&story), 0);
    order(&mut story, policy("ha", 0, &[("ha-mode", "all".into()), ("ha-sync-mode", "automatic".into())]));
    assert_eq!(mirrors(&story), 2);
    story.run(seconds(5));
    order(&mut story, ServerOrder::ClearPolicy("ha".into()));
    assert_eq!(mirrors(&story), 0);
    story.run(seconds(40));
    assert_eq!(story.ledger.acknowledged.len(), 2_000);
    assert_eq!(story.ledger.processed.len(), 2_000);
}
