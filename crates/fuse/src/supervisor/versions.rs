//! Versions of secrets: what a worker reports, and what is kept to be brought back.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::{Answer, Supervisor, Told, log};
use crate::memory::HeldValues;
use crate::spec::{Changed, SecretKind, SecretStatus, VersionStatus};
use crate::worker::Ask;

/// One edit of an env file changes many secrets; a service hears of them at once.
const TOGETHER: Duration = Duration::from_millis(100);

/// Earlier content, and the current one, by name; the latest first.
pub(super) type Archive = HashMap<(SecretKind, String), VecDeque<Kept>>;

pub(super) struct Kept {
    pub(super) status: VersionStatus,
    pub(super) content: HeldValues,
}

pub(super) fn keep(archive: &mut Archive, most: usize, key: (SecretKind, String), kept: Kept) {
    let versions = archive.entry(key).or_default();
    versions.retain(|known| known.status.version != kept.status.version);
    versions.push_front(kept);
    // The current one is among them.
    versions.truncate(most + 1);
}

impl Supervisor {
    pub(super) fn take_version(
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
            let owed = match waiting {
                Some((_, changed)) => {
                    if !changed.secrets.contains(&name) {
                        changed.secrets.push(name.clone());
                    }
                    changed.clone()
                }
                None => {
                    let project = self.state.spec.project.clone();
                    let secrets = vec![name.clone()];
                    let changed = Changed { project, service, secrets, hook };
                    self.to_tell.push((Instant::now() + TOGETHER, changed.clone()));
                    changed
                }
            };
            self.tell_standby(&Told::Owed(owed.clone()), |_| vec![]);
            self.state.owed.insert(owed.service.clone(), owed);
        }
    }

    pub(super) fn earlier(&self, kind: SecretKind, name: &str, version: u64) -> Option<HeldValues> {
        let versions = self.archive.get(&(kind, name.to_owned()))?;
        versions.iter().find(|kept| kept.status.version == version)?.content.try_clone().ok()
    }

    pub(super) fn hold(&mut self, kind: SecretKind, name: &str, value: Option<HeldValues>) -> Answer {
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

    pub(super) fn with_earlier(&self, mut secret: SecretStatus) -> SecretStatus {
        let versions = self.archive.get(&(secret.kind, secret.name.clone()));
        let earlier = versions.into_iter().flatten().map(|kept| kept.status.clone());
        secret.earlier = earlier.filter(|status| status.version != secret.version).collect();
        secret
    }
}
