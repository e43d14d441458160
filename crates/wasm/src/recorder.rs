//! A file system that remembers what it was asked for: what an answer depends on, and which files are wanted
//! that are not there.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use cosec_core::files::{Answer, FileFacts, FileKind, FileSystem, GitState, MemoryFiles, ReadError};

pub(crate) struct Recorder<'a> {
    files: &'a MemoryFiles,
    pub(crate) asked: RefCell<BTreeSet<String>>,
    /// Those of them whose text was asked for, and not only whether they are there.
    pub(crate) read: RefCell<BTreeSet<String>>,
    /// The files of which it was asked how large they are and how they end: those behind secrets.
    pub(crate) measured: RefCell<BTreeSet<String>>,
    /// Whether .gitignore files stood in for git.
    pub(crate) asked_git: Cell<bool>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(files: &'a MemoryFiles) -> Self {
        Recorder {
            files,
            asked: RefCell::default(),
            read: RefCell::default(),
            measured: RefCell::default(),
            asked_git: Cell::default(),
        }
    }
}

impl FileSystem for Recorder<'_> {
    fn read(&self, path: &str) -> Result<String, ReadError> {
        self.asked.borrow_mut().insert(path.to_owned());
        self.read.borrow_mut().insert(path.to_owned());
        self.files.read(path)
    }

    fn kind(&self, path: &str) -> Answer<FileKind> {
        self.asked.borrow_mut().insert(path.to_owned());
        self.files.kind(path)
    }

    fn facts(&self, path: &str) -> Answer<FileFacts> {
        self.asked.borrow_mut().insert(path.to_owned());
        self.measured.borrow_mut().insert(path.to_owned());
        self.files.facts(path)
    }

    fn list(&self, directory: &str) -> Answer<Vec<String>> {
        self.files.list(directory)
    }

    fn git(&self, path: &str) -> Answer<GitState> {
        let answer = self.files.git(path);
        self.asked_git.set(self.asked_git.get() || matches!(answer, Answer::Known(_)));
        answer
    }
}
