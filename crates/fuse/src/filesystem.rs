//! The file system itself: read-only, every open a snapshot, every open written down.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    AccessFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, KernelConfig, LockOwner, Notifier, OpenAccMode, OpenFlags, ReplyAttr, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};

use crate::audit::{Audit, Outcome};
use crate::caller::Caller;
use crate::snapshot::{Snapshot, Snapshots};
use crate::tree::{Node, Tree};

/// Attributes are never cached: after a rotation `stat` shows the new size at once.
const TTL: Duration = Duration::ZERO;

/// The smallest page there is: of larger ones its multiples are the only beginnings that matter.
const PAGE: u64 = 4096;

pub(crate) struct SecretFs {
    tree: Tree,
    snapshots: Arc<Snapshots>,
    audit: Audit,
    started: SystemTime,
    open: Mutex<HashMap<u64, Arc<Snapshot>>>,
    /// The kernel's ear, once the session has one.
    notifier: Arc<OnceLock<Notifier>>,
    /// The size of each file that the kernel knows at least.
    known_sizes: Vec<AtomicU64>,
    /// Files whose pages the kernel is to forget.
    forget: Sender<INodeNo>,
    /// Starts at another number in each worker, so that no handle of an earlier one is taken for ours.
    next_handle: AtomicU64,
}

impl SecretFs {
    pub(crate) fn new(tree: Tree, snapshots: Arc<Snapshots>, audit: Audit, worker: u64) -> Self {
        let notifier: Arc<OnceLock<Notifier>> = Arc::default();
        let (forget, to_forget) = channel();
        let ear = Arc::clone(&notifier);
        // In a thread of its own: the kernel waits for reads in flight, which the session's threads answer.
        std::thread::spawn(move || {
            for inode in to_forget {
                if let Some(notifier) = ear.get() {
                    let _ = notifier.inval_inode(inode, 0, 0);
                }
            }
        });
        let known_sizes = snapshots.spec().files.iter().map(|_| AtomicU64::new(0)).collect();
        SecretFs {
            notifier,
            known_sizes,
            forget,
            tree,
            snapshots,
            audit,
            started: SystemTime::now(),
            open: Mutex::new(HashMap::new()),
            next_handle: AtomicU64::new((worker << 32) + 1),
        }
    }

    /// Where the session's notifier is to be put.
    pub(crate) fn notifier(&self) -> Arc<OnceLock<Notifier>> {
        Arc::clone(&self.notifier)
    }

    fn attributes(&self, inode: u64) -> Option<FileAttr> {
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
        if let Node::File(index) = self.tree.node(inode)? {
            let file = self.snapshots.spec().files.get(*index)?;
            let snapshot = self.snapshots.current(*index)?.snapshot;
            attributes.kind = FileType::RegularFile;
            attributes.nlink = 1;
            attributes.perm = (file.mode & 0o777) as u16;
            attributes.uid = file.uid;
            attributes.gid = file.gid;
            attributes.size = snapshot.bytes.len() as u64;
            if let Some(known) = self.known_sizes.get(*index) {
                known.store(attributes.size, Ordering::Relaxed);
            }
            attributes.blocks = attributes.size.div_ceil(512);
            attributes.mtime = snapshot.loaded;
            attributes.ctime = snapshot.loaded;
            attributes.atime = snapshot.loaded;
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

    /// Decides, writes down, and gives the snapshot that this open will read to its end.
    fn open_file(&self, request: &Request, inode: INodeNo, flags: OpenFlags) -> Result<Arc<Snapshot>, Errno> {
        let index = self.file(inode)?;
        if flags.acc_mode() != OpenAccMode::O_RDONLY {
            return Err(Errno::EROFS);
        }
        let file = self.snapshots.spec().files.get(index).ok_or(Errno::ENOENT)?;
        let current = self.snapshots.current(index).ok_or(Errno::ENOENT)?;
        let caller = Caller::of(request.pid(), request.uid(), request.gid());
        let decision = caller.may_read(file.uid, file.gid, file.mode);
        let (outcome, reason) = match &decision {
            Ok(()) => (Outcome::Allowed, current.trouble.as_deref().unwrap_or_default()),
            Err(reason) => (Outcome::Denied, reason.as_str()),
        };
        let written = self.audit.record(file, current.snapshot.version, &caller, outcome, reason);
        if let Err(error) = written {
            crate::supervisor::log(&error.to_string());
            return Err(Errno::EIO);
        }
        decision.map_err(|_| Errno::EACCES)?;
        Ok(current.snapshot)
    }

    /// An open through a bind mount of the file asks for no attributes, and splice(2) and sendfile(2) stop at
    /// the size that the kernel remembers. Storing a byte at the new end lets it grow; a size that is too
    /// large corrects itself at the first short read.
    fn tell_size(&self, inode: INodeNo, snapshot: &Snapshot) {
        let (Ok(index), Some(notifier)) = (self.file(inode), self.notifier.get()) else { return };
        let bytes = snapshot.bytes.expose();
        let size = bytes.len() as u64;
        let known = self.known_sizes.get(index).map_or(0, |known| known.swap(size, Ordering::Relaxed));
        let Some(last) = bytes.last().filter(|_| size > known) else { return };
        // The kernel takes a page that begins with the stored byte for a whole one; any other it reads anew.
        let byte = if (size - 1).is_multiple_of(PAGE) { *last } else { 0 };
        let _ = notifier.store(inode, size - 1, &[byte]);
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Snapshot>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Filesystem for SecretFs {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        // Lets a new worker have the requests again that the last one took and did not answer.
        let _ = config.add_capabilities(InitFlags::FUSE_HAS_RESEND);
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let inode = name.to_str().and_then(|name| self.tree.child(parent.0, name));
        match inode.and_then(|inode| self.attributes(inode)) {
            Some(attributes) => reply.entry(&TTL, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _request: &Request, inode: INodeNo, handle: Option<FileHandle>, reply: ReplyAttr) {
        let Some(mut attributes) = self.attributes(inode.0) else { return reply.error(Errno::ENOENT) };
        if let Some(snapshot) = handle.and_then(|handle| self.opened().get(&handle.0).cloned()) {
            attributes.size = snapshot.bytes.len() as u64;
        }
        reply.attr(&TTL, &attributes);
    }

    fn open(&self, request: &Request, inode: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        match self.open_file(request, inode, flags) {
            Ok(snapshot) => {
                self.tell_size(inode, &snapshot);
                let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
                self.opened().insert(handle, snapshot);
                // DIRECT_IO keeps the content out of the kernel's page cache.
                reply.opened(FileHandle(handle), FopenFlags::FOPEN_DIRECT_IO);
            }
            Err(error) => reply.error(error),
        }
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
        // A handle that an earlier worker gave out was allowed by it; its content now is the current one.
        let known = self.opened().get(&handle.0).cloned();
        let snapshot = match known {
            Some(snapshot) => snapshot,
            None => match self.file(inode).map(|index| self.snapshots.current(index)) {
                Ok(Some(current)) => current.snapshot,
                Ok(None) => return reply.error(Errno::ENOENT),
                Err(error) => return reply.error(error),
            },
        };
        let bytes = snapshot.bytes.expose();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(size as usize).min(bytes.len());
        reply.data(&bytes[start..end]);
    }

    fn flush(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        _owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.ok();
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
        self.opened().remove(&handle.0);
        reply.ok();
        // splice(2) and sendfile(2) read through the page cache even with DIRECT_IO: empty it.
        let _ = self.forget.send(inode);
    }

    fn readdir(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let Some(Node::Directory { children, parent }) = self.tree.node(inode.0) else {
            return reply.error(Errno::ENOTDIR);
        };
        let dots = [(".", inode.0), ("..", *parent)].into_iter();
        let entries = dots.chain(children.iter().map(|(name, inode)| (name.as_str(), *inode)));
        for (at, (name, child)) in entries.enumerate().skip(offset as usize) {
            let kind = match self.tree.node(child) {
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
        let Ok(index) = self.file(inode) else { return reply.ok() };
        let Some(file) = self.snapshots.spec().files.get(index) else { return reply.error(Errno::ENOENT) };
        let caller = Caller::of(request.pid(), request.uid(), request.gid());
        let allowed = !mask.contains(AccessFlags::X_OK)
            && (!mask.contains(AccessFlags::R_OK) || caller.may_read(file.uid, file.gid, file.mode).is_ok());
        if allowed { reply.ok() } else { reply.error(Errno::EACCES) }
    }

    fn statfs(&self, _request: &Request, _inode: INodeNo, reply: ReplyStatfs) {
        let files = self.snapshots.spec().files.len() as u64;
        reply.statfs(0, 0, 0, files, 0, 4096, 255, 4096);
    }

    fn getxattr(&self, _request: &Request, _inode: INodeNo, _name: &OsStr, _size: u32, reply: ReplyXattr) {
        reply.error(Errno::ENODATA);
    }

    fn listxattr(&self, _request: &Request, _inode: INodeNo, size: u32, reply: ReplyXattr) {
        if size == 0 { reply.size(0) } else { reply.data(&[]) }
    }
}
