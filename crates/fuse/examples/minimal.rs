//! The smallest file system that answers an open and a read with DIRECT_IO: what `cargo xtask bench` holds the
//! shim against. One file, `pw`, of 64 bytes; no audit, no permission, no snapshot.
#![allow(clippy::print_stderr, reason = "a program for people")]

use std::ffi::OsStr;
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyEntry, ReplyOpen, Request,
};

struct Minimal;

fn attributes(inode: u64) -> FileAttr {
    let root = inode == 1;
    FileAttr {
        ino: INodeNo(inode),
        size: if root { 0 } else { 64 },
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: if root { FileType::Directory } else { FileType::RegularFile },
        perm: if root { 0o755 } else { 0o444 },
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

impl Filesystem for Minimal {
    fn lookup(&self, _request: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == "pw" {
            reply.entry(&Duration::ZERO, &attributes(2), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _request: &Request, inode: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&Duration::ZERO, &attributes(inode.0));
    }

    fn open(&self, _request: &Request, _inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let start = usize::try_from(offset).unwrap_or(64).min(64);
        reply.data(&[b'x'; 64][start..(start + size as usize).min(64)]);
    }
}

fn main() -> std::io::Result<()> {
    let Some(point) = std::env::args().nth(1) else {
        eprintln!("usage: minimal MOUNTPOINT");
        return Ok(());
    };
    let mut config = Config::default();
    config.n_threads = Some(2);
    fuser::mount(Minimal, point, &config)
}
