use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::files::{Answer, GitState};
use crate::gitignore;

rule! {
    /// # secret-file-not-ignored
    ///
    /// The file behind a secret is in a git repository and git does not ignore it, or has it already.
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
    /// If git already has the file, `git rm --cached FILE` takes it out of the next commit, not out of
    /// the history: change the password as well.
    SECRET_FILE_NOT_IGNORED = "secret-file-not-ignored", "git would commit a secret's file", Error, Regular, needs Git, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for secret in &context.project.secrets {
        let Some(file) = &secret.file else { continue };
        let state = match context.files.git(&file.value) {
            Answer::Known(state) => state,
            Answer::NotChecked(reason) => {
                findings.not_checked(&SECRET_FILE_NOT_IGNORED, reason);
                continue;
            }
        };
        let advice = gitignore::advice(&context.project.directory, &file.value, state);
        let (message, label) = match state {
            GitState::Ignored | GitState::NoRepository => continue,
            GitState::Tracked => (
                format!("git tracks the file of the secret `{}`: it is in the repository", secret.name),
                "tracked by git",
            ),
            GitState::Untracked => (
                format!(
                    "git does not ignore the file of the secret `{}`: `git add .` would commit it",
                    secret.name
                ),
                "not ignored by git",
            ),
        };
        let finding = Finding::new(
            &SECRET_FILE_NOT_IGNORED,
            file.span,
            format!("secrets.{}.file", secret.name),
            message,
        )
        .label(label)
        .help(advice)
        .show(file.span);
        findings.push(finding);
    }
}
