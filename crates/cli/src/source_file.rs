//! The file that a secret comes from, to be written: found by links that may be followed, and never by one that somebody
//! has put there for another user's rights.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io::{Error, ErrorKind, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use cosec_fuse::Client;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::failure::{self, Failure};
use crate::outdated::changed_at;
use crate::runtime::Runtime;
use crate::{atomic, mounts};

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// A file, and the directory that it lies in, held open: nobody puts another one in that one's place meanwhile.
pub(crate) struct SourceFile {
    /// By way of the open directory.
    path: PathBuf,
    /// As the user knows it.
    shown: PathBuf,
    _directory: OwnedFd,
}

impl SourceFile {
    /// Finds a file that may be gone; its directory may not. Where a mount of ours is, it is what lies beneath.
    pub(crate) fn find(project: &str, path: &Path) -> Result<Self, Failure> {
        let cannot = |error| cannot_write(path, &error);
        let (directory, name) = walk(path).map_err(cannot)?;
        let place = place(&directory).map_err(cannot)?.join(&name);
        let shown = path.to_owned();
        for runtime in Runtime::mounts(project)?.into_iter().rev() {
            if let Ok(inside) = place.strip_prefix(runtime.mount_point())
                && let Ok(mut client) = Client::connect(runtime.directory())
            {
                let directory = client.underlay().map_err(|error| Failure::Cannot(error.to_string()))?;
                let (path, directory) = beneath(&directory, inside).map_err(cannot)?;
                return Ok(SourceFile { path, shown, _directory: directory });
            }
        }
        let path = mounts::past_mount(&directory, Path::new(&name));
        Ok(SourceFile { path, shown, _directory: directory })
    }

    /// Whether nothing is there.
    pub(crate) fn is_gone(&self) -> bool {
        fs::symlink_metadata(&self.path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    /// When it has last changed, its name included.
    pub(crate) fn changed(&self) -> Option<SystemTime> {
        changed_at(&self.path)
    }

    /// Whether it is there and has just this content.
    pub(crate) fn holds(&self, value: &[u8]) -> bool {
        let there = fs::symlink_metadata(&self.path);
        if !there.is_ok_and(|there| there.is_file() && there.len() == value.len() as u64) {
            return false;
        }
        let mut content = Zeroizing::new(vec![0; value.len()]);
        let read = fs::File::open(&self.path).and_then(|mut file| file.read_exact(&mut content));
        read.is_ok() && *content == value
    }

    /// Puts a new file in the old one's place, of the same owner and mode. Who has the old one open keeps it. One that
    /// was gone is its owner's alone.
    pub(crate) fn write(&self, value: &[u8]) -> Result<(), Failure> {
        atomic::replace_unseen(&self.path, value, atomic::PRIVATE)
            .map_err(|error| cannot_write(&self.shown, &error))
    }
}

fn cannot_write(path: &Path, error: &Error) -> Failure {
    if failure::is_dead_mount(error) {
        return failure::dead_mount(path);
    }
    Failure::Cannot(format!("cannot write {}: {error}; nothing was changed", path.display()))
}

/// A link on the way, and whose it is.
struct Link {
    path: PathBuf,
    to: PathBuf,
    owner: u32,
}

/// What is still to be done on the way to a file.
enum Step {
    Root,
    Up,
    Name(OsString),
    /// A link has led to where one is now.
    Led(Link),
}

/// Goes to where a path leads, from directory to directory, each held open, so that nothing can be swapped behind one's
/// back: the last directory, and the file's name there. A link counts if it is root's, one's own, or of the owner of
/// what it leads to: whoever else has made it may not write there.
fn walk(path: &Path) -> Result<(OwnedFd, OsString), Error> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = || rustix::fs::open("/", flags | OFlags::DIRECTORY, Mode::empty());
    let mut directory = root()?;
    let mut ahead: VecDeque<Step> = steps(path).collect();
    let mut links = 0;
    while let Some(step) = ahead.pop_front() {
        let name = match step {
            Step::Root => {
                directory = root()?;
                continue;
            }
            Step::Up => {
                directory = openat(&directory, "..", flags | OFlags::DIRECTORY, Mode::empty())?;
                continue;
            }
            Step::Led(link) => {
                judge(&link, fstat(&directory)?.st_uid)?;
                continue;
            }
            Step::Name(name) => name,
        };
        let is_last = ahead.iter().all(|step| matches!(step, Step::Led(_)));
        let there = match openat(&directory, &name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return missing(directory, name, is_last, ahead),
            opened => opened?,
        };
        let facts = fstat(&there)?;
        match FileType::from_raw_mode(facts.st_mode) {
            FileType::Symlink => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Error::other("it is a loop of symbolic links"));
                }
                // Of this very link, whatever has its name by now.
                let to = OsString::from_vec(readlinkat(&there, "", Vec::new())?.into_bytes());
                let to = PathBuf::from(to);
                let path = place(&directory)?.join(&name);
                ahead.push_front(Step::Led(Link { path, to: to.clone(), owner: facts.st_uid }));
                let more: Vec<Step> = steps(&to).collect();
                more.into_iter().rev().for_each(|step| ahead.push_front(step));
            }
            FileType::Directory if !is_last => directory = there,
            _ if !is_last => return Err(Errno::NOTDIR.into()),
            _ => {
                for step in &ahead {
                    if let Step::Led(link) = step {
                        judge(link, facts.st_uid)?;
                    }
                }
                return Ok((directory, name));
            }
        }
    }
    Err(Error::other("it is a directory"))
}

fn steps(path: &Path) -> impl Iterator<Item = Step> {
    path.components().filter_map(|component| match component {
        Component::RootDir => Some(Step::Root),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Name(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    })
}

fn judge(link: &Link, leads_to_ones_of: u32) -> Result<(), Error> {
    if [0, rustix::process::geteuid().as_raw(), leads_to_ones_of].contains(&link.owner) {
        return Ok(());
    }
    Err(Error::other(format!(
        "{} is a symbolic link of another user than the owner of what it leads to; put the file itself there",
        link.path.display()
    )))
}

/// Nothing has that name: a new file may, but a directory may not be made, nor where a link leads.
fn missing(
    directory: OwnedFd,
    name: OsString,
    is_last: bool,
    ahead: VecDeque<Step>,
) -> Result<(OwnedFd, OsString), Error> {
    let link = ahead.into_iter().find_map(|step| match step {
        Step::Led(link) => Some(link),
        _ => None,
    });
    match link {
        Some(link) => Err(Error::other(format!(
            "{} is a symbolic link to {}, where nothing is; put a file there, or remove the link",
            link.path.display(),
            link.to.display()
        ))),
        None if is_last => Ok((directory, name)),
        None => Err(Error::other(format!(
            "the directory {} does not exist; make it",
            place(&directory)?.join(name).display()
        ))),
    }
}

/// Where an open directory lies now.
fn place(directory: &OwnedFd) -> Result<PathBuf, Error> {
    fs::read_link(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

/// The way to a file beneath a mount. What is mounted there hides the links, so none counts.
fn beneath(underlay: &OwnedFd, inside: &Path) -> Result<(PathBuf, OwnedFd), Error> {
    let name = Path::new(inside.file_name().ok_or_else(|| Error::other("it is a directory"))?);
    let directory = inside.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let no_links = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let link = || Error::other("it is a symbolic link, which is not followed there");
    let open = openat2(underlay, directory, flags, Mode::empty(), no_links).map_err(|error| match error {
        Errno::LOOP => link(),
        error => error.into(),
    })?;
    let path = mounts::past_mount(&open, name);
    if path.is_symlink() { Err(link()) } else { Ok((path, open)) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    use super::*;

    fn write(path: &Path, value: &[u8]) -> Result<(), String> {
        let found = SourceFile::find("none-of-this-name", path);
        found.and_then(|file| file.write(value)).map_err(|error| error.to_string())
    }

    /// Links of several owners can be made by root alone.
    #[test]
    fn no_user_has_root_write_where_he_may_not_by_a_link_to_a_file_or_a_directory() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| fs::canonicalize(directory.path()).unwrap().join(name);
        fs::create_dir(at("secrets")).unwrap();
        fs::create_dir(at("etc")).unwrap();
        for (file, owner) in [("etc/roots", 0), ("etc/users", 1000), ("etc/others", 1001)] {
            fs::write(at(file), "before").unwrap();
            chown(at(file), Some(owner), Some(owner)).unwrap();
            let link = at("secrets").join(file.trim_start_matches("etc/"));
            symlink(at(file), &link).unwrap();
            lchown(&link, Some(1000), Some(1000)).unwrap();
        }
        symlink(at("etc"), at("moved")).unwrap();
        lchown(at("moved"), Some(1000), Some(1000)).unwrap();
        symlink("secrets/../secrets/roots", at("twice")).unwrap();
        for refused in ["secrets/roots", "secrets/others", "moved/roots", "twice"] {
            let error = write(&at(refused), b"after").unwrap_err();
            assert!(error.contains("is a symbolic link of another user"), "{error}");
        }
        assert_eq!(fs::read(at("etc/roots")).unwrap(), b"before", "world-readable, and not to be written");
        assert_eq!(fs::read(at("etc/others")).unwrap(), b"before");
        write(&at("secrets/users"), b"after").unwrap();
        assert_eq!(fs::read(at("etc/users")).unwrap(), b"after");
        assert!(at("secrets/users").is_symlink(), "a link stays a link");
        fs::remove_file(at("secrets/roots")).unwrap();
        symlink("../secrets/../etc/roots", at("secrets/roots")).unwrap();
        write(&at("etc/../twice"), b"after").unwrap();
        assert_eq!(fs::read(at("etc/roots")).unwrap(), b"after");
    }

    #[test]
    fn a_file_that_is_gone_is_made_anew_for_its_owner_alone_and_a_link_to_nothing_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| fs::canonicalize(directory.path()).unwrap().join(name);
        let found = SourceFile::find("none-of-this-name", &at("pw")).unwrap();
        assert!(found.is_gone() && !found.holds(b""));
        found.write(b"value").unwrap();
        assert_eq!(fs::metadata(at("pw")).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!found.is_gone() && found.holds(b"value") && !found.holds(b"other"));
        symlink("nowhere", at("dangling")).unwrap();
        symlink("circle", at("circle")).unwrap();
        let refused = |name: &str, why: &str| {
            let error = write(&at(name), b"value").unwrap_err();
            assert!(error.contains(why) && error.contains("nothing was changed"), "{error}");
        };
        refused("dangling", "dangling is a symbolic link to nowhere, where nothing is");
        refused("circle", "");
        refused("missing/pw", "missing does not exist; make it");
        refused("pw/below", "");
        fs::create_dir(at("directory")).unwrap();
        refused("directory", "no regular file");
        assert!(!at("nowhere").exists() && !at(".cosec-new").exists());
        symlink(at("directory"), at(".cosec-new")).unwrap();
        fs::write(at("directory/.gitignore"), "mine").unwrap();
        refused("pw", ".cosec-new beside it is a symbolic link; remove it");
        assert_eq!(fs::read(at("directory/.gitignore")).unwrap(), b"mine");
    }

    #[test]
    fn a_directory_that_is_swapped_for_a_link_meanwhile_is_not_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| fs::canonicalize(directory.path()).unwrap().join(name);
        for name in ["secrets", "etc"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("pw"), "before").unwrap();
        }
        let found = SourceFile::find("none-of-this-name", &at("secrets/pw")).unwrap();
        fs::rename(at("secrets"), at("earlier")).unwrap();
        symlink(at("etc"), at("secrets")).unwrap();
        found.write(b"after").unwrap();
        assert_eq!(fs::read(at("etc/pw")).unwrap(), b"before");
        assert_eq!(fs::read(at("earlier/pw")).unwrap(), b"after");
    }
}
