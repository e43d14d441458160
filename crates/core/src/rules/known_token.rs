use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::detect::{is_secret, tokens};
use crate::source::Span;

rule! {
    /// # known-token
    ///
    /// A value has the form of a provider's token, whatever its name: GitHub, Stripe, AWS, a JSON Web Token
    /// and many more.
    ///
    /// ## Why is this bad
    ///
    /// Such tokens are searched for by machines within minutes of a push, and they open accounts that cost
    /// money.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   app:
    ///     image: app
    ///     environment:
    ///       PAYMENTS: rk_test_q8Wk2mZ0pLr7Xc4Vt9Bn3Hd6
    /// ```
    ///
    /// Use instead a secret, and revoke the token at its provider:
    ///
    /// ```yaml good
    /// services:
    ///   app:
    ///     image: app
    ///     secrets: [payments]
    /// secrets:
    ///   payments:
    ///     file: ./secrets/payments # .gitignore
    /// ```
    ///
    /// Where the format has a checksum it must be right; the examples of documentations are left alone.
    KNOWN_TOKEN = "known-token", "a provider's token is written in the Compose file", Error, Regular, needs Text fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    // What is named like a secret is reported by its name.
    let mut named: Vec<Span> = Vec::new();
    for service in &context.project.services {
        let built = service.build.iter().flat_map(|build| &build.args);
        for variable in service.environment.iter().chain(built) {
            if let Some(value) = &variable.value
                && is_secret(&variable.name.value, &value.raw)
            {
                named.push(value.span);
            }
        }
    }
    context.scalars(|path, value| {
        let Some(written) = value.written() else { return };
        for token in tokens(written) {
            let span = context.sources.within(value.span, written, token.range);
            if named.iter().any(|named| named.contains(span)) {
                continue;
            }
            let message = format!("a token of {} is written in the file; whoever reads the file can use it", token.provider);
            findings.push(
                Finding::new(&KNOWN_TOKEN, span, path, message)
                    .label("a token")
                    .help("revoke it at its provider, keep the new one in a file that git ignores, and grant that as a secret"),
            );
        }
    });
}
