//! Findings as Markdown, for an issue or a review.

use super::json::json_findings;
use super::mask::Excerpts;
use crate::lint::Outcome;
use crate::rules::by_id;

/// All outcomes as one Markdown document with masked excerpts.
pub fn markdown(outcomes: &[Outcome]) -> String {
    let count: usize = outcomes.iter().map(|outcome| outcome.findings.len()).sum();
    let mut text = format!("# cosec: {count} {}\n", if count == 1 { "finding" } else { "findings" });
    for outcome in outcomes {
        let excerpts = Excerpts::of(outcome);
        for (finding, json) in outcome.findings.iter().zip(json_findings(outcome)) {
            let severity = format!("{:?}", finding.severity).to_lowercase();
            let rule = match by_id(finding.rule) {
                Some(rule) => format!("[{}]({})", rule.id, rule.url()),
                None => finding.rule.to_owned(),
            };
            let place = code(&format!("{}:{}:{}", json.place.file, json.place.line, json.place.column));
            text.push_str(&format!("\n## {severity}: {rule}\n\n{place} {}\n", prose(&finding.message)));
            let line = excerpts.line(finding).0;
            if !line.trim().is_empty() {
                // Indented code: no fence that the line itself could close.
                text.push_str(&format!("\n    {}\n", line.trim()));
            }
            if !finding.help.is_empty() {
                text.push_str(&format!("\n{}\n", prose(&finding.help)));
            }
        }
    }
    let unchecked: Vec<String> = outcomes
        .iter()
        .flat_map(|outcome| {
            let entry = |entry: &crate::rules::NotChecked| {
                format!("- {} {}: {}\n", code(&outcome.path), prose(entry.rule), prose(&entry.reason))
            };
            outcome.not_checked.iter().map(entry).collect::<Vec<_>>()
        })
        .collect();
    if !unchecked.is_empty() {
        text.push_str("\n## Not checked\n\n");
        text.extend(unchecked);
    }
    text
}

/// A name out of a file could be markup, and a Markdown viewer would draw it. Our own `code` stays.
fn prose(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('<', "&lt;")
        .replace(['\n', '\r'], " ")
        .replace("](", r"]\(")
        .replace('!', r"\!")
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace(['`', '\n', '\r'], "'"))
}
