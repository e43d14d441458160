//! SARIF 2.1.0, for code scanning. Findings that a comment ignores or a baseline knows stay in it, marked as suppressed, so that alerts do not
//! come and go.

use serde_json::{Value, json};

use super::json::{JsonFinding, json_finding, json_findings};
use crate::lint::Outcome;
use crate::rules::{self, Severity};

/// All outcomes as one SARIF log.
pub fn sarif(outcomes: &[Outcome]) -> String {
    let mut results = Vec::new();
    for outcome in outcomes {
        results.extend(json_findings(outcome).iter().map(|finding| result(finding, None)));
        for (finding, reason) in &outcome.ignored {
            let suppression = json!({"kind": "inSource", "status": "accepted", "justification": reason});
            results.push(result(&json_finding(&outcome.sources, finding), Some(suppression)));
        }
        for finding in &outcome.known {
            let suppression =
                json!({"kind": "external", "status": "accepted", "justification": "in the baseline"});
            results.push(result(&json_finding(&outcome.sources, finding), Some(suppression)));
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
                    "message": {"text": format!("{} was not checked: {}", entry.rule, entry.reason)},
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

fn result(finding: &JsonFinding, suppression: Option<Value>) -> Value {
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
    if let Some(suppression) = suppression {
        result["suppressions"] = json!([suppression]);
    }
    result
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
