use super::rule::rule;
use super::{Context, Finding, Findings};

rule! {
    /// # private-key
    ///
    /// A private key is written in the Compose file: a PEM, OpenSSH or age key.
    ///
    /// ## Why is this bad
    ///
    /// A key is a password that opens more than one door, and it is seldom changed.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   app:
    ///     image: app
    ///     environment:
    ///       TLS: |
    ///         -----BEGIN PRIVATE KEY-----
    ///         MC4CAQAwBQYDK2VwBCIEIA==
    ///         -----END PRIVATE KEY-----
    /// ```
    ///
    /// Use instead a secret:
    ///
    /// ```yaml good
    /// services:
    ///   app:
    ///     image: app
    ///     secrets: [tls_key]
    /// secrets:
    ///   tls_key:
    ///     file: ./secrets/tls.key # .gitignore
    /// ```
    ///
    /// Public keys and certificates are left alone.
    PRIVATE_KEY = "private-key", "a private key is written in the Compose file", Error, Regular, needs Text fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    context.scalars(|path, value| {
        let Some(written) = value.written() else { return };
        let Some(range) = private_key(written) else { return };
        let span = context.sources.within(value.span, written, range);
        findings.push(
            Finding::new(
                &PRIVATE_KEY,
                span,
                path,
                "a private key is written in the file; whoever reads the file can use it",
            )
            .label("a private key")
            .help("make a new key, keep it in a file that git ignores, and grant that as a secret"),
        );
    });
}

/// Where a private key begins in a text, to the end of its first line.
const AGE: &str = "AGE-SECRET-KEY-1";
const PUTTY: &str = "PuTTY-User-Key-File-";

fn private_key(text: &str) -> Option<std::ops::Range<usize>> {
    if !["-----BEGIN ", AGE, PUTTY].iter().any(|start| text.contains(start)) {
        return None;
    }
    let pem = text.match_indices("-----BEGIN ").find_map(|(at, begin)| {
        let rest = &text[at + begin.len()..];
        let kind = &rest[..rest.find("-----")?];
        kind.ends_with("PRIVATE KEY").then_some(at)
    });
    let start = pem.or_else(|| text.find(AGE)).or_else(|| text.find(PUTTY))?;
    let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    Some(start..end)
}
