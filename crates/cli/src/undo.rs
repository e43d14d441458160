//! Writing fixes so that all of it happens or nothing, and taking the last one back.
//!
//! `.cosec/` beside the Compose file keeps what the files were. It ignores itself in git, and only its owner
//! can read it: what it keeps may hold passwords, as the files did.
//!
//! A kill at any moment leaves a project that works: secrets' files come first, what keeps git from them next,
//! then each Compose file whole, `.env` last.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cosec_core::fix::FixPlan;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// What was done, in the order in which it was.
#[derive(Default, Serialize, Deserialize)]
struct Journal {
    /// Files that were made.
    made: Vec<PathBuf>,
    /// Files that were changed, and what they were.
    changed: Vec<Kept>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    path: PathBuf,
    /// The copy in `.cosec/undo`; none for a file that was not there.
    copy: Option<PathBuf>,
    mode: u32,
}

const JOURNAL: &str = "journal.json";

fn place(directory: &Path) -> PathBuf {
    directory.join(".cosec/undo")
}

fn cannot(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::Cannot(format!("cannot write {}: {error}", path.display()))
}

/// Does what a plan says, or nothing.
pub(crate) fn write(directory: &Path, plan: &FixPlan) -> Result<(), Failure> {
    let keep = place(directory);
    let _ = fs::remove_dir_all(&keep);
    let own = directory.join(".cosec");
    private_directory(&own)?;
    private_directory(&keep)?;
    create(&own.join(".gitignore"), b"*\n").or_else(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(cannot(&own)(error)),
    })?;
    let mut journal = Journal::default();
    for (index, file) in plan.changed.iter().enumerate() {
        let path = PathBuf::from(&file.path);
        let (copy, mode) = match &file.before {
            Some(before) => {
                let copy = keep.join(index.to_string());
                create(&copy, before.as_bytes()).map_err(cannot(&copy))?;
                let facts = fs::metadata(&path).map_err(cannot(&path))?;
                (Some(copy), facts.permissions().mode() & 0o7777)
            }
            None => (None, 0o644),
        };
        journal.changed.push(Kept { path, copy, mode });
    }
    journal.made = plan.new_files.iter().map(|file| PathBuf::from(&file.path)).collect();
    let text = serde_json::to_vec(&journal).map_err(|error| Failure::Cannot(error.to_string()))?;
    create(&keep.join(JOURNAL), &text).map_err(cannot(&keep))?;
    let done = apply(plan, &journal);
    if done.is_err() {
        restore(directory)?;
    }
    done
}

fn apply(plan: &FixPlan, journal: &Journal) -> Result<(), Failure> {
    for file in &plan.new_files {
        let path = Path::new(&file.path);
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            private_directory(parent)?;
        }
        create(path, file.content.expose()).map_err(cannot(path))?;
    }
    for (file, kept) in plan.changed.iter().zip(&journal.changed) {
        let path = Path::new(&file.path);
        // Somebody else's change since the file was read must not be lost.
        let now = fs::read_to_string(path).ok();
        if now != file.before {
            return Err(Failure::Cannot(format!(
                "{} has changed meanwhile; nothing was done, try again",
                path.display()
            )));
        }
        replace(path, file.after.as_bytes(), kept.mode)?;
    }
    Ok(())
}

/// Takes the last one back; how many files that were.
pub(crate) fn restore(directory: &Path) -> Result<usize, Failure> {
    let keep = place(directory);
    let Ok(text) = fs::read(keep.join(JOURNAL)) else {
        return Err(Failure::Cannot(format!(
            "there is nothing to take back in {}",
            if directory.as_os_str().is_empty() { "." } else { "the project" }
        )));
    };
    let journal: Journal = serde_json::from_slice(&text)
        .map_err(|error| Failure::Cannot(format!("{} cannot be read: {error}", keep.display())))?;
    for kept in journal.changed.iter().rev() {
        match &kept.copy {
            Some(copy) => {
                let bytes = fs::read(copy).map_err(cannot(copy))?;
                replace(&kept.path, &bytes, kept.mode)?;
            }
            None => remove(&kept.path)?,
        }
    }
    for path in &journal.made {
        remove(path)?;
        // Only if nothing else is in it.
        if let Some(parent) = path.parent() {
            let _ = fs::remove_dir(parent);
        }
    }
    let count = journal.changed.len() + journal.made.len();
    fs::remove_dir_all(directory.join(".cosec")).map_err(cannot(&keep))?;
    Ok(count)
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(cannot(path)(error)),
        _ => Ok(()),
    }
}

/// A directory that only its owner can look into; one that is there stays as it is.
fn private_directory(path: &Path) -> Result<(), Failure> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(cannot(path)(error)),
        _ => Ok(()),
    }
}

/// A new file for its owner alone.
fn create(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A file with new content at once, its permissions as they were.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    // A link stays a link: its target is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    crate::atomic::write(&path, bytes)
        .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(mode)))
        .map_err(cannot(&path))
}
