//! Loads projects as Compose does, without interpolation, leniently, and as Swarm does.

#![no_main]

use libfuzzer_sys::fuzz_target;
use xtask::promises::{Project, loading};

fuzz_target!(
    // The schema is compiled once, by whoever comes first.
    init: drop(loading::check(&Project::of("compose.yaml", "services: {a: {image: x}}"))),
    |case: &[u8]| {
        if let Err(broken) = loading::check(&Project::parse(&String::from_utf8_lossy(case))) {
            panic!("{broken}");
        }
    }
);
