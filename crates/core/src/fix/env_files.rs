//! A value moves out of a file of `env_file:` into a secret's file: the line then names that, and every service that
//! reads the file is granted the secret.

use super::dollars::is_raw;
use super::edit::Edit;
use super::secrets::{Granted, NewSecret, Source, free_name, has_place, is_outside, made_note, takes_grants};
use super::tree::child;
use super::{Changes, Fix, FixPlan, Moved, Project, moved, readers, refuse, siblings};
use crate::compose::dotenv::{self, Assigned};
use crate::compose::template::Missing;
use crate::compose::{Environment, Loaded, Service, Way};
use crate::files::{file_name, join};
use crate::images::FileForm;
use crate::rules::{Finding, FixKind, is_tried_first};
use crate::yaml::{Document, NodeId};

/// A line that changes.
struct Move<'p> {
    finding: &'p Finding,
    path: String,
    assigned: Assigned,
    form: FileForm,
    value: String,
    readers: Vec<Reader<'p>>,
    /// What else the user has to know.
    notes: Vec<String>,
}

/// A service that reads the file, in the tree of its own.
struct Reader<'p> {
    service: &'p Service,
    document: &'p Document,
    mapping: NodeId,
    env_file: (NodeId, NodeId),
}

pub(super) fn plan<'p>(
    project: &Project<'p>,
    findings: &[&'p Finding],
    plan: &mut FixPlan,
    changes: &mut Changes<'p>,
) {
    let outcome = project.outcome();
    for finding in findings.iter().filter(|finding| finding.rule == "env-file-secret") {
        let one = match movable(project, finding) {
            Ok(one) => one,
            Err(reason) => {
                plan.refused.push(refuse(outcome, finding, reason));
                continue;
            }
        };
        let taken = changes.names();
        let variable = &*one.assigned.name.value;
        let is_weak = is_tried_first(&one.value, variable);
        let (source, document) = (Source::File(one.value), one.readers[0].document);
        let name = free_name(project, &one.readers[0].service.name, variable, &source, &taken);
        let (key, value) =
            (one.assigned.name.span, one.assigned.value.as_ref().map_or(finding.span, |it| it.span));
        let edits = changes.edits.entry(one.path.clone()).or_default();
        edits.push(Edit::replace(key.start as usize, key.end as usize, one.form.variable.as_str()));
        edits.push(Edit::replace(value.start as usize, value.end as usize, one.form.value(&name)));
        for reader in &one.readers {
            changes.grant(reader.document, reader.mapping, reader.env_file, Granted::plain(&name));
            plan.moved.push(Moved {
                service: reader.service.name.to_string(),
                variable: variable.to_owned(),
                form: one.form.clone(),
                secret: name.clone(),
                in_env_file: true,
            });
        }
        let title = format!("move the value of {variable} to secrets/{name}, and set {}", one.form.variable);
        let mut fix = Fix::new(outcome, one.finding, FixKind::Unsafe, title);
        fix.notes = moved::rotation(project, &one.path, &name, is_weak);
        fix.notes.extend(one.notes);
        fix.notes.extend(one.readers.iter().filter_map(|reader| readers::note(project, reader.service)));
        fix.notes.extend(made_note(project, &name, &source));
        plan.fixes.push(fix);
        changes.secrets.push(NewSecret { name, source, document });
    }
}

fn movable<'p>(project: &Project<'p>, finding: &'p Finding) -> Result<Move<'p>, String> {
    let file = project.sources().file(finding.span.file);
    let path = join("", file.path());
    let reads = |service: &&Service| service.env_files.iter().any(|own| join("", &own.path.value) == path);
    let services: Vec<&Service> =
        project.model().iter().flat_map(|model| &model.services).filter(reads).collect();
    let Some(loaded) = project.loaded() else {
        return Err(
            "no Compose file that reads it is beside it; run `cosec fix` on the one whose services use it"
                .to_owned(),
        );
    };
    if services.is_empty() {
        return Err(
            "no service reads it by `env_file:`; what Compose puts in from it is moved where it is used"
                .to_owned(),
        );
    }
    let (own, others): (Vec<_>, Vec<_>) = dotenv::scan(finding.span.file, file.text())
        .into_iter()
        .partition(|line| *line.name.value == *finding.path);
    let (Some(assigned), 1) = (own.first().cloned(), own.len()) else {
        return Err("it is set more than once; leave one of the lines".to_owned());
    };
    let name = assigned.name.value.to_string();
    let written = assigned.value.as_ref().map_or("", |value| &*value.raw);
    if written.contains(['$', '\\', '\n']) {
        return Err("its value has variables, escapes or several lines; move it by hand".to_owned());
    }
    if is_raw(project, &path) {
        return Err(
            "a service reads it with `format: raw`, where quotes are a part of the value; move it by hand"
                .to_owned(),
        );
    }
    let mut set = Environment::default();
    let parsed =
        dotenv::parse(finding.span.file, file.text(), &Environment::default(), &mut set, Missing::Allow);
    let value = parsed.ok().and_then(|_| set.get(&name).map(|binding| binding.value.to_string()));
    let value = value
        .filter(|value| value == written)
        .ok_or_else(|| "the file cannot be read as Compose reads it; mend that first".to_owned())?;
    if let Some(reason) = moved::used_elsewhere(project, loaded, &name, &[]) {
        return Err(format!("{reason}; move that first"));
    }
    if let Some(reason) = moved::used_beside(project, file_name(&path)) {
        return Err(format!("{reason}, and what it does with the file is not known; move the value by hand"));
    }
    if is_outside(project, &path) {
        return Err(format!(
            "{path} lies outside of the project directory, where others may read it; move the value by hand"
        ));
    }
    has_place(project)?;
    let mut form: Option<FileForm> = None;
    let (mut readers, mut notes) = (Vec::new(), Vec::new());
    for service in services {
        let own = moved::form_of(project, loaded, service, &name).ok();
        let Some(own) = own.filter(|own| form.as_ref().is_none_or(|known| known == own)) else {
            return Err(format!(
                "service {} reads the file, too, and is not known to read {name} from a secret's file",
                service.name
            ));
        };
        if service
            .environment
            .iter()
            .any(|known| [name.as_str(), &own.variable].contains(&&*known.name.value))
        {
            return Err(format!(
                "service {} sets {name} in `environment:`, which wins over it; take one of the two out",
                service.name
            ));
        }
        if others.iter().any(|line| *line.name.value == *own.variable) {
            return Err(format!("{} is set already; remove one of the two", own.variable));
        }
        if service
            .env_files
            .iter()
            .any(|other| join("", &other.path.value) != path && sets(project, &other.path.value, &name))
        {
            return Err(format!(
                "another env file of service {} sets {name}, too; leave one of the two",
                service.name
            ));
        }
        notes.extend(siblings::agree(project, loaded, service, &name, &own)?);
        if let Some(key) = moved::container_uses(loaded, service, &name) {
            return Err(format!(
                "`{key}` of service {} reads {name} in the container, where it is not set any more; let that read the file first",
                service.name
            ));
        }
        moved::not_mounted(project, service, &name)?;
        readers.push(reader(project, loaded, service)?);
        form = Some(own);
    }
    let form = form.ok_or_else(|| "no service reads it by `env_file:`".to_owned())?;
    Ok(Move { finding, path: file.path().to_owned(), assigned, form, value, readers, notes })
}

/// Whether an env file sets a variable, or cannot be read.
fn sets(project: &Project<'_>, path: &str, name: &str) -> bool {
    let Ok(text) = project.files.read(path) else { return true };
    text.contains(name)
}

fn reader<'p>(project: &Project<'p>, loaded: &Loaded, service: &'p Service) -> Result<Reader<'p>, String> {
    let elsewhere = || {
        format!(
            "an anchor, a merge key or another file brings a part of service {}; write it out first",
            service.name
        )
    };
    let mut found = project.documents().iter().filter_map(|document| {
        let (_, services) = child(document, document.root(), "services")?;
        let (_, mapping) = child(document, services, &service.name)?;
        let env_file = child(document, mapping, "env_file")?;
        let anchored = [services, mapping].iter().any(|id| document.node(*id).anchored);
        let is_named = matches!(loaded.ways.of(document.file()), Some(Way::Named(_)));
        (is_named && !anchored).then_some((document, mapping, env_file))
    });
    let (Some((document, mapping, env_file)), None) = (found.next(), found.next()) else {
        return Err(elsewhere());
    };
    takes_grants(document, mapping)?;
    Ok(Reader { service, document, mapping, env_file })
}
