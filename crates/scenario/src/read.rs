//! Reading a document from untrusted text: sizes capped, errors that name the place and the nearest valid name.

use crate::compile::check_branches;
use crate::document::Document;
use sim::workload::Problem;
use std::fmt;

/// The longest text of a document, in bytes.
pub const TEXT_MAX: usize = 1 << 20;

/// Why a text is no document that can be played: at least one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub Vec<Problem>);

impl Refusal {
    pub(crate) fn one(path: impl Into<String>, message: impl Into<String>) -> Refusal {
        Refusal(vec![Problem { path: path.into(), message: message.into() }])
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { path, message }) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            if path.is_empty() || path == "." { f.write_str(message)? } else { write!(f, "{path}: {message}")? }
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// The known name that is nearest to `name`, if one is near.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |other: &&str| strsim::damerau_levenshtein(&name.to_ascii_lowercase(), &other.to_ascii_lowercase());
    let best = known.into_iter().min_by_key(distance)?;
    (distance(&best) <= 2 + name.len() / 3).then_some(best)
}

/// Appends `; did you mean …?` where a name is near.
pub(crate) fn suggest<'a>(message: String, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(near) => format!("{message}; did you mean `{near}`?"),
        None => message,
    }
}

/// Words between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn explain(message: &str) -> String {
    let end = message.rfind(" at line ").unwrap_or(message.len());
    let (what, place) = message.split_at(end);
    if let Some(rest) = what.strip_prefix("unknown field ").or_else(|| what.strip_prefix("unknown variant ")) {
        let names = quoted(rest);
        if let Some((name, known)) = names.split_first() {
            return suggest(format!("`{name}` is not known here{place}"), name, known.iter().copied());
        }
    }
    // A whole number's bounds instead of its type.
    for (kind, bounds) in [("u8", "0 to 255"), ("u16", "0 to 65535"), ("u32", "0 to 4294967295")] {
        if let Some(rest) = what.strip_suffix(&format!("expected {kind}")) {
            return format!("{rest}expected {bounds}{place}");
        }
    }
    message.to_owned()
}

/// Reads a document.
///
/// # Errors
/// What is wrong with the text, by its place.
pub fn read(text: &str) -> Result<Document, Refusal> {
    if text.len() > TEXT_MAX {
        let message = format!("the document has {} bytes; at most {TEXT_MAX} are read", text.len());
        return Err(Refusal::one("", message));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let document: Document = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Refusal::one(error.path().to_string(), explain(&error.inner().to_string())))?;
    json.end().map_err(|error| Refusal::one("", format!("something follows the document: {error}")))?;
    if document.brokerlab != 1 {
        let message = format!("expected 1, the version of this format, found {}", document.brokerlab);
        return Err(Refusal::one("brokerlab", message));
    }
    check_branches(&document)?;
    Ok(document)
}

/// Writes a document: one line, fields in a fixed order, defaults left out.
#[must_use]
pub fn write(document: &Document) -> String {
    serde_json::to_string(document).unwrap_or_default()
}
