use super::docker_arg_secret::check_assignments;
use super::rule::rule;
use super::{DockerfileContext, Findings};

rule! {
    /// # docker-env-secret
    ///
    /// A Dockerfile sets a secret as a variable of the image.
    ///
    /// ## Why is this bad
    ///
    /// `ENV` is a part of the image: `docker inspect` prints it to everyone who can pull, and every container and
    /// every process in it inherits it.
    ///
    /// ## Example
    ///
    /// ```dockerfile bad
    /// FROM postgres:17
    /// ENV POSTGRES_PASSWORD hunter2
    /// ```
    ///
    /// Use instead a file that the container gets when it starts:
    ///
    /// ```dockerfile good
    /// FROM postgres:17
    /// ENV POSTGRES_PASSWORD_FILE=/run/secrets/db_password
    /// ```
    ///
    /// A value that comes from a build argument is a warning: it ends in the image all the same.
    DOCKER_ENV_SECRET = "docker-env-secret", "a Dockerfile sets a secret in the environment", Error, Regular, needs Text fix Unsafe, Dockerfile check
}

fn check(context: &DockerfileContext<'_>, findings: &mut Findings) {
    check_assignments(context, "ENV", &DOCKER_ENV_SECRET, findings);
}
