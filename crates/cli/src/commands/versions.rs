//! `cosec versions` and `cosec rollback`

use std::process::ExitCode;

use anstream::println;
use cosec_fuse::SecretStatus;

use super::rotate::{Serving, Target, kinds, other_kind, put, serving_it, write};
use super::status::time;
use super::table::print_table;
use crate::args::{NameArgs, ProjectArgs, RollbackArgs};
use crate::failure::Failure;
use crate::project::Named;
use crate::source_file::SourceFile;
use crate::{project, serving};

pub(crate) fn run(project: &ProjectArgs, args: &NameArgs) -> Result<ExitCode, Failure> {
    let server = find(&project::named(project)?, args)?;
    let secret = &server.secret;
    let mut rows = vec![["VERSION", "BYTES", "SERVED SINCE", ""].map(str::to_owned)];
    let row = |version: u64, size: u64, loaded: u64, note: &str| {
        [version.to_string(), size.to_string(), time(loaded), note.to_owned()]
    };
    rows.push(row(secret.version, secret.size, secret.loaded, "now"));
    rows.extend(secret.earlier.iter().map(|old| row(old.version, old.size, old.loaded, "")));
    print_table(&rows);
    if let Some(reason) = server.keeps_none() {
        println!("no earlier version is kept: {reason}");
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn rollback(project: &ProjectArgs, args: &RollbackArgs) -> Result<ExitCode, Failure> {
    cosec_fuse::keep_others_out();
    let mut named = project::named(project)?;
    if named.directory.is_none() {
        // It writes a file: where there is a project here, it has to be that one's.
        let loaded = project::load(project, &[], project::Purpose::Show).ok();
        named.directory = loaded.map(|loaded| loaded.directory);
    }
    let server = find(&named, &args.name)?;
    let secret = &server.secret;
    let name = &secret.name;
    let wanted = match args.to {
        Some(version) => version,
        None => secret.earlier.iter().map(|old| old.version).max().ok_or_else(|| {
            let reason = server.keeps_none().map(|reason| format!(": {reason}")).unwrap_or_default();
            let is_lost = secret
                .file
                .as_deref()
                .is_some_and(|path| SourceFile::find(&named.name, path).is_ok_and(|file| file.is_gone()));
            let hint = if is_lost {
                format!(
                    "; its file is gone: `cosec rollback {name} --to {}` writes what is served",
                    secret.version
                )
            } else {
                String::new()
            };
            Failure::Cannot(format!(
                "no earlier version of `{name}` is kept{reason}; nothing was changed{hint}"
            ))
        })?,
    };
    let is_served = wanted == secret.version;
    let already = || println!("`{name}` has version {wanted} already");
    if is_served && secret.file.is_none() {
        already();
        return Ok(ExitCode::SUCCESS);
    }
    if !is_served && !secret.earlier.iter().any(|old| old.version == wanted) {
        let reason = server.keeps_none().map(|reason| format!(": {reason}")).unwrap_or_default();
        return Err(Failure::Cannot(format!(
            "version {wanted} of `{name}` is not kept{reason}; `cosec versions {name}` shows what is"
        )));
    }
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::Cannot(format!("cannot go back to version {wanted} of `{name}`: {error}"))
    };
    let held = serving::client(&server.runtime)?
        .earlier(secret.kind, name, wanted)
        .map_err(|error| cannot(&error))?;
    let values = held.open().map_err(|error| cannot(&error))?;
    let value = values.first().ok_or_else(|| cannot(&"the server gave no content"))?;
    let target = Target { kind: secret.kind, name: name.clone(), file: secret.file.clone(), variable: None };
    let (project, directory) = (&named.name, &server.directory);
    match secret.file.as_ref().filter(|_| is_served) {
        Some(path) if SourceFile::find(project, path)?.holds(value.expose()) => already(),
        Some(path) => {
            write(project, directory, &target, path, value.expose())?;
            println!("{} has the content of version {wanted}, which is served, again", path.display());
        }
        None => {
            put(project, directory, &target, Some(&server), value.expose())?;
            println!("it is the content of version {wanted} again");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The server that serves a secret, and what it says of it.
fn find(project: &Named, args: &NameArgs) -> Result<Serving, Failure> {
    let (asked, kind) = kinds(args);
    let target = Target { kind, name: args.name.clone(), file: None, variable: None };
    if let Some(found) = serving_it(&project.name, project.directory.as_deref(), &target)? {
        return Ok(found);
    }
    let servers = serving::all(&project.name)?;
    if servers.is_empty() {
        return Err(serving::none_runs());
    }
    let secrets: Vec<&SecretStatus> = servers.iter().flat_map(|(_, status)| &status.secrets).collect();
    let named = format!("nothing is served as the {asked} `{}`", args.name);
    if secrets.iter().any(|secret| secret.name == args.name) {
        return Err(Failure::Cannot(format!("{named}; {}", other_kind(kind))));
    }
    let names: Vec<&str> = secrets.iter().map(|secret| secret.name.as_str()).collect();
    Err(Failure::Cannot(format!("{named}; there is {}", names.join(", "))))
}
