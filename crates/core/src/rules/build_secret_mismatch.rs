use super::rule::rule;
use super::{Context, Finding, Findings, Severity};
use crate::compose::Grant;
use crate::dockerfile::{Flag, Instruction, mount_option};
use crate::files::file_name;

rule! {
    /// # build-secret-mismatch
    ///
    /// A build is granted a secret that its Dockerfile never mounts, or its Dockerfile mounts one that nobody grants.
    ///
    /// ## Why is this bad
    ///
    /// An id is a plain word in two files, and a slip of the pen in one of them goes unnoticed: a mount without its
    /// secret is empty, and the build goes on.
    ///
    /// ## Example
    ///
    /// With this Dockerfile:
    ///
    /// ```dockerfile beside
    /// FROM node:22
    /// RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN,required=true npm ci
    /// ```
    ///
    /// ```yaml bad
    /// services:
    ///   app:
    ///     build:
    ///       context: .
    ///       secrets: [npm_tokn]
    /// secrets:
    ///   npm_tokn:
    ///     environment: NPM_TOKEN
    /// ```
    ///
    /// Use instead the same word in both:
    ///
    /// ```yaml good
    /// services:
    ///   app:
    ///     build:
    ///       context: .
    ///       secrets: [npm_token]
    /// secrets:
    ///   npm_token:
    ///     environment: NPM_TOKEN
    /// ```
    BUILD_SECRET_MISMATCH = "build-secret-mismatch", "a build's secrets and its Dockerfile's mounts differ", Warning, Regular, needs Files, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for read in context.dockerfiles {
        let mounts: Vec<&Flag> =
            read.dockerfile.instructions.iter().flat_map(Instruction::secret_mounts).collect();
        // BuildKit's default id is the last part of the target.
        let id = |mount: &Flag| {
            let target = ["target", "dst", "destination"].iter().find_map(|name| mount_option(mount, name));
            mount_option(mount, "id").or(target.map(file_name)).unwrap_or_default().to_owned()
        };
        let ids: Vec<String> = mounts.iter().map(|mount| id(mount)).collect();
        if ids.iter().any(|id| id.contains('$')) {
            continue;
        }
        for service in read.services.iter().filter_map(|at| context.project.services.get(*at)) {
            let Some(build) = &service.build else { continue };
            let granted = |grant: &Grant| {
                grant
                    .target
                    .as_ref()
                    .map_or_else(|| grant.source.value.to_string(), |target| target.value.to_string())
            };
            for grant in &build.secrets {
                let name = granted(grant);
                if !ids.contains(&name) {
                    let message =
                        format!("the build is granted the secret `{name}`, which {} never mounts", read.path);
                    let path = format!("services.{}.build.secrets.{}", service.name, grant.source.value);
                    findings.push(
                        Finding::new(&BUILD_SECRET_MISMATCH, grant.source.span, path, message)
                            .label("never mounted")
                            .help(format!(
                                "mount it with RUN --mount=type=secret,id={name}, or remove the grant"
                            ))
                            .show(grant.source.span),
                    );
                }
            }
            for (mount, id) in mounts.iter().zip(&ids) {
                if build.secrets.iter().any(|grant| granted(grant) == *id) {
                    continue;
                }
                let message = format!(
                    "{} mounts the secret `{id}`, which the build of service `{}` is not granted",
                    read.path, service.name
                );
                let mut finding = Finding::new(
                    &BUILD_SECRET_MISMATCH,
                    mount.span,
                    format!("services.{}.build.secrets", service.name),
                    message,
                )
                .label("not granted")
                .help(format!("add `{id}` to `build: secrets:` of the service"))
                .related(service.name_span, "built here")
                .show(mount.span)
                .show(service.name_span);
                // A mount that is not required may be for another builder.
                if mount_option(mount, "required").is_none_or(|required| required != "true") {
                    finding.severity = Severity::Info;
                }
                findings.push(finding);
            }
        }
    }
}
