//! The linter: the same text gives the same findings, a comment above them all moves no fingerprint, and no report
//! holds what a finding is about.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cosec_core::dockerfile::is_dockerfile;
use cosec_core::lint::{LintOptions, Outcome, Target, lint_file};
use cosec_core::report::{self, Colour, Report};
use cosec_core::rules::{Persona, Severity};
use cosec_core::source::Span;

use super::{CONSTANT, Cost, FACTOR, Project, bounded, is_place};

/// A shorter text may stand in a report by chance.
const TELLING: usize = 6;

/// Lints the first named file of a project, whose name says what it is (`compose.yaml`, `.env`, `Dockerfile`);
/// `results` counts what is found. `thoroughly` asks again, below a comment, and for Swarm. `Err` is the promise that
/// was broken.
pub fn check(project: &Project, thoroughly: bool) -> Result<Cost, String> {
    let (outcome, mut cost) = linted(project, Target::Compose)?;
    cost.results = outcome.findings.len() as u64;
    let told = reports(&outcome)?;
    no_value(project, &outcome, &told)?;
    if thoroughly {
        if json(&linted(project, Target::Compose)?.0) != told.json {
            return Err("the same text gives other findings".to_owned());
        }
        if let Some(moved) = below_a_comment(project)
            && outcome.error.is_none()
            && fingerprints(&linted(&moved, Target::Compose)?.0) != fingerprints(&outcome)
        {
            return Err("a comment above all moves fingerprints".to_owned());
        }
        linted(project, Target::Swarm)?;
    }
    Ok(cost)
}

fn linted(project: &Project, target: Target) -> Result<(Outcome, Cost), String> {
    let Some(path) = project.named.first() else { return Err("no file is named".to_owned()) };
    let files = if project.named.len() > 1 { project.named.clone() } else { Vec::new() };
    let options = LintOptions { persona: Persona::Auditor, target, files, ..LintOptions::default() };
    let disk = project.in_memory();
    let allowed = FACTOR * project.size() + CONSTANT;
    let (outcome, cost) = bounded("linting", allowed, || lint_file(&disk, path, &options))?;
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
    Ok((outcome, cost))
}

/// All formats.
struct Reports {
    json: String,
    others: String,
}

impl Reports {
    fn of(outcome: &Outcome) -> Self {
        let mut others = String::new();
        let excerpts = report::Excerpts::of(outcome);
        for finding in &outcome.findings {
            others.push_str(&report::render_finding(&excerpts, finding, Colour::Yes));
        }
        others.push_str(&report::render_notes(outcome).join("\n"));
        if let Some(error) = &outcome.error {
            others.push_str(&report::render_error(outcome, error, Colour::No));
        }
        let outcomes = std::slice::from_ref(outcome);
        others.push_str(&report::sarif(outcomes));
        others.push_str(&report::github(outcomes));
        others.push_str(&report::gitlab(outcomes));
        others.push_str(&report::junit(outcomes, Severity::Info));
        Reports { json: json(outcome), others }
    }

    fn hold(&self, text: &str) -> bool {
        self.json.contains(text) || self.others.contains(text)
    }
}

fn reports(outcome: &Outcome) -> Result<Reports, String> {
    catch_unwind(AssertUnwindSafe(|| Reports::of(outcome))).map_err(|_| "a report panics".to_owned())
}

fn json(outcome: &Outcome) -> String {
    serde_json::to_string(&Report::new(std::slice::from_ref(outcome))).unwrap_or_default()
}

/// What a finding is about and may not show is in no report. A text that stands in them all the same may be one of
/// cosec's own words: whether it comes from the file shows when another stands in its place.
fn no_value(project: &Project, outcome: &Outcome, told: &Reports) -> Result<(), String> {
    for finding in &outcome.findings {
        if finding.shown.contains(&finding.span) || !told.hold(outcome.sources.slice(finding.span)) {
            continue;
        }
        let Some((changed, value)) = with_another(project, outcome, finding.span) else { continue };
        if reports(&linted(&changed, Target::Compose)?.0)?.hold(&value) {
            return Err(format!("a report holds what {} is about", finding.rule));
        }
    }
    Ok(())
}

/// The project with another text at a place, and that text; `None` where a report may hold the text: it is short,
/// stands elsewhere too, or is no word.
fn with_another(project: &Project, outcome: &Outcome, span: Span) -> Option<(Project, String)> {
    let value = outcome.sources.slice(span);
    let is_word = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let places =
        project.files.iter().map(|(path, text)| text.matches(value).count() + path.matches(value).count());
    if value.len() < TELLING || !is_word || places.sum::<usize>() != 1 {
        return None;
    }
    let other = |byte: u8| match byte {
        b'z' => 'a',
        b'Z' => 'A',
        b'9' => '0',
        b'_' => '_',
        byte => char::from(byte + 1),
    };
    let other: String = value.bytes().map(other).collect();
    let mut changed = project.clone();
    for (_, text) in &mut changed.files {
        *text = text.replace(value, &other);
    }
    Some((changed, other))
}

/// The project with a comment above the linted file. `None` where it would change what the file says: a byte order
/// mark and directives only count at the very top.
fn below_a_comment(project: &Project) -> Option<Project> {
    let mut moved = project.clone();
    let path = moved.named.first()?;
    let (_, text) = moved.files.iter_mut().find(|(name, _)| name == path)?;
    if is_dockerfile(path) || text.starts_with(['\u{feff}', '%']) {
        return None;
    }
    text.insert_str(0, "# moved\n");
    Some(moved)
}

fn fingerprints(outcome: &Outcome) -> BTreeSet<String> {
    Report::new(std::slice::from_ref(outcome))
        .findings
        .into_iter()
        .map(|finding| finding.fingerprint)
        .collect()
}
