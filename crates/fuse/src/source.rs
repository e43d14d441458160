//! Reading a secret's file: never blocking, never half of it.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open};
use rustix::io::Errno;

use crate::memory::SecretBytes;

/// Why a file cannot be a secret's source. One sentence each, with what to do next; no content.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing there.
    #[error("{} does not exist; create it, or correct the path", .0.display())]
    Missing(PathBuf),
    /// A directory.
    #[error("{} is a directory; name a file", .0.display())]
    Directory(PathBuf),
    /// A FIFO, socket or device.
    #[error("{} is no regular file (a FIFO, socket or device); name a regular file", .0.display())]
    Special(PathBuf),
    /// Symbolic links in a circle.
    #[error("{} is a loop of symbolic links; make it point to a file", .0.display())]
    Loop(PathBuf),
    /// Not readable for this user.
    #[error("{} may not be read by this user; change its owner or mode", .0.display())]
    Permission(PathBuf),
    /// Too large.
    #[error("{} is larger than {limit} bytes, the most a secret may have", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// It changed while it was read, again and again.
    #[error("{} changes all the time; write it by renaming a finished file over it", .0.display())]
    Unstable(PathBuf),
    /// Anything else.
    #[error("{} cannot be read: {error}", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// The system's word.
        error: std::io::Error,
    },
}

/// FAT keeps times in steps of two seconds, NFS and ext3 in one, the others in a few milliseconds.
const TICK: i64 = 2;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        Stamp {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
        }
    }

    /// The stamp of what lies at a path now.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        rustix::fs::stat(path).ok().map(|stat| Stamp::of(&stat))
    }

    /// Whether a later change is certain to leave another stamp. File systems count time in ticks of up to
    /// two seconds: a second change within the tick of the first may look like none.
    pub(crate) fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let newest = self.modified.max(self.changed).0;
        // A time in the future settles nothing.
        i64::try_from(now.as_secs()).is_ok_and(|now| newest.saturating_add(TICK) < now)
    }

    pub(crate) fn numbers(&self) -> [u64; 7] {
        [
            self.device,
            self.inode,
            self.size as u64,
            self.modified.0 as u64,
            self.modified.1 as u64,
            self.changed.0 as u64,
            self.changed.1 as u64,
        ]
    }

    pub(crate) fn from_numbers(numbers: [u64; 7]) -> Self {
        let [device, inode, size, modified, modified_ns, changed, changed_ns] = numbers;
        Stamp {
            device,
            inode,
            size: size as i64,
            modified: (modified as i64, modified_ns as i64),
            changed: (changed as i64, changed_ns as i64),
        }
    }
}

/// Whether a file can be served: it exists, is regular, readable and not too large.
pub fn check_source(path: &Path, max_size: u64) -> Result<(), SourceError> {
    open_regular(path, max_size).map(|_| ())
}

/// Reads a file as it stood at one moment.
pub(crate) fn read(path: &Path, max_size: u64) -> Result<(SecretBytes, Stamp), SourceError> {
    for _ in 0..8 {
        let (file, before) = open_regular(path, max_size)?;
        let other = |error| SourceError::Other { path: path.to_owned(), error };
        // Straight into locked memory, with room for one byte more, which would tell that the file grew.
        let bytes = SecretBytes::read(&file, before.st_size as usize + 1).map_err(other)?;
        let after = fstat(file.as_fd()).map_err(|error| other(error.into()))?;
        if Stamp::of(&before) == Stamp::of(&after) && bytes.len() as i64 == after.st_size {
            return Ok((bytes, Stamp::of(&after)));
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Err(SourceError::Unstable(path.to_owned()))
}

fn open_regular(path: &Path, max_size: u64) -> Result<(File, Stat), SourceError> {
    let own = || path.to_owned();
    // O_NONBLOCK: a FIFO without a writer would block for ever.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = open(path, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOENT => SourceError::Missing(own()),
        Errno::LOOP => SourceError::Loop(own()),
        Errno::ACCESS | Errno::PERM => SourceError::Permission(own()),
        Errno::NXIO => SourceError::Special(own()),
        error => SourceError::Other { path: own(), error: error.into() },
    })?;
    let stat =
        fstat(file.as_fd()).map_err(|error| SourceError::Other { path: own(), error: error.into() })?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(SourceError::Directory(own())),
        _ => return Err(SourceError::Special(own())),
    }
    if stat.st_size as u64 > max_size {
        return Err(SourceError::TooLarge { path: own(), limit: max_size });
    }
    Ok((file.into(), stat))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_told_apart_and_nothing_blocks() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("empty"), "").unwrap();
        std::fs::write(at("large"), [0; 11]).unwrap();
        std::os::unix::fs::symlink(at("loop"), at("loop")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let check = |name: &str| check_source(&at(name), 10);
        assert!(check("empty").is_ok());
        assert!(matches!(check("none"), Err(SourceError::Missing(_))));
        assert!(matches!(check(""), Err(SourceError::Directory(_))));
        assert!(matches!(check("fifo"), Err(SourceError::Special(_))));
        assert!(matches!(check("loop"), Err(SourceError::Loop(_))));
        assert!(matches!(check("large"), Err(SourceError::TooLarge { .. })));
    }
}
