//! `cosec fix` on real projects, where they are at hand: beside the checkout, or where COSEC_CORPUS says.
//! `cargo test -p cosec --test corpus -- --nocapture` prints what could be fixed, and what not for which reason.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rig::Project;
use serde_json::Value;

/// How many findings, and how many of the labelled secrets, are known to be fixable. Less is a loss to the user.
const LEAST_FIXES: usize = 138;
const LEAST_SECRETS: usize = 32;

/// What a fix that goes wrong says: it was made, and the project would not have been what it was.
const FAILURES: [&str; 5] = [
    "would mean something else",
    "would still be found",
    "could not be read afterwards",
    "it would bring",
    "does not go together",
];

/// What was done, and what was left for which reason.
#[derive(Default)]
struct Tally {
    files: usize,
    fixed_files: usize,
    fixes: usize,
    compared: usize,
    values: usize,
    not_accepted_before: usize,
    refused: BTreeMap<String, usize>,
    /// By file and line, what became of what was found there.
    places: BTreeMap<(String, usize), Result<(), String>>,
}

/// Compose accepts what it accepted and means the same, each value is in its secret's file, lint no longer finds what
/// was fixed, a second run changes nothing, undo gives back all bytes, and no fix goes wrong.
#[test]
fn real_projects_survive_being_fixed() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let corpus = std::env::var_os("COSEC_CORPUS").map_or(beside, PathBuf::from);
    if !corpus.join("files").is_dir() {
        println!("not run: there is no corpus beside the repository");
        return;
    }
    let compose = compose();
    if compose.is_none() {
        println!("what Compose makes of the projects is not asked: it is not installed");
    }
    let mut tally = Tally::default();
    for entry in fs::read_dir(corpus.join("files")).unwrap() {
        let from = entry.unwrap().path();
        let project = Project::new();
        copy(&from, &project.directory());
        let root = from.file_name().unwrap().to_str().unwrap().to_owned();
        let is_yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yml" || end == "yaml");
        for path in project.files().into_keys().filter(is_yaml) {
            survives(&project, &root, path.to_str().unwrap(), compose.as_deref(), &mut tally);
        }
    }
    let secrets = labelled(&fs::read_to_string(corpus.join("labels.tsv")).unwrap(), &tally);
    println!(
        "{} findings are fixed, in {} of {} files; {} values are in their files, Compose means the same by {} files, and does not accept {} as they are",
        tally.fixes, tally.fixed_files, tally.files, tally.values, tally.compared, tally.not_accepted_before
    );
    println!("of the secrets that are labelled:");
    for (what, count) in &secrets {
        println!("{count:6} {what}");
    }
    println!("of all findings that rules with a fix have, these are refused:");
    for (reason, count) in &tally.refused {
        println!("{count:6} {reason}");
    }
    let failed: Vec<_> =
        tally.refused.keys().filter(|reason| FAILURES.iter().any(|word| reason.contains(word))).collect();
    assert!(failed.is_empty(), "fixes that go wrong: {failed:#?}");
    assert!(tally.fixes >= LEAST_FIXES, "only {} findings are fixed", tally.fixes);
    assert!(secrets["fixed"] >= LEAST_SECRETS, "only {} labelled secrets are fixed", secrets["fixed"]);
    assert!(compose.is_none() || tally.compared > 40, "only {} are compared", tally.compared);
    assert!(compose.is_none() || tally.values > 40, "only {} values are looked at", tally.values);
}

fn survives(project: &Project, root: &str, name: &str, compose: Option<&Path>, tally: &mut Tally) {
    let before = project.files();
    let found = findings(project, name);
    let ran = project.cosec(&["fix", "--unsafe", "--write", name]);
    tally.files += 1;
    // Some files are no Compose files, and are said not to be.
    if ran.code != 0 {
        assert!(ran.code == 2 && ran.stderr.contains("cannot fix"), "{name}: {}", ran.stderr);
        assert_eq!(project.files(), before, "{name}");
        return;
    }
    let mut done = 0;
    for (place, what) in ran.stdout.lines().chain(ran.stderr.lines()).filter_map(said) {
        done += usize::from(what.is_ok());
        if let Err(reason) = &what {
            *tally.refused.entry(general(reason)).or_default() += 1;
        }
        let place = (format!("{root}/{}", place.0), place.1);
        let known = tally.places.entry(place).or_insert_with(|| what.clone());
        if what.is_ok() {
            *known = what;
        }
    }
    let counted =
        ran.stdout.contains(&format!("{done} fixed")) || (done == 0 && !ran.stdout.contains(" fixed"));
    assert!(counted, "{name}: {done} are named, {}", ran.stdout);
    tally.fixes += done;
    let directory = project.path(name).parent().unwrap().to_owned();
    if !directory.join(".cosec").exists() {
        assert_eq!((done, project.files()), (0, before), "{name}");
        return;
    }
    tally.fixed_files += 1;
    // A rule and a place may be there several times.
    let left = findings(project, name);
    for (key, (all, with_fix)) in &found {
        let left = left.get(key).map_or(0, |(left, _)| *left);
        assert!(left + with_fix <= *all, "{name}: {key:?} is found again, {left} of {all}");
    }
    let again = project.cosec(&["fix", "--unsafe", "--write", name]).succeeds();
    assert!(!again.stdout.contains(" fixed"), "{name}: {}", again.stdout);
    let after = compose.map(|compose| config(compose, project, name));
    let secrets: BTreeMap<PathBuf, Vec<u8>> =
        project.files().into_iter().filter(|(path, _)| !before.contains_key(path)).collect();
    project.cosec(&["fix", "--undo", name]).succeeds();
    assert_eq!(project.files(), before, "{name}");
    match (compose.map(|compose| config(compose, project, name)), after) {
        (Some(Ok(before)), Some(Ok(after))) => {
            tally.compared += 1;
            tally.values += compare(project, name, before, after, &secrets);
        }
        (Some(Ok(_)), Some(Err(error))) => panic!("{name}: Compose refuses it once it is fixed: {error}"),
        (Some(Err(_)), _) => tally.not_accepted_before += 1,
        _ => {}
    }
}

/// By rule, file and path: how many findings there are, and to how many of them there is a fix.
fn findings(project: &Project, name: &str) -> BTreeMap<[String; 3], (usize, usize)> {
    let ran = project.cosec(&["lint", "--format", "json", name]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let mut found: BTreeMap<[String; 3], (usize, usize)> = BTreeMap::new();
    for finding in report["findings"].as_array().unwrap() {
        let key = ["rule", "file", "path"].map(|key| finding[key].as_str().unwrap_or_default().to_owned());
        let counts = found.entry(key).or_default();
        counts.0 += 1;
        counts.1 += usize::from(!finding["fix"].is_null());
    }
    found
}

/// `file:line:column rule: title` of what is fixed, the same with a reason of what is left.
fn said(line: &str) -> Option<((String, usize), Result<(), String>)> {
    let (place, rest) = line.split_once(' ')?;
    let (rule, what) = rest.split_once(": ")?;
    let mut parts = place.rsplitn(3, ':');
    let (_, line, file) = (parts.next()?.parse::<usize>().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    if rule.contains(' ') {
        return None;
    }
    let what = match what.strip_prefix("left as it is, ") {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(()),
    };
    Some(((file.to_owned(), line), what))
}

/// A reason without the names in it.
fn general(reason: &str) -> String {
    let is_name = |word: &str| {
        let word = word.trim_matches(['`', ',', ';']);
        word.contains('.') && word.len() > 3 && !word.ends_with('.')
            || word.contains('_')
            || word.len() > 2 && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    let words: Vec<&str> = reason.split(' ').map(|word| if is_name(word) { "…" } else { word }).collect();
    words.join(" ")
}

/// What became of the secrets that are labelled in Compose files.
fn labelled(labels: &str, tally: &Tally) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::from([("fixed".to_owned(), 0)]);
    for row in labels.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        if (fields[6], fields[7]) != ("L", "compose") {
            continue;
        }
        let line = |at: usize| fields[at].parse::<usize>().unwrap_or_default();
        let lines = (line(1)..=line(2)).chain(fields.get(8).map(|_| line(8)));
        let mut places = lines.filter_map(|line| tally.places.get(&(fields[0].to_owned(), line)));
        let what = match places.next() {
            Some(Ok(())) => "fixed".to_owned(),
            Some(Err(reason)) => format!("refused: {}", general(reason)),
            None => "found by rules without a fix, or not in a file that is read".to_owned(),
        };
        *counts.entry(what).or_default() += 1;
    }
    counts
}

/// Compose's own program, if it is here.
fn compose() -> Option<PathBuf> {
    let docker = PathBuf::from("docker");
    let ran = Command::new(&docker).args(["compose", "version"]).output().ok()?;
    ran.status.success().then_some(docker)
}

/// What Compose makes of a file, in little memory.
fn config(docker: &Path, project: &Project, name: &str) -> Result<Value, String> {
    let mut command = Command::new("prlimit");
    command
        .arg("--as=3000000000")
        .arg(docker)
        .args(["compose", "-f", name, "config", "--format", "json"])
        .current_dir(project.directory());
    let ran = rig::finish(&mut command);
    if ran.code != 0 {
        return Err(ran.stderr);
    }
    serde_json::from_str(&ran.stdout).map_err(|error| error.to_string())
}

/// The two mean the same, but that variables have become those that name a file, whose bytes are the value, and that
/// secrets are granted which were not there. How many values were looked at.
fn compare(
    project: &Project,
    name: &str,
    mut before: Value,
    mut after: Value,
    made: &BTreeMap<PathBuf, Vec<u8>>,
) -> usize {
    let mut values = 0;
    let root = project.directory().canonicalize().unwrap();
    let known: BTreeSet<String> = object(&before["secrets"]).keys().cloned().collect();
    let added: BTreeMap<String, Value> =
        object(&after["secrets"]).into_iter().filter(|(secret, _)| !known.contains(secret)).collect();
    for (service, own) in object(&before["services"]) {
        let (old, new) = (object(&own["environment"]), object(&after["services"][&service]["environment"]));
        // Some images want the path in the variable itself.
        let is_path = |key: &String| {
            let path = |all: &BTreeMap<String, Value>| {
                all.get(key).and_then(Value::as_str).is_some_and(|value| value.contains("/run/secrets/"))
            };
            path(&new) && !path(&old)
        };
        let gone: Vec<_> = old.iter().filter(|(key, _)| !new.contains_key(*key) || is_path(key)).collect();
        let come: Vec<_> = new.iter().filter(|(key, _)| !old.contains_key(*key) || is_path(key)).collect();
        assert_eq!(gone.len(), come.len(), "{name}: variables of {service} are lost or made");
        for (variable, value) in gone {
            let names_it = |(variant, _): &&(&String, &Value)| variant.contains(variable.as_str());
            let (variant, target) =
                come.iter().find(names_it).unwrap_or_else(|| panic!("{name}: {variable} is lost"));
            let secret = target.as_str().and_then(|target| target.rsplit_once("/run/secrets/"));
            let secret = secret.unwrap_or_else(|| panic!("{name}: {variant} names no secret")).1;
            let grants = after["services"][&service]["secrets"].as_array().cloned().unwrap_or_default();
            assert!(grants.iter().any(|grant| grant["source"] == *secret), "{name}: {secret} is not granted");
            let Some(file) = after["secrets"][secret]["file"].as_str() else {
                assert!(after["secrets"][secret]["environment"].is_string(), "{name}: {secret}");
                continue;
            };
            let path = Path::new(file).strip_prefix(&root).unwrap_or(Path::new(file));
            // Compose prints values as they would be written.
            let value = value.as_str().unwrap_or_default().replace("$$", "$");
            let bytes = made.get(path).unwrap_or_else(|| panic!("{name}: {file} is not made"));
            assert!(*bytes == value.as_bytes(), "{name}: {variant} is not what {variable} was");
            values += 1;
        }
        for (key, value) in &old {
            let is_same = is_path(key) || new.get(key).is_none_or(|new| new == value);
            assert!(is_same, "{name}: {key} of {service} has changed");
        }
    }
    for model in [&mut before, &mut after] {
        model.as_object_mut().unwrap().remove("secrets");
        for service in model["services"].as_object_mut().unwrap().values_mut() {
            let service = service.as_object_mut().unwrap();
            service.remove("environment");
            if let Some(grants) = service.get_mut("secrets").and_then(Value::as_array_mut) {
                grants.retain(|grant| !added.contains_key(grant["source"].as_str().unwrap_or_default()));
            }
            service.retain(|key, value| key != "secrets" || !value.as_array().is_some_and(Vec::is_empty));
            if let Some(build) = service.get_mut("build").and_then(Value::as_object_mut) {
                build.retain(|key, _| !["args", "secrets"].contains(&key.as_str()));
            }
        }
    }
    assert!(before == after, "{name} means something else once it is fixed");
    values
}

fn object(value: &Value) -> BTreeMap<String, Value> {
    let map = value.as_object().into_iter().flatten();
    map.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
