//! One JSON line for every open, allowed or not.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::fs::OFlags;
use serde::Serialize;

use crate::caller::Caller;
use crate::spec::{AuditSpec, FileSpec, OnAuditFailure};

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
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Allowed,
    Denied,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    project: &'a str,
    service: &'a str,
    secret: &'a str,
    version: u64,
    container: Option<&'a str>,
    pid: u32,
    uid: u32,
    gid: u32,
    exe: Option<&'a str>,
    outcome: Outcome,
    reason: &'a str,
}

/// The audit file.
pub(crate) struct Audit {
    file: File,
    path: PathBuf,
    project: String,
    on_failure: OnAuditFailure,
}

impl Audit {
    pub(crate) fn open(spec: &AuditSpec, project: &str) -> Result<Self, AuditError> {
        let fail = |error| AuditError { path: spec.path.clone(), error };
        if let Some(directory) = spec.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(fail)?;
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            // Whoever can swap the file for a link must not choose what we append to.
            .custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits() as i32)
            .open(&spec.path)
            .map_err(fail)?;
        Ok(Audit { file, path: spec.path.clone(), project: project.to_owned(), on_failure: spec.on_failure })
    }

    /// Writes an open down; an error means that it must be denied.
    pub(crate) fn record(
        &self,
        file: &FileSpec,
        version: u64,
        caller: &Caller,
        outcome: Outcome,
        reason: &str,
    ) -> Result<(), AuditError> {
        let line = Line {
            time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            project: &self.project,
            service: &file.service,
            secret: &file.secret,
            version,
            container: caller.container.as_deref(),
            pid: caller.pid,
            uid: caller.uid,
            gid: caller.gid,
            exe: caller.exe.as_deref(),
            outcome,
            reason,
        };
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        // One write a line: lines of several writers do not mix.
        match ((&self.file).write_all(&bytes), self.on_failure) {
            (Ok(()), _) => Ok(()),
            (Err(error), OnAuditFailure::Warn) => {
                crate::supervisor::log(&AuditError { path: self.path.clone(), error }.to_string());
                Ok(())
            }
            (Err(error), OnAuditFailure::Deny) => Err(AuditError { path: self.path.clone(), error }),
        }
    }
}
