//! Lines of env files that `environment:` wins over. They are dead, until the variable has moved: then a line would set
//! it again, beside the variable that names a file, and images refuse to start with both. So the line goes with it.

use super::builds::names_variable;
use super::dollars::has_raw;
use super::edit::Edit;
use super::moved::{Line, range_of, used_beside};
use super::secrets::is_behind_link;
use super::{Changes, Project};
use crate::compose::dotenv::{self, Assigned};
use crate::compose::template::Missing;
use crate::compose::{Environment, Loaded, Service};
use crate::files::{FileSystem, ReadError, file_name, inside, join};
use crate::source::{FileId, Sources};

/// An env file of a service.
struct EnvText {
    path: String,
    text: String,
    file: FileId,
    assigned: Vec<Assigned>,
}

impl EnvText {
    /// The env files of a service that are there, once each. The error is a sentence.
    fn all(files: &dyn FileSystem, service: &Service) -> Result<Vec<EnvText>, String> {
        let mut all: Vec<EnvText> = Vec::new();
        let mut sources = Sources::default();
        for path in service.env_files.iter().map(|file| join("", &file.path.value)) {
            if all.iter().any(|known| known.path == path) {
                continue;
            }
            let text = match files.read(&path) {
                Ok(text) => text,
                Err(ReadError::Missing) => continue,
                Err(error) => {
                    return Err(format!(
                        "{path} of `env_file:` cannot be looked at, {error}; mend that first"
                    ));
                }
            };
            let file = sources.add(path.as_str(), text.as_str());
            let assigned = dotenv::scan(file, &text);
            all.push(EnvText { path, text, file, assigned });
        }
        Ok(all)
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

/// The env file of a service that sets a variable.
pub(super) fn setter(files: &dyn FileSystem, service: &Service, name: &str) -> Option<String> {
    let all = EnvText::all(files, service).unwrap_or_default();
    all.into_iter().find(|env| env.sets(name).next().is_some()).map(|env| env.path)
}

/// The env file of a service that makes a value with a variable.
pub(super) fn user(files: &dyn FileSystem, service: &Service, name: &str) -> Option<String> {
    EnvText::all(files, service)
        .unwrap_or_default()
        .into_iter()
        .find(|env| env.uses(name))
        .map(|env| env.path)
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
    for env in EnvText::all(project.files, service)? {
        if env.uses(name) {
            return Err(format!(
                "{} of `env_file:` uses {name}, which is not set there any more; write the value out first",
                env.path
            ));
        }
        if env.sets(variant).next().is_some() {
            return Err(format!("{} of `env_file:` sets {variant} already; remove one of the two", env.path));
        }
        let own = own_lines(project, loaded, &env, name).map_err(|reason| {
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
    let mut set = Environment::default();
    let parsed = dotenv::parse(env.file, &env.text, &Environment::default(), &mut set, Missing::Allow);
    if parsed.is_err() || has_raw(&loaded.root) {
        return Err("that file cannot be read for certain as Compose reads it".to_owned());
    }
    if inside(project.directory, &env.path).is_none_or(|path| is_behind_link(project, &path)) {
        return Err("that file lies outside of the project directory, where others may read it".to_owned());
    }
    let reads =
        |service: &&Service| service.env_files.iter().any(|own| join("", &own.path.value) == env.path);
    for reader in loaded.project.services.iter().filter(reads) {
        if !reader.environment.iter().any(|own| *own.name.value == *name) {
            return Err(format!("service {} has it from there", reader.name));
        }
        if let Some(path) = user(project.files, reader, name) {
            return Err(format!("{path} of service {} uses it", reader.name));
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
