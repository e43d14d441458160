use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::files::{Answer, GitState};
use crate::gitignore;

rule! {
    /// # secret-file-not-ignored
    ///
    /// The file behind a secret lies in a git repository, and git does not ignore it.
    ///
    /// ## Why is this bad
    ///
    /// `git add .` takes the password along, and what was pushed once stays in the history of every
    /// clone. `cosec up` refuses to serve such a file.
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
    ///     file: ./db_password.txt
    /// ```
    ///
    /// Use instead a file that .gitignore covers, for example a whole directory:
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
    /// What git has already is secret-file-tracked's to report.
    SECRET_FILE_NOT_IGNORED = "secret-file-not-ignored", "git would commit a secret's file", Error, Regular, needs Git fix Safe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for secret in &context.project.secrets {
        let Some(file) = context.file_of(secret) else { continue };
        let state = match context.files.git(&file.value) {
            Answer::Known(state) => state,
            Answer::NotChecked(reason) => {
                findings.not_checked(&SECRET_FILE_NOT_IGNORED, reason);
                continue;
            }
        };
        if state != GitState::Untracked {
            continue;
        }
        let message = format!(
            "git does not ignore the file of the secret `{}`: `git add .` would commit it",
            secret.name
        );
        let finding = Finding::new(
            &SECRET_FILE_NOT_IGNORED,
            file.span,
            format!("secrets.{}.file", secret.name),
            message,
        )
        .label("not ignored by git")
        .help(gitignore::advice(&context.project.directory, &file.value, state))
        .show(file.span);
        findings.push(finding);
    }
}
