use super::rule::rule;
use super::{Confidence, Context, Finding, Findings};
use crate::compose::{EnvVar, Text, Value};
use crate::detect::{assignments, is_of_parts, is_secret, is_secret_name, name_with_rest, name_with_value};
use crate::source::Span;

rule! {
    /// # inline-password
    ///
    /// A variable that is named like a secret has its value written in the Compose file.
    ///
    /// ## Why is this bad
    ///
    /// The file is committed, copied, pasted and shown on screens. The value also becomes part of the
    /// container's environment: `docker inspect` prints it, child processes inherit it, crash reports
    /// send it.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     environment:
    ///       POSTGRES_PASSWORD: hunter2
    /// ```
    ///
    /// Use instead a secret, and the image's `_FILE` variable:
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
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    ///
    /// It is the same with what hooks, log drivers, volume drivers and providers are given by name and value.
    ///
    /// Values that protect nothing (empty, `true`, a path, `<placeholder>`) are not reported.
    INLINE_PASSWORD = "inline-password", "a secret's value is written in the Compose file", Error, Regular, needs Text fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for service in &context.project.services {
        let path = format!("services.{}.environment", service.name);
        service.environment.iter().for_each(|variable| check_variable(context, variable, &path, findings));
    }
    for service in &context.project.services {
        let path = format!("services.{}.build.args", service.name);
        for argument in service.build.iter().flat_map(|build| &build.args) {
            check_name(context, argument, &path, findings);
        }
        for (path, option) in &service.options {
            check_variable(context, option, &format!("services.{}.{path}", service.name), findings);
        }
    }
    driver_options(context, findings);
    for (path, variable) in context.overridden() {
        check_variable(context, variable, path, findings);
    }
}

/// What the drivers of volumes, networks, secrets and configs are told, `o: username=…,password=…` among it.
fn driver_options(context: &Context<'_>, findings: &mut Findings) {
    for kind in ["volumes", "networks", "secrets", "configs"] {
        let all = context.root.get(kind).and_then(Value::as_map);
        for (name, entry) in all.into_iter().flatten() {
            let options = entry.value.get("driver_opts").and_then(Value::as_map);
            for (option, entry) in options.into_iter().flatten() {
                let Some(value) = entry.value.to_text() else { continue };
                let path = format!("{kind}.{name}.driver_opts");
                if !is_secret_name(option) {
                    check_lines(context, &value, &format!("{path}.{option}"), findings);
                    continue;
                }
                let name = Text::plain(option.clone(), entry.key_span);
                check_variable(context, &EnvVar { name, value: Some(value) }, &path, findings);
            }
        }
    }
}

fn check_variable(context: &Context<'_>, variable: &EnvVar, path: &str, findings: &mut Findings) {
    let name = &variable.name.value;
    if check_name(context, variable, path, findings) {
        return;
    }
    let Some(value) = &variable.value else { return };
    // A whole configuration in one variable: what is assigned in its lines. A line break at its end is `|`'s. Where
    // nothing is, the lines together may be the secret; a key in PEM is private-key's to report.
    if value.raw.trim_end().contains('\n') {
        let known = findings.found.len();
        check_lines(context, value, &format!("{path}.{name}"), findings);
        if findings.found.len() > known || value.raw.contains("-----BEGIN") {
            return;
        }
    }
    if !is_secret(name, &value.raw) {
        return;
    }
    let message =
        format!("the value of {name} is written in the file; everyone who can read the file has it");
    // `NAME=` of a list's line is one piece.
    let listed = value.span.start == variable.name.span.end + 1;
    let shown_end = if listed { value.span.start } else { variable.name.span.end };
    let finding = Finding::new(&INLINE_PASSWORD, value.span, format!("{path}.{name}"), message)
        .confidence(Confidence::High)
        .label("a literal secret")
        .help(format!(
            "put it in a file that git ignores, grant that as a secret, and set {name}_FILE if the image reads it"
        ))
        .show(Span { end: shown_end, ..variable.name.span });
    findings.push(finding);
}

/// `- NAME: value` in quotes, `- NAME value`: Compose takes all of it for a name, and the value is in the file all the
/// same. Tells whether it is so.
fn check_name(context: &Context<'_>, variable: &EnvVar, path: &str, findings: &mut Findings) -> bool {
    let written = &variable.name;
    if variable.value.is_some() && is_of_parts(&written.raw) {
        return false;
    }
    // A mapping's key may be `NAME=value`.
    let carried = name_with_rest(&written.raw).or_else(|| name_with_value(&written.raw));
    let Some((end, start)) = carried else { return false };
    let (name, value) = (&written.raw[..end], &written.raw[start..]);
    if !is_secret(name, value) {
        return false;
    }
    let message = format!(
        "the value of {name} is written in the file, and Compose takes all of the line for a name: write \
         `{name}=`, or a mapping"
    );
    let place = |range| context.sources.within(written.span, &written.raw, range);
    findings.push(
        Finding::new(&INLINE_PASSWORD, place(start..written.raw.len()), format!("{path}.{name}"), message)
            .confidence(Confidence::High)
            .label("a literal secret")
            .help("put it in a file that git ignores, and grant that as a secret")
            .show(place(0..end)),
    );
    true
}

fn check_lines(context: &Context<'_>, value: &Text, path: &str, findings: &mut Findings) {
    for assignment in assignments(&value.raw, false) {
        let name = &value.raw[assignment.name.clone()];
        let span = context.sources.within(value.span, &value.raw, assignment.value.clone());
        let message =
            format!("the value of {name} is written in the file; everyone who can read the file has it");
        findings.push(
            Finding::new(&INLINE_PASSWORD, span, path, message)
                .confidence(Confidence::Medium)
                .label("a literal secret")
                .help("take it from a secret's file, if the application can read one here")
                .show(context.sources.within(value.span, &value.raw, assignment.name)),
        );
    }
}
