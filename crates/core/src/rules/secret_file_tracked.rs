use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::files::{Answer, GitState, join};
use crate::gitignore::{self, shell_word};

rule! {
    /// # secret-file-tracked
    ///
    /// The file behind a secret is in the git repository, or was in it once.
    ///
    /// ## Why is this bad
    ///
    /// Every clone has the password, and keeps it when the file is removed: git's history forgets nothing.
    /// Only a new password helps.
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
    ///     file: ./db_password.txt # tracked
    /// ```
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore, in history
    /// ```
    ///
    /// Use instead a file that git has never seen:
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password_2 # .gitignore
    /// ```
    ///
    /// Change the password first, then `git rm --cached FILE`. Once it is changed, a finding about the history
    /// can be ignored by a comment that says so.
    SECRET_FILE_TRACKED = "secret-file-tracked", "a secret's file is, or was, in git", Error, Regular, needs Git, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for secret in &context.project.secrets {
        let Some(file) = context.file_of(secret) else { continue };
        let name = &secret.name;
        let at = |message: String, label: &str, help: String| {
            Finding::new(&SECRET_FILE_TRACKED, file.span, format!("secrets.{name}.file"), message)
                .label(label)
                .help(help)
                .show(file.span)
        };
        let known = match context.files.git(&file.value) {
            Answer::Known(GitState::NoRepository) => continue,
            Answer::Known(GitState::Tracked) => {
                let help = gitignore::advice(&context.project.directory, &file.value, GitState::Tracked);
                let message = format!("git tracks the file of the secret `{name}`: it is in the repository");
                findings.push(at(message, "tracked by git", help));
                continue;
            }
            Answer::Known(_) => context.files.in_history(&file.value),
            Answer::NotChecked(reason) => Answer::NotChecked(reason),
        };
        match known {
            Answer::Known(false) => {}
            Answer::Known(true) => {
                let path = join("", &file.value);
                let message =
                    format!("the file of the secret `{name}` is in git's history: every clone has it");
                let help =
                    format!("change the secret; `git log --all -- {}` shows where it was", shell_word(&path));
                findings.push(at(message, "in git's history", help));
            }
            Answer::NotChecked(reason) => findings.not_checked(&SECRET_FILE_TRACKED, reason),
        }
    }
}
