//! Lines of env files that `environment:` wins over. They are dead, until the variable has moved: then a line would set
//! it again, beside the variable that names a file, and images refuse to start with both. So the line goes with it.

use std::collections::HashSet;

use super::builds::names_variable;
use super::dollars::is_raw;
use super::edit::Edit;
use super::moved::{Line, range_of, used_beside};
use super::secrets::is_outside;
use super::{Changes, Project, moved, replaced};
use crate::compose::dotenv::{self, Assigned};
use crate::compose::template::Missing;
use crate::compose::{Environment, Loaded, Service};
use crate::files::{FileSystem, ReadError, file_name, join};
use crate::source::{FileId, Sources};

/// An env file that services read.
pub(super) struct EnvText {
    path: String,
    text: String,
    file: FileId,
    assigned: Vec<Assigned>,
    /// Why it cannot be read, in one sentence.
    trouble: Option<String>,
}

impl EnvText {
    /// The env files of services that are there, once each.
    pub(super) fn all<'s>(
        files: &dyn FileSystem,
        services: impl IntoIterator<Item = &'s Service>,
    ) -> Vec<EnvText> {
        let mut sources = Sources::default();
        let mut seen: HashSet<String> = HashSet::new();
        let paths = services.into_iter().flat_map(paths).filter(|path| seen.insert(path.clone()));
        let read = |path: String| {
            let (text, trouble) = match files.read(&path) {
                Ok(text) => (text, None),
                Err(ReadError::Missing) => return None,
                Err(error) => {
                    let trouble =
                        format!("{path} of `env_file:` cannot be looked at, {error}; mend that first");
                    (String::new(), Some(trouble))
                }
            };
            let file = sources.add(path.as_str(), text.as_str());
            let assigned = dotenv::scan(file, &text);
            Some(EnvText { path, text, file, assigned, trouble })
        };
        paths.filter_map(read).collect()
    }

    fn is_of(&self, service: &Service) -> bool {
        paths(service).any(|path| path == self.path)
    }

    /// Whether it is one of these paths.
    pub(super) fn is_any_of(&self, paths: &[String]) -> bool {
        paths.contains(&self.path)
    }

    fn sets<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t Assigned> {
        self.assigned.iter().filter(move |assigned| *assigned.name.value == *name)
    }

    /// Whether a value is made with the variable, or is its own from outside: Compose takes it from `environment:`, too.
    fn uses(&self, name: &str) -> bool {
        self.assigned.iter().any(|assigned| match &assigned.value {
            Some(value) => names_variable(&value.raw, name),
            None => *assigned.name.value == *name,
        })
    }
}

/// The paths of a service's env files.
fn paths(service: &Service) -> impl Iterator<Item = String> {
    service.env_files.iter().map(|file| join("", &file.path.value))
}

/// Whether an env file of a service sets a variable.
pub(super) fn is_set(all: &[EnvText], name: &str) -> bool {
    all.iter().any(|env| env.sets(name).next().is_some())
}

/// The first of env files that makes a value with a variable, or may, as a sentence.
pub(super) fn user<'e>(all: impl IntoIterator<Item = &'e EnvText>, name: &str) -> Option<String> {
    all.into_iter().find_map(|env| {
        let uses = || env.uses(name).then(|| format!("{} of `env_file:` uses it", env.path));
        env.trouble.clone().or_else(uses)
    })
}

/// The lines of a service's env files that set a variable of its `environment:`, all of which can go; else why not.
/// What the project itself needs is not looked at.
pub(super) fn lines(
    project: &Project<'_>,
    loaded: &Loaded,
    service: &Service,
    name: &str,
    variant: &str,
) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for env in project.env_texts().iter().filter(|env| env.is_of(service)) {
        if let Some(trouble) = &env.trouble {
            return Err(trouble.clone());
        }
        if env.uses(name) {
            return Err(format!(
                "{} of `env_file:` uses {name}, which is not set there any more; write the value out first",
                env.path
            ));
        }
        if variant != name && env.sets(variant).next().is_some() {
            return Err(format!("{} of `env_file:` sets {variant} already; remove one of the two", env.path));
        }
        let own = own_lines(project, loaded, env, name).map_err(|reason| {
            format!("{} of `env_file:` sets {name}, too, and {reason}; take it out there first", env.path)
        })?;
        lines.extend(own);
    }
    Ok(lines)
}

/// The lines of one env file that set a variable.
fn own_lines(project: &Project<'_>, loaded: &Loaded, env: &EnvText, name: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for assigned in env.sets(name) {
        let value = assigned.value.as_ref().filter(|value| !value.raw.contains(['$', '\\', '\n']));
        let line =
            value.map(|value| Line { path: env.path.clone(), variable: name.to_owned(), span: value.span });
        let line = line.filter(|line| range_of(&env.text, line).is_some());
        lines.push(line.ok_or("its value there has variables, escapes or several lines")?);
    }
    if lines.is_empty() {
        return Ok(lines);
    }
    let written = loaded.project.services.iter().filter(|service| env.is_of(service)).flat_map(|service| {
        service.environment.iter().filter(|own| *own.name.value == *name).map(moved::place_of)
    });
    if let Some(later) = written.map(|place| place.file).find(|file| !replaced::is_first(loaded, *file)) {
        let path = project.sources().file(later).path();
        return Err(format!("what is read before {path} needs that line where it is used alone"));
    }
    let mut set = Environment::default();
    let parsed = dotenv::parse(env.file, &env.text, &Environment::default(), &mut set, Missing::Allow);
    if parsed.is_err() || is_raw(project, &env.path) {
        return Err("that file cannot be read for certain as Compose reads it".to_owned());
    }
    if is_outside(project, &env.path) {
        return Err("that file lies outside of the project directory, where others may read it".to_owned());
    }
    for reader in loaded.project.services.iter().filter(|service| env.is_of(service)) {
        if !reader.environment.iter().any(|own| *own.name.value == *name) {
            return Err(format!("service {} has it from there", reader.name));
        }
        if let Some(reason) = user(project.env_texts().iter().filter(|own| own.is_of(reader)), name) {
            return Err(reason);
        }
    }
    match used_beside(project, file_name(&env.path)) {
        Some(reason) => Err(reason),
        None => Ok(lines),
    }
}

/// Takes a line out of its env file, once.
pub(super) fn take_out(project: &Project<'_>, line: &Line, changes: &mut Changes<'_>) {
    let text = project.files.read(&line.path).unwrap_or_default();
    let Some((start, end)) = range_of(&text, line) else { return };
    let edits = changes.dead.entry(line.path.clone()).or_default();
    let edit = Edit::replace(start, end, "");
    if !edits.contains(&edit) {
        edits.push(edit);
    }
}

/// What is said of a line that goes.
pub(super) fn note(line: &Line) -> String {
    format!("{} leaves {}, where it had no effect: `environment:` won over it", line.variable, line.path)
}
