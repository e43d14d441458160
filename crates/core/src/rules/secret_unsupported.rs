use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::compose::External;
use crate::lint::Target;

rule! {
    /// # secret-unsupported
    ///
    /// A service of a Compose project is granted a secret that only Swarm has: `external: true`, `driver:` or
    /// `template_driver:`.
    ///
    /// ## Why is this bad
    ///
    /// `docker compose config` accepts it, `docker compose up` stops at it.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     external: true
    /// ```
    ///
    /// Use instead a file, at least in an override file for this machine:
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    ///
    /// A project whose `deploy:` or networks are Swarm's is left alone, and so is everything with `--target swarm`.
    SECRET_UNSUPPORTED = "secret-unsupported", "only Swarm has such a secret", Warning, Regular, needs Text, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    if context.target == Target::Swarm || context.project.is_for_swarm() {
        return;
    }
    for secret in &context.project.secrets {
        let what = match (secret.external, &secret.driver) {
            (External::Yes, _) => "is external",
            (External::No, Some(_)) => "has a driver",
            (External::No, None) => continue,
        };
        if context.users_of(&secret.name).next().is_none() {
            continue;
        }
        findings.push(
            Finding::new(
                &SECRET_UNSUPPORTED,
                secret.name_span,
                format!("secrets.{}", secret.name),
                format!(
                    "the secret `{}` {what}, which only Swarm knows: `docker compose up` stops here",
                    secret.name
                ),
            )
            .label(what)
            .help("give it a `file:` in an override file for this machine, or lint with --target swarm")
            .show(secret.name_span),
        );
    }
}
