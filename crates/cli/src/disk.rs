//! Core's [`FileSystem`], answered from disk and git.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cosec_core::files::{Answer, Ending, FileFacts, FileKind, FileOwner, FileSystem, GitState, ReadError};

use crate::git;

/// Larger is no Compose file; it also keeps `/dev/zero` from filling memory.
const LARGEST: u64 = 64 << 20;

/// The disk, with git's answers remembered. `-` is standard input.
#[derive(Default)]
pub(crate) struct Disk {
    input: OnceCell<Result<String, ReadError>>,
    git: RefCell<HashMap<String, Answer<GitState>>>,
    history: RefCell<HashMap<String, Answer<bool>>>,
}

impl FileSystem for Disk {
    fn read(&self, path: &str) -> Result<String, ReadError> {
        if path == "-" {
            return self.input.get_or_init(|| text(&mut std::io::stdin())).clone();
        }
        read(Path::new(path))
    }

    fn kind(&self, path: &str) -> Answer<FileKind> {
        Answer::Known(match std::fs::metadata(path) {
            Ok(facts) if facts.is_file() => FileKind::File,
            Ok(facts) if facts.is_dir() => FileKind::Directory,
            Err(error) if error.kind() == ErrorKind::NotFound => FileKind::Missing,
            Ok(_) | Err(_) => FileKind::Other,
        })
    }

    fn git(&self, path: &str) -> Answer<GitState> {
        *self.git.borrow_mut().entry(path.to_owned()).or_insert_with(|| git::state(Path::new(path)))
    }

    fn real_path(&self, path: &str) -> Option<String> {
        let mut ancestors: Vec<&Path> = Path::new(path).ancestors().collect();
        ancestors.reverse();
        let link = ancestors.into_iter().find(|path| path.is_symlink())?;
        let rest = Path::new(path).strip_prefix(link).ok()?;
        let target = link.canonicalize().ok()?.join(rest);
        Some(target.to_str()?.trim_end_matches('/').to_owned())
    }

    fn facts(&self, path: &str) -> Answer<FileFacts> {
        facts(Path::new(path)).map_or(Answer::NotChecked("the file cannot be looked at"), Answer::Known)
    }

    fn in_history(&self, path: &str) -> Answer<bool> {
        *self.history.borrow_mut().entry(path.to_owned()).or_insert_with(|| git::in_history(Path::new(path)))
    }

    fn home(&self) -> Option<String> {
        std::env::var("HOME").ok()
    }
}

/// Size, owner and mode without opening the file; its last two bytes where it can be read. A file that only its
/// owner can read still has a size and a mode.
fn facts(path: &Path) -> std::io::Result<FileFacts> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut last = Vec::with_capacity(2);
    if let Ok(mut file) = std::fs::File::open(path) {
        file.seek(SeekFrom::End(-(meta.len().min(2) as i64)))?;
        file.take(2).read_to_end(&mut last)?;
    }
    let ending = Ending::of(&last);
    last.fill(0);
    let owner = FileOwner { uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o7777 };
    Ok(FileFacts { size: meta.len(), ending, owner: Some(owner) })
}

fn read(path: &Path) -> Result<String, ReadError> {
    let other = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Other(error.to_string()),
    };
    let facts = std::fs::metadata(path).map_err(other)?;
    if facts.is_dir() {
        return Err(ReadError::Other("it is a directory".to_owned()));
    }
    text(&mut std::fs::File::open(path).map_err(other)?)
}

/// All text that a reader has, up to the limit.
fn text(reader: &mut impl Read) -> Result<String, ReadError> {
    let mut bytes = Vec::new();
    let read = reader.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| ReadError::Other(error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(ReadError::Other("it is larger than 64 MiB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| ReadError::NotText)
}
