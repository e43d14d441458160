//! A project as the promises take it, and as a text: what a fuzzer changes.

use std::fmt;

use cosec_core::files::{MemoryFiles, join};

/// A project that is to be read.
#[derive(Clone, Default)]
pub struct Project {
    /// The names of its Compose files, or the one file that is to be linted.
    pub named: Vec<String>,
    /// All files: their paths and texts.
    pub files: Vec<(String, String)>,
}

impl Project {
    /// One file alone.
    pub fn of(path: &str, text: &str) -> Self {
        Project { named: vec![path.to_owned()], files: vec![(path.to_owned(), text.to_owned())] }
    }

    /// Reads one as the cases of `tests/compose` are written: `=== path` before each file, and `-f path` in a line
    /// that starts with `$` for the Compose files, else it is the first. A text without such a line is a Compose file.
    pub fn parse(case: &str) -> Self {
        let mut project = Project::default();
        for line in case.split_inclusive('\n') {
            if let Some(path) = line.strip_prefix("=== ").or_else(|| line.strip_prefix("==! ")) {
                project.files.push((join("", path.trim()), String::new()));
            } else if let Some((_, text)) = project.files.last_mut() {
                text.push_str(line);
            } else if let Some(arguments) = line.strip_prefix("$ ") {
                let mut arguments = arguments.split_whitespace();
                while let Some(argument) = arguments.next() {
                    if argument == "-f" {
                        project.named.extend(arguments.next().map(str::to_owned));
                    }
                }
            }
        }
        if project.files.is_empty() {
            return Project::of("compose.yaml", case);
        }
        if project.named.is_empty() {
            project.named.extend(project.files.first().map(|(path, _)| path.clone()));
        }
        project
    }

    /// The bytes of its files.
    pub(super) fn size(&self) -> usize {
        self.files.iter().map(|(path, text)| path.len() + text.len()).sum()
    }

    pub(super) fn in_memory(&self) -> MemoryFiles {
        let mut files = MemoryFiles::default();
        for (path, text) in &self.files {
            files.insert(path.as_str(), text.as_str());
        }
        files
    }
}

/// As [`Project::parse`] reads it.
impl fmt::Display for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.named.len() > 1 {
            f.write_str("$")?;
            self.named.iter().try_for_each(|path| write!(f, " -f {path}"))?;
            f.write_str("\n")?;
        }
        for (path, text) in &self.files {
            let end = if text.ends_with('\n') { "" } else { "\n" };
            write!(f, "=== {path}\n{text}{end}")?;
        }
        Ok(())
    }
}
