use super::rule::rule;
use super::{Confidence, DockerfileContext, Finding, Findings, Rule, Severity};
use crate::detect::{Literal, is_secret, is_secret_name, literal, tokens, url_passwords};

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

/// Looks at the variables of `ARG` or `ENV`.
pub(super) fn check_assignments(
    context: &DockerfileContext<'_>,
    keyword: &str,
    rule: &Rule,
    findings: &mut Findings,
) {
    for instruction in context.read.dockerfile.instructions.iter().filter(|found| found.keyword == keyword) {
        let text = &instruction.arguments.text;
        for assigned in instruction.assigned() {
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
