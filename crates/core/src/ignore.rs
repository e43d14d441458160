//! `# cosec: ignore[rule] reason`, on the line of a finding or alone on the line above it.

use crate::lint::Outcome;
use crate::rules::{Finding, IGNORE_UNUSED};
use crate::source::{FileId, Span};

/// A comment that ignores.
struct Ignore {
    /// The comment.
    span: Span,
    /// The line that it is for, from 1.
    line: u32,
    rules: Vec<String>,
    reason: String,
    used: bool,
}

const MARK: &str = "# cosec: ignore[";

/// Takes ignored findings out, and reports comments that ignore nothing.
pub(crate) fn apply(outcome: &mut Outcome) {
    let mut ignores: Vec<Ignore> =
        outcome.sources.iter().flat_map(|(id, file)| read(id, file.text())).collect();
    if ignores.is_empty() {
        return;
    }
    for finding in std::mem::take(&mut outcome.findings) {
        let line = outcome.sources.range(finding.span).0.line;
        let matching = ignores.iter_mut().find(|ignore| {
            ignore.span.file == finding.span.file
                && ignore.line == line
                && ignore.rules.iter().any(|rule| rule == finding.rule)
        });
        match matching {
            Some(ignore) => {
                ignore.used = true;
                outcome.ignored.push((finding, ignore.reason.clone()));
            }
            None => outcome.findings.push(finding),
        }
    }
    // A file that could not be read has no findings to ignore.
    if outcome.error.is_some() {
        return;
    }
    for ignore in ignores.into_iter().filter(|ignore| !ignore.used) {
        let message = format!("nothing of {} is found here to ignore", ignore.rules.join(", "));
        outcome.findings.push(
            Finding::new(&IGNORE_UNUSED, ignore.span, String::new(), message)
                .label("ignores nothing")
                .help("remove the comment, or move it to the line of the finding")
                .show(ignore.span),
        );
    }
    outcome.findings.sort_by_key(|finding| (finding.span.file, finding.span.start, finding.rule));
}

fn read(file: FileId, text: &str) -> Vec<Ignore> {
    let mut ignores = Vec::new();
    if !text.contains(MARK) {
        return ignores;
    }
    let mut start = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let content = line.trim_end();
        if let Some(at) = content.find(MARK)
            && let Some((rules, reason)) = content[at + MARK.len()..].split_once(']')
        {
            let alone = content[..at].trim().is_empty();
            let end = at + MARK.len() + rules.len() + 1;
            ignores.push(Ignore {
                span: Span { file, start: (start + at) as u32, end: (start + end) as u32 },
                line: if alone { number + 1 } else { number },
                rules: rules.split(',').map(|rule| rule.trim().to_owned()).collect(),
                reason: reason.trim().to_owned(),
                used: false,
            });
        }
        start += line.len();
    }
    ignores
}
