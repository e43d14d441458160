//! What to serve. None of this ever holds a value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What to serve.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// The project, for the audit and for [`Scope::Services`].
    pub project: String,
    /// The project's directory: another one's project may have the same name.
    pub directory: PathBuf,
    /// The secrets and configs. Files of several services may show the same one.
    pub secrets: Vec<SecretSpec>,
    /// The files.
    pub files: Vec<FileSpec>,
    /// Owner and mode of directories; one that is not here is root's, and open to all.
    pub directories: Vec<DirectorySpec>,
    /// Who may read, besides what owner and mode say.
    pub scope: Scope,
    /// The audit trail.
    pub audit: AuditSpec,
    /// Largest secret in bytes.
    pub max_size: u64,
    /// How many earlier versions of a secret are kept for a rollback.
    pub keep: usize,
    /// What each service wants done when a secret of its has changed; handed to the [`Helpers`] as it is.
    pub hooks: BTreeMap<String, serde_json::Value>,
}

/// A secret or config: where its bytes come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecretSpec {
    /// Its name.
    pub name: String,
    /// Which of the two.
    pub kind: SecretKind,
    /// Where its bytes come from.
    pub source: Source,
}

/// A secret and a config may have the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretKind {
    /// `secrets:`
    #[default]
    Secret,
    /// `configs:`
    Config,
}

/// One file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileSpec {
    /// Its path below the mount point, `/` between components.
    pub path: String,
    /// What it shows: an index into [`Spec::secrets`].
    pub secret: usize,
    /// For whom it is, and how each sees it. Who is nobody of them sees it as the last does, and may not open it.
    pub grants: Vec<Grant>,
}

/// A directory. Processes of the host need the right to search it for what lies below it; a container has its files
/// bound into it and does not come this way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectorySpec {
    /// Its path below the mount point, `/` between components; empty for the mount point.
    pub path: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

impl DirectorySpec {
    /// Whether a file is in it or below.
    pub(crate) fn holds(&self, file: &str) -> bool {
        self.path.is_empty()
            || file.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// For whom a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The service; empty for the processes of the host.
    pub service: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// Where a secret's bytes come from.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A file, absolute.
    File(PathBuf),
    /// A file of the directory that is mounted over, by its path below it.
    Beneath(PathBuf),
    /// A variable of env files, of which the last to set it counts. How they are read is the program's matter:
    /// [`worker_main`](crate::worker_main) is told.
    Variable {
        /// The files, absolute.
        files: Vec<PathBuf>,
        /// The variable.
        name: String,
    },
    /// An index into the [`HeldValues`](crate::HeldValues) handed over beside the spec.
    Held(usize),
}

/// Who may read, besides what owner and mode say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Every process that sees the mount.
    #[default]
    Everyone,
    /// A file is for the containers of its services only.
    Services {
        /// Processes in no container too, as the first service's; those that a file has a grant for, anyway.
        host: bool,
    },
}

/// Where each open is written down. Lines are not synced to the disk one by one: they survive the death of
/// every process, not the machine's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditSpec {
    /// A file to append to, one JSON object a line, 0600.
    pub path: PathBuf,
    /// What an open does that cannot be written down.
    pub on_failure: OnAuditFailure,
    /// A file as large as this gives way to a new one; four of the old are kept (`audit.jsonl.1` is the last).
    pub max_bytes: u64,
}

impl AuditSpec {
    /// Denies what cannot be written down, and rotates at 16 MiB.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        AuditSpec { path: path.into(), on_failure: OnAuditFailure::Deny, max_bytes: 16 << 20 }
    }
}

/// What an open does that cannot be written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnAuditFailure {
    /// It is denied.
    #[default]
    Deny,
    /// It goes on; the server's log says so.
    Warn,
}

/// How to mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// For other users too: containers. Without root this goes through fusermount3.
    Shared,
    /// In a private mount namespace that the caller has entered.
    Private,
}

/// What the supervisor runs this same program with, when there is something that the file system cannot know
/// or do by itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Helpers {
    /// With a container's id after it, prints its [`Container`] as JSON, or `null` if there is none.
    pub container: Vec<OsString>,
    /// With a [`Changed`] as JSON after it, tells a service.
    pub changed: Vec<OsString>,
    /// Run when whoever started the server is gone without a word: ends it, or tells it to go on. Nothing is to end it at
    /// once.
    pub left: Vec<OsString>,
    /// The environment of all.
    pub environment: Vec<(OsString, OsString)>,
}

/// What is known of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The project it belongs to; empty for none.
    pub project: String,
    /// The service it belongs to; empty for none.
    pub service: String,
    /// Where it is, see [`crate::places`].
    pub cgroups: Vec<String>,
}

/// A service whose secrets have changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// The project.
    pub project: String,
    /// The service.
    pub service: String,
    /// The names of what has changed.
    pub secrets: Vec<String>,
    /// What the service wants done.
    pub hook: serde_json::Value,
}

/// What a server says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The project.
    pub project: String,
    /// Its directory.
    pub directory: PathBuf,
    /// Another mount has another one, whichever processes serve it.
    pub mount_id: String,
    /// The supervisor's process id.
    pub supervisor_pid: u32,
    /// The process that takes the supervisor's place if it dies.
    pub standby_pid: Option<u32>,
    /// The worker's process id.
    pub worker_pid: u32,
    /// How often a worker was replaced.
    pub restarts: u64,
    /// Where it is mounted.
    pub mountpoint: PathBuf,
    /// The audit file.
    pub audit: PathBuf,
    /// Who may read.
    pub scope: Scope,
    /// The secrets.
    pub secrets: Vec<SecretStatus>,
    /// The files.
    pub files: Vec<FileStatus>,
    /// What is weaker than it should be: memory that could not be locked. One sentence each.
    pub warnings: Vec<String>,
}

/// What a server says of a secret: its shape, not its content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecretStatus {
    /// The name.
    pub name: String,
    /// Secret or config.
    pub kind: SecretKind,
    /// Counts up with each change of content, from 1; 0 while there is none to serve.
    pub version: u64,
    /// Bytes.
    pub size: u64,
    /// When this version was first served, in seconds since 1970.
    pub loaded: u64,
    /// What is wrong with the source, if anything.
    pub trouble: Option<String>,
    /// The file it is the content of; nothing for a value of the environment.
    pub file: Option<PathBuf>,
    /// Earlier versions that can be brought back, the latest first.
    pub earlier: Vec<VersionStatus>,
}

/// What a server says of an earlier version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VersionStatus {
    /// Its number.
    pub version: u64,
    /// Bytes.
    pub size: u64,
    /// When it was first served, in seconds since 1970.
    pub loaded: u64,
}

/// What a server says of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileStatus {
    /// The path below the mount point.
    pub path: String,
    /// The service.
    pub service: String,
    /// What it shows: an index into [`Status::secrets`].
    pub secret: usize,
    /// Opens that this worker has allowed.
    pub reads: u64,
    /// The last of them, in seconds since 1970.
    pub last_read: Option<u64>,
}
