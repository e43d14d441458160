use super::rule::rule;
use super::{Context, Finding, Findings, Severity};
use crate::files::{Answer, FileKind};

rule! {
    /// # secret-file-missing
    ///
    /// The file behind a secret is empty, is a directory, or is not there.
    ///
    /// ## Why is this bad
    ///
    /// Compose does not look before it starts: an empty file is an empty password, a directory is mounted as
    /// one, and a missing file stops `up` halfway.
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
    ///     file: ./secrets/db_password # .gitignore, empty
    /// ```
    ///
    /// Use instead a file with the value in it:
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
    /// A file that is not there is information only: on a fresh clone, and in CI, it should not be.
    SECRET_FILE_MISSING = "secret-file-missing", "a secret's file is empty, a directory or not there", Error, Regular, needs Files, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for secret in &context.project.secrets {
        // What a variable says is not known here.
        let Some(file) = secret.file.as_ref().filter(|file| file.undecided.is_none()) else { continue };
        let kind = match context.files.kind(&file.value) {
            Answer::Known(kind) => kind,
            Answer::NotChecked(reason) => {
                findings.not_checked(&SECRET_FILE_MISSING, reason);
                continue;
            }
        };
        let name = &secret.name;
        let (severity, label, message) = match kind {
            _ if context.is_empty_path(file) => {
                (Severity::Error, "empty", format!("the secret `{name}` has an empty path for its file"))
            }
            FileKind::Missing => (
                Severity::Info,
                "not there",
                format!("the file of the secret `{name}` is not there: `up` needs it"),
            ),
            FileKind::Directory => (
                Severity::Error,
                "a directory",
                format!(
                    "the file of the secret `{name}` is a directory; Compose would mount all that is in it"
                ),
            ),
            FileKind::File if is_empty(context, &file.value, findings) => (
                Severity::Error,
                "empty",
                format!("the file of the secret `{name}` is empty: so is the password"),
            ),
            FileKind::File | FileKind::Other => continue,
        };
        let mut finding =
            Finding::new(&SECRET_FILE_MISSING, file.span, format!("secrets.{name}.file"), message)
                .label(label)
                .help("write the value into the file, without a line break at its end")
                .show(file.span);
        finding.severity = severity;
        findings.push(finding);
    }
}

fn is_empty(context: &Context<'_>, path: &str, findings: &mut Findings) -> bool {
    match context.files.facts(path) {
        Answer::Known(facts) => facts.size == 0,
        Answer::NotChecked(reason) => {
            findings.not_checked(&SECRET_FILE_MISSING, reason);
            false
        }
    }
}
