//! A line that says what the file is, and the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtask::promises::linting;

fuzz_target!(|text: &str| {
    let (name, text) = text.split_once('\n').unwrap_or(("compose.yaml", text));
    let outcome = linting::check(kind(name), text, true);
    assert!(outcome.is_ok(), "{outcome:?}");
});

/// Other names are of no interest to the linter.
fn kind(name: &str) -> &'static str {
    match name {
        ".env" => ".env",
        "Dockerfile" => "Dockerfile",
        _ => "compose.yaml",
    }
}
