//! What is said to a reader, in the reader's language.
//!
//! [`say!`](crate::say!) takes a template in English, which is also the key of a catalogue; without one, as on the
//! command line, all is English. Only what looks at a run may use it: what a run is made of has no language. Held by
//! `www/test/words.test.ts`, which wants every template in every catalogue.

use std::cell::RefCell;
use std::fmt::{Display, Write as _};

thread_local! {
    /// Templates with their translations, sorted.
    static CATALOGUE: RefCell<Vec<(&'static str, &'static str)>> = const { RefCell::new(Vec::new()) };
}

/// Says a template in the reader's language, with a value in each of its places: a `String`, and a `&'static str` if it
/// has none.
///
/// Places are `{}`, in order; a translation may reorder them by their numbers, `{1}`. A template of the form `one|many`
/// takes the first part if the first value is 1.
#[macro_export]
macro_rules! say {
    ($template:literal) => {{
        const { assert!($crate::say::places($template) == 0, "a value for each place") };
        $crate::say::word($template)
    }};
    ($template:literal, $($value:expr),+ $(,)?) => {{
        const { assert!($crate::say::places($template) == [$(stringify!($value)),+].len(), "a value for each place") };
        $crate::say::fill($template, &[$(&$value as &dyn ::core::fmt::Display),+])
    }};
}

/// Takes a catalogue: a template on a line, its translation on the next, and so on. An empty text brings English back.
///
/// It is kept for good: a page chooses its language once.
pub fn speak(words: &str) {
    let mut lines = words.to_owned().leak().lines();
    let mut catalogue = Vec::new();
    while let (Some(template), Some(translation)) = (lines.next(), lines.next()) {
        let place = catalogue.partition_point(|(known, _)| *known < template);
        catalogue.insert(place, (template, translation));
    }
    CATALOGUE.set(catalogue);
}

/// See [`say!`](crate::say!): what has no places.
#[must_use]
pub fn word(template: &'static str) -> &'static str {
    translated(template).unwrap_or(template)
}

fn translated(template: &str) -> Option<&'static str> {
    CATALOGUE.with_borrow(|catalogue| {
        let place = catalogue.partition_point(|(known, _)| *known < template);
        catalogue.get(place).filter(|(known, _)| *known == template).map(|(_, translation)| *translation)
    })
}

/// How many values a template takes.
#[must_use]
pub const fn places(template: &str) -> usize {
    let (bytes, mut at, mut count) = (template.as_bytes(), 0, 0);
    // `one|many` takes the same values in either part: the last one tells.
    while at < bytes.len() {
        match bytes[at] {
            b'|' => count = 0,
            b'{' => count += 1,
            _ => {}
        }
        at += 1;
    }
    count
}

/// See [`say!`](crate::say!).
#[must_use]
pub fn fill(template: &str, values: &[&dyn Display]) -> String {
    let mut rest = translated(template).unwrap_or(template);
    if let Some((one, many)) = rest.split_once('|') {
        rest = if values.first().is_some_and(|value| value.to_string() == "1") { one } else { many };
    }
    let (mut text, mut next) = (String::new(), 0);
    while let Some((before, place)) = rest.split_once('{') {
        text.push_str(before);
        let (number, after) = place.split_once('}').unwrap_or((place, ""));
        let value = number.bytes().next().map_or(next, |digit| usize::from(digit.wrapping_sub(b'0')));
        if let Some(value) = values.get(value) {
            let _ = write!(text, "{value}");
        }
        (next, rest) = (next + 1, after);
    }
    text.push_str(rest);
    text
}

/// A number with the marks of the reader's language; English ones are a comma between thousands and a decimal point.
#[must_use]
pub fn number(number: impl Display) -> String {
    marked(number.to_string())
}

fn marked(number: String) -> String {
    if say!("1,000.5") == "1,000.5" {
        return number;
    }
    let mut bytes = number.into_bytes();
    for byte in &mut bytes {
        *byte = match *byte {
            b'.' => b',',
            b',' => b'.',
            other => other,
        };
    }
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_speaks_until_it_is_taken_back() {
        let said =
            || [say!("{} in {}", "a", "b"), say!("{} waiting", 1), say!("{} waiting", 20), say!("idle").to_owned()];
        assert_eq!(said(), ["a in b", "1 waiting", "20 waiting", "idle"]);
        assert_eq!(number("1,204.5 ms"), "1,204.5 ms");
        speak("{} in {}\n{1} hat {0}\n{} waiting\n{} wartet|{} warten\n1,000.5\n1.000,5");
        assert_eq!(said(), ["b hat a", "1 wartet", "20 warten", "idle"]);
        assert_eq!(number("1,204.5 ms"), "1.204,5 ms");
        speak("");
        assert_eq!(said(), ["a in b", "1 waiting", "20 waiting", "idle"]);
    }

    #[test]
    fn of_one_or_many_the_first_value_decides() {
        let said = |count: u64| say!("1 record of {1}|{} records of {}", count, "orders");
        assert_eq!([said(1), said(2)], ["1 record of orders", "2 records of orders"]);
        assert_eq!(fill("{0} and {0}", &[&7]), "7 and 7");
    }
}
