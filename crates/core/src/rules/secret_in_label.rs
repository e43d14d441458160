use super::rule::rule;
use super::{Confidence, Context, Finding, Findings};
use crate::compose::EnvVar;
use crate::detect::{in_command, is_secret};

rule! {
    /// # secret-in-label
    ///
    /// A label, an annotation or an extra host holds a secret.
    ///
    /// ## Why is this bad
    ///
    /// Labels are made for being read: by every container that may ask the engine, by dashboards, in
    /// `docker inspect` and `docker ps`.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   app:
    ///     image: app
    ///     labels:
    ///       homepage.widget.password: hunter2
    /// ```
    ///
    /// Use instead what the program that reads the label offers for secrets, most often a variable or a file:
    ///
    /// ```yaml good
    /// services:
    ///   app:
    ///     image: app
    ///     labels:
    ///       homepage.widget.password: "{{HOMEPAGE_FILE_PASSWORD}}"
    /// ```
    SECRET_IN_LABEL = "secret-in-label", "a label holds a secret", Warning, Regular, needs Text, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for service in &context.project.services {
        for (key, label) in &service.labels {
            let path = format!("services.{}.{key}.{}", service.name, label.name.value);
            check_label(context, label, &path, findings);
        }
    }
}

fn check_label(context: &Context<'_>, label: &EnvVar, path: &str, findings: &mut Findings) {
    let Some(value) = &label.value else { return };
    // `traefik.http.middlewares.token-auth.…`: what stands before the last dot is a place, not a name.
    let name = label.name.value.rsplit('.').next().unwrap_or_default();
    let is_command = matches!(name.to_ascii_lowercase().as_str(), "command" | "cmd" | "exec");
    let mut found = |span, label_text: &str| {
        let message = format!("the label {} holds a secret; labels are shown to everyone", label.name.value);
        findings.push(
            Finding::new(&SECRET_IN_LABEL, span, path, message)
                .confidence(Confidence::Medium)
                .label(label_text)
                .help("take it from a variable or a secret's file, as far as the reader of the label can")
                .show(label.name.span),
        );
    };
    if is_secret(name, &value.raw) {
        found(value.span, "a literal secret");
    } else if is_command {
        for assignment in in_command(&value.raw) {
            found(
                context.sources.within(value.span, &value.raw, assignment.value),
                "a secret in the command",
            );
        }
    }
}
