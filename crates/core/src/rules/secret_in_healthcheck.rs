use super::context::HEALTHCHECK;
use super::rule::rule;
use super::secret_in_command::check_lines;
use super::{Context, Findings};

rule! {
    /// # secret-in-healthcheck
    ///
    /// A health check's command line holds a secret.
    ///
    /// ## Why is this bad
    ///
    /// `docker inspect` prints the command, `ps` shows it each time it runs, and what it prints when it fails is
    /// kept in the container's state.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: mysql:8
    ///     healthcheck:
    ///       test: mysqladmin ping -uroot -phunter2
    /// ```
    ///
    /// Use instead a check that needs no password, or one that reads the secret's file inside the container:
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: mysql:8
    ///     healthcheck:
    ///       test: mysqladmin ping -uroot -p"$$(cat /run/secrets/db_password)"
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    SECRET_IN_HEALTHCHECK = "secret-in-healthcheck", "a health check holds a secret", Error, Regular, needs Text, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    check_lines(context, &SECRET_IN_HEALTHCHECK, |key| key == HEALTHCHECK, findings);
}
