//! What rules and plan read of a project, in both spellings of each thing that Compose has.

use std::cell::RefCell;
use std::sync::Arc;

use super::load::{Interpolation, LoadError, LoadRequest};
use super::resolve::is_remote_context;
use super::value::{Data, Map, Text, Value};
use crate::files;
use crate::source::{Sources, Span};

/// A Compose project.
#[derive(Debug)]
pub struct Project {
    /// Its name; empty where neither the file nor the caller gives one.
    pub name: String,
    /// The directory that relative paths start from.
    pub directory: String,
    /// Services in file order.
    pub services: Vec<Service>,
    /// Top-level `secrets:`
    pub secrets: Vec<SecretDef>,
    /// Top-level `configs:`
    pub configs: Vec<SecretDef>,
    /// A network has the driver `overlay`, which only Swarm makes.
    pub overlay: bool,
}

/// A service.
#[derive(Debug)]
pub struct Service {
    /// Its name.
    pub name: Arc<str>,
    /// Where the name is written.
    pub name_span: Span,
    /// `image:`
    pub image: Option<Text>,
    /// `user:`
    pub user: Option<Text>,
    /// `environment:`
    pub environment: Vec<EnvVar>,
    /// `env_file:`
    pub env_files: Vec<EnvFile>,
    /// `secrets:`
    pub secrets: Vec<Grant>,
    /// `configs:`
    pub configs: Vec<Grant>,
    /// `build:`
    pub build: Option<Build>,
    /// `volumes:`, binds and named ones.
    pub volumes: Vec<VolumeMount>,
    /// `labels:`, also those of `deploy:` and `build:`, `annotations:` and `extra_hosts:`, with the key's path.
    pub labels: Vec<(&'static str, EnvVar)>,
    /// What else is set by name and value: the options of `logging:` and `provider:`, the environments of hooks; each
    /// with the path of its map below the service.
    pub options: Vec<(String, EnvVar)>,
    /// `read_only: true`
    pub read_only: bool,
    /// `tmpfs:`: the directories.
    pub tmpfs: Vec<Text>,
    /// `deploy:` says what only Swarm does: the file is meant for `docker stack deploy`.
    pub for_swarm: bool,
}

/// An entry of `volumes:`
#[derive(Debug)]
pub struct VolumeMount {
    /// The host's path, from where the user stands, or the volume's name.
    pub source: Option<Text>,
    /// The path in the container.
    pub target: Option<Text>,
    /// The whole entry.
    pub span: Span,
}

/// `build:`
#[derive(Debug)]
pub struct Build {
    /// `context:`, or the short form, from where the user stands.
    pub context: Option<Text>,
    /// `dockerfile:`
    pub dockerfile: Option<Text>,
    /// `target:`, the stage that is built; the last one without it.
    pub target: Option<Text>,
    /// `args:`
    pub args: Vec<EnvVar>,
    /// `secrets:`
    pub secrets: Vec<Grant>,
    /// `dockerfile_inline:` stands in place of a file.
    pub inline: Option<Text>,
}

/// A variable of `environment:` or `build.args:`, from `K: v` or `- K=v`.
#[derive(Debug)]
pub struct EnvVar {
    /// The name.
    pub name: Text,
    /// The value; `None` where it comes from outside (`K:` or `- K`).
    pub value: Option<Text>,
}

/// An entry of `env_file:`
#[derive(Debug)]
pub struct EnvFile {
    /// The path, from where the user stands.
    pub path: Text,
    /// `required:`, true unless said otherwise.
    pub required: bool,
    /// `format: raw`: what stands behind `=` is the value, quotes and dollars too.
    pub raw: bool,
}

/// A grant: an entry of a service's `secrets:` or `configs:`.
#[derive(Debug)]
pub struct Grant {
    /// The name of the secret.
    pub source: Text,
    /// `target:` as written.
    pub target: Option<Text>,
    /// `uid:`
    pub uid: Option<Text>,
    /// `gid:`
    pub gid: Option<Text>,
    /// `mode:` as permission bits, and where it is written.
    pub mode: Option<(u32, Span)>,
    /// The whole entry.
    pub span: Span,
}

/// Whether a secret lives outside the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum External {
    /// No.
    No,
    /// `external: true`
    Yes,
}

/// A top-level secret or config.
#[derive(Debug)]
pub struct SecretDef {
    /// The key.
    pub name: Arc<str>,
    /// Where the key is written.
    pub name_span: Span,
    /// `file:`, from where the user stands.
    pub file: Option<Text>,
    /// `environment:`: the variable's name.
    pub environment: Option<Text>,
    /// `external:`
    pub external: External,
    /// `driver:` or `template_driver:`
    pub driver: Option<Text>,
}

impl Build {
    /// The context's directory; `None` where it is a URL, an image or what a variable says that has no default.
    pub fn local_context(&self) -> Option<&str> {
        let context = self.context.as_ref()?;
        let is_remote = is_remote_context(&context.raw) || is_remote_context(&context.value);
        (!is_remote && context.undecided.is_none()).then_some(&*context.value)
    }

    /// The Dockerfile, from where the user stands; `None` where it is what a variable says that has no default.
    pub fn dockerfile_path(&self, context: &str) -> Option<String> {
        match &self.dockerfile {
            None => Some(files::join(context, "Dockerfile")),
            Some(name) if name.undecided.is_some() => None,
            Some(name) => Some(files::join(context, &name.value)),
        }
    }
}

impl Project {
    /// The files say that Swarm is to run them.
    pub fn is_for_swarm(&self) -> bool {
        self.overlay || self.services.iter().any(|service| service.for_swarm)
    }

    /// A top-level secret.
    pub fn secret(&self, name: &str) -> Option<&SecretDef> {
        self.secrets.iter().find(|secret| &*secret.name == name)
    }

    /// The project, and for a linter what of it has a shape that Compose refuses, and is left out.
    pub(super) fn read(
        sources: &Sources,
        root: &Value,
        request: &LoadRequest<'_>,
        name: String,
        profiles: &[String],
    ) -> Result<(Self, Vec<LoadError>), LoadError> {
        let goes_on = request.interpolation == Interpolation::Lenient;
        let reader = Reader { sources, goes_on, misshapen: RefCell::default() };
        let Data::Map(top) = &root.data else {
            let message = format!(
                "a Compose file is a mapping with `services:` at its top, this is {}",
                root.type_name()
            );
            return Err(LoadError::new(message, root.span));
        };
        let mut project = Project {
            name,
            directory: request.directory.to_owned(),
            services: Vec::new(),
            secrets: reader.definitions(top, "secrets")?,
            configs: reader.definitions(top, "configs")?,
            overlay: has_overlay(top),
        };
        for (name, span, value) in reader.entries(top, "services")? {
            if let Some(map) = reader.map(value, || format!("services.{name}"))?
                // A linter looks at all.
                && (goes_on || is_enabled(map, profiles))
            {
                project.services.push(reader.service(name.clone(), span, map)?);
            }
        }
        Ok((project, reader.misshapen.into_inner()))
    }
}

/// Compose's name for a project that has none: the directory's, lower case, other characters dropped.
pub fn default_name(directory: &str) -> String {
    let lower = directory.to_lowercase();
    let kept: String = lower
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
        .collect();
    kept.trim_start_matches(['_', '-']).to_owned()
}

/// The image that Compose builds for a service that names none.
pub fn default_image(project: &str, service: &str) -> String {
    format!("{project}-{service}")
}

/// Whether the service's profiles, if it has any, are among the enabled ones.
pub(super) fn is_enabled(service: &Map, enabled: &[String]) -> bool {
    let Some(profiles) = service.get("profiles").and_then(|entry| entry.value.as_seq()) else { return true };
    let is_asked_for = |profile: &str| enabled.iter().any(|asked| asked == "*" || asked == profile);
    profiles.is_empty() || profiles.iter().filter_map(Value::as_str).any(is_asked_for)
}

/// More values of a wrong shape than this are not told one by one.
const MOST_TOLD: usize = 20;

struct Reader<'a> {
    sources: &'a Sources,
    /// Whether what has the wrong shape is left out, and told once, instead of an error.
    goes_on: bool,
    misshapen: RefCell<Vec<LoadError>>,
}

type Entry<'v> = (&'v Arc<str>, Span, &'v Value);

impl Reader<'_> {
    fn refuse<T: Default>(&self, error: LoadError) -> Result<T, LoadError> {
        if !self.goes_on {
            return Err(error);
        }
        let mut misshapen = self.misshapen.borrow_mut();
        // An alias brings the same value to many services.
        if misshapen.len() < MOST_TOLD && !misshapen.iter().any(|known| known.span == error.span) {
            misshapen.push(error);
        }
        Ok(T::default())
    }

    fn service(&self, name: Arc<str>, name_span: Span, map: &Map) -> Result<Service, LoadError> {
        let build = match map.get("build").map(|entry| &entry.value) {
            None => None,
            Some(value) => match &value.data {
                Data::Null => None,
                Data::Str(_) => Some(Build {
                    context: value.to_text(),
                    dockerfile: None,
                    args: vec![],
                    secrets: vec![],
                    inline: None,
                    target: None,
                }),
                Data::Map(build) => Some(Build {
                    context: self.text(build, "context")?,
                    dockerfile: self.text(build, "dockerfile")?,
                    target: self.text(build, "target")?,
                    args: self.variables(build, "args")?,
                    secrets: self.grants(build, "secrets")?,
                    inline: build.get("dockerfile_inline").and_then(|entry| entry.value.to_text()),
                }),
                _ => self.refuse(wrong("build", "a path or a mapping", value))?,
            },
        };
        Ok(Service {
            name,
            name_span,
            image: self.text(map, "image")?,
            user: self.text(map, "user")?,
            environment: self.variables(map, "environment")?,
            env_files: self.env_files(map)?,
            secrets: self.grants(map, "secrets")?,
            configs: self.grants(map, "configs")?,
            build,
            volumes: volumes(map),
            labels: self.labels(map),
            options: self.options(map),
            read_only: map.get("read_only").is_some_and(|entry| matches!(entry.value.data, Data::Bool(true))),
            tmpfs: texts(map.get("tmpfs").map(|entry| &entry.value)),
            for_swarm: is_for_swarm(map),
        })
    }

    /// Labels and their like: what is shown to everyone who may ask the engine.
    fn labels(&self, map: &Map) -> Vec<(&'static str, EnvVar)> {
        let mut labels = Vec::new();
        let mut add = |map: Option<&Map>, key: &str, path: &'static str| {
            // A rule's material, not the project's: what has the wrong shape is validation's to report.
            let found = map.and_then(|map| self.variables_without(map, key, |_| Ok(())).ok());
            let found = found.unwrap_or_default();
            labels.extend(found.into_iter().map(|label| (path, label)));
        };
        let under = |key: &str| map.get(key).and_then(|entry| entry.value.as_map());
        add(Some(map), "labels", "labels");
        add(under("deploy"), "labels", "deploy.labels");
        add(under("build"), "labels", "build.labels");
        add(Some(map), "annotations", "annotations");
        add(Some(map), "extra_hosts", "extra_hosts");
        labels
    }

    /// What hooks and drivers are given. As with labels, a wrong shape is validation's to report.
    fn options(&self, map: &Map) -> Vec<(String, EnvVar)> {
        let mut options = Vec::new();
        let mut add = |map: Option<&Map>, key: &str, path: String| {
            let found = map.and_then(|map| self.variables_without(map, key, |_| Ok(())).ok());
            let found = found.unwrap_or_default();
            options.extend(found.into_iter().map(|option| (path.clone(), option)));
        };
        for owner in ["logging", "provider"] {
            let options = map.get(owner).and_then(|entry| entry.value.as_map());
            add(options, "options", format!("{owner}.options"));
        }
        for hook in ["post_start", "pre_stop"] {
            let hooks = map.get(hook).and_then(|entry| entry.value.as_seq()).unwrap_or_default();
            for (at, value) in hooks.iter().enumerate() {
                add(value.as_map(), "environment", format!("{hook}.{at}.environment"));
            }
        }
        options
    }

    fn definitions(&self, top: &Map, key: &str) -> Result<Vec<SecretDef>, LoadError> {
        let mut definitions = Vec::new();
        for (name, name_span, value) in self.entries(top, key)? {
            let empty = Map::new();
            let map = self.map(value, || format!("{key}.{name}"))?.unwrap_or(&empty);
            let external = match map.get("external").map(|entry| &entry.value.data) {
                Some(Data::Bool(true) | Data::Map(_)) => External::Yes,
                _ => External::No,
            };
            let driver = match self.text(map, "driver")? {
                Some(driver) => Some(driver),
                None => self.text(map, "template_driver")?,
            };
            definitions.push(SecretDef {
                name: name.clone(),
                name_span,
                file: self.text(map, "file")?,
                environment: self.text(map, "environment")?,
                external,
                driver,
            });
        }
        Ok(definitions)
    }

    fn grants(&self, map: &Map, key: &str) -> Result<Vec<Grant>, LoadError> {
        let mut grants = Vec::new();
        for item in self.items(map, key)? {
            match &item.data {
                Data::Map(grant) => {
                    let Some(source) = self.text(grant, "source")? else {
                        let message = format!("an entry of `{key}:` has no `source:`");
                        self.refuse::<()>(LoadError::new(message, item.span))?;
                        continue;
                    };
                    grants.push(Grant {
                        source,
                        target: self.text(grant, "target")?,
                        uid: self.text(grant, "uid")?,
                        gid: self.text(grant, "gid")?,
                        mode: self.mode(grant)?,
                        span: item.span,
                    });
                }
                _ => {
                    let Some(source) = item.to_text() else {
                        self.refuse::<()>(wrong(key, "a list of names or of mappings with `source:`", item))?;
                        continue;
                    };
                    grants.push(Grant {
                        source,
                        target: None,
                        uid: None,
                        gid: None,
                        mode: None,
                        span: item.span,
                    });
                }
            }
        }
        Ok(grants)
    }

    /// A number is taken as it is (`0400` has become 256 by then, `400` has not); text is read in base 8.
    fn mode(&self, grant: &Map) -> Result<Option<(u32, Span)>, LoadError> {
        let Some(value) = grant.get("mode").map(|entry| &entry.value) else { return Ok(None) };
        let bits = match &value.data {
            Data::Null => return Ok(None),
            Data::Int(number) => u32::try_from(*number).ok(),
            Data::Str(text) => u32::from_str_radix(text, 8).ok(),
            _ => None,
        };
        match bits {
            Some(bits) => Ok(Some((bits, value.span))),
            None => self.refuse(LoadError::new("`mode:` must be octal permissions such as 0400", value.span)),
        }
    }

    fn env_files(&self, map: &Map) -> Result<Vec<EnvFile>, LoadError> {
        let Some(value) = map.get("env_file").map(|entry| &entry.value) else { return Ok(vec![]) };
        let items = match &value.data {
            Data::Null => return Ok(vec![]),
            Data::Seq(items) => items.as_slice(),
            _ => std::slice::from_ref(value),
        };
        let mut files = Vec::with_capacity(items.len());
        for item in items {
            let Data::Map(entry) = &item.data else {
                match item.to_text() {
                    Some(path) => files.push(EnvFile { path, required: true, raw: false }),
                    None => self.refuse(wrong("env_file", "a path or a list of paths", item))?,
                }
                continue;
            };
            let Some(path) = self.text(entry, "path")? else {
                self.refuse::<()>(LoadError::new("an entry of `env_file:` has no `path:`", item.span))?;
                continue;
            };
            let required =
                !matches!(entry.get("required").map(|entry| &entry.value.data), Some(Data::Bool(false)));
            let raw = entry.get("format").and_then(|entry| entry.value.as_str()) == Some("raw");
            files.push(EnvFile { path, required, raw });
        }
        Ok(files)
    }

    fn variables(&self, map: &Map, key: &str) -> Result<Vec<EnvVar>, LoadError> {
        self.variables_without(map, key, |error| self.refuse(error))
    }

    /// What of a mapping or a list is a name with a single value or without one. The rest is told to `refuse`.
    fn variables_without(
        &self,
        map: &Map,
        key: &str,
        refuse: impl Fn(LoadError) -> Result<(), LoadError>,
    ) -> Result<Vec<EnvVar>, LoadError> {
        let Some(value) = map.get(key).map(|entry| &entry.value) else { return Ok(vec![]) };
        let mut found = Vec::new();
        match &value.data {
            Data::Null => {}
            Data::Map(variables) => {
                for (name, entry) in variables {
                    if matches!(entry.value.data, Data::Seq(_) | Data::Map(_)) {
                        refuse(wrong(name, "a single value", &entry.value))?;
                        continue;
                    }
                    let name = Text::plain(name.clone(), entry.key_span);
                    found.push(EnvVar { name, value: entry.value.to_text() });
                }
            }
            Data::Seq(items) => {
                for item in items {
                    match item.to_text() {
                        Some(text) => found.push(self.assignment(&text)),
                        None => refuse(wrong(key, "NAME=value in each line", item))?,
                    }
                }
            }
            _ => refuse(wrong(key, "a mapping or a list", value))?,
        }
        Ok(found)
    }

    /// `K=v` as a name and a value, each with its own place.
    fn assignment(&self, text: &Text) -> EnvVar {
        let part = |from: usize, to: usize| self.sources.within(text.span, &text.raw, from..to);
        match (text.value.split_once('='), text.raw.find('=')) {
            (Some((name, value)), Some(at)) => EnvVar {
                name: Text {
                    value: name.into(),
                    raw: text.raw[..at].into(),
                    span: part(0, at),
                    undecided: None,
                },
                value: Some(Text {
                    value: value.into(),
                    raw: text.raw[at + 1..].into(),
                    span: part(at + 1, text.raw.len()),
                    undecided: None,
                }),
            },
            _ => EnvVar { name: text.clone(), value: None },
        }
    }

    fn text(&self, map: &Map, key: &str) -> Result<Option<Text>, LoadError> {
        match map.get(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(value) if matches!(value.data, Data::Seq(_) | Data::Map(_)) => {
                self.refuse(wrong(key, "a single value", value))
            }
            Some(value) => Ok(value.to_text()),
        }
    }

    fn entries<'v>(&self, top: &'v Map, key: &str) -> Result<Vec<Entry<'v>>, LoadError> {
        let Some(value) = top.get(key).map(|entry| &entry.value) else { return Ok(vec![]) };
        let map = self.map(value, || key.to_owned())?;
        Ok(map.into_iter().flatten().map(|(name, entry)| (name, entry.key_span, &entry.value)).collect())
    }

    fn items<'v>(&self, map: &'v Map, key: &str) -> Result<&'v [Value], LoadError> {
        match map.get(key).map(|entry| &entry.value) {
            None => Ok(&[]),
            Some(value) => match &value.data {
                Data::Null => Ok(&[]),
                Data::Seq(items) => Ok(items),
                _ => {
                    self.refuse::<()>(wrong(key, "a list", value))?;
                    Ok(&[])
                }
            },
        }
    }

    fn map<'v>(&self, value: &'v Value, path: impl Fn() -> String) -> Result<Option<&'v Map>, LoadError> {
        match &value.data {
            Data::Null => Ok(None),
            Data::Map(map) => Ok(Some(map)),
            _ => self.refuse(wrong(&path(), "a mapping", value)),
        }
    }
}

fn texts(value: Option<&Value>) -> Vec<Text> {
    value
        .into_iter()
        .flat_map(|value| value.as_seq().unwrap_or(std::slice::from_ref(value)))
        .filter_map(Value::to_text)
        .collect()
}

/// What has the wrong shape is left out: validation reports it.
fn volumes(map: &Map) -> Vec<VolumeMount> {
    let items = map.get("volumes").and_then(|entry| entry.value.as_seq()).unwrap_or_default();
    items
        .iter()
        .map(|item| {
            let text = |key: &str| item.get(key).and_then(Value::to_text);
            let Some(short) = item.to_text() else {
                return VolumeMount { source: text("source"), target: text("target"), span: item.span };
            };
            let part = |from: usize, to: usize| Text::plain(&short.value[from..to], short.span);
            // `C:\x:/y` has a drive's colon first.
            let drive = short.value.as_bytes().get(1) == Some(&b':') && short.value.len() > 2;
            let from = if drive { 2 } else { 0 };
            let colon = short.value[from..].find(':').map(|at| from + at);
            let Some(colon) = colon else {
                return VolumeMount { source: None, target: Some(short), span: item.span };
            };
            let rest = &short.value[colon + 1..];
            let end = colon + 1 + rest.find(':').unwrap_or(rest.len());
            VolumeMount { source: Some(part(0, colon)), target: Some(part(colon + 1, end)), span: item.span }
        })
        .collect()
}

/// `deploy:` has keys that Compose reads too (`resources`, `labels`, `replicas`); these it does not.
fn is_for_swarm(map: &Map) -> bool {
    let deploy = map.get("deploy").and_then(|entry| entry.value.as_map());
    let keys = ["placement", "update_config", "rollback_config", "endpoint_mode", "mode"];
    deploy.is_some_and(|deploy| keys.iter().any(|key| deploy.contains_key(*key)))
}

fn has_overlay(top: &Map) -> bool {
    let networks = top.get("networks").and_then(|entry| entry.value.as_map());
    networks
        .into_iter()
        .flat_map(|networks| networks.values())
        .any(|entry| entry.value.get("driver").and_then(Value::as_str) == Some("overlay"))
}

fn wrong(key: &str, expected: &str, value: &Value) -> LoadError {
    LoadError::new(format!("`{key}` must be {expected}, this is {}", value.type_name()), value.span)
}
