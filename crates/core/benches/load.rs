//! `cargo bench -p cosec-core`: from text to the JSON of a project. The time for each byte must not grow with the
//! project. `COSEC_CORPUS=DIRECTORY` adds the real files below a directory.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use cosec_core::compose::{Environment, Interpolation, LoadRequest, load};
use cosec_core::files::MemoryFiles;
use cosec_core::source::Sources;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// A project of services as people write them, about 1 KB each.
fn project(services: usize) -> String {
    let mut text = "services:\n".to_owned();
    for number in 0..services {
        text.push_str(&include_str!("service.yaml").replace("NUMBER", &number.to_string()));
    }
    text.push_str(
        "secrets: {db_password: {file: ./db}, api_key: {file: ./key}}\nvolumes: {data: {}}\nnetworks: {front: {}, back: {}}\n",
    );
    text
}

/// Loads one file; whether Compose would accept it.
fn loads(text: &str) -> bool {
    let mut files = MemoryFiles::default();
    files.insert("compose.yaml", text);
    let (mut sources, mut documents) = (Sources::default(), Vec::new());
    let request = LoadRequest {
        files: &["compose.yaml".to_owned()],
        directory: "",
        working_directory: "/work",
        environment: &Environment::default(),
        interpolation: Interpolation::Strict,
        name: Some("bench"),
        profiles: &[],
        services: &[],
    };
    let loaded = load(&files, &mut sources, &mut documents, &request);
    loaded.is_ok_and(|loaded| loaded.resolved.is_some_and(|resolved| resolved.config(&[]).is_ok()))
}

fn sizes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    for services in [2, 10, 100, 1_000] {
        let text = project(services);
        assert!(loads(&text), "the project is refused");
        group.throughput(Throughput::Bytes(text.len() as u64));
        let id = BenchmarkId::new("services", services);
        group.bench_with_input(id, &text, |bencher, text| bencher.iter(|| loads(black_box(text))));
    }
    group.finish();
}

fn corpus(criterion: &mut Criterion) {
    let Some(directory) = std::env::var_os("COSEC_CORPUS") else { return };
    let mut texts = Vec::new();
    collect(Path::new(&directory), &mut texts);
    let mut group = criterion.benchmark_group("corpus");
    group.sample_size(10).throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
    group.bench_function("all", |bencher| {
        bencher.iter(|| texts.iter().filter(|text| loads(black_box(text))).count());
    });
    group.finish();
}

fn collect(directory: &Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
            texts.extend(std::fs::read_to_string(&path));
        }
    }
}

criterion_group!(benches, sizes, corpus);
criterion_main!(benches);
