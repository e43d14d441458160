//! What git says of a file, by asking git itself: only it knows all the places that ignore rules come from.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cosec_core::files::{Answer, GitState};

use crate::disk::absolute;

/// What git says of a path. Links are followed: it is the content that must not be committed.
pub(crate) fn state(path: &Path) -> Answer<GitState> {
    let path = real(path);
    let Some(directory) = path.ancestors().skip(1).find(|ancestor| ancestor.is_dir()) else {
        return Answer::Known(GitState::NoRepository);
    };
    if !in_repository(&path) {
        return Answer::Known(GitState::NoRepository);
    }
    let Ok(file) = path.strip_prefix(directory) else {
        return Answer::NotChecked("its path cannot be resolved");
    };
    let tracked = match git(directory, &["--literal-pathspecs", "ls-files", "-z", "--cached"], file) {
        Ok(output) if output.code == 0 => !output.stdout.is_empty(),
        Ok(output) if output.stderr.contains("not a git repository") => {
            return Answer::Known(GitState::NoRepository);
        }
        Ok(output) if output.stderr.contains("dubious ownership") => {
            return Answer::NotChecked(
                "git does not trust the repository's owner (see `git help config`, safe.directory)",
            );
        }
        // Inside .git itself nothing is ever committed.
        Ok(output) if output.stderr.contains("must be run in a work tree") => {
            return Answer::Known(GitState::Ignored);
        }
        Ok(_) => return Answer::NotChecked("git could not answer"),
        Err(_) if path.ancestors().any(|ancestor| ancestor.join(".git").exists()) => {
            return Answer::NotChecked("git is not installed, and the file lies in a git repository");
        }
        Err(_) => return Answer::Known(GitState::NoRepository),
    };
    if tracked {
        return Answer::Known(GitState::Tracked);
    }
    // Without --no-index a tracked directory's files would count as not ignored.
    match git(directory, &["check-ignore", "--quiet", "--no-index"], file) {
        Ok(output) if output.code == 0 => Answer::Known(GitState::Ignored),
        Ok(output) if output.code == 1 => Answer::Known(GitState::Untracked),
        _ => Answer::NotChecked("git could not answer"),
    }
}

/// Whether any commit that a branch, tag or remote leads to has the path. A shallow clone knows its own part only.
pub(crate) fn in_history(path: &Path) -> Answer<bool> {
    let path = real(path);
    let Some(directory) = path.ancestors().skip(1).find(|ancestor| ancestor.is_dir()) else {
        return Answer::Known(false);
    };
    let Ok(file) = path.strip_prefix(directory) else {
        return Answer::NotChecked("its path cannot be resolved");
    };
    if !in_repository(&path) {
        return Answer::Known(false);
    }
    match git(directory, &["--literal-pathspecs", "log", "--all", "--max-count=1", "--format=%H"], file) {
        Ok(output) if output.code == 0 => Answer::Known(!output.stdout.is_empty()),
        // No commit yet.
        Ok(output) if output.stderr.contains("does not have any commits") => Answer::Known(false),
        Ok(output) if output.stderr.contains("not a git repository") => Answer::Known(false),
        _ => Answer::NotChecked("git could not search its history"),
    }
}

/// A path with its links followed, also of a file that is not there yet.
fn real(path: &Path) -> PathBuf {
    let path = absolute(path);
    let followed = path.ancestors().find_map(|ancestor| {
        let real = std::fs::canonicalize(ancestor).ok()?;
        Some(real.join(path.strip_prefix(ancestor).ok()?))
    });
    // What is joined with nothing ends with a slash.
    followed.map_or(path, |path| path.components().collect())
}

/// Whether git can have anything to say: without a `.git` above there is no need to start it.
fn in_repository(path: &Path) -> bool {
    path.ancestors().any(|ancestor| ancestor.join(".git").exists() || ancestor.join("HEAD").exists())
}

struct Output {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

fn git(directory: &Path, arguments: &[&str], file: &Path) -> std::io::Result<Output> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        // A repository's own fsmonitor setting is a command that git would run.
        .args(["-c", "core.fsmonitor=false"])
        .args(arguments)
        .arg("--")
        .arg(file)
        // A hook's GIT_DIR is relative to where the hook runs.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()?;
    Ok(Output {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
