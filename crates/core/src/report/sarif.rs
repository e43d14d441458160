//! SARIF 2.1.0, for code scanning. Findings that a comment ignores or a baseline knows stay in it, marked as suppressed, so that alerts do not
//! come and go.

use serde_json::{Value, json};

use super::json::{JsonFinding, json_findings};
use crate::lint::Outcome;
use crate::rules::{self, Finding, FixKind, Proposal, Severity};
use crate::source::Position;

/// All outcomes as one SARIF log.
pub fn sarif(outcomes: &[Outcome]) -> String {
    let mut results = Vec::new();
    for outcome in outcomes {
        let json = json_findings(outcome);
        results.extend(json.iter().zip(&outcome.findings).map(|(json, finding)| result(json, finding, None)));
        for (finding, reason) in &outcome.ignored {
            let suppression = json!({"kind": "inSource", "status": "accepted", "justification": reason});
            results.push(result(&JsonFinding::of(&outcome.sources, finding), finding, Some(suppression)));
        }
        for finding in &outcome.known {
            let suppression =
                json!({"kind": "external", "status": "accepted", "justification": "in the baseline"});
            results.push(result(&JsonFinding::of(&outcome.sources, finding), finding, Some(suppression)));
        }
    }
    let rules: Vec<Value> = rules::ALL
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id,
                "shortDescription": {"text": rule.summary},
                "fullDescription": {"text": rule.summary},
                "help": {"text": rule.markdown(), "markdown": rule.markdown()},
                "helpUri": rule.url(),
                "defaultConfiguration": {"level": level(rule.severity)},
                "properties": {"tags": ["security"]},
            })
        })
        .collect();
    let notifications: Vec<Value> = outcomes
        .iter()
        .flat_map(|outcome| {
            outcome.not_checked.iter().map(|entry| {
                json!({
                    "level": "warning",
                    "message": {"text": entry.to_string()},
                    "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(&outcome.path)}}}],
                })
            })
        })
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "cosec",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": notifications.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    });
    log.to_string()
}

fn result(finding: &JsonFinding, found: &Finding, suppression: Option<Value>) -> Value {
    let index = rules::ALL.iter().position(|rule| rule.id == finding.rule);
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": {"text": format!("{}; {}", finding.message, finding.help)},
        "locations": [location(&finding.place)],
        "partialFingerprints": {"cosec/v1": finding.fingerprint},
    });
    if !finding.related.is_empty() {
        let related = finding.related.iter().map(|related| {
            let mut place = location(&related.place);
            place["message"] = json!({"text": related.message});
            place
        });
        result["relatedLocations"] = related.collect();
    }
    if let Some(proposal) = &found.fix {
        result["fixes"] = json!([fix(finding, proposal)]);
    }
    if let Some(suppression) = suppression {
        result["suppressions"] = json!([suppression]);
    }
    result
}

/// What `cosec fix` would do. One that makes a file with a secret in it is described and changes nothing: a report
/// holds no value, and the other changes alone would lose it.
fn fix(finding: &JsonFinding, proposal: &Proposal) -> Value {
    let option = if proposal.kind == FixKind::Unsafe { " --unsafe" } else { "" };
    let command = format!("`cosec fix{option} --write` does it");
    let replacement = |start: Position, end: Position, text: &str| {
        let mut replacement = json!({"deletedRegion": {
            "startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column,
        }});
        if !text.is_empty() {
            replacement["insertedContent"] = json!({"text": text});
        }
        replacement
    };
    if proposal.makes_file || proposal.files.is_empty() {
        let at = Position { line: finding.place.line, column: finding.place.column };
        return json!({
            "description": {"text": format!("{}; {command}, this report leaves the value out", proposal.title)},
            "artifactChanges": [{
                "artifactLocation": {"uri": uri(&finding.place.file)},
                "replacements": [replacement(at, at, "")],
            }],
        });
    }
    let changes: Vec<Value> = proposal
        .files
        .iter()
        .map(|file| {
            let changes = file.changes.iter().map(|(start, end, text)| replacement(*start, *end, text));
            json!({
                "artifactLocation": {"uri": uri(&file.path)},
                "replacements": changes.collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({"description": {"text": format!("{}; {command}", proposal.title)}, "artifactChanges": changes})
}

fn location(place: &super::json::JsonPlace) -> Value {
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(&place.file)},
        "region": {
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        },
    }})
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// A path as a URI reference.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    path.bytes().fold(String::new(), |mut uri, byte| {
        if plain(byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
        uri
    })
}
