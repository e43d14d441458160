//! From Compose files to a [`Project`]: several documents and files, `include`, `extends`, `!reset` and
//! `!override`, interpolation. (compose-go `loader/loader.go`, `include.go`, `extends.go`)

use std::sync::Arc;

use super::decode::{DecodeError, decode};
use super::dotenv;
use super::environment::{Binding, BindingOrigin, Environment};
use super::merge;
use super::project::{Project, is_enabled};
use super::template::{self, Missing, TemplateError};
use super::validate::validate;
use super::value::{Data, Map, Template, Value};
use crate::files::{FileSystem, ReadError, join, parent};
use crate::source::{FileId, Sources, Span};
use crate::yaml::{Document, YamlError};

/// What a variable without a value does, and what a file that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// As Compose: `${V:?…}` and malformed text are errors, a missing file too.
    Strict,
    /// For linting without the author's environment: variables are empty, malformed text stays, a missing
    /// file is noted.
    Lenient,
}

/// What to load and how.
pub struct LoadRequest<'a> {
    /// The Compose files, later ones over earlier ones.
    pub files: &'a [String],
    /// The project directory, which relative paths start from.
    pub directory: &'a str,
    /// The variables, `.env` included.
    pub environment: &'a Environment,
    /// What a variable without a value does.
    pub interpolation: Interpolation,
    /// The project's name from outside (`-p`, `COMPOSE_PROJECT_NAME`); it wins over `name:`.
    pub name: Option<&'a str>,
    /// Enabled profiles; `*` is all.
    pub profiles: &'a [String],
    /// Services that are enabled by being named.
    pub services: &'a [String],
}

/// A loaded project.
pub struct Loaded {
    /// The merged whole as values.
    pub root: Value,
    /// What rules and plan read.
    pub project: Project,
    /// What lenient loading had to leave out.
    pub left_out: Vec<String>,
}

/// Why files are no project. The sentence names the cause; no value of a file is in it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct LoadError {
    /// What is wrong and what to do.
    pub message: String,
    /// Where; `None` where a file itself is the trouble.
    pub span: Option<Span>,
    /// Another place that it is about.
    pub related: Option<(Span, &'static str)>,
}

impl LoadError {
    pub(crate) fn new(message: impl Into<String>, span: Span) -> Self {
        LoadError { message: message.into(), span: Some(span), related: None }
    }

    pub(super) fn also(mut self, span: Span, label: &'static str) -> Self {
        self.related = Some((span, label));
        self
    }

    pub(crate) fn unreadable(path: &str, error: &ReadError) -> Self {
        let message = match error {
            ReadError::Missing => {
                format!("there is no file {path}; name the Compose file with -f, or change to its directory")
            }
            error => format!("cannot read {path}: {error}"),
        };
        LoadError { message, span: None, related: None }
    }
}

impl From<YamlError> for LoadError {
    fn from(error: YamlError) -> Self {
        LoadError::new(error.kind.to_string(), error.span)
    }
}

impl From<DecodeError> for LoadError {
    fn from(error: DecodeError) -> Self {
        let related = error.related.map(|span| (span, "first here"));
        LoadError { message: error.kind.to_string(), span: Some(error.span), related }
    }
}

/// Loads a project. What was read is in `sources` afterwards, whether it succeeds or not, and the trees of
/// what could be parsed in `documents`: an error can be shown in its place.
///
/// ```
/// use cosec_core::compose::{Environment, Interpolation, LoadRequest, load};
/// use cosec_core::files::MemoryFiles;
/// use cosec_core::source::Sources;
///
/// let mut files = MemoryFiles::default();
/// files.insert("compose.yaml", "services: {db: {image: postgres, environment: {A: '1'}}}");
/// files.insert("prod.yaml", "services: {db: {environment: [A=2]}}");
/// let (mut sources, mut documents) = (Sources::default(), Vec::new());
/// let request = LoadRequest {
///     files: &["compose.yaml".to_owned(), "prod.yaml".to_owned()],
///     directory: "",
///     environment: &Environment::default(),
///     interpolation: Interpolation::Strict,
///     name: None,
///     profiles: &[],
///     services: &[],
/// };
/// let loaded = load(&files, &mut sources, &mut documents, &request).unwrap();
/// let value = loaded.project.services[0].environment[0].value.as_ref().unwrap();
/// assert_eq!(&*value.value, "2");
/// assert_eq!(sources.file(value.span.file).path(), "prod.yaml");
/// assert_eq!(sources.slice(value.span), "2");
/// ```
pub fn load(
    files: &dyn FileSystem,
    sources: &mut Sources,
    documents: &mut Vec<Document>,
    request: &LoadRequest<'_>,
) -> Result<Loaded, LoadError> {
    let mut loader = Loader {
        files,
        sources,
        documents,
        interpolation: request.interpolation,
        including: Vec::new(),
        left_out: Vec::new(),
    };
    let root = loader.model(request.files, request.directory, request.environment)?;
    let left_out = std::mem::take(&mut loader.left_out);
    let project = Project::read(sources, &root, request)?;
    if request.interpolation == Interpolation::Strict {
        validate(files, &root, |name, service| is_enabled(name, service, request))?;
    }
    Ok(Loaded { root, project, left_out })
}

/// Deeper chains are a mistake.
const DEEPEST: usize = 64;

/// The sections that `include` brings in.
const SECTIONS: [&str; 6] = ["services", "secrets", "configs", "volumes", "networks", "models"];

struct Loader<'a> {
    files: &'a dyn FileSystem,
    sources: &'a mut Sources,
    documents: &'a mut Vec<Document>,
    interpolation: Interpolation,
    /// The files that are being included, outermost first.
    including: Vec<String>,
    left_out: Vec<String>,
}

/// A service on the way to its base: the file it is in, and its name.
type Extending = Vec<(String, Arc<str>)>;

impl Loader<'_> {
    /// Files merged in order, paths resolved.
    fn model(
        &mut self,
        files: &[String],
        directory: &str,
        environment: &Environment,
    ) -> Result<Value, LoadError> {
        let mut model: Option<Value> = None;
        for path in files {
            for mut document in self.read(path, environment)? {
                self.extend_services(&mut document, path, directory, environment)?;
                self.include(&mut document, directory, environment)?;
                let base = model.take().unwrap_or_else(|| merge::empty(document.span));
                model = Some(merge::merge(self.sources, base, document)?);
            }
        }
        let mut model = model.ok_or_else(|| LoadError::unreadable("compose.yaml", &ReadError::Missing))?;
        self.resolve_paths(&mut model, directory);
        Ok(model)
    }

    /// The interpolated documents of a file.
    fn read(&mut self, path: &str, environment: &Environment) -> Result<Vec<Value>, LoadError> {
        let text = self.files.read(path).map_err(|error| LoadError::unreadable(path, &error))?;
        let file = self.sources.add(path, text);
        self.parse(file, environment)
    }

    fn parse(&mut self, file: FileId, environment: &Environment) -> Result<Vec<Value>, LoadError> {
        let start = crate::source::file_start(file);
        let first = self.documents.len();
        self.documents.extend(crate::yaml::parse(file, self.sources.file(file).text())?);
        let mut values = Vec::new();
        for document in &self.documents[first..] {
            let mut value = decode(document)?;
            // `---` without anything after it.
            if matches!(value.data, Data::Null) && self.documents.len() > first + 1 {
                continue;
            }
            if !matches!(value.data, Data::Map(_)) {
                let message = format!(
                    "a Compose file is a mapping with `services:` at its top, this is {}",
                    value.type_name()
                );
                return Err(LoadError::new(message, value.span));
            }
            interpolate(&mut value, &mut String::new(), environment, self.interpolation)?;
            values.push(value);
        }
        if values.is_empty() {
            return Err(LoadError::new(
                "the file is empty; a Compose file needs at least `services:`",
                start,
            ));
        }
        Ok(values)
    }

    fn extend_services(
        &mut self,
        document: &mut Value,
        path: &str,
        directory: &str,
        environment: &Environment,
    ) -> Result<(), LoadError> {
        let Some(services) = document.get("services").and_then(Value::as_map) else { return Ok(()) };
        let extending: Vec<Arc<str>> = services
            .iter()
            .filter(|(_, entry)| entry.value.get("extends").is_some())
            .map(|(name, _)| name.clone())
            .collect();
        let services = services.clone();
        for name in extending {
            let mut way = Extending::new();
            let extended = self.extended(&services, &name, path, directory, environment, &mut way)?;
            if let Data::Map(top) = &mut document.data
                && let Some(Data::Map(services)) = top.get_mut("services").map(|entry| &mut entry.value.data)
                && let (Some(entry), Some(extended)) = (services.get_mut(&name), extended)
            {
                entry.value = extended;
            }
        }
        Ok(())
    }

    /// A service with all that it extends; `None` if it cannot be had and that is allowed.
    fn extended(
        &mut self,
        services: &Map,
        name: &Arc<str>,
        path: &str,
        directory: &str,
        environment: &Environment,
        way: &mut Extending,
    ) -> Result<Option<Value>, LoadError> {
        let Some(entry) = services.get(name) else { return Ok(None) };
        let mut service = entry.value.clone();
        let Data::Map(map) = &mut service.data else { return Ok(Some(service)) };
        let Some(extends) = map.shift_remove("extends").map(|entry| entry.value) else {
            return Ok(Some(service));
        };
        let step = (path.to_owned(), name.clone());
        if way.contains(&step) || way.len() >= DEEPEST {
            return Err(LoadError::new(
                format!("service `{name}` extends itself by a circle of `extends:`"),
                extends.span,
            ));
        }
        way.push(step);
        let text = |value: Option<&Value>| value.and_then(Value::to_text).map(|text| text.value);
        let (base_name, file) = match &extends.data {
            Data::Map(_) => (text(extends.get("service")), text(extends.get("file"))),
            _ => (text(Some(&extends)), None),
        };
        let Some(base_name) = base_name else {
            return Err(LoadError::new("`extends:` needs the name of a `service:`", extends.span));
        };
        let base = match file {
            None => {
                let found = services.contains_key(&base_name);
                let base = self.extended(services, &base_name, path, directory, environment, way)?;
                base.filter(|_| found)
            }
            Some(file) => {
                let file = join(directory, &file);
                self.base_in_other_file(&file, &base_name, directory, environment, way, extends.span)?
            }
        };
        way.pop();
        match base {
            Some(base) => merge::merge_service(self.sources, base, service).map(Some),
            None => {
                let message = format!("cannot extend service `{base_name}`: there is no such service");
                self.allow(LoadError::new(message, extends.span))?;
                Ok(Some(service))
            }
        }
    }

    /// A service of another file, its paths resolved from that file's directory.
    fn base_in_other_file(
        &mut self,
        file: &str,
        name: &Arc<str>,
        directory: &str,
        environment: &Environment,
        way: &mut Extending,
        span: Span,
    ) -> Result<Option<Value>, LoadError> {
        let documents = match self.read(file, environment) {
            Ok(documents) => documents,
            Err(error) if error.span.is_none() => {
                self.allow(LoadError::new(error.message, span))?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let mut found = None;
        for document in documents {
            if let Some(services) = document.get("services").and_then(Value::as_map)
                && services.contains_key(name)
            {
                let own = parent(file);
                found = self.extended(services, name, file, own, environment, way)?;
                if join("", own) != join("", directory)
                    && let Some(service) = &mut found
                {
                    self.resolve_service(service, own);
                }
            }
        }
        Ok(found)
    }

    fn include(
        &mut self,
        document: &mut Value,
        directory: &str,
        environment: &Environment,
    ) -> Result<(), LoadError> {
        let Data::Map(top) = &mut document.data else { return Ok(()) };
        let Some(include) = top.shift_remove("include").map(|entry| entry.value) else { return Ok(()) };
        let items = match &include.data {
            Data::Seq(items) => items.as_slice(),
            Data::Null => return Ok(()),
            _ => return Err(LoadError::new("`include:` must be a list of files", include.span)),
        };
        for item in items {
            let included = match self.included(item, directory, environment) {
                Ok(included) => included,
                Err(error) if error.span.is_none() => {
                    self.allow(LoadError::new(error.message, item.span))?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            import(document, included)?;
        }
        Ok(())
    }

    /// The model of one entry of `include:`.
    fn included(
        &mut self,
        item: &Value,
        directory: &str,
        environment: &Environment,
    ) -> Result<Value, LoadError> {
        let paths = texts(item.get("path").unwrap_or(item));
        let Some(first) = paths.first() else {
            return Err(LoadError::new("an entry of `include:` needs a `path:`", item.span));
        };
        let files: Vec<String> = paths.iter().map(|path| join(directory, path)).collect();
        if self.including.contains(&files[0]) || self.including.len() >= DEEPEST {
            return Err(LoadError::new(format!("{} includes itself", files[0]), item.span));
        }
        let own = match item.get("project_directory").and_then(Value::to_text) {
            Some(own) => join(directory, &own.value),
            None => parent(&join(directory, first)).to_owned(),
        };
        let env_files = item.get("env_file").map(texts);
        let mut inner = environment.clone();
        match env_files {
            Some(env_files) => {
                for file in env_files {
                    self.add_env_file(&join(directory, &file), &mut inner, true)?;
                }
            }
            None => self.add_env_file(&join(&own, ".env"), &mut inner, false)?,
        }
        self.including.push(files[0].clone());
        let model = self.model(&files, &own, &inner);
        self.including.pop();
        model
    }

    /// Adds the variables of an env file that are not set yet.
    fn add_env_file(
        &mut self,
        path: &str,
        environment: &mut Environment,
        required: bool,
    ) -> Result<(), LoadError> {
        let text = match self.files.read(path) {
            Ok(text) => text,
            Err(ReadError::Missing) if !required => return Ok(()),
            Err(error) => return Err(LoadError::unreadable(path, &error)),
        };
        let file = self.sources.add(path, text);
        let missing = match self.interpolation {
            Interpolation::Strict => Missing::Refuse,
            Interpolation::Lenient => Missing::Allow,
        };
        add_env_file(self.sources, file, environment, missing)
    }

    /// An error, unless loading is lenient: then a note.
    fn allow(&mut self, error: LoadError) -> Result<(), LoadError> {
        if self.interpolation == Interpolation::Strict {
            return Err(error);
        }
        self.left_out.push(error.message);
        Ok(())
    }

    /// Makes the paths that we read start from where the user stands.
    fn resolve_paths(&self, model: &mut Value, directory: &str) {
        let Data::Map(top) = &mut model.data else { return };
        for section in ["secrets", "configs"] {
            let Some(Data::Map(definitions)) = top.get_mut(section).map(|entry| &mut entry.value.data) else {
                continue;
            };
            for entry in definitions.values_mut() {
                self.resolve(&mut entry.value, "file", directory);
            }
        }
        if let Some(Data::Map(services)) = top.get_mut("services").map(|entry| &mut entry.value.data) {
            for entry in services.values_mut() {
                self.resolve_service(&mut entry.value, directory);
            }
        }
    }

    fn resolve_service(&self, service: &mut Value, directory: &str) {
        let Data::Map(map) = &mut service.data else { return };
        if let Some(entry) = map.get_mut("env_file") {
            match &mut entry.value.data {
                Data::Seq(items) => {
                    for item in items {
                        if matches!(item.data, Data::Map(_)) {
                            self.resolve(item, "path", directory);
                        } else {
                            self.resolve_value(item, directory);
                        }
                    }
                }
                _ => self.resolve_value(&mut entry.value, directory),
            }
        }
        if let Some(entry) = map.get_mut("build") {
            if matches!(entry.value.data, Data::Map(_)) {
                self.resolve(&mut entry.value, "context", directory);
            } else {
                self.resolve_value(&mut entry.value, directory);
            }
        }
    }

    fn resolve(&self, value: &mut Value, key: &str, directory: &str) {
        if let Data::Map(map) = &mut value.data
            && let Some(entry) = map.get_mut(key)
        {
            self.resolve_value(&mut entry.value, directory);
        }
    }

    fn resolve_value(&self, value: &mut Value, directory: &str) {
        let Data::Str(path) = &value.data else { return };
        // A URL, or resolved already on the way through an included or extended file.
        if path.is_empty() || path.contains("://") || value.resolved {
            return;
        }
        let resolved = match (path.strip_prefix("~/"), self.files.home()) {
            (Some(rest), Some(home)) => join(&home, rest),
            _ => join(directory, path),
        };
        value.data = Data::Str(resolved.into());
        value.resolved = true;
    }
}

/// Adds the variables of an env file that are not set yet.
pub fn add_env_file(
    sources: &Sources,
    file: FileId,
    environment: &mut Environment,
    missing: Missing,
) -> Result<(), LoadError> {
    let entries = dotenv::parse(file, sources.file(file).text(), environment, missing)
        .map_err(|error| LoadError::new(error.kind.to_string(), error.span))?;
    for entry in entries {
        if let Some(value) = entry.value {
            let origin = BindingOrigin::File(entry.value_span);
            environment.set_default(entry.name, Binding { value, origin });
        }
    }
    Ok(())
}

/// A text, or a list of texts.
fn texts(value: &Value) -> Vec<String> {
    let one = |value: &Value| value.to_text().map(|text| text.value.to_string());
    match &value.data {
        Data::Seq(items) => items.iter().filter_map(one).collect(),
        _ => one(value).into_iter().collect(),
    }
}

/// Adds what an included project has. The same thing said twice is fine, two things of one name are not.
fn import(document: &mut Value, included: Value) -> Result<(), LoadError> {
    let (Data::Map(top), Data::Map(mut included)) = (&mut document.data, included.data) else {
        return Ok(());
    };
    for section in SECTIONS {
        let Some(entry) = included.shift_remove(section) else { continue };
        let key_span = entry.key_span;
        let Data::Map(more) = entry.value.data else { continue };
        let span = entry.value.span;
        let own = top
            .entry(section.into())
            .or_insert_with(|| super::value::MapEntry { key_span, value: merge::empty(span) });
        if matches!(own.value.data, Data::Null) {
            own.value = merge::empty(span);
        }
        let Data::Map(own) = &mut own.value.data else { continue };
        for (name, entry) in more {
            match own.get(&name) {
                Some(earlier) if !merge::same(&earlier.value, &entry.value) => {
                    let message = format!(
                        "{section}.{name} conflicts with the imported one of the same name; rename one"
                    );
                    return Err(
                        LoadError::new(message, earlier.key_span).also(entry.key_span, "imported from here")
                    );
                }
                Some(_) => {}
                None => {
                    own.insert(name, entry);
                }
            }
        }
    }
    Ok(())
}

fn interpolate(
    value: &mut Value,
    path: &mut String,
    environment: &Environment,
    interpolation: Interpolation,
) -> Result<(), LoadError> {
    let length = path.len();
    match &mut value.data {
        Data::Seq(items) => {
            for item in items {
                path.push_str(if path.is_empty() { "[]" } else { ".[]" });
                interpolate(item, path, environment, interpolation)?;
                path.truncate(length);
            }
        }
        Data::Map(map) => {
            for (key, entry) in map {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                interpolate(&mut entry.value, path, environment, interpolation)?;
                path.truncate(length);
            }
        }
        Data::Str(text) if text.contains('$') => {
            let missing = match interpolation {
                Interpolation::Strict => Missing::Refuse,
                Interpolation::Lenient => Missing::Allow,
            };
            match template::evaluate(text, environment, missing) {
                Ok((result, parts)) => {
                    value.template = Some(Template { text: text.clone(), parts }.into());
                    value.data = Data::Str(result.into());
                }
                Err(_) if interpolation == Interpolation::Lenient => {}
                Err(TemplateError::Invalid(_)) => {
                    let message = format!(
                        "invalid interpolation format for {path}; close every `${{`, and write `$$` for a plain `$`"
                    );
                    return Err(LoadError::new(message, value.span));
                }
                Err(error @ TemplateError::Required { .. }) => {
                    let message = format!(
                        "error while interpolating {path}: {error}; set it in the environment or in .env"
                    );
                    return Err(LoadError::new(message, value.span));
                }
            }
        }
        _ => {}
    }
    Ok(())
}
