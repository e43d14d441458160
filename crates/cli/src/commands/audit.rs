//! `cosec audit`

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anstream::{eprintln, println};
use serde_json::Value;

use crate::args::{AuditArgs, ProjectArgs};
use crate::failure::Failure;
use crate::{project, runtime};

pub(crate) fn run(project: &ProjectArgs, args: &AuditArgs) -> Result<ExitCode, Failure> {
    let project::Named { name, directory } = project::named(project)?;
    let path = runtime::audit_path(&name)?;
    let mut shown = false;
    for old in (1..=9).rev().map(|number| PathBuf::from(format!("{}.{number}", path.display()))) {
        shown |= show(args, &old, &mut None)?;
    }
    let mut open = None;
    shown |= show(args, &path, &mut open)?;
    // With the name alone, what lies here may be another project.
    if let Some(service) = args.service.as_deref().filter(|_| !shown && directory.is_some()) {
        refuse_unknown(project, service)?;
    }
    if !args.follow {
        if !shown {
            println!("no such open of a secret of project {name} was written down yet");
        }
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        std::thread::sleep(Duration::from_millis(100));
        show(args, &path, &mut open)?;
    }
}

/// A service that the project does not have was misspelt. With its files broken nobody knows.
fn refuse_unknown(project: &ProjectArgs, service: &str) -> Result<(), Failure> {
    let every = ProjectArgs { profile: vec!["*".to_owned()], ..project.clone() };
    let Ok(loaded) = project::load(&every, &[], project::Purpose::Show) else { return Ok(()) };
    let names: Vec<&str> = loaded.project.services.iter().map(|known| &*known.name).collect();
    if names.contains(&service) {
        return Ok(());
    }
    Err(Failure::Cannot(format!(
        "project {} has no service `{service}`; there is {}",
        loaded.project.name,
        names.join(", ")
    )))
}

/// A file that is read, and the beginning of a line that is not written to its end yet.
struct Trail {
    reader: BufReader<File>,
    begun: Vec<u8>,
}

/// Prints what is to be read; a file that was replaced since is read to its end, then its successor. Whether
/// there was anything.
fn show(args: &AuditArgs, path: &Path, open: &mut Option<Trail>) -> Result<bool, Failure> {
    let cannot = |error: std::io::Error| Failure::Cannot(format!("cannot read {}: {error}", path.display()));
    let mut shown = false;
    if let Some(trail) = open {
        shown |= print_lines(args, path, trail).map_err(cannot)?;
        let same = |there: std::fs::Metadata, ours: std::fs::Metadata| there.ino() == ours.ino();
        let replaced = match (std::fs::metadata(path), trail.reader.get_ref().metadata()) {
            (Ok(there), Ok(ours)) => !same(there, ours),
            _ => false,
        };
        if !replaced {
            return Ok(shown);
        }
        // What was written to it between the two looks.
        shown |= print_lines(args, path, trail).map_err(cannot)?;
    }
    match File::open(path) {
        Ok(file) => {
            let trail = open.insert(Trail { reader: BufReader::new(file), begun: Vec::new() });
            shown |= print_lines(args, path, trail).map_err(cannot)?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot(error)),
    }
    Ok(shown)
}

/// Prints the entries up to the end of what is there. What a full disk has torn is no entry: it is left out, and said
/// to be missing.
fn print_lines(args: &AuditArgs, path: &Path, trail: &mut Trail) -> std::io::Result<bool> {
    let (mut shown, mut torn) = (false, 0);
    while trail.reader.read_until(b'\n', &mut trail.begun)? > 0 {
        // The rest of it may be on its way.
        if args.follow && !trail.begun.ends_with(b"\n") {
            break;
        }
        let line = std::mem::take(&mut trail.begun);
        let line = line.trim_ascii();
        match serde_json::from_slice::<Value>(line) {
            Ok(entry) if entry.is_object() => {
                if is_wanted(args, &entry) {
                    let text =
                        if args.json { String::from_utf8_lossy(line).into_owned() } else { readable(&entry) };
                    println!("{text}");
                    shown = true;
                }
            }
            Ok(_) | Err(_) => torn += usize::from(!line.is_empty()),
        }
    }
    if torn > 0 {
        let lines = if torn == 1 { "line" } else { "lines" };
        eprintln!(
            "cosec: left out {torn} {lines} of {} that is no whole entry; a full disk or a kill tears them",
            path.display()
        );
    }
    Ok(shown)
}

fn is_wanted(args: &AuditArgs, entry: &Value) -> bool {
    let service = args.service.as_deref().is_none_or(|service| entry["service"] == service);
    service && (!args.denied || entry["outcome"] == "denied")
}

fn readable(entry: &Value) -> String {
    let text = |key: &str| match &entry[key] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let mut line = format!(
        "{}  {:<7}  {}/{} v{}  uid {} pid {} {}",
        text("time"),
        text("outcome"),
        text("service"),
        text("secret"),
        text("version"),
        text("uid"),
        text("pid"),
        text("exe"),
    );
    let container = entry["container_name"].as_str().or_else(|| entry["container"].as_str()?.get(..12));
    if let Some(container) = container {
        line.push_str(&format!(" in container {container}"));
    }
    if let Some(reason) = entry["reason"].as_str().filter(|reason| !reason.is_empty()) {
        line.push_str(&format!(": {reason}"));
    }
    line
}
