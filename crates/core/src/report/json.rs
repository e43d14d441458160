//! `--format json`, version 1: a contract with scripts.

use std::collections::HashMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::lint::Outcome;
use crate::rules::{Confidence, Finding, FixKind, Related, Severity};
use crate::source::{Sources, Span};

/// The whole report.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Always 1; a change that breaks readers raises it.
    pub version: u32,
    /// What was found, file by file, in file order.
    pub findings: Vec<JsonFinding>,
    /// What could not be checked, and why.
    pub not_checked: Vec<JsonNotChecked>,
}

/// A finding.
#[derive(Clone, Debug, Serialize)]
pub struct JsonFinding {
    /// The rule's id.
    pub rule: &'static str,
    /// `error`, `warning`, `info`
    pub severity: Severity,
    /// `high`, `medium`, `low`
    pub confidence: Confidence,
    /// What is wrong.
    pub message: String,
    /// Where.
    #[serde(flatten)]
    pub place: JsonPlace,
    /// The place in the project.
    pub path: String,
    /// Other places.
    pub related: Vec<JsonRelated>,
    /// What a fix would change; null where cosec has none.
    pub fix: Option<FixKind>,
    /// What to do.
    pub help: String,
    /// The same for the same finding wherever its lines have moved; made of names, never of a value.
    pub fingerprint: String,
}

/// A place: lines and columns from 1, columns in Unicode scalar values, the end exclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JsonPlace {
    /// The file as given.
    pub file: String,
    /// First line.
    pub line: u32,
    /// First column.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// One past the last column.
    pub end_column: u32,
}

/// Another place.
#[derive(Clone, Debug, Serialize)]
pub struct JsonRelated {
    /// Where.
    #[serde(flatten)]
    pub place: JsonPlace,
    /// What is there.
    pub message: String,
}

/// Something that could not be checked.
#[derive(Debug, Serialize)]
pub struct JsonNotChecked {
    /// The file as given.
    pub file: String,
    /// The rule's id; `*` for all.
    pub rule: &'static str,
    /// Why.
    pub reason: String,
}

impl JsonPlace {
    /// The place of a span.
    pub fn of(sources: &Sources, span: Span) -> Self {
        let (start, end) = sources.range(span);
        JsonPlace {
            file: sources.file(span.file).path().to_owned(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
        }
    }
}

/// `compose.yaml:3:7`
impl fmt::Display for JsonPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Report {
    /// The report of several files.
    pub fn new(outcomes: &[Outcome]) -> Self {
        let mut report = Report { version: 1, findings: Vec::new(), not_checked: Vec::new() };
        for outcome in outcomes {
            report.findings.extend(json_findings(outcome));
            report.not_checked.extend(json_not_checked(outcome));
        }
        report
    }
}

/// The report of several files, made as it is written: of many files it is large.
#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(serialize_with = "write_findings")]
    findings: &'a [Outcome],
    #[serde(serialize_with = "write_not_checked")]
    not_checked: &'a [Outcome],
}

fn write_findings<S: Serializer>(outcomes: &[Outcome], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(outcomes.iter().flat_map(json_findings))
}

fn write_not_checked<S: Serializer>(outcomes: &[Outcome], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(outcomes.iter().flat_map(json_not_checked))
}

/// Writes what [`Report::new`] makes, without holding it.
pub fn write_json(outcomes: &[Outcome], to: &mut impl std::io::Write) -> std::io::Result<()> {
    let report = Written { version: 1, findings: outcomes, not_checked: outcomes };
    Ok(serde_json::to_writer(to, &report)?)
}

fn json_not_checked(outcome: &Outcome) -> impl Iterator<Item = JsonNotChecked> + '_ {
    outcome.not_checked.iter().map(|entry| JsonNotChecked {
        file: outcome.path.clone(),
        rule: entry.rule,
        reason: entry.reason.clone(),
    })
}

/// The findings of one file, each with a fingerprint of its own.
pub(super) fn json_findings(outcome: &Outcome) -> Vec<JsonFinding> {
    let mut findings: Vec<JsonFinding> =
        outcome.findings.iter().map(|finding| JsonFinding::of(&outcome.sources, finding)).collect();
    // The second finding of a rule at one path is told from the first by its number.
    let mut seen: HashMap<String, u32> = HashMap::new();
    for finding in &mut findings {
        let times = seen.entry(finding.fingerprint.clone()).or_default();
        *times += 1;
        if *times > 1 {
            finding.fingerprint = fingerprint(&finding.fingerprint, &times.to_string(), "");
        }
    }
    findings
}

impl JsonFinding {
    /// A finding as it is reported.
    pub fn of(sources: &Sources, finding: &Finding) -> Self {
        JsonFinding {
            rule: finding.rule,
            severity: finding.severity,
            confidence: finding.confidence,
            message: finding.message.clone(),
            place: JsonPlace::of(sources, finding.span),
            path: finding.path.clone(),
            related: finding.related.iter().map(|related| JsonRelated::of(sources, related)).collect(),
            fix: finding.fix.as_ref().map(|proposal| proposal.kind),
            help: finding.help.clone(),
            fingerprint: fingerprint_of(sources, finding),
        }
    }
}

impl JsonRelated {
    /// Another place as it is reported.
    pub fn of(sources: &Sources, related: &Related) -> Self {
        JsonRelated { place: JsonPlace::of(sources, related.span), message: related.message.clone() }
    }
}

/// The fingerprint of a finding as such: of its rule, its path and what tells its file from others. The place of an item in its list is left out: it moves.
pub fn fingerprint_of(sources: &Sources, finding: &Finding) -> String {
    let file = sources.file(finding.span.file).identity();
    let is_index = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> =
        finding.path.split('.').map(|part| if is_index(part) { "#" } else { part }).collect();
    fingerprint(finding.rule, &file, &parts.join("."))
}

/// FNV-1a over rule, file and path: stable across releases and platforms, and free of values.
fn fingerprint(rule: &str, file: &str, path: &str) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in [rule, file, path].join("\0").bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}
