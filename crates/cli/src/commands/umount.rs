//! `cosec umount`: the files are as they were before `cosec mount`.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anstream::println;

use crate::args::{Cli, UmountArgs};
use crate::docker::Docker;
use crate::failure::Failure;
use crate::project::{self, Purpose};
use crate::runtime::Runtime;
use crate::serving;

pub(crate) fn run(cli: &Cli, args: &UmountArgs) -> Result<ExitCode, Failure> {
    let mounts = chosen(cli, args)?;
    if mounts.is_empty() {
        println!("nothing is mounted");
        return Ok(ExitCode::SUCCESS);
    }
    for runtime in &mounts {
        if !args.force {
            refuse_if_used(runtime)?;
        }
    }
    for runtime in &mounts {
        if args.force {
            serving::stop(cli, runtime)?;
        } else {
            serving::stop_idle(cli, runtime)?;
        }
        println!("{} is as it was", runtime.mount_point().display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Named directories are found without the project: it may be gone, or its files beneath a dead mount.
fn chosen(cli: &Cli, args: &UmountArgs) -> Result<Vec<Runtime>, Failure> {
    if args.directories.is_empty() {
        let loaded = project::load(&cli.project, &[], Purpose::Show)?;
        return Runtime::mounts(&loaded.project.name);
    }
    let mut all = Runtime::mounts("")?;
    let mut found = Vec::new();
    for directory in &args.directories {
        let path = std::fs::canonicalize(directory).or_else(|_| std::path::absolute(directory));
        let at =
            all.iter().position(|runtime| path.as_ref().is_ok_and(|path| runtime.mount_point() == *path));
        let at = at.ok_or_else(|| {
            Failure::Cannot(format!("cosec has mounted nothing over {}", directory.display()))
        })?;
        found.push(all.swap_remove(at));
    }
    Ok(found)
}

/// Containers keep their own hold on the files; without a server they could not open them any more.
fn refuse_if_used(runtime: &Runtime) -> Result<(), Failure> {
    // A dead mount is of no use to anybody.
    let Ok(status) = serving::status(runtime) else { return Ok(()) };
    let mount_point = runtime.mount_point();
    let containers = Docker::unchecked().running(&status.project).map_err(|error| {
        Failure::Cannot(format!(
            "whether containers still use {} is not known: {error}; `cosec umount --force` does not ask",
            mount_point.display()
        ))
    })?;
    let using: BTreeSet<String> = containers
        .into_iter()
        .filter(|container| !container.mounts_below(&mount_point).is_empty())
        .map(|container| container.service)
        .collect();
    if using.is_empty() {
        return Ok(());
    }
    let using: Vec<String> = using.into_iter().collect();
    Err(Failure::Refused(format!(
        "{} is in use by {}; end them first (`docker compose down`), or pass --force: they could not open their secrets any more",
        mount_point.display(),
        using.join(", ")
    )))
}
