//! Headers bindings (R-X4).

use crate::value::{Table, Value};

/// Whether a message's headers match a binding's arguments.
#[must_use]
pub fn matches(arguments: &Table, headers: &Table) -> bool {
    let mode = arguments.get("x-match").and_then(Value::as_text).unwrap_or("all");
    let with_x = mode.ends_with("-with-x");
    // R-X4: keys that start with x- count only in the -with-x modes, and x-match itself never.
    let counts = |key: &str| key != "x-match" && (with_x || !key.starts_with("x-"));
    let mut asked = arguments.iter().filter(|(key, _)| counts(key));
    // R-X4: void asks for presence, everything else for the same value of the same type.
    let found = |(key, wanted): (&String, &Value)| {
        headers.get(key).is_some_and(|value| *wanted == Value::Void || value == wanted)
    };
    if mode.starts_with("any") { asked.any(found) } else { asked.all(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&str, Value)]) -> Table {
        entries.iter().map(|(key, value)| ((*key).to_string(), value.clone())).collect()
    }

    #[test]
    fn r_x4_all_any_presence_types_and_x() {
        let headers = table(&[("a", 1.into()), ("b", "x".into()), ("x-d", true.into())]);
        let bound = |entries: &[(&str, Value)]| matches(&table(entries), &headers);
        assert!(bound(&[]) && bound(&[("a", 1.into())]) && bound(&[("a", Value::Void)]));
        assert!(!bound(&[("a", "1".into())]), "types count");
        assert!(!bound(&[("x-match", "any".into())]), "any of nothing is nothing");
        assert!(bound(&[("x-match", "any".into()), ("a", 2.into()), ("b", "x".into())]));
        assert!(bound(&[("x-d", false.into())]), "x- keys are ignored");
        assert!(!bound(&[("x-match", "all-with-x".into()), ("x-d", false.into())]));
        assert!(bound(&[("x-match", "any-with-x".into()), ("x-d", true.into())]));
    }
}
