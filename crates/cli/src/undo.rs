//! Writing fixes so that all of it happens or nothing, and taking the last one back.
//!
//! `.cosec/` beside the Compose file keeps what the files were. It ignores itself in git, and only its owner
//! can read it: what it keeps may hold passwords, as the files did. `.cosec/undo.N` is one write: copies, the
//! journal that names them, and `done` once the last step is done. Without `done` it was cut off, and is mended.
//!
//! A kill at any moment leaves a project that works, and nothing that git would take: what keeps git from the
//! secrets' files comes first, then those files, then each Compose file whole, `.env` last. Taking back goes the
//! other way, and can be begun again.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anstream::eprintln;
use cosec_core::files::{Answer, GitState};
use cosec_core::fix::FixPlan;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::failure::Failure;
use crate::git::Git;
use crate::project::absolute;

/// What one write does.
#[derive(Serialize, Deserialize)]
struct Journal {
    /// It belongs to the write before it: both are taken back together.
    is_more: bool,
    /// In the order in which they are done.
    steps: Vec<Step>,
}

/// One file, and what it is before and after.
#[derive(Serialize, Deserialize)]
struct Step {
    /// From the project's directory, wherever the user stands; absolute if the file is not in it.
    path: PathBuf,
    /// The copy of what it was; none for a file that is made.
    before: Option<String>,
    /// The copy of what it becomes.
    after: String,
    /// For its owner alone, and not to be there yet.
    private: bool,
    /// Only its permission bits change, from the first to the second.
    #[serde(default)]
    modes: Option<(u32, u32)>,
    /// The permission bits of the file before, whose text changes: for one that has gone since.
    #[serde(default)]
    mode: Option<u32>,
}

/// How a step's file is.
#[derive(PartialEq, Eq)]
enum State {
    /// As before the step.
    Before,
    /// As after it, or a part of that.
    After { is_whole: bool },
    /// It is not there, though it was.
    Gone,
    /// Somebody has changed it since.
    Changed,
}

/// The bytes of one step.
struct Texts {
    before: Option<Vec<u8>>,
    after: Vec<u8>,
}

/// A write in `.cosec`.
struct Kept {
    /// The project's directory, from where the user stands.
    directory: PathBuf,
    /// Where the copies are.
    keep: PathBuf,
}

/// Where it is kept, in the project's directory.
pub(crate) const KEPT: &str = ".cosec";
const JOURNAL: &str = "journal.json";
const DONE: &str = "done";

fn cannot(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::Cannot(format!("cannot write {}: {error}", path.display()))
}

/// Keeps a second `cosec fix` from the same directory, as long as it lives: what the one finds, the other changes.
pub(crate) fn lock(directory: &Path) -> Result<OwnedFd, Failure> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let cannot = |error: Errno| cannot(directory)(error.into());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let held = rustix::fs::open(directory, flags, Mode::empty()).map_err(cannot)?;
    match rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(held),
        Err(Errno::WOULDBLOCK) => Err(Failure::Cannot(format!(
            "another `cosec fix` is at work in {}; wait for its end, then try again",
            directory.display()
        ))),
        Err(error) => Err(cannot(error)),
    }
}

/// Does what a plan says, or nothing. `is_more` says that it belongs to what was written there just before: both
/// are taken back together. What was kept of earlier writes stays until this one is done.
pub(crate) fn write(directory: &Path, plan: &FixPlan, is_more: bool) -> Result<(), Failure> {
    if plan.new_files.is_empty() && plan.changed.is_empty() && plan.modes.is_empty() {
        return Ok(());
    }
    let own = directory.join(KEPT);
    atomic::create_directory(&own).map_err(cannot(&own))?;
    atomic::create(&own.join(".gitignore"), b"*\n", atomic::PRIVATE).or_else(|error| match error.kind() {
        ErrorKind::AlreadyExists => Ok(()),
        _ => Err(cannot(&own)(error)),
    })?;
    let earlier = all(directory)?;
    let number = earlier.last().map_or(1, |(number, _)| number + 1);
    let kept = Kept { directory: directory.to_owned(), keep: own.join(format!("undo.{number}")) };
    let linked = plan.changed.iter().map(|file| Path::new(&file.path)).filter(|path| has_other_names(path));
    let linked: Vec<&Path> = linked.collect();
    let stored = kept.store(plan, is_more).or_else(|failure| kept.remove().and(Err(failure)));
    if let Err(failure) = stored.and_then(|journal| kept.apply(&journal)) {
        forget_if_empty(directory)?;
        return Err(failure);
    }
    for path in linked {
        eprintln!(
            "{} has other names (hard links), which keep what it was, and any value in it; they are another file now, after `--undo`, too",
            path.display()
        );
    }
    if is_more { Ok(()) } else { earlier.iter().try_for_each(|(_, earlier)| earlier.remove()) }
}

/// Takes back what a killed [`write`] or [`restore`] has half done, so that it can be planned anew, and says so.
/// What was done to its end is nobody's business but the user's: files may have gone since.
pub(crate) fn mend(directory: &Path) -> Result<(), Failure> {
    for (_, kept) in all(directory)?.into_iter().rev() {
        let Some(journal) = kept.journal()? else {
            kept.remove()?;
            continue;
        };
        if kept.is_done() {
            continue;
        }
        let texts = kept.texts(&journal)?;
        let (mut is_half, mut changed) = (false, None);
        for (step, texts) in journal.steps.iter().zip(&texts) {
            let state = step.state(&kept, texts)?;
            is_half |= state != State::After { is_whole: true };
            if matches!(state, State::Changed | State::Gone) {
                changed = Some(kept.path(step));
            }
        }
        match changed {
            Some(path) => eprintln!(
                "an earlier `cosec fix` was cut off, and {} has been changed since: what was done stays as it is; {} has what the files were",
                path.display(),
                kept.keep.display()
            ),
            None if is_half => {
                kept.take_back(&journal, &texts)?;
                kept.remove()?;
                eprintln!(
                    "an earlier `cosec fix` was cut off half-way: what it had done is taken back, and it is planned anew"
                );
            }
            None => {
                kept.finish()?;
                eprintln!(
                    "an earlier `cosec fix --write` was cut off at its very end: all of it is done, and `cosec fix --undo` takes it back"
                );
            }
        }
    }
    forget_if_empty(directory)
}

/// Takes the last one back; how many files that were.
pub(crate) fn restore(directory: &Path) -> Result<usize, Failure> {
    let mut count = 0;
    for (_, kept) in all(directory)?.into_iter().rev() {
        let Some(journal) = kept.journal()? else {
            kept.remove()?;
            continue;
        };
        let texts = kept.texts(&journal)?;
        for (step, texts) in journal.steps.iter().zip(&texts) {
            let path = kept.path(step);
            if !is_ignore_file(&path) && step.state(&kept, texts)? == State::Changed {
                return Err(Failure::Cannot(format!(
                    "{} has been changed since, and taking the fix back would lose that; nothing was done. {} has what it was",
                    path.display(),
                    step.before
                        .as_ref()
                        .map_or_else(|| kept.keep.clone(), |before| kept.keep.join(before))
                        .display()
                )));
            }
        }
        // Cut off from here on, it is half done, and the next write ends it.
        let done = kept.keep.join(DONE);
        gone(&done, fs::remove_file(&done))?;
        kept.take_back(&journal, &texts)?;
        kept.remove()?;
        count += journal.steps.len();
        if !journal.is_more {
            break;
        }
    }
    forget_if_empty(directory)?;
    if count == 0 {
        return Err(Failure::Cannot(format!(
            "there is nothing to take back in {}",
            if directory.as_os_str().is_empty() { "." } else { "the project" }
        )));
    }
    Ok(count)
}

impl Kept {
    /// Where a step's file is, from where the user stands.
    fn path(&self, step: &Step) -> PathBuf {
        self.directory.join(&step.path)
    }

    /// What it does; nothing if it was cut off before it did anything.
    fn journal(&self) -> Result<Option<Journal>, Failure> {
        let Some(text) = content(&self.keep.join(JOURNAL))? else { return Ok(None) };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Failure::Cannot(format!("{} cannot be read: {error}", self.keep.display())))
    }

    fn is_done(&self) -> bool {
        self.keep.join(DONE).exists()
    }

    fn finish(&self) -> Result<(), Failure> {
        let done = self.keep.join(DONE);
        atomic::create(&done, b"", atomic::PRIVATE).map_err(cannot(&done))
    }

    /// Keeps what the files are and what they are to be, before anything is done.
    fn store(&self, plan: &FixPlan, is_more: bool) -> Result<Journal, Failure> {
        atomic::create_directory(&self.keep).map_err(cannot(&self.keep))?;
        refuse_if_git_takes(&Git::default(), &self.keep.join(JOURNAL))?;
        let directory = absolute(&self.directory);
        let mut steps: Vec<Step> = Vec::new();
        let mut add = |path: &str, before: Option<&[u8]>, after: &[u8], private, modes| {
            let number = steps.len();
            let store = |name: &str, bytes: &[u8]| {
                let name = format!("{number}.{name}");
                let copy = self.keep.join(&name);
                atomic::create(&copy, bytes, atomic::PRIVATE).map_err(cannot(&copy)).map(|()| name)
            };
            let before = before.map(|before| store("before", before)).transpose()?;
            let mode = before.as_ref().map(|_| mode(Path::new(path))).transpose()?.flatten();
            let path = absolute(Path::new(path));
            let path = path.strip_prefix(&directory).map(Path::to_owned).unwrap_or(path);
            steps.push(Step { path, before, after: store("after", after)?, private, modes, mode });
            Ok(())
        };
        let (ignoring, others): (Vec<_>, Vec<_>) =
            plan.changed.iter().partition(|file| is_ignore_file(Path::new(&file.path)));
        for file in ignoring {
            add(&file.path, file.before.as_ref().map(String::as_bytes), file.after.as_bytes(), false, None)?;
        }
        for file in &plan.new_files {
            add(&file.path, None, file.content.expose(), true, None)?;
        }
        for mode in &plan.modes {
            add(&mode.path, None, b"", false, Some((mode.before, mode.after)))?;
        }
        for file in others {
            add(&file.path, file.before.as_ref().map(String::as_bytes), file.after.as_bytes(), false, None)?;
        }
        let journal = Journal { is_more, steps };
        let text = serde_json::to_vec(&journal).map_err(|error| Failure::Cannot(error.to_string()))?;
        atomic::replace(&self.keep.join(JOURNAL), &text, atomic::PRIVATE).map_err(cannot(&self.keep))?;
        Ok(journal)
    }

    /// Does all steps, or none.
    fn apply(&self, journal: &Journal) -> Result<(), Failure> {
        let texts = self.texts(journal)?;
        let steps = || journal.steps.iter().zip(&texts);
        // It remembers what .gitignore says: it is first asked of a secret's file, when those lines are written.
        let git = Git::default();
        let done =
            steps().try_for_each(|(step, texts)| step.apply(self, texts, &git)).and_then(|()| self.finish());
        if done.is_err() {
            // What cannot be taken back now stays in `.cosec`, for the next time.
            self.take_back(journal, &texts)?;
            self.remove()?;
        }
        done
    }

    fn texts(&self, journal: &Journal) -> Result<Vec<Texts>, Failure> {
        let kept = |name: &String| {
            let path = self.keep.join(name);
            fs::read(&path)
                .map_err(|error| Failure::Cannot(format!("cannot read {}: {error}", path.display())))
        };
        let texts = |step: &Step| {
            Ok(Texts { before: step.before.as_ref().map(kept).transpose()?, after: kept(&step.after)? })
        };
        journal.steps.iter().map(texts).collect()
    }

    fn take_back(&self, journal: &Journal, texts: &[Texts]) -> Result<(), Failure> {
        journal.steps.iter().zip(texts).rev().try_for_each(|(step, texts)| step.take_back(self, texts))
    }

    /// Removes what is kept. The journal goes first: without it the rest means nothing.
    fn remove(&self) -> Result<(), Failure> {
        gone(&self.keep, fs::remove_file(self.keep.join(JOURNAL)))?;
        gone(&self.keep, fs::remove_dir_all(&self.keep))
    }
}

impl Step {
    fn apply(&self, kept: &Kept, texts: &Texts, git: &Git) -> Result<(), Failure> {
        let path = kept.path(self);
        // Somebody else's change since the file was read must not be lost.
        if self.state(kept, texts)? != State::Before {
            return Err(Failure::Cannot(format!(
                "{} is not what it was when it was read; nothing was done, try again",
                path.display()
            )));
        }
        if let Some((_, after)) = self.modes {
            return set_mode(&path, after);
        }
        if !self.private {
            return atomic::replace_from(&kept.keep, &path, &texts.after, atomic::SHARED)
                .map_err(cannot(&path));
        }
        refuse_if_git_takes(git, &path)?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            atomic::create_directory(parent).map_err(cannot(parent))?;
        }
        atomic::create(&path, &texts.after, atomic::PRIVATE).map_err(cannot(&path))
    }

    /// How its file is now. A kill may have left a part of a file that is made.
    fn state(&self, kept: &Kept, texts: &Texts) -> Result<State, Failure> {
        let path = kept.path(self);
        if let Some((before, after)) = self.modes {
            return Ok(match mode(&path)? {
                Some(now) if now == before => State::Before,
                Some(now) if now == after => State::After { is_whole: true },
                Some(_) => State::Changed,
                None => State::Gone,
            });
        }
        let now = content(&path)?;
        Ok(match &now {
            _ if now == texts.before => State::Before,
            None => State::Gone,
            Some(now) if *now == texts.after => State::After { is_whole: true },
            Some(now) if self.private && texts.after.starts_with(now) => State::After { is_whole: false },
            Some(_) => State::Changed,
        })
    }

    /// Makes the file what it was; one that somebody has changed since stays.
    fn take_back(&self, kept: &Kept, texts: &Texts) -> Result<(), Failure> {
        let path = kept.path(self);
        let state = self.state(kept, texts)?;
        if matches!(state, State::Before | State::Changed) {
            return Ok(());
        }
        if let Some((before, _)) = self.modes {
            return if state == State::Gone { Ok(()) } else { set_mode(&path, before) };
        }
        if let Some(before) = &texts.before {
            let mode = self.mode.unwrap_or(atomic::PRIVATE);
            return atomic::replace_from(&kept.keep, &path, before, mode).map_err(cannot(&path));
        }
        fs::remove_file(&path).map_err(cannot(&path))?;
        if let Some(parent) = path.parent().filter(|_| self.private) {
            // Only if nothing else is in it.
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }
}

/// No value is written where `git add` would find it: a link, or a rule that takes another one back, may undo what
/// .gitignore says.
fn refuse_if_git_takes(git: &Git, path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    match git.state(path) {
        Answer::Known(GitState::Ignored | GitState::NoRepository) => Ok(()),
        Answer::Known(GitState::Untracked) => Err(Failure::Cannot(format!(
            "git would take {shown} whatever .gitignore says: `git check-ignore -v --no-index` names the rule that lets it in, or a directory on its way is a link; nothing was done. Make git ignore it, then try again"
        ))),
        Answer::Known(GitState::Tracked) => Err(Failure::Cannot(format!(
            "git tracks {shown}, and would commit what is written there; nothing was done. Run `git rm --cached {shown}`, then try again"
        ))),
        Answer::NotChecked(reason) => {
            eprintln!("whether git ignores {shown} is not checked: {reason}");
            Ok(())
        }
    }
}

fn is_ignore_file(path: &Path) -> bool {
    path.to_str().is_some_and(cosec_core::files::is_ignore_file)
}

/// Whether another name leads to the same file, which it no longer does once this one's content is replaced.
fn has_other_names(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| facts.nlink() > 1)
}

/// A file's permission bits; nothing if there is none.
fn mode(path: &Path) -> Result<Option<u32>, Failure> {
    match fs::metadata(path) {
        Ok(facts) => Ok(Some(facts.permissions().mode() & 0o7777)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Cannot(format!("cannot look at {}: {error}", path.display()))),
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Failure> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(cannot(path))
}

/// A file's bytes; nothing if there is none.
fn content(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Failure::Cannot(format!("cannot read {}: {error}", path.display()))),
    }
}

/// What is kept in a project's directory, by number: the last is the last.
fn all(directory: &Path) -> Result<Vec<(u32, Kept)>, Failure> {
    let own = directory.join(KEPT);
    let entries = match fs::read_dir(&own) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries,
    };
    let unreadable =
        |error: std::io::Error| Failure::Cannot(format!("cannot read {}: {error}", own.display()));
    let mut found = Vec::new();
    for entry in entries.map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("undo.")?.parse::<u32>().ok());
        if let Some(number) = number {
            found.push((number, Kept { directory: directory.to_owned(), keep: own.join(&name) }));
        }
    }
    found.sort_by_key(|(number, _)| *number);
    Ok(found)
}

/// Removes `.cosec` where nothing is kept: what keeps git away goes last.
fn forget_if_empty(directory: &Path) -> Result<(), Failure> {
    if all(directory)?.is_empty() {
        let own = directory.join(KEPT);
        gone(&own, fs::remove_file(own.join(".gitignore")))?;
        // It stays if somebody has put something into it.
        let _ = fs::remove_dir(own);
    }
    Ok(())
}

fn gone(path: &Path, done: std::io::Result<()>) -> Result<(), Failure> {
    match done {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot(path)(error)),
        _ => Ok(()),
    }
}
