//! Consumers that are led by hand, one step after the other, on both clusters.

use player::Player;
use scenario::tape::{TapeOrder, Verb, Which};
use scenario::units::Span;
use sim::{Nanos, Time};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/by-hand.json");

/// A lesson: the gallery's scenario, with the document changed at will.
struct Lesson {
    player: Player,
}

impl Lesson {
    fn new(change: impl Fn(&mut serde_json::Value)) -> Lesson {
        let text = std::fs::read_to_string(FILE).unwrap();
        let mut value = serde_json::from_str(&text).unwrap();
        change(&mut value);
        let document = scenario::read(&value.to_string()).unwrap();
        let mut lesson = Lesson { player: Player::new(document).unwrap() };
        lesson.wait(4_000);
        lesson
    }

    fn wait(&mut self, millis: u64) {
        let to = self.player.at() + Nanos::millis(millis);
        assert!(self.player.advance(to, u64::MAX).arrived);
    }

    fn try_to(&mut self, side: Which, verb: Verb, change: impl Fn(&mut TapeOrder)) -> Result<(), String> {
        let mut order = TapeOrder::new(Span::default(), verb);
        order.cluster = Some(side);
        order.node = Some(if verb == Verb::PublishOne { "orders" } else { "fulfil" }.to_owned());
        change(&mut order);
        self.player.order(order).map_err(|refusal| refusal.to_string())
    }

    /// Has a step done, and waits until all is quiet.
    fn step(&mut self, side: Which, verb: Verb) {
        self.try_to(side, verb, |_| {}).unwrap();
        self.wait(3_000);
    }

    fn refusal(&mut self, side: Which, verb: Verb) -> String {
        self.try_to(side, verb, |_| {}).unwrap_err()
    }

    fn said(&self, side: Which) -> Vec<String> {
        let name = if side == Which::Log { "log" } else { "queue" };
        let marks = self.player.marks();
        let known = marks.iter().filter(|(of, mark)| *of == name && mark.at <= self.player.at());
        known.map(|(_, mark)| player::words::sentence(mark)).collect()
    }

    /// Acknowledged to the producer, processed by anyone, more than once, on their way.
    fn counts(&mut self, side: Which) -> [u64; 4] {
        let state = self.player.state_mut();
        let verdict = match side {
            Which::Log => state.log.as_mut().unwrap().verdict(),
            Which::Queue => state.queue.as_mut().unwrap().verdict(),
        };
        [verdict.counts.acknowledged, verdict.counts.processed, verdict.counts.duplicated, verdict.outstanding]
    }

    fn queue_holds(&self) -> Vec<u64> {
        let (_, held) = self.player.state().queue.as_ref().unwrap().cluster.hand(0).unwrap();
        held.iter().map(|held| held.tag).collect()
    }

    fn log_holds(&self) -> Vec<u64> {
        let hand = self.player.state().log.as_ref().unwrap().cluster.hand(0).unwrap();
        hand.records.iter().map(|(_, _, offset, _)| *offset).collect()
    }

    fn ready(&self) -> u64 {
        self.player.state().queue.as_ref().unwrap().cluster.view().queues[0].ready
    }

    /// Played again from the start, it comes to the same.
    fn assert_same_again(mut self) {
        let at = self.player.at();
        let digest = self.player.digest();
        self.player.seek(Time::ZERO, u64::MAX);
        self.player.seek(at, u64::MAX);
        assert_eq!(self.player.digest(), digest, "seeking changed the run");
        let mut again = Player::new(self.player.document().clone()).unwrap();
        again.advance(at, u64::MAX);
        assert_eq!(again.digest(), digest, "the tape does not play what was ordered");
        let mut taken_back = 0;
        while self.player.undo() {
            taken_back += 1;
        }
        assert_ne!(self.player.digest(), digest, "nothing was ordered");
        (0..taken_back).for_each(|_| assert!(self.player.redo()));
        assert_eq!(self.player.digest(), digest, "taken back and done again, it is another run");
    }
}

use Which::{Log, Queue};

#[test]
fn nothing_happens_by_itself() {
    let mut lesson = Lesson::new(|_| {});
    lesson.wait(20_000);
    assert_eq!((lesson.counts(Log), lesson.counts(Queue)), ([0; 4], [0; 4]));
}

#[test]
fn r_k1_a_delivery_waits_in_the_hand_until_it_is_acked() {
    let mut lesson = Lesson::new(|_| {});
    lesson.step(Queue, Verb::PublishOne);
    assert_eq!((lesson.queue_holds(), lesson.ready()), (vec![1], 0));
    lesson.step(Queue, Verb::Ack);
    assert_eq!(lesson.queue_holds(), Vec::<u64>::new());
    assert_eq!(lesson.counts(Queue), [1, 1, 0, 0]);
    assert!(lesson.said(Queue).contains(&"fulfil acks delivery 1".to_owned()));
    lesson.assert_same_again();
}

#[test]
fn the_window_is_full_and_get_takes_one_beyond_it() {
    let mut lesson = Lesson::new(|_| {});
    (0..5).for_each(|_| lesson.step(Queue, Verb::PublishOne));
    assert_eq!((lesson.queue_holds(), lesson.ready()), (vec![1, 2, 3], 2));
    lesson.step(Queue, Verb::Get);
    assert_eq!((lesson.queue_holds(), lesson.ready()), (vec![1, 2, 3, 4], 1));
    lesson.try_to(Queue, Verb::Ack, |order| order.tag = Some(2)).unwrap();
    lesson.wait(1_000);
    assert_eq!((lesson.queue_holds(), lesson.ready()), (vec![1, 3, 4, 5], 0));
    lesson.try_to(Queue, Verb::Ack, |order| (order.tag, order.multiple) = (Some(4), true)).unwrap();
    lesson.wait(1_000);
    assert_eq!(lesson.queue_holds(), vec![5]);
    lesson.step(Queue, Verb::Get);
    assert!(lesson.said(Queue).contains(&"fulfil gets nothing: orders has no message ready".to_owned()));
    lesson.assert_same_again();
}

#[test]
fn what_is_nacked_comes_again_or_goes() {
    let mut lesson = Lesson::new(|_| {});
    lesson.step(Queue, Verb::PublishOne);
    lesson.step(Queue, Verb::Nack);
    assert_eq!(lesson.queue_holds(), vec![2], "it was put back and delivered again");
    lesson.try_to(Queue, Verb::Reject, |order| order.requeue = Some(false)).unwrap();
    lesson.wait(1_000);
    assert_eq!((lesson.queue_holds(), lesson.ready()), (vec![], 0));
    let said = lesson.said(Queue);
    assert!(said.contains(&"fulfil nacks delivery 1: back into the queue".to_owned()), "{said:?}");
    assert!(said.contains(&"fulfil nacks delivery 2: out of the queue".to_owned()), "{said:?}");
}

#[test]
fn killed_before_the_ack_the_queue_delivers_again() {
    let mut lesson = Lesson::new(|_| {});
    lesson.step(Queue, Verb::PublishOne);
    lesson.step(Queue, Verb::Kill);
    assert_eq!((lesson.refusal(Queue, Verb::Ack).contains("start it first"), lesson.ready()), (true, 1));
    lesson.step(Queue, Verb::Start);
    lesson.wait(5_000);
    lesson.step(Queue, Verb::Ack);
    assert_eq!(lesson.counts(Queue), [1, 1, 1, 0], "processed twice: at least once");
    lesson.assert_same_again();
}

#[test]
fn k_o1_a_poll_returns_records_and_a_commit_keeps_the_position() {
    let mut lesson = Lesson::new(|_| {});
    (0..3).for_each(|_| lesson.step(Log, Verb::PublishOne));
    assert_eq!(lesson.counts(Log), [3, 0, 0, 3], "nobody has polled");
    lesson.try_to(Log, Verb::Poll, |order| order.count = Some(2)).unwrap();
    lesson.wait(5_000);
    assert_eq!(lesson.log_holds(), vec![0, 1]);
    lesson.step(Log, Verb::Commit);
    assert_eq!(lesson.log_holds(), Vec::<u64>::new());
    lesson.step(Log, Verb::Poll);
    assert_eq!(lesson.log_holds(), vec![2]);
    let said = lesson.said(Log);
    for words in
        ["fulfil: poll() returns 2 records", "fulfil has committed orders-0 2", "fulfil: poll() returns 1 records"]
    {
        assert!(said.contains(&words.to_owned()), "{words} is not in {said:?}");
    }
    lesson.assert_same_again();
}

#[test]
fn killed_before_the_commit_the_log_is_read_again() {
    for modern in [false, true] {
        let mut lesson = Lesson::new(|document| {
            if modern {
                document["log"]["consumer"]["group.protocol"] = "consumer".into();
                document["log"]["consumer"]["session.timeout.ms"].take();
                document["log"]["consumer"].as_object_mut().unwrap().remove("session.timeout.ms");
            }
        });
        lesson.step(Log, Verb::PublishOne);
        lesson.step(Log, Verb::Poll);
        assert_eq!(lesson.log_holds(), vec![0]);
        lesson.step(Log, Verb::Kill);
        lesson.step(Log, Verb::Start);
        lesson.wait(60_000);
        lesson.try_to(Log, Verb::Poll, |_| {}).unwrap();
        lesson.wait(6_000);
        assert_eq!(lesson.log_holds(), vec![0], "modern {modern}: {:?}", lesson.said(Log));
        lesson.step(Log, Verb::Commit);
        assert_eq!(lesson.counts(Log), [1, 1, 1, 0], "processed twice: at least once");
        assert!(lesson.refusal(Log, Verb::Commit).contains("nothing new to commit"));
    }
}

#[test]
fn k_c4_the_time_between_polls_goes_on_counting() {
    for protocol in ["classic", "consumer"] {
        let mut lesson = Lesson::new(|document| {
            let consumer = document["log"]["consumer"].as_object_mut().unwrap();
            consumer.insert("group.protocol".to_owned(), protocol.into());
            consumer.insert("max.poll.interval.ms".to_owned(), 20_000.into());
            if protocol == "consumer" {
                consumer.remove("session.timeout.ms");
            }
        });
        lesson.step(Log, Verb::PublishOne);
        lesson.try_to(Log, Verb::Poll, |_| {}).unwrap();
        lesson.wait(15_000);
        let overdue = "fulfil has not polled for max.poll.interval.ms: it leaves its group".to_owned();
        assert!(!lesson.said(Log).contains(&overdue), "{protocol}: its heartbeats keep it for now");
        lesson.wait(25_000);
        assert_eq!(lesson.said(Log).iter().filter(|said| **said == overdue).count(), 1, "{protocol}");
        assert!(lesson.refusal(Log, Verb::Commit).contains("no member of its group"), "{protocol}");
        lesson.try_to(Log, Verb::Poll, |_| {}).unwrap();
        lesson.wait(6_000);
        assert_eq!(lesson.log_holds(), vec![0], "{protocol}: it joined again, and reads again from what was committed");
    }
}

#[test]
fn k_o2_with_auto_commit_the_next_poll_commits() {
    let mut lesson = Lesson::new(|document| {
        document["log"]["consumer"]["enable.auto.commit"] = true.into();
    });
    lesson.step(Log, Verb::PublishOne);
    lesson.step(Log, Verb::Poll);
    lesson.wait(10_000);
    assert_eq!(lesson.log_holds(), vec![0], "the interval is over, and nobody polls");
    lesson.step(Log, Verb::Poll);
    assert_eq!(lesson.log_holds(), Vec::<u64>::new());
}

#[test]
fn k_h2_records_of_a_share_group_are_accepted_released_and_rejected() {
    let mut lesson = Lesson::new(|document| {
        document["log"]["share"] = serde_json::json!({});
        document["log"]["consumer"] = serde_json::json!({"share.acknowledgement.mode": "explicit"});
        document["log"]["groups"] = serde_json::json!({"group": {"share.auto.offset.reset": "earliest"}});
        document["log"]["broker"]["share.coordinator.state.topic.replication.factor"] = 1.into();
        document["log"]["broker"]["share.coordinator.state.topic.min.isr"] = 1.into();
    });
    lesson.try_to(Log, Verb::Poll, |_| {}).unwrap();
    lesson.wait(8_000);
    (0..3).for_each(|_| lesson.step(Log, Verb::PublishOne));
    lesson.try_to(Log, Verb::Poll, |_| {}).unwrap();
    lesson.wait(6_000);
    let held = lesson.log_holds();
    assert!(!held.is_empty(), "{:?}", lesson.said(Log));
    assert!(lesson.refusal(Log, Verb::Commit).contains("share group"));
    assert!(lesson.refusal(Log, Verb::Poll).contains("IllegalStateException"));
    let mut orders = [Verb::Accept, Verb::Release, Verb::Reject].into_iter().cycle();
    while !lesson.log_holds().is_empty() {
        lesson.step(Log, orders.next().unwrap());
    }
    assert!(lesson.said(Log).contains(&"fulfil accepts orders-0 offset 0".to_owned()));
    assert!(lesson.refusal(Log, Verb::Accept).contains("holds no record"));
}

#[test]
fn orders_at_a_wrong_time_say_what_to_do() {
    let mut lesson = Lesson::new(|_| {});
    let expected = [
        (Queue, Verb::Ack, "fulfil holds nothing: publish one, and wait until it is delivered"),
        (Queue, Verb::TakeInHand, "in your hand already"),
        (Queue, Verb::Poll, "the log cluster knows such a thing"),
        (Log, Verb::Ack, "the queue cluster knows such a thing"),
        (Log, Verb::Commit, "is no member of its group, so a commit fails: poll first"),
        (Log, Verb::Accept, "is in no share group"),
    ];
    for (side, verb, words) in expected {
        let refusal = lesson.refusal(side, verb);
        assert!(refusal.contains(words), "{refusal}");
    }
    lesson.step(Queue, Verb::PublishOne);
    let refusal = lesson.try_to(Queue, Verb::Ack, |order| order.tag = Some(9)).unwrap_err();
    assert!(refusal.contains("holds no delivery 9"), "{refusal}");
    lesson.step(Queue, Verb::LetGo);
    assert_eq!(lesson.counts(Queue), [1, 1, 0, 0], "what it held is acknowledged");
    assert!(lesson.refusal(Queue, Verb::Ack).contains("take it in hand first"));
    lesson.step(Log, Verb::LetGo);
    lesson.step(Log, Verb::PublishOne);
    lesson.wait(5_000);
    assert_eq!(lesson.counts(Log), [1, 1, 0, 0]);
    assert!(lesson.refusal(Log, Verb::Poll).contains("take it in hand first"));
    lesson.step(Log, Verb::TakeInHand);
    lesson.step(Log, Verb::PublishOne);
    assert_eq!(lesson.counts(Log), [2, 1, 0, 1], "it waits for an order again");
    lesson.assert_same_again();
}

#[test]
fn on_a_tape_an_order_at_a_wrong_time_does_nothing_and_says_why() {
    let mut lesson = Lesson::new(|document| {
        document["tape"] = serde_json::json!([
            {"at": "1s", "order": "ack", "node": "fulfil", "cluster": "queue"},
            {"at": "2s", "order": "reject", "node": "fulfil", "cluster": "queue", "requeue": false},
        ]);
    });
    lesson.wait(1_000);
    let said = lesson.said(Queue);
    let wrong = said.iter().filter(|words| words.starts_with("fulfil holds nothing")).count();
    assert_eq!(wrong, 2, "{said:?}");
}
