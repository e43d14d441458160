//! `cargo xtask held`: the most bytes that loading holds at any time, for each byte of the file. First projects as people
//! write them, then files that nobody would write, each of one short thing over and over.

use std::fmt::Write;

use cosec_core::compose::{Environment, Interpolation, LoadRequest, load};
use cosec_core::files::MemoryFiles;
use cosec_core::source::Sources;
use xtask::memory;

/// Bytes of a file that nobody would write.
const SIZE: usize = 256 << 10;

pub(crate) fn run() {
    // The schema is compiled once, by whoever comes first.
    held("services: {a: {image: x}}", Interpolation::Strict);
    println!(
        "| The file | bytes | as Compose | without interpolation | as the linter |\n| --- | ---: | ---: | ---: | ---: |"
    );
    for services in [10, 100, 1_000] {
        report(&format!("{services} services"), &project(services));
    }
    for (before, item, after) in DENSE {
        let mut text = (*before).to_owned();
        let mut number = 0;
        while text.len() < SIZE {
            text.push_str(&item.replace("NUMBER", &number.to_string()));
            number += 1;
        }
        text.push_str(after);
        report(&format!("`{}`", format!("{before}{item}…").replace('\n', "⏎")), &text);
    }
}

/// What stands before, what is repeated, what stands after.
const DENSE: &[(&str, &str, &str)] = &[
    ("x-a: [", "a,", "]"),
    ("x-a: [", "1,", "]"),
    ("x-a:\n", "-\n", ""),
    ("x-a:\n", "- a\n", ""),
    ("x-a: [", "[],", "]"),
    ("x-a: [", "{},", "]"),
    ("x-a: [", "{a},", "]"),
    ("x-a: {", "aNUMBER,", "}"),
    ("x-a: &a b\nx-b: [", "*a,", "]"),
    ("x-a: [", "$A,", "]"),
    ("x-a: \"", "$A", "\""),
    ("x-a: \"", "${A-b}", "\""),
    ("services: {", "aNUMBER: {image: x},", "}"),
    ("services: {a: {image: x, command: [", "a,", "]}}"),
    ("services: {a: {image: x, environment: [", "aNUMBER,", "]}}"),
    ("services: {a: {image: x, labels: [", "aNUMBER,", "]}}"),
    ("services: {a: {image: x, expose: [", "NUMBER,", "]}}"),
    ("services: {a: {image: x, volumes: [", "/NUMBER,", "]}}"),
    ("services: {a: {image: x, ports: [", "NUMBER,", "]}}"),
];

/// Services as people write them, about 1 KB each.
fn project(services: usize) -> String {
    let mut text = "services:\n".to_owned();
    for number in 0..services {
        let service = include_str!("../../crates/core/benches/service.yaml");
        text.push_str(&service.replace("NUMBER", &number.to_string()));
    }
    text + "secrets: {db_password: {file: ./db}, api_key: {file: ./key}}\nvolumes: {data: {}}\nnetworks: {front: {}, back: {}}\n"
}

fn report(name: &str, text: &str) {
    let mut line = format!("| {name} | {} |", text.len());
    for interpolation in [Interpolation::Strict, Interpolation::None, Interpolation::Lenient] {
        let (held, accepted) = held(text, interpolation);
        let note = if accepted { "" } else { ", refused" };
        let _ = write!(line, " {}{note} |", held.div_ceil(text.len()));
    }
    println!("{line}");
}

/// The most bytes beside those that were held before, and whether the file is accepted.
fn held(text: &str, interpolation: Interpolation) -> (usize, bool) {
    let mut files = MemoryFiles::default();
    files.insert("compose.yaml", text);
    let before = memory::start();
    let (mut sources, mut documents) = (Sources::default(), Vec::new());
    let (names, environment) = (["compose.yaml".to_owned()], Environment::default());
    let lenient = LoadRequest::lenient(&names, "", &environment);
    let request = LoadRequest { interpolation, name: Some("held"), ..lenient };
    let loaded = load(&files, &mut sources, &mut documents, &request);
    let accepted = loaded.is_ok();
    if let Some(resolved) = loaded.ok().and_then(|loaded| loaded.resolved) {
        drop(resolved.config(&[]));
    }
    (memory::peak() - before, accepted)
}
