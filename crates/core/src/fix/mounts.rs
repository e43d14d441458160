//! A secret mount of a Dockerfile that is to be required.

use super::edit::Edit;
use super::{Changes, Fix, FixPlan};
use crate::lint::Outcome;
use crate::rules::{Finding, FixKind};

pub(super) fn plan(outcome: &Outcome, findings: &[&Finding], plan: &mut FixPlan, changes: &mut Changes<'_>) {
    for finding in findings.iter().filter(|finding| finding.rule == "docker-mount-unrequired") {
        let flag = outcome.sources.slice(finding.span);
        let end = finding.span.start as usize + flag.trim_end_matches(['"', '\'']).len();
        let file = outcome.sources.file(finding.span.file).path().to_owned();
        changes.edits.entry(file).or_default().push(Edit::insert(end, ",required=true"));
        let title = "require the mounted secret: a build without it fails".to_owned();
        plan.fixes.push(Fix::new(outcome, finding, FixKind::Unsafe, title));
    }
}
