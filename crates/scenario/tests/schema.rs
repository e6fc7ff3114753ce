//! The published JSON Schema is generated from the document's types, and the page's forms from the engines' tables. `BLESS=1 cargo test -p scenario` rewrites it.

const FORMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../www/src/gen/settings.json");
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../www/public/scenario.schema.json");

#[test]
fn the_published_schema_is_that_of_the_types() {
    let schema = schemars::schema_for!(scenario::Document);
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(FILE, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(FILE).unwrap_or_default(), text, "BLESS=1 rewrites the schema");
}

#[test]
fn the_page_has_the_settings_of_the_engines() {
    // No bound of theirs loses a digit as a JavaScript number.
    let safe = |bound: Option<i64>| bound.is_none_or(|bound| bound.unsigned_abs() < 1 << 53);
    let settings = scenario::form_settings();
    assert!(settings.iter().all(|setting| safe(setting.least) && safe(setting.most)));
    let text = serde_json::to_string_pretty(&settings).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(FORMS, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(FORMS).unwrap_or_default(), text, "BLESS=1 rewrites the settings");
}
