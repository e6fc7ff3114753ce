//! The gallery's scenarios play to their digests. They change on purpose only: `BLESS=1 cargo test -p player`, and
//! CHANGELOG's "Behaviour" says why.

use player::Player;
use std::collections::BTreeMap;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");

#[test]
fn the_scenarios_play_to_their_digests() {
    let mut played = BTreeMap::new();
    for file in std::fs::read_dir(FOLDER).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name == "digests" || path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let document = scenario::read(&std::fs::read_to_string(&path).unwrap());
        let document = document.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let mut player = Player::new(document).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        player.advance(player.end(), u64::MAX);
        played.insert(name, format!("{:016x}", player.digest()));
    }
    let file = format!("{FOLDER}/digests.json");
    let text = serde_json::to_string_pretty(&played).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), text);
}
