//! Watches the directories of the sources, so that old content is let go when it is replaced and not only
//! when somebody next opens the file.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::snapshot::Snapshots;
use crate::source::Place;
use crate::supervisor::log;

/// Editors write in several steps; one look after the last of them is enough.
const SETTLE: Duration = Duration::from_millis(50);

/// What never settles, such as a log beside the secrets, is looked at all the same.
const SETTLED: Duration = Duration::from_millis(500);

/// How often it is asked whether the directories are still the same: a watch goes along with one that is renamed.
const SAME: Duration = Duration::from_secs(1);

/// Starts watching. Where the kernel has no watches left, opens still see every change.
pub(crate) fn start(snapshots: &Arc<Snapshots>) -> Result<(), notify::Error> {
    // A watch on the file itself would be lost with the first rename over it.
    let mut directories: BTreeSet<PathBuf> = BTreeSet::new();
    let mut beneath: BTreeSet<&Path> = BTreeSet::new();
    // A name past the mount is valid as long as its descriptor.
    let mut names: Vec<OwnedFd> = Vec::new();
    for place in snapshots.places() {
        match place {
            Place::File(path) => directories.extend(path.parent().map(Path::to_owned)),
            Place::Variable { files, .. } => {
                directories.extend(files.iter().filter_map(|file| file.parent()).map(Path::to_owned));
            }
            Place::Beneath { underlay, path } => {
                let Some(parent) = path.parent().filter(|parent| beneath.insert(parent)) else { continue };
                if let Ok((descriptor, name)) = underlay.reach(parent) {
                    names.push(descriptor);
                    directories.insert(name);
                }
            }
        }
    }
    if directories.is_empty() {
        return Ok(());
    }
    let (sender, receiver) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reads are events too; looking again because of them would never end.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = sender.send(());
        }
    })?;
    let mut watched: Vec<(PathBuf, Option<(u64, u64)>)> = Vec::new();
    for directory in directories {
        let is = identity(&directory);
        // One that is gone, or one too many for the kernel, must not cost the others their watch.
        if let Err(error) = watcher.watch(&directory, RecursiveMode::NonRecursive) {
            let shown = directory.display();
            log(&format!("cannot watch {shown}, its files are looked at when opened: {error}"));
        }
        watched.push((directory, is));
    }
    let snapshots = Arc::clone(snapshots);
    std::thread::spawn(move || {
        // They name what is watched.
        let _names = names;
        loop {
            match receiver.recv_timeout(SAME) {
                Ok(()) => {
                    let since = Instant::now();
                    while since.elapsed() < SETTLED && receiver.recv_timeout(SETTLE).is_ok() {}
                }
                Err(RecvTimeoutError::Timeout) => {
                    if !watch_anew(&mut watcher, &mut watched) {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            snapshots.refresh_all();
        }
    });
    Ok(())
}

/// Watches those directories again in whose place there is another one now; whether there was any.
fn watch_anew(watcher: &mut RecommendedWatcher, watched: &mut [(PathBuf, Option<(u64, u64)>)]) -> bool {
    let mut any = false;
    for (directory, was) in watched {
        let is = identity(directory);
        if is == *was {
            continue;
        }
        *was = is;
        any = true;
        let _ = watcher.unwatch(directory);
        if is.is_some() {
            let _ = watcher.watch(directory, RecursiveMode::NonRecursive);
        }
    }
    any
}

/// Device and inode; nothing for what is not there.
fn identity(directory: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(directory).ok().map(|facts| (facts.dev(), facts.ino()))
}
