//! Mounting and unmounting: by mount(2) where we may, by fusermount3 where we may not.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType, recvmsg,
    socketpair,
};

use crate::spec::MountKind;

/// Why nothing was mounted. One sentence each, with what to do next.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// No /dev/fuse.
    #[error(
        "there is no /dev/fuse; load the module with `modprobe fuse`, or give the container --device /dev/fuse"
    )]
    NoDevice,
    /// /dev/fuse may not be opened.
    #[error("/dev/fuse may not be opened by this user; its mode should be 0666")]
    DevicePermission,
    /// mount(2) said no.
    #[error("this user may not mount; run as root, or install fuse3 for fusermount3")]
    Permission,
    /// Nothing there.
    #[error("the mount point {} does not exist; create it with `mkdir -p {}`", .0.display(), .0.display())]
    Missing(PathBuf),
    /// No directory there.
    #[error("the mount point {} is no directory; name an empty one", .0.display())]
    NoDirectory(PathBuf),
    /// Something is mounted there.
    #[error("something is mounted at {} already; unmount it with `umount -l {}`", .0.display(), .0.display())]
    Busy(PathBuf),
    /// A server of ours serves there.
    #[error("secrets are served at {} already, by another project or under another name; `cosec umount {}` ends that", .0.display(), .0.display())]
    Served(PathBuf),
    /// Somebody is at work there.
    #[error("{} is in use: a program works in it or has a file of it open; end that, or unmount it with --force", .0.display())]
    InUse(PathBuf),
    /// A FUSE mount whose server is gone.
    #[error("a mount whose server is gone is in the way at {}; unmount it with `cosec umount` or `umount -l {}`", .0.display(), .0.display())]
    Stale(PathBuf),
    /// fusermount3 does not let others in.
    #[error(
        "containers could not see the secrets: /etc/fuse.conf lacks the line `user_allow_other`; add it, or run as root"
    )]
    NoAllowOther,
    /// fusermount3 is missing.
    #[error("fusermount3 is missing; install the package fuse3")]
    NoFusermount,
    /// Anything else.
    #[error("cannot mount at {}: {cause}", .path.display())]
    Other {
        /// The mount point.
        path: PathBuf,
        /// The system's or fusermount3's word.
        cause: String,
    },
}

/// Mounts and gives the connection to the kernel. The first request on it, INIT, is not read yet.
pub(crate) fn mount(point: &Path, kind: MountKind) -> Result<OwnedFd, MountError> {
    if is_mounted(point) {
        return Err(if is_dead(point) {
            MountError::Stale(point.to_owned())
        } else if is_ours(point) {
            MountError::Served(point.to_owned())
        } else {
            MountError::Busy(point.to_owned())
        });
    }
    match std::fs::metadata(point) {
        Ok(facts) if facts.is_dir() => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(MountError::Missing(point.to_owned()));
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotADirectory => return Err(other(point, error)),
        _ => return Err(MountError::NoDirectory(point.to_owned())),
    }
    if kind == MountKind::Private || rustix::process::geteuid().is_root() {
        direct(point)
    } else {
        by_fusermount(point)
    }
}

fn direct(point: &Path) -> Result<OwnedFd, MountError> {
    let device = rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let device = device.map_err(|error| match error {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => MountError::NoDevice,
        Errno::ACCESS | Errno::PERM => MountError::DevicePermission,
        error => other(point, error),
    })?;
    // No default_permissions: denied opens must reach us to be written down.
    let options = format!(
        "fd={},rootmode=40000,user_id={},group_id={},allow_other",
        device.as_raw_fd(),
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw()
    );
    let options = CString::new(options).map_err(|error| other(point, error))?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("cosec", point, "fuse.cosec", flags, Some(options.as_c_str())).map_err(|error| {
        match error {
            Errno::PERM | Errno::ACCESS => MountError::Permission,
            Errno::NODEV => MountError::NoDevice,
            error => other(point, error),
        }
    })?;
    Ok(device)
}

/// fusermount3 mounts for us and sends the connection through a socket.
fn by_fusermount(point: &Path) -> Result<OwnedFd, MountError> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(|error| other(point, error))?;
    // The program must inherit its end, under the number that it is told.
    rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty()).map_err(|error| other(point, error))?;
    let output = Command::new("fusermount3")
        .args(["-o", "ro,nosuid,nodev,noexec,allow_other,fsname=cosec,subtype=cosec", "--"])
        .arg(point)
        .env("_FUSE_COMMFD", theirs.as_raw_fd().to_string())
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => MountError::NoFusermount,
            _ => other(point, error),
        })?;
    drop(theirs);
    if !output.status.success() {
        let cause = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(if cause.contains("user_allow_other") {
            MountError::NoAllowOther
        } else if cause.contains("No such file") && cause.contains("/dev/fuse") {
            MountError::NoDevice
        } else {
            other(point, cause)
        });
    }
    let mut byte = [0];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&ours, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        .map_err(|error| other(point, error))?;
    let received = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    received.ok_or_else(|| other(point, "fusermount3 sent no descriptor"))
}

#[allow(clippy::needless_pass_by_value, reason = "callers hand over errors of several types")]
fn other(path: &Path, cause: impl ToString) -> MountError {
    MountError::Other { path: path.to_owned(), cause: cause.to_string() }
}

/// Whether something is mounted at a path. Asks the mount table, so that a dead mount cannot hang it.
pub fn is_mounted(point: &Path) -> bool {
    topmost(point).is_some()
}

/// Whether a mount of cosec's is at a path, alive or dead.
pub fn is_ours(point: &Path) -> bool {
    topmost(point).is_some_and(|mounted| mounted.kind == b"fuse.cosec")
}

/// Whether what is mounted at a path has lost its server.
pub fn is_dead(point: &Path) -> bool {
    matches!(rustix::fs::stat(point), Err(Errno::NOTCONN))
}

/// The device number of what is mounted at a path: another mount there has another.
pub(crate) fn device_at(point: &Path) -> Option<Vec<u8>> {
    topmost(point).map(|mounted| mounted.device)
}

/// Where the mount of cosec's with this device number is.
pub(crate) fn place_of(device: &[u8]) -> Option<PathBuf> {
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    table.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        if fields.nth(2)? != device || fields.next()? != b"/" {
            return None;
        }
        let place = unescape(fields.next()?);
        fields.find(|field| *field == b"-")?;
        (fields.next()? == b"fuse.cosec").then(|| PathBuf::from(OsString::from_vec(place)))
    })
}

struct Mounted {
    device: Vec<u8>,
    kind: Vec<u8>,
}

/// The topmost file system mounted at a path.
fn topmost(point: &Path) -> Option<Mounted> {
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    // The table has no symbolic links in it. The last component is not followed: it may be a dead mount.
    let real = match (point.parent().map(std::fs::canonicalize), point.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => point.to_owned(),
    };
    let wanted = real.as_os_str().as_bytes();
    let mut lines = table.split(|byte| *byte == b'\n').rev();
    // 36 35 98:0 /root /mount/point options tags… - type source options
    lines.find_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let device = fields.nth(2)?.to_vec();
        if unescape(fields.nth(1)?) != wanted {
            return None;
        }
        fields.find(|field| *field == b"-")?;
        Some(Mounted { device, kind: fields.next()?.to_vec() })
    })
}

/// `\040` and its like back to bytes.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| *first == b'\\').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

/// Unmounts; lazily where readers are left. Nothing mounted there is no error.
pub fn umount(point: &Path) -> Result<(), MountError> {
    match umount_idle(point) {
        Err(MountError::InUse(_)) => umount_with(point, UnmountFlags::DETACH),
        result => result,
    }
}

/// Unmounts, unless somebody has a file open there or works in a directory of it.
pub(crate) fn umount_idle(point: &Path) -> Result<(), MountError> {
    umount_with(point, UnmountFlags::empty())
}

fn umount_with(point: &Path, flags: UnmountFlags) -> Result<(), MountError> {
    if !is_mounted(point) {
        return Ok(());
    }
    match rustix::mount::unmount(point, UnmountFlags::NOFOLLOW | flags) {
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(Errno::PERM) => {
            let lazily = flags.contains(UnmountFlags::DETACH).then_some("-z");
            let output = Command::new("fusermount3")
                .arg("-u")
                .args(lazily)
                .arg("--")
                .arg(point)
                .env("LC_ALL", "C")
                .stdin(Stdio::null())
                .output();
            match output {
                Ok(output) if output.status.success() || !is_mounted(point) => Ok(()),
                Ok(output) if String::from_utf8_lossy(&output.stderr).contains("busy") => {
                    Err(MountError::InUse(point.to_owned()))
                }
                Ok(_) => Err(other(point, "fusermount3 could not unmount it")),
                Err(_) => Err(MountError::NoFusermount),
            }
        }
        Err(Errno::BUSY) => Err(MountError::InUse(point.to_owned())),
        Err(error) => Err(other(point, error)),
    }
}

/// A hold on the directory that is to be mounted over, which leads past the mount for as long as it lives.
pub(crate) fn hold(point: &Path) -> Result<OwnedFd, MountError> {
    rustix::fs::open(point, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(
        |error| match error {
            Errno::NOENT => MountError::Missing(point.to_owned()),
            Errno::NOTDIR => MountError::NoDirectory(point.to_owned()),
            Errno::NOTCONN => MountError::Stale(point.to_owned()),
            error => other(point, error),
        },
    )
}

/// Whether nobody can use the connection any more: the file system is unmounted everywhere.
pub(crate) fn is_closed(connection: &OwnedFd) -> bool {
    let mut state = [PollFd::new(connection, PollFlags::IN)];
    let now = rustix::event::Timespec::default();
    matches!(poll(&mut state, Some(&now)), Ok(1)) && state[0].revents().contains(PollFlags::ERR)
}

/// Reads the INIT request, the kernel's first word on a new connection; it is sent once.
pub(crate) fn read_init(connection: &OwnedFd) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut device = File::from(connection.try_clone()?);
    // The kernel wants room for its largest request, whatever comes.
    let mut request = vec![0; 128 * 1024];
    let length = loop {
        match device.read(&mut request) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    request.truncate(length);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_with_spaces_are_recognised() {
        assert_eq!(unescape(br"/a\040b\134c"), b"/a b\\c");
        assert!(is_mounted(Path::new("/proc")));
        assert!(!is_mounted(Path::new("/nowhere")));
    }
}
