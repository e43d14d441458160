use std::ops::Range;

use super::rule::rule;
use super::{Confidence, DockerfileContext, Finding, Findings, Rule, Severity};
use crate::detect::{Literal, is_secret, is_secret_name, literal, tokens, url_passwords};
use crate::dockerfile::Instruction;

rule! {
    /// # docker-arg-secret
    ///
    /// A Dockerfile takes a secret as a build argument.
    ///
    /// ## Why is this bad
    ///
    /// `docker history` shows the arguments of each build to everyone who can pull the image, and a default stands
    /// in the Dockerfile for everyone who can read it.
    ///
    /// ## Example
    ///
    /// ```dockerfile bad
    /// FROM node:22
    /// ARG NPM_TOKEN=hunter2
    /// RUN npm ci
    /// ```
    ///
    /// Use instead a secret that is mounted for one command:
    ///
    /// ```dockerfile good
    /// FROM node:22
    /// RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN,required=true npm ci
    /// ```
    ///
    /// An argument without a default is a warning.
    DOCKER_ARG_SECRET = "docker-arg-secret", "a build argument of a Dockerfile is a secret", Error, Regular, needs Text fix Unsafe, Dockerfile check
}

fn check(context: &DockerfileContext<'_>, findings: &mut Findings) {
    check_assignments(context, "ARG", &DOCKER_ARG_SECRET, findings);
}

/// An assignment of `ARG` or `ENV`: where the name and the value stand in the arguments.
pub(super) struct Assigned {
    pub(super) name: Range<usize>,
    pub(super) value: Option<Range<usize>>,
}

/// `K=v L="w"`, `K`, and the old `K v` of `ENV`.
pub(super) fn assigned(instruction: &Instruction) -> Vec<Assigned> {
    let text = &instruction.arguments.text;
    let words = instruction.arguments.words();
    let old_form = words.first().is_some_and(|first| !text[first.clone()].contains('=')) && words.len() > 1;
    if instruction.keyword == "ENV" && old_form {
        let value = words[1].start..text.trim_end().len();
        return vec![Assigned { name: words[0].clone(), value: Some(unquoted(text, value)) }];
    }
    words
        .into_iter()
        .map(|word| match text[word.clone()].find('=') {
            Some(at) => Assigned {
                name: word.start..word.start + at,
                value: Some(unquoted(text, word.start + at + 1..word.end)),
            },
            None => Assigned { name: word, value: None },
        })
        .collect()
}

fn unquoted(text: &str, range: Range<usize>) -> Range<usize> {
    let written = &text[range.clone()];
    let quoted = |quote: char| written.len() > 1 && written.starts_with(quote) && written.ends_with(quote);
    if quoted('"') || quoted('\'') { range.start + 1..range.end - 1 } else { range }
}

/// Looks at the variables of `ARG` or `ENV`.
pub(super) fn check_assignments(
    context: &DockerfileContext<'_>,
    keyword: &str,
    rule: &Rule,
    findings: &mut Findings,
) {
    for instruction in context.read.dockerfile.instructions.iter().filter(|found| found.keyword == keyword) {
        let text = &instruction.arguments.text;
        for assigned in assigned(instruction) {
            let name = &text[assigned.name.clone()];
            // A name that is none would put a value into the message.
            if name.is_empty()
                || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
            {
                continue;
            }
            let name_span = instruction.arguments.place(assigned.name.clone());
            let raw = assigned.value.clone().map_or("", |value| &text[value]);
            let inside = || {
                let url = url_passwords(raw).into_iter().next();
                url.or_else(|| tokens(raw).into_iter().next().map(|token| token.range))
            };
            let (severity, range, what) = if is_secret(name, raw) {
                (
                    Severity::Error,
                    assigned.value.clone(),
                    "is written in the Dockerfile, and stays in the image",
                )
            } else if let Some(inside) = inside() {
                let start = assigned.value.as_ref().map_or(0, |value| value.start);
                let range = start + inside.start..start + inside.end;
                (Severity::Error, Some(range), "holds a password in the Dockerfile, and stays in the image")
            } else if is_secret_name(name)
                && (assigned.value.is_none() || literal(raw) == Literal::FromOutside)
            {
                (
                    Severity::Warning,
                    None,
                    "stays in the image's history, where everyone who can pull it reads it",
                )
            } else {
                continue;
            };
            let span = range.map_or(name_span, |range| instruction.arguments.place(range));
            let mut finding = Finding::new(
                rule,
                span,
                format!("{keyword} {name}"),
                format!("the value of {name} {what}"),
            )
            .confidence(if severity == Severity::Error { Confidence::High } else { Confidence::Medium })
            .label(if severity == Severity::Error { "a literal secret" } else { "a secret" })
            .help("mount it for the one command that needs it: RUN --mount=type=secret,id=…,required=true")
            .show(instruction.keyword_span)
            .show(name_span);
            finding.severity = severity;
            findings.push(finding);
        }
    }
}
