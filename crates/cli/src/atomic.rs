//! Files are written whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

/// Mode of a file for its owner alone.
pub(crate) const PRIVATE: u32 = 0o600;

/// Mode of a file without secrets, made to be committed.
pub(crate) const SHARED: u32 = 0o644;

/// Puts new content in a file's place at once. Its owner, group and mode stay, a link stays a link, and who has
/// it open keeps the old content. A file that was not there gets `mode`.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    replace_here(&fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), bytes, mode)
}

/// [`replace`], with no link followed.
pub(crate) fn replace_here(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    replace_by_way_of(directory_of(path), path, bytes, mode)
}

/// [`replace`], with the new file made in `scratch`: a kill leaves what is half done there. On another file
/// system than the old one, `scratch` is of no use.
pub(crate) fn replace_from(scratch: &Path, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match replace_by_way_of(scratch, &path, bytes, mode) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            replace_by_way_of(directory_of(&path), &path, bytes, mode)
        }
        done => done,
    }
}

/// [`replace_here`], with the new file made in a directory beside the old one that git ignores: a kill leaves no value
/// behind that git would take, and the next call clears it away.
pub(crate) fn replace_unseen(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let scratch = directory_of(path).join(SCRATCH);
    create_directory(&scratch)?;
    if scratch.is_symlink() {
        let reason = format!("{SCRATCH} beside it is a symbolic link; remove it");
        return Err(Error::new(ErrorKind::InvalidInput, reason));
    }
    clear(&scratch);
    let ignore = scratch.join(".gitignore");
    // One that a kill has left may be empty.
    if fs::read(&ignore).ok().as_deref() != Some(ALL) {
        let _ = fs::remove_file(&ignore);
        match create(&ignore, ALL, PRIVATE) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let replaced = replace_by_way_of(&scratch, path, bytes, mode);
    let is_last = fs::read_dir(&scratch)?.flatten().all(|entry| entry.file_name() == ".gitignore");
    // Another one that is at work has its own file there, and clears up.
    if is_last {
        let _ = fs::remove_file(&ignore);
        let _ = fs::remove_dir(&scratch);
    }
    replaced
}

/// Where new values are written before they take the old ones' places.
const SCRATCH: &str = ".cosec-new";

/// All that is in a directory, itself included, as `.gitignore` says it.
const ALL: &[u8] = b"*\n";

/// Removes what killed processes have left.
fn clear(scratch: &Path) {
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_suffix(".new")?.rsplit_once('.'));
        if pid.is_some_and(|(_, pid)| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn replace_by_way_of(scratch: &Path, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = scratch.join(name);
    let (owner, mode) = match fs::metadata(path) {
        Ok(old) if old.is_file() => (Some((old.uid(), old.gid())), old.mode() & 0o7777),
        Ok(_) => return Err(Error::new(ErrorKind::InvalidInput, "it is no regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound => (owner_below(path)?, mode),
        Err(error) => return Err(error),
    };
    fill(&new, bytes, owner, mode)?;
    let renamed = fs::rename(&new, path);
    if renamed.is_err() {
        let _ = fs::remove_file(&new);
        return renamed;
    }
    keep_name(path);
    Ok(())
}

/// Makes a file; an error if anything has that name.
pub(crate) fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    fill(path, bytes, owner_below(path)?, mode)?;
    keep_name(path);
    Ok(())
}

/// Makes a directory for its owner alone; one that is there stays as it is.
pub(crate) fn create_directory(path: &Path) -> Result<()> {
    match std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => match owner_below(path)? {
            Some((uid, gid)) => std::os::unix::fs::lchown(path, Some(uid), Some(gid)),
            None => Ok(()),
        },
    }
}

/// A new file with all of its bytes on the disk, or none.
fn fill(path: &Path, bytes: &[u8], owner: Option<(u32, u32)>, mode: u32) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path)?;
    let filled = (|| {
        let ours = file.metadata()?;
        if let Some((uid, gid)) = owner.filter(|owner| *owner != (ours.uid(), ours.gid())) {
            match fchown(&file, Some(uid), Some(gid)) {
                // Of a file for its owner alone, the group has nothing either way.
                Err(error) if is_forbidden(&error) && uid == ours.uid() && mode | 0o7700 == 0o7700 => {}
                Err(error) if is_forbidden(&error) => return Err(not_to_be_kept(uid, gid)),
                changed => changed?,
            }
        }
        if mode != PRIVATE {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        file.write_all(bytes)?;
        file.sync_all()
    })();
    if filled.is_err() {
        let _ = fs::remove_file(path);
    }
    filled
}

fn is_forbidden(error: &Error) -> bool {
    error.kind() == ErrorKind::PermissionDenied
}

/// A user may give files only to groups of his own, and to no other user.
fn not_to_be_kept(uid: u32, gid: u32) -> Error {
    let reason = format!(
        "it belongs to {uid}:{gid}, and this user may make no file of that owner and group; `chgrp` it to a group of yours, or do this as root"
    );
    Error::new(ErrorKind::PermissionDenied, reason)
}

/// Whose a new file is: what root makes belongs to whom the directory belongs, as with `sudo` in a project.
fn owner_below(path: &Path) -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let directory = fs::metadata(directory_of(path))?;
    Ok(Some((directory.uid(), directory.gid())))
}

/// A new name outlives a loss of power, where the file system can promise that.
fn keep_name(path: &Path) {
    let _ = File::open(directory_of(path)).and_then(|directory| directory.sync_all());
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chown;

    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

    use super::*;

    /// Another user can be had by root alone.
    #[test]
    fn a_group_that_is_not_one_s_own_matters_only_where_it_may_read() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
        for (name, mode) in [("own", 0o600), ("shared", 0o640)] {
            fs::write(at(name), "before").unwrap();
            fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
            chown(at(name), Some(65534), Some(12345)).unwrap();
        }
        // Of this thread alone, with which its rights end.
        let as_nobody = || {
            set_thread_groups(&[]).unwrap();
            set_thread_gid(Gid::from_raw(65534)).unwrap();
            set_thread_uid(Uid::from_raw(65534)).unwrap();
            ["own", "shared"].map(|name| replace_unseen(&at(name), b"after", PRIVATE))
        };
        let [own, shared] = std::thread::scope(|scope| scope.spawn(as_nobody).join().unwrap());
        own.unwrap();
        assert_eq!(fs::metadata(at("own")).unwrap().mode() & 0o777, 0o600);
        let error = shared.unwrap_err().to_string();
        assert!(error.contains("belongs to 65534:12345") && error.contains("`chgrp`"), "{error}");
        let content = ["own", "shared"].map(|name| fs::read_to_string(at(name)).unwrap());
        assert_eq!(content, ["after", "before"]);
    }
}
