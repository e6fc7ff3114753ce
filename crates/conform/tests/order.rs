//! Where the answer hangs on an order, the recorded order is replayed.

use std::fs::read_to_string;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../transcripts/kafka/kafka-4.2-client-assignors.jsonl");

#[test]
fn x_4_ties_are_broken_in_the_recorded_order_of_iteration() {
    let text = read_to_string(FILE).unwrap();
    let sticky: Vec<&str> = text.lines().filter(|line| line.contains("\"assignor\":\"sticky\"")).collect();
    let agree = |lines: &[String]| {
        let outcomes = conform::replay("recorded", &lines.join("\n")).unwrap();
        outcomes.iter().filter(|outcome| outcome.disagreement.is_none()).count()
    };
    let recorded: Vec<String> = sticky.iter().map(|line| (*line).to_owned()).collect();
    assert_eq!(agree(&recorded), recorded.len());
    // With the order turned around, some of the same rounds come out differently: the order counts.
    let turned = |line: &&str| {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(order) = value["member_iteration_order"].as_array_mut() {
            order.reverse();
        }
        value.to_string()
    };
    let reversed: Vec<String> = sticky.iter().map(turned).collect();
    assert!(agree(&reversed) < reversed.len());
}
