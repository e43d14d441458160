//! How a file came into a project, and where links lead out of it.

use std::collections::HashMap;

use super::DEEPEST;
use crate::files::FileSystem;
use crate::source::{FileId, Span};

/// Why a file was read. With the span of a value, it tells how the value came into the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is one of the project's files, by its index.
    Named(usize),
    /// `include:` brought it; the span is the entry's.
    Included(Span),
    /// `extends:` brought it.
    Extended(Span),
    /// It is an env file.
    EnvFile,
}

/// Why each file was read.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    pub(super) ways: HashMap<FileId, Way>,
    pub(super) outside: HashMap<FileId, String>,
}

impl Ways {
    /// Why a file was read; `None` for one that the loader did not read.
    pub fn of(&self, file: FileId) -> Option<Way> {
        self.ways.get(&file).copied()
    }

    /// Where a file really is, if a symbolic link on its path leads out of the project's directory. Compose
    /// follows such links, and so does cosec; whoever trusts the directory should know.
    pub fn outside(&self, file: FileId) -> Option<&str> {
        self.outside.get(&file).map(String::as_str)
    }

    /// The `include:` and `extends:` entries that lead to a file, the nearest first.
    pub fn chain(&self, file: FileId) -> Vec<Way> {
        let mut chain = Vec::new();
        let mut next = self.of(file);
        while let Some(way) = next {
            chain.push(way);
            next = match way {
                Way::Included(span) | Way::Extended(span) if chain.len() <= DEEPEST => self.of(span.file),
                _ => None,
            };
        }
        chain
    }
}

/// More links than a system follows.
const MOST_LINKS: usize = 40;

/// A path with all its symbolic links followed, as far as the file system tells.
pub(super) fn real(files: &dyn FileSystem, path: &str) -> String {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match files.real_path(&path) {
            Some(next) => path = next,
            None => break,
        }
    }
    path
}

/// Whether a clean path is the directory or below it.
pub(super) fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
