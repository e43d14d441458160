//! The standby: what it is told, and how it takes the supervisor's place.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{PidfdFlags, Signal, getppid, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use super::versions::{Archive, Kept, keep};
use super::{Begin, State, Supervisor, TALK_PATIENCE, Worker};
use crate::channel::{Channel, ChannelError};
use crate::ledger::Ledger;
use crate::memory::HeldValues;
use crate::spec::{Changed, Container, SecretKind, VersionStatus};

/// A supervisor that says nothing for so long is stopped, and its standby takes its place. Longer than a
/// worker may take to start.
const STANDBY_PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Standby {
    pub(super) child: Child,
    pub(super) channel: Channel,
}

/// What a standby is told. The first is always the state.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Told {
    /// Beside it: connection, held values, ledger, the directory mounted over, control socket; and the worker's
    /// channel and pidfd.
    State(Box<State>),
    /// A version; its content comes beside it.
    Kept { kind: SecretKind, name: String, status: VersionStatus },
    /// A worker is being started that may serve before the next state is told. Beside it: its pidfd.
    Starting,
    /// What the engine has said of a container.
    Container(String, Container),
    /// A service is to be told of changes.
    Owed(Changed),
    /// It has been told.
    Paid(String),
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
pub(super) enum Borrowed<'a> {
    State(&'a State),
}

/// Waits until the supervisor is gone. Nothing if it ended in good order.
pub(super) fn stand_by(
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
            (Told::Starting, Some((known, _))) => known.starting = descriptors.next(),
            (Told::Container(id, container), Some((known, _))) => {
                known.state.containers.insert(id, container);
            }
            (Told::Owed(changed), Some((known, _))) => {
                known.state.owed.insert(changed.service.clone(), changed);
            }
            (Told::Paid(service), Some((known, _))) => {
                known.state.owed.remove(&service);
            }
            (Told::Tether, Some((known, _))) => {
                known.tether = descriptors.next().map(|tether| Channel::new(UnixStream::from(tether)));
            }
            (Told::End, _) => return Ok(None),
            // Of a state that is not known yet.
            (_, _) => {}
        }
    }
    // Without a word of the state there is nothing to go on with; nor need one that nobody holds on to.
    let known = known.filter(|(known, _)| known.state.detach || known.tether.is_some());
    Ok(known.map(|(mut supervisor, listener)| {
        // Better told twice than never.
        let owed = supervisor.state.owed.values().cloned();
        supervisor.to_tell = owed.map(|changed| (Instant::now(), changed)).collect();
        (supervisor, listener)
    }))
}

impl Supervisor {
    /// A standby's picture of its supervisor.
    pub(super) fn taken_over(
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
        supervisor.tether = tether.filter(|_| !supervisor.state.detach);
        Ok((supervisor, UnixListener::from(listener)))
    }

    /// Starts the process that goes on if this one dies.
    pub(super) fn start_standby(
        &mut self,
        listener: &UnixListener,
    ) -> Result<(), Box<dyn std::error::Error>> {
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
    pub(super) fn handed_on(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.connection.as_fd(), self.held.as_fd(), self.ledger.as_fd(), self.underlay.as_fd()]
    }

    pub(super) fn tell_state(&mut self, listener: &UnixListener) {
        let Some(standby) = self.standby.take() else { return };
        let _ = self.send_state(&standby.channel, listener);
        self.standby = Some(standby);
    }

    /// The state is written down as it is; the descriptors beside it are the rest.
    pub(super) fn send_state(
        &mut self,
        channel: &Channel,
        listener: &UnixListener,
    ) -> Result<(), ChannelError> {
        self.state.worker_pid = self.worker.as_ref().map(|worker| worker.pid);
        let mut descriptors = self.handed_on();
        descriptors.push(listener.as_fd());
        if let Some(worker) = &self.worker {
            descriptors.extend([worker.channel.as_fd(), worker.process.as_fd()]);
        }
        channel.send(&Borrowed::State(&self.state), &descriptors)
    }

    /// What does not arrive is made up for when the standby is started anew.
    pub(super) fn tell_standby<'a>(
        &'a self,
        told: &Told,
        descriptors: impl FnOnce(&'a Supervisor) -> Vec<BorrowedFd<'a>>,
    ) {
        if let Some(standby) = &self.standby {
            let _ = standby.channel.send(told, &descriptors(self));
        }
    }
}
