//! `cargo run -p xtask-bindgen -- INPUT.wasm OUT_DIR`: the JavaScript face of a wasm module.
//!
//! Apart from `xtask`, so that nobody compiles this who does not build the page. As a library the tool has
//! the version of the `wasm-bindgen` crate by Cargo.lock, and needs no install.

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let usage = "usage: xtask-bindgen INPUT.wasm OUT_DIR";
    let input = arguments.next().context(usage)?;
    let output = arguments.next().context(usage)?;
    Bindgen::new().input_path(input).web(true)?.typescript(true).out_name("cosec").generate(output)
}
