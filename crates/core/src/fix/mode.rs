//! `mode: 400` as `mode: 0400`.

use super::edit::Edit;
use super::{Changes, Fix, FixPlan, refuse};
use crate::lint::Outcome;
use crate::rules::{Finding, FixKind};

pub(super) const RULE: &str = "secret-mode-decimal";

pub(super) fn plan(outcome: &Outcome, findings: &[&Finding], plan: &mut FixPlan, changes: &mut Changes<'_>) {
    for finding in findings.iter().filter(|finding| finding.rule == RULE) {
        let written = outcome.sources.slice(finding.span);
        if written.len() != 3 || !written.bytes().all(|byte| matches!(byte, b'0'..=b'7')) {
            plan.refused.push(refuse(
                outcome,
                finding,
                "it is no permission in base 8 either; write the mode that is meant",
            ));
            continue;
        }
        let file = outcome.sources.file(finding.span.file).path().to_owned();
        changes.edits.entry(file).or_default().push(Edit::insert(finding.span.start as usize, "0"));
        let title = format!("write the mode in base 8: 0{written}");
        plan.fixes.push(Fix::new(outcome, finding, FixKind::Unsafe, title));
    }
}
