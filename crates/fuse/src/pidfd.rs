//! A hold on who asks, and what the kernel says of it in one call (Linux 6.13). The texts of /proc say the same for
//! ten times the time.
#![allow(unsafe_code, reason = "ioctl(2) with a struct of the kernel's")]

use std::os::fd::OwnedFd;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A thread, held by its descriptor: its number may become another's, the descriptor does not.
#[derive(Debug)]
pub(crate) struct Pidfd(OwnedFd);

/// `struct pidfd_info` (linux/pidfd.h) in its first size, 64 bytes.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    pid: u32,
    process: u32,
    parent: u32,
    /// Real, effective, saved and file system user and group, in pairs.
    ids: [u32; 8],
    exit_code: i32,
}

/// PIDFD_GET_INFO.
const GET_INFO: Opcode = opcode::read_write::<PidfdInfo>(0xff, 11);
/// PIDFD_INFO_PID, PIDFD_INFO_CREDS, PIDFD_INFO_CGROUPID.
const WANTED: u64 = 1 | 1 << 1 | 1 << 2;

/// What the kernel says of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Info {
    /// The number of its process.
    pub(crate) process: u32,
    /// The user as whom it opens files.
    pub(crate) uid: u32,
    /// The number of its cgroup in the hierarchy of version 2. No other gets it while the system runs.
    pub(crate) cgroup: u64,
}

impl Pidfd {
    /// The thread that has a number now.
    ///
    /// # Errors
    /// `SRCH` where there is none, another where the kernel cannot do it (before Linux 6.9).
    pub(crate) fn of_thread(number: u32) -> Result<Self, Errno> {
        let pid = i32::try_from(number).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
        // PIDFD_THREAD (linux/pidfd.h) has the value of O_EXCL.
        pidfd_open(pid, PidfdFlags::from_bits_retain(OFlags::EXCL.bits())).map(Pidfd)
    }

    /// What the kernel says of it now.
    ///
    /// # Errors
    /// `SRCH` where it has ended, another where the kernel does not tell (before Linux 6.13, without cgroups).
    pub(crate) fn info(&self) -> Result<Info, Errno> {
        let mut info = PidfdInfo { mask: WANTED, ..PidfdInfo::default() };
        // SAFETY: the opcode is the one for this struct, whose size it holds; the kernel writes no more than that.
        unsafe { ioctl(&self.0, Updater::<GET_INFO, PidfdInfo>::new(&mut info)) }?;
        if info.mask & WANTED != WANTED {
            return Err(Errno::NOTTY);
        }
        Ok(Info { process: info.process, uid: info.ids[6], cgroup: info.cgroup })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_told_with_its_process_and_user_and_is_not_taken_for_another_once_it_has_ended() {
        let (tell, told) = std::sync::mpsc::channel();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
            let _ = wait.recv();
        });
        let number = told.recv().unwrap().unsigned_abs();
        let Ok(pidfd) = Pidfd::of_thread(number) else { return };
        let info = match pidfd.info() {
            Err(error) => return assert_ne!(error, Errno::SRCH, "it is there, and the kernel too old"),
            Ok(info) => info,
        };
        assert_eq!(info.process, std::process::id());
        assert_eq!(info.uid, rustix::process::geteuid().as_raw());
        drop(go);
        thread.join().unwrap();
        assert_eq!(pidfd.info(), Err(Errno::SRCH));
    }
}
