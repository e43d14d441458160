//! `cosec lsp`

use std::path::Path;
use std::process::ExitCode;

use cosec_core::compose::Environment;
use cosec_core::files::FileSystem;
use cosec_core::lint::LintOptions;
use cosec_lsp::{Host, NewText, Written};

use crate::atomic;
use crate::config;
use crate::disk::Disk;
use crate::failure::Failure;
use crate::project;

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let asked = cosec_lsp::serve(&Machine).map_err(|error| Failure::Cannot(error.to_string()))?;
    Ok(if asked { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The machine that the editor runs on.
struct Machine;

impl Host for Machine {
    fn disk(&self) -> Box<dyn FileSystem> {
        Box::new(Disk::default())
    }

    fn options(&self, path: &str) -> Result<LintOptions, String> {
        // A file that was never saved has its directory's settings.
        let path = Path::new(path);
        let directory = path.parent().unwrap_or(path);
        let config = config::of(None, directory).map_err(|failure| failure.to_string())?;
        Ok(config.lint_options())
    }

    fn environment(&self) -> Environment {
        project::process_environment()
    }

    fn write(&self, files: &[NewText<'_>]) -> Result<(), String> {
        let mut written = Vec::new();
        for file in files {
            if let Err(error) = write(file) {
                self.take_back(&written);
                return Err(format!("cannot write {}: {error}; nothing was done", file.path));
            }
            written.push(Written { path: file.path.to_owned(), before: file.before.map(str::to_owned) });
        }
        Ok(())
    }

    fn take_back(&self, files: &[Written]) {
        for file in files.iter().rev() {
            let path = Path::new(&file.path);
            match &file.before {
                Some(before) => {
                    let _ = atomic::replace(path, before.as_bytes(), atomic::SHARED);
                }
                None => {
                    let _ = std::fs::remove_file(path);
                    // The directory, if it was made for it and is empty again.
                    let _ = path.parent().map(std::fs::remove_dir);
                }
            }
        }
    }
}

fn write(file: &NewText<'_>) -> std::io::Result<()> {
    let path = Path::new(file.path);
    let mode = if file.is_secret { atomic::PRIVATE } else { atomic::SHARED };
    if let Some(before) = file.before {
        if std::fs::read_to_string(path)? != before {
            return Err(std::io::Error::other("it has changed meanwhile"));
        }
        return atomic::replace(path, file.after, mode);
    }
    path.parent().map_or(Ok(()), atomic::create_directory)?;
    atomic::create(path, file.after, mode)
}
