//! What Kafka 4.2's own classes answered, and whether the log cluster answers the same.

use std::collections::BTreeMap;

/// Kinds of recordings that are not followed yet, by file and assignor. One that agrees as a whole fails the test, so
/// that it leaves the list.
const KNOWN: &[(&str, &str)] = &[];

#[test]
fn k_recordings_of_kafka_agree() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../transcripts/kafka");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 10, "the recordings are gone");
    let mut wrong = Vec::new();
    for path in files {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        // By kind: how many there are, and how many agree.
        let mut kinds: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        for (line, outcome) in text.lines().zip(conform::replay(&file, &text).unwrap()) {
            let kind = line.split("\"assignor\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("");
            let (all, agreed) = kinds.entry(kind.to_owned()).or_default();
            *all += 1;
            *agreed += u32::from(outcome.disagreement.is_none());
            let known = KNOWN.contains(&(file.as_str(), kind));
            if let Some(why) = outcome.disagreement.filter(|_| !known) {
                wrong.push(format!("{}: {}: expected {} came {}", outcome.name, why.step, why.expected, why.came));
            }
        }
        for (kind, (all, agreed)) in kinds {
            println!("{file} {kind}: {agreed} of {all}");
            let known = KNOWN.contains(&(file.as_str(), kind.as_str()));
            assert!(!known || agreed < all, "{file} {kind} agrees now: take it off the list");
        }
    }
    assert!(wrong.is_empty(), "{} disagree:\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
}
