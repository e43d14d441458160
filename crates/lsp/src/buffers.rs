//! The texts that are open in the editor, over those on disk.

use std::collections::BTreeMap;

use cosec_core::files::{Answer, FileFacts, FileKind, FileSystem, GitState, ReadError};
use lsp_types::TextDocumentContentChangeEvent;

use crate::position::Encoding;

/// An open text.
pub(crate) struct Buffer {
    pub(crate) version: i32,
    pub(crate) text: String,
}

/// All open texts by absolute path, and the disk below them.
pub(crate) struct Buffers {
    open: BTreeMap<String, Buffer>,
    disk: Box<dyn FileSystem>,
}

impl Buffers {
    pub(crate) fn new(disk: Box<dyn FileSystem>) -> Self {
        Buffers { open: BTreeMap::new(), disk }
    }

    /// Forgets what git said.
    pub(crate) fn renew(&mut self, disk: Box<dyn FileSystem>) {
        self.disk = disk;
    }

    pub(crate) fn open(&mut self, path: String, version: i32, text: String) {
        self.open.insert(path, Buffer { version, text });
    }

    pub(crate) fn close(&mut self, path: &str) {
        self.open.remove(path);
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Buffer> {
        self.open.get(path)
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.open.keys().map(String::as_str)
    }

    /// Takes the changes in, in their order: ranges, or whole texts.
    pub(crate) fn change(
        &mut self,
        path: &str,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
        encoding: Encoding,
    ) {
        let Some(buffer) = self.open.get_mut(path) else { return };
        buffer.version = version;
        for change in changes {
            match change.range {
                Some(range) => {
                    let start = encoding.offset(&buffer.text, range.start);
                    let end = encoding.offset(&buffer.text, range.end).max(start);
                    buffer.text.replace_range(start..end, &change.text);
                }
                None => buffer.text = change.text,
            }
        }
    }
}

impl FileSystem for Buffers {
    fn read(&self, path: &str) -> Result<String, ReadError> {
        match self.open.get(path) {
            Some(buffer) => Ok(buffer.text.clone()),
            None => self.disk.read(path),
        }
    }

    fn kind(&self, path: &str) -> Answer<FileKind> {
        if self.open.contains_key(path) { Answer::Known(FileKind::File) } else { self.disk.kind(path) }
    }

    fn git(&self, path: &str) -> Answer<GitState> {
        self.disk.git(path)
    }

    fn real_path(&self, path: &str) -> Option<String> {
        self.disk.real_path(path)
    }

    fn facts(&self, path: &str) -> Answer<FileFacts> {
        self.disk.facts(path)
    }

    fn in_history(&self, path: &str) -> Answer<bool> {
        self.disk.in_history(path)
    }

    fn list(&self, directory: &str) -> Answer<Vec<String>> {
        self.disk.list(directory)
    }

    fn home(&self) -> Option<String> {
        self.disk.home()
    }
}
