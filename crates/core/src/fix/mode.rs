//! `mode: 400` as `mode: 0400`.

use super::edit::Edit;
use super::tree::is_json;
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
        let (start, end) = (finding.span.start as usize, finding.span.end as usize);
        let edits = changes.edits.entry(file).or_default();
        // JSON has no such number; Compose reads the same in quotes.
        if outcome.documents.iter().any(|own| own.file() == finding.span.file && is_json(own)) {
            edits.push(Edit::replace(start, end, format!("\"0{written}\"")));
        } else {
            edits.push(Edit::insert(start, "0"));
        }
        let title = format!("write the mode in base 8: 0{written}");
        plan.fixes.push(Fix::new(outcome, finding, FixKind::Unsafe, title));
    }
}
