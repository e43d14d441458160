//! What git says of files, by asking git itself: only it knows all the places that ignore rules come from. A
//! repository costs two processes, however many files are asked about.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cosec_core::files::{Answer, GitState};

use crate::disk::absolute;

/// Git's answers, remembered; shared by all who ask in one run.
#[derive(Default)]
pub(crate) struct Git {
    /// Directories, and the repository that each lies in.
    repositories: Mutex<HashMap<PathBuf, Option<Arc<Repository>>>>,
    history: Mutex<HashMap<PathBuf, Answer<bool>>>,
}

/// A work tree, or a directory of git's own.
struct Repository {
    root: PathBuf,
    index: OnceLock<Result<Index, Answer<GitState>>>,
    ignores: Mutex<Option<Ignores>>,
}

impl Git {
    /// What git says of a path. Links are followed: it is the content that must not be committed.
    pub(crate) fn state(&self, path: &Path) -> Answer<GitState> {
        let path = resolved(path);
        let Some(repository) = path.parent().and_then(|directory| self.repository(directory)) else {
            return Answer::Known(GitState::NoRepository);
        };
        repository.state(&path)
    }

    /// Whether any commit that a branch, tag or remote leads to has the path. A shallow clone knows its own part only.
    pub(crate) fn in_history(&self, path: &Path) -> Answer<bool> {
        let path = resolved(path);
        let Some(repository) = path.parent().and_then(|directory| self.repository(directory)) else {
            return Answer::Known(false);
        };
        if let Some(known) = locked(&self.history).get(&path) {
            return *known;
        }
        let found = repository.in_history(&path);
        locked(&self.history).insert(path, found);
        found
    }

    /// What tells a file from others wherever the user stands: its path from the root of the repository that it lies
    /// in, without one from the project's directory.
    pub(crate) fn identity(&self, path: &Path, project: &Path) -> String {
        let path = absolute(path);
        let directory = path.parent().map(resolved).unwrap_or_default();
        let root = self.root(&directory).unwrap_or_else(|| resolved(project));
        let up = root.ancestors().take_while(|root| !directory.starts_with(root)).count();
        let shared = root.ancestors().nth(up).unwrap_or(Path::new(""));
        let down = directory.strip_prefix(shared).unwrap_or(&directory);
        let mut parts: Vec<_> = std::iter::repeat_n("..".into(), up).collect();
        parts.extend(down.iter().chain(path.file_name()).map(|part| part.to_string_lossy()));
        parts.join("/")
    }

    /// The root of the repository around a directory.
    pub(crate) fn root(&self, directory: &Path) -> Option<PathBuf> {
        self.repository(&resolved(directory)).map(|repository| repository.root.clone())
    }

    /// The innermost repository around a directory that may not be there.
    fn repository(&self, directory: &Path) -> Option<Arc<Repository>> {
        if let Some(known) = locked(&self.repositories).get(directory) {
            return known.clone();
        }
        let found = if is_root(directory) {
            Some(Arc::new(Repository::new(directory)))
        } else {
            directory.parent().and_then(|parent| self.repository(parent))
        };
        // Who was first made the one that all share.
        locked(&self.repositories).entry(directory.to_owned()).or_insert(found).clone()
    }
}

/// Whether a directory has a `.git`, or is one (as a bare repository is).
fn is_root(directory: &Path) -> bool {
    directory.join(".git").exists()
        || (directory.join("HEAD").exists()
            && directory.join("objects").exists()
            && directory.join("refs").exists())
}

impl Repository {
    fn new(root: &Path) -> Self {
        Repository { root: root.to_owned(), index: OnceLock::new(), ignores: Mutex::new(None) }
    }

    fn state(&self, path: &Path) -> Answer<GitState> {
        let Ok(file) = path.strip_prefix(&self.root) else {
            return Answer::NotChecked("its path cannot be resolved");
        };
        // Inside .git itself nothing is ever committed.
        if file.components().any(|part| part == Component::Normal(".git".as_ref())) {
            return Answer::Known(GitState::Ignored);
        }
        match self.index.get_or_init(|| Index::read(&self.root)) {
            Ok(index) if index.has(file.as_os_str().as_bytes()) => Answer::Known(GitState::Tracked),
            Ok(_) => self.ignored(file),
            Err(answer) => *answer,
        }
    }

    fn ignored(&self, file: &Path) -> Answer<GitState> {
        let mut ignores = locked(&self.ignores);
        if ignores.is_none() {
            *ignores = Ignores::start(&self.root).ok();
        }
        match ignores.as_mut().and_then(|ignores| ignores.cover(file)) {
            Some(true) => Answer::Known(GitState::Ignored),
            Some(false) => Answer::Known(GitState::Untracked),
            // A question that it refuses ends it: the next one starts anew.
            None => {
                *ignores = None;
                Answer::NotChecked("git could not answer")
            }
        }
    }

    fn in_history(&self, path: &Path) -> Answer<bool> {
        let Ok(file) = path.strip_prefix(&self.root) else {
            return Answer::NotChecked("its path cannot be resolved");
        };
        let mut command = git(&self.root);
        command.args(["--literal-pathspecs", "log", "--all", "--max-count=1", "--format=%H", "--"]).arg(file);
        match command.stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => Answer::Known(!output.stdout.is_empty()),
            // No commit yet.
            Ok(output) if says(&output.stderr, "does not have any commits") => Answer::Known(false),
            Ok(output)
                if says(&output.stderr, "not a git repository") && !says(&output.stderr, LEADS_NOWHERE) =>
            {
                Answer::Known(false)
            }
            _ => Answer::NotChecked("git could not search its history"),
        }
    }
}

/// The paths that are in the index, from the repository's root, sorted as git sorts them: by bytes.
struct Index {
    text: Vec<u8>,
    /// Where each path starts in the text; it ends with a NUL.
    starts: Vec<usize>,
}

impl Index {
    fn read(root: &Path) -> Result<Self, Answer<GitState>> {
        let mut command = git(root);
        command.args(["ls-files", "-z", "--cached"]).stdin(Stdio::null());
        match command.output() {
            Ok(output) if output.status.success() => Ok(Index::of(output.stdout)),
            // A file that names another place, as that of a work tree does.
            Ok(output) if says(&output.stderr, LEADS_NOWHERE) => {
                Err(Answer::NotChecked("the file .git leads to no repository; mend or remove it"))
            }
            Ok(output) if says(&output.stderr, "not a git repository") => {
                Err(Answer::Known(GitState::NoRepository))
            }
            Ok(output) if says(&output.stderr, "dubious ownership") => Err(Answer::NotChecked(
                "git does not trust the repository's owner (see `git help config`, safe.directory)",
            )),
            // A bare repository: nothing beside its own files lies there.
            Ok(output) if says(&output.stderr, "must be run in a work tree") => {
                Err(Answer::Known(GitState::Ignored))
            }
            Ok(_) => Err(Answer::NotChecked("git could not answer")),
            Err(_) => Err(Answer::NotChecked("git is not installed, and the file lies in a git repository")),
        }
    }

    fn of(text: Vec<u8>) -> Self {
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(at, _)| at + 1);
        let mut starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
        starts.pop();
        Index { text, starts }
    }

    fn has(&self, path: &[u8]) -> bool {
        let at = |start: &usize| self.text[*start..].split(|byte| *byte == 0).next().unwrap_or_default();
        self.starts.binary_search_by(|start| at(start).cmp(path)).is_ok()
    }
}

/// `git check-ignore`, kept running: it answers each path as it comes.
struct Ignores {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Ignores {
    fn start(root: &Path) -> std::io::Result<Self> {
        // Without --no-index a tracked directory's files would count as not ignored.
        let mut child = git(root)
            .args(["check-ignore", "--no-index", "--stdin", "-z", "--verbose", "--non-matching"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let closed = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or_else(closed)?);
        Ok(Ignores { child, questions, answers })
    }

    /// Whether an ignore rule covers a path; none if git gives no answer.
    fn cover(&mut self, file: &Path) -> Option<bool> {
        let questions = self.questions.as_mut()?;
        questions.write_all(file.as_os_str().as_bytes()).ok()?;
        questions.write_all(b"\0").ok()?;
        questions.flush().ok()?;
        // Source, line, pattern and path; the first three are empty where no rule covers it.
        let mut fields = [const { Vec::new() }; 4];
        for field in &mut fields {
            self.answers.read_until(0, field).ok().filter(|length| *length > 0)?;
            field.pop();
        }
        let [_, _, pattern, path] = &fields;
        (path == file.as_os_str().as_bytes()).then(|| !pattern.is_empty() && !pattern.starts_with(b"!"))
    }
}

impl Drop for Ignores {
    fn drop(&mut self) {
        // It ends when there are no more questions.
        self.questions = None;
        let _ = self.child.wait();
    }
}

fn git(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(directory)
        // A repository's own fsmonitor setting is a command that git would run.
        .args(["-c", "core.fsmonitor=false"])
        // A hook's GIT_DIR is relative to where the hook runs.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env("LC_ALL", "C")
        // Each answer at once, whatever the user has set.
        .env("GIT_FLUSH", "1");
    command
}

/// What git says of a `.git` that is a file and names a place where no repository is, before it names that place.
const LEADS_NOWHERE: &str = "not a git repository: ";

fn says(stderr: &[u8], words: &str) -> bool {
    String::from_utf8_lossy(stderr).contains(words)
}

/// The path with its links followed, as far as there is something.
fn resolved(path: &Path) -> PathBuf {
    let path = absolute(if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let there = path.ancestors().find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    match there {
        Some((ancestor, found)) => path.strip_prefix(ancestor).map_or(found.clone(), |rest| {
            // Joining nothing would add a slash.
            if rest.as_os_str().is_empty() { found } else { found.join(rest) }
        }),
        None => path,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_index_is_found_whole_only() {
        let index = Index::of(b".env\0a/b.txt\0a/b.txt\0z\0".to_vec());
        for path in [".env", "a/b.txt", "z"] {
            assert!(index.has(path.as_bytes()), "{path}");
        }
        for path in ["", "a", "a/b", "b.txt", ".env\0", "zz"] {
            assert!(!index.has(path.as_bytes()), "{path}");
        }
        assert!(!Index::of(Vec::new()).has(b""));
    }
}
