//! Where cosec keeps what it needs while a project runs (no value ever), and its audit trail.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::failure::Failure;

/// A project's place under the runtime directory, 0700.
pub(crate) struct Runtime {
    directory: PathBuf,
}

impl Runtime {
    /// The place of a project, made if `create` and missing.
    pub(crate) fn of(project: &str, create: bool) -> Result<Self, Failure> {
        if project.is_empty() || project.contains('/') || project.starts_with('.') {
            return Err(Failure::Cannot(format!(
                "`{project}` is no project name; give one with -p, lower-case letters, digits, `-` and `_`"
            )));
        }
        let directory = base()?.join("cosec").join(project);
        if create {
            private_directory(&directory)?;
        }
        Ok(Runtime { directory })
    }

    /// The directory itself.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the file system is mounted.
    pub(crate) fn mount_point(&self) -> PathBuf {
        self.directory.join("mnt")
    }

    /// Keeps other commands of the same project from starting a server at the same time, as long as it lives.
    pub(crate) fn lock(&self) -> Result<std::os::fd::OwnedFd, Failure> {
        let cannot = |error: rustix::io::Errno| {
            Failure::Cannot(format!("cannot lock {}: {error}", self.directory.display()))
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&self.directory, flags, Mode::empty()).map_err(cannot)?;
        rustix::fs::flock(&directory, FlockOperation::LockExclusive).map_err(cannot)?;
        Ok(directory)
    }

    /// The override file for Compose.
    pub(crate) fn override_file(&self) -> PathBuf {
        self.directory.join("override.yaml")
    }

    /// Makes the mount point.
    pub(crate) fn make_mount_point(&self) -> Result<PathBuf, Failure> {
        let path = self.mount_point();
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(path),
            Err(error) => {
                Err(Failure::Cannot(format!("cannot make the mount point {}: {error}", path.display())))
            }
        }
    }

    /// Takes everything away once nothing is mounted. What is not ours to remove stays.
    pub(crate) fn remove(&self) {
        for file in ["override.yaml", "server.log", "control.sock"] {
            let _ = std::fs::remove_file(self.directory.join(file));
        }
        let _ = std::fs::remove_dir(self.mount_point());
        let _ = std::fs::remove_dir(&self.directory);
        if let Some(parent) = self.directory.parent() {
            let _ = std::fs::remove_dir(parent);
        }
    }
}

/// `$XDG_RUNTIME_DIR`, else `/run` for root, else `/run/user/UID`.
pub(crate) fn base() -> Result<PathBuf, Failure> {
    if let Some(directory) =
        std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute())
    {
        return Ok(directory);
    }
    let uid = rustix::process::geteuid();
    if uid.is_root() {
        return Ok(PathBuf::from("/run"));
    }
    let directory = PathBuf::from(format!("/run/user/{}", uid.as_raw()));
    if directory.is_dir() {
        return Ok(directory);
    }
    Err(Failure::Cannot(
        "XDG_RUNTIME_DIR is not set; set it to a directory that only you can enter, on tmpfs if you can"
            .to_owned(),
    ))
}

/// The audit file of a project, its directory made.
pub(crate) fn audit_file(project: &str) -> Result<PathBuf, Failure> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let base = state.or_else(home).ok_or_else(|| {
        Failure::Cannot(
            "neither XDG_STATE_HOME nor HOME is set; cosec needs one for its audit file".to_owned(),
        )
    })?;
    let directory = base.join("cosec").join(project);
    private_directory(&directory)?;
    Ok(directory.join("audit.jsonl"))
}

/// A directory that only we can enter. One that exists must already be so.
fn private_directory(path: &Path) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::Cannot(format!("cannot make {}: {error}", path.display()));
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(cannot)?;
    let facts = std::fs::symlink_metadata(path).map_err(cannot)?;
    let ours = facts.uid() == rustix::process::geteuid().as_raw();
    if !facts.is_dir() || !ours {
        return Err(Failure::Cannot(format!("{} belongs to somebody else; remove it", path.display())));
    }
    if facts.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(cannot)?;
    }
    Ok(())
}
