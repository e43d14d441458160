//! Whatever env files, `.env` and `environment:` say, a fix takes no variable from a container but one that it gives
//! back as a file, with the same bytes. `PROPTEST_CASES=20000` tries more projects.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod model;

use std::fmt::Write;

use cosec_core::compose::Environment;
use cosec_core::files::{FileSystem, MemoryFiles};
use cosec_core::fix::{FixOptions, plan, read_dotenv};
use cosec_core::lint::LintOptions;
use cosec_core::source::Sources;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};

const FILE: &str = "compose.yaml";
const RULES: [&str; 6] = [
    "inline-password",
    "password-default",
    "url-password",
    "env-secret",
    "prefer-file-variant",
    "env-file-secret",
];
const ENV_FILES: [&str; 4] = [".env", "a.env", "b.env", "sub/c.env"];
const IMAGES: [&str; 4] = ["postgres", "postgres", "mysql", "redis"];
const LINES: [&str; 16] = [
    "POSTGRES_PASSWORD=q9Zt-41x",
    "TZ=UTC",
    "OTHER=o7Wq-22x",
    "POSTGRES_PASSWORD=\"z8-41xq\" # why",
    "export POSTGRES_PASSWORD=q9Zt-41x",
    "MYSQL_PASSWORD=m1x-77qz",
    "URL=pg://u:${POSTGRES_PASSWORD}@db",
    "NOTE=$OTHER",
    "POSTGRES_PASSWORD=${OTHER}",
    "POSTGRES_PASSWORD='q9$t-41x'",
    "POSTGRES_PASSWORD",
    "POSTGRES_PASSWORD=",
    "POSTGRES_PASSWORD_FILE=/run/secrets/x",
    "# URL=${POSTGRES_PASSWORD}",
    "POSTGRES_PASSWORD=\"a1\nb2-x\"",
    "MYSQL_PASSWORD=${POSTGRES_PASSWORD}",
];
const VARIABLES: [&str; 12] = [
    "POSTGRES_PASSWORD: w1nn-er7",
    "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD}",
    "POSTGRES_PASSWORD: ${OTHER}",
    "POSTGRES_PASSWORD: ${OTHER:-d3f-ault}",
    "POSTGRES_PASSWORD: ${NOWHERE:-d3f-ault}",
    "POSTGRES_PASSWORD:",
    "POSTGRES_PASSWORD: ''",
    "URL: pg://u:${POSTGRES_PASSWORD}@db",
    "MYSQL_PASSWORD: ${POSTGRES_PASSWORD}",
    "MYSQL_PASSWORD: w1nn-er7",
    "NOTE: a$$POSTGRES_PASSWORD",
    "OTHER:",
];

/// A project of decisions, taken one after the other.
fn project(bytes: &[u8]) -> MemoryFiles {
    let mut bytes = bytes.iter();
    let mut below = |count: usize| bytes.next().map_or(0, |byte| usize::from(*byte) % count);
    let mut files = MemoryFiles::default();
    for name in ENV_FILES {
        let lines: Vec<&str> = (0..below(4)).map(|_| LINES[below(LINES.len())]).collect();
        files.insert(name, lines.iter().fold(String::new(), |text, line| text + line + "\n"));
    }
    let mut text = String::new();
    let source = ["", "OTHER", "POSTGRES_PASSWORD", "MYSQL_PASSWORD"][below(4)];
    if !source.is_empty() {
        writeln!(text, "secrets:\n  from_outside: {{environment: {source}}}").unwrap();
    }
    text.push_str("services:\n");
    for service in 0..=below(3) {
        write!(text, "  s{service}:\n    image: {}\n    environment:\n      A: b\n", IMAGES[below(4)])
            .unwrap();
        let mut set: Vec<&str> = Vec::new();
        for _ in 0..below(4) {
            let variable = VARIABLES[below(VARIABLES.len())];
            let name = variable.split(':').next().unwrap();
            if !set.contains(&name) {
                set.push(name);
                writeln!(text, "      {variable}").unwrap();
            }
        }
        let read: Vec<&str> = (0..below(4)).map(|_| ENV_FILES[below(4)]).collect();
        if !read.is_empty() {
            writeln!(text, "    env_file: [{}]", read.join(", ")).unwrap();
        }
        if !source.is_empty() {
            text.push_str("    secrets: [from_outside]\n");
        }
    }
    files.insert(FILE, text);
    files
}

fn environment(files: &MemoryFiles) -> Environment {
    let mut environment = Environment::default();
    read_dotenv(files, &mut Sources::default(), "", &mut environment).unwrap();
    environment
}

fn config(files: &MemoryFiles) -> Result<Value, String> {
    model::config(files, &[FILE.to_owned()], &environment(files))
}

/// The variables that a container has.
fn variables(service: &Value) -> Map<String, Value> {
    let all = service["environment"].as_object().cloned().unwrap_or_default();
    all.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

fn check(bytes: &[u8]) -> Result<usize, String> {
    let mut files = project(bytes);
    let Ok(old) = config(&files) else { return Ok(0) };
    let seen = environment(&files);
    let options = FixOptions {
        lint: LintOptions::default(),
        environment: &seen,
        include_unsafe: true,
        rules: &RULES.map(str::to_owned),
        services: &[],
        accept: &|_, _| true,
    };
    let plan = plan(&files, FILE, &options)?;
    for file in &plan.changed {
        files.insert(file.path.as_str(), file.after.as_str());
    }
    for file in &plan.new_files {
        files.insert(file.path.as_str(), String::from_utf8(file.content.expose().to_vec()).unwrap());
    }
    let new = config(&files).map_err(|error| format!("not read again: {error}"))?;
    let now = environment(&files);
    for variable in
        old["secrets"].as_object().into_iter().flatten().filter_map(|(_, it)| it["environment"].as_str())
    {
        let value = |seen: &Environment| seen.get(variable).map(|binding| binding.value.clone());
        if value(&seen) != value(&now) {
            return Err(format!("a secret has lost {variable}"));
        }
    }
    for (name, service) in old["services"].as_object().unwrap() {
        let (had, has) = (variables(service), variables(&new["services"][name]));
        for (variable, value) in &had {
            if has.get(variable) == Some(value) {
                continue;
            }
            let target = has.get(&format!("{variable}_FILE")).and_then(Value::as_str).unwrap_or_default();
            let secret = target.strip_prefix("/run/secrets/").filter(|_| !has.contains_key(variable));
            let secret = secret.ok_or_else(|| format!("{name} has another {variable}"))?;
            let grants = new["services"][name]["secrets"].as_array().cloned().unwrap_or_default();
            if !grants.iter().any(|grant| grant["source"] == *secret) {
                return Err(format!("{name} is not granted {secret}"));
            }
            let is_from_outside = new["secrets"][secret]["environment"].is_string();
            let content = files.read(&format!("secrets/{secret}")).unwrap_or_default();
            if *value != content && !(is_from_outside && value == "") {
                return Err(format!("{name} reads other bytes for {variable}"));
            }
        }
        for variable in has.keys().filter(|variable| !had.contains_key(*variable)) {
            let old = variable.strip_suffix("_FILE").ok_or_else(|| format!("{name} has {variable} now"))?;
            if has.get(old).is_some_and(|value| value != "") {
                return Err(format!("{name} has {old} and {variable}"));
            }
        }
    }
    Ok(plan.fixes.len())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn containers_have_what_they_had_or_read_it_from_a_file(bytes in vec(any::<u8>(), 0..80)) {
        if let Err(reason) = check(&bytes) {
            let files = project(&bytes);
            let all: Vec<String> =
                files.paths().map(|path| format!("--- {path}\n{}", files.read(path).unwrap())).collect();
            prop_assert!(false, "{}\n{}", reason, all.concat());
        }
    }
}
