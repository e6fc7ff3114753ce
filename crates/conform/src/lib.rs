//! Replays recordings of real brokers through the engines, and says where they disagree.
//! The two forms of recordings are told apart by their content.

pub mod kafka;
mod kafka_assignors;
pub mod rabbitmq;

/// What replaying one recording gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The recording's name.
    pub name: String,
    /// The first disagreement, if any.
    pub disagreement: Option<Disagreement>,
}

/// Where an engine did not do what the real broker did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Which step of the recording, in words.
    pub step: String,
    /// What the real broker answered.
    pub expected: String,
    /// What the engine answered.
    pub came: String,
}

/// Replays all recordings in a file's text. `file` names those that have no name of their own.
///
/// # Errors
/// A sentence that names the line and what was expected, if the text is no recording.
pub fn replay(file: &str, text: &str) -> Result<Vec<Outcome>, String> {
    let mut outcomes = Vec::new();
    let whole: Result<serde_json::Value, _> = serde_json::from_str(text);
    let values = match whole {
        Ok(value) => vec![value],
        Err(_) => {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            let parse = |(number, line): (usize, &str)| {
                serde_json::from_str(line).map_err(|error| format!("{file}: line {}: {error}", number + 1))
            };
            lines.map(parse).collect::<Result<Vec<_>, _>>()?
        }
    };
    for (index, value) in values.into_iter().enumerate() {
        let place = format!("{file}:{}", index + 1);
        outcomes.push(if value.get("steps").is_some() {
            rabbitmq::replay(&place, &value)?
        } else {
            kafka::replay(&place, &value)?
        });
    }
    Ok(outcomes)
}
