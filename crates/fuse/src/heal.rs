//! Mending a running container whose mounts lost their server: the same files of the new mount are put in the
//! dead ones' places, from inside the container's mount namespace. Needs root.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree, unmount};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::namespace::NamespaceError;

/// Shows each source, a path of ours, at its target, a path of the namespace that `pid` lives in, in place of
/// what is mounted there. Afterwards this process is in that namespace: it must be one that ends then, with a
/// single thread.
pub fn heal(pid: u32, mounts: &[(PathBuf, PathBuf)]) -> Result<(), NamespaceError> {
    let failed = |path: &Path, error: rustix::io::Errno| NamespaceError::Mount {
        path: path.to_owned(),
        error: error.into(),
    };
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let trees: Vec<OwnedFd> = mounts
        .iter()
        .map(|(source, _)| open_tree(CWD, source, flags).map_err(|error| failed(source, error)))
        .collect::<Result<_, _>>()?;
    let place = PathBuf::from(format!("/proc/{pid}/ns/mnt"));
    let namespace = open(&place, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| failed(&place, error))?;
    move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), Some(LinkNameSpaceType::Mount))
        .map_err(|error| failed(&place, error))?;
    for (tree, (_, target)) in trees.iter().zip(mounts) {
        // Several repairs may have left several. Without a mount there it fails, which is no harm.
        let _ = unmount(target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
        move_mount(tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .map_err(|error| failed(target, error))?;
    }
    Ok(())
}
