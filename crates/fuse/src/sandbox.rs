//! What a worker gives up before it reads the first secret: capabilities, other programs, the network, other
//! processes, mounts. All of this holds for the thread that asks and for those that it starts later.
//!
//! Landlock would also keep it from writing beside its audit file, but whom Landlock holds may not look at
//! `/proc/PID/exe` and `/proc/PID/ns` of others, which decide who may read and stand in the audit.
#![allow(unsafe_code, reason = "seccomp(2), for which there is no safe wrapper here")]

use std::ffi::{c_long, c_uint};

use rustix::thread::{CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities};

unsafe extern "C" {
    /// syscall(2) of the C library.
    pub(crate) fn syscall(number: c_long, ...) -> c_long;
}

/// Gives up what a worker does not need. What the kernel does not have is told, one sentence each.
pub(crate) fn enter() -> Vec<String> {
    let mut warnings = Vec::new();
    let _ = rustix::thread::set_no_new_privs(true);
    if let Err(error) = drop_capabilities() {
        warnings.push(format!("the worker could not give up its capabilities: {error}"));
    }
    if let Err(error) = filter_system_calls() {
        warnings.push(format!("this kernel filters no system calls for the worker: {error}"));
    }
    warnings
}

/// Root keeps what it reads others' files and /proc with and what it locks memory with; nobody else has
/// anything to keep.
fn drop_capabilities() -> std::io::Result<()> {
    let needed = if rustix::process::geteuid().is_root() {
        CapabilitySet::DAC_READ_SEARCH | CapabilitySet::SYS_PTRACE | CapabilitySet::IPC_LOCK
    } else {
        CapabilitySet::empty()
    };
    // Before Linux 4.3 there was no such set.
    let _ = clear_ambient_capability_set();
    let kept = rustix::thread::capabilities(None)?.permitted & needed;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    Ok(set_capabilities(None, sets)?)
}

/// linux/filter.h
#[repr(C)]
#[derive(Clone, Copy)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    value: u32,
}

#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

#[cfg(target_arch = "x86_64")]
mod calls {
    pub(super) const ARCHITECTURE: u32 = 0xc000_003e;
    pub(super) const SECCOMP: core::ffi::c_long = 317;
    pub(super) const CLONE: u32 = 56;
    /// fork vfork execve execveat kill ptrace process_vm_readv process_vm_writev socket connect accept accept4
    /// bind listen mount umount2 pivot_root chroot unshare setns init_module finit_module delete_module
    /// kexec_load kexec_file_load bpf perf_event_open userfaultfd keyctl add_key request_key symlink symlinkat
    /// link linkat mknod mknodat open_by_handle_at personality
    pub(super) const DENIED: &[u32] = &[
        57, 58, 59, 322, 62, 101, 310, 311, 41, 42, 43, 288, 49, 50, 165, 166, 155, 161, 272, 308, 175, 313,
        176, 246, 320, 321, 298, 323, 250, 248, 249, 88, 266, 86, 265, 133, 259, 304, 135,
    ];
}

#[cfg(target_arch = "aarch64")]
mod calls {
    pub(super) const ARCHITECTURE: u32 = 0xc000_00b7;
    pub(super) const SECCOMP: core::ffi::c_long = 277;
    pub(super) const CLONE: u32 = 220;
    /// The same as on x86-64, as far as they exist.
    pub(super) const DENIED: &[u32] = &[
        221, 281, 129, 117, 270, 271, 198, 203, 202, 242, 200, 201, 40, 39, 41, 51, 97, 268, 105, 273, 106,
        104, 294, 280, 241, 282, 219, 217, 218, 36, 37, 33, 265, 92,
    ];
}

/// Younger than the common table, so the same everywhere: pidfd_send_signal io_uring_setup open_tree
/// move_mount fsopen fsconfig fsmount fspick clone3… pidfd_getfd mount_setattr.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const DENIED_EVERYWHERE: &[u32] = &[424, 425, 428, 429, 430, 431, 432, 433, 438, 442];

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn filter_system_calls() -> std::io::Result<()> {
    const LOAD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const JUMP_IF_ANY_BIT: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const REFUSE: u32 = 0x0005_0001; // EPERM
    const NO_SUCH_CALL: u32 = 0x0005_0026; // ENOSYS
    const CLONE3: u32 = 435;
    const CLONE_THREAD: u32 = 0x0001_0000;
    const X32: u32 = 0x4000_0000;
    const SET_MODE_FILTER: c_uint = 1;
    let step = |code, value, if_true, if_false| Instruction { code, if_true, if_false, value };
    // struct seccomp_data: nr at 0, arch at 4, the first argument at 16.
    let mut program = vec![
        step(LOAD, 4, 0, 0),
        step(JUMP_IF_EQUAL, calls::ARCHITECTURE, 1, 0),
        step(RETURN, REFUSE, 0, 0),
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_ANY_BIT, X32, 0, 1),
        step(RETURN, REFUSE, 0, 0),
        // clone3's flags lie in memory, where no filter looks; the C library falls back to clone.
        step(JUMP_IF_EQUAL, CLONE3, 0, 1),
        step(RETURN, NO_SUCH_CALL, 0, 0),
        // Threads, no processes.
        step(JUMP_IF_EQUAL, calls::CLONE, 0, 4),
        step(LOAD, 16, 0, 0),
        step(JUMP_IF_ANY_BIT, CLONE_THREAD, 1, 0),
        step(RETURN, REFUSE, 0, 0),
        step(RETURN, ALLOW, 0, 0),
    ];
    for denied in calls::DENIED.iter().chain(DENIED_EVERYWHERE) {
        program.push(step(JUMP_IF_EQUAL, *denied, 0, 1));
        program.push(step(RETURN, REFUSE, 0, 0));
    }
    program.push(step(RETURN, ALLOW, 0, 0));
    let filter = Program { length: program.len() as u16, instructions: program.as_ptr() };
    // SAFETY: filter and instructions live until the call returns; the kernel checks the program.
    checked(unsafe { syscall(calls::SECCOMP, SET_MODE_FILTER, 0 as c_uint, &raw const filter) }).map(|_| ())
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn filter_system_calls() -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

fn checked(result: c_long) -> std::io::Result<c_long> {
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_starts_threads_and_no_program_and_opens_files_and_no_socket() {
        // In a thread: the rest of the tests keeps its rights.
        std::thread::spawn(|| {
            assert_eq!(enter(), [""; 0]);
            assert!(std::fs::read("/proc/self/status").is_ok());
            assert!(std::process::Command::new("/bin/true").status().is_err(), "no programs");
            assert!(std::net::TcpListener::bind("127.0.0.1:0").is_err(), "no network");
            assert!(std::os::unix::net::UnixDatagram::unbound().is_err(), "no sockets");
            assert_eq!(std::thread::spawn(|| 7).join().unwrap(), 7, "threads");
            let parent = rustix::process::getppid().unwrap().as_raw_nonzero();
            assert!(std::fs::read_link(format!("/proc/{parent}/exe")).is_ok(), "who asks");
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
            let effective = u64::from_str_radix(effective.trim(), 16).unwrap();
            assert_eq!(effective & !(1 << 2 | 1 << 14 | 1 << 19), 0, "{effective:x}");
        })
        .join()
        .unwrap();
    }
}
