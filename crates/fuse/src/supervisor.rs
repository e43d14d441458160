//! The supervisor: owns the connection to the kernel and the mount, holds no secret, replaces the worker.
//!
//! Whatever it owns, a **standby** process has a second hand on: connection, control socket, the worker's
//! channel. It is told of every change and does nothing until the supervisor is gone; then it is the
//! supervisor, and starts a standby of its own. So any one process may die, or two of the three, and no reader
//! sees an error.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, getppid, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::channel::{Channel, ChannelError};
use crate::ledger::Ledger;
use crate::memory::{HeldValues, harden_process};
use crate::mount::{device_at, hold, is_closed, mount, place_of, read_init, umount, umount_idle};
use crate::server::LOG;
use crate::spec::{
    Changed, Container, Helpers, MountKind, SecretKind, SecretStatus, Spec, Status, VersionStatus,
};
use crate::tree::Tree;
use crate::worker::{Ask, Earlier, Orders, Report, Shown, standard_channel};

/// What the supervisor is told when it starts; the held values come beside it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) spec: Spec,
    pub(crate) mountpoint: PathBuf,
    pub(crate) runtime_dir: PathBuf,
    pub(crate) supervisor_argv: Vec<OsString>,
    pub(crate) worker_argv: Vec<OsString>,
    pub(crate) helpers: Helpers,
    pub(crate) detach: bool,
    pub(crate) mount: MountKind,
    pub(crate) mount_id: Option<String>,
}

/// The first word to a supervisor process.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Begin {
    /// Mount and serve.
    Start(Box<Start>),
    /// Stand by.
    StandBy,
}

/// What a client asks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Request {
    /// How are you?
    Status,
    /// Serve this instead; the held values come beside it.
    Reload(Box<Spec>),
    /// Give out an earlier version's content, as a held value.
    Earlier { kind: SecretKind, name: String, version: u64 },
    /// Other content for a value that comes from no file, which comes beside it.
    Hold { kind: SecretKind, name: String },
    /// A hold on the directory that is mounted over.
    Underlay,
    /// Unmount and end; unless somebody is at work there, if so asked.
    Stop { idle: bool },
}

/// What a client is answered.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    Done,
    Status(Box<Status>),
    Failed(String),
}

/// The control socket's name in the runtime directory.
pub(crate) const SOCKET: &str = "control.sock";

/// A worker that lives shorter than this died of its work, not of an accident.
const QUICK: Duration = Duration::from_secs(1);
/// So many quick deaths in a row, and the supervisor gives up.
const MOST_QUICK_DEATHS: u32 = 20;
/// How often a worker is started until one lives.
const MOST_STARTS: u32 = 5;
/// How long a worker may take until it serves.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long a client or a worker may take for its part of a conversation.
const TALK_PATIENCE: Duration = Duration::from_secs(3);
/// How often worker and standby hear from the supervisor.
const BEAT: Duration = Duration::from_secs(1);
/// A worker that does not answer for so long is stopped or stuck, and is replaced.
const PING_PATIENCE: Duration = Duration::from_secs(2);
/// A supervisor that says nothing for so long is stopped, and its standby takes its place. Longer than a
/// worker may take to start.
const STANDBY_PATIENCE: Duration = Duration::from_secs(30);
/// A worker may take this much memory, and four times its content, before it counts as leaking.
const WORKER_MEMORY: u64 = 256 << 20;
/// How long a helper may take.
const HELPER_PATIENCE: Duration = Duration::from_secs(60);
/// Helpers at one time; the next ones wait.
const MOST_HELPERS: usize = 8;

/// One edit of an env file changes many secrets; a service hears of them at once.
const TOGETHER: Duration = Duration::from_millis(100);

/// A line in the server's log, which is standard error.
pub(crate) fn log(message: &str) {
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let _ = writeln!(std::io::stderr(), "{time} {message}");
}

/// The supervisor process. Started by [`Server::start`](crate::Server::start), or as a standby.
pub fn supervisor_main() -> ExitCode {
    harden_process();
    more_descriptors();
    match supervise() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log(&format!("the supervisor ends: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// One for each version that is kept.
fn more_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most });
}

fn supervise() -> Result<(), Box<dyn std::error::Error>> {
    let (signals, writer) = UnixStream::pair()?;
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP] {
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    let mut starter = standard_channel()?;
    let start = match starter.receive()? {
        Begin::Start(start) => *start,
        Begin::StandBy => {
            let Some((mut supervisor, listener)) = stand_by(starter)? else { return Ok(()) };
            log("the supervisor is gone; its standby takes its place");
            let result = supervisor.run(&listener, &signals);
            supervisor.end();
            return result;
        }
    };
    let held = starter.take_descriptors().into_iter().next().map(HeldValues::from_fd);
    let held = held.ok_or("no values were handed over")?;
    let (mut supervisor, listener) = match Supervisor::new(start, held) {
        Ok(made) => made,
        Err(error) => {
            starter.send(&Answer::Failed(error.to_string()), &[])?;
            return Err(error);
        }
    };
    // Without a standby all works but the supervisor's own death.
    if let Err(error) = supervisor.start_standby(&listener) {
        log(&format!("no standby: {error}"));
    }
    starter.send(&Answer::Done, &[])?;
    if !supervisor.state.detach {
        // Not before: until the word is said, the starter must notice our death at once.
        supervisor.tether = Some(starter);
        supervisor
            .tell_standby(&Told::Tether, |supervisor| supervisor.tether.iter().map(AsFd::as_fd).collect());
    }
    let result = supervisor.run(&listener, &signals);
    supervisor.end();
    result
}

/// All that a supervisor knows and can write down.
#[derive(Serialize, Deserialize)]
struct State {
    spec: Spec,
    mountpoint: PathBuf,
    /// What is mounted there, by its device number: a directory that is renamed takes its mount along.
    device: Option<Vec<u8>>,
    runtime_dir: PathBuf,
    supervisor_argv: Vec<OsString>,
    worker_argv: Vec<OsString>,
    helpers: Helpers,
    detach: bool,
    mount_id: String,
    /// The kernel's INIT request.
    init: Vec<u8>,
    /// Workers started so far.
    started: u64,
    worker_pid: Option<u32>,
    warnings: Vec<String>,
    /// What the engine has said of containers.
    containers: HashMap<String, Container>,
}

/// What a standby is told. The first is always the state.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Told {
    /// Beside it: connection, held values, ledger, the directory mounted over, control socket; and the worker's
    /// channel and pidfd.
    State(Box<State>),
    /// A version; its content comes beside it.
    Kept { kind: SecretKind, name: String, status: VersionStatus },
    /// What the engine has said of a container.
    Container(String, Container),
    /// Beside it: the connection to whoever started us, with whom all ends.
    Tether,
    /// The supervisor is there.
    Beat,
    /// All is over; nobody need take over.
    End,
}

/// [`Told::State`] without a copy.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Borrowed<'a> {
    State(&'a State),
}

/// Earlier content, and the current one, by name; the latest first.
type Archive = HashMap<(SecretKind, String), VecDeque<Kept>>;

struct Kept {
    status: VersionStatus,
    content: HeldValues,
}

fn keep(archive: &mut Archive, most: usize, key: (SecretKind, String), kept: Kept) {
    let versions = archive.entry(key).or_default();
    versions.retain(|known| known.status.version != kept.status.version);
    versions.push_front(kept);
    // The current one is among them.
    versions.truncate(most + 1);
}

impl State {
    /// Where the file system is mounted now.
    fn place(&self) -> PathBuf {
        let now = self.device.as_deref().and_then(place_of);
        now.unwrap_or_else(|| self.mountpoint.clone())
    }
}

struct Supervisor {
    state: State,
    held: HeldValues,
    ledger: Ledger,
    connection: OwnedFd,
    /// The directory that is mounted over.
    underlay: OwnedFd,
    /// The worker, once there is one.
    worker: Option<Worker>,
    standby: Option<Standby>,
    tether: Option<Channel>,
    archive: Archive,
    helpers: Vec<Helper>,
    to_help: VecDeque<Errand>,
    /// Services that are to be told of changes, and when.
    to_tell: Vec<(Instant, Changed)>,
    /// What could not be told, by service.
    untold: BTreeMap<String, String>,
    quick_deaths: u32,
    /// Counts the questions, so that an answer to another's is told from one's own.
    asked: u64,
    ended: bool,
}

struct Worker {
    pid: u32,
    process: OwnedFd,
    /// Nothing if an earlier supervisor has started it.
    child: Option<Child>,
    channel: Channel,
    since: Instant,
    /// Since when a ping is unanswered.
    pinged: Option<Instant>,
}

struct Standby {
    child: Child,
    channel: Channel,
}

/// Something for a helper to do.
enum Errand {
    Container(String),
    Changed(Box<Changed>),
}

struct Helper {
    errand: Errand,
    child: Child,
    output: std::process::ChildStdout,
    said: Vec<u8>,
    since: Instant,
}

/// Waits until the supervisor is gone. Nothing if it ended in good order.
fn stand_by(
    mut supervisor: Channel,
) -> Result<Option<(Supervisor, UnixListener)>, Box<dyn std::error::Error>> {
    let parent = getppid().and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    supervisor.patience(Some(STANDBY_PATIENCE))?;
    let mut known: Option<(Supervisor, UnixListener)> = None;
    loop {
        let told = match supervisor.receive::<Told>() {
            Ok(told) => told,
            Err(ChannelError::Closed) => break,
            Err(_) => {
                // It is stopped: two of us must not go on at once.
                if let Some(parent) = &parent {
                    let _ = pidfd_send_signal(parent, Signal::KILL);
                }
                break;
            }
        };
        let mut descriptors = supervisor.take_descriptors().into_iter();
        match (told, &mut known) {
            (Told::State(state), known) => {
                let (archive, tether) =
                    known.take().map(|(before, _)| (before.archive, before.tether)).unwrap_or_default();
                *known = Some(Supervisor::taken_over(*state, &mut descriptors, archive, tether)?);
            }
            (Told::Kept { kind, name, status }, Some((known, _))) => {
                if let Some(content) = descriptors.next().map(HeldValues::from_fd) {
                    let most = known.state.spec.keep;
                    keep(&mut known.archive, most, (kind, name), Kept { status, content });
                }
            }
            (Told::Container(id, container), Some((known, _))) => {
                known.state.containers.insert(id, container);
            }
            (Told::Tether, Some((known, _))) => {
                known.tether = descriptors.next().map(|tether| Channel::new(UnixStream::from(tether)));
            }
            (Told::End, _) => return Ok(None),
            (Told::Beat | Told::Kept { .. } | Told::Container(..) | Told::Tether, _) => {}
        }
    }
    // Without a word of the state there is nothing to go on with; nor need one that nobody holds on to.
    Ok(known.filter(|(known, _)| known.state.detach || known.tether.is_some()))
}

impl Supervisor {
    fn new(start: Start, held: HeldValues) -> Result<(Self, UnixListener), Box<dyn std::error::Error>> {
        Tree::new(&start.spec.files)?;
        make_audit_directory(&start.spec)?;
        let socket = start.runtime_dir.join(SOCKET);
        let listener = listen(&socket)?;
        let undo_socket = |error: Box<dyn std::error::Error>| {
            let _ = std::fs::remove_file(&socket);
            error
        };
        // Before the mount: afterwards the path leads to the mount.
        let underlay = hold(&start.mountpoint).map_err(|error| undo_socket(error.into()))?;
        let connection = mount(&start.mountpoint, start.mount).map_err(|error| undo_socket(error.into()))?;
        let undo = |error: Box<dyn std::error::Error>| {
            let _ = umount(&start.mountpoint);
            undo_socket(error)
        };
        let init = read_init(&connection).map_err(|error| undo(error.into()))?;
        let ledger = Ledger::new().map_err(|error| undo(error.into()))?;
        let mount_id = match start.mount_id {
            Some(id) => id,
            None => new_id().map_err(|error| undo(error.into()))?,
        };
        let state = State {
            spec: start.spec,
            device: device_at(&start.mountpoint),
            mountpoint: start.mountpoint.clone(),
            runtime_dir: start.runtime_dir,
            supervisor_argv: start.supervisor_argv,
            worker_argv: start.worker_argv,
            helpers: start.helpers,
            detach: start.detach,
            mount_id,
            init,
            started: 0,
            worker_pid: None,
            warnings: Vec::new(),
            containers: HashMap::new(),
        };
        let mut supervisor = Supervisor::with(state, held, ledger, connection, underlay);
        supervisor.start_worker(&Before::Nothing).map_err(undo)?;
        Ok((supervisor, listener))
    }

    fn with(state: State, held: HeldValues, ledger: Ledger, connection: OwnedFd, underlay: OwnedFd) -> Self {
        Supervisor {
            state,
            held,
            ledger,
            connection,
            underlay,
            worker: None,
            standby: None,
            tether: None,
            archive: HashMap::new(),
            helpers: Vec::new(),
            to_help: VecDeque::new(),
            to_tell: Vec::new(),
            untold: BTreeMap::new(),
            quick_deaths: 0,
            asked: 0,
            ended: false,
        }
    }

    /// A standby's picture of its supervisor.
    fn taken_over(
        state: State,
        descriptors: &mut impl Iterator<Item = OwnedFd>,
        archive: Archive,
        tether: Option<Channel>,
    ) -> Result<(Self, UnixListener), Box<dyn std::error::Error>> {
        let mut next = || descriptors.next();
        let (Some(connection), Some(held), Some(ledger), Some(underlay), Some(listener)) =
            (next(), next(), next(), next(), next())
        else {
            return Err("the supervisor sent no descriptors".into());
        };
        let (held, ledger) = (HeldValues::from_fd(held), Ledger::from_fd(ledger));
        let worker_pid = state.worker_pid;
        let mut supervisor = Supervisor::with(state, held, ledger, connection, underlay);
        if let (Some(pid), Some(channel), Some(process)) =
            (worker_pid, descriptors.next(), descriptors.next())
        {
            let channel = Channel::new(UnixStream::from(channel));
            channel.patience(Some(TALK_PATIENCE))?;
            supervisor.worker =
                Some(Worker { pid, process, child: None, channel, since: Instant::now(), pinged: None });
        }
        supervisor.archive = archive;
        supervisor.tether = tether;
        Ok((supervisor, UnixListener::from(listener)))
    }

    /// Starts the process that goes on if this one dies.
    fn start_standby(&mut self, listener: &UnixListener) -> Result<(), Box<dyn std::error::Error>> {
        if let Some(mut standby) = self.standby.take() {
            let _ = standby.child.kill();
            let _ = standby.child.wait();
        }
        let (ours, theirs) = UnixStream::pair()?;
        let channel = Channel::new(ours);
        channel.patience(Some(TALK_PATIENCE))?;
        channel.send(&Begin::StandBy, &[])?;
        // Told before it is there: from its first moment on it can go on without us.
        self.send_state(&channel, listener)?;
        if let Some(tether) = &self.tether {
            channel.send(&Told::Tether, &[tether.as_fd()])?;
        }
        let child = Command::new("/proc/self/exe")
            .arg0("cosec")
            .args(&self.state.supervisor_argv)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        self.standby = Some(Standby { child, channel });
        for ((kind, name), versions) in &self.archive {
            for kept in versions.iter().rev() {
                let told = Told::Kept { kind: *kind, name: name.clone(), status: kept.status.clone() };
                if let Some(standby) = &self.standby {
                    let _ = standby.channel.send(&told, &[kept.content.as_fd()]);
                }
            }
        }
        Ok(())
    }

    /// What every process of a server has a hand on.
    fn handed_on(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.connection.as_fd(), self.held.as_fd(), self.ledger.as_fd(), self.underlay.as_fd()]
    }

    fn tell_state(&mut self, listener: &UnixListener) {
        let Some(standby) = self.standby.take() else { return };
        let _ = self.send_state(&standby.channel, listener);
        self.standby = Some(standby);
    }

    /// The state is written down as it is; the descriptors beside it are the rest.
    fn send_state(&mut self, channel: &Channel, listener: &UnixListener) -> Result<(), ChannelError> {
        self.state.worker_pid = self.worker.as_ref().map(|worker| worker.pid);
        let mut descriptors = self.handed_on();
        descriptors.push(listener.as_fd());
        if let Some(worker) = &self.worker {
            descriptors.extend([worker.channel.as_fd(), worker.process.as_fd()]);
        }
        channel.send(&Borrowed::State(&self.state), &descriptors)
    }

    /// What does not arrive is made up for when the standby is started anew.
    fn tell_standby<'a>(
        &'a self,
        told: &Told,
        descriptors: impl FnOnce(&'a Supervisor) -> Vec<BorrowedFd<'a>>,
    ) {
        if let Some(standby) = &self.standby {
            let _ = standby.channel.send(told, &descriptors(self));
        }
    }

    /// A worker that says why it cannot serve has the last word; one that dies on the way is tried again.
    fn start_worker(&mut self, before: &Before) -> Result<(), Box<dyn std::error::Error>> {
        for _ in 1..MOST_STARTS {
            match self.try_to_start_worker(before)? {
                Ok(()) => return Ok(()),
                Err(error) => log(&format!("a worker died while it started: {error}")),
            }
        }
        Ok(self.try_to_start_worker(before)??)
    }

    fn try_to_start_worker(
        &mut self,
        before: &Before,
    ) -> Result<Result<(), ChannelError>, Box<dyn std::error::Error>> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = Command::new("/proc/self/exe")
            .arg0("cosec")
            .args(&self.state.worker_argv)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        let mut channel = Channel::new(ours);
        let talked = self.brief(&mut channel, before);
        let failure = match talked {
            Ok(Report::Ready(warnings)) => {
                channel.patience(Some(TALK_PATIENCE))?;
                let pid = child.id();
                let process = open_process(pid)?;
                self.state.started += 1;
                self.state.warnings = warnings;
                let (since, child) = (Instant::now(), Some(child));
                self.worker = Some(Worker { pid, process, child, channel, since, pinged: None });
                return Ok(Ok(()));
            }
            Ok(Report::Failed(reason)) => Err(reason.into()),
            Ok(_) => Err("the worker answered what it was not asked".into()),
            Err(error) => Ok(Err(error)),
        };
        let _ = child.kill();
        let _ = child.wait();
        failure
    }

    /// Tells a new worker all it has to know. The old one serves until the new one has everything.
    fn brief(&mut self, channel: &mut Channel, before: &Before) -> Result<Report, ChannelError> {
        channel.patience(Some(START_PATIENCE))?;
        let orders = Orders {
            spec: self.state.spec.clone(),
            mountpoint: self.state.mountpoint.clone(),
            init: self.state.init.clone(),
            answer_init: self.state.started == 0,
            number: self.state.started,
            before: match before {
                Before::Nothing => Earlier::Nothing,
                Before::Same => Earlier::Same,
                Before::Other(spec, ..) => Earlier::Other(spec.clone()),
            },
            containers: self.state.containers.clone(),
        };
        let mut descriptors = self.handed_on();
        if let Before::Other(_, held, ledger) = before {
            descriptors.extend([held.as_fd(), ledger.as_fd()]);
        }
        channel.send(&orders, &descriptors)?;
        match channel.receive()? {
            Report::Loaded => {}
            other => return Ok(other),
        }
        self.end_worker();
        for (index, secret) in self.state.spec.secrets.iter().enumerate() {
            let key = (secret.kind, secret.name.clone());
            for kept in self.archive.get(&key).into_iter().flatten() {
                let ask = Ask::Archived { secret: index, version: kept.status.version };
                channel.send(&ask, &[kept.content.as_fd()])?;
            }
        }
        channel.send(&Ask::TakeOver, &[])?;
        channel.receive()
    }

    fn end_worker(&mut self) {
        let Some(mut worker) = self.worker.take() else { return };
        self.quick_deaths = if worker.since.elapsed() < QUICK { self.quick_deaths + 1 } else { 0 };
        let _ = pidfd_send_signal(&worker.process, Signal::KILL);
        match &mut worker.child {
            Some(child) => drop(child.wait()),
            // Somebody else's child: its descriptor is readable once it is dead.
            None => {
                let mut dead = [PollFd::new(&worker.process, PollFlags::IN)];
                let most = rustix::event::Timespec { tv_sec: 5, tv_nsec: 0 };
                let _ = poll(&mut dead, Some(&most));
            }
        }
    }

    fn run(
        &mut self,
        listener: &UnixListener,
        signals: &UnixStream,
    ) -> Result<(), Box<dyn std::error::Error>> {
        if self.standby.is_none() {
            self.worker.is_none().then(|| self.replace_worker(listener)).transpose()?;
            if let Err(error) = self.start_standby(listener) {
                log(&format!("no standby: {error}"));
            }
        }
        let mut beat = Instant::now();
        loop {
            let ready = self.wait_for(listener, signals, beat)?;
            // A signal, or the end of whoever started us: take everything away.
            if ready.contains(&Event::Signal) || ready.contains(&Event::Tether) {
                return Ok(());
            }
            if is_closed(&self.connection) {
                return Err("somebody else has unmounted the file system".into());
            }
            if ready.contains(&Event::Worker) && !self.hear_worker() {
                self.replace_worker(listener)?;
            }
            if ready.contains(&Event::Standby) {
                // It never speaks: what is to be read is its end.
                log("the standby was replaced");
                if let Err(error) = self.start_standby(listener) {
                    log(&format!("no standby: {error}"));
                    self.standby = None;
                }
            }
            self.hear_helpers(&ready);
            self.tell_services();
            if ready.contains(&Event::Client) && self.answer(listener) {
                return Ok(());
            }
            if beat.elapsed() >= BEAT {
                beat = Instant::now();
                self.tell_standby(&Told::Beat, |_| vec![]);
                if let Some(reason) = self.check_worker() {
                    log(&format!("the worker is to be replaced: {reason}"));
                    self.replace_worker(listener)?;
                }
            }
        }
    }

    fn wait_for(
        &self,
        listener: &UnixListener,
        signals: &UnixStream,
        beat: Instant,
    ) -> Result<Vec<Event>, Box<dyn std::error::Error>> {
        if self.worker.as_ref().is_some_and(|worker| worker.channel.has_message()) {
            return Ok(vec![Event::Worker]);
        }
        let readable = PollFlags::IN;
        let mut events = vec![Event::Client, Event::Signal];
        let mut waiting = vec![PollFd::new(listener, readable), PollFd::new(signals, readable)];
        if let Some(worker) = &self.worker {
            events.push(Event::Worker);
            waiting.push(PollFd::new(&worker.channel, readable));
        }
        if let Some(standby) = &self.standby {
            events.push(Event::Standby);
            waiting.push(PollFd::new(&standby.channel, readable));
        }
        if let Some(tether) = &self.tether {
            events.push(Event::Tether);
            waiting.push(PollFd::new(tether, readable));
        }
        for (index, helper) in self.helpers.iter().enumerate() {
            events.push(Event::Helper(index));
            waiting.push(PollFd::new(&helper.output, readable));
        }
        // Not the connection: who waits at it is woken by every request. The worker's end tells of an unmount.
        let to_tell = self.to_tell.iter().map(|(due, _)| due.saturating_duration_since(Instant::now())).min();
        let rest =
            BEAT.saturating_sub(beat.elapsed()).min(to_tell.unwrap_or(BEAT)).max(Duration::from_millis(1));
        let rest =
            rustix::event::Timespec { tv_sec: rest.as_secs() as i64, tv_nsec: rest.subsec_nanos().into() };
        match poll(&mut waiting, Some(&rest)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let happened = waiting.iter().zip(events).filter(|(fd, _)| !fd.revents().is_empty());
        Ok(happened.map(|(_, event)| event).collect())
    }

    /// Takes what the worker has to say; `false` if it is gone.
    fn hear_worker(&mut self) -> bool {
        let Some(worker) = &mut self.worker else { return false };
        match worker.channel.receive::<Report>() {
            Ok(report) => {
                let descriptor = worker.channel.take_descriptors().into_iter().next();
                self.take_report(report, descriptor);
                true
            }
            // The rest of a line whose beginning an earlier supervisor took with it.
            Err(ChannelError::Language(_)) => true,
            Err(_) => false,
        }
    }

    fn take_report(&mut self, report: Report, descriptor: Option<OwnedFd>) {
        match report {
            Report::Pong(_) => {
                if let Some(worker) = &mut self.worker {
                    worker.pinged = None;
                }
                if let Report::Pong(content) = report {
                    self.check_memory(content);
                }
            }
            Report::Who(id) => match self.state.containers.get(&id).cloned() {
                Some(container) => self.tell_worker(&Ask::Container(id, Some(container))),
                None if self.state.helpers.container.is_empty() => {
                    self.tell_worker(&Ask::Container(id, None));
                }
                None => self.help(Errand::Container(id)),
            },
            Report::Version { secret, version, size, loaded, rotated } => {
                let status = VersionStatus { version, size, loaded };
                self.take_version(secret, &status, rotated, descriptor);
            }
            // Answers to questions that an earlier supervisor asked.
            Report::Loaded | Report::Ready(_) | Report::Failed(_) | Report::Files(..) => {}
        }
    }

    fn take_version(
        &mut self,
        secret: usize,
        status: &VersionStatus,
        rotated: bool,
        content: Option<OwnedFd>,
    ) {
        let Some(spec) = self.state.spec.secrets.get(secret) else { return };
        let (kind, name) = (spec.kind, spec.name.clone());
        if let Some(content) = content.map(HeldValues::from_fd) {
            let told = Told::Kept { kind, name: name.clone(), status: status.clone() };
            self.tell_standby(&told, |_| vec![content.as_fd()]);
            let most = self.state.spec.keep;
            keep(&mut self.archive, most, (kind, name.clone()), Kept { status: status.clone(), content });
        }
        if !rotated {
            return;
        }
        log(&format!("`{name}` has version {} now", status.version));
        let of_it = self.state.spec.files.iter().filter(|file| file.secret == secret);
        let services: Vec<String> =
            of_it.flat_map(|file| &file.grants).map(|grant| grant.service.clone()).collect();
        for (service, hook) in self.state.spec.hooks.clone() {
            if !services.contains(&service) {
                continue;
            }
            let waiting = self.to_tell.iter_mut().find(|(_, changed)| changed.service == service);
            match waiting {
                Some((_, changed)) if changed.secrets.contains(&name) => {}
                Some((_, changed)) => changed.secrets.push(name.clone()),
                None => {
                    let project = self.state.spec.project.clone();
                    let secrets = vec![name.clone()];
                    let changed = Changed { project, service, secrets, hook };
                    self.to_tell.push((Instant::now() + TOGETHER, changed));
                }
            }
        }
    }

    /// Tells services of changes: once of those that come together, and not while one is still being told.
    fn tell_services(&mut self) {
        let is_told = |service: &str, errand: &Errand| matches!(errand, Errand::Changed(changed) if changed.service == service);
        let mut later = Vec::new();
        for (due, changed) in std::mem::take(&mut self.to_tell) {
            let busy = self.helpers.iter().map(|helper| &helper.errand).chain(&self.to_help);
            if due > Instant::now() || busy.into_iter().any(|errand| is_told(&changed.service, errand)) {
                later.push((due, changed));
            } else {
                self.help(Errand::Changed(Box::new(changed)));
            }
        }
        self.to_tell = later;
    }

    fn tell_worker(&mut self, ask: &Ask) {
        if let Some(worker) = &self.worker {
            // If it is gone, its channel tells so by itself.
            let _ = worker.channel.send(ask, &[]);
        }
    }

    /// Runs a helper, or lets it wait for its turn.
    fn help(&mut self, errand: Errand) {
        if self.helpers.len() >= MOST_HELPERS {
            self.to_help.push_back(errand);
            return;
        }
        let helpers = &self.state.helpers;
        let (words, last) = match &errand {
            Errand::Container(id) => (&helpers.container, id.clone()),
            Errand::Changed(changed) => {
                (&helpers.changed, serde_json::to_string(changed).unwrap_or_default())
            }
        };
        if words.is_empty() {
            return;
        }
        let child = Command::new("/proc/self/exe")
            .arg0("cosec")
            .args(words)
            .arg(last)
            .env_clear()
            .envs(helpers.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        match child {
            Ok(mut child) => {
                if let Some(output) = child.stdout.take() {
                    self.helpers.push(Helper {
                        errand,
                        child,
                        output,
                        said: Vec::new(),
                        since: Instant::now(),
                    });
                }
            }
            Err(error) => log(&format!("cannot start a helper: {error}")),
        }
    }

    fn hear_helpers(&mut self, ready: &[Event]) {
        let mut done = Vec::new();
        for (index, helper) in self.helpers.iter_mut().enumerate() {
            let mut bytes = [0; 4096];
            let ended = if ready.contains(&Event::Helper(index)) {
                match helper.output.read(&mut bytes) {
                    Ok(0) => true,
                    Ok(count) => {
                        helper.said.extend_from_slice(&bytes[..count]);
                        false
                    }
                    Err(error) => error.kind() != std::io::ErrorKind::Interrupted,
                }
            } else {
                false
            };
            if ended || helper.since.elapsed() > HELPER_PATIENCE {
                done.push(index);
            }
        }
        for index in done.into_iter().rev() {
            let mut helper = self.helpers.swap_remove(index);
            if helper.since.elapsed() > HELPER_PATIENCE {
                let _ = helper.child.kill();
            }
            let succeeded = helper.child.wait().is_ok_and(|status| status.success());
            self.helped(helper.errand, &helper.said, succeeded);
        }
        while self.helpers.len() < MOST_HELPERS
            && let Some(errand) = self.to_help.pop_front()
        {
            self.help(errand);
        }
    }

    fn helped(&mut self, errand: Errand, said: &[u8], succeeded: bool) {
        match errand {
            Errand::Container(id) => {
                let container: Option<Container> = serde_json::from_slice(said).unwrap_or_default();
                if !succeeded {
                    log(&format!("the engine could not be asked about container {id}"));
                }
                if let Some(container) = &container {
                    self.state.containers.insert(id.clone(), container.clone());
                    self.tell_standby(&Told::Container(id.clone(), container.clone()), |_| vec![]);
                }
                self.tell_worker(&Ask::Container(id, container));
            }
            Errand::Changed(changed) => {
                let outcome = if succeeded { "was told" } else { "could not be told" };
                let said = format!(
                    "service `{}` {outcome} that {} changed",
                    changed.service,
                    changed.secrets.join(", ")
                );
                log(&said);
                if succeeded {
                    self.untold.remove(&changed.service);
                } else {
                    let log = self.state.runtime_dir.join(LOG);
                    self.untold
                        .insert(changed.service, format!("{said} (`on-rotate`); {} says why", log.display()));
                }
            }
        }
    }

    /// Whether the worker is to be replaced, and why. Asks it for a sign of life.
    fn check_worker(&mut self) -> Option<String> {
        let worker = self.worker.as_mut()?;
        match worker.pinged {
            Some(since) if since.elapsed() > PING_PATIENCE => Some("it does not answer".to_owned()),
            Some(_) => None,
            None => {
                worker.pinged = Some(Instant::now());
                worker.channel.send(&Ask::Ping, &[]).err().map(|error| error.to_string())
            }
        }
    }

    fn check_memory(&mut self, content: u64) {
        let Some(worker) = &self.worker else { return };
        let facts = std::fs::read_to_string(format!("/proc/{}/statm", worker.pid)).unwrap_or_default();
        let pages: u64 = facts.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        let resident = pages * rustix::param::page_size() as u64;
        if resident > WORKER_MEMORY + 4 * content {
            log(&format!("the worker is to be replaced: it has grown to {} MiB", resident >> 20));
            // Its end is noticed, and a new one started.
            let _ = pidfd_send_signal(&worker.process, Signal::KILL);
        }
    }

    fn replace_worker(&mut self, listener: &UnixListener) -> Result<(), Box<dyn std::error::Error>> {
        self.end_worker();
        if is_closed(&self.connection) {
            return Err("somebody else has unmounted the file system".into());
        }
        loop {
            match self.start_worker(&Before::Same) {
                Ok(()) => {
                    let pid = self.worker.as_ref().map_or(0, |worker| worker.pid);
                    log(&format!("the worker was replaced by process {pid}"));
                    self.tell_state(listener);
                    return Ok(());
                }
                Err(error) => {
                    self.quick_deaths += 1;
                    log(&format!("a new worker cannot serve: {error}"));
                }
            }
            if self.quick_deaths > MOST_QUICK_DEATHS {
                return Err("workers die as soon as they are started".into());
            }
            std::thread::sleep(Duration::from_millis(u64::from(self.quick_deaths) * 20));
        }
    }

    /// Talks with one client; `true` means that it is time to end.
    fn answer(&mut self, listener: &UnixListener) -> bool {
        let Ok((stream, _)) = listener.accept() else { return false };
        let allowed = rustix::net::sockopt::socket_peercred(&stream)
            .is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid());
        if !allowed {
            return false;
        }
        let mut client = Channel::new(stream);
        if client.patience(Some(TALK_PATIENCE)).is_err() {
            return false;
        }
        if let Ok(request) = client.receive::<Request>() {
            let beside = client.take_descriptors().into_iter().next().map(HeldValues::from_fd);
            let (mut given, underlay) = (None, matches!(request, Request::Underlay));
            let (answer, stop) = match request {
                Request::Status => (self.status(), false),
                Request::Stop { idle } => {
                    // First the deed, then the word: who hears `done` finds nothing mounted.
                    match if idle { umount_idle(&self.state.place()) } else { Ok(()) } {
                        Ok(()) => {
                            self.end();
                            (Answer::Done, true)
                        }
                        Err(error) => (Answer::Failed(error.to_string()), false),
                    }
                }
                Request::Underlay => (Answer::Done, false),
                Request::Reload(spec) => (self.reload(*spec, beside, listener), false),
                Request::Earlier { kind, name, version } => {
                    given = self.earlier(kind, &name, version);
                    let missing = || Answer::Failed(format!("version {version} of `{name}` is not kept"));
                    (given.as_ref().map_or_else(missing, |_| Answer::Done), false)
                }
                Request::Hold { kind, name } => (self.hold(kind, &name, beside), false),
            };
            let underlay = underlay.then_some(self.underlay.as_fd());
            let descriptors: Vec<BorrowedFd<'_>> = given.iter().map(AsFd::as_fd).chain(underlay).collect();
            // Whoever does not wait for the answer goes without.
            let _ = client.send(&answer, &descriptors);
            return stop;
        }
        false
    }

    fn earlier(&self, kind: SecretKind, name: &str, version: u64) -> Option<HeldValues> {
        let versions = self.archive.get(&(kind, name.to_owned()))?;
        versions.iter().find(|kept| kept.status.version == version)?.content.try_clone().ok()
    }

    fn hold(&mut self, kind: SecretKind, name: &str, value: Option<HeldValues>) -> Answer {
        let index =
            self.state.spec.secrets.iter().position(|secret| secret.kind == kind && secret.name == name);
        let (Some(index), Some(worker), Some(value)) = (index, &self.worker, value) else {
            return Answer::Failed(format!("nothing is served as `{name}`"));
        };
        match worker.channel.send(&Ask::Hold(index), &[value.as_fd()]) {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Failed(format!("the worker does not take it: {error}")),
        }
    }

    fn status(&mut self) -> Answer {
        let Shown { secrets, files, audit } = match self.ask_files() {
            Ok(answer) => answer,
            Err(error) => return Answer::Failed(format!("the worker does not answer: {error}")),
        };
        let worker_pid = self.worker.as_ref().map_or(0, |worker| worker.pid);
        Answer::Status(Box::new(Status {
            project: self.state.spec.project.clone(),
            directory: self.state.spec.directory.clone(),
            mount_id: self.state.mount_id.clone(),
            supervisor_pid: std::process::id(),
            standby_pid: self.standby.as_ref().map(|standby| standby.child.id()),
            worker_pid,
            restarts: self.state.started.saturating_sub(1),
            mountpoint: self.state.place(),
            audit: self.state.spec.audit.path.clone(),
            scope: self.state.spec.scope,
            secrets: secrets.into_iter().map(|secret| self.with_earlier(secret)).collect(),
            files,
            warnings: self.state.warnings.iter().chain(self.untold.values()).cloned().chain(audit).collect(),
        }))
    }

    fn with_earlier(&self, mut secret: SecretStatus) -> SecretStatus {
        let versions = self.archive.get(&(secret.kind, secret.name.clone()));
        let earlier = versions.into_iter().flatten().map(|kept| kept.status.clone());
        secret.earlier = earlier.filter(|status| status.version != secret.version).collect();
        secret
    }

    fn ask_files(&mut self) -> Result<Shown, ChannelError> {
        self.asked += 1;
        // Another supervisor's questions were counted too.
        let number = u64::from(std::process::id()) << 32 | self.asked;
        self.worker.as_ref().ok_or(ChannelError::Closed)?.channel.send(&Ask::Files(number), &[])?;
        let asked = Instant::now();
        while asked.elapsed() < TALK_PATIENCE {
            let worker = self.worker.as_mut().ok_or(ChannelError::Closed)?;
            match worker.channel.receive::<Report>() {
                Ok(Report::Files(answered, shown)) if answered == number => return Ok(shown),
                Ok(report) => {
                    let descriptor = worker.channel.take_descriptors().into_iter().next();
                    self.take_report(report, descriptor);
                }
                Err(ChannelError::Language(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(ChannelError::Refused("it has too much else to say".to_owned()))
    }

    /// Hands the connection over to a worker that serves something else. Readers wait for a moment; if the new
    /// plan cannot be served, they do not notice at all.
    fn reload(&mut self, spec: Spec, held: Option<HeldValues>, listener: &UnixListener) -> Answer {
        let Some(held) = held else { return Answer::Failed("no values were handed over".to_owned()) };
        let prepared = Tree::new(&spec.files)
            .map_err(|error| error.to_string())
            .and_then(|_| make_audit_directory(&spec).map_err(|error| error.to_string()))
            .and_then(|()| Ledger::new().map_err(|error| error.to_string()));
        let ledger = match prepared {
            Ok(ledger) => ledger,
            Err(reason) => return Answer::Failed(reason),
        };
        let before = Before::Other(
            Box::new(std::mem::replace(&mut self.state.spec, spec)),
            std::mem::replace(&mut self.held, held),
            std::mem::replace(&mut self.ledger, ledger),
        );
        let started = self.start_worker(&before);
        if let Err(error) = started {
            if let Before::Other(spec, held, ledger) = before {
                (self.state.spec, self.held, self.ledger) = (*spec, held, ledger);
            }
            if self.worker.is_none()
                && let Err(error) = self.replace_worker(listener)
            {
                log(&format!("the earlier plan cannot be served either: {error}"));
            }
            return Answer::Failed(error.to_string());
        }
        self.tell_state(listener);
        Answer::Done
    }

    /// Unmounts, ends the worker, removes the socket. Twice is no harm.
    fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.tell_standby(&Told::End, |_| vec![]);
        if let Err(error) = umount(&self.state.place()) {
            log(&error.to_string());
        }
        self.end_worker();
        let _ = std::fs::remove_file(self.state.runtime_dir.join(SOCKET));
        for mut helper in self.helpers.drain(..) {
            let _ = helper.child.kill();
            let _ = helper.child.wait();
        }
        if let Some(mut standby) = self.standby.take() {
            // It was told; it may be stopped.
            let _ = standby.child.kill();
            let _ = standby.child.wait();
        }
    }
}

/// What an earlier worker has served.
enum Before {
    Nothing,
    Same,
    Other(Box<Spec>, HeldValues, Ledger),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    Client,
    Signal,
    Worker,
    Standby,
    Tether,
    Helper(usize),
}

fn open_process(pid: u32) -> Result<OwnedFd, Box<dyn std::error::Error>> {
    let pid = Pid::from_raw(pid as i32).ok_or("a process without a number")?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// 128 bits that no other mount has.
fn new_id() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |id, byte| id + &format!("{byte:02x}")))
}

/// The worker may write there and nowhere else, so it has to be there first.
fn make_audit_directory(spec: &Spec) -> std::io::Result<()> {
    let directory = spec.audit.path.parent().unwrap_or_else(|| Path::new("/"));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// The control socket; one that nobody listens on any more is replaced.
fn listen(socket: &PathBuf) -> Result<UnixListener, ChannelError> {
    if UnixStream::connect(socket).is_ok() {
        return Err(ChannelError::Refused("a server of this project runs already".to_owned()));
    }
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
