//! The worker: holds the secrets, answers the kernel. It may die at any moment; the next one goes on.
#![allow(unsafe_code, reason = "dup2 over the descriptor that the session holds")]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

use fuser::{Config, Session, SessionACL};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use serde::{Deserialize, Serialize};

use crate::audit::Audit;
use crate::channel::Channel;
use crate::filesystem::{News, Parts, SecretFs};
use crate::ledger::Ledger;
use crate::memory::{HeldValues, harden_process, lock_failed};
use crate::scope::Containers;
use crate::snapshot::{Before, Change, Listener, Snapshots, seconds};
use crate::source::{FindVariable, Underlay};
use crate::spec::{Container, FileStatus, SecretStatus, Spec};
use crate::supervisor::log;
use crate::tree::Tree;

/// What the supervisor tells a worker. Beside it come the connection to the kernel, the held values, the
/// ledger and the directory that is mounted over; after another plan also that one's held values and ledger.
#[derive(Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) spec: Spec,
    pub(crate) mountpoint: PathBuf,
    /// The kernel's INIT request, byte for byte.
    pub(crate) init: Vec<u8>,
    /// Whether the kernel still waits for the answer to it.
    pub(crate) answer_init: bool,
    /// Counts the workers of this connection.
    pub(crate) number: u64,
    pub(crate) before: Earlier,
    /// What is known of containers.
    pub(crate) containers: HashMap<String, Container>,
}

/// What was served on this connection before.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Earlier {
    Nothing,
    Same,
    Other(Box<Spec>),
}

/// What a worker is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ask {
    /// Before it takes over: content that was served under a version; the value comes beside it.
    Archived { secret: usize, version: u64 },
    /// Whoever served before is gone: take over.
    TakeOver,
    /// Are you there?
    Ping,
    /// How are the files? The number comes back with the answer.
    Files(u64),
    /// Whose container that is.
    Container(String, Option<Container>),
    /// Other content for a held value, which comes beside it.
    Hold(usize),
}

/// What a worker says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Report {
    /// It has all content and waits for the word.
    Loaded,
    /// It serves. What is weaker than it should be comes with it.
    Ready(Vec<String>),
    /// It cannot.
    Failed(String),
    /// It is there. With the bytes of all content.
    Pong(u64),
    /// The answer to a question for the state of its files.
    Files(u64, Shown),
    /// Whose container is this?
    Who(String),
    /// A new version, whose content comes beside it, unless it is one of very many.
    Version { secret: usize, version: u64, size: u64, loaded: u64, rotated: bool },
}

/// The state of what is served.
#[derive(Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) secrets: Vec<SecretStatus>,
    pub(crate) files: Vec<FileStatus>,
    /// Why opens cannot be written down.
    pub(crate) audit: Option<String>,
}

/// The supervisor keeps one descriptor for each version of so many secrets; with more, no earlier version is kept.
pub const MOST_KEPT: usize = 256;

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

/// The worker process. Started by the supervisor. It reads env files by `find`.
pub fn worker_main(find: FindVariable) -> ExitCode {
    harden_process();
    // A message might quote what a thread had in hand, so none is shown. With a thread gone the process is of
    // no use: another takes its place.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        log(&format!("a thread of the worker failed at {place}"));
        std::process::exit(101);
    }));
    match serve(find) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log(&format!("the worker ends: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// A worker that has loaded everything.
struct Prepared {
    fs: SecretFs,
    snapshots: Arc<Snapshots>,
    outbox: Arc<Outbox>,
    who: Receiver<String>,
}

fn serve(find: FindVariable) -> Result<(), Box<dyn std::error::Error>> {
    let mut supervisor = standard_channel()?;
    let orders: Orders = supervisor.receive()?;
    let mut descriptors = supervisor.take_descriptors().into_iter();
    let (Some(connection), Some(held), Some(ledger), Some(directory)) =
        (descriptors.next(), descriptors.next(), descriptors.next(), descriptors.next())
    else {
        return Err("the supervisor sent no descriptors".into());
    };
    let before = match (&orders.before, descriptors.next(), descriptors.next()) {
        (Earlier::Nothing, ..) => Before::Nothing,
        (Earlier::Same, ..) => Before::Same,
        (Earlier::Other(spec), Some(held), Some(ledger)) => {
            Before::Other(spec.clone(), HeldValues::from_fd(held), Ledger::from_fd(ledger))
        }
        (Earlier::Other(_), ..) => return Err("the supervisor sent no descriptors".into()),
    };
    // Before the first secret is read and the first thread started.
    let mut warnings = crate::sandbox::enter();
    let (init, answer_init) = (orders.init.clone(), orders.answer_init);
    let underlay = Arc::new(Underlay { directory, mountpoint: orders.mountpoint.clone() });
    let (held, ledger) = (HeldValues::from_fd(held), Ledger::from_fd(ledger));
    let prepared = prepare(orders, (&underlay, find), &held, ledger, &before, &mut supervisor);
    drop(before);
    let Prepared { fs, snapshots, outbox, who } = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            supervisor.send(&Report::Failed(error.to_string()), &[])?;
            return Err(error);
        }
    };
    if let Err(error) = crate::watch::start(&snapshots) {
        log(&format!("cannot watch the sources, they are looked at when opened: {error}"));
    }
    let news = fs.news();
    let session = take_over(fs, &connection, &init, answer_init)?;
    drop(connection);
    if lock_failed() {
        warnings.push(
            "not all secrets could be locked into memory and may be swapped out; raise `ulimit -l`"
                .to_owned(),
        );
    }
    supervisor.send(&Report::Ready(warnings), &[])?;
    let sender = Arc::new(Mutex::new(supervisor.try_clone()?));
    outbox.open(Arc::clone(&sender));
    let spoken = Arc::clone(&sender);
    std::thread::spawn(move || who.iter().for_each(|id| say(&spoken, &Report::Who(id), &[])));
    std::thread::spawn(move || {
        listen(&mut supervisor, &sender, &snapshots, &news);
        // The supervisor is gone, and with it who would unmount and replace us; and its stand-in has another
        // worker's end in hand.
        std::process::exit(1);
    });
    session.run()?;
    Ok(())
}

/// Tells the supervisor of new versions; those that come before it listens wait.
struct Outbox {
    /// Whether the content goes along.
    kept: bool,
    letters: Mutex<Letters>,
}

enum Letters {
    Waiting(Vec<Change>),
    Open(Arc<Mutex<Channel>>),
}

impl Outbox {
    fn open(&self, sender: Arc<Mutex<Channel>>) {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Letters::Waiting(waiting) = &*letters {
            for change in waiting {
                tell_version(&sender, change, self.kept);
            }
        }
        *letters = Letters::Open(sender);
    }
}

impl Listener for Outbox {
    fn hear(&self, change: Change) {
        match &mut *self.letters.lock().unwrap_or_else(PoisonError::into_inner) {
            Letters::Waiting(waiting) => waiting.push(change),
            Letters::Open(sender) => tell_version(sender, &change, self.kept),
        }
    }
}

fn say(sender: &Mutex<Channel>, report: &Report, descriptors: &[BorrowedFd<'_>]) {
    // A supervisor that is gone is noticed by the thread that listens.
    let _ = sender.lock().unwrap_or_else(PoisonError::into_inner).send(report, descriptors);
}

fn tell_version(sender: &Mutex<Channel>, change: &Change, kept: bool) {
    // Of content that is not kept only a change is news.
    if !kept && !change.rotated {
        return;
    }
    let snapshot = &change.snapshot;
    let report = Report::Version {
        secret: change.secret,
        version: snapshot.version,
        size: snapshot.bytes.len() as u64,
        loaded: seconds(snapshot.loaded),
        rotated: change.rotated,
    };
    let content = kept.then(|| HeldValues::seal_one(snapshot.bytes.expose()).ok()).flatten();
    let descriptors: Vec<BorrowedFd<'_>> = content.iter().map(AsFd::as_fd).collect();
    say(sender, &report, &descriptors);
}

/// Answers the supervisor until it is gone.
fn listen(supervisor: &mut Channel, sender: &Mutex<Channel>, snapshots: &Snapshots, news: &News) {
    while let Ok(ask) = supervisor.receive::<Ask>() {
        match ask {
            Ask::Ping => say(sender, &Report::Pong(snapshots.total()), &[]),
            Ask::Files(number) => {
                let shown =
                    Shown { secrets: snapshots.status(), files: news.files(), audit: news.audit_trouble() };
                say(sender, &Report::Files(number, shown), &[]);
            }
            Ask::Container(id, container) => news.learn(id, container),
            Ask::Hold(secret) => {
                let held = supervisor.take_descriptors().into_iter().next().map(HeldValues::from_fd);
                let value =
                    held.and_then(|held| held.open().ok()).and_then(|values| values.into_iter().next());
                if let Some(value) = value {
                    snapshots.hold(secret, value);
                }
            }
            Ask::Archived { .. } | Ask::TakeOver => {}
        }
    }
}

fn prepare(
    orders: Orders,
    sources: (&Arc<Underlay>, FindVariable),
    held: &HeldValues,
    ledger: Ledger,
    before: &Before,
    supervisor: &mut Channel,
) -> Result<Prepared, Box<dyn std::error::Error>> {
    let tree = Tree::new(&orders.spec.files)?;
    let audit = Audit::open(&orders.spec.audit, &orders.spec.project)?;
    let kept = orders.spec.secrets.len() <= MOST_KEPT;
    let outbox = Arc::new(Outbox { kept, letters: Mutex::new(Letters::Waiting(Vec::new())) });
    let (ask, who) = channel();
    let snapshots = Arc::new(Snapshots::load(orders.spec, sources, held, ledger, before, outbox.clone())?);
    supervisor.send(&Report::Loaded, &[])?;
    let mut archive = HashMap::new();
    while let Ask::Archived { secret, version } = supervisor.receive::<Ask>()? {
        let Some(content) = supervisor.take_descriptors().into_iter().next() else { continue };
        let content = HeldValues::from_fd(content);
        snapshots.recall(secret, version, &content, matches!(before, Before::Same));
        archive.insert((secret, version), content);
    }
    let containers = Containers::knowing(orders.containers);
    let parts = Parts {
        tree,
        snapshots: Arc::clone(&snapshots),
        audit,
        containers,
        who: ask,
        archive,
        worker: orders.number,
    };
    Ok(Prepared { fs: SecretFs::new(parts), snapshots, outbox, who })
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
    let news = fs.news();
    let session = Session::from_fd(fs, stand_in, SessionACL::All, config)?;
    SecretFs::set_notifier(&news, session.notifier());
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
