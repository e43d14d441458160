//! A language server for Compose files, env files and Dockerfiles: what `cosec lint` finds, while one types, and
//! what `cosec fix` does, as code actions. The core finds and mends; here is only the protocol.
//!
//! ```no_run
//! # struct Disk;
//! # impl cosec_lsp::Host for Disk {
//! #     fn disk(&self) -> Box<dyn cosec_core::files::FileSystem> { Box::new(cosec_core::files::MemoryFiles::default()) }
//! #     fn options(&self, _: &str) -> Result<cosec_core::lint::LintOptions, String> { Ok(Default::default()) }
//! #     fn environment(&self) -> cosec_core::compose::Environment { Default::default() }
//! #     fn create(&self, _: &[cosec_lsp::Made<'_>]) -> Result<(), String> { Ok(()) }
//! #     fn remove(&self, _: &[String]) {}
//! # }
//! // Speaks on standard input and output until the editor says `exit`.
//! cosec_lsp::serve(&Disk)?;
//! # Ok::<(), cosec_lsp::ServeError>(())
//! ```

mod actions;
mod buffers;
mod diagnostics;
mod position;
mod server;
mod uri;

use cosec_core::compose::Environment;
use cosec_core::files::FileSystem;
use cosec_core::lint::LintOptions;

pub use server::{ServeError, serve};

/// What the server needs of the machine that it runs on. Paths are absolute.
pub trait Host {
    /// The disk. What git says may be remembered in it: the server asks for a new one when a file was saved.
    fn disk(&self) -> Box<dyn FileSystem>;

    /// How a file is to be linted. The error is a sentence.
    fn options(&self, path: &str) -> Result<LintOptions, String>;

    /// The variables of this process, without those of a `.env`.
    fn environment(&self) -> Environment;

    /// Makes files that are not there yet, all or none. The error is a sentence.
    fn create(&self, files: &[Made<'_>]) -> Result<(), String>;

    /// Takes files away that [`Host::create`] has made, as far as that goes.
    fn remove(&self, paths: &[String]);
}

/// A file that a fix makes.
pub struct Made<'a> {
    /// Where.
    pub path: &'a str,
    /// What goes in.
    pub content: &'a [u8],
    /// It holds a secret: 0600.
    pub is_secret: bool,
}
