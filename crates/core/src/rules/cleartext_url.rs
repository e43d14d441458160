use super::rule::rule;
use super::{Confidence, Context, Finding, Findings};
use crate::compose::template::{self, Piece};

rule! {
    /// # cleartext-url
    ///
    /// A URL with credentials goes over the network without encryption: `http://` or `ftp://`.
    ///
    /// ## Why is this bad
    ///
    /// Everyone on the way reads the password, wherever it came from.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   app:
    ///     image: app
    ///     environment:
    ///       REPORTS: ftp://reports:${FTP_LOGIN}@files.example.com/in
    /// ```
    ///
    /// Use instead an encrypted scheme:
    ///
    /// ```yaml good
    /// services:
    ///   app:
    ///     image: app
    ///     environment:
    ///       REPORTS: sftp://reports:${FTP_LOGIN}@files.example.com/in
    /// ```
    ///
    /// Hosts inside of the project and on this machine are left alone.
    CLEARTEXT_URL = "cleartext-url", "credentials go over the network unencrypted", Warning, Regular, needs Text, Project check
}

const SCHEMES: [&str; 2] = ["http://", "ftp://"];

fn check(context: &Context<'_>, findings: &mut Findings) {
    context.scalars(|path, value| {
        let Some(written) = value.written() else { return };
        if !written.contains("://") || !written.contains('@') {
            return;
        }
        for scheme in SCHEMES {
            for (at, _) in written.match_indices(scheme) {
                let before = written[..at].chars().next_back();
                if before.is_some_and(|c| c.is_ascii_alphanumeric())
                    || !is_exposed(&written[at + scheme.len()..])
                {
                    continue;
                }
                let span = context.sources.within(value.span, written, at..at + scheme.len());
                let message = format!("credentials go over the network unencrypted, by {scheme}");
                findings.push(
                    Finding::new(&CLEARTEXT_URL, span, path, message)
                        .confidence(Confidence::Medium)
                        .label("not encrypted")
                        .help("use https:// or sftp://"),
                );
            }
        }
    });
}

/// Whether what stands behind the scheme has credentials, and a host that is neither a service nor this machine.
fn is_exposed(rest: &str) -> bool {
    // `/` and `:` in a variable's default end nothing.
    let Ok(pieces) = template::parse(rest) else { return false };
    let mut shadow = rest.to_owned();
    for piece in &pieces {
        if let Piece::Variable { range, .. } = piece {
            shadow.replace_range(range.clone(), &"x".repeat(range.len()));
        }
    }
    let ends = |c: char| {
        matches!(c, '/' | '?' | '#' | '"' | '\'' | '`' | ',' | ';' | '<' | '>') || c.is_whitespace()
    };
    let authority = shadow.split(ends).next().unwrap_or_default();
    let Some((credentials, host)) = authority.rsplit_once('@') else { return false };
    let host = host.split(':').next().unwrap_or_default();
    let local = host.starts_with("127.")
        || host.starts_with("10.")
        || host.starts_with("192.168.")
        || host.starts_with("172.")
        || host.ends_with(".local")
        || host.ends_with(".internal")
        || host.ends_with(".localhost")
        || !host.contains('.');
    // A host that is a variable is not known.
    let host_at = credentials.len() + 1;
    let variable_host = pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Variable { range, .. } if range.start <= host_at && host_at < range.end));
    credentials.contains(':') && !local && !variable_host
}
