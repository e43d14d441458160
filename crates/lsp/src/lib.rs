//! A language server for Compose files, env files and Dockerfiles: what `cosec lint` finds, while one types, and
//! what `cosec fix` does, as code actions. The core finds and mends; here is only the protocol.
//!
//! ```no_run
//! # struct Disk;
//! # impl cosec_lsp::Host for Disk {
//! #     fn disk(&self) -> Box<dyn cosec_core::files::FileSystem> { Box::new(cosec_core::files::MemoryFiles::default()) }
//! #     fn options(&self, _: &str) -> Result<cosec_core::lint::LintOptions, String> { Ok(Default::default()) }
//! #     fn environment(&self) -> cosec_core::compose::Environment { Default::default() }
//! #     fn write(&self, _: &[cosec_lsp::NewText<'_>]) -> Result<(), String> { Ok(()) }
//! #     fn take_back(&self, _: &[cosec_lsp::Written]) {}
//! # }
//! // Speaks on standard input and output until the editor says `exit`; false if it did so without `shutdown`.
//! let _was_asked_to_end = cosec_lsp::serve(&Disk)?;
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

    /// Writes files, all or none, in their order. The error is a sentence.
    fn write(&self, files: &[NewText<'_>]) -> Result<(), String>;

    /// Gives files that [`Host::write`] has written what they were, as far as that goes.
    fn take_back(&self, files: &[Written]);
}

/// A file that the server writes itself.
pub struct NewText<'a> {
    /// Where.
    pub path: &'a str,
    /// What it is; `None` if it is not there, and then it must not be.
    pub before: Option<&'a str>,
    /// What it is to be.
    pub after: &'a [u8],
    /// It holds a secret: 0600.
    pub is_secret: bool,
}

/// A file that was written, and what it was before.
pub struct Written {
    /// Where.
    pub path: String,
    /// What it was; `None` if it was not there.
    pub before: Option<String>,
}
