//! Starting a server, and talking to one that runs.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::channel::{Channel, ChannelError};
use crate::memory::HeldValues;
use crate::spec::{MountKind, Spec, Status};
use crate::supervisor::{Answer, Request, SOCKET, Start};

/// How to start a server.
pub struct StartOptions {
    /// What to serve.
    pub spec: Spec,
    /// The values that come from no file.
    pub held: HeldValues,
    /// An existing empty directory.
    pub mountpoint: PathBuf,
    /// A 0700 directory for the control socket and the log.
    pub runtime_dir: PathBuf,
    /// Arguments with which this same program runs [`supervisor_main`](crate::supervisor_main).
    pub supervisor_argv: Vec<OsString>,
    /// Arguments with which this same program runs [`worker_main`](crate::worker_main).
    pub worker_argv: Vec<OsString>,
    /// Whether the server outlives this process.
    pub detach: bool,
    /// How to mount.
    pub mount: MountKind,
}

/// Why no server runs. One sentence, with what to do next. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The supervisor's own reason.
    #[error("{0}")]
    Refused(String),
    /// It could not be started or asked.
    #[error("cannot start the server: {0}")]
    Process(#[from] std::io::Error),
    /// It ended or kept silent.
    #[error("the server did not start: {error}; its log is {}", .log.display())]
    Silent {
        /// How the conversation ended.
        error: ChannelError,
        /// Where it wrote its last words.
        log: PathBuf,
    },
}

/// Longer than a worker may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts servers.
pub struct Server;

/// A server that this process started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    runtime_dir: PathBuf,
    /// Its end tells an attached supervisor that we are gone.
    _tether: Option<UnixStream>,
}

impl Server {
    /// Mounts and serves. When this returns, the files are there.
    pub fn start(options: StartOptions) -> Result<Running, StartError> {
        let log_path = options.runtime_dir.join("server.log");
        let log = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&log_path)?;
        let (ours, theirs) = UnixStream::pair()?;
        let tether = ours.try_clone()?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("cosec")
            .args(&options.supervisor_argv)
            // Nothing of the user's environment is to be seen in /proc; fusermount3 must be found.
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(log)
            .current_dir("/")
            // Ctrl-C in the terminal is for the command; the server ends after it.
            .process_group(0);
        let mut child = command.spawn()?;
        drop(command);
        let start = Start {
            spec: options.spec,
            mountpoint: options.mountpoint,
            runtime_dir: options.runtime_dir.clone(),
            worker_argv: options.worker_argv,
            detach: options.detach,
            mount: options.mount,
        };
        let mut channel = Channel::new(ours);
        let answer = channel
            .patience(Some(PATIENCE))
            .and_then(|()| channel.send(&start, &[options.held.as_fd()]))
            .and_then(|()| channel.receive::<Answer>());
        let error = match answer {
            Ok(Answer::Done) => {
                let tether = (!options.detach).then_some(tether);
                return Ok(Running { child, runtime_dir: options.runtime_dir, _tether: tether });
            }
            Ok(Answer::Failed(reason)) => StartError::Refused(reason),
            Ok(Answer::Status(_)) => {
                StartError::Refused("the server answered what it was not asked".to_owned())
            }
            Err(error) => StartError::Silent { error, log: log_path },
        };
        let _ = child.kill();
        let _ = child.wait();
        Err(error)
    }
}

impl Running {
    /// The supervisor's process id.
    pub fn supervisor_pid(&self) -> u32 {
        self.child.id()
    }

    /// Unmounts and ends the server.
    pub fn stop(mut self) -> Result<(), ChannelError> {
        let stopped = Client::connect(&self.runtime_dir).and_then(|mut client| client.stop());
        if stopped.is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        stopped
    }
}

/// A conversation with a server that runs.
pub struct Client {
    channel: Channel,
}

impl Client {
    /// Finds the server by its runtime directory.
    pub fn connect(runtime_dir: &Path) -> Result<Self, ChannelError> {
        let channel = Channel::new(UnixStream::connect(runtime_dir.join(SOCKET))?);
        channel.patience(Some(PATIENCE))?;
        Ok(Client { channel })
    }

    /// What it serves.
    pub fn status(&mut self) -> Result<Status, ChannelError> {
        match self.ask(&Request::Status, None)? {
            Answer::Status(status) => Ok(status),
            Answer::Done => Err(ChannelError::Refused("the server gave no status".to_owned())),
            Answer::Failed(reason) => Err(ChannelError::Refused(reason)),
        }
    }

    /// Serves something else at the same place. No reader sees an error.
    pub fn reload(&mut self, spec: &Spec, held: &HeldValues) -> Result<(), ChannelError> {
        done(self.ask(&Request::Reload(spec.clone()), Some(held))?)
    }

    /// Unmounts and ends it.
    pub fn stop(&mut self) -> Result<(), ChannelError> {
        done(self.ask(&Request::Stop, None)?)
    }

    fn ask(&mut self, request: &Request, held: Option<&HeldValues>) -> Result<Answer, ChannelError> {
        let descriptors: Vec<_> = held.into_iter().map(AsFd::as_fd).collect();
        self.channel.send(request, &descriptors)?;
        self.channel.receive()
    }
}

fn done(answer: Answer) -> Result<(), ChannelError> {
    match answer {
        Answer::Done | Answer::Status(_) => Ok(()),
        Answer::Failed(reason) => Err(ChannelError::Refused(reason)),
    }
}
