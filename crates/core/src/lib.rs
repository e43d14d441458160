//! cosec's core: what a Compose file says, where each value came from, which rules it breaks and who
//! is to get which secret. It does no I/O and reads no clock; it builds for wasm32.
//!
//! Data flows down this list.

pub mod baseline;
pub mod compose;
pub mod detect;
pub mod dockerfile;
mod dockerignore;
pub mod extension;
pub mod files;
pub mod fix;
pub mod gitignore;
pub mod ignore;
pub mod images;
pub mod lint;
mod nearest;
pub mod plan;
mod reach;
pub mod redact;
pub mod report;
pub mod rules;
pub mod settings;
pub mod settle;
pub mod source;
pub mod yaml;
