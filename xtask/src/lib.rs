//! What is promised of any input, and how memory is counted: for `cargo xtask fuzz`, and for any other fuzzer.

pub mod memory;
pub mod promises;
