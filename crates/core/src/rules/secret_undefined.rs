use super::rule::rule;
use super::{Context, Finding, Findings, Severity};
use crate::compose::{Grant, SecretDef};
use crate::files::{FILE_NAMES, OVERRIDE_NAMES, file_name};

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
    ///
    /// In a file that Compose does not read by itself, as `common.yaml`, and that defines no secrets at all, it is
    /// mere information: the file that it goes with may define them.
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

/// Whether the file may be a part of a project only: by its name Compose does not read it by itself, and it defines no
/// secret. The file that it goes with may.
fn is_fragment(context: &Context<'_>) -> bool {
    let name = file_name(context.path);
    let read_by_itself = FILE_NAMES.iter().chain(&OVERRIDE_NAMES).any(|known| *known == name);
    // Standard input has no name.
    let is_named = name.ends_with(".yaml") || name.ends_with(".yml");
    context.project.secrets.is_empty() && is_named && !read_by_itself
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
    if is_fragment(context) {
        finding.severity = Severity::Info;
    }
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
