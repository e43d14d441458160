use std::ops::Range;

use super::prefer_file_variant::file_form;
use super::rule::rule;
use super::{Confidence, Context, Finding, Findings};
use crate::compose::EnvVar;
use crate::compose::template::{self, Operator, Piece};
use crate::detect::{
    Literal, is_compound_name, is_harmless_name, is_secret_name, literal, name_with_rest, name_with_value,
};
use crate::source::Span;

rule! {
    /// # env-secret
    ///
    /// A secret reaches a container through its environment, from a variable.
    ///
    /// ## Why is this bad
    ///
    /// It is better than a literal: the file holds no secret. But `docker inspect` prints it, child
    /// processes inherit it, and crash reports send it. A file under /run/secrets does none of that.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   app:
    ///     image: app
    ///     environment:
    ///       APP_TOKEN: ${APP_TOKEN:?set it}
    /// ```
    ///
    /// Use instead a secret, where the image can read one:
    ///
    /// ```yaml good
    /// services:
    ///   app:
    ///     image: app
    ///     environment:
    ///       APP_TOKEN_FILE: /run/secrets/app_token
    ///     secrets: [app_token]
    /// secrets:
    ///   app_token:
    ///     environment: APP_TOKEN
    /// ```
    ENV_SECRET = "env-secret", "a secret goes through the environment", Info, Regular, needs Text fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    let mut seen: Vec<Span> = Vec::new();
    for service in &context.project.services {
        let path = format!("services.{}.environment", service.name);
        let built = service.build.iter().flat_map(|build| &build.args);
        let mut variables = Vec::new();
        for variable in &service.environment {
            // What the image could read from a file is prefer-file-variant's to report.
            if file_form(service, variable).is_some() {
                seen.push(variable.value.as_ref().map_or(variable.name.span, |value| value.span));
            } else {
                variables.push((variable, path.clone()));
            }
        }
        let built = built.map(|variable| (variable, format!("services.{}.build.args", service.name)));
        for (variable, path) in variables.into_iter().chain(built) {
            if let Some(span) = check_variable(variable, &path, findings) {
                seen.push(span);
            }
        }
    }
    context.command_lines(|path, _, line| {
        for range in shell_variables(&line.text) {
            let name = line.text[range.clone()].to_owned();
            findings.push(finding(&name, line.place(context.sources, range), path.to_owned()));
        }
    });
    // Elsewhere, and in values that are more than the secret: the variables themselves are what is named.
    context.scalars(|path, value| {
        let Some(written) = &value.template else { return };
        let Ok(pieces) = template::parse(&written.text) else { return };
        if seen.iter().any(|span| value.span.contains(*span)) {
            return;
        }
        for piece in &pieces {
            let Piece::Variable { range, name, fallback } = piece else { continue };
            let name = &written.text[name.clone()];
            let defaulted = fallback.as_ref().is_some_and(|fallback| {
                fallback.operator == Operator::Default
                    && literal(&written.text[fallback.range.clone()]) == Literal::Secret
            });
            if is_secret_name(name) && !defaulted {
                let span = context.sources.within(value.span, &written.text, range.clone());
                findings.push(finding(name, span, path.to_owned()));
                break;
            }
        }
    });
}

/// Where `$$NAME` and `$${NAME}` stand in a command: the shell's own variables, with names of secrets.
fn shell_variables(text: &str) -> Vec<Range<usize>> {
    let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
    text.match_indices("$$")
        .filter_map(|(at, _)| {
            let start = at + 2 + usize::from(text[at + 2..].starts_with('{'));
            let end = start + text[start..].find(|c: char| !is_name(c)).unwrap_or(text.len() - start);
            is_secret_name(&text[start..end]).then_some(start..end)
        })
        .collect()
}

/// Reports a variable whose value comes from outside; gives the place that it has dealt with.
fn check_variable(variable: &EnvVar, path: &str, findings: &mut Findings) -> Option<Span> {
    let name = &variable.name.value;
    let lone = |raw: &str| {
        template::parse(raw).is_ok_and(|pieces| matches!(pieces.as_slice(), [Piece::Variable { .. }]))
    };
    let span = match &variable.value {
        // `NAME: value` and `NAME:value` are inline-password's to report.
        None if name_with_rest(name).or_else(|| name_with_value(name)).is_some() => return None,
        None => variable.name.span,
        Some(value) if literal(&value.raw) == Literal::FromOutside => value.span,
        Some(_) => return None,
    };
    if is_harmless_name(name) && !is_compound_name(name) {
        return variable.value.as_ref().filter(|value| lone(&value.raw)).map(|value| value.span);
    }
    if !is_secret_name(name) && !is_compound_name(name) {
        return None;
    }
    // A default that is written out is password-default's to report.
    if let Some(value) = &variable.value
        && let Ok(pieces) = template::parse(&value.raw)
        && pieces.iter().any(|piece| has_literal_default(&value.raw, piece))
    {
        return Some(span);
    }
    findings.push(finding(name, span, format!("{path}.{name}")).show(variable.name.span));
    Some(span)
}

fn has_literal_default(text: &str, piece: &Piece) -> bool {
    let Piece::Variable { fallback: Some(fallback), .. } = piece else { return false };
    (fallback.operator == Operator::Default && literal(&text[fallback.range.clone()]) == Literal::Secret)
        || fallback.pieces.iter().any(|piece| has_literal_default(text, piece))
}

fn finding(name: &str, span: Span, path: String) -> Finding {
    let message =
        format!("{name} goes through the environment, where `docker inspect` and every child process see it");
    Finding::new(&ENV_SECRET, span, path, message)
        .confidence(Confidence::Medium)
        .label("from the environment")
        .help("where the image reads a file, grant a secret instead")
}
