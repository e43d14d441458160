//! How a command ends badly: one clear sentence, and an exit code.

use std::path::Path;
use std::process::ExitCode;

use anstream::eprintln;
use rustix::io::Errno;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A rule of cosec's own forbids it. Exit code 1, like a finding.
    #[error("{0}")]
    Refused(String),
    /// Wrong use, a broken file, a missing tool. Exit code 2.
    #[error("{0}")]
    Cannot(String),
    /// Already shown with its excerpt. Exit code 2.
    #[error("{0}")]
    Shown(String),
    /// A signal ended it; what it had made is taken away. Exit code 128 and the signal's number, and nothing to say to
    /// who sent it.
    #[error("interrupted")]
    Interrupted(i32),
}

/// Whether a path leads into a mount whose server is gone.
pub(crate) fn is_dead_mount(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NOTCONN.raw_os_error())
}

/// What is to be said of such a path.
pub(crate) fn dead_mount(path: &Path) -> Failure {
    let directory = path.ancestors().filter(|directory| cosec_fuse::is_dead(directory)).last();
    let directory = directory.or_else(|| path.parent()).unwrap_or(path).display();
    Failure::Cannot(format!(
        "{} is in a mount of `cosec mount` whose server is gone; `cosec repair` serves there again, `cosec umount {directory}` takes it away",
        path.display()
    ))
}

impl Failure {
    /// Tells the user.
    pub(crate) fn print(&self) {
        match self {
            Failure::Refused(message) | Failure::Cannot(message) => eprintln!("cosec: {message}"),
            Failure::Shown(excerpt) => eprintln!("{excerpt}"),
            Failure::Interrupted(_) => {}
        }
    }

    /// 1 for a refusal, that of shells for a signal, 2 for everything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Refused(_) => ExitCode::from(1),
            Failure::Cannot(_) | Failure::Shown(_) => ExitCode::from(2),
            Failure::Interrupted(signal) => crate::signals::code_of(*signal),
        }
    }
}
