//! The document: a scenario and its tape, read from untrusted text, checked, and made into what the engines take.
//!
//! It must never know what a run does, only what it starts from; whatever a text holds, reading it ends in a document
//! or in a refusal that names the place. Held by the tests in `tests/documents.rs`.

mod compile;
pub mod document;
mod forms;
mod joins;
pub mod link;
mod log_part;
mod orders;
mod queue_forms;
mod queue_part;
mod queue_settings;
mod read;
pub mod tape;
pub mod units;

pub use compile::{Compiled, bounds, check_branches, compile};
pub use document::Document;
pub use forms::{FormSetting, form_settings};
pub use orders::{Deed, Part, Step, resolve};
pub use read::{Refusal, TEXT_MAX, nearest, read, write};
