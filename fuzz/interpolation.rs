//! An env file, a zero byte, and a template.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtask::promises::interpolating;

fuzz_target!(|text: &str| {
    let outcome = interpolating::check(text);
    assert!(outcome.is_ok(), "{outcome:?}");
});
