//! The core for the browser: JSON in, JSON out. Nothing here decides anything.
//!
//! ```ts
//! type Request = { files: { path: string; text: string }[]; persona?: "regular" | "pedantic" | "auditor" };
//! lint(JSON.stringify(request)); // the JSON of `cosec lint --format json`
//! ```

use cosec_core::files::MemoryFiles;
use cosec_core::lint::{LintOptions, Outcome, lint_file};
use cosec_core::report::Report;
use cosec_core::rules::{self, Persona};
use serde::Deserialize;
use wasm_bindgen::prelude::wasm_bindgen;

/// What to lint.
#[derive(Deserialize)]
struct Request {
    files: Vec<File>,
    #[serde(default)]
    persona: PersonaName,
}

#[derive(Deserialize)]
struct File {
    path: String,
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PersonaName {
    #[default]
    Regular,
    Pedantic,
    Auditor,
}

/// Lints the first file; the others are what it may refer to. Returns the report as JSON; an error says what
/// is wrong with the request.
#[wasm_bindgen]
pub fn lint(request: &str) -> Result<String, String> {
    let request: Request = serde_json::from_str(request).map_err(|error| error.to_string())?;
    let options = LintOptions {
        persona: match request.persona {
            PersonaName::Regular => Persona::Regular,
            PersonaName::Pedantic => Persona::Pedantic,
            PersonaName::Auditor => Persona::Auditor,
        },
        ..LintOptions::default()
    };
    let mut files = MemoryFiles::default();
    let first = request.files.first().map(|file| file.path.clone());
    for file in request.files {
        files.insert(file.path, file.text);
    }
    let outcomes: Vec<Outcome> = first.iter().map(|path| lint_file(&files, path, &options)).collect();
    let mut report = serde_json::to_value(Report::new(&outcomes)).map_err(|error| error.to_string())?;
    // Where a file could not be read at all, the page marks the place.
    if let Some(place) = outcomes.first().and_then(Outcome::error_place) {
        report["error"] = serde_json::json!({
            "line": place.0.line, "column": place.0.column, "end_line": place.1.line, "end_column": place.1.column
        });
    }
    Ok(report.to_string())
}

/// A rule's page in Markdown; empty for an unknown rule.
#[wasm_bindgen]
pub fn explain(rule: &str) -> String {
    rules::by_id(rule).map(rules::Rule::markdown).unwrap_or_default()
}

/// The version of the core.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_gets_the_report_of_the_command_line() {
        let report = lint(
            r#"{"files":[{"path":"compose.yaml","text":"services: {a: {environment: {PASSWORD: hunter2}}}"}]}"#,
        );
        let report: serde_json::Value = serde_json::from_str(&report.unwrap()).unwrap();
        assert_eq!(report["findings"][0]["rule"], "inline-password");
        assert!(report.get("error").is_none());
        let broken = lint(r#"{"files":[{"path":"compose.yaml","text":"a: ["}]}"#).unwrap();
        let broken: serde_json::Value = serde_json::from_str(&broken).unwrap();
        assert_eq!(broken["not_checked"][0]["rule"], "*");
        assert_eq!(broken["error"]["line"], 1);
        assert!(explain("inline-password").starts_with("# inline-password"));
    }
}
