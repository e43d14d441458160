//! A variable that holds the path of a secret's file gets the name by which its image reads files.

use super::edit::Edit;
use super::moved::{container_uses, find, form_of, is_free, key_edit, not_mounted, subject};
use super::{Changes, Fix, FixPlan, Moved, Project, refuse, shadowed, siblings};
use crate::compose::Loaded;
use crate::rules::{Finding, FixKind};

pub(super) fn plan(
    project: &Project<'_>,
    findings: &[&Finding],
    plan: &mut FixPlan,
    changes: &mut Changes<'_>,
) {
    let outcome = project.outcome();
    let Some(loaded) = project.loaded() else { return };
    for finding in findings.iter().filter(|finding| finding.rule == "path-in-plain-key") {
        match renamed(project, loaded, finding) {
            Ok((moved, path, edit, notes)) => {
                changes.edits.entry(path).or_default().push(edit);
                let title = format!("set {} in the place of {}", moved.form.variable, moved.variable);
                let mut fix = Fix::new(outcome, finding, FixKind::Unsafe, title);
                fix.notes.push(format!(
                    "so far the path itself was the value of {}; what was set up with that keeps it until it is changed there",
                    moved.variable
                ));
                fix.notes.extend(notes);
                plan.fixes.push(fix);
                plan.moved.push(moved);
            }
            Err(reason) => plan.refused.push(refuse(outcome, finding, reason)),
        }
    }
}

/// What moves, the edit of which file does it, and what else to say.
fn renamed(
    project: &Project<'_>,
    loaded: &Loaded,
    finding: &Finding,
) -> Result<(Moved, String, Edit, Vec<String>), String> {
    let (service, variable) = subject(project, finding)?;
    let name = &*variable.name.value;
    let form = form_of(project, loaded, service, name)?;
    is_free(service, name, &form)?;
    if !form.mark.is_empty() {
        return Err(format!("the image wants {} before the path; write that", form.mark));
    }
    let value = variable.value.as_ref().map_or("", |value| &*value.raw);
    let secret = value.strip_prefix("/run/secrets/").unwrap_or_default();
    let arrives = |target: &str| target == secret || target == value;
    let is_granted = service.secrets.iter().any(|grant| {
        *grant.source.value == *secret && grant.target.as_ref().is_none_or(|target| arrives(&target.value))
    });
    if !is_granted {
        return Err(format!(
            "service {} is granted no secret that arrives there; grant it first",
            service.name
        ));
    }
    if !shadowed::lines(project, loaded, service, name, &form.variable)?.is_empty() {
        return Err(format!("an env file sets {name}, too; take it out there first"));
    }
    if let Some(key) = container_uses(loaded, service, name) {
        return Err(format!("its `{key}` reads {name} in the container, where it is not set any more"));
    }
    not_mounted(project, service, name)?;
    let notes = siblings::agree(project, loaded, service, name, &form)?;
    let written = find(project, loaded, variable)?;
    let (path, edit) = key_edit(project, &written, variable, &form.variable)?;
    let moved = Moved {
        in_env_file: false,
        service: service.name.to_string(),
        variable: name.to_owned(),
        form,
        secret: secret.to_owned(),
    };
    Ok((moved, path, edit, notes))
}
