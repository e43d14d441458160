//! A mount namespace of one's own, for `cosec run`: what is mounted there nobody else sees, and it goes
//! away with its last process.
#![allow(unsafe_code, reason = "unshare(2) may break what threads share; see SAFETY")]

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change,
};
use rustix::thread::{
    CapabilitySet, UnshareFlags, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, set_capabilities, unshare_unsafe,
};

/// Why the namespace could not be made. One sentence each, with what to do next.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// unshare(2) said no.
    #[error(
        "this user may not make namespaces ({0}); run as root, or allow them: sysctl kernel.unprivileged_userns_clone=1"
    )]
    Refused(std::io::Error),
    /// A mount inside failed.
    #[error("cannot mount at {}: {error}", .path.display())]
    Mount {
        /// Where.
        path: PathBuf,
        /// The system's word.
        error: std::io::Error,
    },
    /// A target that does not exist and cannot be made.
    #[error("the target {} does not exist here; create an empty file there first, or use a target below /run", .0.display())]
    NoTarget(PathBuf),
}

/// Moves this process into a mount namespace of its own; without root into a user namespace too, in which
/// it stays the user it is. Must be called before the process starts a thread.
pub fn enter_private() -> Result<(), NamespaceError> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let flags = if uid.is_root() { UnshareFlags::NEWNS } else { UnshareFlags::NEWNS | UnshareFlags::NEWUSER };
    // SAFETY: only the namespaces are unshared, no memory and no descriptors; for a process with threads
    // the kernel refuses NEWUSER, and NEWNS would leave the other threads where they are.
    unsafe { unshare_unsafe(flags) }.map_err(|error| NamespaceError::Refused(error.into()))?;
    if !uid.is_root() {
        let write = |file: &str, text: String| fs::write(file, text).map_err(NamespaceError::Refused);
        write("/proc/self/setgroups", "deny".to_owned())?;
        write("/proc/self/uid_map", format!("{0} {0} 1", uid.as_raw()))?;
        write("/proc/self/gid_map", format!("{0} {0} 1", gid.as_raw()))?;
    }
    if !uid.is_root() {
        keep_mount_right().map_err(|error| NamespaceError::Refused(error.into()))?;
    }
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    mount_change("/", private).map_err(|error| failed(Path::new("/"), error))
}

/// Whoever is not root loses its rights in the namespace with the next exec, and the supervisor is started
/// by one. The ambient set lets it keep the one it mounts with.
fn keep_mount_right() -> Result<(), Errno> {
    let mut sets = capabilities(None)?;
    sets.inheritable |= CapabilitySet::SYS_ADMIN;
    set_capabilities(None, sets)?;
    configure_capability_in_ambient_set(CapabilitySet::SYS_ADMIN, true)
}

/// What is started from here on has no rights in the namespace but a user's own.
pub fn drop_mount_right() -> Result<(), NamespaceError> {
    clear_ambient_capability_set().map_err(|error| NamespaceError::Refused(error.into()))
}

/// Makes `target` ready to be a mount point: a directory, or a file. What is missing below /run is made
/// without touching the host.
pub fn prepare(target: &Path, directory: bool) -> Result<(), NamespaceError> {
    let missing = |_| NamespaceError::NoTarget(target.to_owned());
    if target.exists() {
        return Ok(());
    }
    if !target.starts_with("/run") {
        return Err(NamespaceError::NoTarget(target.to_owned()));
    }
    own_run()?;
    if directory {
        return fs::create_dir_all(target).map_err(missing);
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(missing)?;
    }
    fs::write(target, "").map_err(missing)
}

/// Shows `source` at `target` too.
pub fn bind(source: &Path, target: &Path) -> Result<(), NamespaceError> {
    mount_bind(source, target).map_err(|error| failed(target, error))
}

/// Puts a tmpfs over /run that shows all that /run has, so that we can add to it.
fn own_run() -> Result<(), NamespaceError> {
    let run = Path::new("/run");
    let fail = |error: std::io::Error| NamespaceError::Mount { path: run.to_owned(), error };
    if fs::exists("/run/.cosec").unwrap_or(false) {
        return Ok(());
    }
    let entries: Vec<fs::DirEntry> = fs::read_dir(run).map_err(fail)?.filter_map(Result::ok).collect();
    // The tmpfs is filled beside /run and moved over it at the end: until then /run stays reachable.
    let stage = std::env::temp_dir().join(format!("cosec-run-{}", std::process::id()));
    fs::create_dir(&stage).map_err(fail)?;
    let filled = fill(&stage, &entries);
    let moved =
        filled.and_then(|()| rustix::mount::mount_move(&stage, run).map_err(|error| failed(run, error)));
    let _ = fs::remove_dir(&stage);
    moved
}

fn fill(stage: &Path, entries: &[fs::DirEntry]) -> Result<(), NamespaceError> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("cosec", stage, "tmpfs", flags, Some(c"mode=0755")).map_err(|error| failed(stage, error))?;
    fs::write(stage.join(".cosec"), "")
        .map_err(|error| NamespaceError::Mount { path: stage.to_owned(), error })?;
    for entry in entries {
        let (source, target) = (entry.path(), stage.join(entry.file_name()));
        let Ok(kind) = entry.file_type() else { continue };
        // What cannot be shown (it vanished meanwhile, or is not ours to see) is left out.
        if kind.is_symlink() {
            if let Ok(link) = fs::read_link(&source) {
                let _ = std::os::unix::fs::symlink(link, &target);
            }
            continue;
        }
        let made = if kind.is_dir() { fs::create_dir(&target) } else { fs::write(&target, "") };
        if made.is_ok() {
            let _ = mount_bind_recursive(&source, &target);
        }
    }
    Ok(())
}

fn failed(path: &Path, error: Errno) -> NamespaceError {
    NamespaceError::Mount { path: path.to_owned(), error: error.into() }
}
