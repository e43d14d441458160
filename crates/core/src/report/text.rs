//! Findings for people.

use std::borrow::Cow;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::mask::Excerpts;
use crate::compose::LoadError;
use crate::lint::Outcome;
use crate::rules::{Finding, Severity, by_id};
use crate::source::{FileId, Span};

/// Whether the output may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Escape sequences and links.
    Yes,
    /// Plain text.
    No,
}

fn renderer(colour: Colour) -> Renderer {
    match colour {
        Colour::Yes => Renderer::styled(),
        Colour::No => Renderer::plain(),
    }
}

fn level(finding: &Finding) -> Level<'static> {
    match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    }
}

/// How many other places of a finding are shown.
const RELATED: usize = 4;

/// One finding with a masked excerpt.
pub fn render_finding(excerpts: &Excerpts<'_>, finding: &Finding, colour: Colour) -> String {
    render_findings(excerpts, finding, &[], colour)
}

/// A finding with a masked excerpt, and what others say of the same place.
pub fn render_findings(
    excerpts: &Excerpts<'_>,
    finding: &Finding,
    others: &[&Finding],
    colour: Colour,
) -> String {
    let mut title = level(finding).primary_title(finding.message.as_str()).id(finding.rule);
    if colour == Colour::Yes
        && let Some(rule) = by_id(finding.rule)
    {
        title = title.id_url(rule.url());
    }
    let mut group = Group::with_title(title);
    group = place(group, excerpts, Some(finding), finding.span, &finding.label, AnnotationKind::Primary);
    let (shown, left) = finding.related.split_at(finding.related.len().min(RELATED));
    for related in shown {
        group =
            place(group, excerpts, Some(finding), related.span, &related.message, AnnotationKind::Context);
    }
    if !left.is_empty() {
        let word = if left.len() == 1 { "place" } else { "places" };
        group = group.element(Level::NOTE.message(format!("and {} more {word}", left.len())));
    }
    if !finding.help.is_empty() {
        group = group.element(Level::HELP.message(finding.help.as_str()));
    }
    for other in others {
        group = group.element(level(other).message(format!("{} [{}]", other.message, other.rule)));
        if !other.help.is_empty() && other.help != finding.help {
            group = group.element(Level::HELP.message(other.help.as_str()));
        }
    }
    rendered(colour, &[group])
}

/// What is rendered, without the lines that would name a file and name none: an excerpt behind a place that is said by
/// itself has one.
fn rendered(colour: Colour, groups: &[Group<'_>]) -> String {
    let text = renderer(colour).render(groups);
    let is_empty_origin = |line: &str| {
        let mut pieces = line.split('\u{1b}');
        let first = pieces.next().unwrap_or_default();
        let plain = pieces.map(|piece| piece.split_once('m').map_or("", |(_, rest)| rest));
        std::iter::once(first).chain(plain).collect::<String>().trim() == ":::"
    };
    let lines: Vec<&str> = text.lines().filter(|line| !is_empty_origin(line)).collect();
    lines.join("\n")
}

fn place<'a>(
    group: Group<'a>,
    excerpts: &Excerpts<'a>,
    finding: Option<&'a Finding>,
    span: Span,
    label: &'a str,
    kind: AnnotationKind,
) -> Group<'a> {
    let file = excerpts.outcome.sources.file(span.file);
    let start = file.position(span.start);
    let line = excerpts.masked(finding, span);
    let range = line.range(span);
    let column = line.text[..range.start].chars().count() + 1;
    let mut snippet = Snippet::source(Cow::Owned(line.text)).line_start(start.line as usize);
    if column == start.column as usize {
        snippet = snippet.path(file.path());
        return group.element(snippet.annotation(kind.span(range).label(label)));
    }
    // A value masked before it has moved it: say the true column.
    let origin = Origin::path(file.path()).line(start.line as usize).char_column(start.column as usize);
    group.element(origin).element(snippet.annotation(kind.span(range).label(label)))
}

/// The findings that are mere information, a line for each rule and file: which lines, and what of them.
pub fn render_notes(outcome: &Outcome) -> Vec<String> {
    let mut notes: Vec<((&str, FileId), Vec<u32>)> = Vec::new();
    for finding in outcome.findings.iter().filter(|finding| finding.severity == Severity::Info) {
        let about = (finding.rule, finding.span.file);
        let line = outcome.sources.range(finding.span).0.line;
        match notes.iter_mut().find(|(known, _)| *known == about) {
            Some((_, lines)) => lines.push(line),
            None => notes.push((about, vec![line])),
        }
    }
    let note = |((rule, file), mut lines): ((&str, FileId), Vec<u32>)| {
        lines.dedup();
        let what = by_id(rule).map_or("", |rule| rule.summary);
        let word = if lines.len() == 1 { "line" } else { "lines" };
        let lines: Vec<String> = lines.iter().map(u32::to_string).collect();
        let path = outcome.sources.file(file).path();
        format!("info[{rule}]: {what}: {path} {word} {}", lines.join(", "))
    };
    notes.into_iter().map(note).collect()
}

/// Why a file could not be checked.
pub fn render_error(outcome: &Outcome, error: &LoadError, colour: Colour) -> String {
    let excerpts = Excerpts::of(outcome);
    let mut group = Group::with_title(Level::ERROR.primary_title(error.message.as_str()));
    if let Some(span) = error.span {
        group = place(group, &excerpts, None, span, "here", AnnotationKind::Primary);
    }
    if let Some((span, label)) = error.related {
        group = place(group, &excerpts, None, span, label, AnnotationKind::Context);
    }
    rendered(colour, &[group])
}

/// The last line: how many of what.
pub fn summary(outcomes: &[Outcome]) -> String {
    let findings = || outcomes.iter().flat_map(|outcome| &outcome.findings);
    let count = |severity| findings().filter(|finding| finding.severity == severity).count();
    let mut parts = Vec::new();
    for (severity, one, many) in [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Info, "note", "notes"),
    ] {
        match count(severity) {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            number => parts.push(format!("{number} {many}")),
        }
    }
    let files = match outcomes.len() {
        1 => "1 file".to_owned(),
        number => format!("{number} files"),
    };
    let unread = outcomes.iter().filter(|outcome| outcome.error.is_some()).count();
    let mut line = if parts.is_empty() {
        format!("nothing found in {files}")
    } else {
        format!("{} in {files}", parts.join(", "))
    };
    let known: usize = outcomes.iter().map(|outcome| outcome.known.len()).sum();
    if known > 0 {
        line.push_str(&format!("; {known} more in the baseline"));
    }
    if unread > 0 {
        line.push_str(&format!("; {unread} could not be read"));
    }
    line
}
