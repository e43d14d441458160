//! A secret that nobody is granted goes.

use super::beside;
use super::tree::{child, remove, scalar};
use super::{Changes, Fix, FixPlan, Project, refuse};
use crate::compose::Way;
use crate::rules::{Finding, FixKind};
use crate::yaml::{Document, Kind, NodeId};

pub(super) fn plan<'p>(
    project: &Project<'p>,
    findings: &[&Finding],
    plan: &mut FixPlan,
    changes: &mut Changes<'p>,
) {
    let outcome = project.outcome();
    for finding in findings.iter().filter(|finding| finding.rule == "secret-unused") {
        let name = finding.path.strip_prefix("secrets.").unwrap_or_default();
        match definition(project, finding, name) {
            Ok(place) => {
                changes.unused.push(place);
                plan.unused.push(name.to_owned());
                let title = format!("take the definition of the secret {name} out");
                let mut fix = Fix::new(outcome, finding, FixKind::Unsafe, title);
                fix.notes.push(
                    "what it was made from stays; if a grant was forgotten, write that instead".to_owned(),
                );
                plan.fixes.push(fix);
            }
            Err(reason) => plan.refused.push(refuse(outcome, finding, reason)),
        }
    }
}

fn definition<'p>(
    project: &Project<'p>,
    finding: &Finding,
    name: &str,
) -> Result<(&'p Document, NodeId), String> {
    let file = finding.span.file;
    let is_named = project.loaded().is_some_and(|loaded| matches!(loaded.ways.of(file), Some(Way::Named(_))));
    if !is_named {
        let path = project.sources().file(file).path();
        return Err(format!("it is written in {path}, which is included; fix that file"));
    }
    if let Some(reason) = beside::granting(project, name) {
        return Err(reason);
    }
    let documents = || project.documents().iter().filter(|document| document.file() == file);
    let defined_again = project.documents().iter().filter(|document| {
        child(document, document.root(), "secrets")
            .is_some_and(|(_, all)| child(document, all, name).is_some())
    });
    if defined_again.count() > 1 {
        return Err("several files define it; remove it from each by hand".to_owned());
    }
    documents()
        .find_map(|document| {
            let (_, all) = child(document, document.root(), "secrets")?;
            let Kind::Mapping { entries, .. } = &document.node(all).kind else { return None };
            let key = entries
                .iter()
                .map(|(key, _)| *key)
                .find(|key| scalar(document, *key).is_some_and(|(text, _)| text == name))?;
            let text = project.sources().file(file).text();
            remove(document, text, all, &[key])?;
            Some((document, key))
        })
        .ok_or_else(|| {
            "an anchor or a merge key is a part of it, and others may use that; remove it by hand".to_owned()
        })
}
