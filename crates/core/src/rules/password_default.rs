use std::ops::Range;

use super::rule::rule;
use super::{Confidence, Context, Finding, Findings};
use crate::compose::Value;
use crate::compose::template::{self, Operator, Piece};
use crate::detect::{
    Literal, is_harmless_name, is_secret_name, literal, secret_defaults, variables_in_command,
};
use crate::source::Span;

rule! {
    /// # password-default
    ///
    /// A secret that comes from a variable has a default written beside it: `${DB_PASSWORD:-hunter2}`.
    ///
    /// ## Why is this bad
    ///
    /// The default is in the file like any other password, and it is used without a word wherever the
    /// variable was forgotten, production included.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     environment:
    ///       POSTGRES_PASSWORD: ${DB_PASSWORD:-hunter2}
    /// ```
    ///
    /// Use instead a required variable, which stops `up` with a clear message, or a secret:
    ///
    /// ```yaml good
    /// services:
    ///   app:
    ///     image: app
    ///     environment:
    ///       DB_PASSWORD: ${DB_PASSWORD:?set DB_PASSWORD in .env}
    /// ```
    PASSWORD_DEFAULT = "password-default", "a secret has a default value in the Compose file", Error, Regular, needs Text fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    context.scalars(|path, value| {
        let Some(written) = &value.template else { return };
        let Ok(pieces) = template::parse(&written.text) else { return };
        let slot = Slot::of(path, &written.text);
        visit(context, path, slot, value, &written.text, &pieces, findings);
        // What stands around a variable may say more than its name does.
        for found in secret_defaults(&written.text) {
            let span = context.sources.within(value.span, &written.text, found.default);
            if !findings.found.iter().rev().any(|known| known.span == span) {
                findings.push(finding(&written.text[found.name], "not set", span, path));
            }
        }
    });
    // Behind a flag for a secret the variable's name does not matter.
    context.command_lines(|path, _, line| {
        for assignment in variables_in_command(&line.text) {
            let given = &line.text[assignment.value.clone()];
            let Ok(pieces) = template::parse(given) else { continue };
            let [Piece::Variable { name, fallback: Some(fallback), .. }] = pieces.as_slice() else {
                continue;
            };
            let written =
                fallback.range.start + assignment.value.start..fallback.range.end + assignment.value.start;
            let span = line.place(context.sources, written);
            if fallback.operator == Operator::Default
                && literal(&given[fallback.range.clone()]) == Literal::Secret
                && !findings.found.iter().any(|known| known.span == span)
            {
                findings.push(finding(&given[name.clone()], "not set", span, path));
            }
        }
        for (name, default) in shell_defaults(&line.text) {
            let (name, span) = (&line.text[name], line.place(context.sources, default));
            let help = format!("write $${{{name}:?}} so that a missing value stops the command");
            findings.push(finding(name, "not set", span, path).help(help));
        }
    });
}

/// Names and defaults of the shell's own variables that are secrets: `$${PASSWORD:-hunter2}`.
fn shell_defaults(text: &str) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + '_ {
    text.match_indices("$${").filter_map(|(at, opened)| {
        let name = at + opened.len();
        let end = name + text[name..].find(|c: char| c != '_' && !c.is_ascii_alphanumeric())?;
        let rest = text[end..].trim_start_matches(':');
        let default = text.len() - rest.strip_prefix(['-', '='])?.len();
        let closed = default + text[default..].find(['}', '$', '`', '\n'])?;
        let is_closed = text[closed..].starts_with('}');
        let is_secret =
            is_secret_name(&text[name..end]) && literal(&text[default..closed]) == Literal::Secret;
        (is_closed && is_secret).then_some((name..end, default..closed))
    })
}

fn finding(name: &str, used: &str, span: Span, path: &str) -> Finding {
    let message = format!(
        "the default of {name} is written in the file, and used silently where the variable is {used}"
    );
    Finding::new(&PASSWORD_DEFAULT, span, path, message)
        .confidence(Confidence::High)
        .label("a default for a secret")
        .help(format!("write ${{{name}:?set {name}}} so that a missing value stops `up`"))
}

/// Whether a part of a text is the password of a URL: `scheme://user:HERE@host`.
fn is_url_password(text: &str, part: &Range<usize>) -> bool {
    text[part.end..].starts_with('@')
        && text[..part.start]
            .strip_suffix(':')
            .and_then(|before| before.rfind("://").map(|at| &before[at + 3..]))
            .is_some_and(|user| !user.contains(['/', '@', ' ']))
}

/// What a scalar as a whole goes into.
#[derive(Clone, Copy)]
struct Slot<'a> {
    /// Its name; of a label, which is a place, the last part.
    name: &'a str,
    /// The name as it is written, with all before it.
    written: &'a str,
    /// Where in the text the value starts: behind `NAME=` of a list's line.
    value: usize,
}

impl<'a> Slot<'a> {
    fn of(path: &'a str, text: &'a str) -> Option<Self> {
        let (parent, last) = path.rsplit_once('.')?;
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            // A command assigns to more than one.
            let is_command = [".command", ".entrypoint", ".test"].iter().any(|key| parent.ends_with(key));
            let (written, _) = text.split_once('=').filter(|_| !is_command)?;
            let is_label = [".labels", ".annotations"].iter().any(|key| parent.ends_with(key));
            let name = written.rsplit('.').next().filter(|_| is_label).unwrap_or(written);
            Some(Slot { name, written, value: written.len() + 1 })
        } else {
            let is_variable = parent.ends_with(".environment") || parent.ends_with(".args");
            is_variable.then_some(Slot { name: last, written: last, value: 0 })
        }
    }
}

fn visit(
    context: &Context<'_>,
    path: &str,
    slot: Option<Slot<'_>>,
    value: &Value,
    text: &str,
    pieces: &[Piece],
    findings: &mut Findings,
) {
    for piece in pieces {
        let Piece::Variable { range, name, fallback: Some(fallback) } = piece else { continue };
        let name = &text[name.clone()];
        let default = &text[fallback.range.clone()];
        // What a variable of the name says is no value.
        let slot = slot.filter(|slot| range.start >= slot.value);
        // The slot that the value goes into as a whole says more than the variable: an access key for a user is a user.
        let whole = slot.is_some_and(|slot| range.start == slot.value && range.end == text.len());
        let secret = match slot {
            Some(slot) if is_secret_name(slot.name) => true,
            Some(slot) if whole && is_harmless_name(slot.name) => false,
            _ => is_secret_name(name) || is_url_password(text, range),
        };
        let used = match fallback.operator {
            Operator::Default => secret.then_some("not set"),
            // `${PASSWORD:+--auth}` makes a flag of it: only what is the whole value is a secret.
            Operator::Alternate => {
                (whole && slot.is_some_and(|slot| is_secret_name(slot.name))).then_some("set")
            }
            Operator::Required => None,
        };
        if let Some(used) = used.filter(|_| literal(default) == Literal::Secret) {
            let span = context.sources.within(value.span, text, fallback.range.clone());
            let path = match slot {
                Some(slot) if !path.ends_with(slot.written) => {
                    format!("{}.{}", path.rsplit_once('.').map_or("", |(parent, _)| parent), slot.written)
                }
                _ => path.to_owned(),
            };
            let mut finding = finding(name, used, span, &path);
            // `${NAME:-` and no more: what stands around it may be another secret.
            let operator = context.sources.within(value.span, text, range.start..fallback.range.start);
            if operator.end == span.start {
                finding = finding.show(operator);
            }
            // `NAME=` of a list's line.
            if let Some(slot) = slot.filter(|slot| slot.value > 0) {
                finding = finding.show(context.sources.within(value.span, text, 0..slot.value));
            }
            findings.push(finding);
        } else {
            visit(context, path, slot, value, text, &fallback.pieces, findings);
        }
    }
}
