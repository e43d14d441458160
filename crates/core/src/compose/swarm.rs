//! What `docker stack` accepts of a Compose file. It has a reader of its own, older than Compose's: format 3.x,
//! other templates, no `.env`, no `include` or `extends`. (docker/cli `cli/compose/loader/loader.go`)

mod dialect;
mod shape;

use std::collections::HashSet;

pub(crate) use dialect::{Mistaken, read_by_swarm};

use super::decode::decode;
use super::environment::Environment;
use super::load::LoadError;
use super::value::{Data, Map, MapEntry, Value};
use super::{port, typed, volume};
use crate::files::{FileSystem, ReadError, join, parent};
use crate::source::{Sources, Span};
use crate::yaml::Document;

/// The files of a stack as Swarm reads them: variables replaced, nothing normalised.
#[derive(Debug)]
pub struct Stack {
    /// One for each file.
    pub models: Vec<Value>,
}

impl Stack {
    /// The models as JSON, values of variables included.
    pub fn config(&self) -> Vec<serde_json::Value> {
        self.models.iter().map(|model| typed::raw(model, typed::EmptyList::IsOne)).collect()
    }
}

/// Reads files as `docker stack config` does: each alone, its variables replaced by those of `environment`, which is
/// that of the process; `None` leaves them as they are written. What is refused is refused with the way in which
/// Compose differs.
///
/// ```
/// use cosec_core::compose::{Environment, read_stack};
/// use cosec_core::files::MemoryFiles;
/// use cosec_core::source::Sources;
///
/// let mut files = MemoryFiles::default();
/// files.insert("compose.yaml", "services: {a: {image: x, depends_on: {b: {condition: service_started}}}, b: {image: x}}");
/// let (mut sources, mut documents) = (Sources::default(), Vec::new());
/// let names = ["compose.yaml".to_owned()];
/// let error = read_stack(&files, &mut sources, &mut documents, &names, Some(&Environment::default())).unwrap_err();
/// assert_eq!(error.message, "Swarm wants a list at `services.a.depends_on`, this is a mapping; Compose may take it");
/// ```
pub fn read_stack(
    files: &dyn FileSystem,
    sources: &mut Sources,
    documents: &mut Vec<Document>,
    paths: &[String],
    environment: Option<&Environment>,
) -> Result<Stack, LoadError> {
    let mut models = Vec::new();
    let mut first_version: Option<String> = None;
    let directory = paths.first().map(|path| parent(path).to_owned()).unwrap_or_default();
    for path in paths {
        let text = files.read(path).map_err(|error| LoadError::unreadable(path, &error))?;
        let file = sources.add(path.as_str(), text);
        // `docker stack` reads the first document only.
        let start = crate::source::file_start(file);
        documents.extend(crate::yaml::parse_first(file, sources.file(file).text())?);
        let Some(document) = documents.last().filter(|document| document.file() == file) else {
            return Err(LoadError::new("the file is empty; a stack needs at least `services:`", start));
        };
        let mut model = decode(document)?;
        if model.as_map().is_none() {
            let message =
                format!("a stack is a mapping with `services:` at its top, this is {}", model.type_name());
            return Err(LoadError::new(message, model.span));
        }
        let (version, minor) = version(&model)?;
        if let Some(other) = first_version.as_ref().filter(|other| **other != version) {
            let message =
                format!("Swarm wants one `version:` in all files; this is {version}, the first has {other}");
            return Err(LoadError::new(message, model.span));
        }
        first_version = Some(version);
        forbidden(&model)?;
        if let Some(environment) = environment {
            dialect::interpolate(&mut model, environment)?;
        }
        shape::check(&model, minor)?;
        Reader { files, directory: &directory }.check(&model)?;
        models.push(model);
    }
    Ok(Stack { models })
}

/// The newest minor version of format 3 that is known.
const NEWEST: u8 = 13;

/// The `version:` as text, and its minor number.
fn version(model: &Value) -> Result<(String, u8), LoadError> {
    let Some(value) = model.get("version") else { return Ok((format!("3.{NEWEST}"), NEWEST)) };
    let text = value.to_text().map(|text| text.value.to_string()).unwrap_or_default();
    let minor = match text.as_str() {
        "" | "3" => Some(NEWEST),
        text => text
            .strip_prefix("3.")
            .filter(|minor| minor.len() == 1 || !minor.starts_with('0'))
            .and_then(|minor| minor.parse().ok())
            .filter(|minor| *minor <= NEWEST),
    };
    match minor {
        Some(minor) => Ok((format!("3.{minor}"), minor)),
        None => Err(LoadError::new(
            format!(
                "Swarm reads Compose files of version 3.0 to 3.{NEWEST} only; write `version: \"3.8\"`, which Compose ignores"
            ),
            value.span,
        )),
    }
}

/// Keys that stop `docker stack` before all else, and what to use there.
const FORBIDDEN: [(&str, &str); 8] = [
    ("extends", "write the service out, or deploy what `docker compose config` prints"),
    ("volume_driver", "set the driver of a volume in the top-level `volumes:`"),
    ("volumes_from", "name a volume in the top-level `volumes:` and mount it in both services"),
    ("cpu_quota", "use `deploy.resources`"),
    ("cpu_shares", "use `deploy.resources`"),
    ("cpuset", "use `deploy.resources`"),
    ("mem_limit", "use `deploy.resources`"),
    ("memswap_limit", "use `deploy.resources`"),
];

fn forbidden(model: &Value) -> Result<(), LoadError> {
    for (name, service) in members(model, "services") {
        for (key, instead) in FORBIDDEN {
            if let Some(entry) = service.value.as_map().and_then(|service| service.get(key)) {
                let message = format!(
                    "`services.{name}.{key}` is forbidden in Swarm, though Compose takes it; {instead}"
                );
                return Err(LoadError::new(message, entry.key_span));
            }
        }
    }
    Ok(())
}

fn members<'m>(model: &'m Value, section: &str) -> impl Iterator<Item = (&'m str, &'m MapEntry)> {
    let members = model.get(section).and_then(Value::as_map);
    members.into_iter().flatten().map(|(name, entry)| (&**name, entry))
}

/// What a well-formed stack can still have wrong.
struct Reader<'a> {
    files: &'a dyn FileSystem,
    directory: &'a str,
}

impl Reader<'_> {
    fn check(&self, model: &Value) -> Result<(), LoadError> {
        for (name, entry) in members(model, "services") {
            let Some(service) = entry.value.as_map() else { continue };
            self.env_files(name, service)?;
            for key in ["command", "entrypoint"] {
                if let Some(entry) = service.get(key)
                    && let Data::Str(line) = &entry.value.data
                    && !closes_quotes(line)
                {
                    let message = format!(
                        "`services.{name}.{key}` opens quotes and does not close them; close them, or write a list"
                    );
                    return Err(LoadError::new(message, entry.value.span));
                }
            }
            for item in items(service, "ports") {
                let text = item.to_text().map(|text| text.value);
                if let Some(Err(problem)) = text.map(|text| short_port(&text)) {
                    return Err(LoadError::new(
                        format!("an entry of `services.{name}.ports` {problem}"),
                        item.span,
                    ));
                }
            }
            for item in items(service, "volumes") {
                let problem = match &item.data {
                    Data::Str(text) => volume::parse(text).err(),
                    _ if item.get("type").and_then(Value::as_str) == Some("bind")
                        && item.get("source").and_then(Value::as_str).unwrap_or_default().is_empty() =>
                    {
                        Some("is a bind mount without a `source:`")
                    }
                    _ => None,
                };
                if let Some(problem) = problem {
                    return Err(LoadError::new(
                        format!("an entry of `services.{name}.volumes` {problem}"),
                        item.span,
                    ));
                }
            }
        }
        for (name, entry) in members(model, "volumes") {
            external(name, entry, "volumes", &["driver", "driver_opts", "labels"])?;
        }
        for section in ["networks", "secrets", "configs"] {
            for (name, entry) in members(model, section) {
                external(name, entry, section, &[])?;
                let driver = entry.value.get("driver").filter(|_| section == "secrets");
                if let Some(driver) = driver
                    && entry.value.get("file").is_some()
                    && !is_external(&entry.value)
                {
                    let message = format!("`secrets.{name}` has a `driver:` and a `file:`; keep one");
                    return Err(LoadError::new(message, driver.span));
                }
            }
        }
        Ok(())
    }

    /// The files have to be there, and their lines to have names. (docker/cli `opts/file.go`)
    fn env_files(&self, name: &str, service: &Map) -> Result<(), LoadError> {
        let Some(entry) = service.get("env_file") else { return Ok(()) };
        let one = std::slice::from_ref(&entry.value);
        for item in entry.value.as_seq().unwrap_or(one) {
            let Some(path) = item.as_str() else { continue };
            let text = match self.files.read_env_file(&join(self.directory, path)) {
                Ok(text) => text,
                Err(ReadError::Missing) => {
                    let message =
                        format!("the env file {path} of service `{name}` does not exist; create it");
                    return Err(LoadError::new(message, item.span));
                }
                Err(error) => {
                    return Err(LoadError::new(
                        format!("cannot read the env file {path}: {error}"),
                        item.span,
                    ));
                }
            };
            for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
                let line = line.trim_start();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let key = line.split_once('=').map_or(line, |(key, _)| key);
                if key.is_empty() || key.contains(char::is_whitespace) {
                    let message = format!(
                        "line {} of the env file {path} has no name without spaces before a `=`; Swarm knows no `export` \
                         and no other syntax than `NAME=value`",
                        number + 1
                    );
                    return Err(LoadError::new(message, item.span));
                }
            }
        }
        Ok(())
    }
}

fn items<'m>(service: &'m Map, key: &str) -> &'m [Value] {
    service.get(key).and_then(|entry| entry.value.as_seq()).unwrap_or_default()
}

fn is_external(value: &Value) -> bool {
    value.get("external").is_some_and(|external| matches!(external.data, Data::Bool(true) | Data::Map(_)))
}

/// What is made elsewhere cannot be described here.
fn external(name: &str, entry: &MapEntry, section: &str, conflicts: &[&str]) -> Result<(), LoadError> {
    if !is_external(&entry.value) {
        return Ok(());
    }
    let says = |key: &&&str| entry.value.get(key).is_some_and(|value| !value.is_empty());
    if let Some(key) = conflicts.iter().find(says) {
        let message = format!("`{section}.{name}` is `external:` and has a `{key}:`; keep one");
        return Err(LoadError::new(message, entry.key_span));
    }
    let outer = entry.value.get("external").and_then(|external| external.get("name"));
    if outer.is_some_and(|name| !name.is_empty())
        && entry.value.get("name").is_some_and(|name| !name.is_empty())
    {
        let message =
            format!("`{section}.{name}` has a `name:` and another one in `external:`; keep `name:`");
        return Err(LoadError::new(message, entry.key_span));
    }
    Ok(())
}

/// Swarm takes an IPv6 address without brackets, which Compose does not.
fn short_port(spec: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = spec.split(':').collect();
    if parts.len() <= 3 || spec.starts_with('[') {
        return port::parse(spec).map(|_| ());
    }
    let (address, ports) = parts.split_at(parts.len() - 2);
    port::parse(&format!("[{}]:{}", address.join(":"), ports.join(":"))).map(|_| ())
}

/// Whether all quotes of a command line are closed, and no backslash ends it. (google/shlex)
fn closes_quotes(line: &str) -> bool {
    let (mut quote, mut between_words) = (None, true);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some('"') | None, '\\') if characters.next().is_none() => return false,
            (Some('"') | None, '\\') => between_words = false,
            (Some(open), character) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => (quote, between_words) = (Some(character), false),
            (None, '#') if between_words => drop(characters.find(|character| *character == '\n')),
            (None, ' ' | '\t' | '\r' | '\n') => between_words = true,
            (None, _) => between_words = false,
        }
    }
    quote.is_none()
}

/// The place of the first item that stands twice in a list.
fn twice(items: &[Value]) -> Option<Span> {
    let mut seen: HashSet<String> = HashSet::with_capacity(items.len());
    items.iter().find_map(|item| {
        let kind = if item.as_str().is_some() { "text" } else { "other" };
        let text = item.to_text()?.value;
        (!seen.insert(format!("{kind} {text}"))).then_some(item.span)
    })
}
