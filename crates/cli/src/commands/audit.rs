//! `cosec audit`

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anstream::println;
use serde_json::Value;

use crate::args::{AuditArgs, ProjectArgs};
use crate::failure::Failure;
use crate::project::{self, Purpose};
use crate::runtime;

pub(crate) fn run(project: &ProjectArgs, args: &AuditArgs) -> Result<ExitCode, Failure> {
    let loaded = project::load(project, &[], Purpose::Show)?;
    let path = runtime::audit_file(&loaded.project.name)?;
    let mut shown = false;
    for old in (1..=9).rev().map(|number| PathBuf::from(format!("{}.{number}", path.display()))) {
        shown |= show(args, &old, &mut None)?;
    }
    let mut open = None;
    shown |= show(args, &path, &mut open)?;
    if !shown && !args.follow {
        println!("no such open of a secret of project {} was written down yet", loaded.project.name);
    }
    if !args.follow {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        std::thread::sleep(Duration::from_millis(100));
        show(args, &path, &mut open)?;
    }
}

/// Prints what is to be read; a file that was replaced since is read to its end, then its successor. Whether
/// there was anything.
fn show(args: &AuditArgs, path: &Path, open: &mut Option<BufReader<File>>) -> Result<bool, Failure> {
    let cannot = |error: std::io::Error| Failure::Cannot(format!("cannot read {}: {error}", path.display()));
    let mut shown = false;
    if let Some(reader) = open {
        shown |= print_lines(args, reader).map_err(cannot)?;
        let same = |there: std::fs::Metadata, ours: std::fs::Metadata| there.ino() == ours.ino();
        let replaced = match (std::fs::metadata(path), reader.get_ref().metadata()) {
            (Ok(there), Ok(ours)) => !same(there, ours),
            _ => false,
        };
        if !replaced {
            return Ok(shown);
        }
    }
    match File::open(path) {
        Ok(file) => {
            let reader = open.insert(BufReader::new(file));
            shown |= print_lines(args, reader).map_err(cannot)?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot(error)),
    }
    Ok(shown)
}

fn print_lines(args: &AuditArgs, reader: &mut BufReader<File>) -> std::io::Result<bool> {
    let mut shown = false;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let text = line.trim_end();
        match serde_json::from_str::<Value>(text) {
            Ok(entry) if !is_wanted(args, &entry) => {}
            Ok(entry) if !args.json => {
                println!("{}", readable(&entry));
                shown = true;
            }
            // What a full disk has torn is shown as it is, to whom it may concern.
            Ok(_) | Err(_) if !text.is_empty() => {
                println!("{text}");
                shown = true;
            }
            Ok(_) | Err(_) => {}
        }
        line.clear();
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
