use super::rule::rule;
use super::{EnvFileContext, Finding, Findings};
use crate::detect::is_secret;
use crate::files::{Answer, GitState, file_name, parent};
use crate::gitignore;

rule! {
    /// # dotenv-not-ignored
    ///
    /// A file of variables holds secrets and git does not ignore it, or has it already.
    ///
    /// ## Why is this bad
    ///
    /// `git add .` takes the passwords along, and what was pushed once stays in the history of every clone.
    ///
    /// ## Example
    ///
    /// ```env bad
    /// POSTGRES_USER=app
    /// POSTGRES_PASSWORD=hunter2
    /// ```
    ///
    /// Use instead a line `/.env` in .gitignore, and commit the names without values:
    ///
    /// ```env good
    /// POSTGRES_USER=app
    /// POSTGRES_PASSWORD=
    /// ```
    ///
    /// Files that are made to be committed (`.env.example`, `.env.sample`, `.env.template`, `.env.dist`) are
    /// env-file-secret's to report.
    DOTENV_NOT_IGNORED = "dotenv-not-ignored", "git would commit a file of variables with secrets", Error, Regular, needs Git fix Safe, EnvFile check
}

fn check(context: &EnvFileContext<'_>, findings: &mut Findings) {
    if is_example(context.path) {
        return;
    }
    let mut secrets = context.assigned.iter().filter(|assigned| {
        assigned.value.as_ref().is_some_and(|value| is_secret(&assigned.name.value, &value.raw))
    });
    let Some(first) = secrets.next() else { return };
    let state = match context.files.git(context.path) {
        Answer::Known(state @ (GitState::Tracked | GitState::Untracked)) => state,
        Answer::Known(_) => return,
        Answer::NotChecked(reason) => return findings.not_checked(&DOTENV_NOT_IGNORED, reason),
    };
    let count = 1 + secrets.count();
    let values = if count == 1 { "a secret" } else { "secrets" };
    let name = file_name(context.path);
    let (message, label) = match state {
        GitState::Tracked => {
            (format!("git tracks {name}, which holds {values}"), "in a file that git tracks")
        }
        _ => (
            format!("git does not ignore {name}, which holds {values}: `git add .` would commit it"),
            "in a file that git does not ignore",
        ),
    };
    let finding = Finding::new(&DOTENV_NOT_IGNORED, first.name.span, name, message)
        .label(label)
        .help(gitignore::advice(parent(context.path), context.path, state))
        .show(first.name.span);
    findings.push(finding);
}

/// Whether a file's name says that it is made to be committed.
pub(super) fn is_example(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    let words =
        ["example", "examples", "sample", "template", "tmpl", "dist", "default", "defaults", "test", "ci"];
    name.split(['.', '-', '_']).any(|word| words.contains(&word))
}
