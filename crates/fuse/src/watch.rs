//! Watches the directories of the sources, so that old content is let go when it is replaced and not only
//! when somebody next opens the file.

use std::collections::{BTreeMap, BTreeSet};
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
    let beneath = Beneath::of(snapshots);
    let wanted = directories(snapshots, &beneath);
    if wanted.is_empty() {
        return Ok(());
    }
    let (sender, receiver) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reads are events too; looking again because of them would never end.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = sender.send(());
        }
    })?;
    let mut watched = BTreeMap::new();
    watch(&mut watcher, &mut watched, wanted);
    let snapshots = Arc::clone(snapshots);
    std::thread::spawn(move || {
        let mut is_written = false;
        loop {
            let happened = match receiver.recv_timeout(if is_written { SETTLE } else { SAME }) {
                Ok(()) => {
                    let since = Instant::now();
                    while since.elapsed() < SETTLED && receiver.recv_timeout(SETTLE).is_ok() {}
                    true
                }
                Err(RecvTimeoutError::Timeout) => is_written,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // A link that leads elsewhere now, or another directory in one's place.
            let wanted =
                if happened { directories(&snapshots, &beneath) } else { watched.keys().cloned().collect() };
            if watch(&mut watcher, &mut watched, wanted) || happened {
                is_written = snapshots.refresh_all();
            }
        }
    });
    Ok(())
}

/// Names that lead past the mount to the directories beneath it; each is valid as long as its descriptor.
struct Beneath {
    names: BTreeSet<PathBuf>,
    _valid: Vec<OwnedFd>,
}

impl Beneath {
    fn of(snapshots: &Snapshots) -> Self {
        let mut seen: BTreeSet<&Path> = BTreeSet::new();
        let (mut names, mut valid) = (BTreeSet::new(), Vec::new());
        for place in snapshots.places() {
            let Place::Beneath { underlay, path } = place else { continue };
            let Some(parent) = path.parent().filter(|parent| seen.insert(parent)) else { continue };
            if let Ok((descriptor, name)) = underlay.reach(parent) {
                valid.push(descriptor);
                names.insert(name);
            }
        }
        Beneath { names, _valid: valid }
    }
}

/// In which directories a change may be a new value. A watch on a file itself would be lost with the first rename over
/// it; of a symbolic link the directories count that it leads through.
fn directories(snapshots: &Snapshots, beneath: &Beneath) -> BTreeSet<PathBuf> {
    let mut directories = beneath.names.clone();
    for place in snapshots.places() {
        let files = match place {
            Place::File(path) => std::slice::from_ref(path),
            Place::Variable { files, .. } => files,
            Place::Beneath { .. } => continue,
        };
        for file in files {
            add_way_to(file, &mut directories);
        }
    }
    directories
}

/// The kernel follows no more links than this.
const MOST_LINKS: usize = 40;

fn add_way_to(file: &Path, directories: &mut BTreeSet<PathBuf>) {
    let mut path = file.to_owned();
    for _ in 0..MOST_LINKS {
        let Some(parent) = path.parent().map(Path::to_owned) else { return };
        let target = std::fs::read_link(&path);
        // Links in the way to it, too: `..data` of a mounted volume is one.
        let real = target.as_ref().ok().and_then(|_| std::fs::canonicalize(&parent).ok());
        let from = real.clone().unwrap_or_else(|| parent.clone());
        directories.insert(parent);
        directories.extend(real);
        let Ok(target) = target else { return };
        path = from.join(target);
    }
}

/// Watches what is wanted and not watched yet, and directories in whose place there is another one now; whether there was
/// any.
fn watch(watcher: &mut RecommendedWatcher, watched: &mut Watched, wanted: BTreeSet<PathBuf>) -> bool {
    let mut any = false;
    let gone: Vec<PathBuf> = watched.keys().filter(|known| !wanted.contains(*known)).cloned().collect();
    for directory in gone {
        watched.remove(&directory);
        let _ = watcher.unwatch(&directory);
    }
    for directory in wanted {
        let is = identity(&directory);
        match watched.get(&directory) {
            Some(was) if *was == is => continue,
            // A watch goes along with a directory that is renamed.
            Some(_) => drop(watcher.unwatch(&directory)),
            None => {}
        }
        any = true;
        // One that is gone, or one too many for the kernel, must not cost the others their watch.
        if let Err(error) = watcher.watch(&directory, RecursiveMode::NonRecursive)
            && !watched.contains_key(&directory)
        {
            let shown = directory.display();
            log(&format!("cannot watch {shown}, its files are looked at when opened: {error}"));
        }
        watched.insert(directory, is);
    }
    any
}

/// The directories that are watched, by what they were then.
type Watched = BTreeMap<PathBuf, Option<(u64, u64)>>;

/// Device and inode; nothing for what is not there.
fn identity(directory: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(directory).ok().map(|facts| (facts.dev(), facts.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directory_that_a_link_leads_through_is_watched() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for directory in ["secrets", "live/v1", "archive"] {
            std::fs::create_dir_all(at(directory)).unwrap();
        }
        std::fs::write(at("archive/key"), "").unwrap();
        std::os::unix::fs::symlink("../../archive/key", at("live/v1/key")).unwrap();
        std::os::unix::fs::symlink("v1", at("live/data")).unwrap();
        std::os::unix::fs::symlink("../live/data/key", at("secrets/key")).unwrap();
        let mut found = BTreeSet::new();
        add_way_to(&at("secrets/key"), &mut found);
        let real: BTreeSet<PathBuf> = found.iter().map(|path| std::fs::canonicalize(path).unwrap()).collect();
        assert_eq!(real, [at("archive"), at("live/v1"), at("secrets")].into());
        std::os::unix::fs::symlink("loop", at("secrets/loop")).unwrap();
        add_way_to(&at("secrets/loop"), &mut found);
    }
}
