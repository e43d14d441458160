//! The file system itself: read-only, every open a snapshot, every open written down.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fuser::{
    AccessFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, KernelConfig, LockOwner, Notifier, OpenAccMode, OpenFlags, ReplyAttr, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};

use crate::audit::{Audit, Entry, Outcome};
use crate::caller::{self, Caller, Callers};
use crate::memory::HeldValues;
use crate::scope::{Containers, Decision, Outside};
use crate::snapshot::{Snapshot, Snapshots, seconds};
use crate::spec::{DirectorySpec, FileSpec, FileStatus, Grant, Spec};
use crate::tree::{Node, Tree};

/// Attributes are never cached: after a rotation `stat` shows the new size at once.
const TTL: Duration = Duration::ZERO;

/// A name stands for the same inode until there is a new plan. What that has no more is refused when opened.
const NAME_TTL: Duration = Duration::from_secs(1);

/// The smallest page there is: of larger ones its multiples are the only beginnings that matter.
const PAGE: u64 = 4096;

/// An open waits this long for the engine to say whose container asks.
const PATIENCE: Duration = Duration::from_secs(15);

/// A look at a file's owner and mode waits no longer than this, and sees the host's then.
const GLANCE: Duration = Duration::from_secs(1);

/// The kernel's view of [`Served`].
pub(crate) struct SecretFs {
    served: Arc<Served>,
    /// Requests that wait for the engine. In a thread of their own: the session's few must go on.
    waiting: Sender<Word>,
}

/// What is served, and what is open.
pub(crate) struct Served {
    tree: Tree,
    /// Directories with an owner and mode of their own, by inode.
    directories: HashMap<u64, DirectorySpec>,
    snapshots: Arc<Snapshots>,
    audit: Audit,
    callers: Callers,
    containers: Containers,
    /// Asks the supervisor about a container.
    who: Sender<String>,
    started: SystemTime,
    open: Mutex<HashMap<u64, Opened>>,
    /// The kernel's ear, once the session has one.
    notifier: OnceLock<Notifier>,
    counts: Vec<Count>,
    /// Files whose pages the kernel is to forget.
    forget: Sender<INodeNo>,
    /// Content of handles that an earlier worker gave out, by secret and version.
    archive: Mutex<HashMap<(usize, u64), HeldValues>>,
    worker: u64,
    next_handle: AtomicU64,
}

/// A handle tells which worker gave it out and which version it shows, so that a new worker neither takes it
/// for one of its own nor goes on with another version in the middle of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Handle {
    worker: u64,
    version: u64,
    number: u64,
}

impl Handle {
    fn pack(self) -> FileHandle {
        FileHandle(
            (self.worker & 0xffff) << 48 | (self.version & 0xff_ffff) << 24 | (self.number & 0xff_ffff),
        )
    }

    fn version(handle: FileHandle) -> u64 {
        handle.0 >> 24 & 0xff_ffff
    }
}

/// An open file.
struct Opened {
    snapshot: Arc<Snapshot>,
    /// Whether it may have been read through the page cache.
    paged: bool,
}

/// What is counted of a file.
struct Count {
    /// The size that the kernel knows at least.
    known_size: AtomicU64,
    /// For each of its grants.
    reads: Vec<Reads>,
}

#[derive(Default)]
struct Reads {
    count: AtomicU64,
    /// In seconds since 1970; 0 for never.
    last: AtomicU64,
}

/// A request whose caller is not known yet.
struct Waiting {
    inode: INodeNo,
    index: usize,
    caller: Caller,
    since: Instant,
    wanted: Wanted,
}

/// What is asked for.
enum Wanted {
    Open {
        request: u64,
        reply: ReplyOpen,
    },
    /// How a file looks that looks otherwise to each service. `size` is that of the open file.
    Attributes {
        size: Option<u64>,
        reply: ReplyAttr,
    },
}

impl Wanted {
    fn patience(&self) -> Duration {
        match self {
            Wanted::Open { .. } => PATIENCE,
            Wanted::Attributes { .. } => GLANCE,
        }
    }

    fn fail(self, error: Errno) {
        match self {
            Wanted::Open { reply, .. } => reply.error(error),
            Wanted::Attributes { reply, .. } => reply.error(error),
        }
    }
}

/// What the thread hears that keeps requests.
enum Word {
    Wait(Waiting),
    /// A caller is known now.
    News,
}

/// What a file system is made of.
pub(crate) struct Parts {
    pub(crate) tree: Tree,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) audit: Audit,
    pub(crate) containers: Containers,
    pub(crate) who: Sender<String>,
    /// What earlier workers have served, by secret and version.
    pub(crate) archive: HashMap<(usize, u64), HeldValues>,
    /// Counts the workers of a connection.
    pub(crate) worker: u64,
}

/// Brings the engine's answers.
#[derive(Clone)]
pub(crate) struct News {
    served: Arc<Served>,
    waiting: Sender<Word>,
}

impl News {
    pub(crate) fn learn(&self, id: String, container: Option<crate::spec::Container>) {
        self.served.containers.learn(id, container);
        let _ = self.waiting.send(Word::News);
    }

    /// Why opens cannot be written down.
    pub(crate) fn audit_trouble(&self) -> Option<String> {
        self.served.audit.trouble()
    }

    /// What has been read.
    pub(crate) fn files(&self) -> Vec<FileStatus> {
        let of_file = |(file, count): (&FileSpec, &Count)| -> Vec<FileStatus> {
            let one = |(grant, reads): (&Grant, &Reads)| FileStatus {
                path: file.path.clone(),
                service: grant.service.clone(),
                secret: file.secret,
                reads: reads.count.load(Ordering::Relaxed),
                last_read: Some(reads.last.load(Ordering::Relaxed)).filter(|last| *last > 0),
            };
            file.grants.iter().zip(&count.reads).map(one).collect()
        };
        self.served.snapshots.spec().files.iter().zip(&self.served.counts).flat_map(of_file).collect()
    }
}

impl SecretFs {
    pub(crate) fn new(parts: Parts) -> Self {
        let (forget, to_forget) = channel();
        let served = Arc::new(Served {
            counts: parts.snapshots.spec().files.iter().map(Count::of).collect(),
            notifier: OnceLock::new(),
            forget,
            directories: directories(&parts.tree, parts.snapshots.spec()),
            tree: parts.tree,
            snapshots: parts.snapshots,
            audit: parts.audit,
            callers: Callers::default(),
            containers: parts.containers,
            who: parts.who,
            started: SystemTime::now(),
            open: Mutex::new(HashMap::new()),
            archive: Mutex::new(parts.archive),
            worker: parts.worker,
            next_handle: AtomicU64::new(1),
        });
        let ear = Arc::clone(&served);
        // In a thread of its own: the kernel waits for reads in flight, which the session's threads answer.
        std::thread::spawn(move || {
            for inode in to_forget {
                if let Some(notifier) = ear.notifier.get() {
                    let _ = notifier.inval_inode(inode, 0, 0);
                }
            }
        });
        let (waiting, to_wait) = channel();
        let patient = Arc::clone(&served);
        std::thread::spawn(move || patient.wait(&to_wait));
        SecretFs { served, waiting }
    }

    /// Where the session's notifier is to be put.
    pub(crate) fn set_notifier(served: &News, notifier: Notifier) {
        let _ = served.served.notifier.set(notifier);
    }

    pub(crate) fn news(&self) -> News {
        News { served: Arc::clone(&self.served), waiting: self.waiting.clone() }
    }

    fn ask(&self, inode: INodeNo, index: usize, caller: Caller, wanted: Wanted) {
        let request = Waiting { inode, index, caller, since: Instant::now(), wanted };
        if let Some(request) = self.served.answer(request) {
            let _ = self.waiting.send(Word::Wait(request));
        }
    }
}

fn directories(tree: &Tree, spec: &Spec) -> HashMap<u64, DirectorySpec> {
    let at = |directory: &DirectorySpec| Some((tree.find(&directory.path)?, directory.clone()));
    spec.directories.iter().filter_map(at).collect()
}

impl Count {
    fn of(file: &FileSpec) -> Self {
        Count { known_size: AtomicU64::new(0), reads: file.grants.iter().map(|_| Reads::default()).collect() }
    }
}

impl Served {
    /// How an inode looks, to who has the given grant.
    fn attributes(&self, inode: u64, grant: Option<usize>) -> Option<FileAttr> {
        let mut attributes = FileAttr {
            ino: INodeNo(inode),
            size: 0,
            blocks: 0,
            atime: self.started,
            mtime: self.started,
            ctime: self.started,
            crtime: UNIX_EPOCH,
            kind: FileType::Directory,
            perm: 0o755,
            nlink: 2,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        };
        if let Some(own) = self.directories.get(&inode) {
            attributes.perm = (own.mode & 0o777) as u16;
            attributes.uid = own.uid;
            attributes.gid = own.gid;
        }
        if let Node::File(index) = self.tree.node(inode)? {
            let file = self.snapshots.spec().files.get(*index)?;
            let snapshot = self.snapshots.current(file.secret)?.snapshot;
            let (size, loaded) =
                snapshot.map_or((0, self.started), |snapshot| (snapshot.bytes.len() as u64, snapshot.loaded));
            attributes.kind = FileType::RegularFile;
            attributes.nlink = 1;
            if let Some(grant) = grant.and_then(|grant| file.grants.get(grant)).or(file.grants.last()) {
                attributes.perm = (grant.mode & 0o777) as u16;
                attributes.uid = grant.uid;
                attributes.gid = grant.gid;
            }
            attributes.size = size;
            if let Some(count) = self.counts.get(*index) {
                count.known_size.store(attributes.size, Ordering::Relaxed);
            }
            attributes.blocks = attributes.size.div_ceil(512);
            attributes.mtime = loaded;
            attributes.ctime = loaded;
            attributes.atime = loaded;
        }
        Some(attributes)
    }

    fn file(&self, inode: INodeNo) -> Result<usize, Errno> {
        match self.tree.node(inode.0) {
            Some(Node::File(index)) => Ok(*index),
            Some(Node::Directory { .. }) => Err(Errno::EISDIR),
            None => Err(Errno::ENOENT),
        }
    }

    /// Answers as soon as it is known whose container asks; gives the request back if it is not known yet.
    fn answer(&self, waiting: Waiting) -> Option<Waiting> {
        let spec = self.snapshots.spec();
        let Some(file) = spec.files.get(waiting.index) else {
            waiting.wanted.fail(Errno::ENOENT);
            return None;
        };
        let inside = match self.containers.decide(spec.scope, &spec.project, &file.grants, &waiting.caller) {
            Decision::Inside { grant, container } => Ok((grant, container)),
            Decision::Outside(outside) => Err(outside),
            Decision::Ask(_) if waiting.since.elapsed() > waiting.wanted.patience() => {
                Err(Outside::because("the engine did not say whose container it is"))
            }
            Decision::Ask(ids) => {
                for id in ids {
                    let _ = self.who.send(id);
                }
                return Some(waiting);
            }
        };
        let Waiting { inode, index, caller, wanted, .. } = waiting;
        match wanted {
            Wanted::Open { request, reply } => match self.decide(index, file, &caller, request, inside) {
                Ok(snapshot) => {
                    self.tell_size(inode, index, &snapshot);
                    let handle = self.give_out(snapshot);
                    // DIRECT_IO keeps the content out of the kernel's page cache.
                    reply.opened(handle, FopenFlags::FOPEN_DIRECT_IO);
                }
                Err(error) => reply.error(error),
            },
            Wanted::Attributes { size, reply } => {
                match self.attributes(inode.0, inside.ok().map(|(grant, _)| grant)) {
                    Some(attributes) => {
                        reply.attr(&TTL, &FileAttr { size: size.unwrap_or(attributes.size), ..attributes });
                    }
                    None => reply.error(Errno::ENOENT),
                }
            }
        }
        None
    }

    fn caller(&self, request: &Request) -> Caller {
        self.callers.find(request.pid(), request.uid(), request.gid())
    }

    /// Whether a directory is closed to a process of the host, which needs `permission` of `rwx` for what it wants.
    fn is_closed(&self, request: &Request, directory: u64, permission: u32) -> bool {
        let Some(own) = self.directories.get(&directory) else { return false };
        // Most are asked by their owner, of whom no more need be known.
        if request.uid() == own.uid && own.mode >> 6 & permission == permission {
            return false;
        }
        let caller = self.caller(request);
        caller.cgroups().containers.is_empty() && !caller.may(own.uid, own.gid, own.mode, permission)
    }

    /// Whether a file looks the same to all.
    fn is_plain(&self, inode: u64) -> bool {
        match self.tree.node(inode) {
            Some(Node::File(index)) => {
                self.snapshots.spec().files.get(*index).is_none_or(|file| file.grants.len() < 2)
            }
            _ => true,
        }
    }

    /// Decides, writes down, and gives the snapshot that this open will read to its end.
    fn decide(
        &self,
        index: usize,
        file: &FileSpec,
        caller: &Caller,
        request: u64,
        inside: Result<(usize, Option<String>), Outside>,
    ) -> Result<Arc<Snapshot>, Errno> {
        let secret = self.snapshots.spec().secrets.get(file.secret).ok_or(Errno::ENOENT)?;
        let current = self.snapshots.current(file.secret).ok_or(Errno::ENOENT)?;
        let index_of_grant = inside.as_ref().map_or(0, |(grant, _)| *grant);
        let grant = file.grants.get(index_of_grant).ok_or(Errno::EACCES)?;
        // A process of the host may have come by a name that somebody else looked up.
        let on_its_way = |directory: &&DirectorySpec| grant.service.is_empty() && directory.holds(&file.path);
        let container = match &inside {
            Ok((_, name)) => name.clone(),
            Err(outside) => outside.container.clone(),
        };
        let decision = inside.map_err(|outside| outside.reason).and_then(|_| {
            caller.may_reach(self.directories.values().filter(on_its_way))?;
            caller.may_read(grant)
        });
        let trouble = current.trouble.as_deref().unwrap_or_default();
        let (outcome, reason) = match (&decision, &current.snapshot) {
            (Err(reason), _) => (Outcome::Denied, reason.as_str()),
            (Ok(()), Some(_)) => (Outcome::Allowed, trouble),
            (Ok(()), None) => (Outcome::Failed, trouble),
        };
        let entry = Entry {
            service: &grant.service,
            secret: &secret.name,
            version: current.snapshot.as_ref().map(|snapshot| snapshot.version),
            container_name: container.as_deref(),
            outcome,
            reason,
            request,
        };
        // What is wrong is in the server's log, once.
        self.audit.record(caller, &entry).map_err(|_| Errno::EIO)?;
        decision.map_err(|_| Errno::EACCES)?;
        if let Some(reads) = self.counts.get(index).and_then(|count| count.reads.get(index_of_grant)) {
            reads.count.fetch_add(1, Ordering::Relaxed);
            reads.last.store(seconds(SystemTime::now()), Ordering::Relaxed);
        }
        current.snapshot.ok_or(Errno::EIO)
    }

    /// Holds requests until the engine has answered.
    fn wait(&self, arriving: &Receiver<Word>) {
        let mut waiting: Vec<Waiting> = Vec::new();
        loop {
            let arrived = if waiting.is_empty() {
                arriving.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                arriving.recv_timeout(Duration::from_millis(250))
            };
            match arrived {
                Ok(Word::News) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Word::Wait(request)) => {
                    waiting.extend(self.answer(request));
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            waiting = waiting.into_iter().filter_map(|request| self.answer(request)).collect();
        }
    }

    /// An open through a bind mount of the file asks for no attributes, and splice(2) and sendfile(2) stop at
    /// the size that the kernel remembers. Storing a byte at the new end lets it grow; a size that is too
    /// large corrects itself at the first short read.
    fn tell_size(&self, inode: INodeNo, index: usize, snapshot: &Snapshot) {
        let Some(notifier) = self.notifier.get() else { return };
        let bytes = snapshot.bytes.expose();
        let size = bytes.len() as u64;
        let known = self.counts.get(index).map_or(0, |count| count.known_size.swap(size, Ordering::Relaxed));
        let Some(last) = bytes.last().filter(|_| size > known) else { return };
        // The kernel takes a page that begins with the stored byte for a whole one; any other it reads anew.
        let byte = if (size - 1).is_multiple_of(PAGE) { *last } else { 0 };
        let _ = notifier.store(inode, size - 1, &[byte]);
    }

    fn give_out(&self, snapshot: Arc<Snapshot>) -> FileHandle {
        let mut opened = self.opened();
        loop {
            let number = self.next_handle.fetch_add(1, Ordering::Relaxed);
            let handle = Handle { worker: self.worker, version: snapshot.version, number }.pack();
            // After 16 million opens one of the first may still be open.
            if let std::collections::hash_map::Entry::Vacant(free) = opened.entry(handle.0) {
                free.insert(Opened { snapshot, paged: false });
                return handle;
            }
        }
    }

    /// What a handle of an earlier worker shows: the version it was opened with. That worker allowed it.
    fn inherited(
        &self,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        paged: bool,
    ) -> Result<Arc<Snapshot>, Errno> {
        let index = self.file(inode)?;
        let file = self.snapshots.spec().files.get(index).ok_or(Errno::ENOENT)?;
        let current = self.snapshots.current(file.secret).ok_or(Errno::ENOENT)?;
        let version = Handle::version(handle);
        // Who has not begun to read may as well have opened it now.
        if let Some(now) = current.snapshot
            && (now.version & 0xff_ffff == version || offset == 0)
        {
            self.opened().insert(handle.0, Opened { snapshot: Arc::clone(&now), paged });
            return Ok(now);
        }
        let archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        let values = archive.get(&(file.secret, version)).and_then(|held| held.open().ok());
        drop(archive);
        let bytes = values.and_then(|values| values.into_iter().next()).ok_or(Errno::EIO)?;
        let snapshot = Arc::new(Snapshot { bytes: Arc::new(bytes), version, loaded: self.started });
        self.opened().insert(handle.0, Opened { snapshot: Arc::clone(&snapshot), paged });
        Ok(snapshot)
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Opened>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Filesystem for SecretFs {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        // Lets a new worker have the requests again that the last one took and did not answer.
        let _ = config.add_capabilities(InitFlags::FUSE_HAS_RESEND);
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if self.served.is_closed(request, parent.0, 0o1) {
            return reply.error(Errno::EACCES);
        }
        let inode = name.to_str().and_then(|name| self.served.tree.child(parent.0, name));
        match inode.and_then(|inode| self.served.attributes(inode, None)) {
            Some(attributes) => reply.entry_with_ttls(&TTL, &NAME_TTL, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, request: &Request, inode: INodeNo, handle: Option<FileHandle>, reply: ReplyAttr) {
        let size =
            handle.and_then(|handle| Some(self.served.opened().get(&handle.0)?.snapshot.bytes.len() as u64));
        if let Ok(index) = self.served.file(inode)
            && !self.served.is_plain(inode.0)
            // In the container already, which the engine will say nothing of until its runtime is done.
            && !caller::is_runtime(request.pid())
        {
            let caller = self.served.caller(request);
            return self.ask(inode, index, caller, Wanted::Attributes { size, reply });
        }
        let Some(attributes) = self.served.attributes(inode.0, None) else {
            return reply.error(Errno::ENOENT);
        };
        reply.attr(&TTL, &FileAttr { size: size.unwrap_or(attributes.size), ..attributes });
    }

    fn open(&self, request: &Request, inode: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let index = match self.served.file(inode) {
            Ok(index) => index,
            Err(error) => return reply.error(error),
        };
        if flags.acc_mode() != OpenAccMode::O_RDONLY {
            return reply.error(Errno::EROFS);
        }
        let caller = self.served.caller(request);
        self.ask(inode, index, caller, Wanted::Open { request: request.unique().0, reply });
    }

    fn read(
        &self,
        _request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        // The page cache asks for whole pages.
        let paged = u64::from(size).is_multiple_of(PAGE) && offset.is_multiple_of(PAGE);
        let read = |open: &mut Opened| {
            open.paged |= paged;
            Arc::clone(&open.snapshot)
        };
        let known = self.served.opened().get_mut(&handle.0).map(read);
        let snapshot = match known.map_or_else(|| self.served.inherited(inode, handle, offset, paged), Ok) {
            Ok(snapshot) => snapshot,
            Err(error) => return reply.error(error),
        };
        let bytes = snapshot.bytes.expose();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(size as usize).min(bytes.len());
        reply.data(&bytes[start..end]);
    }

    fn release(
        &self,
        _request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        let open = self.served.opened().remove(&handle.0);
        reply.ok();
        // splice(2) and sendfile(2) read through the page cache even with DIRECT_IO: empty it. What an earlier
        // worker's handle was read by is not known.
        if open.is_none_or(|open| open.paged) {
            let _ = self.served.forget.send(inode);
        }
    }

    fn opendir(&self, request: &Request, inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        if self.served.is_closed(request, inode.0, 0o4) {
            return reply.error(Errno::EACCES);
        }
        reply.opened(FileHandle(0), FopenFlags::empty());
    }

    fn readdir(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let Some(Node::Directory { children, parent }) = self.served.tree.node(inode.0) else {
            return reply.error(Errno::ENOTDIR);
        };
        let dots = [(".", inode.0), ("..", *parent)].into_iter();
        let entries = dots.chain(children.iter().map(|(name, inode)| (name.as_str(), *inode)));
        for (at, (name, child)) in entries.enumerate().skip(offset as usize) {
            let kind = match self.served.tree.node(child) {
                Some(Node::File(_)) => FileType::RegularFile,
                _ => FileType::Directory,
            };
            if reply.add(INodeNo(child), at as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn access(&self, request: &Request, inode: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        if mask.contains(AccessFlags::W_OK) {
            return reply.error(Errno::EROFS);
        }
        let Ok(index) = self.served.file(inode) else {
            let read = mask.contains(AccessFlags::R_OK) && self.served.is_closed(request, inode.0, 0o4);
            let search = mask.contains(AccessFlags::X_OK) && self.served.is_closed(request, inode.0, 0o1);
            return if read || search { reply.error(Errno::EACCES) } else { reply.ok() };
        };
        let Some(file) = self.served.snapshots.spec().files.get(index) else {
            return reply.error(Errno::ENOENT);
        };
        let caller = self.served.caller(request);
        let allowed = !mask.contains(AccessFlags::X_OK)
            // A hint: which grant counts is decided by the open.
            && (!mask.contains(AccessFlags::R_OK)
                || file.grants.iter().any(|grant| caller.may_read(grant).is_ok()));
        if allowed { reply.ok() } else { reply.error(Errno::EACCES) }
    }

    fn statfs(&self, _request: &Request, _inode: INodeNo, reply: ReplyStatfs) {
        let files = self.served.snapshots.spec().files.len() as u64;
        reply.statfs(0, 0, 0, files, 0, 4096, 255, 4096);
    }

    fn getxattr(&self, _request: &Request, _inode: INodeNo, _name: &OsStr, _size: u32, reply: ReplyXattr) {
        reply.error(Errno::ENODATA);
    }

    fn listxattr(&self, _request: &Request, _inode: INodeNo, size: u32, reply: ReplyXattr) {
        if size == 0 { reply.size(0) } else { reply.data(&[]) }
    }
}
