//! What `cargo xtask fuzz` and the targets in `fuzz/` share: what is promised of any input, and how memory is counted.
#![allow(clippy::missing_panics_doc, reason = "what panics here is a finding")]

pub mod memory;
pub mod promises;
