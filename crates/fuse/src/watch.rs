//! Watches the directories of the sources, so that old content is let go when it is replaced and not only
//! when somebody next opens the file.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::snapshot::Snapshots;
use crate::source::Place;
use crate::supervisor::log;

/// Editors write in several steps; one look after the last of them is enough.
const SETTLE: Duration = Duration::from_millis(50);

/// Starts watching. Where the kernel has no watches left, opens still see every change.
pub(crate) fn start(snapshots: &Arc<Snapshots>) -> Result<Option<RecommendedWatcher>, notify::Error> {
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
        return Ok(None);
    }
    let (sender, receiver) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reads are events too; looking again because of them would never end.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = sender.send(());
        }
    })?;
    for directory in directories {
        // One that is gone, or one too many for the kernel, must not cost the others their watch.
        if let Err(error) = watcher.watch(&directory, RecursiveMode::NonRecursive) {
            let shown = directory.display();
            log(&format!("cannot watch {shown}, its files are looked at when opened: {error}"));
        }
    }
    let snapshots = Arc::clone(snapshots);
    std::thread::spawn(move || {
        while receiver.recv().is_ok() {
            while receiver.recv_timeout(SETTLE).is_ok() {}
            snapshots.refresh_all();
        }
    });
    Ok(Some(watcher))
}
