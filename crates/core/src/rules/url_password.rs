use std::collections::HashSet;

use super::rule::rule;
use super::{Confidence, Context, Finding, Findings};
use crate::compose::Text;
use crate::detect::{assignments, is_secret_name, pair_password, url_passwords};
use crate::source::Span;

rule! {
    /// # url-password
    ///
    /// A URL or connection string in the Compose file holds a password: `scheme://user:password@host`,
    /// `Server=db;Password=…`.
    ///
    /// ## Why is this bad
    ///
    /// It is a password in the file like any other, and it hides well: connection strings are copied
    /// into logs, error messages and bug reports whole.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   app:
    ///     image: app
    ///     environment:
    ///       DATABASE_URL: postgres://app:hunter2@db/app
    /// ```
    ///
    /// Use instead a variable, or let the application read the password from a secret:
    ///
    /// ```yaml good
    /// services:
    ///   app:
    ///     image: app
    ///     environment:
    ///       DATABASE_URL: postgres://app:${DB_PASSWORD:?set it}@db/app
    /// ```
    URL_PASSWORD = "url-password", "a URL holds a password", Error, Regular, needs Text fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for service in &context.project.services {
        for variable in &service.environment {
            let Some(value) = variable.value.as_ref().filter(|value| !value.raw.trim_end().contains('\n'))
            else {
                continue;
            };
            if is_secret_name(&variable.name.value) {
                continue;
            }
            let pair = pair_password(&variable.name.value, &value.raw);
            let assigned = assignments(&value.raw, false).into_iter().map(|assignment| assignment.value);
            for password in assigned.chain(pair) {
                let span = context.sources.within(value.span, &value.raw, password);
                let path = format!("services.{}.environment.{}", service.name, variable.name.value);
                findings.push(
                    Finding::new(&URL_PASSWORD, span, path, "a connection string holds its password in plain text; such strings end up in logs whole")
                        .confidence(Confidence::Medium)
                        .label("the password in the connection string")
                        .help("take the password from a variable, or from a secret that the application reads")
                        .show(variable.name.span),
                );
            }
        }
    }
    let mut seen: HashSet<Span> = HashSet::new();
    let mut check_text = |path: &str, text: &Text, in_project: bool| {
        for range in url_passwords(&text.raw) {
            let password = range.start;
            let scheme = text.raw[..password].rfind("://").map(|at| at + 3);
            let span = context.sources.within(text.span, &text.raw, range);
            // What is no part of the project may be one elsewhere, by an anchor.
            if !seen.insert(span) && !in_project {
                continue;
            }
            // A plain word before the password is a user's name; anything else may be a token.
            let user = scheme.and_then(|scheme| text.raw.get(scheme..password - 1)).unwrap_or_default();
            let plain = user.len() <= 16
                && user.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_-".contains(&byte));
            let before = scheme.map(|scheme| {
                context.sources.within(text.span, &text.raw, 0..if plain { password } else { scheme })
            });
            let finding = Finding::new(
                &URL_PASSWORD,
                span,
                path,
                "a URL holds its password in plain text; connection strings end up in logs whole",
            )
            .confidence(Confidence::High)
            .label("the password in the URL")
            .help("take the password from a variable, or from a secret that the application reads");
            // Before a second URL of the same text stands the first one's password.
            let lone = text.raw[..password].matches("://").count() == 1;
            findings.push(match before {
                Some(before) if lone && before.end <= span.start => finding.show(before),
                _ => finding,
            });
        }
    };
    context.scalars(|path, value| {
        if value.written().is_some_and(|written| !url_passwords(written).is_empty()) {
            value.to_text().iter().for_each(|text| check_text(path, text, true));
        }
    });
    for (path, variable) in context.overridden() {
        variable
            .value
            .iter()
            .for_each(|value| check_text(&format!("{path}.{}", variable.name.value), value, false));
    }
    context.named_files().iter().for_each(|(path, file)| check_text(path, file, false));
}
