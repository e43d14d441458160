//! The file that a secret comes from, to be written: found by links that may be followed, and never by one that somebody
//! has put there for another user's rights.

use std::fs;
use std::io::{Error, ErrorKind, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cosec_fuse::Client;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use zeroize::Zeroizing;

use crate::disk::absolute;
use crate::failure::Failure;
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
        let place = resolved(path).map_err(cannot)?;
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
        let (path, directory) = held(&place).map_err(cannot)?;
        Ok(SourceFile { path, shown, _directory: directory })
    }

    /// Whether nothing is there.
    pub(crate) fn is_gone(&self) -> bool {
        fs::symlink_metadata(&self.path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
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
    Failure::Cannot(format!("cannot write {}: {error}; nothing was changed", path.display()))
}

/// Where a path leads. A link counts if it is root's, one's own, or of the owner of what it leads to: whoever else has
/// made it may not write there.
fn resolved(path: &Path) -> Result<PathBuf, Error> {
    let mut place = path.to_owned();
    for _ in 0..MOST_LINKS {
        let mut above: Vec<&Path> = place.ancestors().collect();
        above.reverse();
        let Some(link) = above.into_iter().find(|path| path.is_symlink()) else {
            // Without links `..` is what it looks like.
            return Ok(absolute(&place));
        };
        let to = fs::read_link(link)?;
        let leads = fs::metadata(link).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::other(format!(
                "{} is a symbolic link to {}, where nothing is; put a file there, or remove the link",
                link.display(),
                to.display()
            )),
            _ => error,
        })?;
        let owner = fs::symlink_metadata(link)?.uid();
        if ![0, rustix::process::geteuid().as_raw(), leads.uid()].contains(&owner) {
            return Err(Error::other(format!(
                "{} is a symbolic link of another user than the owner of what it leads to; put the file itself there",
                link.display()
            )));
        }
        let rest = place.strip_prefix(link).unwrap_or(Path::new(""));
        let target = link.parent().unwrap_or(Path::new("/")).join(to);
        place = if rest.as_os_str().is_empty() { target } else { target.join(rest) };
    }
    Err(Error::other("it is a loop of symbolic links"))
}

/// A name of a file that leads through its open directory. That must be there, and still be where it was.
fn held(place: &Path) -> Result<(PathBuf, OwnedFd), Error> {
    let (Some(directory), Some(name)) = (place.parent(), place.file_name()) else {
        return Err(Error::other("it is a directory"));
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = rustix::fs::open(directory, flags, Mode::empty()).map_err(|error| match error {
        rustix::io::Errno::NOENT => {
            Error::other(format!("the directory {} does not exist; make it", directory.display()))
        }
        error => error.into(),
    })?;
    let there = fs::read_link(format!("/proc/self/fd/{}", open.as_raw_fd()))?;
    if there != directory {
        return Err(Error::other("its directory is being replaced; try again"));
    }
    Ok((mounts::past_mount(&open, Path::new(name)), open))
}

/// The same for a file beneath a mount. What is mounted there hides the links, so none counts.
fn beneath(underlay: &OwnedFd, inside: &Path) -> Result<(PathBuf, OwnedFd), Error> {
    let name = Path::new(inside.file_name().ok_or_else(|| Error::other("it is a directory"))?);
    let directory = inside.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let no_links = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let link = || Error::other("it is a symbolic link, which is not followed there");
    let open =
        rustix::fs::openat2(underlay, directory, flags, Mode::empty(), no_links).map_err(
            |error| match error {
                rustix::io::Errno::LOOP => link(),
                error => error.into(),
            },
        )?;
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
        symlink("secrets/roots", at("twice")).unwrap();
        for refused in ["secrets/roots", "secrets/others", "moved/roots", "twice"] {
            let error = write(&at(refused), b"after").unwrap_err();
            assert!(error.contains("is a symbolic link of another user"), "{error}");
        }
        assert_eq!(fs::read(at("etc/roots")).unwrap(), b"before", "world-readable, and not to be written");
        assert_eq!(fs::read(at("etc/others")).unwrap(), b"before");
        write(&at("secrets/users"), b"after").unwrap();
        assert_eq!(fs::read(at("etc/users")).unwrap(), b"after");
        assert!(at("secrets/users").is_symlink(), "a link stays a link");
        lchown(at("secrets/roots"), Some(0), Some(0)).unwrap();
        write(&at("twice"), b"after").unwrap();
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
        assert!(held(&at("secrets/pw")).is_err(), "nor is one that was judged before");
    }
}
