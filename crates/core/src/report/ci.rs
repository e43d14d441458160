//! What CI systems read: GitHub's annotations, GitLab's code quality report, JUnit.

use serde_json::json;

use super::json::json_findings;
use crate::lint::Outcome;
use crate::rules::Severity;

/// Workflow commands that GitHub shows as annotations.
pub fn github(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for finding in outcomes.iter().flat_map(json_findings) {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let place = &finding.place;
        text.push_str(&format!(
            "::{command} file={},line={},endLine={},col={},endColumn={},title={}::{}\n",
            property(&place.file),
            place.line,
            place.end_line,
            place.column,
            place.end_column,
            property(&format!("cosec {}", finding.rule)),
            data(&format!("{}; {}", finding.message, finding.help)),
        ));
    }
    for outcome in outcomes {
        for entry in &outcome.not_checked {
            let message = data(&entry.to_string());
            text.push_str(&format!("::warning file={},title=cosec::{message}\n", property(&outcome.path)));
        }
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// GitLab's code quality report.
pub fn gitlab(outcomes: &[Outcome]) -> String {
    let entries: Vec<serde_json::Value> = outcomes
        .iter()
        .flat_map(json_findings)
        .map(|finding| {
            let severity = match finding.severity {
                Severity::Error => "critical",
                Severity::Warning => "major",
                Severity::Info => "info",
            };
            json!({
                "description": format!("{}; {}", finding.message, finding.help),
                "check_name": finding.rule,
                "fingerprint": finding.fingerprint,
                "severity": severity,
                "location": {"path": finding.place.file, "lines": {"begin": finding.place.line, "end": finding.place.end_line}},
            })
        })
        .collect();
    serde_json::Value::from(entries).to_string()
}

/// JUnit: a test case for each file, failed by findings of at least `fail_on`, in error where it could not be checked.
pub fn junit(outcomes: &[Outcome], fail_on: Severity) -> String {
    let fails = |outcome: &&Outcome| outcome.findings.iter().any(|finding| finding.severity >= fail_on);
    let failures = outcomes.iter().filter(fails).count();
    let errors = outcomes.iter().filter(|outcome| !outcome.not_checked.is_empty()).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"cosec\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\">\n",
        outcomes.len()
    );
    for outcome in outcomes {
        text.push_str(&format!("<testcase classname=\"cosec\" name=\"{}\">\n", xml(&outcome.path)));
        let lines: Vec<String> = json_findings(outcome)
            .into_iter()
            .filter(|finding| finding.severity >= fail_on)
            .map(|finding| {
                let place = &finding.place;
                format!(
                    "{}:{}:{}: {} [{}]",
                    place.file, place.line, place.column, finding.message, finding.rule
                )
            })
            .collect();
        if !lines.is_empty() {
            text.push_str(&format!(
                "<failure message=\"{} findings\">{}</failure>\n",
                lines.len(),
                xml(&lines.join("\n"))
            ));
        }
        for entry in &outcome.not_checked {
            text.push_str(&format!(
                "<error message=\"{}\"/>\n",
                xml(&format!("{}: {}", entry.rule, entry.reason))
            ));
        }
        text.push_str("</testcase>\n");
    }
    text.push_str("</testsuite>\n</testsuites>\n");
    text
}

fn xml(text: &str) -> String {
    let allowed = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    allowed.fold(String::new(), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
        escaped
    })
}
