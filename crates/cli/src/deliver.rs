//! From the plan to what the file system serves: policy first, then sources, owners, values.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use cosec_core::compose::{Environment, LoadError};
use cosec_core::files::{Answer, FileSystem, GitState};
use cosec_core::gitignore;
use cosec_core::plan::{Delivery, Kind, ValueSource};
use cosec_core::settings::Serve;
use cosec_fuse::{
    AuditSpec, FileSpec, Grant, HeldValues, OnAuditFailure, Scope, SecretKind, SecretSpec, Source,
    SourceError, Spec,
};

use crate::config;
use crate::disk::{Disk, absolute};
use crate::failure::{self, Failure};
use crate::project::Loaded;

/// Numeric owner of a delivered file.
#[derive(Clone, Copy)]
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Refuses what git would commit. All of it at once, so that one look mends all.
pub(crate) fn check_policy(
    loaded: &Loaded,
    deliveries: &[Delivery],
    allow_unignored: bool,
) -> Result<(), Failure> {
    if allow_unignored {
        return Ok(());
    }
    let disk = Disk::default();
    let mut refusals: Vec<String> = Vec::new();
    for delivery in deliveries {
        // A config is no secret: it may well be in git.
        let (ValueSource::File(path), Kind::Secret) = (&delivery.source, delivery.kind) else { continue };
        let refusal = committed(&disk, &loaded.project.directory, path, &delivery.secret);
        let Some(refusal) = refusal else { continue };
        if !refusals.contains(&refusal) {
            refusals.push(refusal);
        }
    }
    if refusals.is_empty() {
        warn_of_env_files(&disk, loaded, deliveries);
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "refusing to serve what git would commit\n{}\nor pass --allow-unignored",
        refusals.join("\n")
    )))
}

/// Says which env files git would commit: a secret in one is as good as committed, and it holds more than secrets, so that
/// it is no refusal.
fn warn_of_env_files(disk: &Disk, loaded: &Loaded, deliveries: &[Delivery]) {
    let mut said: BTreeSet<String> = BTreeSet::new();
    for delivery in deliveries.iter().filter(|delivery| delivery.kind == Kind::Secret) {
        let ValueSource::Environment(variable) = &delivery.source else { continue };
        for file in loaded.env_files_of(variable).into_iter().flatten() {
            let file = from_here(&file);
            if let Some(message) = committed(disk, &loaded.project.directory, &file, &delivery.secret)
                && said.insert(file)
            {
                anstream::eprintln!("warning: {message}");
            }
        }
    }
}

/// What is to be said of a secret's file that git would commit. Where links lead to it, that is the file at their end.
pub(crate) fn committed(disk: &Disk, directory: &str, path: &str, secret: &str) -> Option<String> {
    let end = disk.real_path(path).and_then(|_| std::fs::canonicalize(path).ok()).map(|end| from_here(&end));
    let what_for = match &end {
        Some(_) => format!("which {path}, the file of the secret `{secret}`, leads to"),
        None => format!("the file of the secret `{secret}`"),
    };
    let file = end.as_deref().unwrap_or(path);
    Some(match disk.git(path) {
        Answer::Known(GitState::Ignored | GitState::NoRepository) => return None,
        Answer::Known(state) => {
            let what = if state == GitState::Tracked { "git tracks" } else { "git does not ignore" };
            let advice = gitignore::advice(directory, file, state);
            format!("{what} {file}, {what_for}\n  {advice}")
        }
        Answer::NotChecked(reason) => {
            format!("whether git would commit {file}, {what_for}, is not known: {reason}")
        }
    })
}

/// A path as it is from where the user stands, if it lies there.
fn from_here(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    below.unwrap_or(path).display().to_string()
}

/// What the file system serves: one file for each delivery, and the values that come from no file.
pub(crate) struct Served {
    pub(crate) spec: Spec,
    pub(crate) held: HeldValues,
}

/// Builds the file system's specification. `ids` tells each delivery's owner.
pub(crate) fn serve(
    loaded: &Loaded,
    deliveries: &[Delivery],
    audit: PathBuf,
    mut ids: impl FnMut(&Delivery) -> Result<Ids, Failure>,
) -> Result<Served, Failure> {
    let limits = limits(loaded)?;
    let mut values: Vec<zeroize::Zeroizing<Vec<u8>>> = Vec::new();
    let mut known: HashMap<(SecretKind, &str), usize> = HashMap::with_capacity(deliveries.len());
    let (mut secrets, mut files): (Vec<SecretSpec>, Vec<FileSpec>) = (Vec::new(), Vec::new());
    for delivery in deliveries {
        let Ids { uid, gid } = ids(delivery)?;
        let (name, kind) = (&delivery.secret, kind_of(delivery));
        let secret = match known.get(&(kind, name.as_str())) {
            Some(index) => *index,
            None => {
                let source = source(loaded, delivery, limits.max_size, &mut values)?;
                known.insert((kind, name), secrets.len());
                secrets.push(SecretSpec { name: name.clone(), kind, source });
                secrets.len() - 1
            }
        };
        let (path, service) = (path_in_mount(delivery), delivery.service.clone());
        let grants = vec![Grant { service, uid, gid, mode: delivery.mode }];
        files.push(FileSpec { path, secret, grants });
    }
    let held = HeldValues::seal(&values)
        .map_err(|error| Failure::Cannot(format!("cannot keep the values in memory: {error}")))?;
    let spec = Spec {
        project: loaded.project.name.clone(),
        directory: loaded.directory.clone(),
        secrets,
        files,
        scope: Scope::Everyone,
        audit: audit_spec(&limits, audit),
        directories: Vec::new(),
        max_size: limits.max_size,
        keep: limits.versions,
        hooks: BTreeMap::new(),
    };
    Ok(Served { spec, held })
}

/// What the project's `cosec.toml` says of limits.
pub(crate) fn limits(loaded: &Loaded) -> Result<Serve, Failure> {
    Ok(config::of(None, &loaded.directory)?.settings.serve)
}

pub(crate) fn audit_spec(limits: &Serve, path: PathBuf) -> AuditSpec {
    let on_failure = if limits.audit_warns { OnAuditFailure::Warn } else { OnAuditFailure::Deny };
    AuditSpec { path, on_failure, max_bytes: limits.audit_max_size }
}

pub(crate) fn kind_of(delivery: &Delivery) -> SecretKind {
    match delivery.kind {
        Kind::Secret => SecretKind::Secret,
        Kind::Config => SecretKind::Config,
    }
}

fn source(
    loaded: &Loaded,
    delivery: &Delivery,
    largest: u64,
    values: &mut Vec<zeroize::Zeroizing<Vec<u8>>>,
) -> Result<Source, Failure> {
    let (kind, name) = (delivery.kind, &delivery.secret);
    let value = match &delivery.source {
        ValueSource::File(path) => {
            let path = absolute(Path::new(path));
            return match cosec_fuse::check_source(&path, largest) {
                Ok(()) => Ok(Source::File(path)),
                Err(SourceError::Other { error, .. }) if failure::is_dead_mount(&error) => {
                    Err(failure::dead_mount(&path))
                }
                Err(error) => {
                    Err(cannot_serve(loaded, delivery, format!("the file of the {kind} `{name}`: {error}")))
                }
            };
        }
        ValueSource::Environment(variable) => {
            let value = value_of(&loaded.environment, variable, name, largest);
            let value = value.map_err(|message| cannot_serve(loaded, delivery, message))?;
            if let Some(files) = loaded.env_files_of(variable) {
                return Ok(Source::Variable { files, name: variable.clone() });
            }
            value
        }
        ValueSource::Content(_) => {
            let content = cosec_core::extension::content(&loaded.root, name).ok_or_else(|| {
                Failure::Cannot(format!(
                    "the config `{name}` has no source; give it a `file:`, an `environment:` or a `content:`"
                ))
            })?;
            zeroize::Zeroizing::new(content.as_bytes().to_vec())
        }
    };
    values.push(value);
    Ok(Source::Held(values.len() - 1))
}

/// What is wrong with a source, shown where the Compose file names it.
pub(crate) fn cannot_serve(loaded: &Loaded, delivery: &Delivery, message: String) -> Failure {
    let definitions = match delivery.kind {
        Kind::Secret => &loaded.project.secrets,
        Kind::Config => &loaded.project.configs,
    };
    let definition = definitions.iter().find(|definition| *definition.name == *delivery.secret);
    let source = definition.and_then(|found| found.file.as_ref().or(found.environment.as_ref()));
    let span = source.map_or(delivery.span, |source| source.span);
    loaded.show(&LoadError { message, span: Some(span), related: None })
}

/// The value of an environment variable, or what is wrong.
fn value_of(
    environment: &Environment,
    name: &str,
    secret: &str,
    largest: u64,
) -> Result<zeroize::Zeroizing<Vec<u8>>, String> {
    let binding = environment.get(name).ok_or_else(|| {
        format!(
            "the secret `{secret}` comes from the environment variable {name}, which is not set; set it, or write it in .env"
        )
    })?;
    if binding.value.len() as u64 > largest {
        return Err(format!(
            "the secret `{secret}` is larger than {largest} bytes, the most a secret may have (`[serve] max-size` in cosec.toml)"
        ));
    }
    Ok(zeroize::Zeroizing::new(binding.value.as_bytes().to_vec()))
}

/// A delivery's file below the mount point: the service, then the target.
pub(crate) fn path_in_mount(delivery: &Delivery) -> String {
    format!("{}{}", delivery.service, delivery.target)
}
