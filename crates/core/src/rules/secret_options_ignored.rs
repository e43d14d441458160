use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::compose::{External, Grant};
use crate::lint::Target;

rule! {
    /// # secret-options-ignored
    ///
    /// A grant sets `uid`, `gid` or `mode` where Compose ignores them: for a secret with a `file:`, and for build
    /// secrets.
    ///
    /// ## Why is this bad
    ///
    /// The file seems to be protected and is not: the container sees the owner and the mode that the file has on
    /// this machine.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets:
    ///       - source: db_password
    ///         uid: "999"
    ///         mode: 0400
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    ///
    /// `cosec up` honours these options. With Compose alone, use the short form and set owner and mode of the file
    /// itself:
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
    /// A project whose `deploy:` or networks are Swarm's is left alone: Swarm honours them.
    SECRET_OPTIONS_IGNORED = "secret-options-ignored", "Compose ignores a grant's uid, gid and mode", Warning, Regular, needs Text, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    let is_swarm = context.target == Target::Swarm || context.project.is_for_swarm();
    for service in &context.project.services {
        let has_file = |grant: &&Grant| {
            let secret = context.project.secret(&grant.source.value);
            secret.is_some_and(|secret| secret.file.is_some() && secret.external == External::No)
        };
        let runtime = service.secrets.iter().filter(has_file).filter(|_| !is_swarm);
        let built = service.build.iter().flat_map(|build| &build.secrets);
        for (grant, key) in
            runtime.map(|grant| (grant, "secrets")).chain(built.map(|grant| (grant, "build.secrets")))
        {
            let options = [
                ("uid", grant.uid.as_ref().map(|text| text.span)),
                ("gid", grant.gid.as_ref().map(|text| text.span)),
                ("mode", grant.mode.map(|(_, span)| span)),
            ];
            let set: Vec<_> =
                options.iter().filter_map(|(name, span)| span.map(|span| (*name, span))).collect();
            let Some((_, span)) = set.first() else { continue };
            let names: Vec<String> = set.iter().map(|(name, _)| format!("`{name}`")).collect();
            let path = format!("services.{}.{key}.{}", service.name, grant.source.value);
            let message = format!(
                "Compose ignores {} of the secret `{}`: the file is seen with the owner and mode it has on this machine",
                names.join(" and "),
                grant.source.value
            );
            findings.push(
                Finding::new(&SECRET_OPTIONS_IGNORED, *span, path, message)
                    .label("ignored")
                    .help("start the project with `cosec up`, which honours them, or remove them")
                    .show(*span),
            );
        }
    }
}
