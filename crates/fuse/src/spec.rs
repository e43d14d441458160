//! What to serve. None of this ever holds a value.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What to serve.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// The project, for the audit.
    pub project: String,
    /// The files.
    pub files: Vec<FileSpec>,
    /// The audit trail.
    pub audit: AuditSpec,
    /// Largest secret in bytes.
    pub max_size: u64,
}

/// One file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileSpec {
    /// Its path below the mount point, `/` between components.
    pub path: String,
    /// The service it is for, for the audit.
    pub service: String,
    /// The secret's name, for the audit.
    pub secret: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
    /// Where its bytes come from.
    pub source: Source,
}

/// Where a file's bytes come from.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A file, absolute.
    File(PathBuf),
    /// An index into the [`HeldValues`](crate::HeldValues) handed over beside the spec.
    Held(usize),
}

/// Where each open is written down.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AuditSpec {
    /// A file to append to, one JSON object a line, 0600.
    pub path: PathBuf,
    /// What an open does that cannot be written down.
    pub on_failure: OnAuditFailure,
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

/// What a server says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The supervisor's process id.
    pub supervisor_pid: u32,
    /// The worker's process id.
    pub worker_pid: u32,
    /// How often a worker was replaced.
    pub restarts: u64,
    /// Where it is mounted.
    pub mountpoint: PathBuf,
    /// The files.
    pub files: Vec<FileStatus>,
}

/// What a server says of a file: its shape, not its content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileStatus {
    /// The path below the mount point.
    pub path: String,
    /// The service.
    pub service: String,
    /// The secret.
    pub secret: String,
    /// Counts up with each change of content, from 1.
    pub version: u64,
    /// Bytes.
    pub size: u64,
    /// What is wrong with the source, if anything.
    pub trouble: Option<String>,
}
