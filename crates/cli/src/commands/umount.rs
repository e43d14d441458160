//! `cosec umount`: the files are as they were before `cosec mount`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstream::println;

use crate::args::{Cli, UmountArgs};
use crate::disk::absolute;
use crate::docker::Docker;
use crate::failure::Failure;
use crate::project::{self, Purpose};
use crate::runtime::Runtime;
use crate::serving;

pub(crate) fn run(cli: &Cli, args: &UmountArgs) -> Result<ExitCode, Failure> {
    let Chosen { mounts, dead } = chosen(cli, args)?;
    if mounts.is_empty() && dead.is_empty() {
        println!("nothing is mounted");
        return Ok(ExitCode::SUCCESS);
    }
    for runtime in &mounts {
        if !args.force {
            refuse_if_used(runtime)?;
        }
    }
    for runtime in &mounts {
        let place = place_of(runtime);
        if args.force {
            serving::stop(cli, runtime)?;
        } else {
            serving::stop_idle(cli, runtime)?;
        }
        println!("{} is as it was", place.display());
    }
    for place in dead {
        cosec_fuse::umount(&place).map_err(|error| Failure::Cannot(error.to_string()))?;
        println!("{} is as it was", place.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Where a server's mount is now: a directory that was renamed has taken it along.
fn place_of(runtime: &Runtime) -> PathBuf {
    serving::status(runtime).map_or_else(|_| runtime.mount_point(), |status| status.mountpoint)
}

/// What is to be unmounted.
struct Chosen {
    mounts: Vec<Runtime>,
    /// Dead mounts of ours that nothing is known of: their runtime directory is lost, or they were renamed.
    dead: Vec<PathBuf>,
}

/// Named directories are found without the project: it may be gone, or its files beneath a dead mount.
fn chosen(cli: &Cli, args: &UmountArgs) -> Result<Chosen, Failure> {
    let is_dead = |path: &PathBuf| cosec_fuse::is_ours(path) && cosec_fuse::is_dead(path);
    if args.directories.is_empty() {
        let loaded = project::load(&cli.project, &[], Purpose::Show)?;
        serving::refuse_others(&loaded)?;
        let mounts = Runtime::mounts(&loaded.project.name)?;
        let files = loaded.project.secrets.iter().filter_map(|secret| secret.file.as_ref());
        let directories =
            files.filter_map(|file| absolute(Path::new(&*file.value)).parent().map(Path::to_owned));
        let known = |path: &PathBuf| mounts.iter().any(|runtime| runtime.mount_point() == *path);
        let dead: BTreeSet<PathBuf> = directories.filter(|path| is_dead(path) && !known(path)).collect();
        return Ok(Chosen { mounts, dead: dead.into_iter().collect() });
    }
    let mut all = Runtime::mounts("")?;
    let (mut mounts, mut dead) = (Vec::new(), Vec::new());
    for directory in &args.directories {
        // A dead mount cannot be looked at.
        let path = std::fs::canonicalize(directory).unwrap_or_else(|_| absolute(directory));
        let at = all.iter().position(|runtime| place_of(runtime) == path);
        match at {
            Some(at) => mounts.push(all.swap_remove(at)),
            None if is_dead(&path) => dead.push(path),
            None => {
                return Err(Failure::Cannot(format!(
                    "cosec has mounted nothing over {}",
                    directory.display()
                )));
            }
        }
    }
    Ok(Chosen { mounts, dead })
}

/// Containers keep their own hold on the files; without a server they could not open them any more.
pub(super) fn refuse_if_used(runtime: &Runtime) -> Result<(), Failure> {
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
