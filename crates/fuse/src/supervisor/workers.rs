//! The worker: started, told all it has to know, asked whether it is there, replaced when it dies.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, pidfd_send_signal};

use super::standby::Told;
use super::{Errand, Supervisor, TALK_PATIENCE, log, open_process};
use crate::channel::{Channel, ChannelError};
use crate::ledger::Ledger;
use crate::memory::HeldValues;
use crate::mount::is_closed;
use crate::spec::{Spec, VersionStatus};
use crate::worker::{Ask, Earlier, Orders, Report};

/// A worker that lives shorter than this died of its work, not of an accident.
const QUICK: Duration = Duration::from_secs(1);
/// So many quick deaths in a row, and the supervisor gives up.
const MOST_QUICK_DEATHS: u32 = 20;
/// How often a worker is started until one lives.
const MOST_STARTS: u32 = 5;
/// How long a worker may take until it serves.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// A worker that does not answer for so long is stopped or stuck, and is replaced.
const PING_PATIENCE: Duration = Duration::from_secs(2);
/// A worker may take this much memory, and four times its content, before it counts as leaking.
const WORKER_MEMORY: u64 = 256 << 20;

pub(super) struct Worker {
    pub(super) pid: u32,
    pub(super) process: OwnedFd,
    /// Nothing if an earlier supervisor has started it.
    pub(super) child: Option<Child>,
    pub(super) channel: Channel,
    pub(super) since: Instant,
    /// Since when a ping is unanswered.
    pub(super) pinged: Option<Instant>,
}

/// What an earlier worker has served.
pub(super) enum Before {
    Nothing,
    Same,
    Other(Box<Spec>, HeldValues, Ledger),
}

/// Ends a process that somebody else has started: its descriptor is readable once all of it is dead.
fn end(process: &OwnedFd) {
    let _ = pidfd_send_signal(process, Signal::KILL);
    let mut dead = [PollFd::new(process, PollFlags::IN)];
    let most = rustix::event::Timespec { tv_sec: 5, tv_nsec: 0 };
    let _ = poll(&mut dead, Some(&most));
}

impl Supervisor {
    /// A worker that says why it cannot serve has the last word; one that dies on the way is tried again.
    pub(super) fn start_worker(&mut self, before: &Before) -> Result<(), Box<dyn std::error::Error>> {
        for _ in 1..MOST_STARTS {
            match self.try_to_start_worker(before)? {
                Ok(()) => return Ok(()),
                Err(error) => log(&format!("a worker died while it started: {error}")),
            }
        }
        Ok(self.try_to_start_worker(before)??)
    }

    pub(super) fn try_to_start_worker(
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
        // Whoever takes our place has to end it, if it begins to serve and the word of it does not arrive any more.
        if let Ok(process) = open_process(child.id()) {
            self.tell_standby(&Told::Starting, |_| vec![process.as_fd()]);
        }
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
    pub(super) fn brief(&mut self, channel: &mut Channel, before: &Before) -> Result<Report, ChannelError> {
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

    pub(super) fn end_worker(&mut self) {
        if let Some(process) = self.starting.take() {
            end(&process);
        }
        let Some(mut worker) = self.worker.take() else { return };
        self.quick_deaths = if worker.since.elapsed() < QUICK { self.quick_deaths + 1 } else { 0 };
        let _ = pidfd_send_signal(&worker.process, Signal::KILL);
        match &mut worker.child {
            Some(child) => drop(child.wait()),
            None => end(&worker.process),
        }
    }

    /// Takes what the worker has to say; `false` if it is gone.
    pub(super) fn hear_worker(&mut self) -> bool {
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

    pub(super) fn take_report(&mut self, report: Report, descriptor: Option<OwnedFd>) {
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

    pub(super) fn tell_worker(&mut self, ask: &Ask) {
        if let Some(worker) = &self.worker {
            // If it is gone, its channel tells so by itself.
            let _ = worker.channel.send(ask, &[]);
        }
    }

    /// Whether the worker is to be replaced, and why. Asks it for a sign of life.
    pub(super) fn check_worker(&mut self) -> Option<String> {
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

    pub(super) fn check_memory(&mut self, content: u64) {
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

    pub(super) fn replace_worker(
        &mut self,
        listener: &UnixListener,
    ) -> Result<(), Box<dyn std::error::Error>> {
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
}
