//! A config that holds a secret becomes one, at the same path in the one service that has it.

use super::beside;
use super::secrets::{Granted, NewSecret, Source, free_name, has_place, made_note, takes_grants};
use super::tree::{child, remove, scalar};
use super::{Changes, Fix, FixPlan, Project, Reshaped, moved, refuse};
use crate::compose::{Grant, Loaded, Service, Value, Way};
use crate::rules::{Finding, FixKind};
use crate::yaml::{Document, Kind, NodeId};

/// A config that becomes a secret.
struct Move<'p> {
    findings: Vec<&'p Finding>,
    name: &'p str,
    source: Source,
    target: String,
    definition: Listed<'p>,
    service: &'p Service,
    grant: Listed<'p>,
}

/// A part of a `configs:`, at the top or in a service.
#[derive(Clone, Copy)]
struct Listed<'p> {
    document: &'p Document,
    /// What has the `configs:`
    container: NodeId,
    /// Its key and value.
    configs: (NodeId, NodeId),
    /// The key of a definition, or the item that grants.
    part: NodeId,
}

pub(super) fn plan<'p>(
    project: &Project<'p>,
    findings: &[&'p Finding],
    plan: &mut FixPlan,
    changes: &mut Changes<'p>,
) {
    let outcome = project.outcome();
    let Some(loaded) = project.loaded() else { return };
    let mut moves: Vec<Move<'p>> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.rule == "secret-in-config") {
        let name = finding.path.strip_prefix("configs.").and_then(|rest| rest.rsplit_once('.'));
        let Some((name, _)) = name else { continue };
        match moves.iter_mut().find(|one| one.name == name) {
            Some(known) => known.findings.push(finding),
            None => match movable(project, loaded, finding, name) {
                Ok(one) => moves.push(one),
                Err(reason) => plan.refused.push(refuse(outcome, finding, reason)),
            },
        }
    }
    for one in &moves {
        let taken = changes.names();
        // Its name says that it is made of lines.
        let name =
            free_name(project, &one.service.name, &format!("{}_config", one.name), &one.source, &taken);
        let granted = Granted { name: name.clone(), target: Some(one.target.clone()) };
        changes.grant(one.grant.document, one.grant.container, one.grant.configs, granted);
        for finding in &one.findings {
            let title =
                format!("make the config {} the secret {name}, at {} as before", one.name, one.target);
            let mut fix = Fix::new(outcome, finding, FixKind::Unsafe, title);
            if matches!(one.source, Source::File(_)) {
                let file = outcome.sources.file(finding.span.file).path();
                fix.notes = moved::rotation(project, file, &name, false);
                fix.notes.push(
                    "an image that does not begin as root may not read it under plain `docker compose up`; `cosec up` serves it to the service's own user"
                        .to_owned(),
                );
            }
            fix.notes.extend(made_note(project, &name, &one.source));
            plan.fixes.push(fix);
        }
        plan.reshaped.push(Reshaped {
            service: one.service.name.to_string(),
            config: one.name.to_owned(),
            secret: name.clone(),
            target: one.target.clone(),
        });
        changes.secrets.push(NewSecret {
            name,
            source: one.source.clone(),
            document: one.definition.document,
        });
    }
    take_out(project, &moves, changes);
}

fn movable<'p>(
    project: &Project<'p>,
    loaded: &'p Loaded,
    finding: &'p Finding,
    name: &'p str,
) -> Result<Move<'p>, String> {
    has_place(project)?;
    if let Some(reason) = beside::granting(project, name) {
        return Err(reason);
    }
    let own = loaded.root.get("configs").and_then(|configs| configs.get(name)).and_then(Value::as_map);
    let Some((key, entry)) = own.filter(|own| own.len() == 1).and_then(|own| own.iter().next()) else {
        return Err("its definition says more than what is in it; make it a secret by hand".to_owned());
    };
    let text = entry.value.to_text().ok_or_else(|| "it holds no text".to_owned())?;
    let source = match key.as_ref() {
        "content" => Source::File(moved::literal(project, &text.raw)?),
        "environment" if !text.raw.contains('$') => Source::Variable(text.value.to_string()),
        _ => return Err("its definition is no text of its own; make it a secret by hand".to_owned()),
    };
    let services = &loaded.project.services;
    let grants =
        services.iter().flat_map(|service| service.configs.iter().map(move |grant| (service, grant)));
    let mut grants = grants.filter(|(_, grant)| *grant.source.value == *name);
    let (Some((service, grant)), None) = (grants.next(), grants.next()) else {
        return Err("not just one service has it; grant each a secret by hand".to_owned());
    };
    Ok(Move {
        findings: vec![finding],
        name,
        source,
        target: target(name, grant)?,
        definition: definition(project, loaded, name)?,
        service,
        grant: granted(project, loaded, service, name)?,
    })
}

/// Where the service finds it.
fn target(name: &str, grant: &Grant) -> Result<String, String> {
    if grant.uid.is_some() || grant.gid.is_some() || grant.mode.is_some() {
        return Err(
            "its grant sets an owner or a mode, which Compose does not give a secret's file; make it a secret by hand"
                .to_owned(),
        );
    }
    let target = grant.target.as_ref().filter(|target| !target.value.is_empty());
    let target = target.map_or(name, |target| &*target.value);
    Ok(if target.starts_with('/') { target.to_owned() } else { format!("/{target}") })
}

const ELSEWHERE: &str = "an anchor, an alias, a merge key or another file brings a part of it, and others may use that; write it out first";

/// The one place that defines it.
fn definition<'p>(project: &Project<'p>, loaded: &Loaded, name: &str) -> Result<Listed<'p>, String> {
    let found = project.documents().iter().filter_map(|document| {
        let container = document.root();
        let configs = child(document, container, "configs")?;
        let (part, _) = child(document, configs.1, name)?;
        Some(Listed { document, container, configs, part })
    });
    only(project, loaded, found)
}

/// The one place that grants it.
fn granted<'p>(
    project: &Project<'p>,
    loaded: &Loaded,
    service: &Service,
    name: &str,
) -> Result<Listed<'p>, String> {
    let found = project.documents().iter().filter_map(|document| {
        let (_, services) = child(document, document.root(), "services")?;
        let (_, container) = child(document, services, &service.name)?;
        let configs = child(document, container, "configs")?;
        let Kind::Sequence { items, .. } = &document.node(configs.1).kind else { return None };
        let names_it = |item: NodeId| {
            let source = child(document, item, "source").map(|(_, source)| source);
            scalar(document, source.unwrap_or(item)).is_some_and(|(text, _)| text == name)
        };
        let part = items.iter().copied().find(|item| names_it(*item))?;
        let anchored = [services, container].iter().any(|id| document.node(*id).anchored);
        (!anchored).then_some(Listed { document, container, configs, part })
    });
    let found = only(project, loaded, found)?;
    takes_grants(found.document, found.container)?;
    Ok(found)
}

/// The only one, if it can be taken out.
fn only<'p>(
    project: &Project<'p>,
    loaded: &Loaded,
    mut found: impl Iterator<Item = Listed<'p>>,
) -> Result<Listed<'p>, String> {
    let (Some(one), None) = (found.next(), found.next()) else { return Err(ELSEWHERE.to_owned()) };
    let text = project.sources().file(one.document.file()).text();
    let is_named = matches!(loaded.ways.of(one.document.file()), Some(Way::Named(_)));
    let is_shared = one.document.node(one.configs.1).anchored;
    if !is_named || is_shared || remove(one.document, text, one.configs.1, &[one.part]).is_none() {
        return Err(ELSEWHERE.to_owned());
    }
    Ok(one)
}

/// Takes the definitions and the grants out; with the last of a list, its key goes.
fn take_out(project: &Project<'_>, moves: &[Move<'_>], changes: &mut Changes<'_>) {
    let all: Vec<Listed<'_>> = moves.iter().flat_map(|one| [one.definition, one.grant]).collect();
    for (at, one) in all.iter().enumerate() {
        let is_beside = |other: &&Listed<'_>| {
            other.configs == one.configs && other.document.file() == one.document.file()
        };
        if all[..at].iter().any(|other| is_beside(&other)) {
            continue;
        }
        let parts: Vec<NodeId> = all.iter().filter(is_beside).map(|other| other.part).collect();
        let count = match &one.document.node(one.configs.1).kind {
            Kind::Mapping { entries, .. } => entries.len(),
            Kind::Sequence { items, .. } => items.len(),
            _ => 0,
        };
        let file = project.sources().file(one.document.file());
        let edits = if count == parts.len() {
            remove(one.document, file.text(), one.container, &[one.configs.0])
        } else {
            remove(one.document, file.text(), one.configs.1, &parts)
        };
        // What cannot be taken out is found by the check of the whole.
        changes.edits.entry(file.path().to_owned()).or_default().extend(edits.unwrap_or_default());
    }
}
