//! Clusters that fail: what became of messages, and how long nothing came, lie within what was recorded.

use conform::rabbitmq_cluster::{compare, play, read};
use std::path::Path;

/// How many runs of the engine each recording is compared with.
const SEEDS: u64 = 20;

/// What does not agree yet: a recording and a measure. The test fails when one of them starts to, so that it leaves
/// this list.
const KNOWN: &[(&str, &str)] = &[];

#[test]
fn the_queue_cluster_fails_within_what_was_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts/rabbitmq-cluster");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut surprises = Vec::new();
    for file in files {
        let recording = read(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let runs: Vec<_> = (0..SEEDS).map(|seed| play(&recording, seed)).collect();
        for found in compare(&recording, &runs) {
            let name = &recording.name;
            let known = KNOWN.contains(&(name.as_str(), found.measure));
            let (low, high) = found.recorded;
            let text = format!(
                "{name}: {}: recorded {low} to {high}, give or take {}; came {} to {}",
                found.measure, found.tolerance, found.came.0, found.came.1
            );
            println!("{} {text}", if found.agrees() { " " } else { "!" });
            match (found.agrees(), known) {
                (false, false) => surprises.push(text),
                (true, true) => surprises.push(format!("{name}: {}: agrees now; take it off the list", found.measure)),
                _ => {}
            }
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}
