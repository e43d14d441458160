//! Findings as text and as JSON. No format ever holds a secret's value.

mod json;
mod mask;
mod text;

pub use json::{JsonFinding, JsonNotChecked, JsonPlace, Report};
pub use text::{Colour, render_error, render_finding, render_notes, summary};
