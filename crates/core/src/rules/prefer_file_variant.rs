use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::compose::{EnvVar, Service};
use crate::detect::{Literal, literal};
use crate::images::{self, FileForm};

rule! {
    /// # prefer-file-variant
    ///
    /// A secret goes through the environment of an image that could read it from a file.
    ///
    /// ## Why is this bad
    ///
    /// `docker inspect` prints the environment, child processes inherit it, crash reports send it. This image takes
    /// the same value from a file: a secret, which does none of that.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     environment:
    ///       POSTGRES_PASSWORD: ${DB_PASSWORD:?set it}
    /// ```
    ///
    /// Use instead:
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     environment:
    ///       POSTGRES_PASSWORD_FILE: /run/secrets/db_password
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     environment: DB_PASSWORD
    /// ```
    PREFER_FILE_VARIANT = "prefer-file-variant", "the image could read a secret from a file", Info, Regular, needs Text fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for service in &context.project.services {
        for variable in &service.environment {
            let Some(form) = file_form(service, variable) else { continue };
            let file = if form.mark.is_empty() { &*form.variable } else { "it from a file" };
            let name = &variable.name.value;
            let span = variable.value.as_ref().map_or(variable.name.span, |value| value.span);
            let path = format!("services.{}.environment.{name}", service.name);
            let message = format!(
                "{name} goes through the environment, where `docker inspect` shows it; this image reads {file} too"
            );
            findings.push(
                Finding::new(&PREFER_FILE_VARIANT, span, path, message)
                    .label("from the environment")
                    .help(format!("grant a secret and set {} to {}", form.variable, form.value("NAME")))
                    .show(variable.name.span),
            );
        }
    }
}

/// How the service's image takes the same value from a file, for a value that comes from outside. A value that is
/// written out is inline-password's to report.
pub(super) fn file_form(service: &Service, variable: &EnvVar) -> Option<FileForm> {
    let from_outside = variable
        .value
        .as_ref()
        .is_none_or(|value| literal(&value.raw) == Literal::FromOutside && !has_default(&value.raw));
    let name = &*variable.name.value;
    if !from_outside {
        return None;
    }
    let found = images::file_form(&service.image.as_ref()?.value, name)?;
    let continued =
        |other: &EnvVar| other.name.value.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'));
    (!service.environment.iter().any(continued)).then_some(found)
}

/// `${X:-written out}`: password-default's to report.
fn has_default(raw: &str) -> bool {
    use crate::compose::template::{self, Operator, Piece};
    template::parse(raw).is_ok_and(|pieces| {
        pieces.iter().any(|piece| {
            matches!(piece, Piece::Variable { fallback: Some(fallback), .. }
                if fallback.operator == Operator::Default && literal(&raw[fallback.range.clone()]) == Literal::Secret)
        })
    })
}
