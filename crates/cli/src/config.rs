//! The `cosec.toml` that is for a path.

use std::path::{Path, PathBuf};

use cosec_core::lint::LintOptions;
use cosec_core::settings::{self, FILE_NAME, Settings};

use crate::failure::Failure;

/// Settings, and the directory that their paths start from.
#[derive(Default)]
pub(crate) struct Config {
    pub(crate) settings: Settings,
    pub(crate) directory: PathBuf,
}

impl Config {
    /// How to lint where the command line says nothing.
    pub(crate) fn lint_options(&self) -> LintOptions {
        LintOptions {
            persona: self.settings.persona.unwrap_or_default(),
            target: self.settings.target.unwrap_or_default(),
            levels: self.settings.levels.clone(),
            files: Vec::new(),
            directory: None,
        }
    }

    /// The baseline's path.
    pub(crate) fn baseline(&self) -> Option<PathBuf> {
        self.settings.baseline.as_ref().map(|baseline| self.directory.join(baseline))
    }
}

/// The named file, or the nearest one in the path's directory or above it. The search ends at the repository's root:
/// what lies above belongs to somebody else.
pub(crate) fn of(named: Option<&Path>, path: &Path) -> Result<Config, Failure> {
    let file = match named {
        Some(named) => named.to_owned(),
        None => match find(path) {
            Some(file) => file,
            None => return Ok(Config::default()),
        },
    };
    let text = std::fs::read_to_string(&file)
        .map_err(|error| Failure::Cannot(format!("cannot read {}: {error}", file.display())))?;
    let settings =
        settings::parse(&text).map_err(|error| Failure::Cannot(format!("{}, {error}", file.display())))?;
    let file = std::path::absolute(&file).unwrap_or(file);
    Ok(Config { settings, directory: file.parent().map(Path::to_owned).unwrap_or_default() })
}

fn find(path: &Path) -> Option<PathBuf> {
    let path = if path.as_os_str() == "-" { Path::new(".") } else { path };
    let start = std::fs::canonicalize(path).ok()?;
    let start = if start.is_dir() { start.as_path() } else { start.parent()? };
    let repository = start.ancestors().find(|directory| directory.join(".git").exists());
    // Without a repository nobody vouches for what lies above.
    let top = repository.unwrap_or(start);
    let up_to_top = start.ancestors().take_while(|directory| directory.starts_with(top));
    up_to_top.map(|directory| directory.join(FILE_NAME)).find(|file| file.is_file())
}
