//! Signals end no command in the middle of something: from [`catch`] on it is told of them, and takes away what it has
//! made. A child that it waits for gets them too, and its exit code comes back.

use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;

/// What there is to know of signals.
struct State {
    is_caught: bool,
    /// The first that came.
    signal: Option<i32>,
    /// How many came while there was no child.
    count: u32,
    child: Option<Heir>,
}

/// So many, and whatever this process waits for is not waited for any more.
const ENOUGH: u32 = 3;

/// The child that signals go on to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Heir {
    pid: Pid,
    /// Whether it is Docker's command line, whose plugin does the work and has to be told, too; of SIGTERM in place of
    /// SIGHUP, by which both would end with their work undone.
    is_docker: bool,
}

/// How long a plugin may take until it is there.
const PLUGIN_PATIENCE: Duration = Duration::from_secs(2);

static STATE: Mutex<State> = Mutex::new(State { is_caught: false, signal: None, count: 0, child: None });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on SIGINT, SIGTERM and SIGHUP no longer end this process.
pub(crate) fn catch() -> Result<(), Failure> {
    if !std::mem::replace(&mut state().is_caught, true) {
        Held::start()?.release();
    }
    Ok(())
}

/// Signals that wait until somebody listens.
pub(crate) struct Held(Signals);

impl Held {
    /// As [`catch`], but without a thread: who has one may not enter a user namespace.
    pub(crate) fn start() -> Result<Self, Failure> {
        // Under `nohup` a closed terminal is to end nothing.
        let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
        let signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))
            .map_err(|error| Failure::Cannot(format!("cannot catch signals: {error}")))?;
        Ok(Held(signals))
    }

    /// Listens to what has come and will come.
    pub(crate) fn release(mut self) {
        std::thread::spawn(move || self.0.forever().for_each(hear));
    }
}

/// Whether whoever started this process has had it ignore a signal.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

fn hear(signal: i32) {
    let mut state = state();
    state.signal.get_or_insert(signal);
    let Some(heir) = state.child else {
        state.count += 1;
        if state.count == ENOUGH {
            std::process::exit(128 + signal);
        }
        return;
    };
    let signal = match signal {
        // A terminal sends Ctrl-C to the child itself: once is enough.
        SIGINT if is_in_front() => return,
        SIGINT => Signal::INT,
        SIGHUP if !heir.is_docker => Signal::HUP,
        _ => Signal::TERM,
    };
    drop(state);
    let plugin = heir.is_docker.then(|| plugin_of(heir)).flatten();
    // One that has ended meanwhile may have left its number to another.
    let state = self::state();
    if state.child == Some(heir) {
        for pid in plugin.into_iter().chain([heir.pid]) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// The plugin that Docker's command line runs. It is waited for: without it a signal is lost, or what is asked for is said to
/// be unknown.
fn plugin_of(docker: Heir) -> Option<Pid> {
    let asked = Instant::now();
    while state().child == Some(docker) && asked.elapsed() < PLUGIN_PATIENCE {
        let plugin = children(docker.pid).into_iter().find(|pid| is_at_work(*pid, docker.pid));
        if plugin.is_some() {
            return plugin;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

fn children(parent: Pid) -> Vec<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect::<Vec<_>>()
        })
        .collect()
}

/// Whether it does what was asked for: each plugin that there is is run first for what it has to say of itself, and what is
/// just made has the words of who made it.
fn is_at_work(plugin: Pid, docker: Pid) -> bool {
    let words = |pid: Pid| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let own = words(plugin);
    !own.is_empty() && !own.ends_with(b"docker-cli-plugin-metadata\0") && own != words(docker)
}

/// This process's terminal.
fn terminal() -> rustix::io::Result<OwnedFd> {
    rustix::fs::open("/dev/tty", OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
}

/// Whether this process and its children are those that the terminal's keys send signals to.
fn is_in_front() -> bool {
    terminal().and_then(rustix::termios::tcgetpgrp) == Ok(rustix::process::getpgrp())
}

/// A question to Docker is no matter of the terminal's once signals are caught: what becomes of a server depends on the
/// answer.
pub(crate) fn keep_from(command: &mut Command) {
    if state().is_caught {
        command.process_group(0);
    }
}

/// Fails if a signal has come: there is no need to go on.
pub(crate) fn check() -> Result<(), Failure> {
    state().signal.map_or(Ok(()), |signal| Err(Failure::Interrupted(signal)))
}

/// Starts a child that gets the signals which this process gets.
pub(crate) fn spawn(command: &mut Command) -> Result<std::io::Result<Child>, Failure> {
    start(command, false)
}

/// The same for Docker's command line and its plugin.
pub(crate) fn spawn_docker(command: &mut Command) -> Result<std::io::Result<Child>, Failure> {
    // Without a terminal, what is sent to our group would reach it twice.
    if terminal().is_err_and(|error| error == rustix::io::Errno::NXIO) {
        command.process_group(0);
    }
    start(command, true)
}

fn start(command: &mut Command, is_docker: bool) -> Result<std::io::Result<Child>, Failure> {
    // A signal comes before or afterwards.
    let mut state = state();
    if let Some(signal) = state.signal {
        return Err(Failure::Interrupted(signal));
    }
    let child = command.spawn();
    let pid = child.as_ref().ok().and_then(|child| Pid::from_raw(child.id() as i32));
    state.child = pid.map(|pid| Heir { pid, is_docker });
    Ok(child)
}

/// Waits for the child that was started.
pub(crate) fn wait(child: &mut Child) -> std::io::Result<ExitStatus> {
    let status = child.wait();
    state().child = None;
    status
}

/// The child's exit code; 128 and the signal's number if one ended it, as shells have it.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// The exit code of what a signal has ended.
pub(crate) fn code_of(signal: i32) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
}
