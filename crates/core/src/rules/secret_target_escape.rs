use std::collections::HashSet;

use super::overridden::HiddenGrant;
use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::files::join;
use crate::source::Span;

rule! {
    /// # secret-target-escape
    ///
    /// A secret's `target:` leaves its directory, is a directory, is another secret's target, or lies under a volume.
    ///
    /// ## Why is this bad
    ///
    /// `../x` puts the file outside of /run/secrets, over a program for example. Of two secrets with one target,
    /// and of a secret and a volume, the service gets one or the other, and nothing says which.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets:
    ///       - source: db_password
    ///         target: ../../etc/passwd
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    ///
    /// Use instead a name, or an absolute path if the program wants one:
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets:
    ///       - source: db_password
    ///         target: /etc/app/password
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    SECRET_TARGET_ESCAPE = "secret-target-escape", "a secret's target is not a place of its own", Error, Regular, needs Text, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    let kept = context.project.services.iter().flat_map(|service| &service.secrets);
    let kept: HashSet<Span> = kept.map(|grant| grant.target.as_ref().unwrap_or(&grant.source).span).collect();
    for grant in context.hidden_grants() {
        if kept.contains(&grant.span) {
            continue;
        }
        let HiddenGrant { service, name, by, target, .. } = grant;
        let message =
            format!("the secrets `{name}` and `{by}` both go to {target}: the service gets `{by}` only");
        let path = format!("services.{service}.secrets.{name}");
        let finding = Finding::new(&SECRET_TARGET_ESCAPE, grant.span, path, message)
            .label("hidden by another secret")
            .help("give it a `target:` of its own: a name, or an absolute path")
            .related(grant.by_span, "the other secret")
            .show(grant.span)
            .show(grant.by_span);
        findings.push(finding);
    }
    for service in &context.project.services {
        let mut taken: Vec<(String, Span, &str)> = Vec::new();
        for grant in &service.secrets {
            let name = &*grant.source.value;
            let (written, raw, span) = match &grant.target {
                Some(target) if !target.value.is_empty() => (&*target.value, &*target.raw, target.span),
                _ => (name, name, grant.source.span),
            };
            // What a variable says is not known here.
            if raw.contains('$') {
                continue;
            }
            let path = format!("services.{}.secrets.{name}", service.name);
            let mut found = |message: String, label: &str, other: Option<(Span, &str)>| {
                let mut finding = Finding::new(&SECRET_TARGET_ESCAPE, span, path.as_str(), message)
                    .label(label)
                    .help("give it a `target:` of its own: a name, or an absolute path")
                    .show(span);
                if let Some((other, label)) = other {
                    finding = finding.related(other, label).show(other);
                }
                findings.push(finding);
            };
            let target = join("/run/secrets", written);
            if written.split('/').any(|part| part == "..") {
                let message = format!("the target of the secret `{name}` leaves its directory with `..`");
                found(message, "leaves /run/secrets", None);
            } else if written.ends_with('/') || target == "/run/secrets" {
                found(format!("the target of the secret `{name}` is a directory"), "a directory", None);
            } else if let Some((_, twin, other)) = taken.iter().find(|(place, ..)| *place == target) {
                let message = format!("the secrets `{other}` and `{name}` both go to {target}");
                found(message, "taken already", Some((*twin, "the other secret")));
            } else if let Some(volume) = service.volumes.iter().find(|volume| {
                volume.target.as_ref().is_some_and(|place| {
                    let place = join("/", &place.value);
                    place == target || (place == "/run/secrets" && target.starts_with("/run/secrets/"))
                })
            }) {
                let message = format!(
                    "a volume lies over {target}, the target of the secret `{name}`: it hides the secret"
                );
                found(message, "under a volume", Some((volume.span, "the volume")));
            }
            taken.push((target, span, name));
        }
    }
}
