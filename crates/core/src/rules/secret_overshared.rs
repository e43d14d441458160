use super::rule::rule;
use super::{Context, Finding, Findings};

rule! {
    /// # secret-overshared
    ///
    /// One secret is granted to many services.
    ///
    /// ## Why is this bad
    ///
    /// The weakest of them gives it away, and a change must reach all of them at once. Most often each service
    /// could have an account of its own.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   a: {image: a, secrets: [db_password]}
    ///   b: {image: b, secrets: [db_password]}
    ///   c: {image: c, secrets: [db_password]}
    ///   d: {image: d, secrets: [db_password]}
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    ///
    /// Use instead a secret for each account:
    ///
    /// ```yaml good
    /// services:
    ///   a: {image: a, secrets: [db_password_a]}
    ///   b: {image: b, secrets: [db_password_b]}
    /// secrets:
    ///   db_password_a:
    ///     file: ./secrets/db_password_a # .gitignore
    ///   db_password_b:
    ///     file: ./secrets/db_password_b # .gitignore
    /// ```
    SECRET_OVERSHARED = "secret-overshared", "one secret is granted to many services", Info, Pedantic, needs Text, Project check
}

/// A database, the service that uses it and one that maintains it are what a secret is for.
const MANY: usize = 4;

fn check(context: &Context<'_>, findings: &mut Findings) {
    for secret in &context.project.secrets {
        let users = context.users_of(&secret.name).count();
        if users >= MANY {
            findings.push(
                Finding::new(
                    &SECRET_OVERSHARED,
                    secret.name_span,
                    format!("secrets.{}", secret.name),
                    format!(
                        "the secret `{}` is granted to {users} services; the weakest gives it away",
                        secret.name
                    ),
                )
                .label("granted to many")
                .help("give each service an account and a secret of its own")
                .show(secret.name_span),
            );
        }
    }
}
