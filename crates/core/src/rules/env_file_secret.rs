use super::dotenv_not_ignored::is_example;
use super::rule::rule;
use super::{Confidence, EnvFileContext, Finding, Findings, Severity};
use crate::compose::template::{self, Piece};
use crate::detect::{
    Literal, asks_for_change, assignments, in_arguments, is_compound_name, is_handed_out, is_secret,
    is_secret_name, literal, looks_random, pair_password, tokens, url_passwords,
};
use crate::files::file_name;

rule! {
    /// # env-file-secret
    ///
    /// A file of variables, `.env` or its like, holds a secret.
    ///
    /// ## Why is this bad
    ///
    /// Such files are copied, committed as examples that work, and read into the environment, where
    /// `docker inspect` shows them. A file that git ignores is not looked at when a directory is linted.
    ///
    /// ## Example
    ///
    /// ```env bad
    /// POSTGRES_USER=app
    /// POSTGRES_PASSWORD=hunter2
    /// ```
    ///
    /// Use instead an empty value in what is committed, and a secret in what is not:
    ///
    /// ```env good
    /// POSTGRES_USER=app
    /// POSTGRES_PASSWORD=
    /// POSTGRES_PASSWORD_FILE=/run/secrets/db_password
    /// ```
    ///
    /// In a file that is made to be committed (`.env.example` and its like) a value that looks real is an error, and
    /// one that says what to write there (`your_api_key_here`, `sk-...`) is nothing. `DB_PASSWORD=changeme` is a warning
    /// there, too: who copies the file and forgets it has a password that everybody knows. With an empty value nothing
    /// starts until there is one.
    ENV_FILE_SECRET = "env-file-secret", "an env file holds a secret", Warning, Regular, needs Text fix Unsafe, EnvFile check
}

fn check(context: &EnvFileContext<'_>, findings: &mut Findings) {
    let is_example = is_example(context.path);
    let is_template = is_template(context.path);
    for assigned in context.assigned {
        let name = &assigned.name.value;
        let Some(value) = &assigned.value else { continue };
        let inner = url_passwords(&value.raw)
            .into_iter()
            .chain(assignments(&value.raw, false).into_iter().map(|assignment| assignment.value))
            .chain(pair_password(name, &value.raw))
            .chain(in_arguments(&value.raw).into_iter().map(|assignment| assignment.value))
            .chain(tokens(&value.raw).into_iter().map(|token| token.range));
        let inner = inner.filter(|range| !(is_template && is_fill_in(name, &value.raw[range.clone()])));
        let mut found = |span, label: &str| {
            let (message, help) = if is_template {
                (
                    format!(
                        "the value of {name} works as it stands: who copies this file has what everybody knows"
                    ),
                    "leave the value empty here, so that nothing starts without one",
                )
            } else {
                (
                    format!(
                        "the value of {name} is written in a file of variables; keep the file out of git"
                    ),
                    "leave the value empty in what is committed; better, use a secret's file",
                )
            };
            findings.push(
                Finding::new(&ENV_FILE_SECRET, span, name.to_string(), message)
                    .label(label)
                    .help(help)
                    .show(assigned.name.span),
            );
        };
        if is_example && is_secret_name(name) && is_real(&value.raw) {
            let message = format!(
                "the value of {name} looks real, and this file's name says that it is made to be committed"
            );
            let mut finding = Finding::new(&ENV_FILE_SECRET, value.span, name.to_string(), message)
                .label("looks like a real secret")
                .help("change the secret, and leave the value empty here")
                .show(assigned.name.span);
            finding.severity = Severity::Error;
            findings.push(finding);
            continue;
        }
        if is_secret(name, &value.raw) {
            if !is_template || !is_fill_in(name, &value.raw) {
                found(value.span, "a literal secret");
            }
            continue;
        }
        let mut any = false;
        for range in inner {
            any = true;
            found(context.sources.within(value.span, &value.raw, range), "a password inside the value");
        }
        let named =
            (is_secret_name(name) || is_compound_name(name)) && literal(&value.raw) == Literal::FromOutside;
        if !any && (named || takes_a_secret(&value.raw)) {
            let message = format!("{name} takes a secret from another variable");
            let mut finding = Finding::new(&ENV_FILE_SECRET, value.span, name.to_string(), message)
                .confidence(Confidence::Medium)
                .label("from another variable")
                .help("where the program reads a file, use a secret instead")
                .show(assigned.name.span);
            finding.severity = Severity::Info;
            findings.push(finding);
        }
    }
}

/// Whether a value looks like one that is in use, not like one that tells the reader what to write.
fn is_real(raw: &str) -> bool {
    let lower = raw.to_ascii_lowercase();
    let filler = [
        "your", "example", "change", "here", "replace", "xxx", "0000", "1234", "abcd", "sample", "dummy",
        "some", "test",
    ];
    !filler.iter().any(|word| lower.contains(word)) && (!tokens(raw).is_empty() || looks_random(raw))
}

/// Whether a file's name says that it is there to be copied and filled in.
fn is_template(path: &str) -> bool {
    let words = ["example", "examples", "sample", "template", "tmpl", "dist"];
    file_name(path).to_ascii_lowercase().split(['.', '-', '_']).any(|word| words.contains(&word))
}

/// Whether a value tells the reader what to write in its place: `your_api_key_here`, `insert-token-here`, `sk-...`,
/// `ghp_xxxx`, `todo`, `PASSWORD`, `<token>`. One that asks to be changed works as it stands, unless somebody else hands
/// the secret out.
fn is_fill_in(name: &str, raw: &str) -> bool {
    if asks_for_change(raw) {
        return is_handed_out(name);
    }
    let lower = raw.to_ascii_lowercase();
    let tells = |word: &str| {
        let words = [
            "your",
            "yours",
            "here",
            "insert",
            "todo",
            "tbd",
            "placeholder",
            "example",
            "dummy",
            "sample",
            "redacted",
        ];
        let starts = ["xxx", "your"];
        words.contains(&word) || starts.iter().any(|start| word.starts_with(start))
    };
    let words = || lower.split(|c: char| !c.is_ascii_alphanumeric());
    let is_name = raw.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') && is_secret_name(raw);
    let is_wrapped = raw.find('<').is_some_and(|at| raw[at..].contains('>'));
    let holds_token = || !tokens(raw).is_empty() || words().any(looks_random);
    (is_name || is_wrapped || raw.contains("...") || raw.contains('…') || words().any(tells))
        && !holds_token()
        && url_passwords(raw).is_empty()
}

/// Whether a value is made with a variable that is named like a secret.
fn takes_a_secret(raw: &str) -> bool {
    template::parse(raw).is_ok_and(|pieces| {
        pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Variable { name, .. } if is_secret_name(&raw[name.clone()])))
    })
}
