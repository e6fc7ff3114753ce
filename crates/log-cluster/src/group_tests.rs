use super::*;

fn join(member: &str, fresh: bool, instance: Option<&str>) -> Join {
    let subscription = Subscription {
        instance: instance.map(Rc::from),
        strategies: Strategies::default(),
        topics: vec![0],
        owned: Vec::new(),
        generation: -1,
        rack: None,
    };
    Join { member: member.into(), fresh, session: Nanos::secs(10), rebalance: Nanos::secs(60), subscription }
}

/// What the group answers at once, by name.
fn ask(group: &mut Group, join: Join, seconds: u64) -> Vec<String> {
    let mut out = Outcome::default();
    group.join(1, 1, join, Nanos::secs(3), Time::ZERO + Nanos::secs(seconds), &mut out);
    told(out)
}

fn told(out: Outcome) -> Vec<String> {
    let name = |answer: &GroupResponse| match answer {
        GroupResponse::Joined(Ok(joined)) => format!("generation {}", joined.generation),
        GroupResponse::Joined(Err(code)) => code.name().to_owned(),
        _ => "other".to_owned(),
    };
    out.answers.iter().map(|(_, _, answer)| name(answer)).collect()
}

fn tick(group: &mut Group, seconds: u64) -> Vec<String> {
    let mut out = Outcome::default();
    group.tick(Nanos::secs(3), Time::ZERO + Nanos::secs(seconds), &mut out);
    told(out)
}

#[test]
fn k_g2_a_dynamic_member_is_told_its_id_first_and_a_static_one_is_not() {
    let mut group = Group::default();
    assert_eq!(ask(&mut group, join("a", true, None), 0), ["MEMBER_ID_REQUIRED"]);
    assert_eq!(group.state, State::Empty, "it is no member yet");
    assert_eq!(ask(&mut group, join("b", false, None), 0), ["UNKNOWN_MEMBER_ID"], "nobody told it that");
    assert_eq!(ask(&mut group, join("c", false, Some("one")), 0), ["UNKNOWN_MEMBER_ID"]);
    assert!(
        ask(&mut group, join("a", false, None), 0).is_empty()
            && ask(&mut group, join("c", true, Some("one")), 0).is_empty()
    );
    assert_eq!((group.state, group.members.len()), (State::Preparing, 2));
    assert_eq!((tick(&mut group, 3).len(), tick(&mut group, 6).len()), (0, 2), "the wait was as long again");
}

#[test]
fn k_g2_a_rebalance_waits_for_who_was_told_an_id_as_long_as_its_session_would_be() {
    let begun = || {
        let mut group = Group::default();
        ask(&mut group, join("a", true, None), 0);
        ask(&mut group, join("a", false, None), 0);
        assert_eq!(tick(&mut group, 3), ["generation 1"]);
        group.state = State::Stable;
        assert_eq!(ask(&mut group, join("b", true, None), 4), ["MEMBER_ID_REQUIRED"]);
        assert_eq!(group.state, State::Stable, "nobody has to join again for that");
        // Somebody with other topics than before: a rebalance.
        let other = Join {
            subscription: Subscription { topics: vec![1], ..join("a", false, None).subscription },
            ..join("a", false, None)
        };
        assert!(ask(&mut group, other, 5).is_empty(), "b may be about to join");
        group
    };
    let mut group = begun();
    assert_eq!(ask(&mut group, join("b", false, None), 6), ["generation 2", "generation 2"]);
    let mut group = begun();
    assert!(group.next_time() <= Some(Time::ZERO + Nanos::secs(14)));
    assert!(tick(&mut group, 13).is_empty());
    assert_eq!(tick(&mut group, 14), ["generation 2"], "b was not heard of again");
    assert_eq!(ask(&mut group, join("b", false, None), 15), ["UNKNOWN_MEMBER_ID"]);
}
