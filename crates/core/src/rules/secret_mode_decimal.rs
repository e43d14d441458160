use super::rule::rule;
use super::{Context, Finding, Findings};

rule! {
    /// # secret-mode-decimal
    ///
    /// A secret's `mode:` is written without a leading zero, so that it is a decimal number.
    ///
    /// ## Why is this bad
    ///
    /// `mode: 400` is 0620: the group may write and nobody else may read, the owner included where it is
    /// not root. Compose and Swarm both take it so.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets:
    ///       - source: db_password
    ///         mode: 400
    /// secrets:
    ///   db_password:
    ///     environment: DB_PASSWORD
    /// ```
    ///
    /// Use instead an octal number:
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets:
    ///       - source: db_password
    ///         mode: 0400
    /// secrets:
    ///   db_password:
    ///     environment: DB_PASSWORD
    /// ```
    SECRET_MODE_DECIMAL = "secret-mode-decimal", "a secret's mode is a decimal number", Error, Regular, needs Text fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for service in &context.project.services {
        for (grant, key) in service
            .secrets
            .iter()
            .map(|grant| (grant, "secrets"))
            .chain(service.configs.iter().map(|grant| (grant, "configs")))
        {
            let Some((bits, span)) = grant.mode else { continue };
            let written = context.sources.slice(span);
            // Only what is meant as octal: digits that an octal number has, and no leading zero.
            let looks_octal = written.len() == 3 && written.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
            if !looks_octal {
                continue;
            }
            let path = format!("services.{}.{key}.{}.mode", service.name, grant.source.value);
            let message = format!("`mode: {written}` is a decimal number and means 0{bits:o}");
            findings.push(
                Finding::new(&SECRET_MODE_DECIMAL, span, path, message)
                    .label("decimal")
                    .help(format!("write 0{written}"))
                    .show(span),
            );
        }
    }
}
