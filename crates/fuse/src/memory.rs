//! Memory for secrets: locked, left out of core dumps and forks, zeroed before it is given back.
#![allow(unsafe_code, reason = "mmap and slices over it; an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, ftruncate, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap, mmap_anonymous, munmap};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a secret in locked memory. No Clone, no Display, no content in Debug.
pub struct SecretBytes {
    start: NonNull<u8>,
    /// How many bytes there are room for.
    room: usize,
    length: usize,
    /// Their own pages; nothing for a slot of a shelf.
    pages: Option<Pages>,
}

// SAFETY: the memory is owned and, after construction, only read.
unsafe impl Send for SecretBytes {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for SecretBytes {}

static LOCK_FAILED: AtomicBool = AtomicBool::new(false);

/// Locked memory, left out of core dumps and forks.
struct Pages {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: an address range that nothing else refers to.
unsafe impl Send for Pages {}
// SAFETY: as above; it is only ever given back.
unsafe impl Sync for Pages {}

impl Pages {
    fn map(bytes: usize) -> std::io::Result<Self> {
        let length = bytes.max(1).next_multiple_of(rustix::param::page_size());
        // SAFETY: a new private anonymous mapping; nothing else can refer to it.
        let start = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        }?;
        let Some(start) = NonNull::new(start.cast::<u8>()) else {
            return Err(std::io::Error::other("the kernel gave no memory"));
        };
        // SAFETY: the mapping is ours and `length` long. Advice fails only on kernels that do not know it.
        unsafe {
            let _ = madvise(start.as_ptr().cast(), length, Advice::LinuxDontDump);
            let _ = madvise(start.as_ptr().cast(), length, Advice::LinuxWipeOnFork);
            if mlock(start.as_ptr().cast(), length).is_err() {
                LOCK_FAILED.store(true, Ordering::Relaxed);
            }
        }
        Ok(Pages { start, length })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody can hold a reference to it any more.
        unsafe {
            let _ = munmap(self.start.as_ptr().cast(), self.length);
        }
    }
}

/// Room for secrets of about one size: most are far smaller than a page, and there may be thousands. What is
/// mapped once stays.
struct Shelf {
    slot: usize,
    free: Vec<NonNull<u8>>,
}

// SAFETY: addresses of memory that nothing refers to until it is handed out.
unsafe impl Send for Shelf {}

impl Shelf {
    const fn new(slot: usize) -> Self {
        Shelf { slot, free: Vec::new() }
    }

    fn take(&mut self) -> std::io::Result<NonNull<u8>> {
        if let Some(slot) = self.free.pop() {
            return Ok(slot);
        }
        let pages = Pages::map(SHELF)?;
        // SAFETY: all slots lie within the mapping.
        self.free.extend((0..pages.length / self.slot).map(|at| unsafe { pages.start.add(at * self.slot) }));
        std::mem::forget(pages);
        self.free.pop().ok_or_else(|| std::io::Error::other("a shelf without room"))
    }
}

/// Bytes that are mapped for a shelf at a time.
const SHELF: usize = 64 << 10;

static SHELVES: Mutex<[Shelf; 6]> = Mutex::new([
    Shelf::new(64),
    Shelf::new(128),
    Shelf::new(256),
    Shelf::new(512),
    Shelf::new(1024),
    Shelf::new(2048),
]);

fn shelves() -> MutexGuard<'static, [Shelf; 6]> {
    SHELVES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SecretBytes {
    /// Takes bytes in. The caller's own copy is the caller's to zero.
    pub fn new(bytes: &[u8]) -> std::io::Result<Self> {
        let mut secret = SecretBytes::room(bytes.len())?;
        secret.room_mut()[..bytes.len()].copy_from_slice(bytes);
        secret.length = bytes.len();
        Ok(secret)
    }

    /// Reads at most `most` bytes; no other memory of this process sees them.
    pub(crate) fn read(mut source: impl Read, most: usize) -> std::io::Result<Self> {
        let mut secret = SecretBytes::room(most)?;
        while secret.length < most {
            let length = secret.length;
            match source.read(&mut secret.room_mut()[length..most]) {
                Ok(0) => break,
                Ok(count) => secret.length += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(secret)
    }

    /// Locked memory for so many bytes, none of which counts as there yet.
    fn room(bytes: usize) -> std::io::Result<Self> {
        if let Some(shelf) = shelves().iter_mut().find(|shelf| bytes <= shelf.slot) {
            return Ok(SecretBytes { start: shelf.take()?, room: shelf.slot, length: 0, pages: None });
        }
        let pages = Pages::map(bytes)?;
        Ok(SecretBytes { start: pages.start, room: pages.length, length: 0, pages: Some(pages) })
    }

    fn room_mut(&mut self) -> &mut [u8] {
        // SAFETY: the memory is ours, `room` long, zeroed by the kernel or its last owner, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.room) }
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        // SAFETY: `length` bytes of our own memory were written in `new` or `read`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
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
        self.room_mut().zeroize();
        if self.pages.is_none()
            && let Some(shelf) = shelves().iter_mut().find(|shelf| shelf.slot == self.room)
        {
            shelf.free.push(self.start);
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
    /// Puts values into memory of their own: where the kernel has it (Linux 5.14, memfd_secret), memory that
    /// is never swapped out and that the kernel itself has no address for; else a sealed memfd, which may be
    /// swapped out while no worker has it locked.
    pub fn seal(values: &[Zeroizing<Vec<u8>>]) -> std::io::Result<Self> {
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_slice()).collect();
        HeldValues::seal_all(&values)
    }

    /// The same for one value.
    pub fn seal_one(value: &[u8]) -> std::io::Result<Self> {
        HeldValues::seal_all(&[value])
    }

    fn seal_all(values: &[&[u8]]) -> std::io::Result<Self> {
        let length: usize = 8 + values.iter().map(|value| 8 + value.len()).sum::<usize>();
        memfd_secret()
            .and_then(|memory| HeldValues::fill(memory, length, values))
            .or_else(|_| HeldValues::fill(memfd_create("cosec", ORDINARY)?, length, values))
    }

    /// The number of values, then each one's length and bytes.
    fn fill(memory: OwnedFd, length: usize, values: &[&[u8]]) -> std::io::Result<Self> {
        ftruncate(&memory, length as u64)?;
        let mut mapping = Mapping::new(&memory, length, ProtFlags::READ | ProtFlags::WRITE)?;
        let mut rest = mapping.bytes_mut();
        rest.write_all(&(values.len() as u64).to_le_bytes())?;
        for value in values {
            rest.write_all(&(value.len() as u64).to_le_bytes())?;
            rest.write_all(value)?;
        }
        drop(mapping);
        // memfd_secret knows no seals; its size cannot change once set.
        let _ = fcntl_add_seals(&memory, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW);
        let _ = fcntl_add_seals(&memory, SealFlags::WRITE);
        Ok(HeldValues { memory })
    }

    pub(crate) fn from_fd(memory: OwnedFd) -> Self {
        HeldValues { memory }
    }

    pub(crate) fn try_clone(&self) -> std::io::Result<Self> {
        Ok(HeldValues { memory: self.memory.try_clone()? })
    }

    /// Reads all values into locked memory.
    pub fn open(&self) -> std::io::Result<Vec<SecretBytes>> {
        let length = usize::try_from(fstat(&self.memory)?.st_size).map_err(std::io::Error::other)?;
        let mapping = Mapping::new(&self.memory, length, ProtFlags::READ)?;
        let mut rest = mapping.bytes();
        let values = read_number(&mut rest)?;
        (0..values)
            .map(|_| {
                let length = read_number(&mut rest)?;
                let (value, after) =
                    rest.split_at_checked(length).ok_or(std::io::ErrorKind::UnexpectedEof)?;
                rest = after;
                SecretBytes::new(value)
            })
            .collect()
    }
}

fn read_number(bytes: &mut &[u8]) -> std::io::Result<usize> {
    let mut number = [0; 8];
    bytes.read_exact(&mut number)?;
    usize::try_from(u64::from_le_bytes(number)).map_err(std::io::Error::other)
}

const ORDINARY: MemfdFlags = MemfdFlags::CLOEXEC.union(MemfdFlags::ALLOW_SEALING);

/// memfd_secret(2). It fails where the kernel lacks it or has it switched off (secretmem.enable=0).
fn memfd_secret() -> std::io::Result<OwnedFd> {
    use crate::sandbox::syscall;
    /// The same on all architectures: it is younger than their common table.
    const SYS_MEMFD_SECRET: std::ffi::c_long = 447;
    /// FD_CLOEXEC, as the kernel's own test asks for it.
    const CLOEXEC: std::ffi::c_long = 0o2_000_000;
    // SAFETY: the system call takes one number and touches no memory of ours.
    let descriptor = unsafe { syscall(SYS_MEMFD_SECRET, CLOEXEC) };
    match i32::try_from(descriptor) {
        // SAFETY: the kernel has just opened it for us, and nobody else knows its number.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Shared memory of a descriptor, mapped for as long as this lives.
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    fn new(memory: &OwnedFd, length: usize, rights: ProtFlags) -> std::io::Result<Self> {
        // SAFETY: a new mapping; nothing else in this process refers to it.
        let start = unsafe { mmap(std::ptr::null_mut(), length, rights, MapFlags::SHARED, memory, 0) }?;
        // SAFETY: the mapping is ours and `length` long. Advice fails only on kernels that do not know it.
        unsafe {
            let _ = madvise(start, length, Advice::LinuxDontDump);
        }
        let start = NonNull::new(start.cast()).ok_or(std::io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { start, length })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is ours and `length` long; whoever filled it has stopped writing before it was
        // handed over.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    /// Only for a mapping made with the right to write.
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nobody else has the descriptor yet.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no reference to it can be left.
        unsafe {
            let _ = munmap(self.start.as_ptr().cast(), self.length);
        }
    }
}

impl AsFd for HeldValues {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

/// The allocator of a program that handles secrets: from [`keep_others_out`] on, what is given back is zeroed
/// first. Parsers make copies that no type of ours sees, an env file's not least.
pub struct WipingAllocator;

static WIPE: AtomicBool = AtomicBool::new(false);

// SAFETY: all is left to the system's allocator; memory is only written while it is still ours.
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if WIPE.load(Ordering::Relaxed) {
            // SAFETY: the block is the caller's, of this size, and nobody else's until it is given back.
            unsafe { pointer.write_bytes(0, layout.size()) };
            // The compiler must not find that nobody reads it any more.
            std::hint::black_box(pointer);
            std::sync::atomic::compiler_fence(Ordering::SeqCst);
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) };
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !WIPE.load(Ordering::Relaxed) {
            // SAFETY: the caller's promise.
            return unsafe { System.realloc(pointer, layout, size) };
        }
        // SAFETY: size and alignment were promised to be valid; both blocks are as large as what is copied.
        unsafe {
            let moved = System.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(pointer, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
            moved
        }
    }
}

/// Makes this process's memory, descriptors and environment unreadable to others of the same user: no core
/// dump, no ptrace, no look into /proc; and zeroes what it gives back, if it has [`WipingAllocator`]. What it
/// starts is as it would be anyway.
pub fn keep_others_out() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    WIPE.store(true, Ordering::Relaxed);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// The same for a process that starts no user's programs.
pub(crate) fn harden_process() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    keep_others_out();
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // As much locked memory as this user may have at all.
    let most = getrlimit(Resource::Memlock).maximum;
    let _ = setrlimit(Resource::Memlock, Rlimit { current: most, maximum: most });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_memory_is_locked_kept_from_dumps_and_forks_and_shown_by_no_debug() {
        let secret = SecretBytes::new(b"canary").unwrap();
        assert_eq!(secret.expose(), b"canary");
        assert_eq!(format!("{secret:?}"), "a secret of 6 bytes");
        let large = SecretBytes::new(&[7; 5000]).unwrap();
        for place in [secret.start, large.start].map(|start| start.as_ptr() as usize) {
            let flags = flags_at(place);
            for flag in ["dd", "wf", "lo"] {
                assert!(flags.split_whitespace().any(|other| other == flag), "{flag} is not in {flags}");
            }
        }
    }

    fn flags_at(place: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let number = |text: &str| usize::from_str_radix(text, 16).ok();
            if let Some((Some(from), Some(to))) = range.map(|(from, to)| (number(from), number(to))) {
                inside = (from..to).contains(&place);
            }
            if inside && line.starts_with("VmFlags") {
                return line.to_owned();
            }
        }
        panic!("nothing is mapped there");
    }

    #[test]
    fn what_is_let_go_is_zeroed_and_no_two_secrets_share_room() {
        let sizes = [0, 1, 63, 64, 65, 2048, 2049, 9000];
        let all: Vec<SecretBytes> = sizes
            .iter()
            .enumerate()
            .map(|(at, size)| SecretBytes::new(&vec![at as u8 + 1; *size]).unwrap())
            .collect();
        for (at, secret) in all.iter().enumerate() {
            assert_eq!(secret.expose(), vec![at as u8 + 1; sizes[at]]);
        }
        let slot = SecretBytes::new(&[9; 200]).unwrap();
        let place = slot.start;
        drop(slot);
        // SAFETY: what a shelf has mapped stays.
        let left = unsafe { std::slice::from_raw_parts(place.as_ptr().cast_const(), 200) };
        assert!(left.iter().all(|byte| *byte != 9), "another test may have taken it since");
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
