//! The content that each secret has now. A change of the source is a new snapshot with a new version; who
//! has an old one open keeps it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::ledger::Ledger;
use crate::memory::{HeldValues, SecretBytes};
use crate::source::{FindVariable, Place, SourceError, Stamp, Underlay, Writing};
use crate::spec::{SecretKind, SecretSpec, SecretStatus, Source, Spec};

/// Content at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) bytes: Arc<SecretBytes>,
    pub(crate) version: u64,
    pub(crate) loaded: SystemTime,
}

impl Snapshot {
    fn new(bytes: Arc<SecretBytes>, version: u64) -> Arc<Self> {
        Arc::new(Snapshot { bytes, version, loaded: SystemTime::now() })
    }
}

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A secret has content that no worker has served before.
pub(crate) struct Change {
    pub(crate) secret: usize,
    pub(crate) snapshot: Arc<Snapshot>,
    /// Whether there was other content before.
    pub(crate) rotated: bool,
}

/// Where changes are told. Nobody is given a version before it is told: if this worker dies, the next one must
/// be able to go on with it.
pub(crate) trait Listener: Send + Sync {
    /// Called with the secret locked.
    fn hear(&self, change: Change);
}

/// What a secret has now, and what is wrong with its source, if anything.
pub(crate) struct Current {
    /// Nothing if the source was missing when this worker took the place of another, which took the content
    /// with it.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    pub(crate) trouble: Option<String>,
}

struct State {
    snapshot: Option<Arc<Snapshot>>,
    /// The source as it was read; nothing if a change might not show in it.
    stamp: Option<Stamp>,
    writing: Writing,
    trouble: Option<String>,
}

impl State {
    fn new(snapshot: Option<Arc<Snapshot>>, stamp: Option<Stamp>, trouble: Option<String>) -> Self {
        State { snapshot, stamp, writing: Writing::default(), trouble }
    }
}

/// The content of all secrets.
pub(crate) struct Snapshots {
    spec: Spec,
    /// Where each secret's content is to be looked for.
    places: Vec<Option<Place>>,
    states: Vec<Mutex<State>>,
    ledger: Ledger,
    changes: Arc<dyn Listener>,
}

/// What an earlier worker has served on the same mount.
pub(crate) enum Before {
    /// Nothing: this is the first.
    Nothing,
    /// The same, to the same ledger.
    Same,
    /// Something else, with its values and its ledger.
    Other(Box<Spec>, HeldValues, Ledger),
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
    /// Loads all content. A source that cannot be read is an error, unless it has been served before: the
    /// others' readers must not pay for it.
    pub(crate) fn load(
        spec: Spec,
        (underlay, find): (&Arc<Underlay>, FindVariable),
        held: &HeldValues,
        ledger: Ledger,
        before: &Before,
        changes: Arc<dyn Listener>,
    ) -> Result<Self, LoadError> {
        let held: Vec<Arc<SecretBytes>> = held.open()?.into_iter().map(Arc::new).collect();
        let past = Past::new(before)?;
        let mut states = Vec::with_capacity(spec.secrets.len());
        let mut places = Vec::with_capacity(spec.secrets.len());
        for (index, secret) in spec.secrets.iter().enumerate() {
            let served = past.record(index, secret, &ledger);
            let place = Place::of(&secret.source, underlay, find);
            if let (Some(place), Some((_, then))) = (&place, served) {
                wait_for_writer(place, then);
            }
            let (state, rotated) = match (&place, &secret.source) {
                (Some(place), _) => match place.read(spec.max_size) {
                    Ok((bytes, stamp)) => {
                        let changed = served.is_some_and(|(_, then)| stamp != then);
                        let version = served.map_or(1, |(version, _)| version + u64::from(changed));
                        ledger.set(index, version, stamp);
                        let snapshot = Snapshot::new(Arc::new(bytes), version);
                        let stamp = stamp.is_settled().then_some(stamp);
                        (State::new(Some(snapshot), stamp, None), changed)
                    }
                    Err(error) if matches!(before, Before::Same) => {
                        (State::new(None, None, Some(error.to_string())), false)
                    }
                    Err(error) => return Err(error.into()),
                },
                (None, source) => {
                    let value = if let Source::Held(value) = source { held.get(*value) } else { None };
                    let bytes = value.ok_or_else(|| LoadError::NoValue(secret.name.clone()))?;
                    let changed = past.value(secret).is_some_and(|then| then != bytes.expose());
                    let version = served.map_or(1, |(version, _)| version + u64::from(changed));
                    ledger.set(index, version, Stamp::default());
                    let snapshot = Snapshot::new(Arc::clone(bytes), version);
                    (State::new(Some(snapshot), None, None), changed)
                }
            };
            if let Some(snapshot) = &state.snapshot
                && (rotated || !matches!(before, Before::Same))
            {
                changes.hear(Change { secret: index, snapshot: Arc::clone(snapshot), rotated });
            }
            states.push(Mutex::new(state));
            places.push(place);
        }
        Ok(Snapshots { spec, places, states, ledger, changes })
    }

    pub(crate) fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().flatten()
    }

    /// What a secret has now. Looks at the source first: no reader gets what has been replaced.
    pub(crate) fn current(&self, secret: usize) -> Option<Current> {
        let mut state = self.lock(secret)?;
        if let Some(place) = self.places.get(secret)? {
            self.refresh(secret, &mut state, place);
        }
        Some(Current { snapshot: state.snapshot.clone(), trouble: state.trouble.clone() })
    }

    fn refresh(&self, index: usize, state: &mut State, place: &Place) {
        let there = place.stamp();
        if state.stamp.is_some() && state.trouble.is_none() && there == state.stamp {
            return;
        }
        let served = self.ledger.get(index);
        if is_written(state, place, served, there) {
            return;
        }
        match place.read(self.spec.max_size) {
            // Somebody has begun since.
            Ok((_, stamp)) if Some(stamp) != there && is_written(state, place, served, Some(stamp)) => {}
            Ok((bytes, stamp)) => {
                state.stamp = stamp.is_settled().then_some(stamp);
                state.trouble = None;
                let version = match &state.snapshot {
                    Some(now) if now.bytes.expose() == bytes.expose() => {
                        if served.is_none_or(|(_, then)| then != stamp) {
                            self.ledger.set(index, now.version, stamp);
                        }
                        return;
                    }
                    Some(now) => now.version + 1,
                    None => served.map_or(1, |(version, then)| version + u64::from(stamp != then)),
                };
                self.ledger.set(index, version, stamp);
                let rotated = served.is_some_and(|(before, _)| before != version);
                self.replace(index, state, bytes, version, rotated);
            }
            // The last good content stays: an editor may be between two steps.
            Err(error) => {
                state.trouble = Some(match &state.snapshot {
                    Some(now) => format!("{error}; serving version {}", now.version),
                    None => error.to_string(),
                });
            }
        }
    }

    /// Gives a value of the environment other content. One from an env file has it until that changes.
    pub(crate) fn hold(&self, index: usize, bytes: SecretBytes) {
        let Some(mut state) = self.lock(index) else { return };
        let stamp = self.places.get(index).and_then(Option::as_ref).and_then(Place::stamp);
        if stamp.is_some() {
            state.stamp = stamp;
        }
        let version = match &state.snapshot {
            Some(now) if now.bytes.expose() == bytes.expose() => return,
            Some(now) => now.version + 1,
            None => 1,
        };
        self.ledger.set(index, version, stamp.unwrap_or_default());
        self.replace(index, &mut state, bytes, version, true);
    }

    fn replace(&self, index: usize, state: &mut State, bytes: SecretBytes, version: u64, rotated: bool) {
        let snapshot = Snapshot::new(Arc::new(bytes), version);
        state.snapshot = Some(Arc::clone(&snapshot));
        self.changes.hear(Change { secret: index, snapshot, rotated });
    }

    /// Content that an earlier worker served under a version. It counts where this worker could load nothing,
    /// and for a held value that was replaced since it was handed over (`same` plan); under a new plan the
    /// new value wins and is a new version.
    pub(crate) fn recall(&self, index: usize, version: u64, bytes: &HeldValues, same: bool) {
        let (Some(mut state), Some((served, stamp))) = (self.lock(index), self.ledger.get(index)) else {
            return;
        };
        let secret = self.spec.secrets.get(index);
        let held =
            secret.is_some_and(|secret| matches!(secret.source, Source::Held(_) | Source::Variable { .. }));
        if served != version || (state.snapshot.is_some() && !held) {
            return;
        }
        let Some(bytes) = bytes.open().ok().and_then(|values| values.into_iter().next()) else { return };
        match &state.snapshot {
            Some(now) if now.bytes.expose() == bytes.expose() => {}
            Some(now) if !same => {
                let snapshot = Snapshot::new(Arc::clone(&now.bytes), version + 1);
                self.ledger.set(index, version + 1, Stamp::default());
                state.snapshot = Some(Arc::clone(&snapshot));
                self.changes.hear(Change { secret: index, snapshot, rotated: true });
            }
            _ => {
                if let Some(trouble) = &mut state.trouble {
                    trouble.push_str(&format!("; serving version {version}"));
                }
                if state.snapshot.is_some() && stamp != Stamp::default() {
                    // Put there by hand: an env file that has not changed since has no say.
                    state.stamp = Some(stamp);
                }
                state.snapshot = Some(Snapshot::new(Arc::new(bytes), version));
            }
        }
    }

    /// Looks at all sources; what has changed is loaded and the old content freed. Whether one of them is still being
    /// written.
    pub(crate) fn refresh_all(&self) -> bool {
        let is_written = |index: usize| {
            let _ = self.current(index);
            self.lock(index).is_some_and(|state| state.writing.is_known())
        };
        (0..self.states.len()).filter(|index| is_written(*index)).count() > 0
    }

    /// The bytes of all content.
    pub(crate) fn total(&self) -> u64 {
        let size = |index| self.lock(index)?.snapshot.as_ref().map(|now| now.bytes.len() as u64);
        (0..self.states.len()).filter_map(size).sum()
    }

    /// The shape of all secrets.
    pub(crate) fn status(&self) -> Vec<SecretStatus> {
        let one = |(index, secret): (usize, &SecretSpec)| {
            let state = self.lock(index)?;
            let now = state.snapshot.as_ref();
            Some(SecretStatus {
                name: secret.name.clone(),
                kind: secret.kind,
                version: now.map_or(0, |now| now.version),
                size: now.map_or(0, |now| now.bytes.len() as u64),
                loaded: now.map_or(0, |now| seconds(now.loaded)),
                trouble: state.trouble.clone(),
                file: match self.places.get(index)? {
                    Some(place @ (Place::File(_) | Place::Beneath { .. })) => Some(place.file()),
                    Some(Place::Variable { .. }) | None => None,
                },
                earlier: Vec::new(),
            })
        };
        self.spec.secrets.iter().enumerate().filter_map(one).collect()
    }

    fn lock(&self, index: usize) -> Option<MutexGuard<'_, State>> {
        // A panic in another thread leaves the state whole: it is only ever replaced field by field.
        self.states.get(index).map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether somebody is writing a file whose content is known: no reader is given half of that.
fn is_written(state: &mut State, place: &Place, served: Option<(u64, Stamp)>, there: Option<Stamp>) -> bool {
    let (Some(now), Some((_, then)), Some(there)) = (&state.snapshot, served, there) else { return false };
    let goes_on = state.writing.goes_on(there, then, !now.bytes.expose().is_empty());
    if state.writing.is_long() {
        let error = SourceError::Unstable(place.file());
        state.trouble = Some(format!("{error}; serving version {}", now.version));
    }
    goes_on
}

/// A worker that takes another's place has no earlier content to give out meanwhile: it waits for whoever writes.
fn wait_for_writer(place: &Place, then: Stamp) {
    let mut writing = Writing::default();
    for _ in 0..20 {
        match place.stamp() {
            Some(now) if now != then && writing.goes_on(now, then, false) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => return,
        }
    }
}

/// What an earlier worker has served, by name.
struct Past<'a> {
    before: &'a Before,
    secrets: HashMap<(SecretKind, &'a str), usize>,
    held: Vec<SecretBytes>,
}

impl<'a> Past<'a> {
    fn new(before: &'a Before) -> std::io::Result<Self> {
        let Before::Other(spec, held, _) = before else {
            return Ok(Past { before, secrets: HashMap::new(), held: Vec::new() });
        };
        let named = |(index, secret): (usize, &'a SecretSpec)| ((secret.kind, secret.name.as_str()), index);
        let secrets = spec.secrets.iter().enumerate().map(named).collect();
        Ok(Past { before, secrets, held: held.open()? })
    }

    fn index(&self, secret: &SecretSpec) -> Option<usize> {
        self.secrets.get(&(secret.kind, secret.name.as_str())).copied()
    }

    fn record(&self, index: usize, secret: &SecretSpec, ledger: &Ledger) -> Option<(u64, Stamp)> {
        match self.before {
            Before::Nothing => None,
            Before::Same => ledger.get(index),
            Before::Other(_, _, ledger) => ledger.get(self.index(secret)?),
        }
    }

    /// The held value that a name had, if another plan gave it one.
    fn value(&self, secret: &SecretSpec) -> Option<&[u8]> {
        let Before::Other(spec, _, _) = self.before else { return None };
        match spec.secrets.get(self.index(secret)?)?.source {
            Source::Held(value) => self.held.get(value).map(SecretBytes::expose),
            // From a file to a held value: whatever it held, it is not told here.
            Source::File(_) | Source::Beneath(_) | Source::Variable { .. } => Some(&[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    use super::*;
    use crate::spec::{AuditSpec, Scope};

    struct Nobody;

    impl Listener for Nobody {
        fn hear(&self, _: Change) {}
    }

    fn snapshots_of(file: &Path) -> Snapshots {
        let directory = file.parent().unwrap();
        let source = Source::File(file.to_owned());
        let spec = Spec {
            project: "test".to_owned(),
            directory: directory.to_owned(),
            secrets: vec![SecretSpec { name: "pw".to_owned(), kind: SecretKind::Secret, source }],
            files: Vec::new(),
            directories: Vec::new(),
            scope: Scope::Everyone,
            audit: AuditSpec::new(directory.join("audit")),
            max_size: 1000,
            keep: 0,
            hooks: BTreeMap::new(),
        };
        let underlay = Arc::new(Underlay {
            directory: File::open(directory).unwrap().into(),
            mountpoint: PathBuf::new(),
        });
        let held = HeldValues::seal(&[]).unwrap();
        let ledger = Ledger::new().unwrap();
        Snapshots::load(spec, (&underlay, |_, _| None), &held, ledger, &Before::Nothing, Arc::new(Nobody))
            .unwrap()
    }

    fn content(snapshots: &Snapshots) -> Vec<u8> {
        snapshots.current(0).unwrap().snapshot.unwrap().bytes.expose().to_vec()
    }

    #[test]
    fn nobody_is_given_half_of_what_is_written_in_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pw");
        std::fs::write(&path, "AAAAAAAA").unwrap();
        let snapshots = snapshots_of(&path);
        let (mut whole, mut halves) = (b"AAAAAAAA".to_vec(), 0);
        for round in 0..40 {
            let half: &[u8] = if round % 2 == 0 { b"BBBB" } else { b"AAAA" };
            // In two steps, as a shell does with `{ printf a; printf b; } > file`.
            let mut began = Instant::now();
            let mut file = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
            for _ in 0..2 {
                let content = content(&snapshots);
                // A busy machine may have taken longer than a writer does.
                if began.elapsed() < Writing::PAUSE {
                    assert_eq!(content, whole);
                    halves += 1;
                }
                began = Instant::now();
                file.write_all(half).unwrap();
            }
            drop(file);
            // What is at rest is seen, within a tenth of a second.
            std::thread::sleep(Writing::PAUSE + Duration::from_millis(10));
            whole = half.repeat(2);
            assert_eq!(content(&snapshots), whole);
        }
        assert!(halves > 0);
    }

    #[test]
    fn an_emptied_file_may_be_filled_later_and_one_that_takes_its_place_counts_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pw");
        std::fs::write(&path, "old").unwrap();
        let snapshots = snapshots_of(&path);
        let since = Instant::now();
        File::create(&path).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let emptied = content(&snapshots);
        assert!(emptied == b"old" || since.elapsed() > Duration::from_secs(1));
        std::fs::write(directory.path().join("new"), "new").unwrap();
        std::fs::rename(directory.path().join("new"), &path).unwrap();
        assert_eq!(content(&snapshots), b"new");
        // Empty it is, in the end.
        File::create(&path).unwrap();
        let since = Instant::now();
        while content(&snapshots) != b"" {
            assert!(since.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(since.elapsed() > Duration::from_millis(500));
    }
}
