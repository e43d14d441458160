//! cosec reads a project as `docker compose` does. The books `tests/compose/*.cases` hold small projects,
//! `tests/compose/recorded/*.json` what Compose 2.40.3 makes of each: `config --format json`, or its refusal.
//! cosec must make the same of all, and where Compose is installed, the record must still be its own.
//!
//! `COSEC_RECORD=1 cargo test --test compose` writes the record.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

/// A small project.
struct Case {
    name: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    files: Vec<(String, String)>,
}

/// The cases of a book. `### name`, `$ arguments`, `@ VARIABLE=value`, `=== path` and the file's lines;
/// `==! path` where the lines have escapes: `\\`, `\r`, `\t`, `\u` for a byte order mark, `\N` and `\L` for line breaks
/// of YAML 1.1 only, `\c` for no line break.
fn read_book(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut cases: Vec<Case> = Vec::new();
    let mut escaped = false;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches('\n');
        if let Some(name) = content.strip_prefix("### ") {
            finish(cases.last_mut());
            cases.push(Case {
                name: name.to_owned(),
                arguments: Vec::new(),
                variables: Vec::new(),
                files: Vec::new(),
            });
            continue;
        }
        let case = cases.last_mut().expect("a book starts with ###");
        let file = content.strip_prefix("=== ").or_else(|| content.strip_prefix("==! "));
        if let Some(path) = file {
            escaped = content.starts_with("==!");
            case.files.push((path.to_owned(), String::new()));
        } else if let Some((_, text)) = case.files.last_mut() {
            if escaped {
                text.push_str(&unescape(line));
            } else {
                text.push_str(line);
            }
        } else if let Some(arguments) = content.strip_prefix("$ ") {
            case.arguments = arguments.split(' ').map(str::to_owned).collect();
        } else if let Some((name, value)) = content.strip_prefix("@ ").and_then(|line| line.split_once('=')) {
            case.variables.push((name.to_owned(), value.to_owned()));
        }
    }
    finish(cases.last_mut());
    cases
}

/// The empty line before the next case is no part of the last file.
fn finish(case: Option<&mut Case>) {
    if let Some((_, text)) = case.and_then(|case| case.files.last_mut()) {
        let length = text.strip_suffix('\n').unwrap_or(text).len();
        text.truncate(length);
    }
}

fn unescape(line: &str) -> String {
    let mut result = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('r') => result.push('\r'),
                Some('t') => result.push('\t'),
                Some('N') => result.push('\u{85}'),
                Some('L') => result.push('\u{2028}'),
                Some('u') => result.push('\u{feff}'),
                Some('c') => return result,
                Some(other) => result.push(other),
                None => {}
            },
            character => result.push(character),
        }
    }
    result
}

fn books() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/compose"))
}

/// All cases as (book, case), in order.
fn cases() -> Vec<(String, Case)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(books())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cases"))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| {
            let book = path.file_stem().unwrap().to_string_lossy().into_owned();
            read_book(&path).into_iter().map(move |case| (book.clone(), case))
        })
        .collect()
}

/// What a program makes of a case: its JSON, or that it refuses.
fn asked(program: &Path, before: &[&str], case: &Case) -> Value {
    match printed(program, before, case, &["config", "--format", "json"]) {
        Some(text) => sorted(serde_json::from_str(&text).unwrap()),
        None => json!("refused"),
    }
}

/// What a program prints of a case; `None` if it refuses.
fn printed(program: &Path, before: &[&str], case: &Case, asked: &[&str]) -> Option<String> {
    let root = tempfile::Builder::new().prefix("cosec-test-").tempdir().unwrap();
    let directory = root.path().join("project");
    std::fs::create_dir(&directory).unwrap();
    for (path, text) in &case.files {
        let path = directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let output = Command::new(program)
        .args(before)
        .args(&case.arguments)
        .args(asked)
        .current_dir(&directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/home/nobody")
        .envs(case.variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let text = text.replace(&*directory.to_string_lossy(), "/above/project");
    Some(text.replace(&*root.path().to_string_lossy(), "/above"))
}

/// Numbers as singles: Compose prints some of them in single precision.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let members: BTreeMap<String, Value> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Number(number) if number.is_f64() => json!(number.as_f64().unwrap() as f32),
        value => value,
    }
}

/// Asks a program about all cases.
fn ask_all(program: &Path, before: &[&str], cases: &[(String, Case)]) -> Vec<Value> {
    of_all(cases, |case| asked(program, before, case))
}

/// Does something with all cases, as many at a time as there are processors.
fn of_all<T: Clone + Default + Send>(cases: &[(String, Case)], asked: impl Fn(&Case) -> T + Sync) -> Vec<T> {
    let answers: Mutex<Vec<T>> = Mutex::new(vec![T::default(); cases.len()]);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((_, case)) = cases.get(at) else { break };
                    let answer = asked(case);
                    answers.lock().unwrap()[at] = answer;
                }
            });
        }
    });
    answers.into_inner().unwrap()
}

fn record_path(book: &str) -> PathBuf {
    books().join("recorded").join(format!("{book}.json"))
}

fn recorded(cases: &[(String, Case)]) -> Vec<Value> {
    let mut books: BTreeMap<&str, Value> = BTreeMap::new();
    cases
        .iter()
        .map(|(book, case)| {
            let record = books.entry(book).or_insert_with(|| {
                let text = std::fs::read_to_string(record_path(book)).unwrap_or_else(|_| "{}".to_owned());
                serde_json::from_str(&text).unwrap()
            });
            sorted(record[&case.name].clone())
        })
        .collect()
}

fn compose() -> Option<(PathBuf, Vec<&'static str>)> {
    let works = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if works("docker", &["compose", "version"]) {
        return Some((PathBuf::from("docker"), vec!["compose"]));
    }
    works("docker-compose", &["version"]).then(|| (PathBuf::from("docker-compose"), vec![]))
}

#[track_caller]
fn assert_none(differences: &[String], cases: &[(String, Case)]) {
    let (count, all) = (differences.len(), cases.len());
    assert!(differences.is_empty(), "{count} of {all} differ\n{}", differences.join("\n"));
}

#[track_caller]
fn assert_alike(cases: &[(String, Case)], theirs: &[Value], ours: &[Value], who: &str) {
    let mut differences = Vec::new();
    for (((book, case), theirs), ours) in cases.iter().zip(theirs).zip(ours) {
        if theirs != ours {
            differences.push(format!("{book} / {}:\n  recorded {theirs}\n  {who} {ours}", case.name));
        }
    }
    assert_none(&differences, cases);
}

#[test]
fn cosec_makes_of_every_project_what_compose_makes_of_it() {
    let cases = cases();
    let ours = ask_all(Path::new(env!("CARGO_BIN_EXE_cosec")), &[], &cases);
    assert!(cases.len() > 700, "only {} cases", cases.len());
    assert_alike(&cases, &recorded(&cases), &ours, "cosec");
    println!("{} projects are read alike", cases.len());
}

#[test]
fn the_record_is_still_what_compose_says() {
    let Some((program, before)) = compose() else {
        assert!(std::env::var_os("CI").is_none(), "docker compose is missing");
        println!("not run: there is no docker compose here; run `cargo xtask setup` as root");
        return;
    };
    let cases = cases();
    let theirs = ask_all(&program, &before, &cases);
    if std::env::var_os("COSEC_RECORD").is_some() {
        write_record(&cases, &theirs);
    }
    assert_alike(&cases, &recorded(&cases), &theirs, "compose");
}

/// Key for key and quote for quote: what people see who type `config` and nothing else, and compare with `diff`.
#[test]
fn the_yaml_of_every_project_is_what_compose_prints() {
    let Some((program, before)) = compose() else {
        assert!(std::env::var_os("CI").is_none(), "docker compose is missing");
        println!("not run: there is no docker compose here; run `cargo xtask setup` as root");
        return;
    };
    // A date in an extension, which cosec puts into quotes, and characters that some reader takes for a line break or a
    // mark, which it escapes.
    let apart = |name: &str| {
        name.starts_with("extension date")
            || ["a separator of lines in quotes", "a byte order mark in a value"].contains(&name)
    };
    let all = cases();
    let json = recorded(&all);
    let cases: Vec<(String, Case)> = all
        .into_iter()
        .zip(json)
        .filter(|((_, case), json)| *json != "refused" && !apart(&case.name))
        .map(|(case, _)| case)
        .collect();
    let differences = of_all(&cases, |case| {
        let theirs = printed(&program, &before, case, &["config"]);
        let ours = printed(Path::new(env!("CARGO_BIN_EXE_cosec")), &[], case, &["config"]);
        (theirs != ours).then(|| {
            similar::TextDiff::from_lines(theirs.unwrap_or_default(), ours.unwrap_or_default())
                .unified_diff()
                .context_radius(0)
                .to_string()
        })
    });
    let told = cases
        .iter()
        .zip(differences)
        .filter_map(|((book, case), difference)| Some(format!("{book} / {}:\n{}", case.name, difference?)));
    assert_none(&told.collect::<Vec<_>>(), &cases);
}

fn write_record(cases: &[(String, Case)], answers: &[Value]) {
    std::fs::create_dir_all(books().join("recorded")).unwrap();
    let mut by_book: BTreeMap<&str, serde_json::Map<String, Value>> = BTreeMap::new();
    for ((book, case), answer) in cases.iter().zip(answers) {
        by_book.entry(book).or_default().insert(case.name.clone(), answer.clone());
    }
    for (book, record) in by_book {
        // One line for each case: a change is seen as what it is.
        let lines: Vec<String> = record
            .iter()
            .map(|(name, answer)| format!("{}: {answer}", serde_json::to_string(name).unwrap()))
            .collect();
        std::fs::write(record_path(book), format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
    }
}

/// The cases that are one file, which `docker stack` can be asked about too.
fn single_files() -> Vec<(String, Case)> {
    let plain =
        |case: &Case| case.arguments.is_empty() && case.files.iter().any(|(path, _)| path == "compose.yaml");
    cases().into_iter().filter(|(_, case)| plain(case)).collect()
}

/// Whether a program accepts each case.
fn accepted(program: &str, arguments: &[&str], cases: &[(String, Case)]) -> Vec<bool> {
    cases
        .iter()
        .map(|(_, case)| {
            let root = tempfile::Builder::new().prefix("cosec-test-").tempdir().unwrap();
            for (path, text) in &case.files {
                let path = root.path().join("project").join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            let output = Command::new(program)
                .args(arguments)
                .current_dir(root.path().join("project"))
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                .env("HOME", "/home/nobody")
                .envs(case.variables.iter().map(|(name, value)| (name, value)))
                .output()
                .unwrap();
            output.status.success()
        })
        .collect()
}

/// The record holds the names of the cases that `docker stack config` accepts.
#[test]
fn for_swarm_cosec_accepts_what_docker_stack_accepts() {
    let cases = single_files();
    let path = books().join("recorded/stack.txt");
    let name = |(book, case): &(String, Case)| format!("{book} / {}", case.name.replace('\n', " "));
    if std::env::var_os("COSEC_RECORD").is_some() {
        let theirs = accepted("docker", &["stack", "config", "-c", "compose.yaml"], &cases);
        let names = cases.iter().zip(theirs).filter(|(_, accepted)| *accepted);
        let lines: Vec<String> = names.map(|(case, _)| name(case) + "\n").collect();
        std::fs::write(&path, lines.concat()).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap();
    let recorded: std::collections::BTreeSet<&str> = recorded.lines().collect();
    let arguments = ["-f", "compose.yaml", "config", "-q", "--target", "swarm"];
    let ours = accepted(env!("CARGO_BIN_EXE_cosec"), &arguments, &cases);
    let differences: Vec<String> = cases
        .iter()
        .zip(ours)
        .filter(|(case, ours)| recorded.contains(name(case).as_str()) != *ours)
        .map(|(case, ours)| format!("{} (cosec {})", name(case), if ours { "accepts" } else { "refuses" }))
        .collect();
    assert_none(&differences, &cases);
    assert!(cases.len() > 600 && recorded.len() > 200, "{} of {}", recorded.len(), cases.len());
}
