use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::detect::{assignments, is_secret};
use crate::source::Span;

rule! {
    /// # secret-in-build-arg
    ///
    /// A build argument's value in the Compose file is a secret.
    ///
    /// ## Why is this bad
    ///
    /// It is in the file, and `docker history` shows it in the finished image, to everyone who can pull it.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   app:
    ///     build:
    ///       context: .
    ///       args:
    ///         NPM_TOKEN: hunter2
    /// ```
    ///
    /// Use instead a build secret, and `RUN --mount=type=secret,id=npm_token` in the Dockerfile:
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
    SECRET_IN_BUILD_ARG = "secret-in-build-arg", "a build argument holds a secret", Error, Regular, needs Text fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for service in &context.project.services {
        for argument in service.build.iter().flat_map(|build| &build.args) {
            let name = &argument.name.value;
            let Some(value) = &argument.value else { continue };
            let inside = || assignments(&value.raw, false).into_iter().next();
            let span = if is_secret(name, &value.raw) {
                value.span
            } else if let Some(inside) = value.raw.contains('\n').then(inside).flatten() {
                context.sources.within(value.span, &value.raw, inside.value)
            } else {
                continue;
            };
            let message = format!(
                "the value of the build argument {name} is written in the file, and stays in the image's history"
            );
            // `NAME=` of a list's line is one piece.
            let listed = value.span.start == argument.name.span.end + 1;
            let shown_end = if listed { value.span.start } else { argument.name.span.end };
            let path = format!("services.{}.build.args.{name}", service.name);
            findings.push(
                Finding::new(&SECRET_IN_BUILD_ARG, span, path, message)
                    .label("a literal secret")
                    .help("grant a secret under `build: secrets:` and mount it with RUN --mount=type=secret")
                    .show(Span { end: shown_end, ..argument.name.span }),
            );
        }
    }
}
