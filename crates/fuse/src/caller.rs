//! Who asks, from the request and /proc, and whether a file's mode lets them.

use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags, open, openat, readlinkat};

use crate::cgroup::container_ids;
use crate::spec::{DirectorySpec, Grant};

/// Who asks. What /proc does not tell is left empty.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    /// May read what the mode forbids: CAP_DAC_OVERRIDE or CAP_DAC_READ_SEARCH, in our own user namespace.
    pub(crate) overrides: bool,
    pub(crate) exe: Option<String>,
    /// Whether /proc knows the process, and it is still who asked.
    pub(crate) known: bool,
    /// The ids of the containers that its cgroups name, the innermost last.
    pub(crate) containers: Vec<String>,
    /// Its cgroups, as /proc has them.
    pub(crate) cgroups: String,
}

const CAP_DAC_OVERRIDE: u64 = 1 << 1;
const CAP_DAC_READ_SEARCH: u64 = 1 << 2;

impl Caller {
    pub(crate) fn of(pid: u32, uid: u32, gid: u32) -> Self {
        let mut caller = Caller { pid, uid, gid, ..Caller::default() };
        // One hold on the process for all looks: the number may be another's by the second one.
        let Some(process) = Process::open(pid) else { return caller };
        let mut room = [0; 4096];
        let Some(status) = process.read("status", &mut room) else { return caller };
        let (mut capabilities, mut groups, mut fsuid) = (0, Vec::new(), None);
        for line in status.lines() {
            let Some((name, values)) = line.split_once(':') else { continue };
            let mut numbers = values.split_whitespace().map_while(|value| value.parse::<u32>().ok());
            match name {
                // The kernel names the thread that asks; people know its process.
                "Tgid" => caller.pid = numbers.next().unwrap_or(pid),
                "Uid" => fsuid = numbers.nth(3),
                "Groups" => groups = numbers.collect(),
                "CapEff" => capabilities = u64::from_str_radix(values.trim(), 16).unwrap_or(0),
                _ => {}
            }
        }
        // Whoever has another user than the request has become someone else since, or is not who asked:
        // then only what the kernel itself said counts.
        if fsuid == Some(uid) {
            caller.known = true;
            caller.groups = groups;
            // A capability counts only where it was given: root of a user namespace is nobody here.
            caller.overrides = capabilities & (CAP_DAC_OVERRIDE | CAP_DAC_READ_SEARCH) != 0
                && process.is_in_our_user_namespace();
        }
        caller.exe = process
            .link("exe")
            .or_else(|| process.read("comm", &mut room).map(|comm| comm.trim().to_owned()));
        caller.cgroups = process.read("cgroup", &mut room).map(Cow::into_owned).unwrap_or_default();
        caller.containers = container_ids(&caller.cgroups);
        caller
    }

    /// The id of the container that its cgroup names.
    pub(crate) fn container(&self) -> Option<&str> {
        self.containers.last().map(String::as_str)
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
        } else if self.gid == gid || self.groups.contains(&gid) {
            3
        } else {
            0
        };
        mode >> shift & permission != 0 || self.overrides
    }
}

/// Whether a process is a container's runtime, which makes the container ready from inside. By its name, which
/// anybody may take: it decides nothing but who is kept waiting.
pub(crate) fn is_runtime(pid: u32) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.starts_with("runc:[") || matches!(name.trim(), "runc" | "crun" | "youki")
}

/// A process's place in /proc.
struct Process(OwnedFd);

impl Process {
    fn open(pid: u32) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(format!("/proc/{pid}"), flags, Mode::empty()).ok().map(Process)
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

    fn is_in_our_user_namespace(&self) -> bool {
        static OURS: OnceLock<Option<String>> = OnceLock::new();
        let ours = OURS.get_or_init(|| Process::open(std::process::id())?.link("ns/user"));
        ours.is_some() && self.link("ns/user") == *ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_group_and_others_get_what_the_mode_says() {
        let caller = |uid, gid, groups: &[u32], overrides| Caller {
            uid,
            gid,
            groups: groups.to_vec(),
            overrides,
            ..Caller::default()
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
}
