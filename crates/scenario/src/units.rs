//! Quantities as people write them: `4ms`, `20/s`, `1KB`. Parsed once, kept as whole numbers, printed the same way.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sim::workload::Duration;
use sim::{Nanos, Time};
use std::fmt;

/// A span of time such as `250us`, `4ms`, `1.5s`, `2min`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Nanos);

/// A rate such as `20/s`, `0.5/s`, `300/min`: kept as messages in a thousand seconds.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub struct Rate(pub u64);

/// A size such as `100B`, `1KB`, `16MiB`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub struct Size(pub u64);

const SPANS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const SECOND: u64 = 1_000_000_000;
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Parses `12.5ms`-like text to a whole number of the smallest unit, without floats.
fn quantity(text: &str, units: &[(&str, u64)], example: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim());
    let names = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let bad = || format!("`{text}` is not understood: write a number and a unit ({}), such as `{example}`", names());
    let (_, scale) = units.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() > 15 || fraction.len() > 9 {
        return Err(bad());
    }
    let whole: u64 = whole.parse().map_err(|_| bad())?;
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().map_err(|_| bad())?.into() };
    let part = part * u128::from(*scale) / 10u128.pow(fraction.len() as u32);
    u64::try_from(u128::from(whole) * u128::from(*scale) + part).map_err(|_| format!("`{text}` is too large"))
}

/// Prints a whole number with the largest unit that leaves at most three decimals.
fn shown(value: u64, units: &[(&str, u64)]) -> String {
    let fits = |scale: u64| value >= scale && (u128::from(value) * 1_000).is_multiple_of(u128::from(scale));
    let best = units.iter().filter(|(name, scale)| *name != "µs" && fits(*scale)).max_by_key(|(_, scale)| *scale);
    let (name, scale) = best.copied().unwrap_or(units[0]);
    let thousandths = u128::from(value) * 1_000 / u128::from(scale);
    match thousandths % 1_000 {
        0 => format!("{}{name}", thousandths / 1_000),
        rest => format!("{}.{}{name}", thousandths / 1_000, format!("{rest:03}").trim_end_matches('0')),
    }
}

impl Span {
    /// As an instant of the run.
    #[must_use]
    pub fn time(self) -> Time {
        Time::ZERO + self.0
    }

    /// Parses text.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str) -> Result<Span, String> {
        quantity(text, SPANS, "4ms").map(|nanos| Span(Nanos(nanos)))
    }
}

impl Rate {
    /// Parses text.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str) -> Result<Rate, String> {
        let bad = || format!("`{text}` is not understood: write a rate such as `20/s` or `300/min`");
        let (number, unit) = text.trim().split_once('/').ok_or_else(bad)?;
        let milli = quantity(&format!("{}x", number.trim()), &[("x", 1_000)], "20").map_err(|_| bad())?;
        match unit.trim() {
            "s" => Ok(Rate(milli)),
            "min" => Ok(Rate(milli / 60)),
            _ => Err(bad()),
        }
    }
}

impl Size {
    /// Parses text.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str) -> Result<Size, String> {
        quantity(text, SIZES, "1KB").map(Size)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0.0;
        if value == 0 {
            return f.write_str("0s");
        }
        let text = shown(value, SPANS);
        // Longer times are read in seconds, however fine they are: the playhead's place when an order was given.
        if value < SECOND || text.ends_with('h') || text.ends_with("min") {
            return f.write_str(&text);
        }
        let fraction = format!("{:09}", value % SECOND);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}s", value / SECOND),
            fraction => write!(f, "{}.{fraction}s", value / SECOND),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", shown(self.0, &[("", 1_000)]))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.0, SIZES))
    }
}

macro_rules! as_text {
    ($name:ident, $parse:expr, $pattern:literal, $example:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $parse(&text).map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "examples": [$example] })
            }
        }
    };
}

as_text!(Span, Span::parse, r"^[0-9]+(\.[0-9]+)? ?(ns|us|µs|ms|s|min|h)$", "4ms");
as_text!(Rate, Rate::parse, r"^[0-9]+(\.[0-9]+)? ?/ ?(s|min)$", "20/s");
as_text!(Size, Size::parse, r"^[0-9]+(\.[0-9]+)? ?(B|KB|MB|GB|KiB|MiB|GiB)$", "1KB");

/// A span that may vary: `4ms`, `2ms..6ms` (evenly spread) or `exp(4ms)` (exponential with this mean).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Spread(pub Duration);

impl Spread {
    /// Parses text.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str) -> Result<Spread, String> {
        let span = |text: &str| Span::parse(text).map(|span| span.0);
        if let Some(mean) = text.trim().strip_prefix("exp(").and_then(|rest| rest.strip_suffix(')')) {
            return span(mean).map(Duration::Exponential).map(Spread);
        }
        match text.split_once("..") {
            None => span(text).map(Duration::Constant).map(Spread),
            Some((low, high)) => match (span(low)?, span(high)?) {
                (low, high) if low <= high => Ok(Spread(Duration::Uniform(low, high))),
                _ => Err(format!("`{text}` ends before it begins: write the smaller span first")),
            },
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Duration::Constant(d) => Span(d).fmt(f),
            Duration::Uniform(low, high) => write!(f, "{}..{}", Span(low), Span(high)),
            Duration::Exponential(mean) => write!(f, "exp({})", Span(mean)),
        }
    }
}

as_text!(Spread, Spread::parse, r"^(exp\([^()]+\)|[^()]+)$", "exp(4ms)");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_printed_back() {
        for text in ["4ms", "1.5s", "250us", "2min", "0.5ms", "0s", "45s"] {
            let span = Span::parse(text).unwrap();
            assert_eq!(Span::parse(&span.to_string()), Ok(span), "{text} came back as {span}");
        }
        assert_eq!(Span::parse("1.5 s").unwrap().to_string(), "1.5s");
        assert_eq!(Span::parse("0.5ms").unwrap().to_string(), "500us");
        for text in ["5.055413841s", "1.5005s", "90s", "10.5s", "1.5min", "1.000001s", "1h"] {
            let printed = Span::parse(text).unwrap().to_string();
            assert_eq!(printed, if text == "90s" { "1.5min" } else { text });
        }
        for text in ["4ms", "2ms..6ms", "exp(4ms)"] {
            assert_eq!(Spread::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Rate::parse("20/s").unwrap().to_string(), "20/s");
        assert_eq!(Rate::parse("0.5/s").unwrap(), Rate(500));
        assert_eq!(Rate::parse("300/min").unwrap(), Rate(5_000));
        assert_eq!(Size(1_000).to_string(), "1KB");
    }

    #[test]
    fn what_is_no_quantity_says_what_one_looks_like() {
        for text in ["", "4", "ms", "4 fortnights", "-1s", "1e9s", "99999999999999999999s", "1.2.3s"] {
            let message = Span::parse(text).unwrap_err();
            assert!(message.contains("such as `4ms`") || message.contains("too large"), "{message}");
        }
        assert!(Rate::parse("fast").unwrap_err().contains("`20/s`"));
    }
}
