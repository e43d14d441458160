//! Writing fixes so that all of it happens or nothing, and taking the last one back.
//!
//! `.cosec/` beside the Compose file keeps what the files were. It ignores itself in git, and only its owner
//! can read it: what it keeps may hold passwords, as the files did.
//!
//! A kill at any moment leaves a project that works, and nothing that git would take: what keeps git from the
//! secrets' files comes first, then those files, then each Compose file whole, `.env` last. Taking back goes the
//! other way, and can be begun again.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cosec_core::files::file_name;
use cosec_core::fix::FixPlan;
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::failure::Failure;

/// One file, and what it is before and after.
#[derive(Serialize, Deserialize)]
struct Step {
    path: PathBuf,
    /// What it was, in `.cosec/undo`; none for a file that is made.
    before: Option<PathBuf>,
    /// What it becomes, in `.cosec/undo`.
    after: PathBuf,
    /// For its owner alone, and not to be there yet.
    private: bool,
}

/// The bytes of one step.
struct Texts {
    before: Option<Vec<u8>>,
    after: Vec<u8>,
}

const JOURNAL: &str = "journal.json";

fn cannot(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::Cannot(format!("cannot write {}: {error}", path.display()))
}

/// Does what a plan says, or nothing. `is_more` says that it belongs to what was written there just before: both
/// are taken back together.
pub(crate) fn write(directory: &Path, plan: &FixPlan, is_more: bool) -> Result<(), Failure> {
    let own = directory.join(".cosec");
    let keep = own.join("undo");
    if is_more {
        let number = earlier(&own).last().map_or(1, |(number, _)| number + 1);
        fs::rename(&keep, own.join(format!("undo.{number}"))).map_err(cannot(&keep))?;
    } else {
        forget(&own)?;
    }
    atomic::create_directory(&own).map_err(cannot(&own))?;
    atomic::create(&own.join(".gitignore"), b"*\n", atomic::PRIVATE).or_else(|error| match error.kind() {
        ErrorKind::AlreadyExists => Ok(()),
        _ => Err(cannot(&own)(error)),
    })?;
    atomic::create_directory(&keep).map_err(cannot(&keep))?;
    let mut steps: Vec<Step> = Vec::new();
    let mut add = |path: &str, before: Option<&[u8]>, after: &[u8], private| {
        let number = steps.len();
        let store = |name: &str, bytes: &[u8]| {
            let copy = keep.join(format!("{number}.{name}"));
            atomic::create(&copy, bytes, atomic::PRIVATE).map_err(cannot(&copy)).map(|()| copy)
        };
        let before = before.map(|before| store("before", before)).transpose()?;
        steps.push(Step { path: PathBuf::from(path), before, after: store("after", after)?, private });
        Ok(())
    };
    let (ignoring, others): (Vec<_>, Vec<_>) =
        plan.changed.iter().partition(|file| is_ignore_file(Path::new(&file.path)));
    for file in ignoring {
        add(&file.path, file.before.as_ref().map(String::as_bytes), file.after.as_bytes(), false)?;
    }
    for file in &plan.new_files {
        add(&file.path, None, file.content.expose(), true)?;
    }
    for file in others {
        add(&file.path, file.before.as_ref().map(String::as_bytes), file.after.as_bytes(), false)?;
    }
    let text = serde_json::to_vec(&steps).map_err(|error| Failure::Cannot(error.to_string()))?;
    atomic::replace(&keep.join(JOURNAL), &text, atomic::PRIVATE).map_err(cannot(&keep))?;
    for (number, step) in steps.iter().enumerate() {
        if let Err(failure) = step.texts().and_then(|texts| step.apply(&keep, &texts)) {
            for done in steps[..number].iter().rev() {
                done.take_back(&keep, &done.texts()?)?;
            }
            return forget_last(&own).and(Err(failure));
        }
    }
    Ok(())
}

/// Takes back what a killed [`write`] has half done, so that it can be planned anew.
pub(crate) fn mend(directory: &Path) -> Result<(), Failure> {
    let Some(steps) = steps(&directory.join(".cosec/undo"))? else { return Ok(()) };
    let (mut is_half, mut is_changed) = (false, false);
    for step in &steps {
        let texts = step.texts()?;
        let now = content(&step.path)?;
        is_half |= now.as_ref() != Some(&texts.after);
        is_changed |= step.is_changed(&texts)? || now.is_none() && texts.before.is_some();
    }
    if is_half && !is_changed {
        restore(directory)?;
    }
    Ok(())
}

/// What was done last, in the order in which it was.
fn steps(keep: &Path) -> Result<Option<Vec<Step>>, Failure> {
    let Some(text) = content(&keep.join(JOURNAL))? else { return Ok(None) };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| Failure::Cannot(format!("{} cannot be read: {error}", keep.display())))
}

/// Takes the last one back; how many files that were.
pub(crate) fn restore(directory: &Path) -> Result<usize, Failure> {
    let own = directory.join(".cosec");
    let keep = own.join("undo");
    let mut count = 0;
    loop {
        if let Some(steps) = steps(&keep)? {
            take_back(&keep, &steps)?;
            count += steps.len();
        }
        forget_last(&own)?;
        if !keep.exists() {
            break;
        }
    }
    if count == 0 {
        return Err(Failure::Cannot(format!(
            "there is nothing to take back in {}",
            if directory.as_os_str().is_empty() { "." } else { "the project" }
        )));
    }
    Ok(count)
}

fn take_back(keep: &Path, steps: &[Step]) -> Result<(), Failure> {
    let texts = steps.iter().map(Step::texts).collect::<Result<Vec<_>, _>>()?;
    for (step, texts) in steps.iter().zip(&texts) {
        if !is_ignore_file(&step.path) && step.is_changed(texts)? {
            return Err(Failure::Cannot(format!(
                "{} has been changed since, and taking the fix back would lose that; nothing was done. {} has what it was",
                step.path.display(),
                step.before.as_deref().unwrap_or(keep).display()
            )));
        }
    }
    steps.iter().zip(&texts).rev().try_for_each(|(step, texts)| step.take_back(keep, texts))
}

impl Step {
    fn texts(&self) -> Result<Texts, Failure> {
        let kept = |path: &Path| {
            fs::read(path)
                .map_err(|error| Failure::Cannot(format!("cannot read {}: {error}", path.display())))
        };
        Ok(Texts { before: self.before.as_deref().map(kept).transpose()?, after: kept(&self.after)? })
    }

    fn apply(&self, keep: &Path, texts: &Texts) -> Result<(), Failure> {
        // Somebody else's change since the file was read must not be lost, nor a file that is no text.
        if content(&self.path)? != texts.before {
            return Err(Failure::Cannot(format!(
                "{} is not what it was when it was read; nothing was done, try again",
                self.path.display()
            )));
        }
        if !self.private {
            return atomic::replace_from(keep, &self.path, &texts.after, atomic::SHARED)
                .map_err(cannot(&self.path));
        }
        if let Some(parent) = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            atomic::create_directory(parent).map_err(cannot(parent))?;
        }
        atomic::create(&self.path, &texts.after, atomic::PRIVATE).map_err(cannot(&self.path))
    }

    /// Whether somebody has changed the file since. A kill may have left a part of a file that is made.
    fn is_changed(&self, texts: &Texts) -> Result<bool, Failure> {
        let Some(now) = content(&self.path)? else { return Ok(false) };
        Ok(texts.before.as_ref() != Some(&now)
            && texts.after != now
            && !(self.private && texts.after.starts_with(&now)))
    }

    /// Makes the file what it was; one that somebody has changed since stays.
    fn take_back(&self, keep: &Path, texts: &Texts) -> Result<(), Failure> {
        let now = content(&self.path)?;
        if now == texts.before || self.is_changed(texts)? {
            return Ok(());
        }
        if let Some(before) = &texts.before {
            return atomic::replace_from(keep, &self.path, before, atomic::PRIVATE)
                .map_err(cannot(&self.path));
        }
        fs::remove_file(&self.path).map_err(cannot(&self.path))?;
        if let Some(parent) = self.path.parent().filter(|_| self.private) {
            // Only if nothing else is in it.
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }
}

fn is_ignore_file(path: &Path) -> bool {
    path.to_str().is_some_and(|path| [".gitignore", ".dockerignore"].contains(&file_name(path)))
}

/// A file's bytes; nothing if there is none.
fn content(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Cannot(format!("cannot read {}: {error}", path.display()))),
    }
}

/// What is kept of the same run's earlier files, by number.
fn earlier(own: &Path) -> Vec<(u32, PathBuf)> {
    let paths = fs::read_dir(own).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<(u32, PathBuf)> = paths
        .filter_map(|path| Some((path.file_name()?.to_str()?.strip_prefix("undo.")?.parse().ok()?, path)))
        .collect();
    found.sort();
    found
}

/// Removes what is kept of the last; what was before it is the last then.
fn forget_last(own: &Path) -> Result<(), Failure> {
    let keep = own.join("undo");
    remove(&keep)?;
    match earlier(own).pop() {
        Some((_, path)) => fs::rename(path, &keep).map_err(cannot(&keep)),
        None => forget(own),
    }
}

/// Removes all that is kept, the last at last: without it what was before it could be taken back alone. What keeps
/// git away goes after that.
fn forget(own: &Path) -> Result<(), Failure> {
    earlier(own).iter().try_for_each(|(_, path)| remove(path))?;
    remove(&own.join("undo"))?;
    gone(own, fs::remove_file(own.join(".gitignore")))?;
    // It stays if somebody has put something into it.
    let _ = fs::remove_dir(own);
    Ok(())
}

/// Removes one. The journal goes first: without it the rest means nothing.
fn remove(keep: &Path) -> Result<(), Failure> {
    gone(keep, fs::remove_file(keep.join(JOURNAL)))?;
    gone(keep, fs::remove_dir_all(keep))
}

fn gone(path: &Path, done: std::io::Result<()>) -> Result<(), Failure> {
    match done {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot(path)(error)),
        _ => Ok(()),
    }
}
