//! `cargo xtask conformance PATH… [--no-interpolate] [--yaml] [--stack]`: asks `docker compose config` and cosec about each file
//! and every YAML file below each directory, siblings in place, and says where they disagree.
//!
//! With `--yaml` the text that is printed without a format is compared, line for line. With `--stack` it is `docker stack config` against `cosec config --target swarm`; what is compared is whether
//! the file is accepted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell;

/// Compose expands aliases without a limit: one small file made it take all memory of a machine. In KiB.
const MEMORY: u32 = 3 << 20;

/// Seconds for one file.
const PATIENCE: u32 = 30;

/// How many are asked at the same time, each with [`MEMORY`].
const AT_ONCE: usize = 2;

/// Compose puts a secret's value here, cosec prints none.
const UNCOMPARED: &str = "x-#value";

enum Answer {
    Config(Value),
    Text(String),
    Accepted,
    Refused(String),
    /// No answer within the limits of memory and time.
    Gone,
}

/// What of two answers is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Yaml,
    /// That they are given.
    Nothing,
}

impl Form {
    fn equal(self) -> &'static str {
        match self {
            Form::Json => " with equal JSON",
            Form::Yaml => " with equal YAML",
            Form::Nothing => "",
        }
    }
}

pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let (flags, paths): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|argument| argument.starts_with("--"));
    let known = ["--no-interpolate", "--yaml", "--stack"];
    if let Some(flag) = flags.iter().find(|flag| !known.contains(flag)) {
        bail!("{flag} is not known; there are {}", known.join(", "));
    }
    if paths.is_empty() {
        bail!("name the files to be compared, or their directories");
    }
    let stack = flags.contains(&"--stack");
    let mut files = Vec::new();
    for path in paths {
        let path = std::path::absolute(path)?;
        if path.is_file() {
            files.push(path);
        } else {
            collect(&path, &mut files)?;
        }
    }
    files.sort();
    let cosec = shell::root().join("target/release/cosec");
    if !cosec.is_file() {
        bail!("there is no {}; run `cargo build --release -p cosec`", cosec.display());
    }
    let cosec = cosec.display().to_string();
    let (theirs, ours): (Vec<&str>, Vec<&str>) = if stack {
        (vec!["docker", "stack", "config", "-c"], vec![&cosec, "-f"])
    } else {
        (vec!["docker", "compose", "-f"], vec![&cosec, "-f"])
    };
    let form = if stack {
        Form::Nothing
    } else if flags.contains(&"--yaml") {
        Form::Yaml
    } else {
        Form::Json
    };
    let mut ask_ours = vec!["config"];
    if form == Form::Json {
        ask_ours.extend(["--format", "json"]);
    }
    if flags.contains(&"--no-interpolate") {
        ask_ours.push("--no-interpolate");
    }
    let ask_theirs = match (stack, flags.contains(&"--no-interpolate")) {
        (true, true) => vec!["--skip-interpolation"],
        (true, false) => vec![],
        (false, _) => ask_ours.clone(),
    };
    if stack {
        ask_ours.extend(["--target", "swarm"]);
    }
    let next = AtomicUsize::new(0);
    let differences: Mutex<BTreeMap<usize, String>> = Mutex::default();
    let (accepted, refused, gone) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let (accepted_alike, refused_alike) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let compare = || -> Result<()> {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(at) else { return Ok(()) };
            let theirs = ask(&theirs, file, &ask_theirs, form)?;
            let ours = ask(&ours, file, &ask_ours, form)?;
            let (asked, alike) = match theirs {
                Answer::Config(_) | Answer::Text(_) | Answer::Accepted => (&accepted, Some(&accepted_alike)),
                Answer::Refused(_) => (&refused, Some(&refused_alike)),
                Answer::Gone => (&gone, None),
            };
            asked.fetch_add(1, Ordering::Relaxed);
            match (difference(&theirs, &ours), alike) {
                (None, Some(alike)) => drop(alike.fetch_add(1, Ordering::Relaxed)),
                (None, None) => {}
                (Some(difference), _) => {
                    if let Ok(mut differences) = differences.lock() {
                        differences.insert(at, difference);
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(compare)).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => bail!("the comparison panicked"),
        })
    })?;
    let differences = differences.into_inner().unwrap_or_default();
    for (at, difference) in &differences {
        println!("{}: {difference}", files[*at].display());
    }
    let figure = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    println!(
        "{} files: {} of {} accepted alike{}, {} of {} refused alike, {} without an answer from docker",
        files.len(),
        figure(&accepted_alike),
        figure(&accepted),
        form.equal(),
        figure(&refused_alike),
        figure(&refused),
        figure(&gone),
    );
    if !differences.is_empty() {
        bail!("{} of {} files are read differently", differences.len(), files.len());
    }
    Ok(())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}

/// What a program says of a file, within the limits.
fn ask(before: &[&str], file: &Path, after: &[&str], form: Form) -> Result<Answer> {
    // `docker` starts a program for `compose`: the limits have to hold for both, and both have to end.
    let limits = format!("ulimit -v {MEMORY} && exec timeout --signal KILL {PATIENCE} \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limits, "sh"]).args(before).arg(file).args(after);
    command.current_dir(file.parent().unwrap_or(Path::new("/"))).stdin(Stdio::null()).env_clear();
    for name in ["PATH", "HOME", "DOCKER_CONFIG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let output = command.output().context("cannot run sh")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    // 137 is what `timeout` ends with after a kill, 2 a Go program without memory.
    let starved = errors.contains("out of memory") || errors.contains("cannot allocate memory");
    if output.status.code().is_none_or(|code| code == 137) || starved {
        return Ok(Answer::Gone);
    }
    if !output.status.success() {
        let cause = errors.lines().find(|line| !line.contains("level=warning")).unwrap_or_default();
        return Ok(Answer::Refused(cause.to_owned()));
    }
    match form {
        Form::Json => {}
        Form::Yaml => return Ok(Answer::Text(String::from_utf8_lossy(&output.stdout).into_owned())),
        Form::Nothing => return Ok(Answer::Accepted),
    }
    let config = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{} prints no JSON for {}", before[0], file.display()))?;
    Ok(Answer::Config(config))
}

fn difference(theirs: &Answer, ours: &Answer) -> Option<String> {
    match (theirs, ours) {
        (Answer::Config(theirs), Answer::Config(ours)) => first_difference("", theirs, ours),
        (Answer::Text(theirs), Answer::Text(ours)) => first_line(theirs, ours),
        // What docker cannot read in time or memory, cosec has to refuse.
        (Answer::Refused(_) | Answer::Gone, Answer::Refused(_))
        | (
            Answer::Accepted | Answer::Config(_) | Answer::Text(_),
            Answer::Accepted | Answer::Config(_) | Answer::Text(_),
        ) => None,
        (Answer::Gone, _) => Some("docker ends without an answer, cosec accepts".to_owned()),
        (_, Answer::Gone) => Some("cosec ends without an answer".to_owned()),
        (Answer::Refused(cause), _) => Some(format!("docker refuses, cosec accepts: {cause}")),
        (_, Answer::Refused(cause)) => Some(format!("docker accepts, cosec refuses: {cause}")),
    }
}

/// The first line that differs, up to the value, which stays unsaid.
fn first_line(theirs: &str, ours: &str) -> Option<String> {
    let at = theirs.lines().zip(ours.lines()).take_while(|(theirs, ours)| theirs == ours).count();
    let key = |text: &str| {
        let Some(line) = text.lines().nth(at).map(str::trim) else { return "its end".to_owned() };
        let key = line.split_once(": ").map(|(key, _)| key).or_else(|| line.strip_suffix(':'));
        key.map_or_else(|| "a line without a key".to_owned(), |key| format!("`{key}`"))
    };
    (theirs != ours).then(|| format!("line {}: docker has {}, cosec {}", at + 1, key(theirs), key(ours)))
}

/// The first path whose values differ; the values stay unsaid, they may be secret.
fn first_difference(path: &str, theirs: &Value, ours: &Value) -> Option<String> {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            let keys = theirs.keys().chain(ours.keys().filter(|key| !theirs.contains_key(*key)));
            keys.filter(|key| *key != UNCOMPARED).find_map(|key| {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match (theirs.get(key), ours.get(key)) {
                    (Some(theirs), Some(ours)) => first_difference(&path, theirs, ours),
                    (Some(_), None) => Some(format!("{path} is missing")),
                    (None, _) => Some(format!("{path} is too much")),
                }
            })
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() != ours.len() => {
            Some(format!("{path} has {} items instead of {}", ours.len(), theirs.len()))
        }
        (Value::Array(theirs), Value::Array(ours)) => theirs
            .iter()
            .zip(ours)
            .enumerate()
            .find_map(|(at, (theirs, ours))| first_difference(&format!("{path}[{at}]"), theirs, ours)),
        // Compose prints some numbers in single precision.
        (Value::Number(a), Value::Number(b))
            if (a.is_f64() || b.is_f64())
                && a.as_f64().map(|number| number as f32) == b.as_f64().map(|number| number as f32) =>
        {
            None
        }
        (theirs, ours) => (theirs != ours).then(|| format!("{path} differs")),
    }
}
