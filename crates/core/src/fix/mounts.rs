//! A secret mount of a Dockerfile that is to be required.

use super::builds::{building, dockerfile_of};
use super::edit::Edit;
use super::{Changes, Fix, FixPlan, Project, refuse};
use crate::compose::Grant;
use crate::rules::{Finding, FixKind};

pub(super) fn plan(
    project: &Project<'_>,
    findings: &[&Finding],
    plan: &mut FixPlan,
    changes: &mut Changes<'_>,
) {
    let outcome = project.outcome();
    for finding in findings.iter().filter(|finding| finding.rule == "docker-mount-unrequired") {
        if let Some(reason) = left_without(project, finding) {
            plan.refused.push(refuse(outcome, finding, reason));
            continue;
        }
        let flag = outcome.sources.slice(finding.span);
        let end = finding.span.start as usize + flag.trim_end_matches(['"', '\'']).len();
        let file = outcome.sources.file(finding.span.file).path().to_owned();
        changes.edits.entry(file).or_default().push(Edit::insert(end, ",required=true"));
        let title = "require the mounted secret: a build without it fails".to_owned();
        plan.fixes.push(Fix::new(outcome, finding, FixKind::Unsafe, title));
    }
}

/// Why the mount may stay without its secret: a service's build is not granted it and would fail, or who builds with the
/// Dockerfile is not known. A sentence.
fn left_without(project: &Project<'_>, finding: &Finding) -> Option<String> {
    let read = dockerfile_of(project, finding)?;
    let loaded = match building(project, read) {
        Ok(loaded) => loaded,
        Err(reason) => return Some(reason),
    };
    let id = finding.path.strip_prefix("RUN ")?;
    let services = read.services.iter().filter_map(|at| loaded.project.services.get(*at));
    let is_it = |grant: &Grant| {
        // The target is what the Dockerfile knows it by.
        grant.target.as_ref().unwrap_or(&grant.source).value.trim_start_matches('/') == id
    };
    let is_granted = |secrets: &[Grant]| secrets.iter().any(is_it);
    let without = services.into_iter().find(|service| {
        let build = service.build.as_ref();
        build.is_some_and(|build| !is_granted(&build.secrets))
    })?;
    Some(format!(
        "the build of service {} has no secret {id}, and would fail; grant it there first",
        without.name
    ))
}
