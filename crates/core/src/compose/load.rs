//! From Compose files to a [`Project`]: several documents and files, `include`, `extends`, `!reset` and
//! `!override`, interpolation, schema, canonical form. (compose-go `loader/loader.go`, `include.go`,
//! `extends.go`)

mod error;
mod extends;
mod include;
mod ways;

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

pub use self::error::LoadError;
pub use self::ways::{Way, Ways};

use self::ways::{is_below, real};
use super::changed::Layered;
use super::decode::{decode, decode_around};
use super::environment::{Binding, BindingOrigin, Environment};
use super::merge::Removed;
use super::project::{Project, default_name};
use super::resolved::Resolved;
use super::value::{Data, Map, Mark, Value};
use super::{
    canonical, check, dotenv, interpolate, merge, misplaced, normalize, resolve, schema, template, unicity,
};
use crate::detect::is_secret_name;
use crate::files::{Answer, FileKind, FileSystem, GitState, ReadError, file_name, join};
use crate::source::{FileId, Sources, Span};
use crate::yaml::Document;

/// What a variable without a value does, and what a file that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// As Compose: `${V:?…}` and malformed text are errors, a missing file too.
    Strict,
    /// For linting without the author's environment: variables are empty, malformed text stays, a missing
    /// file is noted. Values stay in the form in which they are written.
    Lenient,
    /// Variables stay as they are written (`--no-interpolate`); a missing file is an error.
    None,
}

/// What to load and how.
pub struct LoadRequest<'a> {
    /// The Compose files, later ones over earlier ones.
    pub files: &'a [String],
    /// The project directory as the user sees it, which relative paths start from.
    pub directory: &'a str,
    /// Where the user stands: an absolute path, which `directory` starts from.
    pub working_directory: &'a str,
    /// The variables, `.env` included.
    pub environment: &'a Environment,
    /// What a variable without a value does.
    pub interpolation: Interpolation,
    /// The project's name from outside (`-p`, `COMPOSE_PROJECT_NAME`); it wins over `name:`.
    pub name: Option<&'a str>,
    /// Enabled profiles; `*` is all.
    pub profiles: &'a [String],
    /// Services that are enabled by being named, and with them their profiles.
    pub services: &'a [String],
}

impl<'a> LoadRequest<'a> {
    /// For looking at files without their author's machine: lenient, all services.
    pub fn lenient(files: &'a [String], directory: &'a str, environment: &'a Environment) -> Self {
        LoadRequest {
            files,
            directory,
            working_directory: "/",
            environment,
            interpolation: Interpolation::Lenient,
            name: None,
            profiles: &[],
            services: &[],
        }
    }
}

/// A loaded project.
#[derive(Debug)]
pub struct Loaded {
    /// The merged whole as values.
    pub root: Value,
    /// What rules and plan read.
    pub project: Project,
    /// What Compose makes of it; `None` after lenient loading.
    pub resolved: Option<Resolved>,
    /// Why each file was read, in the order in which they were.
    pub ways: Ways,
    /// What `!reset` and `!override` took away, in the order in which they did.
    pub removed: Vec<Removed>,
    /// What lenient loading had to leave out.
    pub left_out: Vec<String>,
    /// Of strict loading, the variables that have neither a value nor a default, which makes them empty; each with
    /// the first text that has it.
    pub unset: Vec<(String, Span)>,
    /// Why Compose would refuse what lenient loading has made sense of.
    pub refused: Option<LoadError>,
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
///     working_directory: "/work",
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
        ways: Ways::default(),
        parsed: HashMap::new(),
        decoded: HashMap::new(),
        bases: HashMap::new(),
        removed: Vec::new(),
        left_out: Vec::new(),
        unset: interpolate::Unset::default(),
        refused: None,
        is_empty: true,
        included: 0,
        inherited: 0,
        ports: Cell::new(0),
        real_directory: real(files, &join(request.working_directory, request.directory)),
        working_directory: request.working_directory,
        paths: match request.interpolation {
            Interpolation::Lenient => variables_of_paths(files, request.directory),
            Interpolation::Strict | Interpolation::None => Environment::default(),
        },
    };
    let mut named = Vec::new();
    for (index, path) in request.files.iter().enumerate() {
        named.push(loader.parse(path, Way::Named(index))?);
    }
    let name = loader.name(&named, request)?;
    // Without interpolation Compose looks no variable up.
    let mut environment = match request.interpolation {
        Interpolation::None => Environment::default(),
        _ => request.environment.clone(),
    };
    environment
        .set("COMPOSE_PROJECT_NAME", Binding { value: name.as_str().into(), origin: BindingOrigin::Process });
    let location = Location {
        read_from: request.directory,
        resolve_against: request.directory,
        environment: &environment,
    };
    let root = match (loader.model(&named, &location, &[]), loader.refused.take()) {
        (Ok(root), refused) => {
            loader.refused = refused;
            root
        }
        // What was wrong first is what to mend first.
        (Err(error), refused) => return Err(refused.unwrap_or(error)),
    };
    // Of a project's files one may be empty, not all.
    if loader.is_empty || loader.is_exact() && root.as_map().is_some_and(|top| top.is_empty()) {
        return Err(loader.refused.unwrap_or_else(|| LoadError::new(EMPTY, root.span)));
    }
    let Loader { ways, removed, mut left_out, unset, mut refused, sources, .. } = loader;
    let unset = unset.into_iter().collect();
    let profiles = with_profiles_of(&root, request);
    let resolved = match request.interpolation {
        Interpolation::Lenient => None,
        _ => Some(Resolved::new(files, sources, &root, &name, &environment, &profiles, request)?),
    };
    let (project, misshapen) = Project::read(sources, &root, request, name, &profiles)?;
    let mut misshapen = misshapen.into_iter();
    if refused.is_none() {
        refused = misshapen.next();
    }
    left_out.extend(misshapen.map(|error| error.message));
    Ok(Loaded { root, project, resolved, ways, removed, left_out, unset, refused })
}

/// Naming a service enables its profiles, for all services that have them.
fn with_profiles_of(root: &Value, request: &LoadRequest<'_>) -> Vec<String> {
    let mut profiles = request.profiles.to_vec();
    for name in request.services {
        let service = root.get("services").and_then(|services| services.get(name));
        let own: Vec<&str> = service
            .and_then(|service| service.get("profiles"))
            .and_then(Value::as_seq)
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        if !own.is_empty() && !own.iter().any(|one| request.profiles.iter().any(|asked| asked == one)) {
            profiles.extend(own.into_iter().map(str::to_owned));
        }
    }
    profiles
}

const EMPTY: &str = "the project is empty; a Compose file needs at least `services:`";

const NO_MAPPING: &str = "`services` must be a mapping; write the services below it, or leave the key out";

/// Deeper chains are a mistake.
const DEEPEST: usize = 100;

/// The sections that `include` brings in.
const SECTIONS: [&str; 6] = ["services", "volumes", "networks", "secrets", "configs", "models"];

struct Loader<'a> {
    files: &'a dyn FileSystem,
    sources: &'a mut Sources,
    documents: &'a mut Vec<Document>,
    interpolation: Interpolation,
    ways: Ways,
    /// The files that have been read, by path.
    parsed: HashMap<String, Parsed>,
    /// Their documents until someone takes them. Who comes later has them decoded again: few files are read
    /// twice, and a project in memory is many times its text.
    decoded: HashMap<String, Vec<Value>>,
    /// The services of files that are extended, by path and by what their paths are resolved against.
    bases: HashMap<(String, String), Map>,
    removed: Vec<Removed>,
    left_out: Vec<String>,
    unset: interpolate::Unset,
    /// Why Compose would refuse what is read all the same.
    refused: Option<LoadError>,
    /// Whether no file had anything in it.
    is_empty: bool,
    /// How many entries of `include:` have been read, and how many values services have from those they extend.
    included: usize,
    inherited: usize,
    /// How many ports the short forms of all services stand for.
    ports: Cell<usize>,
    /// Where the project is on disk, links followed.
    real_directory: String,
    working_directory: &'a str,
    /// What a linter knows of the variables of paths.
    paths: Environment,
}

/// A file that has been read.
#[derive(Clone)]
struct Parsed {
    path: String,
    /// Its beginning.
    start: Span,
    /// Its documents among those of the loader.
    documents: Range<usize>,
    /// What its documents say under `name:`, and where.
    names: Vec<(Arc<str>, Span)>,
}

/// Where a part of the project is.
#[derive(Clone, Copy)]
struct Location<'e> {
    /// The directory that files are read from, as the user sees it.
    read_from: &'e str,
    /// What its paths are resolved against: for an included part, its directory as seen from the project
    /// that includes it, which resolves them in turn.
    resolve_against: &'e str,
    /// Its variables.
    environment: &'e Environment,
}

impl Loader<'_> {
    /// Takes a text in, with what led to it.
    fn add(&mut self, path: &str, text: String, way: Way) -> FileId {
        let file = self.sources.add(path, text);
        self.ways.ways.insert(file, way);
        let seen = join(self.working_directory, path);
        let real = real(self.files, &seen);
        if real != seen && !is_below(&real, &self.real_directory) {
            self.ways.outside.insert(file, real);
        }
        file
    }

    /// Reads a file.
    fn parse(&mut self, path: &str, way: Way) -> Result<Parsed, LoadError> {
        if let Some(parsed) = self.parsed.get(path) {
            return Ok(parsed.clone());
        }
        let text = self.files.read(path).map_err(|error| match (way, error) {
            (Way::Included(_) | Way::Extended(_), ReadError::Missing) => LoadError::not_there(path),
            (_, error) => LoadError::unreadable(path, &error),
        })?;
        let file = self.add(path, text, way);
        let start = crate::source::file_start(file);
        let first = self.documents.len();
        let text = self.sources.file(file).text();
        let (read, error) = if self.is_exact() {
            (crate::yaml::parse(file, text)?, None)
        } else {
            crate::yaml::parse_around(file, text)
        };
        self.documents.extend(read);
        error.map_or(Ok(()), |error| self.refuse(error.into()))?;
        let documents = first..self.documents.len();
        let values = self.decode(documents.clone())?;
        self.is_empty &= values.is_empty();
        let names = values
            .iter()
            .filter_map(|document| document.get("name"))
            .filter_map(|name| Some((name.to_text()?.value, name.span)))
            .filter(|(name, _)| !name.is_empty())
            .collect();
        let parsed = Parsed { path: path.to_owned(), start, documents, names };
        self.parsed.insert(path.to_owned(), parsed.clone());
        self.decoded.insert(path.to_owned(), values);
        Ok(parsed)
    }

    /// The values of documents, not yet interpolated.
    fn decode(&mut self, documents: Range<usize>) -> Result<Vec<Value>, LoadError> {
        let several = documents.len() > 1;
        let mut values = Vec::new();
        for at in documents {
            let document = &self.documents[at];
            let value = if self.is_exact() {
                decode(document)?
            } else {
                let (value, problem) = decode_around(document)?;
                problem.map_or(Ok(()), |problem| self.refuse(problem.into()))?;
                value
            };
            // `---` without anything after it, which Compose refuses.
            if !self.is_exact() && value.is_null() && several {
                continue;
            }
            if !matches!(value.data, Data::Map(_)) {
                let message = format!(
                    "a Compose file is a mapping with `services:` at its top, this is {}",
                    value.type_name()
                );
                let error = LoadError::new(message, value.span);
                if !several {
                    return Err(error);
                }
                self.refuse(error)?;
                continue;
            }
            values.push(value);
        }
        Ok(values)
    }

    /// The documents of a file with their variables replaced.
    fn interpolated(&mut self, file: &Parsed, environment: &Environment) -> Result<Vec<Value>, LoadError> {
        let mut documents = match self.decoded.remove(&file.path) {
            Some(documents) => documents,
            None => self.decode(file.documents.clone())?,
        };
        if self.interpolation != Interpolation::None {
            for document in &mut documents {
                interpolate::interpolate(
                    document,
                    environment,
                    &self.paths,
                    self.interpolation,
                    &mut self.unset,
                )?;
            }
        }
        Ok(documents)
    }

    /// Whether values are checked and written out, as Compose does; a linter takes them as they are.
    fn is_exact(&self) -> bool {
        self.interpolation != Interpolation::Lenient
    }

    /// A document over what there is. Writing short forms out can show two entries to be the same.
    fn over(
        &mut self,
        base: Option<Layered>,
        mut document: Value,
        validate: bool,
    ) -> Result<Layered, LoadError> {
        // No key leads to the whole document, so a mark on it is about nothing.
        if document.mark == Mark::Override {
            document.mark = Mark::None;
        }
        let mut layered = base.unwrap_or_else(|| Layered::new(document.span));
        let changed = layered.changed_by(&document);
        // What does not go together is left out; the clone shares all that the merge leaves as it is.
        let before = (!self.is_exact()).then(|| layered.value.clone());
        layered.value = match (merge::merge(self.sources, layered.value, document, &mut self.removed), before)
        {
            (Ok(merged), _) => merged,
            (Err(error), None) => return Err(error),
            (Err(error), Some(before)) => {
                self.refuse(error)?;
                before
            }
        };
        layered.with(&changed, |part| {
            unicity::enforce(part, self.interpolation)?;
            if !self.is_exact() {
                return Ok(());
            }
            if validate {
                schema::validate(part)?;
            }
            canonical::canonical(part, self.interpolation, &self.ports)?;
            unicity::enforce(part, self.interpolation)
        })?;
        if self.is_exact()
            && validate
            && let Some(top) = layered.value.as_map_mut()
        {
            top.shift_remove("version");
        }
        Ok(layered)
    }

    /// The project's name: from outside, from the last file that has one, or from the directory.
    fn name(&self, files: &[Parsed], request: &LoadRequest<'_>) -> Result<String, LoadError> {
        if let Some(name) = request.name.filter(|name| !name.is_empty()) {
            if self.is_exact() && default_name(name) != name {
                let message = format!(
                    "the project name `{name}` is not allowed; it has lower case letters, digits, `-` and `_`, \
                     and starts with a letter or digit"
                );
                return Err(LoadError { message, span: None, related: None });
            }
            return Ok(name.to_owned());
        }
        if let Some((name, span)) = files.iter().flat_map(|file| &file.names).next_back() {
            let name = match self.interpolation {
                Interpolation::None => name.to_string(),
                mode => match template::evaluate(name, request.environment, mode.missing()) {
                    Ok((name, _)) => name,
                    Err(_) if !self.is_exact() => String::new(),
                    Err(error) => return Err(LoadError::new(format!("`name`: {error}"), *span)),
                },
            };
            let name = default_name(&name);
            if !name.is_empty() {
                return Ok(name);
            }
            if self.is_exact() {
                let message = "`name:` leaves no project name; it needs lower case letters, digits, `-` and `_`, and a value for each variable";
                return Err(LoadError::new(message, *span));
            }
        }
        let name = default_name(file_name(&join(request.working_directory, request.directory)));
        if name.is_empty() && self.is_exact() {
            let message = "the project has no name, and its directory gives none; set `name:` or use -p";
            return Err(LoadError { message: message.to_owned(), span: None, related: None });
        }
        Ok(name)
    }

    /// Files merged in order, paths resolved. `including` are the files on the way here, outermost first.
    fn model(
        &mut self,
        files: &[Parsed],
        location: &Location<'_>,
        including: &[String],
    ) -> Result<Value, LoadError> {
        let mut model: Option<Layered> = None;
        for file in files {
            // Files that are read side by side do not include each other by that.
            let including = [including, std::slice::from_ref(&file.path)].concat();
            for mut document in self.interpolated(file, location.environment)? {
                if !self.is_exact()
                    && let Some(refused) = misplaced::put_right(&mut document)
                {
                    self.refuse(refused)?;
                }
                self.extend_services(&mut document, &file.path, location)?;
                self.include(&mut document, location, &including)?;
                model = Some(self.over(model.take(), document, true)?);
            }
        }
        let nothing = || LoadError::unreadable("compose.yaml", &ReadError::Missing);
        let start = files.first().map(|file| file.start).ok_or_else(nothing)?;
        let mut model = model.map_or_else(|| merge::empty(start), |model| model.value);
        check::set_build_contexts(&mut model);
        if self.is_exact() {
            check::set_defaults(&mut model);
            check::check(&model)?;
        }
        resolve::resolve_paths(self.files, &mut model, location.resolve_against);
        if self.is_exact() {
            normalize::resolve_environment(&mut model, location.environment);
        }
        Ok(model)
    }

    fn env_file(&mut self, path: &str) -> Result<FileId, LoadError> {
        let text = self.files.read_env_file(path).map_err(|error| match error {
            ReadError::Missing => LoadError::not_there(path),
            error => LoadError::unreadable(path, &error),
        })?;
        Ok(self.add(path, text, Way::EnvFile))
    }

    /// An error, unless loading is lenient: then the project is what is left without it, and why Compose would not have
    /// it is kept.
    fn refuse(&mut self, error: LoadError) -> Result<(), LoadError> {
        if self.is_exact() {
            return Err(error);
        }
        if self.refused.is_none() {
            self.refused = Some(error);
        } else if !self.left_out.contains(&error.message) {
            self.left_out.push(error.message);
        }
        Ok(())
    }

    /// An error, unless loading is lenient: then a note.
    fn allow(&mut self, error: LoadError) -> Result<(), LoadError> {
        if self.is_exact() {
            return Err(error);
        }
        self.left_out.push(error.message);
        Ok(())
    }
}

/// What the project's own .env says to everybody who has the project: where it lies in a repository, git has to know
/// it. No secret is a part of a path. Who stands in the project's directory has it in PWD.
fn variables_of_paths(files: &dyn FileSystem, directory: &str) -> Environment {
    let here = [("PWD".to_owned(), ".".to_owned())];
    let path = join(directory, ".env");
    let is_there = files.kind(&path) == Answer::Known(FileKind::File);
    // What is somebody's own is not even read.
    let is_known = is_there && files.git(&path) != Answer::Known(GitState::Ignored);
    let Some(text) = is_known.then(|| files.read(&path).ok()).flatten() else {
        return Environment::from_process(here);
    };
    let (mut sources, mut set) = (Sources::default(), Environment::default());
    let file = sources.add(path, text);
    // What stands before a line that cannot be read is set all the same.
    let outer = Environment::default();
    let read = dotenv::parse(file, sources.file(file).text(), &outer, &mut set, template::Missing::Allow);
    drop(read);
    let variables = set.iter().filter(|(name, _)| !is_secret_name(name));
    let own = variables.map(|(name, binding)| (name.to_owned(), binding.value.to_string()));
    Environment::from_process(own.chain(here))
}

/// Adds the variables of env files, later ones over earlier ones, that are not set yet.
pub fn add_env_files(
    sources: &Sources,
    files: &[FileId],
    environment: &mut Environment,
    missing: template::Missing,
) -> Result<(), LoadError> {
    let mut set = Environment::default();
    for file in files {
        dotenv::parse(*file, sources.file(*file).text(), environment, &mut set, missing)
            .map_err(|error| LoadError::new(error.kind.to_string(), error.span))?;
        environment.name_file(*file, sources.file(*file).path());
    }
    environment.extend_default(&set);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryFiles;

    /// Files in memory of which some are links.
    struct Linked {
        files: MemoryFiles,
        links: Vec<(&'static str, &'static str)>,
    }

    impl FileSystem for Linked {
        fn read(&self, path: &str) -> Result<String, ReadError> {
            self.files.read(path)
        }

        fn kind(&self, path: &str) -> Answer<FileKind> {
            self.files.kind(path)
        }

        fn git(&self, path: &str) -> Answer<GitState> {
            self.files.git(path)
        }

        fn real_path(&self, path: &str) -> Option<String> {
            let (link, target) = self.links.iter().find(|(link, _)| is_below(path, link))?;
            Some(format!("{target}{}", &path[link.len()..]))
        }
    }

    fn loaded(files: &dyn FileSystem, names: &[&str]) -> (Loaded, Sources) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let environment = Environment::default();
        let request = LoadRequest {
            working_directory: "/home/ann/shop",
            interpolation: Interpolation::Strict,
            ..LoadRequest::lenient(&names, "", &environment)
        };
        let (mut sources, mut documents) = (Sources::default(), Vec::new());
        (load(files, &mut sources, &mut documents, &request).unwrap(), sources)
    }

    #[test]
    fn a_link_out_of_the_project_is_told_and_one_within_it_is_not() {
        let mut files = MemoryFiles::default();
        files.insert("compose.yaml", "include: [out/a.yaml, in/b.yaml]\nservices: {c: {image: x}}\n");
        files.insert("out/a.yaml", "services: {a: {image: x}}\n");
        files.insert("in/b.yaml", "services: {b: {image: x}}\n");
        let links = vec![
            // The project itself is seen through a link, which leads nobody out of it.
            ("/home", "/data"),
            ("/data/ann/shop/out", "/srv/shared"),
            ("/data/ann/shop/in", "/data/ann/shop/parts"),
        ];
        let (loaded, sources) = loaded(&Linked { files, links }, &["compose.yaml"]);
        let outside: Vec<_> = sources
            .iter()
            .filter_map(|(id, file)| Some((file.path().to_owned(), loaded.ways.outside(id)?)))
            .collect();
        assert_eq!(outside, [("out/a.yaml".to_owned(), "/srv/shared/a.yaml")]);
    }

    #[test]
    fn what_a_tag_took_away_can_still_be_found() {
        let mut files = MemoryFiles::default();
        let base = "services: {db: {image: x, environment: {PASSWORD: canary, A: b}, command: [run]}}\n";
        files.insert("compose.yaml", base);
        files.insert(
            "prod.yaml",
            "services: {db: {environment: {PASSWORD: !reset null}, command: !override [go]}}\n",
        );
        let (loaded, sources) = loaded(&files, &["compose.yaml", "prod.yaml"]);
        let told: Vec<_> = loaded
            .removed
            .iter()
            .map(|gone| {
                let by = sources.file(gone.by.file).path();
                (gone.path.as_str(), sources.slice(gone.span), gone.mark, by)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("services.db.environment.PASSWORD", "canary", Mark::Reset, "prod.yaml"),
                ("services.db.command", "[run]", Mark::Override, "prod.yaml"),
            ]
        );
        assert!(!format!("{:?}", loaded.removed).contains("canary"));
    }
}
