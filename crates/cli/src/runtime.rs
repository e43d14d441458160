//! Where cosec keeps what it needs while a project runs (no value ever), and its audit trail.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::failure::Failure;
use crate::signals;

/// A server's place under the runtime directory, 0700.
pub(crate) struct Runtime {
    directory: PathBuf,
    /// The user's directory that is mounted over, if it is one.
    over: Option<PathBuf>,
}

/// The override file for Compose.
const OVERRIDE: &str = "override.yaml";
/// The file that names the directory that is mounted over.
const OVER: &str = "over";
/// The file that commands hold a shared lock on while they use the server.
const USERS: &str = "users";

/// Whether a path is the override file of some project's server.
pub(crate) fn is_override(path: &Path) -> bool {
    let project = path.parent().and_then(Path::parent);
    path.ends_with(OVERRIDE) && base().is_ok_and(|base| project == Some(base.join("cosec").as_path()))
}

impl Runtime {
    /// The place of a project, made if `create` and missing.
    pub(crate) fn of(project: &str, create: bool) -> Result<Self, Failure> {
        let directory = Runtime::place(project)?;
        if create {
            private_directory(&directory)?;
        }
        Ok(Runtime { directory, over: None })
    }

    /// A place that is known.
    pub(crate) fn at(directory: &Path) -> Self {
        Runtime { directory: directory.to_owned(), over: None }
    }

    /// The place of a mount over a directory of the user's, made if it is missing. No project's name has a dot.
    pub(crate) fn over(project: &str, directory: &Path) -> Result<Self, Failure> {
        let place = Runtime::place(project)?;
        let mut known = Runtime::mounts(project)?;
        if let Some(at) = known.iter().position(|mount| mount.over.as_deref() == Some(directory)) {
            return Ok(known.swap_remove(at));
        }
        let free = (1..).map(|number| place.with_file_name(format!("{project}.{number}")));
        let taken = |place: &PathBuf| known.iter().any(|mount| mount.directory == *place);
        let place = free.into_iter().find(|place| !taken(place)).unwrap_or(place);
        private_directory(&place)?;
        let name = directory.as_os_str().as_bytes();
        crate::atomic::replace(&place.join(OVER), name, crate::atomic::PRIVATE)
            .map_err(|error| Failure::Cannot(format!("cannot write to {}: {error}", place.display())))?;
        Ok(Runtime { directory: place, over: Some(directory.to_owned()) })
    }

    /// The mounts over directories of the user's; of all projects if none is named.
    pub(crate) fn mounts(project: &str) -> Result<Vec<Self>, Failure> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(base()?.join("cosec")).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let of = name.to_str().and_then(|name| name.rsplit_once('.')).map(|(project, _)| project);
            if !project.is_empty() && of != Some(project) {
                continue;
            }
            let Ok(over) = std::fs::read(entry.path().join(OVER)) else { continue };
            let over = Some(PathBuf::from(OsString::from_vec(over)));
            found.push(Runtime { directory: entry.path(), over });
        }
        found.sort_by(|one, other| one.directory.cmp(&other.directory));
        Ok(found)
    }

    /// All of a project's servers: the one of `cosec up`, then the mounts.
    pub(crate) fn all(project: &str) -> Result<Vec<Self>, Failure> {
        let mut all = vec![Runtime::of(project, false)?];
        all.extend(Runtime::mounts(project)?);
        Ok(all)
    }

    fn place(project: &str) -> Result<PathBuf, Failure> {
        if project.is_empty() || project.contains('/') || project.starts_with('.') {
            return Err(Failure::Cannot(format!(
                "`{project}` is no project name; give one with -p, lower-case letters, digits, `-` and `_`"
            )));
        }
        Ok(base()?.join("cosec").join(project))
    }

    /// The directory itself.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the file system is mounted.
    pub(crate) fn mount_point(&self) -> PathBuf {
        self.over.clone().unwrap_or_else(|| self.directory.join("mnt"))
    }

    /// Whether it is a mount over a directory of the user's.
    pub(crate) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Keeps other commands of the same project from starting a server at the same time, as long as it lives.
    pub(crate) fn lock(&self) -> Result<OwnedFd, Failure> {
        self.lock_while(|| Ok(()))
    }

    /// The same, unless a signal comes while another command has it.
    pub(crate) fn lock_unless_interrupted(&self) -> Result<OwnedFd, Failure> {
        self.lock_while(signals::check)
    }

    fn lock_while(&self, may_wait: impl Fn() -> Result<(), Failure>) -> Result<OwnedFd, Failure> {
        let cannot = |error: rustix::io::Errno| {
            Failure::Cannot(format!("cannot lock {}: {error}", self.directory.display()))
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        loop {
            let directory = match rustix::fs::open(&self.directory, flags, Mode::empty()) {
                // What names the directory that is mounted over is gone, too.
                Err(rustix::io::Errno::NOENT) if !self.is_over() => {
                    private_directory(&self.directory)?;
                    continue;
                }
                opened => opened.map_err(cannot)?,
            };
            let lock = || rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive);
            while lock_is_taken(lock()).map_err(cannot)? {
                may_wait()?;
                std::thread::sleep(Duration::from_millis(5));
            }
            // Whoever had the lock may have taken the directory away.
            let locked = rustix::fs::fstat(&directory).map_err(cannot)?;
            let there = std::fs::metadata(&self.directory);
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (locked.st_dev, locked.st_ino)) {
                return Ok(directory);
            }
        }
    }

    /// Says, as long as it lives, that a command is about to use the server. Taken under the lock.
    pub(crate) fn in_use(&self) -> Result<OwnedFd, Failure> {
        self.users(FlockOperation::NonBlockingLockShared)
            .map_err(|error| Failure::Cannot(format!("cannot lock {}: {error}", self.directory.display())))
    }

    /// Whether no command is about to use the server. Asked under the lock.
    pub(crate) fn is_unused(&self) -> bool {
        self.users(FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    fn users(&self, lock: FlockOperation) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::open(self.directory.join(USERS), flags, Mode::RUSR | Mode::WUSR)?;
        rustix::fs::flock(&file, lock)?;
        Ok(file)
    }

    /// The override file for Compose.
    pub(crate) fn override_file(&self) -> PathBuf {
        self.directory.join(OVERRIDE)
    }

    /// One for this process's command alone.
    pub(crate) fn override_for_command(&self) -> PathBuf {
        self.directory.join(format!("override.{}.yaml", std::process::id()))
    }

    /// Makes the mount point, unless it is the user's.
    pub(crate) fn make_mount_point(&self) -> Result<PathBuf, Failure> {
        let path = self.mount_point();
        if self.is_over() {
            return Ok(path);
        }
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
        for file in ["server.log", "control.sock", USERS] {
            let _ = std::fs::remove_file(self.directory.join(file));
        }
        // A command that was killed leaves its own override, or one that is half written.
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(OVER.as_bytes()) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        let _ = std::fs::remove_dir(self.directory.join("mnt"));
        let _ = std::fs::remove_dir(&self.directory);
        if let Some(parent) = self.directory.parent() {
            let _ = std::fs::remove_dir(parent);
        }
    }
}

fn lock_is_taken(locked: rustix::io::Result<()>) -> rustix::io::Result<bool> {
    match locked {
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        other => other.map(|()| false),
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
    let path = audit_path(project)?;
    path.parent().map_or(Ok(()), private_directory)?;
    Ok(path)
}

/// Where the audit file of a project is, if there is one.
pub(crate) fn audit_path(project: &str) -> Result<PathBuf, Failure> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let base = state.or_else(home).ok_or_else(|| {
        Failure::Cannot(
            "neither XDG_STATE_HOME nor HOME is set; cosec needs one for its audit file".to_owned(),
        )
    })?;
    Ok(base.join("cosec").join(project).join("audit.jsonl"))
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
