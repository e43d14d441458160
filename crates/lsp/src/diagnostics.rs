//! Findings as diagnostics.

use std::collections::BTreeMap;
use std::str::FromStr;

use cosec_core::lint::Outcome;
use cosec_core::rules::{self, Finding, Severity};
use cosec_core::source::Sources;
use lsp_types::{
    CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, Location,
    NumberOrString, Range, Uri,
};

use crate::position::Encoding;
use crate::uri;

/// Who says it.
const SOURCE: &str = "cosec";

/// What is found in each file, by path. Each linted file is there, so that what is mended goes away.
pub(crate) fn by_file(outcomes: &[Outcome], encoding: Encoding) -> BTreeMap<String, Vec<Diagnostic>> {
    let mut files: BTreeMap<String, Vec<Diagnostic>> = BTreeMap::new();
    for outcome in outcomes {
        files.entry(outcome.path.clone()).or_default();
        for finding in &outcome.findings {
            let path = outcome.sources.file(finding.span.file).path();
            files.entry(path.to_owned()).or_default().push(of(&outcome.sources, finding, encoding));
        }
        if let Some(error) = &outcome.error {
            let (path, range) = match error.span {
                Some(span) => {
                    (outcome.sources.file(span.file).path(), encoding.range(&outcome.sources, span))
                }
                None => (outcome.path.as_str(), Range::default()),
            };
            files.entry(path.to_owned()).or_default().push(trouble(range, error.message.clone()));
        }
    }
    files
}

/// What keeps files from being linted as they should be.
pub(crate) fn trouble(range: Range, message: String) -> Diagnostic {
    Diagnostic {
        range,
        severity: Some(DiagnosticSeverity::ERROR),
        source: Some(SOURCE.to_owned()),
        message,
        ..Diagnostic::default()
    }
}

/// A finding. It names things and holds no value.
pub(crate) fn of(sources: &Sources, finding: &Finding, encoding: Encoding) -> Diagnostic {
    let related = finding.related.iter().filter_map(|related| {
        let uri = uri::from_path(sources.file(related.span.file).path())?;
        let location = Location { uri, range: encoding.range(sources, related.span) };
        Some(DiagnosticRelatedInformation { location, message: related.message.clone() })
    });
    let message = match finding.help.as_str() {
        "" => finding.message.clone(),
        help => format!("{}\n{help}", finding.message),
    };
    let page = rules::by_id(finding.rule).and_then(|rule| Uri::from_str(&rule.url()).ok());
    let is_unused = finding.rule.ends_with("-unused");
    Diagnostic {
        range: encoding.range(sources, finding.span),
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Info => DiagnosticSeverity::INFORMATION,
        }),
        code: Some(NumberOrString::String(finding.rule.to_owned())),
        code_description: page.map(|href| CodeDescription { href }),
        source: Some(SOURCE.to_owned()),
        message,
        related_information: Some(related.collect()),
        tags: is_unused.then(|| vec![DiagnosticTag::UNNECESSARY]),
        data: None,
    }
}
