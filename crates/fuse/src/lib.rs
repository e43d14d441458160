//! Secrets as files of a FUSE file system. Knows nothing of YAML or Docker: it gets a [`Spec`] and serves it.
//!
//! A **supervisor** without secrets owns the connection to the kernel; a **worker** with the secrets serves
//! it; a **standby** waits for the supervisor's death. Whoever dies is replaced on the same connection, and no
//! reader sees an error.
//!
//! ```no_run
//! use cosec_fuse::{
//!     AuditSpec, FileSpec, Grant, HeldValues, Helpers, MountKind, Scope, SecretKind, SecretSpec, Server,
//!     Source, Spec, StartOptions,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let spec = Spec {
//!     project: "shop".into(),
//!     directory: "/home/me/shop".into(),
//!     secrets: vec![SecretSpec {
//!         name: "password".into(),
//!         kind: SecretKind::Secret,
//!         source: Source::File("/home/me/shop/secrets/password".into()),
//!     }],
//!     files: vec![FileSpec {
//!         path: "db/run/secrets/password".into(),
//!         secret: 0,
//!         grants: vec![Grant { service: "db".into(), uid: 999, gid: 999, mode: 0o400 }],
//!     }],
//!     directories: vec![],
//!     scope: Scope::Everyone,
//!     audit: AuditSpec::new("/home/me/.local/state/cosec/shop/audit.jsonl"),
//!     max_size: 512_000,
//!     keep: 3,
//!     hooks: Default::default(),
//! };
//! let running = Server::start(StartOptions {
//!     spec,
//!     held: HeldValues::seal(&[])?,
//!     mountpoint: "/run/cosec/shop/mnt".into(),
//!     runtime_dir: "/run/cosec/shop".into(),
//!     supervisor_argv: vec!["__supervisor".into()], // must run `supervisor_main`
//!     worker_argv: vec!["__worker".into()],         // must run `worker_main`
//!     detach: false,
//!     mount: MountKind::Shared,
//!     helpers: Helpers::default(),
//!     mount_id: None,
//! })?;
//! running.stop()?;
//! # Ok(())
//! # }
//! ```

mod audit;
mod caller;
mod cgroup;
mod channel;
mod filesystem;
mod heal;
mod ledger;
mod memory;
mod mount;
pub mod namespace;
mod pidfd;
mod sandbox;
mod scope;
mod server;
mod snapshot;
mod source;
mod spec;
mod supervisor;
mod tree;
mod watch;
mod worker;

pub use audit::AuditError;
pub use cgroup::places;
pub use channel::ChannelError;
pub use heal::heal;
pub use memory::{HeldValues, SecretBytes, WipingAllocator, keep_others_out};
pub use mount::{MountError, is_dead, is_mounted, is_ours, umount};
pub use server::{Client, Running, Server, StartError, StartOptions};
pub use source::{FindVariable, SourceError, check_source};
pub use spec::{
    AuditSpec, Changed, Container, DirectorySpec, FileSpec, FileStatus, Grant, Helpers, MountKind,
    OnAuditFailure, Scope, SecretKind, SecretSpec, SecretStatus, Source, Spec, Status, VersionStatus,
};
pub use supervisor::supervisor_main;
pub use tree::TreeError;
pub use worker::{MOST_KEPT, worker_main};
