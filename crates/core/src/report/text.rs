//! Findings for people.

use std::borrow::Cow;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::mask::Excerpts;
use crate::compose::LoadError;
use crate::lint::Outcome;
use crate::rules::{Finding, Severity, by_id};
use crate::source::Span;

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

/// One finding with a masked excerpt.
pub fn render_finding(excerpts: &Excerpts<'_>, finding: &Finding, colour: Colour) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let mut title = level.clone().primary_title(finding.message.as_str()).id(finding.rule);
    if colour == Colour::Yes
        && let Some(rule) = by_id(finding.rule)
    {
        title = title.id_url(rule.url());
    }
    let mut group = Group::with_title(title);
    group = place(group, excerpts, Some(finding), finding.span, &finding.label, AnnotationKind::Primary);
    for related in &finding.related {
        group =
            place(group, excerpts, Some(finding), related.span, &related.message, AnnotationKind::Context);
    }
    if !finding.help.is_empty() {
        group = group.element(Level::HELP.message(finding.help.as_str()));
    }
    renderer(colour).render(&[group])
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

/// The findings of one file that are mere information, a line for each rule: which lines, and what of them.
pub fn render_notes(outcome: &Outcome) -> Vec<String> {
    let mut rules: Vec<(&str, Vec<u32>)> = Vec::new();
    for finding in outcome.findings.iter().filter(|finding| finding.severity == Severity::Info) {
        let line = outcome.sources.range(finding.span).0.line;
        match rules.iter_mut().find(|(rule, _)| *rule == finding.rule) {
            Some((_, lines)) => lines.push(line),
            None => rules.push((finding.rule, vec![line])),
        }
    }
    let note = |(rule, mut lines): (&str, Vec<u32>)| {
        lines.dedup();
        let what = by_id(rule).map_or("", |rule| rule.summary);
        let word = if lines.len() == 1 { "line" } else { "lines" };
        let lines: Vec<String> = lines.iter().map(u32::to_string).collect();
        format!("info[{rule}]: {what}: {} {word} {}", outcome.path, lines.join(", "))
    };
    rules.into_iter().map(note).collect()
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
    renderer(colour).render(&[group])
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
