//! What core asks of the world: texts and facts. The CLI answers from disk and git, the browser from
//! memory, an editor from open buffers; what cannot be answered is said, never passed in silence.

use std::collections::{BTreeMap, BTreeSet};

use crate::gitignore::IgnoreFiles;

/// An answer, or why there is none here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// The fact.
    Known(T),
    /// It cannot be known here; one phrase says why, as in "not in a git repository".
    NotChecked(&'static str),
}

/// What git says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitState {
    /// In the index: it is, or is about to be, committed.
    Tracked,
    /// Not in the index and covered by an ignore rule.
    Ignored,
    /// Neither: `git add .` would take it.
    Untracked,
    /// In no git repository at all.
    NoRepository,
}

/// What lies at a path, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Nothing.
    Missing,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A FIFO, socket, device or a loop of links.
    Other,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With its last character.
    Plain,
    /// With a line feed.
    Newline,
    /// With a carriage return and a line feed, as on Windows.
    CarriageReturn,
}

/// What can be said of a regular file without handing out what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Size in bytes.
    pub size: u64,
    /// How it ends.
    pub ending: Ending,
    /// Owner and permission bits, where there are such things.
    pub owner: Option<FileOwner>,
}

/// Who owns a file, and who may do what with it (stat(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileOwner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
    /// Those of them that count on this machine: where a directory above is closed to others, nothing in it is open to
    /// them.
    pub open: u32,
}

impl<T> Answer<T> {
    /// What follows from the fact.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Answer::Known(fact) => Answer::Known(of(fact)),
            Answer::NotChecked(reason) => Answer::NotChecked(reason),
        }
    }
}

impl FileOwner {
    /// The same file, once it has another mode.
    #[must_use]
    pub fn with_mode(self, mode: u32) -> Self {
        FileOwner { mode, open: self.open & mode, ..self }
    }
}

impl FileFacts {
    /// The facts of a text that is at hand.
    pub fn of_text(text: &str) -> Self {
        FileFacts { size: text.len() as u64, ending: Ending::of(text.as_bytes()), owner: None }
    }
}

impl Ending {
    /// How bytes end; the last two are enough.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [.., b'\r', b'\n'] => Ending::CarriageReturn,
            [.., b'\n'] => Ending::Newline,
            _ => Ending::Plain,
        }
    }
}

/// Why a text cannot be had.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadError {
    /// Nothing there.
    #[error("there is no such file")]
    Missing,
    /// Bytes that are no UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// Anything else, in the words of the system.
    #[error("{0}")]
    Other(String),
}

/// Texts and facts. Paths use `/`; relative ones are relative to where the user stands.
pub trait FileSystem {
    /// The text of a file.
    fn read(&self, path: &str) -> Result<String, ReadError>;

    /// The text of an env file, whose comments may hold bytes that are no text ([`crate::compose::dotenv::mend_comments`]).
    fn read_env_file(&self, path: &str) -> Result<String, ReadError> {
        self.read(path)
    }

    /// What lies there.
    fn kind(&self, path: &str) -> Answer<FileKind>;

    /// What git says of it.
    fn git(&self, path: &str) -> Answer<GitState>;

    /// The path with its first symbolic link followed, if it has one.
    fn real_path(&self, _path: &str) -> Option<String> {
        None
    }

    /// The names of the files of a directory, and of the directories in it with `/` at their end, in no promised order.
    fn list(&self, _directory: &str) -> Answer<Vec<String>> {
        Answer::NotChecked("there is no disk here")
    }

    /// What can be said of a regular file without its content.
    fn facts(&self, _path: &str) -> Answer<FileFacts> {
        Answer::NotChecked("there is no disk here")
    }

    /// Whether a commit on any branch has the path, though the index may not.
    fn in_history(&self, _path: &str) -> Answer<bool> {
        Answer::NotChecked("git cannot be asked here")
    }

    /// The user's home directory, for `~`.
    fn home(&self) -> Option<String> {
        None
    }
}

/// A file system in memory: for the browser, for tests, and for linting standard input. Paths are clean, as
/// [`join`] makes them.
#[derive(Clone, Default)]
pub struct MemoryFiles {
    files: BTreeMap<String, String>,
    known: BTreeMap<String, FileFacts>,
    ignored: IgnoreFiles,
}

impl MemoryFiles {
    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<String>, text: impl Into<String>) {
        let path = path.into();
        let is_gitignore = file_name(&path) == ".gitignore";
        self.known.remove(&path);
        self.files.insert(path, text.into());
        if is_gitignore {
            self.read_gitignores();
        }
    }

    /// Adds a file that is there and is not to be read: a secret's.
    pub fn know(&mut self, path: &str, facts: FileFacts) {
        self.remove(path);
        self.known.insert(path.to_owned(), facts);
    }

    /// Takes a file away.
    pub fn remove(&mut self, path: &str) {
        self.files.remove(path);
        self.known.remove(path);
        if file_name(path) == ".gitignore" {
            self.read_gitignores();
        }
    }

    /// The paths of all texts, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    fn read_gitignores(&mut self) {
        self.ignored = IgnoreFiles::default();
        for (path, text) in self.files.iter().filter(|(path, _)| file_name(path) == ".gitignore") {
            self.ignored.insert(parent(path), text);
        }
    }
}

impl FileSystem for MemoryFiles {
    fn read(&self, path: &str) -> Result<String, ReadError> {
        match self.files.get(path) {
            Some(text) => Ok(text.clone()),
            None if self.known.contains_key(path) => {
                Err(ReadError::Other("what is in it is not looked at here".to_owned()))
            }
            None => Err(ReadError::Missing),
        }
    }

    fn kind(&self, path: &str) -> Answer<FileKind> {
        if self.files.contains_key(path) || self.known.contains_key(path) {
            Answer::Known(FileKind::File)
        } else {
            Answer::NotChecked("there is no disk here")
        }
    }

    /// By the .gitignore files alone: what git tracks already, nobody here knows.
    fn git(&self, path: &str) -> Answer<GitState> {
        let path = join("", path);
        if self.ignored.is_empty() {
            Answer::NotChecked("git cannot be asked here")
        } else if path.starts_with("../") || path.starts_with('/') {
            Answer::NotChecked("the file lies outside of what is here")
        } else if self.ignored.covers(&path) {
            Answer::Known(GitState::Ignored)
        } else if self.ignored.speak_of(&path) {
            Answer::Known(GitState::Untracked)
        } else {
            Answer::NotChecked("no .gitignore of its directory or one above it is here")
        }
    }

    /// What is here; who has chosen the files has chosen those that count.
    fn list(&self, directory: &str) -> Answer<Vec<String>> {
        let here = self.files.keys().chain(self.known.keys()).filter_map(|path| inside(directory, path));
        let names: BTreeSet<String> = here
            .map(|path| match path.split_once('/') {
                Some((directory, _)) => format!("{directory}/"),
                None => path,
            })
            .collect();
        // What nothing is known of need not be empty on the disk.
        if names.is_empty() && !self.files.is_empty() {
            return Answer::NotChecked("nothing of it is open here");
        }
        Answer::Known(names.into_iter().collect())
    }

    fn facts(&self, path: &str) -> Answer<FileFacts> {
        let of_text = self.files.get(path).map(|text| FileFacts::of_text(text));
        match of_text.or_else(|| self.known.get(path).copied()) {
            Some(facts) => Answer::Known(facts),
            None => Answer::NotChecked("there is no disk here"),
        }
    }
}

/// The names under which Compose finds a project's file, in its order.
pub const FILE_NAMES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The names of files that Compose merges into it unasked.
pub const OVERRIDE_NAMES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// Joins `path` onto directory `base`, and cleans the result as far as text allows: `a/./b/../c` is
/// `a/c`. An absolute `path` stands alone.
pub fn join(base: &str, path: &str) -> String {
    let joined =
        if path.starts_with('/') || base.is_empty() { path.to_owned() } else { format!("{base}/{path}") };
    let absolute = joined.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    match (absolute, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// The directory of a path: `a/b.yaml` → `a`, `b.yaml` → `` (empty), `/b` → `/`.
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) => "/",
        Some(at) => &path[..at],
        None => "",
    }
}

/// The path relative to a directory, if it lies in it.
pub fn inside(directory: &str, path: &str) -> Option<String> {
    let (directory, path) = (join("", directory), join("", path));
    if directory == "." {
        return (!path.starts_with("../") && !path.starts_with('/')).then_some(path);
    }
    Some(path.strip_prefix(directory.trim_end_matches('/'))?.strip_prefix('/')?.to_owned())
}

/// Whether a file says what git or a build leaves out: `.gitignore`, `.dockerignore`, `web.Dockerfile.dockerignore`.
pub fn is_ignore_file(path: &str) -> bool {
    file_name(path) == ".gitignore" || path.ends_with(".dockerignore")
}

/// The last component of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_paths_are_clean() {
        assert_eq!(join("a/b", "../c"), "a/c");
        assert_eq!(join("", "./x"), "x");
        assert_eq!(join("a", "/x/../y"), "/y");
        assert_eq!(join(".", "../../x"), "../../x");
        assert_eq!(join("/", ".."), "/");
        assert_eq!(join("a", ".."), ".");
    }

    #[test]
    fn a_path_is_inside_of_a_directory_and_not_of_one_whose_name_begins_alike() {
        assert_eq!(inside("", "a/b").as_deref(), Some("a/b"));
        assert_eq!(inside("./a", "a/./b").as_deref(), Some("b"));
        assert_eq!(inside("/", "/a").as_deref(), Some("a"));
        for (directory, path) in [("a", "ab/c"), ("", "../a"), (".", "/a"), ("/a", "a/b"), ("a", "a")] {
            assert_eq!(inside(directory, path), None, "{path} in {directory}");
        }
    }
}
