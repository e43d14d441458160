//! Core's [`FileSystem`], answered from disk and git.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cosec_core::compose::dotenv;
use cosec_core::files::{Answer, Ending, FileFacts, FileKind, FileOwner, FileSystem, GitState, ReadError};
use rustix::fs::OFlags;

use crate::git::Git;

/// Larger is no Compose file.
const LARGEST: u64 = 64 << 20;

/// What standard input is called in reports.
pub(crate) const STDIN: &str = "<stdin>";

/// The disk, with git's answers remembered. `-` and [`STDIN`] are standard input.
#[derive(Default)]
pub(crate) struct Disk {
    input: OnceCell<Result<String, ReadError>>,
    git: Arc<Git>,
    states: RefCell<HashMap<String, Answer<GitState>>>,
}

impl Disk {
    /// The disk, for one of many who ask git in the same run.
    pub(crate) fn asking(git: &Arc<Git>) -> Self {
        Disk { git: Arc::clone(git), ..Disk::default() }
    }
}

impl FileSystem for Disk {
    fn read(&self, path: &str) -> Result<String, ReadError> {
        if path == "-" || path == STDIN {
            return self.input.get_or_init(standard_input).clone();
        }
        read(Path::new(path))
    }

    fn read_env_file(&self, path: &str) -> Result<String, ReadError> {
        if path == "-" || path == STDIN {
            return self.read(path);
        }
        let mut bytes = bytes(Path::new(path))?;
        dotenv::mend_comments(&mut bytes);
        String::from_utf8(bytes).map_err(|_| ReadError::NotText)
    }

    fn kind(&self, path: &str) -> Answer<FileKind> {
        Answer::Known(match std::fs::metadata(path) {
            Ok(facts) if facts.is_file() => FileKind::File,
            Ok(facts) if facts.is_dir() => FileKind::Directory,
            Err(error) if is_missing(&error) => FileKind::Missing,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Answer::NotChecked("a directory on its way may not be looked into");
            }
            Ok(_) | Err(_) => FileKind::Other,
        })
    }

    fn git(&self, path: &str) -> Answer<GitState> {
        *self.states.borrow_mut().entry(path.to_owned()).or_insert_with(|| self.git.state(Path::new(path)))
    }

    fn real_path(&self, path: &str) -> Option<String> {
        let mut ancestors: Vec<&Path> = Path::new(path).ancestors().collect();
        ancestors.reverse();
        let link = ancestors.into_iter().find(|path| path.is_symlink())?;
        let rest = Path::new(path).strip_prefix(link).ok()?;
        let target = link.canonicalize().ok()?.join(rest);
        Some(target.to_str()?.trim_end_matches('/').to_owned())
    }

    fn list(&self, directory: &str) -> Answer<Vec<String>> {
        let directory = if directory.is_empty() { "." } else { directory };
        let Ok(entries) = std::fs::read_dir(directory) else {
            return Answer::NotChecked("the directory cannot be listed");
        };
        let name = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                return Some(name + "/");
            }
            entry.path().is_file().then_some(name)
        };
        Answer::Known(entries.flatten().filter_map(name).collect())
    }

    fn facts(&self, path: &str) -> Answer<FileFacts> {
        facts(Path::new(path)).map_or(Answer::NotChecked("the file cannot be looked at"), Answer::Known)
    }

    fn in_history(&self, path: &str) -> Answer<bool> {
        self.git.in_history(Path::new(path))
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
    if let Ok(mut file) = OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path) {
        file.seek(SeekFrom::End(-(meta.len().min(2) as i64)))?;
        file.take(2).read_to_end(&mut last)?;
    }
    let ending = Ending::of(&last);
    last.fill(0);
    let mode = meta.mode() & 0o7777;
    let owner = FileOwner { uid: meta.uid(), gid: meta.gid(), mode, open: mode & !closed_above(path) };
    Ok(FileFacts { size: meta.len(), ending, owner: Some(owner) })
}

/// The permission bits that the directories above a file take away: who cannot enter one reaches nothing in it.
fn closed_above(path: &Path) -> u32 {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut closed = 0;
    for mode in path.ancestors().skip(1).filter_map(|directory| Some(directory.metadata().ok()?.mode())) {
        closed |= if mode & 0o010 == 0 { 0o070 } else { 0 };
        closed |= if mode & 0o001 == 0 { 0o007 } else { 0 };
    }
    closed
}

fn standard_input() -> Result<String, ReadError> {
    String::from_utf8(all_of(&mut std::io::stdin(), 0)?).map_err(|_| ReadError::NotText)
}

fn read(path: &Path) -> Result<String, ReadError> {
    String::from_utf8(bytes(path)?).map_err(|_| ReadError::NotText)
}

/// What a file holds that may be read.
fn bytes(path: &Path) -> Result<Vec<u8>, ReadError> {
    let other = |error: std::io::Error| match error {
        error if is_missing(&error) => ReadError::Missing,
        error => ReadError::Other(error.to_string()),
    };
    if is_stream(path) {
        return all_of(&mut File::open(path).map_err(other)?, 0);
    }
    // Opening a FIFO waits for a writer, and a device may do anything: neither is opened. What is opened may have
    // become one since, so it is not waited for and looked at again.
    refuse_special(&std::fs::metadata(path).map_err(other)?)?;
    let file = OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path).map_err(other)?;
    let facts = file.metadata().map_err(other)?;
    refuse_special(&facts)?;
    all_of(&mut &file, facts.len())
}

/// Nothing can be there: below a file, too.
fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

const NONBLOCK: i32 = OFlags::NONBLOCK.bits() as i32;

/// What the shell hands over, as in `--env-file <(sops -d .env.enc)`. It is a FIFO, but one with a writer.
fn is_stream(path: &Path) -> bool {
    let given = ["/dev/fd", "/proc/self/fd"].map(Path::new);
    path == Path::new("/dev/stdin") || path.parent().is_some_and(|parent| given.contains(&parent))
}

/// Only regular files are read, and `/dev/null`, which people name for an empty file.
fn refuse_special(facts: &Metadata) -> Result<(), ReadError> {
    let kind = facts.file_type();
    let says = if facts.is_file() || (kind.is_char_device() && facts.rdev() == rustix::fs::makedev(1, 3)) {
        return Ok(());
    } else if facts.is_dir() {
        "it is a directory"
    } else if kind.is_fifo() {
        "it is a FIFO; cosec reads regular files"
    } else if kind.is_socket() {
        "it is a socket; cosec reads regular files"
    } else {
        "it is a device; cosec reads regular files"
    };
    Err(ReadError::Other(says.to_owned()))
}

/// All that a reader has, up to the limit; most likely so many bytes.
fn all_of(reader: &mut impl Read, size: u64) -> Result<Vec<u8>, ReadError> {
    // With room for what tells the end: the reader must not look for it in small steps.
    let mut bytes = Vec::with_capacity(size.min(LARGEST) as usize + 64);
    let read = reader.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| ReadError::Other(error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(ReadError::Other("it is larger than 64 MiB".to_owned()));
    }
    Ok(bytes)
}

/// A path from the root, as it is written: links and `..` stay.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
