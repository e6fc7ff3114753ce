//! Clusters that fail: what became of messages, and how long nothing came, lie within what was recorded.

use conform::rabbitmq_cluster::{Run, SEEDS, compare, play, read};
use std::path::Path;

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
            println!("{} {}", if found.agrees() { " " } else { "!" }, found.told(name));
            surprises.extend(found.surprise(name, known));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

#[test]
fn what_lies_outside_is_noticed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts/rabbitmq-cluster/quorum-kill-leader.json");
    let recording = read(&std::fs::read_to_string(file).unwrap()).unwrap();
    let wrong = |change: fn(&mut Run)| {
        let mut runs = recording.runs.clone();
        runs.iter_mut().for_each(change);
        let found = compare(&recording, &runs).into_iter().filter(|comparison| !comparison.agrees());
        found.map(|comparison| comparison.measure).collect::<Vec<_>>()
    };
    assert!(wrong(|_| {}).is_empty(), "the recorded runs lie within themselves");
    assert_eq!(wrong(|run| run.lost = 1), ["lost"]);
    assert_eq!(wrong(|run| run.duplicates = 1), ["duplicates"], "where nothing came twice, nothing may");
    assert_eq!(wrong(|run| run.confirm_gap_ms *= 4), ["gap without a confirm"]);
    assert_eq!(wrong(|run| run.refused = 3), ["refusals"]);
}
