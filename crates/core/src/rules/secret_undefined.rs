use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::compose::{Grant, SecretDef};

rule! {
    /// # secret-undefined
    ///
    /// A service is granted a secret that no top-level `secrets:` entry defines.
    ///
    /// ## Why is this bad
    ///
    /// Compose and Swarm refuse the project. Most often it is a slip of the pen in one of two places.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets: [db_pasword]
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    ///
    /// Use instead the name that is defined:
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
    SECRET_UNDEFINED = "secret-undefined", "a service is granted a secret that is not defined", Error, Regular, needs Text, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for service in &context.project.services {
        let granted = service.secrets.iter().map(|grant| (grant, "secrets"));
        let built =
            service.build.iter().flat_map(|build| &build.secrets).map(|grant| (grant, "build.secrets"));
        for (grant, key) in granted.chain(built) {
            let path = format!("services.{}.{key}.{}", service.name, grant.source.value);
            check_grant(context, grant, path, findings);
        }
    }
}

fn check_grant(context: &Context<'_>, grant: &Grant, path: String, findings: &mut Findings) {
    let name = &grant.source.value;
    let defined = &context.project.secrets;
    if defined.iter().any(|secret| secret.name == *name) {
        return;
    }
    let message = format!("the secret `{name}` is granted here but defined nowhere");
    let near = nearest(defined, name);
    let help = match near {
        Some(secret) => format!("did you mean `{}`?", secret.name),
        None => format!("add `{name}:` with `file:` or `environment:` under the top-level `secrets:`"),
    };
    let mut finding = Finding::new(&SECRET_UNDEFINED, grant.source.span, path, message)
        .label("not defined")
        .help(help)
        .show(grant.source.span);
    if let Some(secret) = near {
        finding = finding.related(secret.name_span, "a secret with a similar name").show(secret.name_span);
    }
    findings.push(finding);
}

/// The defined secret that was most likely meant.
pub(super) fn nearest<'a>(defined: &'a [SecretDef], name: &str) -> Option<&'a SecretDef> {
    let near = crate::nearest::nearest(defined.iter().map(|secret| &*secret.name), name)?;
    defined.iter().find(|secret| &*secret.name == near)
}
