//! Settings of groups whose values are more than a word or a number.

use crate::settings::SettingValue;
use sim::Nanos;

crate::settings::words! {
    /// How a group shares its partitions out (K-S1 to K-S5).
    Strategy {
        /// Ranges of each topic.
        Range = "range" | "RangeAssignor" | "org.apache.kafka.clients.consumer.RangeAssignor",
        /// In turn over all topics.
        RoundRobin = "roundrobin" | "RoundRobinAssignor" | "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        /// Balanced, with as few moves as possible.
        Sticky = "sticky" | "StickyAssignor" | "org.apache.kafka.clients.consumer.StickyAssignor",
        /// As sticky, in two steps without stopping the group.
        CooperativeSticky = "cooperative-sticky" | "CooperativeStickyAssignor"
            | "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
    }
}

crate::settings::words! {
    /// How a group coordinator shares partitions out by itself (K-S1, K-S6, K-S7).
    ServerAssignor {
        /// Even shares, with as few moves as possible.
        Uniform = "uniform",
        /// Ranges of each topic.
        Range = "range",
    }
}

/// A list of words, each of them once.
fn read_list<T: SettingValue + PartialEq>(text: &str) -> Result<Vec<T>, String> {
    let mut list = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let one = T::read(word)?;
        if list.contains(&one) {
            return Err(format!("\"{word}\" is in the list more than once"));
        }
        list.push(one);
    }
    if list.is_empty() { Err("expected a list with at least one assignor".to_owned()) } else { Ok(list) }
}

fn write_list<T: SettingValue>(list: &[T]) -> String {
    list.iter().map(T::write).collect::<Vec<_>>().join(",")
}

/// The strategies that a member can live with, the one it likes best first (K-G5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategies(Vec<Strategy>);

impl Strategies {
    /// All of them.
    #[must_use]
    pub fn list(&self) -> &[Strategy] {
        &self.0
    }

    /// K-G5: a member gives up all it has before it joins unless every strategy of its list can do without.
    #[must_use]
    pub fn is_cooperative(&self) -> bool {
        self.0.iter().all(|one| *one == Strategy::CooperativeSticky)
    }

    /// Whether the member tells what it had: to a strategy that keeps it.
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.is_cooperative() || self.0.contains(&Strategy::Sticky)
    }
}

impl Default for Strategies {
    fn default() -> Self {
        Strategies(vec![Strategy::Range, Strategy::CooperativeSticky])
    }
}

impl From<Strategy> for Strategies {
    fn from(one: Strategy) -> Strategies {
        Strategies(vec![one])
    }
}

impl SettingValue for Strategies {
    const WORDS: &'static [&'static str] = Strategy::WORDS;

    fn read(text: &str) -> Result<Self, String> {
        read_list(text).map(Strategies)
    }

    fn write(&self) -> String {
        write_list(&self.0)
    }
}

/// The assignors of the coordinators, the default first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAssignors(Vec<ServerAssignor>);

impl ServerAssignors {
    /// All of them.
    #[must_use]
    pub fn list(&self) -> &[ServerAssignor] {
        &self.0
    }
}

impl Default for ServerAssignors {
    fn default() -> Self {
        ServerAssignors(vec![ServerAssignor::Uniform, ServerAssignor::Range])
    }
}

impl SettingValue for ServerAssignors {
    const WORDS: &'static [&'static str] = ServerAssignor::WORDS;

    fn read(text: &str) -> Result<Self, String> {
        read_list(text).map(ServerAssignors)
    }

    fn write(&self) -> String {
        write_list(&self.0)
    }
}

/// Where a group without a committed offset begins (K-C5).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the end: what was written before is skipped.
    Latest,
    /// At the beginning.
    Earliest,
    /// Nowhere: the application fails.
    None,
    /// At the first record that is not older than this.
    ByDuration(Nanos),
}

impl SettingValue for OffsetReset {
    const WORDS: &'static [&'static str] = &["latest", "earliest", "none"];

    fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "latest" => return Ok(OffsetReset::Latest),
            "earliest" => return Ok(OffsetReset::Earliest),
            "none" => return Ok(OffsetReset::None),
            _ => {}
        }
        text.strip_prefix("by_duration:").and_then(read_duration).map(OffsetReset::ByDuration).ok_or_else(|| {
            format!("expected one of latest, earliest, none, by_duration:<PnDTnHnMn.nS>, found \"{text}\"")
        })
    }

    fn write(&self) -> String {
        match self {
            OffsetReset::Latest => "latest".to_owned(),
            OffsetReset::Earliest => "earliest".to_owned(),
            OffsetReset::None => "none".to_owned(),
            OffsetReset::ByDuration(duration) => {
                let (whole, rest) = (duration.0 / 1_000_000_000, duration.0 % 1_000_000_000 / 1_000_000);
                if rest == 0 { format!("by_duration:PT{whole}S") } else { format!("by_duration:PT{whole}.{rest:03}S") }
            }
        }
    }
}

/// ISO 8601: `P1DT2H3M4.5S`. Finer than milliseconds is cut off.
fn read_duration(text: &str) -> Option<Nanos> {
    let (days, time) = text.strip_prefix('P')?.split_once('T').unwrap_or((text.strip_prefix('P')?, ""));
    let mut millis = 0u64;
    let mut parts = 0;
    for (part, units) in [(days, "D"), (time, "HMS")] {
        let mut rest = part;
        let mut allowed = units;
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
            let (unit, after) = (rest[end..].chars().next()?, &rest[end + 1..]);
            // Each unit once, and from the largest to the smallest.
            allowed = &allowed[allowed.find(unit)? + 1..];
            let each = match unit {
                'D' => 86_400_000,
                'H' => 3_600_000,
                'M' => 60_000,
                _ => 1_000,
            };
            millis = millis.checked_add(read_millis(&rest[..end], each)?)?;
            (rest, parts) = (after, parts + 1);
        }
    }
    // A year and more would not fit a run.
    (parts > 0 && millis <= 31_536_000_000).then(|| Nanos::millis(millis))
}

fn read_millis(number: &str, each: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let whole = whole.checked_mul(each)?;
    if !number.contains('.') {
        return Some(whole);
    }
    let digits = part.get(..part.len().min(3)).filter(|digits| !digits.is_empty() && each == 1_000)?;
    let thousandths: u64 = format!("{digits:0<3}").parse().ok()?;
    whole.checked_add(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_java_reads_them() {
        let millis = |text: &str| read_duration(text).map(|it| it.0 / 1_000_000);
        assert_eq!(millis("PT1H"), Some(3_600_000));
        assert_eq!(millis("P1DT1M0.5S"), Some(86_460_500));
        for wrong in ["", "P", "PT", "1H", "-PT1H", "PT1M1H", "PT1D", "PTH", "PT.5S"] {
            assert_eq!(millis(wrong), None, "{wrong}");
        }
        assert_eq!(OffsetReset::read("by_duration:PT1.5S").unwrap().write(), "by_duration:PT1.500S");
    }

    #[test]
    fn a_list_of_strategies_names_each_once() {
        assert_eq!(Strategies::read("range, sticky").unwrap().list(), [Strategy::Range, Strategy::Sticky]);
        assert!(Strategies::read("range,RangeAssignor").is_err() && Strategies::read("").is_err());
        assert_eq!(Strategies::default().write(), "range,cooperative-sticky");
    }
}
