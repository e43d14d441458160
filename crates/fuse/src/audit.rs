//! One JSON line for every open, allowed or not.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustix::fs::OFlags;
use serde::Serialize;

use crate::caller::Caller;
use crate::spec::{AuditSpec, OnAuditFailure};

/// Why an open cannot be written down.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the audit file {}: {error}; make room, or correct its owner and mode", .path.display())]
pub struct AuditError {
    /// The file.
    path: PathBuf,
    /// The system's word.
    error: std::io::Error,
}

/// How an open ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// The caller has the content.
    Allowed,
    /// Mode or scope do not let the caller read.
    Denied,
    /// The caller might read, but there is nothing to be had.
    Failed,
}

/// What is written down of an open, besides the caller.
pub(crate) struct Entry<'a> {
    pub(crate) service: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) version: Option<u64>,
    pub(crate) container_name: Option<&'a str>,
    pub(crate) outcome: Outcome,
    pub(crate) reason: &'a str,
    /// The kernel's number of the request.
    pub(crate) request: u64,
}

/// FUSE_UNIQUE_RESEND (fuse_kernel.h): another worker has had the request before.
const RESENT: u64 = 1 << 63;

/// As far back as a worker can have written an open down that it did not answer.
const LOOK_BACK: u64 = 64 << 10;

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    project: &'a str,
    service: &'a str,
    secret: &'a str,
    version: Option<u64>,
    container: Option<&'a str>,
    container_name: Option<&'a str>,
    pid: u32,
    uid: u32,
    gid: u32,
    exe: Option<&'a str>,
    outcome: Outcome,
    reason: &'a str,
    request: u64,
}

/// How many old files are kept.
const KEPT: u32 = 4;

/// The audit file.
pub(crate) struct Audit {
    spec: AuditSpec,
    project: String,
    open: Mutex<Open>,
    /// What is wrong as long as lines cannot be written.
    trouble: Mutex<Option<Trouble>>,
}

/// Why lines cannot be written, and how many opens it was by now.
#[derive(Debug, PartialEq, Eq)]
struct Trouble {
    reason: String,
    opens: u64,
}

impl Trouble {
    /// What there is to say once another line could be written, or could not: the beginning and the end. Whoever opens
    /// a file again and again must not fill the log.
    fn next(
        now: &mut Option<Trouble>,
        written: &Result<(), AuditError>,
        comes_of_it: &str,
    ) -> Option<String> {
        match (written, now.take()) {
            (Ok(()), None) => None,
            (Ok(()), Some(Trouble { opens, .. })) => {
                let were = if opens == 1 { "open was" } else { "opens were" };
                Some(format!("the audit file can be written again; {opens} {were} {comes_of_it} meanwhile"))
            }
            (Err(error), before) => {
                let is_new = before.is_none();
                let opens = before.map_or(0, |before| before.opens) + 1;
                *now = Some(Trouble { reason: error.to_string(), opens });
                is_new.then(|| format!("{error}; until then opens are {comes_of_it}, and counted"))
            }
        }
    }
}

struct Open {
    file: File,
    /// Its device and inode.
    identity: (u64, u64),
    /// The last line could be written in part only (a full disk): the next one must not continue it.
    torn: bool,
}

impl Open {
    fn at(path: &Path) -> std::io::Result<Self> {
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let file = open_to_append(path)?;
        let facts = file.metadata()?;
        Ok(Open { torn: is_torn(path, &facts), identity: identity(&facts), file })
    }
}

/// The last bytes of a file, so many at the most; none of one that cannot be read.
fn end_of(path: &Path, most: u64) -> Vec<u8> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let from = file.metadata().map_or(0, |facts| facts.len().saturating_sub(most));
    let mut bytes = vec![0; most as usize];
    let count = file.read_at(&mut bytes, from).unwrap_or(0);
    bytes.truncate(count);
    bytes
}

/// Whether the last line of a file has no end: whoever began it could not write it whole, and may be gone.
fn is_torn(path: &Path, facts: &Metadata) -> bool {
    let mut last = [0];
    let read = |file: File| file.read_exact_at(&mut last, facts.len().saturating_sub(1));
    facts.is_file() && facts.len() > 0 && File::open(path).and_then(read).is_ok() && last != *b"\n"
}

fn identity(facts: &Metadata) -> (u64, u64) {
    (facts.dev(), facts.ino())
}

impl Audit {
    pub(crate) fn open(spec: &AuditSpec, project: &str) -> Result<Self, AuditError> {
        let fail = |error| AuditError { path: spec.path.clone(), error };
        let open = Mutex::new(Open::at(&spec.path).map_err(fail)?);
        Ok(Audit { spec: spec.clone(), project: project.to_owned(), open, trouble: Mutex::new(None) })
    }

    /// Writes an open down; an error means that it must be denied.
    pub(crate) fn record(&self, caller: &Caller, entry: &Entry<'_>) -> Result<(), AuditError> {
        let program = caller.program();
        let line = Line {
            time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            project: &self.project,
            service: entry.service,
            secret: entry.secret,
            version: entry.version,
            container: caller.container(),
            container_name: entry.container_name,
            pid: caller.pid,
            uid: caller.uid,
            gid: caller.gid,
            exe: program.as_deref(),
            outcome: entry.outcome,
            reason: entry.reason,
            request: entry.request & !RESENT,
        };
        if entry.request & RESENT != 0 && self.has(&line) {
            return Ok(());
        }
        let written = self.append(&line).map_err(|error| AuditError { path: self.spec.path.clone(), error });
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let said = Trouble::next(&mut trouble, &written, self.comes_of_trouble());
        drop(trouble);
        if let Some(said) = said {
            crate::supervisor::log(&said);
        }
        match self.spec.on_failure {
            OnAuditFailure::Warn => Ok(()),
            OnAuditFailure::Deny => written,
        }
    }

    /// What becomes of an open that cannot be written down.
    fn comes_of_trouble(&self) -> &'static str {
        match self.spec.on_failure {
            OnAuditFailure::Deny => "denied",
            OnAuditFailure::Warn => "not written down",
        }
    }

    /// What is wrong, with what comes of it.
    pub(crate) fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let Trouble { reason, .. } = trouble.as_ref()?;
        Some(format!("opens are {}: {reason}", self.comes_of_trouble()))
    }

    /// Whether a worker that died before it could answer has written the same open down. The file may have given way to
    /// a new one since.
    fn has(&self, line: &Line<'_>) -> bool {
        let number = format!("\"request\":{}}}", line.request);
        let pid = format!("\"pid\":{},", line.pid);
        let is_same = |earlier: &str| earlier.ends_with(&number) && earlier.contains(&pid);
        let now = end_of(&self.spec.path, LOOK_BACK);
        let before = end_of(&self.old(1), LOOK_BACK.saturating_sub(now.len() as u64));
        [before, now].iter().any(|bytes| String::from_utf8_lossy(bytes).lines().any(is_same))
    }

    /// A file that has given way to newer ones.
    fn old(&self, number: u32) -> PathBuf {
        PathBuf::from(format!("{}.{number}", self.spec.path.display()))
    }

    /// One write(2) a line: lines of several writers do not mix.
    fn append(&self, line: &Line<'_>) -> std::io::Result<()> {
        let mut bytes = Vec::with_capacity(512);
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.follow(&mut open, bytes.len() as u64)?;
        if open.torn {
            bytes.insert(0, b'\n');
        }
        let written = loop {
            match (&open.file).write(&bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        // A line that begins with the end of a torn one is whole again.
        open.torn = written < bytes.len();
        if open.torn { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// Sees to it that the open file is the one at the path, and that it has room.
    fn follow(&self, open: &mut Open, more: u64) -> std::io::Result<()> {
        let path = &self.spec.path;
        // Somebody else may have rotated, or a person taken the file away.
        let there = std::fs::symlink_metadata(path).ok().filter(|there| identity(there) == open.identity);
        let Some(there) = there else {
            *open = Open::at(path)?;
            return Ok(());
        };
        let size = there.len();
        if size > 0 && size + more > self.spec.max_bytes {
            for number in (1..KEPT).rev() {
                // A gap in the row is no error.
                let _ = std::fs::rename(self.old(number), self.old(number + 1));
            }
            std::fs::rename(path, self.old(1))?;
            *open = Open::at(path)?;
        }
        Ok(())
    }
}

fn open_to_append(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        // Whoever can swap the file for a link must not choose what we append to; nor may a FIFO hang us.
        .custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK).bits() as i32)
        .open(path)?;
    // One that somebody else has made is for its owner alone from now on, if that can be had.
    if file.metadata().is_ok_and(|facts| facts.is_file() && facts.mode() & 0o077 != 0) {
        let _ = file.set_permissions(Permissions::from_mode(0o600));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(audit: &Audit, reason: &str) -> Result<(), AuditError> {
        record_request(audit, reason, 2)
    }

    fn record_request(audit: &Audit, reason: &str, request: u64) -> Result<(), AuditError> {
        let entry = Entry {
            service: "web",
            secret: "pw",
            version: Some(1),
            container_name: None,
            outcome: Outcome::Allowed,
            reason,
            request,
        };
        audit.record(&Caller::default(), &entry)
    }

    #[test]
    fn a_full_audit_file_gives_way_and_no_line_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let spec = AuditSpec { max_bytes: 2000, ..AuditSpec::new(&path) };
        let (one, two) = (Audit::open(&spec, "shop").unwrap(), Audit::open(&spec, "shop").unwrap());
        for number in 0..20 {
            record(if number % 2 == 0 { &one } else { &two }, &number.to_string()).unwrap();
        }
        let mut seen: Vec<u32> = Vec::new();
        for entry in std::fs::read_dir(directory.path()).unwrap().flatten() {
            assert!(entry.metadata().unwrap().len() <= 2000);
            assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600);
            for line in std::fs::read_to_string(entry.path()).unwrap().lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                seen.push(line["reason"].as_str().unwrap().parse().unwrap());
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..20).collect::<Vec<u32>>());
    }

    #[test]
    fn a_file_that_others_could_read_is_closed_and_trouble_is_told_until_it_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let audit = Audit::open(&AuditSpec::new(&path), "shop").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(audit.trouble(), None);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(record(&audit, "").is_err());
        assert!(audit.trouble().unwrap().starts_with("opens are denied: cannot write the audit file"));
        std::fs::remove_dir(&path).unwrap();
        record(&audit, "").unwrap();
        assert_eq!(audit.trouble(), None);
    }

    #[test]
    fn a_line_that_somebody_else_tore_does_not_swallow_the_next_and_a_lost_directory_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/audit.jsonl");
        record(&Audit::open(&AuditSpec::new(&path), "shop").unwrap(), "").unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"time\":\"20").unwrap();
        let audit = Audit::open(&AuditSpec::new(&path), "shop").unwrap();
        record(&audit, "").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let whole = text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
        assert_eq!((whole.count(), text.lines().count()), (2, 3), "{text}");
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        record(&audit, "").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_down_is_an_error_or_goes_on_as_asked() {
        let full = AuditSpec { max_bytes: u64::MAX, ..AuditSpec::new("/dev/full") };
        assert!(record(&Audit::open(&full, "shop").unwrap(), "").is_err());
        let warn = AuditSpec { on_failure: OnAuditFailure::Warn, ..full };
        assert!(record(&Audit::open(&warn, "shop").unwrap(), "").is_ok());
    }

    #[test]
    fn trouble_is_said_once_and_counted_until_it_is_over() {
        let failed = || Err(AuditError { path: "/a".into(), error: std::io::ErrorKind::StorageFull.into() });
        let mut now = None;
        let mut next = |written| Trouble::next(&mut now, &written, "denied");
        let first = next(failed()).unwrap();
        assert!(first.ends_with("until then opens are denied, and counted"), "{first}");
        assert!((0..10_000).all(|_| next(failed()).is_none()));
        let last = next(Ok(())).unwrap();
        assert_eq!(last, "the audit file can be written again; 10001 opens were denied meanwhile");
        assert_eq!((next(Ok(())), now), (None, None));
    }

    #[test]
    fn a_request_that_comes_again_after_a_worker_s_death_is_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let audit = Audit::open(&AuditSpec::new(&path), "shop").unwrap();
        record_request(&audit, "", 4).unwrap();
        record_request(&audit, "", 4 | RESENT).unwrap();
        record_request(&audit, "", 6 | RESENT).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
        std::fs::rename(&path, directory.path().join("audit.jsonl.1")).unwrap();
        record_request(&audit, "", 8).unwrap();
        record_request(&audit, "", 6 | RESENT).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap().lines().count(),
            1,
            "the file has given way since"
        );
    }
}
