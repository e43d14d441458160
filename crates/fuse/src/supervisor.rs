//! The supervisor: owns the connection to the kernel and the mount, holds no secret, replaces the worker.

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, poll};
use serde::{Deserialize, Serialize};

use crate::channel::{Channel, ChannelError};
use crate::memory::{HeldValues, harden_process};
use crate::mount::{is_mounted, mount, read_init, umount};
use crate::spec::{MountKind, Spec, Status};
use crate::tree::Tree;
use crate::worker::{Orders, Report, standard_channel};

/// What the supervisor is told when it starts; the held values come beside it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) spec: Spec,
    pub(crate) mountpoint: PathBuf,
    pub(crate) runtime_dir: PathBuf,
    pub(crate) worker_argv: Vec<OsString>,
    pub(crate) detach: bool,
    pub(crate) mount: MountKind,
}

/// What a client asks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Request {
    /// How are you?
    Status,
    /// Serve this instead; the held values come beside it.
    Reload(Spec),
    /// Unmount and end.
    Stop,
}

/// What a client is answered.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    Done,
    Status(Status),
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

/// A line in the server's log, which is standard error.
pub(crate) fn log(message: &str) {
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let _ = writeln!(std::io::stderr(), "{time} {message}");
}

/// The supervisor process. Started by [`Server::start`](crate::Server::start).
pub fn supervisor_main() -> ExitCode {
    harden_process();
    match supervise() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log(&format!("the supervisor ends: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn supervise() -> Result<(), Box<dyn std::error::Error>> {
    let (signals, writer) = UnixStream::pair()?;
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP] {
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    let mut starter = standard_channel()?;
    let start: Start = starter.receive()?;
    let held = starter.take_descriptors().into_iter().next().map(HeldValues::from_fd);
    let held = held.ok_or("no values were handed over")?;
    let (mut supervisor, listener) = match Supervisor::new(start, held) {
        Ok(made) => made,
        Err(error) => {
            starter.send(&Answer::Failed(error.to_string()), &[])?;
            return Err(error);
        }
    };
    starter.send(&Answer::Done, &[])?;
    let starter = (!supervisor.detach).then_some(starter);
    let result = supervisor.run(&listener, &signals, starter.as_ref());
    supervisor.end();
    result
}

struct Supervisor {
    spec: Spec,
    held: HeldValues,
    mountpoint: PathBuf,
    socket: PathBuf,
    worker_argv: Vec<OsString>,
    detach: bool,
    connection: OwnedFd,
    init: Vec<u8>,
    /// The worker, once there is one.
    worker: Option<Worker>,
    /// Workers started so far.
    started: u64,
    quick_deaths: u32,
}

struct Worker {
    child: Child,
    channel: Channel,
    since: Instant,
}

impl Supervisor {
    fn new(start: Start, held: HeldValues) -> Result<(Self, UnixListener), Box<dyn std::error::Error>> {
        Tree::new(&start.spec.files)?;
        let socket = start.runtime_dir.join(SOCKET);
        let listener = listen(&socket)?;
        let undo_socket = |error: Box<dyn std::error::Error>| {
            let _ = std::fs::remove_file(&socket);
            error
        };
        let connection = mount(&start.mountpoint, start.mount).map_err(|error| undo_socket(error.into()))?;
        let undo = |error: Box<dyn std::error::Error>| {
            let _ = umount(&start.mountpoint);
            undo_socket(error)
        };
        let init = read_init(&connection).map_err(|error| undo(error.into()))?;
        let mut supervisor = Supervisor {
            spec: start.spec,
            held,
            mountpoint: start.mountpoint.clone(),
            socket: socket.clone(),
            worker_argv: start.worker_argv,
            detach: start.detach,
            connection,
            init,
            worker: None,
            started: 0,
            quick_deaths: 0,
        };
        let worker = supervisor.start_worker().map_err(undo)?;
        supervisor.worker = Some(worker);
        Ok((supervisor, listener))
    }

    /// A worker that says why it cannot serve has the last word; one that dies on the way is tried again.
    fn start_worker(&mut self) -> Result<Worker, Box<dyn std::error::Error>> {
        for _ in 1..MOST_STARTS {
            match self.try_to_start_worker()? {
                Ok(worker) => return Ok(worker),
                Err(error) => log(&format!("a worker died while it started: {error}")),
            }
        }
        Ok(self.try_to_start_worker()??)
    }

    fn try_to_start_worker(&mut self) -> Result<Result<Worker, ChannelError>, Box<dyn std::error::Error>> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = Command::new("/proc/self/exe")
            .arg0("cosec")
            .args(&self.worker_argv)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        let mut channel = Channel::new(ours);
        let answer_init = self.started == 0;
        let orders =
            Orders { spec: self.spec.clone(), init: self.init.clone(), answer_init, number: self.started };
        let talked = channel
            .patience(Some(START_PATIENCE))
            .and_then(|()| channel.send(&orders, &[self.connection.as_fd(), self.held.as_fd()]))
            .and_then(|()| channel.receive::<Report>());
        let failure = match talked {
            Ok(Report::Ready) => {
                channel.patience(Some(TALK_PATIENCE))?;
                self.started += 1;
                return Ok(Ok(Worker { child, channel, since: Instant::now() }));
            }
            Ok(Report::Failed(reason)) => Err(reason.into()),
            Ok(Report::Files(_)) => Err("the worker answered what it was not asked".into()),
            Err(error) => Ok(Err(error)),
        };
        let _ = child.kill();
        let _ = child.wait();
        failure
    }

    fn run(
        &mut self,
        listener: &UnixListener,
        signals: &UnixStream,
        starter: Option<&Channel>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        loop {
            let readable = PollFlags::IN;
            let mut waiting = vec![PollFd::new(listener, readable), PollFd::new(signals, readable)];
            if let Some(worker) = &self.worker {
                waiting.push(PollFd::new(&worker.channel, readable));
            }
            if let Some(starter) = starter {
                waiting.push(PollFd::new(starter, readable));
            }
            match poll(&mut waiting, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ready: Vec<bool> = waiting.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(waiting);
            // A signal, or the end of whoever started us: take everything away.
            if ready[1] || ready.get(3).copied().unwrap_or(false) {
                return Ok(());
            }
            // A worker speaks only when asked: what is to be read here is its end.
            if ready[2] {
                self.replace_worker()?;
            }
            if ready[0] && self.answer(listener) {
                return Ok(());
            }
        }
    }

    fn replace_worker(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        if let Some(mut worker) = self.worker.take() {
            let _ = worker.child.kill();
            let _ = worker.child.wait();
            self.quick_deaths = if worker.since.elapsed() < QUICK { self.quick_deaths + 1 } else { 0 };
        }
        if !is_mounted(&self.mountpoint) {
            return Err("somebody else has unmounted the file system".into());
        }
        loop {
            match self.start_worker() {
                Ok(worker) => {
                    log(&format!("the worker was replaced by process {}", worker.child.id()));
                    self.worker = Some(worker);
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
        while let Ok(request) = client.receive::<Request>() {
            let (answer, stop) = match request {
                Request::Status => (self.status(), false),
                Request::Stop => {
                    // First the deed, then the word: who hears `done` finds nothing mounted.
                    self.end();
                    (Answer::Done, true)
                }
                Request::Reload(spec) => {
                    let held = client.take_descriptors().into_iter().next().map(HeldValues::from_fd);
                    (self.reload(spec, held), false)
                }
            };
            if client.send(&answer, &[]).is_err() || stop {
                return stop;
            }
        }
        false
    }

    fn status(&mut self) -> Answer {
        let Some(worker) = &mut self.worker else { return Answer::Failed("there is no worker".to_owned()) };
        let files = worker.channel.send(&(), &[]).and_then(|()| worker.channel.receive::<Report>());
        match files {
            Ok(Report::Files(files)) => Answer::Status(Status {
                supervisor_pid: std::process::id(),
                worker_pid: worker.child.id(),
                restarts: self.started.saturating_sub(1),
                mountpoint: self.mountpoint.clone(),
                files,
            }),
            Ok(_) => Answer::Failed("the worker answered what it was not asked".to_owned()),
            Err(error) => Answer::Failed(format!("the worker does not answer: {error}")),
        }
    }

    /// Hands the connection over to a worker that serves something else. Readers wait for a moment.
    fn reload(&mut self, spec: Spec, held: Option<HeldValues>) -> Answer {
        let Some(held) = held else { return Answer::Failed("no values were handed over".to_owned()) };
        if let Err(error) = Tree::new(&spec.files) {
            return Answer::Failed(error.to_string());
        }
        let before = (std::mem::replace(&mut self.spec, spec), std::mem::replace(&mut self.held, held));
        if let Some(mut worker) = self.worker.take() {
            let _ = worker.child.kill();
            let _ = worker.child.wait();
        }
        match self.start_worker() {
            Ok(worker) => {
                self.worker = Some(worker);
                Answer::Done
            }
            Err(error) => {
                (self.spec, self.held) = before;
                let again = self.replace_worker();
                if let Err(error) = again {
                    log(&format!("the earlier plan cannot be served either: {error}"));
                }
                Answer::Failed(error.to_string())
            }
        }
    }

    /// Unmounts, ends the worker, removes the socket. Twice is no harm.
    fn end(&mut self) {
        if let Err(error) = umount(&self.mountpoint) {
            log(&error.to_string());
        }
        if let Some(mut worker) = self.worker.take() {
            let _ = worker.child.kill();
            let _ = worker.child.wait();
        }
        let _ = std::fs::remove_file(&self.socket);
    }
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
