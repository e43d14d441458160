//! A secret's file that others can read becomes its owner's alone.

use super::ignored::secret_file;
use super::secrets::is_outside;
use super::{ChangedMode, Fix, FixPlan, Project, refuse};
use crate::compose::{Text, VolumeMount};
use crate::files::{Answer, FileOwner, join, parent};
use crate::rules::{Finding, FixKind, can_read, is_open};

/// What a file has for its owner alone.
pub(super) const PRIVATE: u32 = 0o600;

pub(super) fn plan(project: &Project<'_>, findings: &[&Finding], plan: &mut FixPlan) {
    let outcome = project.outcome();
    for finding in findings.iter().filter(|finding| finding.rule == "secret-file-mode") {
        let Some(path) = secret_file(project, finding) else { continue };
        match closable(project, &path) {
            Ok(owner) => {
                let mut fix = Fix::new(outcome, finding, FixKind::Unsafe, title(&path));
                fix.sets_mode = true;
                fix.notes.push(
                    "an image that does not begin as root may not read it any more under plain `docker compose up`; `cosec up` serves it to the service's own user"
                        .to_owned(),
                );
                plan.fixes.push(fix);
                if !plan.modes.iter().any(|known| known.path == path) {
                    plan.modes.push(ChangedMode { path, before: owner.mode, after: PRIVATE });
                }
            }
            Err(reason) => plan.refused.push(refuse(outcome, finding, reason)),
        }
    }
}

/// What is done to a file.
pub(super) fn title(path: &str) -> String {
    format!("make {path} readable for its owner alone: 0{PRIVATE:o}")
}

/// Whose file it is, if all who are granted it could still read it.
pub(super) fn closable(project: &Project<'_>, path: &str) -> Result<FileOwner, String> {
    let Answer::Known(Some(owner)) = project.files.facts(path).map(|facts| facts.owner) else {
        return Err("files have no mode here; change it by hand".to_owned());
    };
    let served = "`cosec up` serves it to that user alone, whatever the file's mode";
    if !is_open(owner) {
        return Err(format!("it is closed already, and its service runs as another user; {served}"));
    }
    if is_outside(project, path) {
        return Err(format!("{path} lies outside of the project directory, where others may read it"));
    }
    let closed = owner.with_mode(PRIVATE);
    let model = project.model();
    let of_file = |name: &str| {
        let file = model.and_then(|model| model.secret(name)?.file.as_ref());
        file.is_some_and(|file| join("", &file.value) == path)
    };
    if let Some(other) = other_reader(project, path) {
        return Err(other);
    }
    let mut services = model
        .into_iter()
        .flat_map(|model| &model.services)
        .filter(|service| service.secrets.iter().any(|grant| of_file(&grant.source.value)));
    match services.find(|service| !can_read(service, closed)) {
        Some(service) => Err(format!(
            "service {} runs as another user than the file's owner, and could not read it then; {served}",
            service.name
        )),
        None => Ok(owner),
    }
}

/// Who has the file otherwise than as a secret, a sentence: nothing is known of who reads it there.
fn other_reader(project: &Project<'_>, path: &str) -> Option<String> {
    let model = project.model()?;
    let is_it = |file: &Text| join("", &file.value) == path;
    if let Some(config) = model.configs.iter().find(|config| config.file.as_ref().is_some_and(is_it)) {
        return Some(format!(
            "the config {} is of the same file, and its readers may need its mode",
            config.name
        ));
    }
    let holds = |mount: &VolumeMount| {
        let source = mount.source.as_ref().map(|source| join("", &source.value));
        let is_whole_project = |source: &str| join("", project.directory) == source;
        source.is_some_and(|source| source == path || (source == parent(path) && !is_whole_project(&source)))
    };
    let service = model.services.iter().find(|service| service.volumes.iter().any(holds))?;
    Some(format!("service {} mounts it as a volume, too, and may need its mode", service.name))
}
