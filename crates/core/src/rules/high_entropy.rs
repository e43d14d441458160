use super::context::slot;
use super::rule::rule;
use super::{Confidence, Context, Finding, Findings};
use crate::detect::{Literal, is_harmless_name, is_secret_name, literal, tokens};

rule! {
    /// # high-entropy
    ///
    /// A value looks random, though its name says nothing of a secret. For auditors, who sort out by hand.
    ///
    /// ## Why is this bad
    ///
    /// Most such values are ids, digests and hashes; some are keys under an innocent name.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   app:
    ///     image: app
    ///     environment:
    ///       SOMETHING: q8Wk2mZ0pLr7Xc4Vt9Bn3Hd6
    /// ```
    ///
    /// Use instead a secret, if it is one:
    ///
    /// ```yaml good
    /// services:
    ///   app:
    ///     image: app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    ///     environment:
    ///       SOMETHING_ID: 0f8fad5b-d9cb-469f-a165-70867728950e
    ///       CLASS_PATH: org.example.SomeVeryLongClassNameFactory2
    /// ```
    HIGH_ENTROPY = "high-entropy", "a value looks random", Info, Auditor, needs Text, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    context.scalars(|path, value| {
        let Some(text) = value.to_text() else { return };
        let last = path.rsplit('.').next().unwrap_or_default();
        let (name, start) = slot(path, &text.raw);
        let candidate = &text.raw[start..];
        if is_harmless_name(name)
            || is_secret_name(name)
            || matches!(last, "image" | "context")
            || literal(candidate) != Literal::Secret
            || !tokens(candidate).is_empty()
            || !looks_random(candidate)
        {
            return;
        }
        let span = context.sources.within(text.span, &text.raw, start..text.raw.len());
        findings.push(
            Finding::new(
                &HIGH_ENTROPY,
                span,
                path,
                "a value looks random; it may be a key under another name",
            )
            .confidence(Confidence::Low)
            .label("looks random")
            .help("if it is a secret, grant it as one"),
        );
    });
}

/// One word of at least 20 characters, letters and digits mixed, 3.5 bits a character; no UUID and no digest.
fn looks_random(value: &str) -> bool {
    let of_one_piece = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte));
    let (letters, digits) = (
        value.bytes().filter(u8::is_ascii_alphabetic).count(),
        value.bytes().filter(u8::is_ascii_digit).count(),
    );
    let is_uuid = value.len() == 36 && value.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    // A hash in hexadecimal is as likely a checksum; 32, 40 and 64 digits are the usual ones.
    let is_digest =
        value.bytes().all(|byte| byte.is_ascii_hexdigit()) && matches!(value.len(), 32 | 40 | 64 | 128);
    value.len() >= 20
        && of_one_piece
        && letters > 2
        && digits > 2
        && !is_uuid
        && !is_digest
        && entropy(value) >= 3.5
}

/// Shannon's, in bits a character.
fn entropy(value: &str) -> f64 {
    let mut counts = [0_u32; 256];
    value.bytes().for_each(|byte| counts[byte as usize] += 1);
    let length = value.len() as f64;
    let share = |count: &u32| f64::from(*count) / length;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}
