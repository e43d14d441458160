//! cosec wasm
