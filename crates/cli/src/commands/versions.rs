//! `cosec versions` and `cosec rollback`

use std::process::ExitCode;

use anstream::println;
use cosec_fuse::{SecretKind, SecretStatus};

use super::rotate::{Target, put, serving_it};
use super::status::time;
use super::table::print_table;
use crate::args::{NameArgs, ProjectArgs, RollbackArgs};
use crate::failure::Failure;
use crate::runtime::Runtime;
use crate::{project, serving};

pub(crate) fn run(project: &ProjectArgs, args: &NameArgs) -> Result<ExitCode, Failure> {
    let loaded = project::load(project, &[], project::Purpose::Show)?;
    let (_, secret) = find(&loaded.project.name, args)?;
    let mut rows = vec![["VERSION", "BYTES", "SERVED SINCE", ""].map(str::to_owned)];
    let row = |version: u64, size: u64, loaded: u64, note: &str| {
        [version.to_string(), size.to_string(), time(loaded), note.to_owned()]
    };
    rows.push(row(secret.version, secret.size, secret.loaded, "now"));
    rows.extend(secret.earlier.iter().map(|old| row(old.version, old.size, old.loaded, "")));
    print_table(&rows);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn rollback(project: &ProjectArgs, args: &RollbackArgs) -> Result<ExitCode, Failure> {
    cosec_fuse::keep_others_out();
    let loaded = project::load(project, &[], project::Purpose::Show)?;
    let project = &loaded.project.name;
    let (runtime, secret) = find(project, &args.name)?;
    let wanted = match args.to {
        Some(version) if version == secret.version => {
            println!("`{}` has version {version} already", secret.name);
            return Ok(ExitCode::SUCCESS);
        }
        Some(version) => version,
        None => secret.earlier.iter().map(|old| old.version).max().ok_or_else(|| {
            Failure::Cannot(format!("no earlier version of `{}` is kept; nothing was changed", secret.name))
        })?,
    };
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::Cannot(format!("cannot go back to version {wanted} of `{}`: {error}", secret.name))
    };
    let held = serving::client(&runtime)?
        .earlier(secret.kind, &secret.name, wanted)
        .map_err(|error| cannot(&error))?;
    let values = held.open().map_err(|error| cannot(&error))?;
    let value = values.first().ok_or_else(|| cannot(&"the server gave no content"))?;
    let target =
        Target { kind: secret.kind, name: secret.name.clone(), file: secret.file.clone(), variable: None };
    put(project, &target, value.expose())?;
    println!("it is the content of version {wanted} again");
    Ok(ExitCode::SUCCESS)
}

/// The server that serves a secret, and what it says of it.
fn find(project: &str, args: &NameArgs) -> Result<(Runtime, SecretStatus), Failure> {
    let kind = if args.config { SecretKind::Config } else { SecretKind::Secret };
    let target = Target { kind, name: args.name.clone(), file: None, variable: None };
    if let Some(found) = serving_it(project, &target)? {
        return Ok(found);
    }
    let servers = serving::all(project)?;
    if servers.is_empty() {
        return Err(serving::none_runs());
    }
    let secrets = servers.iter().flat_map(|(_, status)| &status.secrets);
    let names: Vec<&str> = secrets.map(|secret| secret.name.as_str()).collect();
    Err(Failure::Cannot(format!("nothing is served as `{}`; there is {}", args.name, names.join(", "))))
}
