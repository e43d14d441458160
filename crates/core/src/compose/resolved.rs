//! What Compose makes of a project in the end: `docker compose config`.
//! (compose-go `types/project.go`, docker/compose `cmd/compose/config.go`)

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use serde_json::{Map as Json, Value as JsonValue, json};

use super::consistency::{Consistency, list};
use super::dotenv::{self, Entry};
use super::environment::{Binding, BindingOrigin, Environment, Lookup};
use super::load::{Interpolation, LoadError, LoadRequest};
use super::project::{default_image, is_enabled};
use super::template::Missing;
use super::value::{Data, Value};
use super::{normalize, resolve, typed};
use crate::files::{FileSystem, ReadError};
use crate::source::{FileId, Sources, Span};
use crate::yaml;

/// A project as Compose would run it. It holds the values of variables, as Compose's own output does.
pub struct Resolved {
    name: String,
    /// The normalised model of a project whose variables stay as they are written; it has no types.
    template: Option<Value>,
    /// All sections, with all services.
    project: Json<String, JsonValue>,
    /// The services whose profiles are enabled.
    enabled: BTreeSet<String>,
    /// Where services say `container_name:`.
    container_names: BTreeMap<String, Span>,
}

/// The sections whose members go if no service needs them. As JSON Compose prints models with the services only.
const RESOURCES: [&str; 5] = ["networks", "volumes", "secrets", "configs", "models"];

impl Resolved {
    pub(super) fn new(
        files: &dyn FileSystem,
        sources: &mut Sources,
        root: &Value,
        name: &str,
        environment: &Environment,
        profiles: &[String],
        request: &LoadRequest<'_>,
    ) -> Result<Self, LoadError> {
        let mut model = root.clone();
        resolve::resolve_paths(files, &mut model, request.working_directory);
        normalize::normalize(&mut model, name, environment);
        let mut resolved = Resolved {
            name: name.to_owned(),
            template: None,
            project: Json::new(),
            enabled: BTreeSet::new(),
            container_names: BTreeMap::new(),
        };
        if request.interpolation == Interpolation::None {
            resolved.template = Some(model);
            return Ok(resolved);
        }
        resolved.project = typed::typed(&model)?;
        drop(model);
        let services = root.get("services").and_then(Value::as_map);
        resolved.enabled = services
            .into_iter()
            .flatten()
            .filter(|(_, entry)| entry.value.as_map().is_some_and(|service| is_enabled(service, profiles)))
            .map(|(name, _)| name.to_string())
            .collect();
        resolved.container_names = services
            .into_iter()
            .flatten()
            .filter_map(|(name, entry)| {
                let own = entry.value.as_map()?.get("container_name")?;
                Some((name.to_string(), own.key_span))
            })
            .collect();
        let consistency = Consistency { model: root, project: &resolved.project, enabled: &resolved.enabled };
        consistency.check()?;
        let Some(printed) = resolved.project.get_mut("services").and_then(JsonValue::as_object_mut) else {
            return Ok(resolved);
        };
        let mut reader = FileReader { files, sources, read: 0 };
        for name in &resolved.enabled {
            let written = root.get("services").and_then(|services| services.get(name));
            let (Some(service), Some(written)) = (printed.get_mut(name), written) else { continue };
            let scale = service.get("scale").cloned();
            if let (Some(scale), Some(deploy)) =
                (scale, service.get_mut("deploy").and_then(JsonValue::as_object_mut))
            {
                deploy.insert("replicas".to_owned(), scale);
            }
            reader.environment(service, written, environment)?;
            reader.labels(service, written)?;
        }
        Ok(resolved)
    }

    /// The project's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The services that run, each after those that it depends on, else by name.
    pub fn services(&self) -> Vec<&str> {
        let mut ordered = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        for start in &self.enabled {
            // A chain may be as long as the file: no recursion. There are no circles, that has been checked.
            let mut open = vec![(start.as_str(), None)];
            while let Some((name, dependencies)) = open.last_mut() {
                let name = *name;
                if dependencies.is_none() && !seen.insert(name) {
                    open.pop();
                    continue;
                }
                let rest = dependencies.get_or_insert_with(|| self.dependencies(name).into_iter());
                match rest.next() {
                    Some(next) if self.enabled.contains(next) => open.push((next, None)),
                    Some(_) => {}
                    None => {
                        ordered.push(name);
                        open.pop();
                    }
                }
            }
        }
        ordered
    }

    fn service(&self, name: &str) -> Option<&JsonValue> {
        self.project.get("services")?.get(name)
    }

    fn dependencies(&self, name: &str) -> Vec<&str> {
        let own = self.service(name).and_then(|service| service.get("depends_on")?.as_object());
        own.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    /// The profiles of all services, sorted.
    pub fn profiles(&self) -> Vec<&str> {
        let services = self.project.get("services").and_then(JsonValue::as_object);
        let profiles: BTreeSet<&str> = services
            .into_iter()
            .flatten()
            .flat_map(|(_, service)| list(service, "profiles"))
            .filter_map(JsonValue::as_str)
            .collect();
        profiles.into_iter().collect()
    }

    /// The names of a section's members that services need.
    pub fn members(&self, section: &str) -> Vec<&str> {
        let services: BTreeSet<&str> = self.enabled.iter().map(String::as_str).collect();
        let needed = self.needed(section, &services);
        let members = self.project.get(section).and_then(JsonValue::as_object);
        members
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .filter(|name| needed.contains(name))
            .collect()
    }

    /// The images of the services that run.
    pub fn images(&self, services: &[String]) -> Result<Vec<String>, String> {
        let image = |name: &String| {
            let own = self.service(name).and_then(|service| service.get("image")?.as_str());
            own.map_or_else(|| default_image(&self.name, name), str::to_owned)
        };
        let kept = self.kept(services)?;
        Ok(self.enabled.iter().filter(|name| kept.contains(name.as_str())).map(image).collect())
    }

    /// All services, or those named and what they depend on. `Err` holds a name that no service has.
    fn kept<'a>(&'a self, services: &'a [String]) -> Result<BTreeSet<&'a str>, String> {
        let mut kept: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = Vec::new();
        if services.is_empty() {
            kept.extend(self.enabled.iter().map(String::as_str));
        }
        for name in services {
            open.push(self.enabled.get(name).ok_or_else(|| name.clone())?);
        }
        while let Some(name) = open.pop() {
            if self.enabled.contains(name) && kept.insert(name) {
                open.extend(self.dependencies(name));
            }
        }
        Ok(kept)
    }

    /// Refuses a `container_name:` that two of the services have, as Compose does before it prints or starts them: all
    /// services, or those named and what they depend on.
    pub fn check_container_names(&self, services: &[String]) -> Result<(), LoadError> {
        let mut owners: HashMap<&str, &str> = HashMap::new();
        for name in self.kept(services).unwrap_or_default() {
            let container = self.service(name).and_then(|service| service.get("container_name")?.as_str());
            let (Some(container), Some(span)) = (container, self.container_names.get(name)) else { continue };
            let Some(owner) = owners.insert(container, name) else { continue };
            let message = format!(
                "the services `{owner}` and `{name}` have one `container_name:`, which only one container can have; give \
                 one of them another name, or leave it out"
            );
            let error = LoadError::new(message, *span);
            return Err(match self.container_names.get(owner) {
                Some(first) if first != span => error.also(*first, "first here"),
                _ => error,
            });
        }
        Ok(())
    }

    /// The project as `docker compose config --format json` prints it, values of variables included: all services, or
    /// those named and what they depend on; resources that nobody needs are left out. `Err` holds a name that no service
    /// has.
    pub fn config(&self, services: &[String]) -> Result<JsonValue, String> {
        self.printed(services, &RESOURCES[..4], typed::as_json)
    }

    /// The same as `docker compose config` prints it without a format, with the `x-` keys of all places. A project whose
    /// variables stay as they are written is printed whole.
    pub fn config_yaml(&self, services: &[String]) -> Result<String, String> {
        if let Some(model) = &self.template {
            return Ok(yaml::write(&typed::ordered(&typed::raw(model, typed::EmptyList::IsOne))));
        }
        self.printed(services, &RESOURCES, typed::as_yaml).map(|config| yaml::write(&config))
    }

    fn printed(
        &self,
        services: &[String],
        resources: &[&str],
        print: fn(&str, &JsonValue) -> JsonValue,
    ) -> Result<JsonValue, String> {
        let kept = self.kept(services)?;
        let mut config = Json::new();
        config.insert("name".to_owned(), json!(self.name));
        let services = kept
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), print("services", self.service(name)?))))
            .collect();
        config.insert("services".to_owned(), JsonValue::Object(typed::sorted(services)));
        for section in resources.iter().copied() {
            let needed = self.needed(section, &kept);
            let members = self.project.get(section).and_then(JsonValue::as_object);
            let members: Json<String, JsonValue> = members
                .into_iter()
                .flatten()
                .filter(|(name, _)| needed.contains(name.as_str()))
                .map(|(name, member)| (name.clone(), print(section, member)))
                .collect();
            if !members.is_empty() {
                config.insert(section.to_owned(), JsonValue::Object(typed::sorted(members)));
            }
        }
        let extensions = self.project.iter().filter(|(key, _)| key.starts_with("x-"));
        let extensions = extensions.map(|(key, value)| (key.clone(), print(key, value))).collect();
        config.extend(typed::sorted(extensions));
        Ok(JsonValue::Object(config))
    }

    /// The normalised model as it is, after loading without interpolation; null after any other.
    pub fn model(&self) -> JsonValue {
        self.template.as_ref().map_or(JsonValue::Null, |model| typed::raw(model, typed::EmptyList::IsNull))
    }

    /// The members of a section that the services refer to.
    fn needed(&self, section: &str, services: &BTreeSet<&str>) -> BTreeSet<&str> {
        let mut needed = BTreeSet::new();
        for service in services.iter().filter_map(|name| self.service(name)) {
            match section {
                "networks" | "models" => {
                    let own = service.get(section).and_then(JsonValue::as_object);
                    needed.extend(own.into_iter().flatten().map(|(name, _)| name.as_str()));
                }
                "volumes" => needed.extend(
                    list(service, "volumes")
                        .iter()
                        .filter(|volume| volume.get("type").and_then(JsonValue::as_str) == Some("volume"))
                        .filter_map(|volume| volume.get("source")?.as_str()),
                ),
                _ => {
                    let built = service.get("build").map(|build| list(build, section)).unwrap_or_default();
                    let grants = list(service, section).iter().chain(built);
                    needed.extend(grants.filter_map(|grant| grant.get("source")?.as_str()));
                }
            }
        }
        needed
    }
}

// It holds values of variables: Debug shows shape only.
impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "project {} of {} services", self.name, self.enabled.len())
    }
}

/// Reads the files that services name.
struct FileReader<'a> {
    files: &'a dyn FileSystem,
    sources: &'a mut Sources,
    /// Bytes read so far: each service has a copy of what its files say.
    read: usize,
}

/// What the files of all services may come to, in bytes, each as often as a service names it.
const MOST_READ: usize = 8 << 20;

impl FileReader<'_> {
    /// Adds what `env_file:` sets below what `environment:` sets.
    fn environment(
        &mut self,
        service: &mut JsonValue,
        written: &Value,
        project: &Environment,
    ) -> Result<(), LoadError> {
        let Some(service) = service.as_object_mut() else { return Ok(()) };
        let env_files = written.get("env_file").and_then(Value::as_seq).unwrap_or_default();
        let mut own = Environment::default();
        let said = service.get_mut("environment").and_then(JsonValue::as_object_mut);
        for (name, value) in said.into_iter().flatten() {
            if value.is_null()
                && let Some(binding) = project.get(name)
            {
                *value = JsonValue::String(binding.value.to_string());
            }
            if !env_files.is_empty()
                && let Some(text) = value.as_str()
            {
                own.set(name.as_str(), Binding { value: text.into(), origin: BindingOrigin::Process });
            }
        }
        let mut set = own.clone();
        for item in env_files {
            let Some(path) = item.get("path") else { continue };
            let required =
                !item.get("required").is_some_and(|required| matches!(required.data, Data::Bool(false)));
            let Some(file) = self.read(path, "env file", required)? else { continue };
            let outer: (&dyn Lookup, &dyn Lookup) = (project, &own);
            match item.get("format").and_then(Value::as_str) {
                None | Some("") => {
                    self.parse(file, &outer, &mut set)?;
                }
                Some("raw") => {
                    let entries = dotenv::parse_raw(file, self.sources.file(file).text(), &outer);
                    for Entry { name, value, value_span, .. } in entries.map_err(|error| refused(&error))? {
                        if let Some(value) = value {
                            set.set(name, Binding { value, origin: BindingOrigin::File(value_span) });
                        }
                    }
                }
                Some(_) => {
                    let span = item.get("format").map_or(item.span, |format| format.span);
                    return Err(LoadError::new("the format of an env file is `raw`, or not said", span));
                }
            }
        }
        put_below(service, "environment", &set);
        Ok(())
    }

    /// Adds what `label_file:` sets below what `labels:` sets.
    fn labels(&mut self, service: &mut JsonValue, written: &Value) -> Result<(), LoadError> {
        let Some(service) = service.as_object_mut() else { return Ok(()) };
        let mut set = Environment::default();
        for path in written.get("label_file").and_then(Value::as_seq).unwrap_or_default() {
            let Some(file) = self.read(path, "label file", true)? else { continue };
            let earlier = set.clone();
            let mut own = Environment::default();
            self.parse(file, &earlier, &mut own)?;
            for (name, binding) in own.iter() {
                set.set(name, binding.clone());
            }
        }
        if set.iter().next().is_some() {
            put_below(service, "labels", &set);
        }
        Ok(())
    }

    fn read(&mut self, path: &Value, kind: &str, required: bool) -> Result<Option<FileId>, LoadError> {
        let Some(text) = path.as_str() else { return Ok(None) };
        match self.files.read_env_file(text) {
            Ok(content) => {
                self.read += content.len();
                if self.read > MOST_READ {
                    let message = format!(
                        "the env and label files of all services come to more than {} MiB; let fewer services read so large ones",
                        MOST_READ >> 20
                    );
                    return Err(LoadError::new(message, path.span));
                }
                Ok(Some(self.sources.add(text, content)))
            }
            Err(ReadError::Missing) if !required => Ok(None),
            Err(ReadError::Missing) => {
                let advice =
                    if kind == "env file" { "create it, or say `required: false`" } else { "create it" };
                Err(LoadError::new(format!("the {kind} {text} does not exist; {advice}"), path.span))
            }
            Err(error) => Err(LoadError::new(format!("cannot read the {kind} {text}: {error}"), path.span)),
        }
    }

    fn parse(&self, file: FileId, outer: &dyn Lookup, set: &mut Environment) -> Result<(), LoadError> {
        dotenv::parse(file, self.sources.file(file).text(), outer, set, Missing::Refuse)
            .map(|_| ())
            .map_err(|error| refused(&error))
    }
}

/// Adds what files set below what the service itself says, by name.
fn put_below(service: &mut Json<String, JsonValue>, key: &str, set: &Environment) {
    let said = service.shift_remove(key);
    let mut merged: Json<String, JsonValue> =
        set.iter().map(|(name, binding)| (name.to_owned(), json!(&*binding.value))).collect();
    match said {
        Some(JsonValue::Object(said)) if merged.is_empty() => merged = said,
        Some(JsonValue::Object(said)) => merged.extend(said),
        _ => {}
    }
    if !merged.is_empty() {
        merged.sort_keys();
        service.insert(key.to_owned(), JsonValue::Object(merged));
    }
}

fn refused(error: &dotenv::DotenvError) -> LoadError {
    LoadError::new(error.kind.to_string(), error.span)
}
