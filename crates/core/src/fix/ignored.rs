//! Lines for .gitignore and .dockerignore.

use super::secrets::is_behind_link;
use super::{Changes, Fix, FixPlan, refuse};
use crate::dockerignore;
use crate::files::{Answer, FileSystem, GitState, inside, join, parent};
use crate::gitignore::{IgnoreFiles, advice, covering};
use crate::rules::{Finding, FixKind, dockerignore_of};

use super::Project;

pub(super) const RULES: [&str; 3] =
    ["secret-file-not-ignored", "dotenv-not-ignored", "secret-file-in-context"];

pub(super) fn plan(
    project: &Project<'_>,
    findings: &[&Finding],
    plan: &mut FixPlan,
    changes: &mut Changes<'_>,
) {
    let outcome = project.outcome();
    for finding in findings.iter().filter(|finding| RULES.contains(&finding.rule)) {
        let done = match finding.rule {
            "dotenv-not-ignored" => {
                let file = join("", outcome.sources.file(finding.span.file).path());
                let state = project.files.git(&file);
                if state == Answer::Known(GitState::Tracked) {
                    let reason = format!(
                        "git has it already, whatever .gitignore says; {}",
                        advice(project.directory, &file, GitState::Tracked)
                    );
                    plan.refused.push(refuse(outcome, finding, reason));
                    continue;
                }
                Some(ignore(project, &file, changes))
            }
            "secret-file-not-ignored" => {
                secret_file(project, finding).map(|file| ignore(project, &file, changes))
            }
            _ => secret_file(project, finding).and_then(|file| keep_out(project, &file, changes).map(Ok)),
        };
        match done {
            Some(Ok(title)) => plan.fixes.push(Fix::new(outcome, finding, FixKind::Safe, title)),
            Some(Err(reason)) => plan.refused.push(refuse(outcome, finding, reason)),
            None => plan.refused.push(refuse(
                outcome,
                finding,
                "the file that it is about is not known here; add the line by hand",
            )),
        }
    }
}

/// The file of the secret that a finding is about: `secrets.NAME…`
pub(super) fn secret_file(project: &Project<'_>, finding: &Finding) -> Option<String> {
    let name = finding.path.strip_prefix("secrets.")?;
    let secret = project.model()?.secrets.iter().find(|secret| {
        name.strip_prefix(&*secret.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })?;
    Some(join("", &secret.file.as_ref()?.value))
}

/// Adds a line for a file to .gitignore. Where a link leads to where it really lies, no line for it keeps git from that.
fn ignore(project: &Project<'_>, file: &str, changes: &mut Changes<'_>) -> Result<String, String> {
    let is_linked = match inside(project.directory, file) {
        Some(inside) => is_behind_link(project, &inside),
        None => project.files.real_path(file).is_some(),
    };
    if is_linked {
        return Err(format!(
            "{file} is a link to another place, or lies behind one; git would take what it points to, so add the line for that by hand"
        ));
    }
    let line = covering(project.directory, file);
    let title = format!("add {} to {}", line.line, line.gitignore);
    changes.append(line.gitignore, line.line);
    Ok(title)
}

/// Adds a file to the .dockerignore of the build contexts that it lies in.
pub(super) fn keep_out(project: &Project<'_>, file: &str, changes: &mut Changes<'_>) -> Option<String> {
    let mut title = None;
    for (at, service) in project.model().iter().flat_map(|model| &model.services).enumerate() {
        let Some(context) = service.build.as_ref().and_then(|build| build.context.as_ref()) else { continue };
        let Some(inside) = inside(&context.value, file) else { continue };
        let read = project.linted.dockerfiles.iter().find(|read| read.services.contains(&at));
        let path = read.map_or_else(
            || join(&context.value, ".dockerignore"),
            |read| dockerignore_of(project.files, read),
        );
        let known = project.files.read(&path).unwrap_or_default();
        let is_kept_out = dockerignore::is_ignored(&known, &inside);
        let line = if parent(&inside) == "secrets" { "secrets".to_owned() } else { inside };
        if !is_kept_out {
            title = Some(format!("add {line} to {path}"));
            changes.append(path, line);
        }
    }
    title
}

/// Keeps git from a file that is going to be made, now or once there is a repository: from all that lies beside it, or
/// from it alone where git has some of that.
pub(super) fn keep_from_git(project: &Project<'_>, file: &str, changes: &mut Changes<'_>) {
    let gitignore = join(project.directory, ".gitignore");
    let is_covered = match project.files.git(file) {
        Answer::Known(GitState::Ignored) => true,
        // Where git takes the file all the same, a later line takes that one back.
        Answer::Known(GitState::Untracked | GitState::Tracked) => false,
        Answer::Known(GitState::NoRepository) | Answer::NotChecked(_) => {
            let mut here = IgnoreFiles::default();
            here.insert("", &project.files.read(&gitignore).unwrap_or_default());
            here.covers("secrets/x")
        }
    };
    if is_covered {
        return;
    }
    if has_tracked(project.files, parent(file), &mut { MOST_BESIDE }) {
        changes.append(gitignore, covering(project.directory, file).line);
    } else {
        changes.append(gitignore, "/secrets/".to_owned());
    }
}

/// As many files are asked about, beside one that is made.
const MOST_BESIDE: usize = 500;

/// Whether git has a file of a directory: a line for all of it would hide what people add beside that one. Where there
/// are too many to know, it is taken to have one.
fn has_tracked(files: &dyn FileSystem, directory: &str, left: &mut usize) -> bool {
    let Answer::Known(names) = files.list(directory) else { return false };
    names.iter().any(|name| {
        let Some(fewer) = left.checked_sub(1) else { return true };
        *left = fewer;
        let path = join(directory, name);
        if name.ends_with('/') {
            return has_tracked(files, &path, left);
        }
        files.git(&path) == Answer::Known(GitState::Tracked)
    })
}
