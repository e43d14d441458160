//! Serving over the directories that a project's `file:` secrets lie in, so that whoever binds one of their files
//! into a container binds the served one.
//!
//! A file has one path for all, so who sees it how is decided by who asks: each service by its own grant, a
//! process of the host by owner and mode of the file itself. What else lies in such a directory is served too:
//! a mount hides all that is below it.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cosec_core::plan::{Delivery, Kind, ValueSource};
use cosec_fuse::{
    Client, DirectorySpec, FileSpec, Grant, HeldValues, Scope, SecretKind, SecretSpec, Source, Spec,
};
use rustix::fs::{Mode, OFlags};

use crate::deliver::{self, Ids, Served};
use crate::disk::absolute;
use crate::failure::{self, Failure};
use crate::project::Loaded;
use crate::runtime::Runtime;

/// A directory of secrets has no more files than this.
const MOST_FILES: usize = 10_000;

/// A delivery from a file, and where that lies: the links in the directory's path resolved, the file's own not.
struct Placed<'p> {
    delivery: &'p Delivery,
    file: PathBuf,
}

/// The directories to be mounted over: those of the secrets, and of nested ones the outermost.
pub(crate) fn directories(loaded: &Loaded, deliveries: &[Delivery]) -> Result<Vec<PathBuf>, Failure> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut refusals: Vec<String> = Vec::new();
    for Placed { delivery, file } in placed(loaded, deliveries)? {
        let Some(directory) = file.parent().filter(|_| delivery.kind == Kind::Secret) else { continue };
        if found.iter().any(|known| known == directory) {
            continue;
        }
        if let Some(reason) = unfit(loaded, directory) {
            refusals.push(format!("the secret `{}`: {} {reason}", delivery.secret, directory.display()));
        }
        found.push(directory.to_owned());
    }
    if !refusals.is_empty() {
        refusals.dedup();
        return Err(Failure::Refused(format!(
            "cosec mounts over whole directories, and these hold more than secrets; move the secrets' files into a directory of their own, such as ./secrets\n{}",
            refusals.join("\n")
        )));
    }
    let all = found.clone();
    found.retain(|directory| !all.iter().any(|other| other != directory && directory.starts_with(other)));
    Ok(found)
}

/// Why a directory must not be mounted over: it would become read-only as a whole.
fn unfit(loaded: &Loaded, directory: &Path) -> Option<&'static str> {
    let holds = |path: &Path| std::fs::canonicalize(path).is_ok_and(|path| path.starts_with(directory));
    if holds(&loaded.directory) || loaded.files.iter().any(|file| holds(file)) {
        return Some("holds the project's own files");
    }
    if std::env::var_os("HOME").is_some_and(|home| holds(Path::new(&home))) {
        return Some("holds a home directory");
    }
    if directory.join(".git").exists() {
        return Some("is a git repository");
    }
    std::env::current_dir()
        .is_ok_and(|here| holds(&here))
        .then_some("is where this command runs; leave it first")
}

fn placed<'p>(loaded: &Loaded, deliveries: &'p [Delivery]) -> Result<Vec<Placed<'p>>, Failure> {
    let mut found = Vec::new();
    for delivery in deliveries {
        let ValueSource::File(path) = &delivery.source else { continue };
        let path = absolute(Path::new(path));
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { continue };
        // That there is no such directory is told with the file.
        let directory = std::fs::canonicalize(directory).map_err(|error| {
            if failure::is_dead_mount(&error) {
                return failure::dead_mount(&path);
            }
            let (kind, name) = (delivery.kind, &delivery.secret);
            let message = format!("the file of the {kind} `{name}`: {}: {error}", path.display());
            deliver::cannot_serve(loaded, delivery, message)
        })?;
        found.push(Placed { delivery, file: directory.join(name) });
    }
    Ok(found)
}

/// What is served over a directory.
pub(crate) fn serve(
    loaded: &Loaded,
    deliveries: &[Delivery],
    directory: &Path,
    runtime: &Runtime,
    audit: PathBuf,
    mut ids: impl FnMut(&Delivery) -> Result<Ids, Failure>,
) -> Result<Served, Failure> {
    let limits = deliver::limits(loaded)?;
    let beneath = beneath(runtime, directory)?;
    let placed = placed(loaded, deliveries)?;
    let mut spec = Spec {
        project: loaded.project.name.clone(),
        directory: loaded.directory.clone(),
        secrets: Vec::new(),
        files: Vec::new(),
        directories: Vec::new(),
        scope: Scope::Services { host: false },
        audit: deliver::audit_spec(&limits, audit),
        max_size: limits.max_size,
        keep: limits.versions,
        hooks: BTreeMap::new(),
    };
    let binds = binds(loaded);
    for (path, facts) in list(&beneath, directory)? {
        if facts.is_dir() {
            let path = path.to_string_lossy().into_owned();
            let (uid, gid, mode) = (facts.uid(), facts.gid(), facts.mode() & 0o777);
            spec.directories.push(DirectorySpec { path, uid, gid, mode });
            continue;
        }
        let file = directory.join(&path);
        let own: Vec<&Delivery> =
            placed.iter().filter(|placed| placed.file == file).map(|placed| placed.delivery).collect();
        let text = path.to_str().ok_or_else(|| unfit_entry(&file, "has a name that is no UTF-8"))?;
        if own.is_empty() && facts.is_symlink() {
            return Err(unfit_entry(&file, "is a symbolic link"));
        }
        let facts = if facts.is_symlink() { metadata(&beneath, &path, &file)? } else { facts };
        if !facts.is_file() {
            return Err(unfit_entry(&file, "is no regular file"));
        }
        if facts.len() > spec.max_size {
            return Err(unfit_entry(
                &file,
                "is larger than a secret may be (`[serve] max-size` in cosec.toml)",
            ));
        }
        let mut grants: Vec<Grant> = Vec::new();
        let grant = |service: &str, Ids { uid, gid }, mode| Grant { service: service.into(), uid, gid, mode };
        let as_it_is =
            |service: &str| grant(service, Ids { uid: facts.uid(), gid: facts.gid() }, facts.mode() & 0o777);
        for delivery in &own {
            let wanted = grant(&delivery.service, ids(delivery)?, delivery.mode);
            match grants.iter().find(|known| known.service == delivery.service) {
                Some(known) if *known != wanted => {
                    return Err(Failure::Refused(format!(
                        "service `{}` is granted `{}` twice with another owner or mode, and the file below {} can look one way \
                         only to it; use `cosec up`, or grant two secrets with a file each",
                        delivery.service,
                        delivery.secret,
                        directory.display()
                    )));
                }
                Some(_) => {}
                None => grants.push(wanted),
            }
        }
        for (service, _) in binds.iter().filter(|(_, source)| file.starts_with(source)) {
            if !grants.iter().any(|known| known.service == *service) {
                grants.push(as_it_is(service));
            }
        }
        grants.push(as_it_is(""));
        let (name, kind) = match own.first() {
            Some(first) => (first.secret.clone(), deliver::kind_of(first)),
            // No secret has a slash in its name.
            None => (format!("./{text}"), SecretKind::Config),
        };
        spec.files.push(FileSpec { path: text.to_owned(), secret: spec.secrets.len(), grants });
        spec.secrets.push(SecretSpec { name, kind, source: Source::Beneath(path) });
    }
    for Placed { delivery, file } in &placed {
        let there = || spec.files.iter().any(|known| directory.join(&known.path) == *file);
        if delivery.kind == Kind::Secret && file.starts_with(directory) && !there() {
            let message = format!(
                "the file of the secret `{}`: {} does not exist; create it, or correct the path",
                delivery.secret,
                file.display()
            );
            return Err(deliver::cannot_serve(loaded, delivery, message));
        }
    }
    let held = HeldValues::seal(&[])
        .map_err(|error| Failure::Cannot(format!("cannot keep the values in memory: {error}")))?;
    Ok(Served { spec, held })
}

/// What services bind by `volumes:`, each with where that really is.
fn binds(loaded: &Loaded) -> Vec<(String, PathBuf)> {
    let Some(Ok(config)) = loaded.resolved.as_ref().map(|resolved| resolved.config(&[])) else {
        return Vec::new();
    };
    let services = config["services"].as_object();
    let of_each = services.into_iter().flatten().flat_map(|(name, service)| {
        let volumes = service["volumes"].as_array().into_iter().flatten();
        volumes.filter(|volume| volume["type"] == "bind").filter_map(|volume| {
            let source = std::fs::canonicalize(volume["source"].as_str()?).ok()?;
            Some((name.clone(), source))
        })
    });
    of_each.collect()
}

fn unfit_entry(file: &Path, what: &str) -> Failure {
    Failure::Refused(format!(
        "{} {what}, and a mount over its directory would hide it; move it elsewhere",
        file.display()
    ))
}

/// A directory as it is without a mount over it.
fn beneath(runtime: &Runtime, directory: &Path) -> Result<OwnedFd, Failure> {
    if let Ok(mut client) = Client::connect(runtime.directory()) {
        return client.underlay().map_err(|error| Failure::Cannot(error.to_string()));
    }
    rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| Failure::Cannot(format!("cannot open {}: {error}", directory.display())))
}

/// A name of a file below an open directory that leads past what is mounted there.
pub(crate) fn past_mount(directory: impl AsFd, path: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_fd().as_raw_fd())).join(path)
}

fn metadata(directory: &OwnedFd, path: &Path, shown: &Path) -> Result<Metadata, Failure> {
    std::fs::metadata(past_mount(directory, path)).map_err(|error| {
        if failure::is_dead_mount(&error) {
            return failure::dead_mount(shown);
        }
        Failure::Cannot(format!("cannot look at {}: {error}", shown.display()))
    })
}

/// A directory and all that lies below it, by its path there.
fn list(directory: &OwnedFd, shown: &Path) -> Result<BTreeMap<PathBuf, Metadata>, Failure> {
    let mut found = BTreeMap::from([(PathBuf::new(), metadata(directory, Path::new("."), shown)?)]);
    let mut open = vec![PathBuf::new()];
    while let Some(inside) = open.pop() {
        let cannot = |error: std::io::Error| {
            Failure::Cannot(format!("cannot read {}: {error}", shown.join(&inside).display()))
        };
        for entry in std::fs::read_dir(past_mount(directory, &inside)).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let path = inside.join(entry.file_name());
            let facts = entry.metadata().map_err(cannot)?;
            if facts.is_dir() {
                open.push(path.clone());
            }
            found.insert(path, facts);
            if found.len() > MOST_FILES {
                return Err(Failure::Refused(format!(
                    "{} holds more than {MOST_FILES} files; move the secrets into a directory of their own",
                    shown.display()
                )));
            }
        }
    }
    Ok(found)
}
