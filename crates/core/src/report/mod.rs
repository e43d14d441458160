//! Findings as text, JSON, SARIF and what CI systems read. No format ever holds a secret's value.

mod ci;
mod json;
mod markdown;
mod mask;
mod sarif;
mod text;

pub use ci::{github, gitlab, junit};
pub use json::{JsonFinding, JsonNotChecked, JsonPlace, JsonRelated, Report, fingerprint_of, write_json};
pub use markdown::markdown;
pub use mask::Excerpts;
pub(crate) use mask::{masked_change, value_places};
pub use sarif::sarif;
pub use text::{Colour, render_error, render_finding, render_findings, render_notes, summary};
