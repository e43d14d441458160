//! A project as in `tests/compose/*.cases`, or one Compose file, loaded in all ways.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtask::promises::loading::{self, Project};

fuzz_target!(|text: &str| {
    let outcome = loading::check(&Project::parse(text));
    assert!(outcome.is_ok(), "{outcome:?}");
});
