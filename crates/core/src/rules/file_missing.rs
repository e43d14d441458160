use std::collections::HashSet;

use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::compose::{Service, Text};
use crate::files::{Answer, FileKind};

rule! {
    /// # file-missing
    ///
    /// An env file, a build context or a Dockerfile that the project names is not there.
    ///
    /// ## Why is this bad
    ///
    /// `up` stops at it, and whatever secrets it holds elsewhere are not looked at here: a clean report says nothing
    /// about them.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     env_file: ./db.env # missing
    /// ```
    ///
    /// Use instead a file that is there, or say that it may be missing:
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     env_file:
    ///       - path: ./db.env # missing
    ///         required: false
    /// ```
    ///
    /// It is information only: on a fresh clone, and in CI, an env file with secrets should not be there.
    FILE_MISSING = "file-missing", "an env file, a build context or a Dockerfile is not there", Info, Regular, needs Files, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    // An anchor gives many services one entry.
    let mut seen = HashSet::new();
    for service in &context.project.services {
        for entry in service.env_files.iter().filter(|entry| entry.path.undecided.is_none()) {
            if !entry.required || context.is_empty_path(&entry.path) || !seen.insert(entry.path.span) {
                continue;
            }
            let path = &*entry.path.value;
            let what = match context.files.kind(path) {
                Answer::Known(FileKind::Missing) => "is not there",
                Answer::Known(FileKind::Directory) => "is a directory",
                Answer::Known(_) => continue,
                Answer::NotChecked(reason) => {
                    findings.not_checked(&FILE_MISSING, reason);
                    continue;
                }
            };
            let message =
                format!("the env file {path} {what}: `up` needs it, and what it sets is not looked at");
            let help = "create it, or write `required: false` beside its `path:`";
            findings.push(found(service, "env_file", &entry.path, message, help));
        }
        let Some(build) = &service.build else { continue };
        let (Some(written), Some(directory)) = (&build.context, build.local_context()) else { continue };
        if context.files.kind(directory) == Answer::Known(FileKind::Missing) {
            if seen.insert(written.span) {
                let message = format!("the build context {directory} is not there: `build` needs it");
                let help = "correct `context:`, or fetch what belongs there";
                findings.push(found(service, "build.context", written, message, help));
            }
            continue;
        }
        let Some(path) = build.dockerfile_path(directory).filter(|_| build.inline.is_none()) else {
            continue;
        };
        let written = build.dockerfile.as_ref().unwrap_or(written);
        if context.files.kind(&path) == Answer::Known(FileKind::Missing) && seen.insert(written.span) {
            let message = format!("there is no {path}: `build` needs it, and it is not looked at");
            let help = "correct `dockerfile:` or `context:`";
            findings.push(found(service, "build.dockerfile", written, message, help));
        }
    }
}

fn found(service: &Service, key: &str, written: &Text, message: String, help: &str) -> Finding {
    let path = format!("services.{}.{key}", service.name);
    Finding::new(&FILE_MISSING, written.span, path, message).label("not there").help(help).show(written.span)
}
