use super::rule::rule;
use super::{Confidence, Context, Finding, Findings, Severity};
use crate::compose::Value;
use crate::detect::{assignments, is_secret_name};

rule! {
    /// # secret-in-config
    ///
    /// A config's `content:` holds a secret, or its `environment:` names a secret's variable.
    ///
    /// ## Why is this bad
    ///
    /// Configs are meant for what everyone may read: Swarm shows their content to whoever can list them,
    /// and the file they are written in is committed.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   app:
    ///     image: app
    ///     configs: [settings]
    /// configs:
    ///   settings:
    ///     content: |
    ///       host: db
    ///       password: hunter2
    /// ```
    ///
    /// Use instead a secret for what is secret:
    ///
    /// ```yaml good
    /// services:
    ///   app:
    ///     image: app
    ///     configs: [settings]
    ///     secrets: [db_password]
    /// configs:
    ///   settings:
    ///     content: |
    ///       host: db
    ///       password_file: /run/secrets/db_password
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    SECRET_IN_CONFIG = "secret-in-config", "a config's content holds a secret", Error, Regular, needs Text fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    let configs = context.root.get("configs").and_then(Value::as_map);
    for (name, entry) in configs.into_iter().flatten() {
        if let Some(variable) = entry.value.get("environment").and_then(Value::to_text)
            && is_secret_name(&variable.value)
        {
            let message = format!(
                "the config `{name}` is made of {}; configs are for what everyone may read",
                variable.value
            );
            let mut finding = Finding::new(
                &SECRET_IN_CONFIG,
                variable.span,
                format!("configs.{name}.environment"),
                message,
            )
            .label("named like a secret")
            .help("make it a secret: the top-level `secrets:` have `environment:` too")
            .show(variable.span);
            // What is shared is not written here.
            finding.severity = Severity::Warning;
            findings.push(finding);
        }
        let Some(text) = entry.value.get("content").and_then(Value::to_text) else { continue };
        for assignment in assignments(&text.raw, false) {
            let span = context.sources.within(text.span, &text.raw, assignment.value);
            let written = context.sources.within(text.span, &text.raw, assignment.name.clone());
            let key = &text.raw[assignment.name];
            let message = format!(
                "the config `{name}` holds the value of {key}; configs are for what everyone may read"
            );
            findings.push(
                Finding::new(&SECRET_IN_CONFIG, span, format!("configs.{name}.content"), message)
                    .confidence(Confidence::Medium)
                    .label("a literal secret")
                    .help("move it to a secret, and let the configuration name the secret's file")
                    .show(written),
            );
        }
    }
}
