use super::rule::rule;
use super::{DockerfileContext, Finding, Findings};
use crate::dockerfile::mount_option;

rule! {
    /// # docker-mount-unrequired
    ///
    /// A secret is mounted without `required=true`.
    ///
    /// ## Why is this bad
    ///
    /// The default is `false`: where the secret was forgotten, the command runs without it. The build fails later and
    /// elsewhere, or makes an image that lacks something.
    ///
    /// ## Example
    ///
    /// ```dockerfile bad
    /// FROM node:22
    /// RUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci
    /// ```
    ///
    /// Use instead:
    ///
    /// ```dockerfile good
    /// FROM node:22
    /// RUN --mount=type=secret,id=npmrc,target=/root/.npmrc,required=true npm ci
    /// ```
    DOCKER_MOUNT_UNREQUIRED = "docker-mount-unrequired", "a mounted secret is not required", Info, Regular, needs Text fix Unsafe, Dockerfile check
}

fn check(context: &DockerfileContext<'_>, findings: &mut Findings) {
    for instruction in &context.read.dockerfile.instructions {
        for mount in instruction.secret_mounts().filter(|mount| mount_option(mount, "required").is_none()) {
            let id = mount_option(mount, "id").unwrap_or("secret");
            let message = format!(
                "the secret `{id}` is not required: where it was forgotten, the build goes on without it"
            );
            findings.push(
                Finding::new(&DOCKER_MOUNT_UNREQUIRED, mount.span, format!("RUN {id}"), message)
                    .label("not required")
                    .help("add required=true")
                    .show(instruction.keyword_span)
                    .show(mount.span),
            );
        }
    }
}
