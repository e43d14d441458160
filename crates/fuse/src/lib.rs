//! Secrets as files of a FUSE file system. Knows nothing of YAML or Docker: it gets a [`Spec`] and serves it.
//!
//! A **supervisor** without secrets owns the connection to the kernel; a **worker** with the secrets serves
//! it. A worker that dies is replaced on the same connection, and no reader sees an error.
//!
//! ```no_run
//! use cosec_fuse::{AuditSpec, FileSpec, HeldValues, MountKind, Server, Source, Spec, StartOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let spec = Spec {
//!     project: "shop".into(),
//!     files: vec![FileSpec {
//!         path: "db/run/secrets/password".into(),
//!         service: "db".into(),
//!         secret: "password".into(),
//!         uid: 999,
//!         gid: 999,
//!         mode: 0o400,
//!         source: Source::File("/home/me/shop/secrets/password".into()),
//!     }],
//!     audit: AuditSpec { path: "/home/me/.local/state/cosec/shop/audit.jsonl".into(), ..AuditSpec::default() },
//!     max_size: 512_000,
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
//! })?;
//! running.stop()?;
//! # Ok(())
//! # }
//! ```

mod audit;
mod caller;
mod channel;
mod filesystem;
mod memory;
mod mount;
pub mod namespace;
mod server;
mod snapshot;
mod source;
mod spec;
mod supervisor;
mod tree;
mod watch;
mod worker;

pub use audit::AuditError;
pub use channel::ChannelError;
pub use memory::{HeldValues, SecretBytes, keep_others_out};
pub use mount::{MountError, is_mounted, is_ours, umount};
pub use server::{Client, Running, Server, StartError, StartOptions};
pub use source::{SourceError, check_source};
pub use spec::{AuditSpec, FileSpec, FileStatus, MountKind, OnAuditFailure, Source, Spec, Status};
pub use supervisor::supervisor_main;
pub use tree::TreeError;
pub use worker::worker_main;
