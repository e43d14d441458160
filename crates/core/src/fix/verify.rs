//! A fixed project is read again: it must mean what it meant, but for what was to change.

use super::{Fix, FixPlan, Model, Moved, Project};
use crate::compose::{Data, MapEntry, Value};
use crate::files::{Answer, FileFacts, FileKind, FileSystem, GitState, ReadError};
use crate::lint::{LintOptions, Outcome};
use crate::rules::{Finding, FixKind};
use crate::source::Span;

/// The files as they will be.
struct Fixed<'a> {
    files: &'a dyn FileSystem,
    plan: &'a FixPlan,
}

impl Fixed<'_> {
    fn changed(&self, path: &str) -> Option<&str> {
        self.plan.changed.iter().find(|file| file.path == path).map(|file| file.after.as_str())
    }

    fn is_new(&self, path: &str) -> bool {
        self.plan.new_files.iter().any(|file| file.path == path)
    }
}

impl FileSystem for Fixed<'_> {
    fn read(&self, path: &str) -> Result<String, ReadError> {
        self.changed(path).map_or_else(|| self.files.read(path), |text| Ok(text.to_owned()))
    }

    fn kind(&self, path: &str) -> Answer<FileKind> {
        if self.changed(path).is_some() || self.is_new(path) {
            Answer::Known(FileKind::File)
        } else {
            self.files.kind(path)
        }
    }

    fn git(&self, path: &str) -> Answer<GitState> {
        if self.is_new(path) { Answer::Known(GitState::Ignored) } else { self.files.git(path) }
    }

    fn facts(&self, path: &str) -> Answer<FileFacts> {
        if self.is_new(path) { Answer::NotChecked("it is not made yet") } else { self.files.facts(path) }
    }

    fn home(&self) -> Option<String> {
        self.files.home()
    }
}

/// Whether the plan changes what it is to change and nothing else, and leaves no finding that it mends.
pub(super) fn holds(before: &Project<'_>, plan: &FixPlan, lint: &LintOptions) -> bool {
    if plan.fixes.is_empty() {
        return true;
    }
    let fixed = Fixed { files: before.files, plan };
    let after = crate::lint::lint(&fixed, before.path, lint);
    let outcome = &after.outcome;
    // There may be several of a rule at one path.
    let mended = |fix: &Fix| {
        let file = before.sources().file(fix.span.file).path();
        let count = |outcome: &Outcome| {
            let same = |finding: &&Finding| {
                (finding.rule, finding.path.as_str()) == (fix.rule, fix.path.as_str())
                    && outcome.sources.file(finding.span.file).path() == file
            };
            outcome.findings.iter().filter(same).count()
        };
        let fixes = plan.fixes.iter().filter(|other| {
            (other.rule, other.path.as_str(), other.span.file) == (fix.rule, fix.path.as_str(), fix.span.file)
        });
        count(outcome) + fixes.count() <= count(before.outcome())
    };
    // What ignores files is asked of git, which does not know the new lines yet.
    let is_mended = plan.fixes.iter().all(|fix| fix.kind == FixKind::Safe || mended(fix));
    let means_the_same = match (before.loaded(), &after.loaded) {
        (Some(before), Some(after)) => {
            let (mut old, mut new) = (before.root.clone(), after.root.clone());
            take_literally(&mut old, &plan.literal);
            for root in [&mut old, &mut new] {
                take_out(root, plan);
            }
            crate::compose::same(&old, &new)
                && plan.moved.iter().all(|moved| has_moved(&after.project, moved))
        }
        (before, after) => before.is_none() && after.is_none(),
    };
    outcome.error.is_none() && is_mended && means_the_same
}

/// Makes of texts what is written there, variables or not.
fn take_literally(value: &mut Value, written: &[Span]) {
    match &mut value.data {
        Data::Map(map) => map.values_mut().for_each(|entry| take_literally(&mut entry.value, written)),
        Data::Seq(items) => items.iter_mut().for_each(|item| take_literally(item, written)),
        _ if written.iter().any(|span| value.span.contains(*span)) => {
            if let Some(template) = &value.template {
                value.data = Data::Str(template.text.clone());
            }
        }
        _ => {}
    }
}

/// Whether a service has the variable that names the file, and the grant, and not the old variable.
fn has_moved(project: &Model, moved: &Moved) -> bool {
    let Some(service) = project.services.iter().find(|service| *service.name == *moved.service) else {
        return false;
    };
    let variable = |name: &str| service.environment.iter().find(|variable| *variable.name.value == *name);
    let target = format!("/run/secrets/{}", moved.secret);
    let names_it = variable(&moved.variant)
        .and_then(|variable| variable.value.as_ref())
        .is_some_and(|value| *value.value == *target);
    let is_granted = service.secrets.iter().any(|grant| *grant.source.value == *moved.secret);
    names_it && is_granted && variable(&moved.variable).is_none() && project.secret(&moved.secret).is_some()
}

/// Takes what a plan may change out of a model: moved variables, new grants and definitions, modes.
fn take_out(root: &mut Value, plan: &FixPlan) {
    let defined: Vec<&str> = plan.moved.iter().map(|moved| moved.secret.as_str()).collect();
    if let Some(top) = root.as_map_mut() {
        if let Some(secrets) = top.get_mut("secrets").and_then(|entry| entry.value.as_map_mut()) {
            secrets.retain(|name, _| {
                !defined.contains(&name.as_ref()) && !plan.unused.iter().any(|unused| **unused == **name)
            });
        }
        if top.get("secrets").is_some_and(|entry| entry.value.is_empty()) {
            top.shift_remove("secrets");
        }
    }
    let Some(services) = root.get_mut("services").and_then(Value::as_map_mut) else { return };
    for (name, MapEntry { value, .. }) in services {
        let moved: Vec<_> = plan.moved.iter().filter(|moved| *moved.service == **name).collect();
        let Some(service) = value.as_map_mut() else { continue };
        if let Some(environment) = service.get_mut("environment") {
            let ours = |name: &str| moved.iter().any(|moved| moved.variable == name || moved.variant == name);
            match &mut environment.value.data {
                Data::Map(map) => map.retain(|name, _| !ours(name)),
                Data::Seq(items) => items.retain(|item| {
                    !item.as_str().is_some_and(|text| ours(text.split('=').next().unwrap_or_default()))
                }),
                _ => {}
            }
        }
        if let Some(secrets) = service.get_mut("secrets").and_then(|entry| entry.value.as_seq_mut()) {
            secrets.retain(|item| {
                !item.as_str().is_some_and(|name| moved.iter().any(|moved| moved.secret == name))
            });
            for grant in secrets {
                if let Some(grant) = grant.as_map_mut() {
                    grant.shift_remove("mode");
                }
            }
        }
        if service.get("secrets").is_some_and(|entry| entry.value.is_empty()) {
            service.shift_remove("secrets");
        }
    }
}
