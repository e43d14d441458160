//! Who asks, from the request, the kernel and /proc, and whether a file's mode lets them.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::fs::{Mode, OFlags, open, openat, readlinkat};
use rustix::io::Errno;

use crate::cgroup::Cgroups;
use crate::pidfd::{Info, Pidfd};
use crate::spec::{DirectorySpec, Grant};

/// Who asks. What the system does not tell is left empty.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    /// The process; the kernel names the thread that asks.
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whether the process is there, and is still who asked.
    pub(crate) known: bool,
    thread: Option<Arc<Thread>>,
    /// The number of its cgroup of version 2.
    cgroup: Option<u64>,
    /// Asked for where the scope has a say.
    cgroups: OnceCell<Arc<Cgroups>>,
    /// Asked for where user and group do not decide.
    rights: OnceCell<Rights>,
}

/// What a process may beyond its user and group.
#[derive(Debug, Default)]
struct Rights {
    groups: Vec<u32>,
    /// May read what the mode forbids: CAP_DAC_OVERRIDE or CAP_DAC_READ_SEARCH, in our own user namespace.
    overrides: bool,
}

const CAP_DAC_OVERRIDE: u64 = 1 << 1;
const CAP_DAC_READ_SEARCH: u64 = 1 << 2;

/// So many threads are remembered. Each costs two descriptors.
const MOST: usize = 64;

/// Finds out who asks. Threads that ask often are held on to; what may change of them is asked anew each time.
#[derive(Default)]
pub(crate) struct Callers {
    threads: Mutex<HashMap<u32, Arc<Thread>>>,
    /// Linux before 6.13 tells less of a thread than is needed.
    old_kernel: AtomicBool,
}

impl Callers {
    /// Who a request comes from. Its thread waits for the answer, so the number is still its own, unless it was killed
    /// meanwhile: then whoever has the number now is not known.
    pub(crate) fn find(&self, thread: u32, uid: u32, gid: u32) -> Caller {
        let mut caller = Caller { pid: thread, uid, gid, ..Caller::default() };
        if self.old_kernel.load(Ordering::Relaxed) {
            return by_proc(caller);
        }
        match self.held(thread) {
            Ok((info, thread)) => {
                caller.pid = info.process;
                caller.cgroup = Some(info.cgroup);
                caller.known = is_who_asked(info.uid, uid);
                caller.thread = Some(thread);
                caller
            }
            Err(Errno::SRCH) => caller,
            Err(error) => {
                // Out of descriptors is not too old.
                self.old_kernel.store(!matches!(error, Errno::MFILE | Errno::NFILE), Ordering::Relaxed);
                by_proc(caller)
            }
        }
    }

    fn held(&self, number: u32) -> Result<(Info, Arc<Thread>), Errno> {
        if let Some(held) = self.threads().get(&number).cloned()
            && let Some(info) = held.info()
        {
            return Ok((info, held));
        }
        let pidfd = Pidfd::of_thread(number)?;
        let process = Process::open(number)?;
        // What answers now has had the number all the time.
        let info = pidfd.info()?;
        let new = Arc::new(Thread { process, pidfd: Some(pidfd), cgroups: Mutex::default() });
        let mut threads = self.threads();
        if threads.len() >= MOST {
            threads.clear();
        }
        threads.insert(number, Arc::clone(&new));
        Ok((info, new))
    }

    fn threads(&self) -> MutexGuard<'_, HashMap<u32, Arc<Thread>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same by the texts of /proc alone, where the kernel has nothing shorter to say.
fn by_proc(mut caller: Caller) -> Caller {
    let Ok(process) = Process::open(caller.pid) else { return caller };
    let Some(status) = process.status() else { return caller };
    caller.pid = status.process.unwrap_or(caller.pid);
    caller.known = is_who_asked(status.uid, caller.uid);
    if caller.known {
        let _ = caller.rights.set(Rights::of(status, &process));
    }
    caller.thread = Some(Arc::new(Thread { process, pidfd: None, cgroups: Mutex::default() }));
    caller
}

/// Whoever has another user than the request has become someone else since, or is not who asked: then only what the
/// request itself said counts.
fn is_who_asked(uid: u32, asked: u32) -> bool {
    uid == asked
}

/// A thread, and nobody else who gets its number.
#[derive(Debug)]
struct Thread {
    process: Process,
    pidfd: Option<Pidfd>,
    /// Where it was when it was in the cgroup of version 2 with this number, if there are no other hierarchies.
    cgroups: Mutex<Option<(u64, Arc<Cgroups>)>>,
}

impl Thread {
    fn info(&self) -> Option<Info> {
        self.pidfd.as_ref()?.info().ok()
    }

    /// Its cgroups, if it is in the one with a number.
    fn cgroups(&self, number: Option<u64>) -> Arc<Cgroups> {
        let mut known = self.cgroups.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some((of, cgroups)), Some(number)) = (&*known, number)
            && *of == number
        {
            return Arc::clone(cgroups);
        }
        let cgroups = Arc::new(self.process.cgroups());
        // Not if it has been moved while we looked.
        if let Some(number) = number
            && cgroups.are_one()
            && self.info().is_some_and(|info| info.cgroup == number)
        {
            *known = Some((number, Arc::clone(&cgroups)));
        }
        cgroups
    }
}

impl Rights {
    fn of(status: Status, process: &Process) -> Self {
        // A capability counts only where it was given: root of a user namespace is nobody here.
        let overrides = status.capabilities & (CAP_DAC_OVERRIDE | CAP_DAC_READ_SEARCH) != 0
            && process.is_in_our_user_namespace();
        Rights { groups: status.groups, overrides }
    }
}

impl Caller {
    /// A known one, for tests of what decides by cgroups.
    #[cfg(test)]
    pub(crate) fn in_cgroups(cgroups: Cgroups) -> Self {
        Caller { known: true, cgroups: Arc::new(cgroups).into(), ..Caller::default() }
    }

    /// Its cgroups.
    pub(crate) fn cgroups(&self) -> &Cgroups {
        self.cgroups.get_or_init(|| match &self.thread {
            Some(thread) => thread.cgroups(self.cgroup),
            None => Arc::default(),
        })
    }

    /// The id of the container that its cgroup names, if anybody has asked for that.
    pub(crate) fn container(&self) -> Option<&str> {
        self.cgroups.get()?.containers.last().map(String::as_str)
    }

    /// The path of its program; the name, where the path is not told.
    pub(crate) fn program(&self) -> Option<String> {
        let process = &self.thread.as_ref()?.process;
        let name = || Some(process.read("comm", &mut [0; 64])?.trim().to_owned());
        process.link("exe").or_else(name)
    }

    /// None for who has another user by now than the request.
    fn rights(&self) -> &Rights {
        self.rights.get_or_init(|| {
            let process = self.thread.as_ref().filter(|_| self.known).map(|thread| &thread.process);
            let status =
                process.and_then(Process::status).filter(|status| is_who_asked(status.uid, self.uid));
            process.zip(status).map_or_else(Rights::default, |(process, status)| Rights::of(status, process))
        })
    }

    /// Whether a file of this owner and mode may be read; if not, why.
    pub(crate) fn may_read(&self, &Grant { uid, gid, mode, .. }: &Grant) -> Result<(), String> {
        if self.may(uid, gid, mode, 0o4) {
            return Ok(());
        }
        Err(format!("mode {mode:04o} of {uid}:{gid} does not let {}:{} read", self.uid, self.gid))
    }

    /// Whether it may reach a file through directories, such as have a say; if not, why.
    pub(crate) fn may_reach<'d>(
        &self,
        directories: impl IntoIterator<Item = &'d DirectorySpec>,
    ) -> Result<(), String> {
        let mut closed = directories.into_iter().filter(|own| !self.may(own.uid, own.gid, own.mode, 0o1));
        closed.next().map_or(Ok(()), |&DirectorySpec { uid, gid, mode, .. }| {
            Err(format!(
                "the directory's mode {mode:04o} of {uid}:{gid} does not let {}:{} in",
                self.uid, self.gid
            ))
        })
    }

    /// Whether it has one of the permissions `rwx` that the bits say for all of owner, group and others.
    pub(crate) fn may(&self, uid: u32, gid: u32, mode: u32, permission: u32) -> bool {
        let shift = if self.uid == uid {
            6
        } else if self.gid == gid || self.rights().groups.contains(&gid) {
            3
        } else {
            0
        };
        mode >> shift & permission != 0 || self.rights().overrides
    }
}

/// Whether a process is a container's runtime, which makes the container ready from inside. By its name, which
/// anybody may take: it decides nothing but who is kept waiting.
pub(crate) fn is_runtime(pid: u32) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.starts_with("runc:[") || matches!(name.trim(), "runc" | "crun" | "youki")
}

/// What is needed of `/proc/PID/status`.
#[derive(Default)]
struct Status {
    process: Option<u32>,
    /// That of the file system.
    uid: u32,
    groups: Vec<u32>,
    capabilities: u64,
}

/// A process's place in /proc. Once it has ended, nothing is found there, whoever gets its number.
#[derive(Debug)]
struct Process(OwnedFd);

impl Process {
    fn open(number: u32) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match open(format!("/proc/{number}"), flags, Mode::empty()) {
            Err(Errno::NOENT) => Err(Errno::SRCH),
            opened => opened.map(Process),
        }
    }

    /// A file of it. The kernel gives these out whole at the first read with room enough.
    fn read<'r>(&self, name: &str, room: &'r mut [u8]) -> Option<Cow<'r, str>> {
        let file = openat(&self.0, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let count = rustix::io::read(&file, &mut *room).ok()?;
        if count < room.len() {
            return Some(String::from_utf8_lossy(&room[..count]));
        }
        let mut all = room.to_vec();
        fs::File::from(file).read_to_end(&mut all).ok()?;
        Some(String::from_utf8_lossy(&all).into_owned().into())
    }

    fn link(&self, name: &str) -> Option<String> {
        readlinkat(&self.0, name, Vec::new()).ok().map(|path| path.to_string_lossy().into_owned())
    }

    fn cgroups(&self) -> Cgroups {
        let mut room = [0; 4096];
        Cgroups::of(self.read("cgroup", &mut room).map(Cow::into_owned).unwrap_or_default())
    }

    fn status(&self) -> Option<Status> {
        let mut room = [0; 4096];
        let text = self.read("status", &mut room)?;
        let mut status = Status::default();
        let mut has_uid = false;
        for line in text.lines() {
            let Some((name, values)) = line.split_once(':') else { continue };
            let mut numbers = values.split_whitespace().map_while(|value| value.parse::<u32>().ok());
            match name {
                "Tgid" => status.process = numbers.next(),
                "Uid" => {
                    status.uid = numbers.nth(3)?;
                    has_uid = true;
                }
                "Groups" => status.groups = numbers.collect(),
                "CapEff" => status.capabilities = u64::from_str_radix(values.trim(), 16).unwrap_or(0),
                _ => {}
            }
        }
        has_uid.then_some(status)
    }

    fn is_in_our_user_namespace(&self) -> bool {
        static OURS: OnceLock<Option<String>> = OnceLock::new();
        let ours = OURS.get_or_init(|| Process::open(std::process::id()).ok()?.link("ns/user"));
        ours.is_some() && self.link("ns/user") == *ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_group_and_others_get_what_the_mode_says() {
        let caller = |uid, gid, groups: &[u32], overrides| {
            let rights = Rights { groups: groups.to_vec(), overrides }.into();
            Caller { uid, gid, rights, ..Caller::default() }
        };
        let file = |mode| Grant { service: String::new(), uid: 1000, gid: 50, mode };
        let reads = |caller: Caller, mode| caller.may_read(&file(mode)).is_ok();
        assert!(reads(caller(1000, 1, &[], false), 0o400));
        assert!(!reads(caller(1000, 50, &[], false), 0o044), "the owner's own bits count first");
        assert!(reads(caller(7, 50, &[], false), 0o440));
        assert!(reads(caller(7, 7, &[50], false), 0o440));
        assert!(!reads(caller(7, 7, &[], false), 0o440));
        assert!(reads(caller(7, 7, &[], false), 0o444));
        assert!(!reads(caller(0, 0, &[], false), 0o400), "root without capabilities is one of the others");
        assert!(reads(caller(0, 0, &[], true), 0o400));
    }

    /// A thread of another process that sleeps, and the process.
    fn sleeper() -> std::process::Child {
        std::process::Command::new("sleep").arg("60").spawn().unwrap()
    }

    #[test]
    fn the_kernels_word_and_procs_text_are_the_same_of_who_asks() {
        let mut other = sleeper();
        let uid = rustix::process::geteuid().as_raw();
        let callers = Callers::default();
        for thread in [other.id(), std::process::id()] {
            let found = callers.find(thread, uid, 0);
            let read = by_proc(Caller { pid: thread, uid, gid: 0, ..Caller::default() });
            assert!(found.known && read.known);
            assert_eq!((found.pid, found.program()), (read.pid, read.program()));
            assert_eq!(found.cgroups().text, read.cgroups().text);
            assert_eq!(found.rights().groups, read.rights().groups);
            assert_eq!(found.rights().overrides, read.rights().overrides);
        }
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn who_has_become_another_user_or_is_gone_has_no_rights() {
        let mut other = sleeper();
        let own = rustix::process::geteuid().as_raw();
        let callers = Callers::default();
        let another = callers.find(other.id(), own + 1, 0);
        assert!(!another.known && another.rights().groups.is_empty() && !another.rights().overrides);
        let held = callers.find(other.id(), own, 0);
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(held.rights().groups.is_empty() && !held.rights().overrides, "it has ended");
        assert!(!callers.find(other.id(), own, 0).known);
    }
}
