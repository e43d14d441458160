//! The content that each file has now. A change of the source is a new snapshot with a new version; who
//! has an old one open keeps it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::memory::{HeldValues, SecretBytes};
use crate::source::{self, SourceError, Stamp};
use crate::spec::{FileStatus, Source, Spec};

/// Content at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) bytes: SecretBytes,
    pub(crate) version: u64,
    pub(crate) loaded: SystemTime,
}

/// What a file has now, and what is wrong with its source, if anything.
pub(crate) struct Current {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) trouble: Option<String>,
}

struct State {
    snapshot: Arc<Snapshot>,
    stamp: Option<Stamp>,
    trouble: Option<String>,
}

/// The content of all files.
pub(crate) struct Snapshots {
    spec: Spec,
    states: Vec<Mutex<State>>,
}

/// Why a worker cannot load what it is to serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("cannot take the values over: {0}")]
    Held(#[from] std::io::Error),
    #[error("the secret `{0}` has no value")]
    NoValue(String),
}

impl Snapshots {
    /// Loads all content. A source that cannot be read is an error here, and none later.
    pub(crate) fn load(spec: Spec, held: &HeldValues) -> Result<Self, LoadError> {
        let mut values: Vec<Option<SecretBytes>> = held.open()?.into_iter().map(Some).collect();
        let mut shared: Vec<Option<Arc<Snapshot>>> = values.iter().map(|_| None).collect();
        let mut states = Vec::with_capacity(spec.files.len());
        for file in &spec.files {
            let (snapshot, stamp) = match &file.source {
                Source::File(path) => {
                    let (bytes, stamp) = source::read(path, spec.max_size)?;
                    (Arc::new(Snapshot { bytes, version: 1, loaded: SystemTime::now() }), Some(stamp))
                }
                Source::Held(index) => {
                    let no_value = || LoadError::NoValue(file.secret.clone());
                    let slot = shared.get_mut(*index).ok_or_else(no_value)?;
                    if slot.is_none() {
                        let bytes = values.get_mut(*index).and_then(Option::take).ok_or_else(no_value)?;
                        *slot = Some(Arc::new(Snapshot { bytes, version: 1, loaded: SystemTime::now() }));
                    }
                    (slot.clone().ok_or_else(no_value)?, None)
                }
            };
            states.push(Mutex::new(State { snapshot, stamp, trouble: None }));
        }
        Ok(Snapshots { spec, states })
    }

    pub(crate) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What a file has now. Looks at the source first: no reader gets what has been replaced.
    pub(crate) fn current(&self, index: usize) -> Option<Current> {
        let file = self.spec.files.get(index)?;
        let mut state = self.lock(index)?;
        if let Source::File(path) = &file.source {
            refresh(&mut state, path, self.spec.max_size);
        }
        Some(Current { snapshot: state.snapshot.clone(), trouble: state.trouble.clone() })
    }

    /// Looks at all sources in a directory; what has changed is loaded and the old content freed.
    pub(crate) fn refresh_all(&self) {
        for index in 0..self.states.len() {
            let _ = self.current(index);
        }
    }

    /// The shape of all files.
    pub(crate) fn status(&self) -> Vec<FileStatus> {
        let one = |(index, file): (usize, &crate::spec::FileSpec)| {
            let state = self.lock(index)?;
            Some(FileStatus {
                path: file.path.clone(),
                service: file.service.clone(),
                secret: file.secret.clone(),
                version: state.snapshot.version,
                size: state.snapshot.bytes.len() as u64,
                trouble: state.trouble.clone(),
            })
        };
        self.spec.files.iter().enumerate().filter_map(one).collect()
    }

    fn lock(&self, index: usize) -> Option<MutexGuard<'_, State>> {
        // A panic in another thread leaves the state whole: it is only ever replaced field by field.
        self.states.get(index).map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn refresh(state: &mut State, path: &Path, max_size: u64) {
    let stamp = Stamp::at(path);
    if stamp.is_some() && stamp == state.stamp && state.trouble.is_none() {
        return;
    }
    match source::read(path, max_size) {
        Ok((bytes, stamp)) => {
            state.stamp = Some(stamp);
            state.trouble = None;
            if bytes.expose() != state.snapshot.bytes.expose() {
                let version = state.snapshot.version + 1;
                state.snapshot = Arc::new(Snapshot { bytes, version, loaded: SystemTime::now() });
            }
        }
        // The last good content stays: an editor may be between two steps.
        Err(error) => {
            state.trouble = Some(format!("{error}; serving version {}", state.snapshot.version));
        }
    }
}
