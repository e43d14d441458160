use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::detect::is_secret;
use crate::source::Span;

rule! {
    /// # weak-password
    ///
    /// A password that is written in the Compose file is one of those that are tried first.
    ///
    /// ## Why is this bad
    ///
    /// Beside being in the file, it protects nothing: databases that can be reached are found and tried with
    /// such passwords within hours.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     environment:
    ///       POSTGRES_PASSWORD: changeme
    /// ```
    ///
    /// Use instead a random value in a secret's file, for example `openssl rand -hex 24 > secrets/db_password`:
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
    WEAK_PASSWORD = "weak-password", "a password that is tried first", Warning, Regular, needs Text, Project check
}

/// From the lists that scanners try, and the examples of images' pages.
const TRIED_FIRST: &[&str] = &[
    "admin",
    "administrator",
    "default",
    "demo",
    "dev",
    "example",
    "guest",
    "letmein",
    "master",
    "mysql",
    "oracle",
    "pass",
    "passw0rd",
    "passwd",
    "password",
    "postgres",
    "public",
    "qwerty",
    "redis",
    "root",
    "rootpassword",
    "secret",
    "supersecret",
    "sys",
    "test",
    "toor",
    "user",
    "welcome",
    "wordpress",
    "minioadmin",
    "changeme",
    "changeit",
    "change-me",
    "change_me",
    "changethis",
    "mongo",
    "mongodb",
    "mariadb",
    "rabbitmq",
    "elastic",
    "grafana",
    "keycloak",
    "superset",
];

fn check(context: &Context<'_>, findings: &mut Findings) {
    context.variables(|_, variable, path| {
        let name = &variable.name.value;
        let Some(value) = variable.value.as_ref().filter(|value| is_secret(name, &value.raw)) else { return };
        if is_tried_first(&value.raw, name) {
            let listed = value.span.start == variable.name.span.end + 1;
            let end = if listed { value.span.start } else { variable.name.span.end };
            findings.push(
                Finding::new(
                    &WEAK_PASSWORD,
                    value.span,
                    format!("{path}.{name}"),
                    format!("the value of {name} is one of the passwords that are tried first"),
                )
                .label("a weak password")
                .help("make a random one, for example with `openssl rand -hex 24`, and keep it in a secret's file")
                .show(Span { end, ..variable.name.span }),
            );
        }
    });
}

/// Whether a value of a variable is among those that are tried first.
pub(crate) fn is_tried_first(value: &str, name: &str) -> bool {
    let lower = value.trim().to_ascii_lowercase();
    let stem = lower.trim_end_matches(|c: char| c.is_ascii_digit() || c == '!');
    // All digits, a known word with a number behind it, or the name of what it protects.
    lower.len() < 4
        || (stem.is_empty() && lower.len() < 12)
        || TRIED_FIRST.contains(&stem)
        || name.to_ascii_lowercase().split('_').any(|word| word.len() > 2 && word == stem)
}
