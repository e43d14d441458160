use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::files::{Answer, Ending};

rule! {
    /// # secret-trailing-newline
    ///
    /// The file behind a secret ends with a line break.
    ///
    /// ## Why is this bad
    ///
    /// `echo password > file` writes one, and many programs take it as a part of the password: the login
    /// fails, and nothing shows why. A carriage return, from Windows, is worse: hardly any program drops it.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore, ends with a newline
    /// ```
    ///
    /// Use instead `printf %s "$PASSWORD" > secrets/db_password`:
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    ///
    /// Keys, certificates, configurations and other large files are left alone: they are made of lines.
    SECRET_TRAILING_NEWLINE = "secret-trailing-newline", "a secret's file ends with a line break", Info, Regular, needs Files fix Unsafe, Project check
}

/// Longer is no password.
const LONGEST: u64 = 512;

/// Words in the names of files that are made of lines.
const OF_LINES: &[&str] = &[
    "key", "pem", "cert", "crt", "ca", "json", "yaml", "yml", "conf", "cnf", "ini", "toml", "env", "rsa",
    "ed25519", "htpasswd", "pgpass", "config",
];

fn check(context: &Context<'_>, findings: &mut Findings) {
    for (secret, file) in context.secret_files(&SECRET_TRAILING_NEWLINE, findings) {
        let facts = match context.files.facts(&file.value) {
            Answer::Known(facts) => facts,
            Answer::NotChecked(reason) => {
                findings.not_checked(&SECRET_TRAILING_NEWLINE, reason);
                continue;
            }
        };
        let of_lines = [&*file.value, &*secret.name].iter().any(|name| {
            let name = crate::files::file_name(name).to_ascii_lowercase();
            name.split(['.', '-', '_']).any(|word| OF_LINES.contains(&word))
        });
        // A password that is shorter than a line break and one character is empty: another rule's to report.
        if of_lines || facts.size > LONGEST {
            continue;
        }
        let what = match facts.ending {
            Ending::Plain => continue,
            Ending::Newline => "a line break",
            Ending::CarriageReturn => "a Windows line break",
        };
        let message = format!(
            "the file of the secret `{}` ends with {what}, which many programs take for a part of the password",
            secret.name
        );
        findings.push(
            Finding::new(
                &SECRET_TRAILING_NEWLINE,
                file.span,
                format!("secrets.{}.file", secret.name),
                message,
            )
            .label("ends with a line break")
            .help("write it with `printf %s`, or with an editor that adds none")
            .show(file.span),
        );
    }
}
