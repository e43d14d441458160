//! Lints Compose files, env files and Dockerfiles, and writes all reports.

#![no_main]

use libfuzzer_sys::fuzz_target;
use xtask::promises::{Project, linting};

fuzz_target!(|case: &[u8]| {
    if let Err(broken) = linting::check(&Project::parse(&String::from_utf8_lossy(case)), true) {
        panic!("{broken}");
    }
});
