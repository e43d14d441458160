//! Errands to the engine, which helpers do in processes of their own: whose a container is, and what a service wants to be
//! told.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Event, Supervisor, Told, log};
use crate::server::LOG;
use crate::spec::{Changed, Container};
use crate::worker::Ask;

/// How long a helper may take.
const HELPER_PATIENCE: Duration = Duration::from_secs(60);
/// Helpers at one time; the next ones wait.
const MOST_HELPERS: usize = 8;

/// Something for a helper to do.
pub(super) enum Errand {
    Container(String),
    Changed(Box<Changed>),
    /// Whoever started us is gone.
    Left,
}

pub(super) struct Helper {
    pub(super) errand: Errand,
    pub(super) child: Child,
    pub(super) output: std::process::ChildStdout,
    pub(super) said: Vec<u8>,
    pub(super) since: Instant,
}

impl Supervisor {
    /// Tells services of changes: once of those that come together, and not while one is still being told.
    pub(super) fn tell_services(&mut self) {
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

    /// Runs a helper, or lets it wait for its turn.
    pub(super) fn help(&mut self, errand: Errand) {
        if self.helpers.len() >= MOST_HELPERS {
            self.to_help.push_back(errand);
            return;
        }
        let helpers = &self.state.helpers;
        let (words, last) = match &errand {
            Errand::Container(id) => (&helpers.container, Some(id.clone())),
            Errand::Changed(changed) => {
                (&helpers.changed, Some(serde_json::to_string(changed).unwrap_or_default()))
            }
            Errand::Left => (&helpers.left, None),
        };
        if words.is_empty() {
            return;
        }
        let child = Command::new("/proc/self/exe")
            .arg0("cosec")
            .args(words)
            .args(last)
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

    /// Hears whoever started us: `true` if it is gone, and so is the reason to go on. Whether containers need the server
    /// still, a helper finds out; until it has, all goes on.
    pub(super) fn hear_tether(&mut self) -> bool {
        let Some(tether) = &self.tether else { return false };
        // Nobody has anything to say there, but what a child has inherited it may write to.
        if rustix::io::read(tether, &mut [0; 4096]).is_ok_and(|count| count > 0) {
            return false;
        }
        if self.state.helpers.left.is_empty() {
            return true;
        }
        log("whoever started the server is gone");
        self.tether = None;
        self.state.detach = true;
        self.help(Errand::Left);
        false
    }

    pub(super) fn hear_helpers(&mut self, ready: &[Event]) {
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

    pub(super) fn helped(&mut self, errand: Errand, said: &[u8], succeeded: bool) {
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
            Errand::Left => {
                let outcome = if succeeded { "as it is used" } else { "as it may be used" };
                log(&format!("the server goes on by itself, {outcome}"));
            }
            Errand::Changed(changed) => {
                // What has changed since is owed still.
                if !self.to_tell.iter().any(|(_, later)| later.service == changed.service) {
                    self.state.owed.remove(&changed.service);
                    self.tell_standby(&Told::Paid(changed.service.clone()), |_| vec![]);
                }
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
}
