//! Starting a server, and talking to one that runs.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::io::FdFlags;
use rustix::process::{Pid, Signal, kill_process, setsid};

use crate::channel::{Channel, ChannelError};
use crate::memory::HeldValues;
use crate::mount::{device_at, is_ours, umount};
use crate::spec::{Helpers, MountKind, SecretKind, Spec, Status};
use crate::supervisor::{Answer, Begin, Request, SOCKET, Start};

/// What the processes have to say, in the runtime directory.
pub(crate) const LOG: &str = "server.log";

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
    /// What to run when the file system cannot know or do something by itself.
    pub helpers: Helpers,
    /// The id of a mount that this one takes the place of; a new one if there is none.
    pub mount_id: Option<String>,
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
    #[error("the server did not start: {error}{}", .last_words.as_ref().map(|words| format!("; its last words: {words}")).unwrap_or_default())]
    Silent {
        /// How the conversation ended.
        error: ChannelError,
        /// The last line of its log.
        last_words: Option<String>,
    },
}

/// Longer than a worker may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a server is, it says within the time that it gives its worker for an answer.
const GLANCE: Duration = Duration::from_secs(6);

/// Starts servers.
pub struct Server;

/// A server that this process started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    runtime_dir: PathBuf,
    /// Its end tells an attached supervisor that all who have it are gone.
    tether: Option<UnixStream>,
}

impl Server {
    /// Mounts and serves. When this returns, the files are there.
    pub fn start(options: StartOptions) -> Result<Running, StartError> {
        let log_path = options.runtime_dir.join(LOG);
        let fresh_log = !log_path.exists();
        let mounted_before = device_at(&options.mountpoint);
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
            .current_dir("/");
        in_its_own_session(&mut command);
        let mut child = command.spawn()?;
        drop(command);
        let start = Start {
            spec: options.spec,
            mountpoint: options.mountpoint.clone(),
            runtime_dir: options.runtime_dir.clone(),
            supervisor_argv: options.supervisor_argv,
            worker_argv: options.worker_argv,
            helpers: options.helpers,
            detach: options.detach,
            mount: options.mount,
            mount_id: options.mount_id,
        };
        let start = Begin::Start(Box::new(start));
        let mut channel = Channel::new(ours);
        let answer = channel
            .patience(Some(PATIENCE))
            .and_then(|()| channel.send(&start, &[options.held.as_fd()]))
            .and_then(|()| channel.receive::<Answer>());
        let error = match answer {
            Ok(Answer::Done) => {
                let tether = (!options.detach).then_some(tether);
                return Ok(Running { child, runtime_dir: options.runtime_dir, tether });
            }
            Ok(Answer::Failed(reason)) => StartError::Refused(reason),
            Ok(Answer::Status(_)) => {
                StartError::Refused("the server answered what it was not asked".to_owned())
            }
            Err(error) => {
                // It takes away what it has made, if it can still do anything.
                drop((channel, tether));
                end(&mut child);
                // If not, we do. Nobody else has mounted there: the supervisor would have refused.
                if is_ours(&options.mountpoint) && mounted_before.is_none() {
                    let _ = umount(&options.mountpoint);
                    let _ = std::fs::remove_file(options.runtime_dir.join(SOCKET));
                }
                let words = std::fs::read_to_string(&log_path).unwrap_or_default();
                let last_words = words.lines().last().map(str::to_owned);
                StartError::Silent { error, last_words }
            }
        };
        end(&mut child);
        // The error says all that the log does.
        if fresh_log {
            let _ = std::fs::remove_file(&log_path);
        }
        Err(error)
    }
}

/// What a terminal sends to all who were started there is not for a server: containers read their secrets while they
/// end, too.
#[allow(unsafe_code, reason = "the standard library has no safe way into a new session")]
fn in_its_own_session(command: &mut Command) {
    // SAFETY: between fork and exec there is one system call, which touches no memory.
    unsafe {
        command.pre_exec(|| Ok(setsid().map(drop)?));
    }
}

/// Asks a process to end, and makes it end if it does not.
fn end(child: &mut Child) {
    let ended = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
    if !ended(child) {
        if let Some(pid) = Pid::from_raw(child.id() as i32) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let asked = Instant::now();
        while !ended(child) && asked.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

impl Running {
    /// The supervisor's process id.
    pub fn supervisor_pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets an attached server go on as long as any process does that is started from now on.
    pub fn share(&self) -> std::io::Result<()> {
        let Some(tether) = &self.tether else { return Ok(()) };
        Ok(rustix::io::fcntl_setfd(tether, FdFlags::empty())?)
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

/// A server that runs. Each question is a connection of its own: nobody keeps the supervisor from its work.
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// Finds the server by its runtime directory.
    pub fn connect(runtime_dir: &Path) -> Result<Self, ChannelError> {
        let client = Client { socket: runtime_dir.join(SOCKET) };
        UnixStream::connect(&client.socket)?;
        Ok(client)
    }

    /// What it serves.
    pub fn status(&mut self) -> Result<Status, ChannelError> {
        match self.ask_for(GLANCE, &Request::Status, None)?.0 {
            Answer::Status(status) => Ok(*status),
            Answer::Done => Err(ChannelError::Refused("the server gave no status".to_owned())),
            Answer::Failed(reason) => Err(ChannelError::Refused(reason)),
        }
    }

    /// Serves something else at the same place. No reader sees an error.
    pub fn reload(&mut self, spec: &Spec, held: &HeldValues) -> Result<(), ChannelError> {
        done(self.ask(&Request::Reload(Box::new(spec.clone())), Some(held))?.0)
    }

    /// The content of an earlier version.
    pub fn earlier(
        &mut self,
        kind: SecretKind,
        name: &str,
        version: u64,
    ) -> Result<HeldValues, ChannelError> {
        let (answer, given) = self.ask(&Request::Earlier { kind, name: name.to_owned(), version }, None)?;
        done(answer)?;
        given
            .map(HeldValues::from_fd)
            .ok_or_else(|| ChannelError::Refused("the server gave no content".to_owned()))
    }

    /// Gives a value that comes from no file other content, until the next plan.
    pub fn hold(&mut self, kind: SecretKind, name: &str, value: &HeldValues) -> Result<(), ChannelError> {
        done(self.ask(&Request::Hold { kind, name: name.to_owned() }, Some(value))?.0)
    }

    /// The directory that is mounted over, as it is without the mount.
    pub fn underlay(&mut self) -> Result<OwnedFd, ChannelError> {
        let (answer, given) = self.ask(&Request::Underlay, None)?;
        done(answer)?;
        given.ok_or_else(|| ChannelError::Refused("the server gave no directory".to_owned()))
    }

    /// Lets it go on when the process that started it ends.
    pub fn detach(&mut self) -> Result<(), ChannelError> {
        done(self.ask(&Request::Detach, None)?.0)
    }

    /// Unmounts and ends it, whoever is at work there.
    pub fn stop(&mut self) -> Result<(), ChannelError> {
        done(self.ask(&Request::Stop { idle: false }, None)?.0)
    }

    /// Unmounts and ends it, unless a program works in the mount or has a file of it open.
    pub fn stop_idle(&mut self) -> Result<(), ChannelError> {
        done(self.ask(&Request::Stop { idle: true }, None)?.0)
    }

    fn ask(
        &mut self,
        request: &Request,
        held: Option<&HeldValues>,
    ) -> Result<(Answer, Option<OwnedFd>), ChannelError> {
        self.ask_for(PATIENCE, request, held)
    }

    fn ask_for(
        &mut self,
        patience: Duration,
        request: &Request,
        held: Option<&HeldValues>,
    ) -> Result<(Answer, Option<OwnedFd>), ChannelError> {
        let mut channel = Channel::new(UnixStream::connect(&self.socket)?);
        channel.patience(Some(patience))?;
        let descriptors: Vec<_> = held.into_iter().map(AsFd::as_fd).collect();
        channel.send(request, &descriptors)?;
        let answer = channel.receive()?;
        Ok((answer, channel.take_descriptors().into_iter().next()))
    }
}

fn done(answer: Answer) -> Result<(), ChannelError> {
    match answer {
        Answer::Done | Answer::Status(_) => Ok(()),
        Answer::Failed(reason) => Err(ChannelError::Refused(reason)),
    }
}
