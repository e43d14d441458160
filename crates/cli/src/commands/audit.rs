//! `cosec audit`

use std::io::BufRead;
use std::process::ExitCode;

use anstream::println;
use serde_json::Value;

use crate::args::{AuditArgs, ProjectArgs};
use crate::failure::Failure;
use crate::project::{self, Purpose};
use crate::runtime;

pub(crate) fn run(project: &ProjectArgs, args: &AuditArgs) -> Result<ExitCode, Failure> {
    let loaded = project::load(project, &[], Purpose::Show)?;
    let path = runtime::audit_file(&loaded.project.name)?;
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("no secret of project {} was opened yet", loaded.project.name);
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(Failure::Cannot(format!("cannot read {}: {error}", path.display()))),
    };
    for line in std::io::BufReader::new(file).lines() {
        let line =
            line.map_err(|error| Failure::Cannot(format!("cannot read {}: {error}", path.display())))?;
        match serde_json::from_str::<Value>(&line) {
            Ok(entry) if !args.json => println!("{}", readable(&entry)),
            _ => println!("{line}"),
        }
    }
    Ok(ExitCode::SUCCESS)
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
    if let Some(container) = entry["container"].as_str() {
        line.push_str(&format!(" in container {}", container.get(..12).unwrap_or(container)));
    }
    if let Some(reason) = entry["reason"].as_str().filter(|reason| !reason.is_empty()) {
        line.push_str(&format!(": {reason}"));
    }
    line
}
