//! Reading a secret's file: never blocking, never half of it.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat2};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::memory::SecretBytes;
use crate::spec::Source;

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
    /// Beneath a mount of cosec's own, a symbolic link that leads out of the file system: it might lead back in.
    #[error("{} leads to another file system; put the file itself there", .0.display())]
    Elsewhere(PathBuf),
    /// A symbolic link of one user's to a file of another's.
    #[error("{} is a symbolic link of another user than the file it leads to; put the file itself there", .0.display())]
    ForeignLink(PathBuf),
    /// No env file, or one that does not set the variable.
    #[error("{} does not set {name}, or is no env file; correct it", .path.display())]
    NoVariable {
        /// The file, the last of several.
        path: PathBuf,
        /// The variable.
        name: String,
    },
    /// Not readable for this user.
    #[error("{} may not be read by this user; change its owner or mode", .0.display())]
    Permission(PathBuf),
    /// Too large.
    #[error("{} is larger than {limit} bytes, the most a secret may have (`[serve] max-size` in cosec.toml)", .path.display())]
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

    /// One stamp for several files, which changes when one of theirs does.
    fn and(self, other: Stamp) -> Self {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mix = |one: u64, two: u64| one.wrapping_mul(ODD).wrapping_add(two);
        let (older, newer) = if self.changed < other.changed { (self, other) } else { (other, self) };
        Stamp {
            device: mix(self.device, other.device),
            inode: mix(self.inode, other.inode),
            size: mix(self.size as u64, other.size as u64) as i64,
            modified: newer.modified.max(older.modified),
            // The seconds tell whether it is settled; the rest is free to tell the older one too.
            changed: (newer.changed.0, mix(older.changed.1 as u64, newer.changed.1 as u64) as i64),
        }
    }

    /// Whether both are states of one file, and not of two of which one has taken the other's place.
    pub(crate) fn is_same_file(&self, other: &Stamp) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// How long nobody has written to it; nothing if that lies in the future.
    fn rest(&self) -> Option<Duration> {
        let (seconds, nanoseconds) = self.changed;
        // Those of several files are none; then the second it was in has to be over.
        let nanoseconds = u32::try_from(nanoseconds).ok().filter(|part| *part < 1_000_000_000);
        let since = Duration::new(seconds.try_into().ok()?, nanoseconds.unwrap_or(999_999_999));
        SystemTime::now().duration_since(UNIX_EPOCH).ok()?.checked_sub(since)
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

/// Finds a variable's value in the texts of env files, of which the last to set it counts.
pub type FindVariable = fn(texts: &[&[u8]], name: &str) -> Option<Zeroizing<Vec<u8>>>;

/// A file that is being written in place: since when, its last state, and since when it has been that.
#[derive(Default)]
pub(crate) struct Writing(Option<(Instant, Stamp, Instant)>);

impl Writing {
    /// A writer that opens a file, empties it and writes it needs less between two of its steps.
    pub(crate) const PAUSE: Duration = Duration::from_millis(40);

    /// `pwgen 32 > file` makes an empty file first, and the program takes its time.
    const EMPTY_PAUSE: Duration = Duration::from_secs(1);

    /// Who writes for longer than this is told so.
    const LONG: Duration = Duration::from_secs(1);

    /// Whether a file whose content is known as of `then` is still being written, as far as one can tell: it is the same
    /// file, or an empty one in its place, and has not been at rest for a while.
    pub(crate) fn goes_on(&mut self, now: Stamp, then: Stamp, had_content: bool) -> bool {
        let is_emptied = now.size == 0 && had_content;
        let pause = if is_emptied { Self::EMPTY_PAUSE } else { Self::PAUSE };
        let is_replaced = !now.is_same_file(&then) && !is_emptied;
        let is_at_rest = now.rest().map_or(now == then, |rest| rest >= pause);
        if is_replaced || is_at_rest {
            self.0 = None;
            return false;
        }
        // Its clock may be another one than ours, and ahead.
        let since = match self.0 {
            Some((_, stamp, since)) if stamp == now => since,
            _ => Instant::now(),
        };
        let began = self.0.map_or(since, |(began, ..)| began);
        let goes_on = since.elapsed() < pause;
        self.0 = goes_on.then_some((began, now, since));
        goes_on
    }

    /// Whether it was, when it was last looked at.
    pub(crate) fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// Whether it never comes to rest.
    pub(crate) fn is_long(&self) -> bool {
        self.0.is_some_and(|(began, ..)| began.elapsed() > Self::LONG)
    }
}

/// A source, and how to get at it.
pub(crate) enum Place {
    /// A file.
    File(PathBuf),
    /// A file beneath the mount.
    Beneath { underlay: Arc<Underlay>, path: PathBuf },
    /// A variable of env files.
    Variable { files: Vec<PathBuf>, name: String, find: FindVariable },
}

/// The directory that is mounted over.
pub(crate) struct Underlay {
    /// It as it was before the mount.
    pub(crate) directory: OwnedFd,
    pub(crate) mountpoint: PathBuf,
}

impl Underlay {
    /// Opens what lies at a path below it. Never by way of the mount itself, where nobody might answer but us.
    fn open(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let within = ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
        openat2(&self.directory, path, flags | OFlags::CLOEXEC, Mode::empty(), within)
    }

    /// A name for a directory below it that leads past the mount, and what it is valid as long as.
    pub(crate) fn reach(&self, path: &Path) -> rustix::io::Result<(OwnedFd, PathBuf)> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let directory = self.open(path, OFlags::PATH | OFlags::DIRECTORY)?;
        let name = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        Ok((directory, name))
    }
}

impl Place {
    /// Nothing for a held value, which has none.
    pub(crate) fn of(source: &Source, underlay: &Arc<Underlay>, find: FindVariable) -> Option<Self> {
        Some(match source {
            Source::File(path) => Place::File(path.clone()),
            Source::Beneath(path) => Place::Beneath { underlay: Arc::clone(underlay), path: path.clone() },
            Source::Variable { files, name } => {
                Place::Variable { files: files.clone(), name: name.clone(), find }
            }
            Source::Held(_) => return None,
        })
    }

    /// The stamp of what lies there now.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        match self {
            Place::File(path) => Stamp::at(path),
            Place::Beneath { underlay, path } => {
                let file = underlay.open(path, OFlags::PATH).ok()?;
                fstat(&file).ok().map(|stat| Stamp::of(&stat))
            }
            Place::Variable { files, .. } => {
                let mut stamps = files.iter().map(|file| Stamp::at(file).unwrap_or_default());
                let first = stamps.next()?;
                Some(stamps.fold(first, Stamp::and))
            }
        }
    }

    /// The file, for messages; the last of several.
    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Place::File(path) => path.clone(),
            Place::Beneath { underlay, path } => underlay.mountpoint.join(path),
            Place::Variable { files, .. } => files.last().cloned().unwrap_or_default(),
        }
    }

    /// Reads it as it stood at one moment.
    pub(crate) fn read(&self, max_size: u64) -> Result<(SecretBytes, Stamp), SourceError> {
        match self {
            Place::File(path) => read(path, || open_at(path), max_size),
            Place::Beneath { underlay, path } => {
                let open = || {
                    let file = underlay.open(path, READ)?;
                    let stat = fstat(&file)?;
                    Ok((file, stat))
                };
                read(&self.file(), open, max_size)
            }
            Place::Variable { files, name, find } => {
                let mut texts = Vec::with_capacity(files.len());
                let mut stamp: Option<Stamp> = None;
                for file in files {
                    // An env file may be larger than one secret of it.
                    let (text, one) = read(file, || open_at(file), LARGEST_ENV_FILE)?;
                    texts.push(text);
                    stamp = Some(stamp.map_or(one, |others| others.and(one)));
                }
                let path = || self.file();
                let missing = || SourceError::NoVariable { path: path(), name: name.clone() };
                let slices: Vec<&[u8]> = texts.iter().map(SecretBytes::expose).collect();
                let value = find(&slices, name).ok_or_else(missing)?;
                if value.len() as u64 > max_size {
                    return Err(SourceError::TooLarge { path: path(), limit: max_size });
                }
                let bytes =
                    SecretBytes::new(&value).map_err(|error| SourceError::Other { path: path(), error })?;
                Ok((bytes, stamp.ok_or_else(missing)?))
            }
        }
    }
}

/// An env file holds more than secrets, but no more than this.
const LARGEST_ENV_FILE: u64 = 4 << 20;

/// Whether a file can be served: it exists, is regular, readable and not too large.
pub fn check_source(path: &Path, max_size: u64) -> Result<(), SourceError> {
    open_regular(path, || open_at(path), max_size).map(|_| ())
}

fn read(
    path: &Path,
    open: impl Fn() -> rustix::io::Result<(OwnedFd, Stat)>,
    max_size: u64,
) -> Result<(SecretBytes, Stamp), SourceError> {
    for _ in 0..8 {
        let (file, before) = open_regular(path, &open, max_size)?;
        let other = |error| SourceError::Other { path: path.to_owned(), error };
        // Straight into locked memory, with room for one byte more, which would tell that the file grew.
        let bytes = SecretBytes::read(&file, before.st_size as usize + 1).map_err(other)?;
        let after = fstat(file.as_fd()).map_err(|error| other(error.into()))?;
        if Stamp::of(&before) == Stamp::of(&after) && bytes.len() as i64 == after.st_size {
            return Ok((bytes, Stamp::of(&after)));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err(SourceError::Unstable(path.to_owned()))
}

/// O_NONBLOCK: a FIFO without a writer would block for ever.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);

/// Opens a file. Not by a link that somebody without rights to the file has put there for us, who may have them
/// (as `fs.protected_symlinks` has it for /tmp).
fn open_at(path: &Path) -> rustix::io::Result<(OwnedFd, Stat)> {
    for _ in 0..8 {
        let file = open(path, READ, Mode::empty())?;
        let there = fstat(&file)?;
        let Ok(link) = std::fs::symlink_metadata(path) else { continue };
        if !link.is_symlink() {
            if (link.dev(), link.ino()) == (there.st_dev, there.st_ino) {
                return Ok((file, there));
            }
            // Replaced between the two looks.
            continue;
        }
        let trusted = [0, there.st_uid, rustix::process::geteuid().as_raw()].contains(&link.uid());
        let for_all = there.st_mode & 0o004 != 0;
        return if trusted || for_all { Ok((file, there)) } else { Err(Errno::REMOTE) };
    }
    Err(Errno::AGAIN)
}

fn open_regular(
    path: &Path,
    open: impl Fn() -> rustix::io::Result<(OwnedFd, Stat)>,
    max_size: u64,
) -> Result<(File, Stat), SourceError> {
    let own = || path.to_owned();
    let (file, stat) = open().map_err(|error| match error {
        Errno::XDEV => SourceError::Elsewhere(own()),
        Errno::REMOTE => SourceError::ForeignLink(own()),
        Errno::AGAIN => SourceError::Unstable(own()),
        Errno::NOENT => SourceError::Missing(own()),
        Errno::LOOP => SourceError::Loop(own()),
        Errno::ACCESS | Errno::PERM => SourceError::Permission(own()),
        Errno::NXIO => SourceError::Special(own()),
        error => SourceError::Other { path: own(), error: error.into() },
    })?;
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
    fn a_file_whose_clock_is_ahead_comes_to_rest_by_ours() {
        let ahead = Stamp { changed: (i64::MAX >> 8, 0), size: 1, ..Stamp::default() };
        let then = Stamp { size: 2, ..ahead };
        let mut writing = Writing::default();
        assert!(writing.goes_on(ahead, then, true));
        std::thread::sleep(Writing::PAUSE);
        assert!(!writing.goes_on(ahead, then, true) && !writing.is_known());
        // It is known by now.
        assert!(!writing.goes_on(ahead, ahead, true) && !writing.is_known());
    }

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
