//! Compose files beside a project that are no part of it: read over it, as with `-f`, they may set a variable beside the
//! one that names its file, which images refuse, or run the service in an image that reads no file.

use std::cell::OnceCell;

use super::Project;
use super::beside::{Beside, is_yaml};
use super::builds::has_word;
use super::moved::{container_uses, form_of, place_of};
use super::shadowed::{self, EnvText};
use super::tree::child;
use crate::compose::{EnvVar, Environment, LoadRequest, Loaded, Service, Way, load};
use crate::files::{file_name, join, parent};
use crate::images::FileForm;
use crate::source::Sources;
use crate::yaml::{self, Document, Kind};

/// A file that may be a Compose file with services of the project.
pub(super) struct Sibling {
    path: String,
    /// It lies beside the project's own files.
    is_near: bool,
    /// Its number among the files beside the project.
    at: usize,
    parts: OnceCell<Option<Vec<String>>>,
    over: OnceCell<Option<Over>>,
}

/// The project with the file read over it.
struct Over {
    sources: Sources,
    loaded: Loaded,
}

/// The files that may be siblings of a project.
pub(super) fn all(project: &Project<'_>) -> Vec<Sibling> {
    let Ok(beside) = project.beside() else { return Vec::new() };
    let directory = join("", &project.in_directory(""));
    let files = beside.iter().enumerate().filter(|(_, one)| is_yaml(&one.path) && !is_own(project, one));
    let sibling = |(at, one): (usize, &Beside)| {
        let is_near = join("", parent(&one.path)) == directory;
        Sibling { path: one.path.clone(), is_near, at, parts: OnceCell::new(), over: OnceCell::new() }
    };
    files.map(sibling).collect()
}

/// Whether a file is one of the project's by another name: one of the two is a link, and they say the same.
fn is_own(project: &Project<'_>, one: &Beside) -> bool {
    let is_link = |path: &str| project.files.real_path(path).is_some();
    let mut own = project.sources().iter();
    own.any(|(_, file)| file.text() == one.text && (is_link(&one.path) || is_link(file.path())))
}

/// The services that a file shares with the project and says no image of; `None` if it shares none.
fn parts(project: &Project<'_>, text: &str) -> Option<Vec<String>> {
    let file = Sources::default().add("", text);
    let documents = yaml::parse(file, text).ok()?;
    let own = || project.model().into_iter().flat_map(|model| &model.services);
    let shared = documents.iter().flat_map(services).filter(|(name, _)| own().any(|it| &*it.name == *name));
    let shared: Vec<(&str, bool)> = shared.collect();
    let parts = shared.iter().filter(|(_, runs)| !runs).map(|(name, _)| (*name).to_owned());
    (!shared.is_empty()).then(|| parts.collect())
}

/// The services of a document, and whether each says what it runs.
fn services(document: &Document) -> Vec<(&str, bool)> {
    let Some((_, services)) = child(document, document.root(), "services") else { return Vec::new() };
    let Kind::Mapping { entries, .. } = &document.node(services).kind else { return Vec::new() };
    let named = entries.iter().filter_map(|(key, value)| {
        let Kind::Scalar { value: name, .. } = &document.node(*key).kind else { return None };
        // What an alias or a merge key brings may have an image.
        let is_mapping = matches!(document.node(*value).kind, Kind::Mapping { .. });
        let runs = ["image", "build", "extends", "<<"];
        Some((&**name, !is_mapping || runs.iter().any(|key| child(document, *value, key).is_some())))
    });
    named.collect()
}

impl Sibling {
    fn text<'p>(&self, project: &'p Project<'_>) -> &'p str {
        let beside = project.beside().as_ref().ok();
        beside.and_then(|beside| beside.get(self.at)).map_or("", |one| one.text.as_str())
    }

    /// The services of the project that it says no image of: it can only be read together with a file that does.
    /// `None` if it has none of the project's services.
    fn parts(&self, project: &Project<'_>) -> Option<&[String]> {
        self.parts.get_or_init(|| parts(project, self.text(project))).as_deref()
    }

    fn over(&self, project: &Project<'_>, loaded: &Loaded) -> Option<&Over> {
        let read = || {
            let mut named: Vec<(usize, String)> = Vec::new();
            for (id, file) in project.sources().iter() {
                if let Some(Way::Named(number)) = loaded.ways.of(id) {
                    named.push((number, file.path().to_owned()));
                }
            }
            named.sort();
            let files: Vec<String> =
                named.into_iter().map(|(_, path)| path).chain([self.path.clone()]).collect();
            let (mut sources, environment) = (Sources::default(), Environment::default());
            let request = LoadRequest::lenient(&files, project.directory, &environment);
            let loaded = load(project.files, &mut sources, &mut Vec::new(), &request).ok()?;
            Some(Over { sources, loaded })
        };
        self.over.get_or_init(read).as_ref()
    }

    /// What is wrong with a variable of a service that becomes the one that names its file, where the file is read over
    /// the project: a sentence, and whether the service cannot start then.
    fn trouble(
        &self,
        project: &Project<'_>,
        loaded: &Loaded,
        own: &Service,
        name: &str,
        form: &FileForm,
    ) -> Option<(String, bool)> {
        let Over { sources, loaded: over } = self.over(project, loaded)?;
        let service = over.project.services.iter().find(|service| service.name == own.name)?;
        let (path, service_name) = (&self.path, &own.name);
        let is_here = |file| join("", sources.file(file).path()) == join("", path);
        let has_name = |variable: &&EnvVar| *variable.name.value == *name;
        let has_value =
            own.environment.iter().any(|variable| has_name(&variable) && variable.value.is_some());
        // Without a value it is taken from outside, whatever was said before.
        let is_set =
            |variable: &EnvVar| is_here(place_of(variable).file) || (has_value && variable.value.is_none());
        let renames = form.variable != name;
        if renames && service.environment.iter().any(|variable| has_name(&variable) && is_set(variable)) {
            return Some((format!("{path} sets {name} of service {service_name}, too"), true));
        }
        let known: Vec<String> = own.env_files.iter().map(|file| join("", &file.path.value)).collect();
        let all = EnvText::all(project.files, [service]);
        let added: Vec<EnvText> = all.into_iter().filter(|env| !env.is_any_of(&known)).collect();
        if renames && shadowed::is_set(&added, name) {
            return Some((
                format!("{path} has service {service_name} read an env file that sets {name}, too"),
                true,
            ));
        }
        if form_of(project, over, service, name).as_ref() != Ok(form) {
            return Some((
                format!(
                    "{path} runs service {service_name} with an image or an entry point that is not known to read {name} from a file"
                ),
                false,
            ));
        }
        let key = container_uses(over, service, name).filter(|_| renames)?;
        Some((format!("{path} has `{key}` of service {service_name} read {name} in the container"), false))
    }
}

/// What to say of files that may be read over the project where a variable of a service moves. An error, with the
/// reason, if one beside it is for nothing else and the service could not start with both.
pub(super) fn agree(
    project: &Project<'_>,
    loaded: &Loaded,
    service: &Service,
    name: &str,
    form: &FileForm,
) -> Result<Vec<String>, String> {
    let mut notes = Vec::new();
    for sibling in project.siblings() {
        let text = sibling.text(project);
        let may_set = has_word(text, name) || text.contains("env_file");
        if !has_word(text, &service.name) || !(project.tells || (sibling.is_near && may_set)) {
            continue;
        }
        let Some(parts) = sibling.parts(project) else { continue };
        // One that stands by itself, in another directory, is rather another project.
        if !sibling.is_near && parts.is_empty() {
            continue;
        }
        let is_part = sibling.is_near && parts.iter().any(|part| **part == *service.name);
        if !is_part && !project.tells {
            continue;
        }
        let Some((what, stops)) = sibling.trouble(project, loaded, service, name, form) else { continue };
        if stops && is_part {
            return Err(format!(
                "{what}, and the two files are read together: with what names the secret's file that would not go; take it out there first, or move it in both by hand"
            ));
        }
        notes.push(format!("{what}: where the two files are read together, with `-f`, change that, too"));
    }
    Ok(notes)
}

/// Whether a file that is read together with the project, or includes it, has a word: a secret of that name may be
/// another one.
pub(super) fn name(project: &Project<'_>, word: &str) -> bool {
    let own = file_name(project.path);
    let is_together = |sibling: &&Sibling| sibling.parts(project).is_some_and(|parts| !parts.is_empty());
    let has_it = |sibling: &&Sibling| has_word(sibling.text(project), word);
    project.siblings().iter().filter(has_it).any(|sibling| is_together(&sibling))
        || project.above().iter().any(|one| one.text.contains(own) && has_word(&one.text, word))
}
