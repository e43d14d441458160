//! The supervisor: owns the connection to the kernel and the mount, holds no secret, replaces the worker.
//!
//! Whatever it owns, a **standby** process has a second hand on: connection, control socket, the worker's
//! channel. It is told of every change and does nothing until the supervisor is gone; then it is the
//! supervisor, and starts a standby of its own. So the worker and one of the two may die, and no reader sees an
//! error; a worker whose supervisor and standby are both gone ends, as nobody would unmount or replace it.

mod clients;
mod errands;
mod standby;
mod versions;
mod workers;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use self::errands::{Errand, Helper};
use self::standby::{Standby, Told, stand_by};
use self::versions::Archive;
use self::workers::{Before, Worker};
use crate::channel::{Channel, ChannelError};
use crate::ledger::Ledger;
use crate::memory::{HeldValues, harden_process};
use crate::mount::{device_at, hold, is_closed, mount, place_of, read_init, umount};
use crate::spec::{Changed, Container, Helpers, MountKind, Spec};
use crate::tree::Tree;
use crate::worker::standard_channel;

pub(crate) use self::clients::{Answer, Request};

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

/// The control socket's name in the runtime directory.
pub(crate) const SOCKET: &str = "control.sock";

/// How long a client or a worker may take for its part of a conversation.
const TALK_PATIENCE: Duration = Duration::from_secs(3);
/// How often worker and standby hear from the supervisor.
const BEAT: Duration = Duration::from_secs(1);

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

/// Where SIGTERM is heard of. What a terminal sends is meant for others; a helper hears it as ever.
fn signals() -> std::io::Result<UnixStream> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let (signals, writer) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGTERM, writer)?;
    for signal in [SIGHUP, SIGINT, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::default())?;
    }
    Ok(signals)
}

fn supervise() -> Result<(), Box<dyn std::error::Error>> {
    let signals = signals()?;
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
    // A starter that is gone by now knows of no server.
    let is_told = starter.send(&Answer::Done, &[]).is_ok();
    if !supervisor.state.detach || !is_told {
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
    /// What services have still to be told, by service.
    owed: BTreeMap<String, Changed>,
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
    /// The worker that an earlier supervisor was starting when it died.
    starting: Option<OwnedFd>,
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
            owed: BTreeMap::new(),
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
            starting: None,
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
            if ready.contains(&Event::Signal) || ready.contains(&Event::Tether) && self.hear_tether() {
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
            if matches!(helper.errand, Errand::Left) {
                // It has still to take away what we leave.
                continue;
            }
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
