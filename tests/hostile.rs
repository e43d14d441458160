//! Files that somebody wrote to break what reads them. cosec refuses each in bounded time and memory, with a
//! sentence that says why.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The program may not need longer on a busy machine, in an unoptimised build.
const PATIENCE: Duration = Duration::from_secs(30);

/// KiB of address space: some times what the largest file that is read needs.
const MEMORY: u32 = 1 << 20;

fn project(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::Builder::new().prefix("cosec-test-").tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

/// Whether `cosec config --format json` succeeds, and what it prints on either stream.
fn config(directory: &Path) -> (bool, String) {
    let began = Instant::now();
    let limits = format!("ulimit -v {MEMORY} && exec timeout -s KILL {} \"$@\"", PATIENCE.as_secs());
    let output = Command::new("sh")
        .args(["-c", &limits, "sh", env!("CARGO_BIN_EXE_cosec"), "config", "--format", "json"])
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .unwrap();
    assert!(began.elapsed() < PATIENCE, "it takes {:?}", began.elapsed());
    assert!(output.status.code().is_some(), "it was killed");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn lines(count: usize, line: &dyn Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

#[track_caller]
fn refused(directory: &Path, sentence: &str) {
    let (accepted, said) = config(directory);
    assert!(!accepted, "it is accepted");
    assert!(said.contains(sentence), "{}", &said[..said.len().min(2000)]);
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn aliases_that_expand_to_a_billion_values_are_refused() {
    let mut text = "x-a: &a [1,1,1,1,1,1,1,1,1,1]\n".to_owned();
    for (name, earlier) in "bcdefghij".chars().zip("abcdefghi".chars()) {
        let aliases = vec![format!("*{earlier}"); 10].join(",");
        text.push_str(&format!("x-{name}: &{name} [{aliases}]\n"));
    }
    text.push_str("services: {a: {image: x}}\n");
    let directory = project(&[("compose.yaml", &text)]);
    refused(directory.path(), "the document's aliases expand to far more than its text (an alias bomb)");
}

#[test]
fn a_hundred_kilobytes_of_brackets_are_refused() {
    let directory = project(&[("compose.yaml", &"[".repeat(100_000))]);
    refused(directory.path(), "not valid YAML: lists and mappings lie more than 255 deep");
}

#[test]
fn aliases_of_earlier_documents_do_not_double_with_each() {
    let mut text = "x-a: &a0 [1, 2]\nservices: {a: {image: x}}\n".to_owned();
    for number in 1..100 {
        let all: Vec<String> = (0..number).map(|earlier| format!("*a{earlier}")).collect();
        text.push_str(&format!("---\nx-a{number}: &a{number} [{}]\n", all.join(",")));
    }
    refused(
        project(&[("compose.yaml", &text)]).path(),
        "take more than a million values from those before them",
    );
}

#[test]
fn ten_thousand_levels_are_refused() {
    let flow = format!("x-a: {}1{}\n", "{a: ".repeat(10_000), "}".repeat(10_000));
    refused(
        project(&[("compose.yaml", &flow)]).path(),
        "not valid YAML: lists and mappings lie more than 255 deep",
    );
    let block = (1..3_000).map(|level| format!("{}a:\n", " ".repeat(level))).collect::<Vec<_>>().concat();
    let block = format!("x-a:\n{block}");
    refused(
        project(&[("compose.yaml", &block)]).path(),
        "not valid YAML: lists and mappings lie more than 255 deep",
    );
}

#[test]
fn variables_that_double_with_each_are_refused() {
    let bomb = |lines: usize| {
        let more = |number: usize| format!("A{}=${{A{number}}}${{A{number}}}${{A{number}}}\n", number + 1);
        format!("A0=xxxxxxxxxxxxxxxx\n{}", (0..lines).map(more).collect::<String>())
    };
    let compose = "services: {a: {image: x, hostname: '${A40}'}}\n";
    let directory = project(&[("compose.yaml", compose), (".env", &bomb(40))]);
    refused(directory.path(), "its variables stand for more text than a file can want");
    // Each within its own measure, and too much together.
    let many = lines(4_000, &|number| format!("B{number}=${{A10}}\n"));
    let directory = project(&[("compose.yaml", compose), (".env", &format!("{}{many}", bomb(10)))]);
    refused(directory.path(), "its variables stand for more text than a file can want");
    let services = lines(2_000, &|number| format!("  a{number}: {{image: x, hostname: '${{A9}}'}}\n"));
    let directory = project(&[("compose.yaml", &format!("services:\n{services}")), (".env", &bomb(9))]);
    refused(directory.path(), "its variables stand for more text than a file can want");
}

#[test]
fn ten_thousand_levels_of_a_default_are_refused() {
    let text = format!("services: {{a: {{image: '{}x{}'}}}}\n", "${A:-".repeat(10_000), "}".repeat(10_000));
    refused(project(&[("compose.yaml", &text)]).path(), "invalid interpolation format");
}

#[test]
fn a_hundred_megabytes_are_refused() {
    let directory = project(&[]);
    // All zeroes, and no room on disk.
    let file = std::fs::File::create(directory.path().join("compose.yaml")).unwrap();
    file.set_len(100 << 20).unwrap();
    refused(directory.path(), "cannot read compose.yaml: it is larger than 64 MiB");
}

#[test]
fn files_that_include_each_other_are_refused() {
    let directory = project(&[
        ("compose.yaml", "include: [b.yaml]\nservices: {a: {image: x}}\n"),
        ("b.yaml", "include: [compose.yaml]\n"),
    ]);
    refused(directory.path(), "files include each other in a circle: compose.yaml → b.yaml → compose.yaml");
}

#[test]
fn services_that_extend_each_other_are_refused() {
    let directory = project(&[("compose.yaml", "services: {a: {extends: b}, b: {extends: a}}\n")]);
    refused(directory.path(), "services extend each other in a circle: a → b → a");
    let directory = project(&[
        ("compose.yaml", "services: {a: {extends: {file: b.yaml, service: b}}}\n"),
        ("b.yaml", "services: {b: {extends: {file: compose.yaml, service: a}}}\n"),
    ]);
    refused(directory.path(), "services extend each other in a circle: a → b → a");
}

#[test]
fn a_device_is_not_read() {
    let directory = project(&[("compose.yaml", "include: [/dev/zero]\nservices: {a: {image: x}}\n")]);
    refused(directory.path(), "cannot read /dev/zero: it is a device; cosec reads regular files");
}

#[test]
fn a_fifo_that_nobody_writes_to_is_not_waited_for() {
    for text in [
        "include: [pipe]\nservices: {a: {image: x}}\n",
        "services: {a: {extends: {file: pipe, service: a}}}\n",
        "services: {a: {image: x, env_file: pipe}}\n",
        "services: {a: {image: x, label_file: pipe}}\n",
    ] {
        let directory = project(&[("compose.yaml", text)]);
        let made = Command::new("mkfifo").arg(directory.path().join("pipe")).status().unwrap();
        assert!(made.success());
        refused(directory.path(), "pipe: it is a FIFO; cosec reads regular files");
    }
}

#[test]
fn what_the_shell_hands_over_is_read_all_the_same() {
    let directory = project(&[("compose.yaml", "services: {a: {image: '${IMAGE}'}}\n")]);
    let script = "\"$0\" --env-file <(echo IMAGE=handed) config --images && \
                  \"$0\" --env-file /dev/null -f <(echo 'services: {a: {image: over}}') config --images";
    let output = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_cosec")])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "handed\nover\n");
}

#[test]
fn ten_thousand_services_are_read() {
    let services =
        (0..10_000).map(|number| format!("  s{number}: {{image: x}}\n")).collect::<Vec<_>>().concat();
    let directory = project(&[("compose.yaml", &format!("services:\n{services}"))]);
    let (accepted, said) = config(directory.path());
    assert!(accepted && said.contains("\"s9999\""), "{}", &said[..said.len().min(2000)]);
}

#[test]
fn five_thousand_documents_are_read() {
    let text = lines(5_000, &|number| format!("---\nservices: {{s{number}: {{image: x}}}}\n"));
    let (accepted, said) = config(project(&[("compose.yaml", &text)]).path());
    assert!(accepted && said.contains("\"s4999\""), "{}", &said[..said.len().min(2000)]);
}

#[test]
fn a_link_out_of_the_project_is_followed_as_compose_follows_it() {
    let outside = project(&[("outside.yaml", "services: {b: {image: linked}}\n")]);
    let directory = project(&[("compose.yaml", "include: [link.yaml]\nservices: {a: {image: x}}\n")]);
    std::os::unix::fs::symlink(outside.path().join("outside.yaml"), directory.path().join("link.yaml"))
        .unwrap();
    let (accepted, said) = config(directory.path());
    assert!(accepted && said.contains("linked"), "{said}");
}

/// Few lines must not stand for gigabytes or hours, by `extends`, `include` or `env_file`.
#[test]
fn what_many_services_take_from_one_place_is_limited() {
    let variables = lines(2_000, &|n| format!("      - A{n}=1\n"));
    let extending = lines(5_000, &|n| format!("  s{n}: {{extends: base}}\n"));
    let text = format!("services:\n  base:\n    image: x\n    environment:\n{variables}{extending}");
    refused(project(&[("compose.yaml", &text)]).path(), "values from those that they extend");

    let directory =
        project(&[("compose.yaml", "include: [e0.yaml]\n"), ("e30.yaml", "services: {a: {image: x}}\n")]);
    for n in 0..30 {
        let text = format!("include: [{{path: e{}.yaml}}, {{path: ./e{}.yaml}}]\n", n + 1, n + 1);
        std::fs::write(directory.path().join(format!("e{n}.yaml")), text).unwrap();
    }
    refused(directory.path(), "files are included");

    let reading = lines(300, &|n| format!("  s{n}: {{image: x, env_file: big.env}}\n"));
    let variables = lines(5_000, &|n| format!("A{n}=1\n"));
    let text = format!("services:\n{reading}");
    refused(
        project(&[("compose.yaml", &text), ("big.env", &variables)]).path(),
        "env and label files of all services",
    );
}

#[test]
fn a_full_disk_is_said_and_a_reader_that_has_gone_is_no_error() {
    let services = lines(3_000, &|n| format!("  s{n}: {{image: x}}\n"));
    let directory = project(&[("compose.yaml", &format!("services:\n{services}"))]);
    let printed = |to: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cosec"));
        command.arg("config").current_dir(directory.path()).stdout(to).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = printed(full.into()).wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot write to standard output") && output.status.code() == Some(2), "{said}");
    let mut child = printed(Stdio::piped());
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn variables_are_printed_by_name_as_compose_prints_them() {
    let text = "services: {a: {image: 'x:${TAG:-1}', command: '${Q?err} ${Z:+alt}'}}\n";
    let directory = project(&[("compose.yaml", text)]);
    let output = Command::new(env!("CARGO_BIN_EXE_cosec"))
        .args(["config", "--variables", "--format", "json"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let variables: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(variables["TAG"]["DefaultValue"], "1");
    assert_eq!(
        (&variables["Q"]["Required"], &variables["Z"]["PresenceValue"]),
        (&true.into(), &"alt".into())
    );
}

#[test]
fn the_working_directory_is_pwd_where_nothing_sets_it() {
    let directory = project(&[("compose.yaml", "services: {a: {image: x, hostname: 'at${PWD}'}}\n")]);
    let (_, said) = config(directory.path());
    let real = directory.path().canonicalize().unwrap();
    assert!(said.contains(&format!("\"at{}\"", real.display())), "{said}");
}

#[test]
fn a_variable_that_nothing_sets_is_told_once_with_its_place() {
    let text =
        "services:\n  a: {image: 'x:${TAG}', hostname: '${A:-$TAG}${B:-b}', labels: ['l=$$C$LABEL']}\n";
    let (accepted, said) = config(project(&[("compose.yaml", text), (".env", "A=1\n")]).path());
    let warnings: Vec<&str> = said.lines().filter(|line| line.starts_with("warning: ")).collect();
    let [tag, label] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(accepted && tag.starts_with("warning: compose.yaml:2:14: the variable TAG is not set"), "{tag}");
    assert!(label.starts_with("warning: compose.yaml:2:66: the variable LABEL is not set"), "{label}");
}
