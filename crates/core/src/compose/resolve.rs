//! Paths as they are seen from a directory. (compose-go `paths/`)
//!
//! Resolving twice is resolving against both directories in turn: an included file's paths are first
//! brought to its project directory, then to the one of the project that includes it.

use super::canonical::members;
use super::value::{Data, Value};
use crate::files::{FileSystem, join};

/// Resolves the paths of a canonical model against `directory`.
pub(super) fn resolve_paths(files: &dyn FileSystem, model: &mut Value, directory: &str) {
    let resolver = Resolver { files, directory };
    for (_, entry) in members(model, "services") {
        resolver.service(&mut entry.value);
    }
    for section in ["configs", "secrets"] {
        for (_, entry) in members(model, section) {
            entry.value.get_mut("file").into_iter().for_each(|file| resolver.path(file));
        }
    }
    for (_, entry) in members(model, "volumes") {
        let volume = &mut entry.value;
        if volume.get("driver").and_then(Value::as_str) != Some("local") {
            continue;
        }
        let Some(options) = volume.get_mut("driver_opts") else { continue };
        if options.get("o").and_then(Value::as_str) == Some("bind") {
            options.get_mut("device").into_iter().for_each(|device| resolver.path(device));
        }
    }
    for item in model.get_mut("include").and_then(Value::as_seq_mut).into_iter().flatten() {
        for key in ["path", "project_directory", "env_file"] {
            item.get_mut(key).into_iter().for_each(|path| resolver.paths(path));
        }
    }
}

struct Resolver<'a> {
    files: &'a dyn FileSystem,
    directory: &'a str,
}

impl Resolver<'_> {
    fn service(&self, service: &mut Value) {
        if let Some(build) = service.get_mut("build") {
            // Where short forms have not been written out.
            if matches!(build.data, Data::Str(_)) {
                self.context(build);
            }
            build.get_mut("context").into_iter().for_each(|context| self.context(context));
            for (_, entry) in
                build.get_mut("additional_contexts").and_then(Value::as_map_mut).into_iter().flatten()
            {
                self.context(&mut entry.value);
            }
            for (_, entry) in build.get_mut("ssh").and_then(Value::as_map_mut).into_iter().flatten() {
                self.path(&mut entry.value);
            }
        }
        if let Some(env_file) = service.get_mut("env_file") {
            self.env_file(env_file);
        }
        service.get_mut("label_file").into_iter().for_each(|paths| self.paths(paths));
        if let Some(file) = service.get_mut("extends").and_then(|extends| extends.get_mut("file"))
            && !is_remote(file)
        {
            self.paths(file);
        }
        let watches = service.get_mut("develop").and_then(|develop| develop.get_mut("watch"));
        for watch in watches.and_then(Value::as_seq_mut).into_iter().flatten() {
            let Some(path) = watch.get_mut("path") else { continue };
            self.paths(path);
            if let Data::Str(text) = &path.data
                && text.starts_with('/')
                && let Some(real) = self.files.real_path(text)
            {
                path.data = Data::Str(real.into());
            }
        }
        for volume in service.get_mut("volumes").and_then(Value::as_seq_mut).into_iter().flatten() {
            if volume.get("type").and_then(Value::as_str) == Some("bind") {
                volume.get_mut("source").into_iter().for_each(|source| self.path(source));
            }
        }
    }

    fn env_file(&self, value: &mut Value) {
        match &mut value.data {
            Data::Seq(items) => items.iter_mut().for_each(|item| self.env_file(item)),
            Data::Map(_) => {
                value.get_mut("path").into_iter().for_each(|path| self.paths(path));
            }
            _ => self.paths(value),
        }
    }

    /// A path, which may be one of Windows already.
    fn path(&self, value: &mut Value) {
        let Data::Str(text) = &value.data else { return };
        let text = self.home(text);
        let is_drive =
            matches!(text.as_bytes(), [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic());
        let absolute = text.starts_with('/') || text.starts_with("\\\\") || is_drive;
        value.data = Data::Str(if absolute { text } else { join(self.directory, &text) }.into());
    }

    /// A path or a list of paths; an empty one stays.
    fn paths(&self, value: &mut Value) {
        match &mut value.data {
            Data::Seq(items) => items.iter_mut().for_each(|item| self.paths(item)),
            Data::Str(text) if !text.is_empty() => {
                let expanded = self.home(text);
                let absolute = expanded.starts_with('/');
                *text = if absolute { expanded } else { join(self.directory, &expanded) }.into();
            }
            _ => {}
        }
    }

    fn context(&self, value: &mut Value) {
        if !value.as_str().is_some_and(is_remote_context) {
            self.paths(value);
        }
    }

    /// `~` as the user's home.
    fn home(&self, path: &str) -> String {
        match (path.strip_prefix('~'), self.files.home()) {
            (Some(rest), Some(home)) => join(&home, rest.trim_start_matches('/')),
            _ => path.to_owned(),
        }
    }
}

/// A build context that is no directory of this machine.
pub(super) fn is_remote_context(text: &str) -> bool {
    text.contains("://") || ["service:", "github.com/", "git@"].iter().any(|start| text.starts_with(start))
}

/// What git or a registry would have to give.
pub(super) fn is_remote(value: &Value) -> bool {
    value.as_str().is_some_and(is_remote_text)
}

/// A reference to a git repository or an OCI artifact, in the forms that Compose takes.
pub(super) fn is_remote_text(path: &str) -> bool {
    ["https://", "http://", "git://", "ssh://", "github.com/", "git@", "oci://"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}
