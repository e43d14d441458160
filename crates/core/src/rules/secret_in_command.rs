use super::context::HEALTHCHECK;
use super::rule::rule;
use super::{Confidence, Context, Finding, Findings, Rule};
use crate::detect::{in_arguments, in_command, is_secret_name};

rule! {
    /// # secret-in-command
    ///
    /// A command line in the Compose file holds a secret: `command`, `entrypoint`, a hook (`post_start`, `pre_stop`),
    /// what `develop.watch` runs, or flags in a variable (`REDIS_ARGS: --requirepass …`).
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
    context.variables(|_, variable, path| {
        let name = &variable.name.value;
        let Some(value) = variable.value.as_ref().filter(|_| !is_secret_name(name)) else { return };
        for flag in in_arguments(&value.raw) {
            let message = format!(
                "{name} hands a program a secret in plain text; `ps` and `docker inspect` show it to everyone"
            );
            findings.push(
                Finding::new(
                    &SECRET_IN_COMMAND,
                    context.sources.within(value.span, &value.raw, flag.value),
                    format!("{path}.{name}"),
                    message,
                )
                .confidence(Confidence::High)
                .label("a literal secret")
                .help("let the program read it from a secret's file")
                .show(variable.name.span),
            );
        }
    });
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
