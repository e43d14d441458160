use super::context::HEALTHCHECK;
use super::rule::rule;
use super::{Confidence, Context, Finding, Findings, Rule};
use crate::detect::in_command;

rule! {
    /// # secret-in-command
    ///
    /// A command line in the Compose file holds a secret: `command`, `entrypoint`, a hook (`post_start`, `pre_stop`) or
    /// what `develop.watch` runs.
    ///
    /// ## Why is this bad
    ///
    /// Beside being in the file, a command line is shown to every user of the host by `ps`, and by
    /// `docker inspect` and `docker ps`.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   cache:
    ///     image: redis:7
    ///     command: redis-server --requirepass hunter2
    /// ```
    ///
    /// Use instead a file that the program reads:
    ///
    /// ```yaml good
    /// services:
    ///   cache:
    ///     image: redis:7
    ///     command: sh -c 'exec redis-server --requirepass "$$(cat /run/secrets/redis)"'
    ///     secrets: [redis]
    /// secrets:
    ///   redis:
    ///     file: ./secrets/redis # .gitignore
    /// ```
    SECRET_IN_COMMAND = "secret-in-command", "a command line holds a secret", Error, Regular, needs Text, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    check_lines(context, &SECRET_IN_COMMAND, |key| key != HEALTHCHECK, findings);
}

/// Looks for secrets in the command lines whose key is wanted.
pub(super) fn check_lines(
    context: &Context<'_>,
    rule: &Rule,
    wanted: impl Fn(&str) -> bool,
    findings: &mut Findings,
) {
    context.command_lines(|path, key, line| {
        if !wanted(key) {
            return;
        }
        for assignment in in_command(&line.text) {
            let span = line.place(context.sources, assignment.value.clone());
            let message = if key == HEALTHCHECK {
                "a health check holds a secret in plain text; `docker inspect` shows it, its failures log it"
            } else {
                "a command line holds a secret in plain text; `ps` and `docker inspect` show it to everyone"
            };
            let mut finding = Finding::new(rule, span, path, message)
                .confidence(Confidence::High)
                .label("a literal secret")
                .help("let the program read it from a secret's file");
            let name = line.place(context.sources, assignment.name);
            if name.end <= span.start {
                finding = finding.show(name);
            }
            findings.push(finding);
        }
    });
}
