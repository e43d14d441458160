use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::compose::{Service, Text};
use crate::files::join;
use crate::lint::Target;

rule! {
    /// # env-secret-hazard
    ///
    /// A secret with `environment:` is granted to a service that cannot receive it: one with a read-only root, or
    /// with a tmpfs over the place.
    ///
    /// ## Why is this bad
    ///
    /// Compose copies such a secret into the container's layer before the start. Into a read-only container it
    /// cannot, and `up` fails; a tmpfs on /run hides the copy, and the service finds no file. Where it works, the
    /// value stays on the disk in plain text and goes along with `docker commit` and `docker export`.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     read_only: true
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     environment: DB_PASSWORD
    /// ```
    ///
    /// Use instead a file, or `cosec up`, which serves both kinds alike:
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     read_only: true
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    ENV_SECRET_HAZARD = "env-secret-hazard", "a secret from the environment cannot reach its service", Warning, Regular, needs Text, Project check
}

/// What keeps a secret that comes from a variable, which Compose copies into the container, from arriving there.
pub(crate) enum Hindrance<'p> {
    /// Nothing can be copied into it.
    ReadOnly,
    /// A file system is put over the copy.
    Hidden(&'p Text),
}

/// What keeps such a secret from arriving at a target of a service.
pub(crate) fn hindrance<'p>(service: &'p Service, target: &str) -> Option<Hindrance<'p>> {
    if service.read_only {
        return Some(Hindrance::ReadOnly);
    }
    let target = join("/run/secrets", target);
    let hides = |directory: &&Text| {
        let directory = join("/", directory.value.split(':').next().unwrap_or_default());
        target.strip_prefix(&directory).is_some_and(|rest| rest.starts_with('/'))
    };
    service.tmpfs.iter().find(hides).map(Hindrance::Hidden)
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    if context.target == Target::Swarm {
        return;
    }
    for service in &context.project.services {
        for grant in &service.secrets {
            let name = &grant.source.value;
            let Some(secret) = context.project.secret(name).filter(|secret| secret.environment.is_some())
            else {
                continue;
            };
            let target = grant.target.as_ref().map_or(&**name, |target| &*target.value);
            let (message, related) = match hindrance(service, target) {
                Some(Hindrance::ReadOnly) => (
                    format!(
                        "Compose cannot copy the secret `{name}`, which comes from a variable, into the read-only service `{}`: `up` fails",
                        service.name
                    ),
                    None,
                ),
                Some(Hindrance::Hidden(tmpfs)) => (
                    format!(
                        "the secret `{name}`, which comes from a variable, is hidden by a tmpfs of the service `{}`: it finds no file",
                        service.name
                    ),
                    Some(tmpfs.span),
                ),
                None => continue,
            };
            let path = format!("services.{}.secrets.{name}", service.name);
            let mut finding = Finding::new(&ENV_SECRET_HAZARD, grant.source.span, path, message)
                .label("will not arrive")
                .help("give the secret a `file:`, or start the project with `cosec up`")
                .related(secret.name_span, "from a variable")
                .show(grant.source.span)
                .show(secret.name_span);
            if let Some(span) = related {
                finding = finding.related(span, "the tmpfs").show(span);
            }
            findings.push(finding);
        }
    }
}
