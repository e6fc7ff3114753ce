//! The command line as a person uses it.

use std::process::{Command, Output};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn brokerlab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_brokerlab")).args(arguments).current_dir(ROOT).output().unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = brokerlab(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const FILE: &str = "scenarios/one-node-lost.json";

#[test]
fn run_prints_the_outcome_as_json() {
    let report: serde_json::Value = serde_json::from_str(&stdout(&["run", FILE, "--until", "9s", "--json"])).unwrap();
    assert_eq!(report["until_ms"], 9000.0);
    assert_eq!(report["digest"].as_str().unwrap().len(), 16);
    for cluster in ["log", "queue"] {
        let outcome = &report["clusters"][cluster];
        for count in
            ["produced", "acknowledged", "delivered", "processed", "lost", "duplicated", "reordered", "outstanding"]
        {
            assert!(outcome[count].is_u64(), "{cluster}.{count}");
        }
        assert!(outcome["latency_ms"]["p99"].is_f64());
        let fault = outcome["marks"].as_array().unwrap().iter().find(|mark| mark["at_ms"] == 5000.0).unwrap();
        assert_eq!(fault["rule"], "X-1");
        assert!(fault["what"].as_str().unwrap().contains("loses power") && fault["node"].is_string());
    }
    assert!(stdout(&["run", FILE]).contains("log: All "));
}

#[test]
fn digest_stands_alone_on_its_line_and_is_that_of_run() {
    let digest = stdout(&["digest", FILE, "--until", "9s"]);
    assert!(digest.len() == 17 && digest.trim().chars().all(|c| c.is_ascii_hexdigit()), "{digest}");
    let report: serde_json::Value = serde_json::from_str(&stdout(&["run", FILE, "--until", "9s", "--json"])).unwrap();
    assert_eq!(report["digest"], digest.trim());
}

#[test]
fn link_and_unlink_are_there_and_back() {
    let link = stdout(&["link", FILE]);
    assert!(link.starts_with("#1."), "{link}");
    assert_eq!(link.trim().rsplit('.').next().unwrap(), stdout(&["digest", FILE]).trim());
    let document = scenario::read(&stdout(&["unlink", link.trim()])).unwrap();
    assert_eq!(document, scenario::read(&std::fs::read_to_string(format!("{ROOT}/{FILE}")).unwrap()).unwrap());
}

#[test]
fn the_readmes_link_plays_to_its_digest() {
    let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let link = readme.lines().find(|line| line.starts_with("#1.")).expect("README has a link");
    let folder = std::env::temp_dir().join(format!("brokerlab-readme-{}", std::process::id()));
    std::fs::write(&folder, stdout(&["unlink", link])).unwrap();
    let digest = stdout(&["digest", folder.to_str().unwrap()]);
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(link.rsplit('.').next().unwrap(), digest.trim(), "make a new one with `brokerlab link {FILE}`");
}

#[test]
fn figure_writes_svg() {
    let picture = stdout(&["figure", FILE, "--at", "2.5s"]);
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
}

#[test]
fn errors_go_to_stderr_with_exit_1_and_say_what_to_do() {
    let fails = |arguments: &[&str]| {
        let output = brokerlab(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(fails(&["run", "no-such-file.json"]).starts_with("no-such-file.json: "));
    assert!(fails(&["unlink", "#1.damaged"]).contains("the link is damaged"));
    assert!(fails(&["run", FILE, "--until", "soon"]).contains("such as `4ms`"));
    assert!(fails(&["digset", FILE]).contains("digest"));
    assert!(fails(&["digest", "package.json"]).contains("package.json: name: `name` is not known here"));
}

#[test]
fn conform_names_each_disagreement_and_counts_them() {
    let agree =
        stdout(&["conform", "transcripts/rabbitmq/prefetch-window.json", "transcripts/kafka/kafka-4.2-murmur2.jsonl"]);
    assert_eq!(agree.lines().last(), Some("conform: 334 of 334 agree"));

    let text = std::fs::read_to_string(format!("{ROOT}/transcripts/rabbitmq/prefetch-window.json")).unwrap();
    let file = std::env::temp_dir().join(format!("brokerlab-wrong-{}.json", std::process::id()));
    std::fs::write(&file, text.replacen("\"delivered\": \"m1\"", "\"delivered\": \"m9\"", 1)).unwrap();
    let output = brokerlab(&["conform", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("m9") && text.contains("m1") && text.ends_with("conform: 0 of 1 agree\n"), "{text}");
}
