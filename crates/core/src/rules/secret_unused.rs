use std::collections::HashSet;

use super::rule::rule;
use super::secret_undefined::nearest;
use super::{Context, Finding, Findings};

rule! {
    /// # secret-unused
    ///
    /// A top-level secret is granted to no service.
    ///
    /// ## Why is this bad
    ///
    /// Compose drops it in silence. Most often a grant was forgotten, and the service looks for a file that
    /// is not there; or the secret is a leftover that somebody must still keep safe.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    ///
    /// Use instead a grant:
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
    /// A file without services, made to be included, is left alone.
    SECRET_UNUSED = "secret-unused", "a secret is granted to no service", Warning, Regular, needs Text fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    let services = &context.project.services;
    if services.is_empty() {
        return;
    }
    let defined = &context.project.secrets;
    let grants: HashSet<&str> = services
        .iter()
        .flat_map(|service| {
            service.secrets.iter().chain(service.build.iter().flat_map(|build| &build.secrets))
        })
        .map(|grant| &*grant.source.value)
        .collect();
    let hidden: HashSet<&str> = context.hidden_grants().iter().map(|grant| grant.name.as_str()).collect();
    let names: HashSet<&str> = defined.iter().map(|secret| &*secret.name).collect();
    // A grant of a name that is nearly a defined one is secret-undefined's to report.
    let misspelt: HashSet<&str> = grants
        .difference(&names)
        .filter_map(|grant| nearest(defined, grant))
        .map(|near| &*near.name)
        .collect();
    for secret in defined {
        // secret-target-escape's to report.
        let is_hidden = hidden.contains(&*secret.name);
        if !is_hidden && !grants.contains(&*secret.name) && !misspelt.contains(&*secret.name) {
            let message = format!("the secret `{}` is granted to no service, so nobody gets it", secret.name);
            let finding =
                Finding::new(&SECRET_UNUSED, secret.name_span, format!("secrets.{}", secret.name), message)
                    .label("never granted")
                    .help(format!("add `{}` to a service's `secrets:`, or remove it here", secret.name))
                    .show(secret.name_span);
            findings.push(finding);
        }
    }
}
