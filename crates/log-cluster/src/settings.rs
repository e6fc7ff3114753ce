//! Settings under Kafka's own names, with its own defaults, units and ranges.

/// One setting, for forms and for suggestions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingInfo {
    /// Kafka's name: `linger.ms`.
    pub name: &'static str,
    /// The default, as one would write it; empty when unset.
    pub default: String,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// The least and the greatest value, if it is a number with bounds.
    pub range: Option<(i64, i64)>,
    /// The words that it takes, if it takes but a few; of a list, those that it is made of.
    pub words: &'static [&'static str],
}

/// A value that a setting can take.
pub trait SettingValue: Sized {
    /// The words that can be written for it, if they are few.
    const WORDS: &'static [&'static str] = &[];

    /// Reads the value as Kafka would.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    fn read(text: &str) -> Result<Self, String>;

    /// The value as one would write it.
    fn write(&self) -> String;

    /// The value where it is a number that may have bounds.
    fn number(&self) -> Option<i64> {
        None
    }
}

impl SettingValue for i64 {
    fn read(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|_| format!("expected a whole number, found \"{text}\""))
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn number(&self) -> Option<i64> {
        Some(*self)
    }
}

impl SettingValue for bool {
    const WORDS: &'static [&'static str] = &["true", "false"];

    fn read(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(format!("expected true or false, found \"{text}\"")),
        }
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// A share between 0 and 1, to six decimal places.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio(u32);

impl Ratio {
    /// 0.5
    pub const HALF: Ratio = Ratio(500_000);

    /// In millionths.
    #[must_use]
    pub fn millionths(self) -> u64 {
        self.0.into()
    }
}

impl SettingValue for Ratio {
    fn read(text: &str) -> Result<Self, String> {
        let refused = || format!("expected a number from 0 to 1, found \"{text}\"");
        let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let digits = |text: &str| text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || (whole.is_empty() && part.is_empty()) {
            return Err(refused());
        }
        let whole: u32 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| refused())? };
        let part: u32 = format!("{part:0<6}").parse().map_err(|_| refused())?;
        let millionths = whole.saturating_mul(1_000_000).saturating_add(part);
        if millionths > 1_000_000 { Err(refused()) } else { Ok(Ratio(millionths)) }
    }

    fn write(&self) -> String {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        let short = text.trim_end_matches('0');
        if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
    }
}

impl SettingValue for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.trim().to_owned())
    }

    fn write(&self) -> String {
        self.clone()
    }
}

impl<T: SettingValue> SettingValue for Option<T> {
    const WORDS: &'static [&'static str] = T::WORDS;

    fn read(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() { Ok(None) } else { T::read(text).map(Some) }
    }

    fn write(&self) -> String {
        self.as_ref().map(T::write).unwrap_or_default()
    }

    fn number(&self) -> Option<i64> {
        self.as_ref().and_then(T::number)
    }
}

/// An enum whose variants are written as fixed words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal $(| $alias:literal)*),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Copy, Clone, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $crate::settings::SettingValue for $name {
            const WORDS: &'static [&'static str] = &[$($word),+];

            fn read(text: &str) -> Result<Self, String> {
                match text.trim() {
                    $($word $(| $alias)* => Ok($name::$variant),)+
                    _ => Err(format!("expected one of {}, found \"{text}\"", [$($word),+].join(", "))),
                }
            }

            fn write(&self) -> String {
                match self { $($name::$variant => $word.to_owned()),+ }
            }
        }
    };
}
pub(crate) use words;

/// A struct of settings: field, type, default, Kafka's name, and the least and greatest value that Kafka takes.
macro_rules! settings {
    ($(#[$meta:meta])* $struct:ident { $($(#[doc = $about:literal])+ $field:ident: $type:ty = $default:expr, $name:literal $(, $least:literal .. $most:expr)?;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $struct { $($(#[doc = $about])+ #[doc = concat!("\n\n`", $name, "`, by default `", stringify!($default), "`.")] pub $field: $type),+ }

        impl Default for $struct {
            fn default() -> Self {
                $struct { $($field: $default),+ }
            }
        }

        impl $struct {
            /// Kafka's names of these settings.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// All settings with their defaults as one would write them.
            #[must_use]
            pub fn defaults() -> Vec<(&'static str, String)> {
                let it = $struct::default();
                vec![$(($name, $crate::settings::SettingValue::write(&it.$field))),+]
            }

            /// All settings, with what they do and their bounds.
            #[must_use]
            pub fn settings() -> Vec<$crate::settings::SettingInfo> {
                let it = $struct::default();
                vec![$($crate::settings::SettingInfo {
                    name: $name,
                    default: $crate::settings::SettingValue::write(&it.$field),
                    about: concat!($($about),+).trim_ascii(),
                    range: $crate::settings::bounds(&[$($least, $most)?]),
                    words: <$type as $crate::settings::SettingValue>::WORDS,
                }),+]
            }

            /// Sets one setting by Kafka's name.
            ///
            /// # Errors
            /// A sentence: the name is unknown (it names the nearest known one), or Kafka refuses the value.
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
                match name {
                    $($name => $crate::settings::assign(name, value, &mut self.$field, &[$($least, $most)?]),)+
                    _ => Err($crate::settings::unknown(name, Self::NAMES)),
                }
            }

            /// What a setting is set to, by Kafka's name.
            #[must_use]
            pub fn get(&self, name: &str) -> Option<String> {
                match name {
                    $($name => Some($crate::settings::SettingValue::write(&self.$field)),)+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use settings;

/// What can be held against a range.
/// The bounds of a setting, if it has both.
pub(crate) fn bounds(both: &[i64]) -> Option<(i64, i64)> {
    match both {
        [least, most] => Some((*least, *most)),
        _ => None,
    }
}

/// Reads a setting's value into its place if Kafka takes it. Never inlined: hundreds of arms call it.
#[inline(never)]
pub(crate) fn assign<T: SettingValue>(name: &str, value: &str, place: &mut T, both: &[i64]) -> Result<(), String> {
    let read = T::read(value).map_err(|why| format!("{name}: {why}"))?;
    if let (Some(value), Some((least, most))) = (read.number(), bounds(both)) {
        if value < least {
            return Err(format!("{name}: value must be at least {least}, found {value}"));
        }
        if value > most {
            return Err(format!("{name}: value must be no more than {most}, found {value}"));
        }
    }
    *place = read;
    Ok(())
}

pub(crate) fn unknown(name: &str, names: &[&str]) -> String {
    match nearest(name, names) {
        Some(near) => format!("unknown setting {name}; did you mean {near}?"),
        None => format!("unknown setting {name}"),
    }
}

/// The known name that differs from `name` in the fewest letters.
#[must_use]
pub fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    names.iter().copied().min_by_key(|known| distance(name, known))
}

/// How many letters to add, drop or change to make one text of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let change = corner + usize::from(letter != *other);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
