use super::rule::rule;
use super::{Confidence, Context, Finding, Findings};
use crate::detect::is_secret_name;

rule! {
    /// # path-in-plain-key
    ///
    /// A variable for a password holds the path of a secret's file.
    ///
    /// ## Why is this bad
    ///
    /// Some programs read it as a path; others take the path itself for the password, which everyone can then
    /// guess. A name that ends in `_FILE` says what is meant.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     environment:
    ///       POSTGRES_PASSWORD: /run/secrets/db_password
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
    /// ```
    PATH_IN_PLAIN_KEY = "path-in-plain-key", "a password's variable holds a path", Info, Regular, needs Text fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    context.variables(|_, variable, path| {
        let name = &variable.name.value;
        let Some(value) = &variable.value else { return };
        if value.raw.trim().starts_with("/run/secrets/") && is_secret_name(name) {
            findings.push(
                Finding::new(
                    &PATH_IN_PLAIN_KEY,
                    value.span,
                    format!("{path}.{name}"),
                    format!(
                        "{name} holds a path; a program that does not read it takes the path for the password"
                    ),
                )
                .confidence(Confidence::Medium)
                .label("a path")
                .help(format!("set {name}_FILE, if the image knows it"))
                .show(variable.name.span)
                .show(value.span),
            );
        }
    });
}
