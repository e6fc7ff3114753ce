//! The published JSON Schema is generated from the document's types. `BLESS=1 cargo test -p scenario` rewrites it.

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
