//! The worker: holds the secrets, answers the kernel. It may die at any moment; the next one goes on.
#![allow(unsafe_code, reason = "dup2 over the descriptor that the session holds")]

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;

use fuser::{Config, Session, SessionACL};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use serde::{Deserialize, Serialize};

use crate::audit::Audit;
use crate::channel::Channel;
use crate::filesystem::SecretFs;
use crate::memory::{HeldValues, harden_process, lock_failed};
use crate::snapshot::Snapshots;
use crate::spec::{FileStatus, Spec};
use crate::supervisor::log;
use crate::tree::Tree;

/// What the supervisor tells a worker; the connection to the kernel and the held values come beside it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) spec: Spec,
    /// The kernel's INIT request, byte for byte.
    pub(crate) init: Vec<u8>,
    /// Whether the kernel still waits for the answer to it.
    pub(crate) answer_init: bool,
    /// Counts the workers of this connection.
    pub(crate) number: u64,
}

/// What a worker says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Report {
    /// It serves.
    Ready,
    /// It cannot.
    Failed(String),
    /// The answer to a question for the state of its files.
    Files(Vec<FileStatus>),
}

/// Descriptor 0 of both processes is their socket to whoever started them.
pub(crate) fn standard_channel() -> Result<Channel, Box<dyn std::error::Error>> {
    // SAFETY: descriptor 0 is ours since exec, and nothing in this process reads standard input.
    let stdin = unsafe { BorrowedFd::borrow_raw(0) };
    let stream = UnixStream::from(stdin.try_clone_to_owned()?);
    // Children must not inherit it: its end tells the other side that we are gone.
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(Channel::new(stream))
}

/// The worker process. Started by the supervisor.
pub fn worker_main() -> ExitCode {
    harden_process();
    let _ = rustix::thread::set_no_new_privs(true);
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log(&format!("the worker ends: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let mut supervisor = standard_channel()?;
    let orders: Orders = supervisor.receive()?;
    let mut descriptors = supervisor.take_descriptors().into_iter();
    let (Some(connection), Some(held)) = (descriptors.next(), descriptors.next()) else {
        return Err("the supervisor sent no descriptors".into());
    };
    let prepared = prepare(orders, &connection, &HeldValues::from_fd(held));
    let (session, snapshots) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            supervisor.send(&Report::Failed(error.to_string()), &[])?;
            return Err(error);
        }
    };
    if lock_failed() {
        log("not all secrets could be locked into memory (RLIMIT_MEMLOCK): they may be swapped out");
    }
    let watcher = crate::watch::start(&snapshots);
    if let Err(error) = &watcher {
        log(&format!("cannot watch the sources, they are looked at when opened: {error}"));
    }
    supervisor.send(&Report::Ready, &[])?;
    let files = Arc::clone(&snapshots);
    std::thread::spawn(move || {
        while supervisor.receive::<()>().is_ok() {
            if supervisor.send(&Report::Files(files.status()), &[]).is_err() {
                break;
            }
        }
        // The supervisor is gone, and with it who would unmount and replace us.
        std::process::exit(1);
    });
    session.run()?;
    Ok(())
}

fn prepare(
    orders: Orders,
    connection: &OwnedFd,
    held: &HeldValues,
) -> Result<(Session<SecretFs>, Arc<Snapshots>), Box<dyn std::error::Error>> {
    let tree = Tree::new(&orders.spec.files)?;
    let audit = Audit::open(&orders.spec.audit, &orders.spec.project)?;
    let snapshots = Arc::new(Snapshots::load(orders.spec, held)?);
    let fs = SecretFs::new(tree, Arc::clone(&snapshots), audit, orders.number);
    let session = take_over(fs, connection, &orders.init, orders.answer_init)?;
    Ok((session, snapshots))
}

/// Makes a session on a connection whose INIT request has been read already: the session gets it from a
/// socket, and then the connection in that socket's place.
fn take_over(
    fs: SecretFs,
    connection: &OwnedFd,
    init: &[u8],
    answer_init: bool,
) -> Result<Session<SecretFs>, Box<dyn std::error::Error>> {
    let (kernel, stand_in) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let mut kernel = std::fs::File::from(kernel);
    kernel.write_all(init)?;
    let number = stand_in.as_raw_fd();
    let mut config = Config::default();
    // One thread may wait for a slow disk while the other answers.
    config.n_threads = Some(2);
    let notifier = fs.notifier();
    let session = Session::from_fd(fs, stand_in, SessionACL::All, config)?;
    let _ = notifier.set(session.notifier());
    let mut answer = vec![0; 4096];
    let length = kernel.read(&mut answer)?;
    let mut device = std::fs::File::from(connection.try_clone()?);
    if answer_init {
        device.write_all(&answer[..length])?;
    }
    // SAFETY: `number` is open and belongs to the session; afterwards it still does, as the connection.
    // The owned handle made for dup2 is forgotten again, so that only the session closes it.
    let mut slot = unsafe { OwnedFd::from_raw_fd(number) };
    let duplicated = rustix::io::dup3(connection, &mut slot, rustix::io::DupFlags::CLOEXEC);
    std::mem::forget(slot);
    duplicated?;
    if !answer_init {
        ask_for_unanswered(&mut device);
    }
    Ok(session)
}

/// FUSE_NOTIFY_RESEND (fuse_kernel.h, Linux 6.9): the kernel sends again what an earlier worker has read and
/// not answered. Older kernels refuse it; a few readers then wait until they are interrupted.
fn ask_for_unanswered(device: &mut std::fs::File) {
    const FUSE_NOTIFY_RESEND: i32 = 7;
    let mut header = Vec::with_capacity(16);
    header.extend_from_slice(&16_u32.to_ne_bytes());
    header.extend_from_slice(&FUSE_NOTIFY_RESEND.to_ne_bytes());
    header.extend_from_slice(&0_u64.to_ne_bytes());
    if let Err(error) = device.write_all(&header) {
        log(&format!("this kernel cannot send unanswered requests again (Linux 6.9 can): {error}"));
    }
}
