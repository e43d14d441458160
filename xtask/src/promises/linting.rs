//! The linter: the same text gives the same findings, and a comment above them all moves no fingerprint.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cosec_core::files::MemoryFiles;
use cosec_core::lint::{LintOptions, Outcome, Target, lint_file};
use cosec_core::report::{self, Colour, Report};
use cosec_core::rules::{Persona, Severity};

use super::{CONSTANT, Cost, FACTOR, bounded, is_place};

/// Lints a text under a path that says what it is (`compose.yaml`, `.env`, `Dockerfile`); `results` counts what is
/// found. `thoroughly` asks twice, and once more below a comment. `Err` is the promise that was broken.
pub fn check(path: &str, text: &str, thoroughly: bool) -> Result<Cost, String> {
    let lint = |text: &str| {
        bounded("linting", FACTOR * text.len() + CONSTANT, || {
            let mut files = MemoryFiles::default();
            files.insert(path, text);
            if path == "compose.yaml" {
                files.insert(
                    "Dockerfile",
                    "FROM x\nRUN --mount=type=secret,id=s cp /run/secrets/s /x\nCOPY . .\n",
                );
            }
            let options =
                LintOptions { persona: Persona::Auditor, target: Target::Compose, ..LintOptions::default() };
            lint_file(&files, path, &options)
        })
    };
    let (outcome, mut cost) = lint(text)?;
    if let Some(failed) = outcome.not_checked.iter().find(|entry| entry.reason.contains("the rule failed")) {
        return Err(format!("the rule {} panics", failed.rule));
    }
    for finding in &outcome.findings {
        let spans = finding.shown.iter().chain(finding.related.iter().map(|related| &related.span));
        for span in spans.chain([&finding.span]) {
            if !is_place(&outcome.sources, *span) {
                return Err(format!("{} points outside of the text", finding.rule));
            }
        }
    }
    let json =
        catch_unwind(AssertUnwindSafe(|| reports(&outcome))).map_err(|_| "a report panics".to_owned())?;
    if thoroughly {
        if reports(&lint(text)?.0) != json {
            return Err("the same text gives other findings".to_owned());
        }
        // A byte order mark and Dockerfile directives only count at the very top.
        if path != "Dockerfile"
            && !text.starts_with('\u{feff}')
            && !text.starts_with('%')
            && outcome.error.is_none()
        {
            let (moved, _) = lint(&format!("# moved\n{text}"))?;
            if fingerprints(&moved) != fingerprints(&outcome) {
                return Err("a comment above all moves fingerprints".to_owned());
            }
        }
    }
    cost.results = outcome.findings.len() as u64;
    Ok(cost)
}

/// All formats; JSON is what is compared.
fn reports(outcome: &Outcome) -> String {
    for finding in &outcome.findings {
        report::render_finding(outcome, finding, Colour::Yes);
    }
    report::render_notes(outcome);
    if let Some(error) = &outcome.error {
        report::render_error(outcome, error, Colour::No);
    }
    let outcomes = std::slice::from_ref(outcome);
    report::sarif(outcomes);
    report::github(outcomes);
    report::gitlab(outcomes);
    report::junit(outcomes, Severity::Info);
    serde_json::to_string(&Report::new(outcomes)).unwrap_or_default()
}

fn fingerprints(outcome: &Outcome) -> BTreeSet<String> {
    Report::new(std::slice::from_ref(outcome))
        .findings
        .into_iter()
        .map(|finding| finding.fingerprint)
        .collect()
}
