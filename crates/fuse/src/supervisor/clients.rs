//! Clients at the control socket: what they ask, and what they are answered.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::workers::Before;
use super::{Supervisor, TALK_PATIENCE, log, make_audit_directory};
use crate::channel::{Channel, ChannelError};
use crate::ledger::Ledger;
use crate::memory::HeldValues;
use crate::mount::umount_idle;
use crate::spec::{SecretKind, Spec, Status};
use crate::tree::Tree;
use crate::worker::{Ask, Report, Shown};

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
    /// Go on when whoever started you ends.
    Detach,
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

impl Supervisor {
    /// Talks with one client; `true` means that it is time to end.
    pub(super) fn answer(&mut self, listener: &UnixListener) -> bool {
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
                Request::Detach => {
                    self.state.detach = true;
                    self.tether = None;
                    self.tell_state(listener);
                    (Answer::Done, false)
                }
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

    pub(super) fn status(&mut self) -> Answer {
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

    pub(super) fn ask_files(&mut self) -> Result<Shown, ChannelError> {
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
    pub(super) fn reload(&mut self, spec: Spec, held: Option<HeldValues>, listener: &UnixListener) -> Answer {
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
}
