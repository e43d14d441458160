//! `cosec lsp`

use std::path::Path;
use std::process::ExitCode;

use cosec_core::compose::Environment;
use cosec_core::files::FileSystem;
use cosec_core::lint::LintOptions;
use cosec_lsp::{Host, Made};

use crate::atomic;
use crate::config;
use crate::disk::Disk;
use crate::failure::Failure;
use crate::project;

pub(crate) fn run() -> Result<ExitCode, Failure> {
    cosec_lsp::serve(&Machine).map_err(|error| Failure::Cannot(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
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

    fn create(&self, files: &[Made<'_>]) -> Result<(), String> {
        let mut made = Vec::new();
        for file in files {
            let path = Path::new(file.path);
            let written = path.parent().map_or(Ok(()), atomic::create_directory).and_then(|()| {
                let mode = if file.is_secret { atomic::PRIVATE } else { atomic::SHARED };
                atomic::create(path, file.content, mode)
            });
            if let Err(error) = written {
                self.remove(&made);
                return Err(format!("cannot make {}: {error}; nothing was done", file.path));
            }
            made.push(file.path.to_owned());
        }
        Ok(())
    }

    fn remove(&self, paths: &[String]) {
        for path in paths {
            let _ = std::fs::remove_file(path);
            // The directory, if it was made for it and is empty again.
            let _ = Path::new(path).parent().map(std::fs::remove_dir);
        }
    }
}
