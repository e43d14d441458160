//! Memory for secrets: locked, left out of core dumps and forks, zeroed before it is given back.
#![allow(unsafe_code, reason = "mmap and slices over it")]

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap_anonymous, munmap};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a secret in pages of their own. No Clone, no Display, no content in Debug.
pub struct SecretBytes {
    pages: NonNull<u8>,
    mapped: usize,
    length: usize,
}

// SAFETY: the pages are owned and, after construction, only read.
unsafe impl Send for SecretBytes {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for SecretBytes {}

static LOCK_FAILED: AtomicBool = AtomicBool::new(false);

impl SecretBytes {
    /// Takes bytes in. The caller's own copy is the caller's to zero.
    pub fn new(bytes: &[u8]) -> std::io::Result<Self> {
        let page = rustix::param::page_size();
        let mapped = bytes.len().max(1).next_multiple_of(page);
        // SAFETY: a new private anonymous mapping; nothing else can refer to it.
        let pages = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                mapped,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        }?;
        let Some(pages) = NonNull::new(pages.cast::<u8>()) else {
            return Err(std::io::Error::other("the kernel gave no memory"));
        };
        let secret = SecretBytes { pages, mapped, length: bytes.len() };
        // SAFETY: the mapping is ours and `mapped` long. Advice fails only on kernels that do not know it.
        unsafe {
            let _ = madvise(pages.as_ptr().cast(), mapped, Advice::LinuxDontDump);
            let _ = madvise(pages.as_ptr().cast(), mapped, Advice::LinuxWipeOnFork);
            if mlock(pages.as_ptr().cast(), mapped).is_err() {
                LOCK_FAILED.store(true, Ordering::Relaxed);
            }
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), pages.as_ptr(), bytes.len());
        }
        Ok(secret)
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        // SAFETY: `length` bytes of our own mapping were written in `new`.
        unsafe { std::slice::from_raw_parts(self.pages.as_ptr(), self.length) }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// Whether some memory could not be locked (RLIMIT_MEMLOCK): it may be swapped out then.
pub(crate) fn lock_failed() -> bool {
    LOCK_FAILED.load(Ordering::Relaxed)
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody can hold a reference to it any more.
        unsafe {
            std::slice::from_raw_parts_mut(self.pages.as_ptr(), self.mapped).zeroize();
            let _ = munmap(self.pages.as_ptr().cast(), self.mapped);
        }
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a secret of {} bytes", self.length)
    }
}

/// Values that come from no file (environment secrets), in memory that has no name. The supervisor passes
/// the descriptor on to each worker and never reads it.
#[derive(Debug)]
pub struct HeldValues {
    memory: OwnedFd,
}

impl HeldValues {
    /// Puts values into memory of their own.
    pub fn seal(values: &[Zeroizing<Vec<u8>>]) -> std::io::Result<Self> {
        let mut file = File::from(memfd_create("cosec", MemfdFlags::CLOEXEC)?);
        for value in values {
            file.write_all(&(value.len() as u64).to_le_bytes())?;
            file.write_all(value)?;
        }
        Ok(HeldValues { memory: file.into() })
    }

    pub(crate) fn from_fd(memory: OwnedFd) -> Self {
        HeldValues { memory }
    }

    /// Reads all values into locked memory.
    pub(crate) fn open(&self) -> std::io::Result<Vec<SecretBytes>> {
        let mut file = File::from(self.memory.try_clone()?);
        file.rewind()?;
        let mut values = Vec::new();
        let mut length = [0; 8];
        while file.read(&mut length[..1])? == 1 {
            file.read_exact(&mut length[1..])?;
            let length = usize::try_from(u64::from_le_bytes(length)).map_err(std::io::Error::other)?;
            let mut value = Zeroizing::new(vec![0; length]);
            file.read_exact(&mut value)?;
            values.push(SecretBytes::new(&value)?);
        }
        Ok(values)
    }
}

impl AsFd for HeldValues {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

/// Makes this process's memory, descriptors and environment unreadable to others of the same user: no core
/// dump, no ptrace, no look into /proc. What it starts is as it would be anyway.
pub fn keep_others_out() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// The same for a process that starts no user's programs.
pub(crate) fn harden_process() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    keep_others_out();
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_memory_is_locked_kept_from_dumps_and_forks_and_shown_by_no_debug() {
        let secret = SecretBytes::new(b"canary").unwrap();
        assert_eq!(secret.expose(), b"canary");
        assert_eq!(format!("{secret:?}"), "a secret of 6 bytes");
        let start = format!("{:x}-", secret.pages.as_ptr() as usize);
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let own = maps.split(&start).nth(1).unwrap();
        let flags = own.lines().find(|line| line.starts_with("VmFlags")).unwrap();
        for flag in ["dd", "wf", "lo"] {
            assert!(flags.split_whitespace().any(|other| other == flag), "{flag} is not in {flags}");
        }
    }

    #[test]
    fn held_values_come_back_byte_for_byte_and_more_than_once() {
        let values = [b"one".to_vec(), vec![], vec![0, 255, 10]].map(Zeroizing::new);
        let held = HeldValues::seal(&values).unwrap();
        for _ in 0..2 {
            let back: Vec<Vec<u8>> =
                held.open().unwrap().iter().map(|value| value.expose().to_vec()).collect();
            assert_eq!(back, [b"one".to_vec(), vec![], vec![0, 255, 10]]);
        }
    }
}
