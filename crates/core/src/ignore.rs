//! `# cosec: ignore[rule] reason`, on the line of a finding or alone on the line above it.

use std::collections::HashSet;
use std::ops::Range;

use crate::compose::dotenv;
use crate::files::join;
use crate::lint::{LintOptions, Outcome};
use crate::rules::{self, Finding, IGNORE_UNUSED};
use crate::source::{FileId, Span};
use crate::yaml::{Document, Kind, Node, Style};

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

/// What one project says of a comment that ignores. Others may read the same file: [`unused`] asks them all.
#[derive(Debug)]
pub struct Comment {
    /// The comment.
    span: Span,
    /// What is wrong with it, as far as this project can tell; `None` where it ignores something, or where what it is
    /// for was not looked for.
    complaint: Option<Box<Finding>>,
}

impl Comment {
    /// Where it is.
    pub(crate) fn span(&self) -> Span {
        self.span
    }
}

/// What a comment that is meant for cosec starts with, blanks left out.
const MARK: &str = "cosec:ignore";

/// Takes ignored findings out, and notes which comments ignore something.
pub(crate) fn apply(outcome: &mut Outcome, options: &LintOptions) {
    let mut ignores: Vec<Ignore> =
        outcome.sources.iter().flat_map(|(id, file)| read(id, file.text(), outcome)).collect();
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
    if !options.runs(&IGNORE_UNUSED) {
        return;
    }
    let comment = |ignore: Ignore| {
        let is_known = !ignore.used && ignore.rules.iter().all(|rule| was_looked_for(outcome, options, rule));
        let complaint = is_known.then(|| {
            let (message, help) = complaint(&ignore.rules);
            let mut finding = Finding::new(&IGNORE_UNUSED, ignore.span, String::new(), message)
                .label("ignores nothing")
                .help(help)
                .show(ignore.span);
            options.grade(&mut finding);
            Box::new(finding)
        });
        Comment { span: ignore.span, complaint }
    };
    outcome.comments = ignores.into_iter().map(comment).collect();
}

/// Whether a rule, had it something to find in this project, would have found it. One that nobody knows finds nothing.
fn was_looked_for(outcome: &Outcome, options: &LintOptions, id: &str) -> bool {
    let Some(rule) = rules::by_id(id) else { return true };
    let is_gap = |rule: &str| rule == "*" || rule == id;
    // A file that could not be read has no findings to ignore.
    outcome.error.is_none()
        && options.runs(rule)
        && !outcome.not_checked.iter().any(|entry| is_gap(entry.rule))
}

/// The comments that ignore nothing in any of the outcomes, each with the first outcome that has read it. What one
/// project cannot tell is not held against a comment: a finding may come about only where files are merged.
pub fn unused(outcomes: &[&Outcome]) -> Vec<(usize, Finding)> {
    let place = |outcome: &Outcome, comment: &Comment| {
        (join("", outcome.sources.file(comment.span.file).path()), comment.span.start)
    };
    let comments = || {
        let numbered = outcomes.iter().enumerate();
        numbered.flat_map(|(at, outcome)| outcome.comments.iter().map(move |comment| (at, *outcome, comment)))
    };
    let without = comments().filter(|(.., comment)| comment.complaint.is_none());
    let mut left: HashSet<_> = without.map(|(_, outcome, comment)| place(outcome, comment)).collect();
    let mut found = Vec::new();
    for (at, outcome, comment) in comments() {
        if let Some(complaint) = &comment.complaint
            && left.insert(place(outcome, comment))
        {
            found.push((at, (**complaint).clone()));
        }
    }
    found
}

fn read(file: FileId, text: &str, outcome: &Outcome) -> Vec<Ignore> {
    let mut ignores = Vec::new();
    if !text.contains("cosec") {
        return ignores;
    }
    let values = values_with_marks(file, text, outcome);
    let is_dockerfile = outcome.dockerfiles.contains(&file);
    let mut start = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let content = line.trim_end();
        let is_comment = |at: usize| {
            let before = &content[..at];
            let is_quoted = is_dockerfile && before.matches('"').count() % 2 == 1;
            let place = start + at;
            (before.is_empty() || before.ends_with([' ', '\t']))
                && !is_quoted
                && !values.iter().any(|value| value.contains(&place))
        };
        if let Some((at, named)) = mark(content, is_comment) {
            let (rules, reason) =
                content[named..].strip_prefix('[').and_then(|rest| rest.split_once(']')).unwrap_or_default();
            let end = if rules.is_empty() { named } else { named + rules.len() + 2 };
            let alone = content[..at].trim().is_empty();
            ignores.push(Ignore {
                span: Span { file, start: (start + at) as u32, end: (start + end) as u32 },
                line: if alone { number + 1 } else { number },
                rules: rules
                    .split(',')
                    .map(|rule| rule.trim().to_owned())
                    .filter(|rule| !rule.is_empty())
                    .collect(),
                reason: reason.trim().to_owned(),
                used: false,
            });
        }
        start += line.len();
    }
    ignores
}

/// The values of a file in which a `#` starts no comment: those in quotes, and all of an env file. In a block of lines,
/// which is most often a script or a configuration, there is no other place for a comment.
fn values_with_marks(file: FileId, text: &str, outcome: &Outcome) -> Vec<Range<usize>> {
    let range = |span: Span| span.start as usize..span.end as usize;
    let mut trees = outcome.documents.iter().filter(|document| document.file() == file).peekable();
    if trees.peek().is_none() && !outcome.dockerfiles.contains(&file) {
        let assigned = dotenv::scan(file, text).into_iter();
        return assigned.filter_map(|assigned| Some(range(assigned.value?.span))).collect();
    }
    let is_quoted =
        |node: &&Node| matches!(node.kind, Kind::Scalar { style: Style::Single | Style::Double, .. });
    trees.flat_map(Document::nodes).filter(is_quoted).map(|node| range(node.span)).collect()
}

/// Where a comment for cosec starts in a line, and where its list of rules does: `# cosec: ignore[`, with blanks or
/// without.
fn mark(line: &str, is_comment: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
    let marked = |at: usize| {
        let mut wanted = MARK.bytes();
        let mut next = wanted.next();
        for (offset, byte) in line.bytes().enumerate().skip(at + 1) {
            match next {
                None if byte != b' ' => return Some((at, offset)),
                Some(wanted_byte) if byte == wanted_byte => next = wanted.next(),
                _ if byte == b' ' => {}
                _ => return None,
            }
        }
        next.is_none().then_some((at, line.len()))
    };
    let marks = line.match_indices('#').filter_map(|(at, _)| marked(at));
    marks.into_iter().find(|(at, _)| is_comment(*at))
}

/// What is wrong with a comment that ignores nothing.
fn complaint(rules: &[String]) -> (String, String) {
    let help = "remove the comment, or move it to the line of the finding".to_owned();
    if rules.is_empty() {
        return (
            "this comment names no rule to ignore".to_owned(),
            "write # cosec: ignore[RULE] and the reason".to_owned(),
        );
    }
    match rules.iter().find(|rule| rules::by_id(rule).is_none()) {
        Some(unknown) => (
            format!("there is no rule `{unknown}` to ignore"),
            rules::nearest(unknown).map_or(help, |near| format!("did you mean `{near}`?")),
        ),
        None => (format!("nothing of {} is found here to ignore", rules.join(", ")), help),
    }
}

#[cfg(test)]
mod tests {
    use crate::files::MemoryFiles;
    use crate::lint::{LintOptions, lint_file};
    use crate::settle::settle;

    fn messages(comment: &str) -> Vec<String> {
        let mut files = MemoryFiles::default();
        let text = format!(
            "services:\n  a:\n    image: x\n    environment:\n      {comment}\n      DB_PASSWORD: Xk29sLq\n"
        );
        files.insert("compose.yaml", text);
        let mut outcomes = [lint_file(&files, "compose.yaml", &LintOptions::default())];
        settle(&mut outcomes);
        let [outcome] = outcomes;
        outcome.findings.into_iter().map(|found| format!("{} {}", found.message, found.help)).collect()
    }

    #[test]
    fn a_comment_ignores_with_blanks_or_without() {
        for comment in [
            "# cosec: ignore[inline-password] why",
            "#cosec:ignore[inline-password]",
            "#  cosec: ignore [ inline-password , weak-password ] why",
        ] {
            assert_eq!(messages(comment), Vec::<String>::new(), "{comment}");
        }
        assert_eq!(messages("# cosec is great, ignore the rest").len(), 1);
    }

    #[test]
    fn a_password_that_says_ignore_is_not_ignored() {
        let found = |value: &str| {
            let compose =
                format!("services:\n  a:\n    image: x\n    environment:\n      DB_PASSWORD: {value}\n");
            [("compose.yaml", compose), (".env", format!("DB_PASSWORD={value}\n"))].map(|(path, text)| {
                let mut files = MemoryFiles::default();
                files.insert(path, text);
                lint_file(&files, path, &LintOptions::default()).findings.len()
            })
        };
        let mark = "# cosec: ignore[inline-password, env-file-secret, weak-password]";
        for value in [
            format!("\"Xk29 {mark}\""),
            format!("'Xk29 {mark}'"),
            "Xk29#cosec:ignore[inline-password]".into(),
        ] {
            assert_eq!(found(&value), [1, 1], "{value}");
        }
        for value in [format!("\"Xk29\" {mark}"), format!("\"Xk29 {mark}\" {mark}")] {
            assert_eq!(found(&value), [0, 0], "{value}");
        }
    }

    #[test]
    fn a_comment_that_cannot_work_says_why_instead_of_doing_nothing() {
        for (comment, says) in [
            ("# cosec: ignore", "names no rule to ignore write # cosec: ignore[RULE]"),
            ("# cosec: ignore inline-password", "names no rule"),
            ("# cosec: ignore[]", "names no rule"),
            (
                "# cosec: ignore[inline-pasword]",
                "no rule `inline-pasword` to ignore did you mean `inline-password`?",
            ),
            ("# cosec: ignore[weak-password]", "nothing of weak-password is found here"),
        ] {
            let found = messages(comment);
            assert!(found.len() == 2 && found[0].contains(says), "{comment}: {found:?}");
        }
    }
}
