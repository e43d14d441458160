use super::rule::rule;
use super::{Confidence, Context, Finding, Findings};
use crate::compose::Value;
use crate::compose::template::{self, Operator, Piece};
use crate::detect::{Literal, is_harmless_name, is_secret_name, literal};

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
        let slot = slot_name(path, &written.text);
        visit(context, path, slot, value, &written.text, &pieces, findings);
    });
}

/// The name of the variable that the scalar as a whole goes into.
fn slot_name<'a>(path: &'a str, text: &'a str) -> Option<&'a str> {
    let (parent, last) = path.rsplit_once('.')?;
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        text.split_once('=').map(|(name, _)| name)
    } else {
        (parent.ends_with(".environment") || parent.ends_with(".args")).then_some(last)
    }
}

fn visit(
    context: &Context<'_>,
    path: &str,
    slot: Option<&str>,
    value: &Value,
    text: &str,
    pieces: &[Piece],
    findings: &mut Findings,
) {
    for piece in pieces {
        let Piece::Variable { range, name, fallback: Some(fallback) } = piece else { continue };
        let name = &text[name.clone()];
        let default = &text[fallback.range.clone()];
        // The slot that the value goes into says more than the variable: an access key for a user is a user.
        let secret = match slot {
            Some(slot) if is_secret_name(slot) => true,
            Some(slot) if is_harmless_name(slot) => false,
            _ => is_secret_name(name),
        };
        if secret && fallback.operator == Operator::Default && literal(default) == Literal::Secret {
            let span = context.sources.within(value.span, text, fallback.range.clone());
            let message = format!(
                "{name} has a default written in the file, which is used without a word where {name} is not set"
            );
            let path = match slot {
                Some(slot) if !path.ends_with(slot) => {
                    format!("{}.{slot}", path.rsplit_once('.').map_or("", |(parent, _)| parent))
                }
                _ => path.to_owned(),
            };
            let mut finding = Finding::new(&PASSWORD_DEFAULT, span, path, message)
                .confidence(Confidence::High)
                .label("a default for a secret")
                .help(format!("write ${{{name}:?set {name}}} so that a missing value stops `up`"));
            // `${NAME:-` and no more: what stands around it may be another secret.
            let operator = context.sources.within(value.span, text, range.start..fallback.range.start);
            if operator.end == span.start {
                finding = finding.show(operator);
            }
            // `NAME=` of a list's line.
            if let Some(slot) =
                slot.filter(|slot| text.strip_prefix(slot).is_some_and(|rest| rest.starts_with('=')))
            {
                finding = finding.show(context.sources.within(value.span, text, 0..slot.len() + 1));
            }
            findings.push(finding);
        } else {
            visit(context, path, slot, value, text, &fallback.pieces, findings);
        }
    }
}
