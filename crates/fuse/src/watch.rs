//! Watches the directories of the sources, so that old content is let go when it is replaced and not only
//! when somebody next opens the file.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::snapshot::Snapshots;
use crate::spec::Source;
use crate::supervisor::log;

/// Editors write in several steps; one look after the last of them is enough.
const SETTLE: Duration = Duration::from_millis(50);

/// Starts watching. Where the kernel has no watches left, opens still see every change.
pub(crate) fn start(snapshots: &Arc<Snapshots>) -> Result<Option<RecommendedWatcher>, notify::Error> {
    // A watch on the file itself would be lost with the first rename over it.
    let directories: BTreeSet<&Path> = snapshots
        .spec()
        .secrets
        .iter()
        .filter_map(|secret| match &secret.source {
            Source::File(path) => path.parent(),
            Source::Held(_) => None,
        })
        .collect();
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
        if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
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
