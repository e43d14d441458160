//! `cosec versions` and `cosec rollback`

use std::process::ExitCode;

use anstream::println;
use cosec_fuse::{SecretKind, SecretStatus, Status};

use super::rotate::{Target, put};
use super::status::time;
use super::table::print_table;
use crate::args::{NameArgs, ProjectArgs, RollbackArgs};
use crate::failure::Failure;
use crate::runtime::Runtime;
use crate::{project, serving};

pub(crate) fn run(project: &ProjectArgs, args: &NameArgs) -> Result<ExitCode, Failure> {
    let loaded = project::load(project, &[], project::Purpose::Show)?;
    let status = serving::status(&Runtime::of(&loaded.project.name, false)?)?;
    let secret = find(&status, args)?;
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
    let runtime = Runtime::of(&loaded.project.name, false)?;
    let status = serving::status(&runtime)?;
    let secret = find(&status, &args.name)?;
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
    put(&runtime, &target, value.expose())?;
    println!("it is the content of version {wanted} again");
    Ok(ExitCode::SUCCESS)
}

fn find<'s>(status: &'s Status, args: &NameArgs) -> Result<&'s SecretStatus, Failure> {
    let kind = if args.config { SecretKind::Config } else { SecretKind::Secret };
    let found = status.secrets.iter().find(|secret| secret.kind == kind && secret.name == args.name);
    found.ok_or_else(|| {
        let names: Vec<&str> = status.secrets.iter().map(|secret| secret.name.as_str()).collect();
        Failure::Cannot(format!("nothing is served as `{}`; there is {}", args.name, names.join(", ")))
    })
}
