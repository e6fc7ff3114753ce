//! Every rule that the code cites is in the catalogue and has a test of its own, and every mark has its words.

use std::path::Path;

fn sources(folder: &str) -> String {
    texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}

fn texts(folder: &Path) -> String {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let text = |path: &std::path::PathBuf| match path.is_dir() {
        true => texts(path),
        false if path.extension().is_some_and(|end| end == "rs") => std::fs::read_to_string(path).unwrap(),
        false => String::new(),
    };
    paths.iter().map(text).collect()
}

/// Ids such as K-P3 in a text.
fn cited(text: &str) -> Vec<String> {
    let mut ids: Vec<String> = text
        .match_indices("K-")
        .map(|(at, _)| text[at..].chars().take(5).collect::<String>())
        .map(|id| id.trim_end_matches(|c: char| !c.is_ascii_digit()).to_string())
        .filter(|id| id.len() >= 4 && id.as_bytes()[2].is_ascii_uppercase())
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

#[test]
fn every_cited_rule_is_in_the_catalogue_and_has_a_test() {
    let code = sources("src");
    let tests = format!("{code}{}", sources("tests"));
    let catalogue = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/kafka.toml"));
    let catalogue = catalogue.unwrap();
    let ids = cited(&code);
    assert!(ids.len() > 40, "{ids:?}");
    for id in ids {
        assert!(catalogue.contains(&format!("id = \"{id}\"")), "{id} is not in rules/kafka.toml");
        let name = format!("fn {}_", id.to_lowercase().replace('-', "_"));
        assert!(tests.contains(&name), "{id} has no test: {name}…");
    }
}

#[test]
fn every_mark_has_its_words() {
    let code = sources("src");
    let known = |code: &str| log_cluster::WORDS.iter().any(|(known, _)| *known == code);
    for (at, _) in code.match_indices("MarkKind::") {
        let rest = &code[at..code.len().min(at + 120)];
        let Some(start) = rest.find(", \"") else { continue };
        let word = rest[start + 3..].split('"').next().unwrap_or("");
        if rest[..start].chars().all(|c| c.is_alphanumeric() || c == ':') {
            assert!(known(word), "no words for the mark {word}");
        }
    }
}
