//! Finds and loads the project that the command line means.

use std::path::{Path, PathBuf};

use cosec_core::compose::template::Missing;
use cosec_core::compose::{
    self, Binding, BindingOrigin, Environment, Interpolation, LoadError, LoadRequest, Project, Resolved,
    Stack, Value,
};
use cosec_core::files::{self, FILE_NAMES, FileSystem, OVERRIDE_NAMES};
use cosec_core::lint::Outcome;
use cosec_core::report;
use cosec_core::source::Span;
use zeroize::Zeroizing;

use crate::args::ProjectArgs;
use crate::disk::Disk;
use crate::failure::Failure;

/// A project as loaded from disk.
pub(crate) struct Loaded {
    /// What the file says.
    pub(crate) project: Project,
    /// What Compose makes of it.
    pub(crate) resolved: Option<Resolved>,
    /// The same as a tree, with all that Compose and cosec itself read of it.
    pub(crate) root: Value,
    /// The Compose files, absolute.
    pub(crate) files: Vec<PathBuf>,
    /// The project directory, absolute.
    pub(crate) directory: PathBuf,
    /// The variables that Compose would see.
    pub(crate) environment: Environment,
    /// The env files that they come from, absolute: of a group the last to set one counts, of the groups the first.
    env_files: Vec<Vec<PathBuf>>,
    /// The variables that are empty because nothing sets them, each with a place that it stands at.
    unset: Vec<(String, Span)>,
    /// Texts and trees, for errors with excerpts.
    outcome: Outcome,
}

/// What a command wants of a project.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To run it with `docker compose`, which has to read the same files.
    Run,
    /// To look at it; the file may be standard input.
    Show,
    /// To look at it with its variables as they are written.
    ShowTemplate,
}

const NO_FILE: &str =
    "there is no compose.yaml here or above; change to the project's directory, or name the file with -f";

/// Loads the project as `docker compose` would. `services` are named on the command line, which enables
/// them whatever their profiles say.
pub(crate) fn load(args: &ProjectArgs, services: &[String], purpose: Purpose) -> Result<Loaded, Failure> {
    let disk = Disk::default();
    let mut outcome = Outcome::default();
    let mut environment = process_environment();
    // The directory in which the search starts has its say by its `.env`, the project's directory afterwards.
    let first = directory_of(args, &args.file);
    let mut env_files = vec![add_env_files(args, &first, &disk, &mut outcome, &mut environment)?];
    let files = files_of(args, &environment);
    if files.is_empty() {
        return Err(Failure::Cannot(NO_FILE.to_owned()));
    }
    if purpose == Purpose::Run && files.iter().any(|file| file.as_os_str() == "-") {
        return Err(Failure::Cannot(
            "standard input cannot be run as a project; write it to a file and name that with -f".to_owned(),
        ));
    }
    let directory = directory_of(args, &files);
    if directory != first {
        env_files.push(add_env_files(args, &directory, &disk, &mut outcome, &mut environment)?);
    }
    let variable = |name: &str| environment.get(name).map(|binding| binding.value.to_string());
    let name = args.project_name.clone().or_else(|| variable("COMPOSE_PROJECT_NAME"));
    let mut profiles = args.profile.clone();
    if profiles.is_empty() {
        profiles = variable("COMPOSE_PROFILES")
            .unwrap_or_default()
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect();
    }
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    outcome.path.clone_from(&names[0]);
    let request = LoadRequest {
        files: &names,
        directory: &directory.display().to_string(),
        working_directory: &absolute(Path::new("")).display().to_string(),
        environment: &environment,
        interpolation: match purpose {
            Purpose::Run | Purpose::Show => Interpolation::Strict,
            Purpose::ShowTemplate => Interpolation::None,
        },
        name: name.as_deref(),
        profiles: &profiles,
        services,
    };
    let loaded = cosec_core::compose::load(&disk, &mut outcome.sources, &mut outcome.documents, &request);
    let (project, resolved, root, unset) = match loaded {
        Ok(loaded) => (loaded.project, loaded.resolved, loaded.root, loaded.unset),
        Err(error) => return Err(shown(&outcome, &error)),
    };
    let files = files.iter().map(|file| absolute(file)).collect();
    let directory = absolute(&directory);
    Ok(Loaded { project, resolved, root, files, directory, environment, env_files, unset, outcome })
}

/// The Compose files that are named, or found.
fn files_of(args: &ProjectArgs, environment: &Environment) -> Vec<PathBuf> {
    if !args.file.is_empty() {
        return args.file.clone();
    }
    let named = variable_files(environment);
    if named.is_empty() {
        return discover(&args.project_directory.clone().unwrap_or_default());
    }
    // After `eval "$(cosec env)"` our own override is one of them.
    named.into_iter().filter(|file| !crate::runtime::is_override(file)).collect()
}

/// What to do where no file can be read, for commands that use [`named`].
const HINT: &str = "with `-p NAME` this command needs no Compose file";

/// A project, as far as a look at its server needs it.
pub(crate) struct Named {
    pub(crate) name: String,
    /// Its directory; nothing where only the name is known, which was given.
    pub(crate) directory: Option<PathBuf>,
}

/// The project's name. One that is given needs no file, as with `docker compose -p NAME ps`: what is served can be
/// looked at with the file broken or gone.
pub(crate) fn named(args: &ProjectArgs) -> Result<Named, Failure> {
    if let Some(name) = args.project_name.as_deref().filter(|name| !name.is_empty()) {
        if compose::default_name(name) != name {
            return Err(Failure::Cannot(format!(
                "`{name}` is no project name; it has lower case letters, digits, `-` and `_`, and starts with a letter or digit"
            )));
        }
        return Ok(Named { name: name.to_owned(), directory: None });
    }
    let failure = match load(args, &[], Purpose::Show) {
        Ok(loaded) => {
            return Ok(Named { name: loaded.project.name, directory: Some(loaded.directory) });
        }
        Err(failure) => failure,
    };
    // `.env` may give it, too.
    let directory = directory_of(args, &files_of(args, &process_environment()));
    let environment = environment_of(args, &directory).unwrap_or_default();
    if let Some(name) = environment.get("COMPOSE_PROJECT_NAME").map(|binding| binding.value.to_string())
        && !name.is_empty()
        && compose::default_name(&name) == name
    {
        return Ok(Named { name, directory: Some(absolute(&directory)) });
    }
    Err(match failure {
        Failure::Shown(text) => Failure::Shown(format!("{}\n{HINT}", text.trim_end())),
        Failure::Cannot(text) => Failure::Cannot(format!("{text}; {HINT}")),
        other @ (Failure::Refused(_) | Failure::Interrupted(_)) => other,
    })
}

/// The files as `docker stack` would read them: without `.env`. The files are found as Compose finds them, but for the
/// variables of `.env`.
pub(crate) fn read_stack(args: &ProjectArgs, interpolate: bool) -> Result<Stack, Failure> {
    let environment = process_environment();
    let files = files_of(args, &environment);
    let Some(first) = files.first() else { return Err(Failure::Cannot(NO_FILE.to_owned())) };
    let mut outcome = Outcome { path: first.display().to_string(), ..Outcome::default() };
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    compose::read_stack(
        &Disk::default(),
        &mut outcome.sources,
        &mut outcome.documents,
        &names,
        interpolate.then_some(&environment),
    )
    .map_err(|error| shown(&outcome, &error))
}

/// The project directory: the one that is named, that of the first file, or the one where the user stands.
fn directory_of(args: &ProjectArgs, files: &[PathBuf]) -> PathBuf {
    match (&args.project_directory, files.iter().find(|file| file.as_os_str() != "-")) {
        (Some(directory), _) => directory.clone(),
        (None, Some(file)) => file.parent().map(Path::to_owned).unwrap_or_default(),
        (None, None) => PathBuf::new(),
    }
}

/// A path as messages name it.
pub(crate) fn shown_path(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}

/// The variables that a project in a directory sees.
pub(crate) fn environment_of(args: &ProjectArgs, directory: &Path) -> Result<Environment, Failure> {
    let mut environment = process_environment();
    add_env_files(args, directory, &Disk::default(), &mut Outcome::default(), &mut environment)?;
    Ok(environment)
}

impl Loaded {
    /// Says on standard error which variables are empty because nothing sets them. Compose goes on then, too.
    pub(crate) fn warn_of_unset(&self) {
        for (name, span) in &self.unset {
            let file = self.outcome.sources.file(span.file);
            let place = file.position(span.start);
            anstream::eprintln!(
                "warning: {}:{}:{}: the variable {name} is not set, so it is empty; set it in the environment or in .env, or \
                 write ${{{name}:-default}}",
                shown_path(Path::new(file.path())),
                place.line,
                place.column,
            );
        }
    }

    /// Whether a file is one that the project is made of: a Compose file or an env file of it.
    pub(crate) fn is_made_of(&self, path: &Path) -> bool {
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| absolute(path));
        let path = real(path);
        let env_files = self.project.services.iter().flat_map(|service| &service.env_files);
        let mut read = (self.outcome.sources.iter().map(|(_, file)| file.path()))
            .chain(env_files.map(|file| &*file.path.value));
        // Found by Compose by their names, though this command may have been given others.
        let found = [".env"].iter().chain(&FILE_NAMES).chain(&OVERRIDE_NAMES);
        read.any(|file| real(Path::new(file)) == path)
            || found.into_iter().any(|name| real(&self.directory.join(name)) == path)
    }

    /// An error of a later step, shown in the file.
    pub(crate) fn show(&self, error: &LoadError) -> Failure {
        shown(&self.outcome, error)
    }

    /// The env files that a variable has its value from, if they alone tell it: not the process's environment,
    /// nor by way of variables of it.
    pub(crate) fn env_files_of(&self, variable: &str) -> Option<Vec<PathBuf>> {
        let binding = self.environment.get(variable)?;
        let BindingOrigin::File(_) = binding.origin else { return None };
        let group = self.env_files.iter().find(|group| {
            let texts: Option<Vec<Zeroizing<Vec<u8>>>> =
                group.iter().map(|file| std::fs::read(file).ok().map(Zeroizing::new)).collect();
            let texts = texts.unwrap_or_default();
            let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_slice()).collect();
            let value = crate::env_files::find(&texts, variable);
            value.is_some_and(|value| *value == binding.value.as_bytes())
        });
        group.cloned()
    }

    /// The options that make `docker compose` read the same project, `more` files after the user's own.
    pub(crate) fn compose_options(&self, args: &ProjectArgs, more: Option<&Path>) -> Vec<std::ffi::OsString> {
        let mut options: Vec<std::ffi::OsString> = Vec::new();
        let mut push = |flag: &str, value: &std::ffi::OsStr| options.extend([flag.into(), value.to_owned()]);
        push("--project-name", self.project.name.as_ref());
        push("--project-directory", self.directory.as_ref());
        self.files.iter().for_each(|file| push("--file", file.as_ref()));
        if let Some(file) = more {
            push("--file", file.as_ref());
        }
        args.env_file.iter().for_each(|file| push("--env-file", file.as_ref()));
        args.profile.iter().for_each(|profile| push("--profile", profile.as_ref()));
        options.extend(args.passed_on.iter().cloned());
        options
    }
}

fn shown(outcome: &Outcome, error: &LoadError) -> Failure {
    Failure::Shown(report::render_error(outcome, error, colour()))
}

/// Colour for standard error, as the terminal and the user's environment want it.
pub(crate) fn colour() -> report::Colour {
    match anstream::AutoStream::choice(&std::io::stderr()) {
        anstream::ColorChoice::Never => report::Colour::No,
        _ => report::Colour::Yes,
    }
}

/// The file that Compose finds from `start` upwards, and its override file.
fn discover(start: &Path) -> Vec<PathBuf> {
    for (steps, directory) in absolute(start).ancestors().enumerate() {
        let shown = (0..steps).fold(start.to_owned(), |path, _| path.join(".."));
        let there = |name: &&&str| directory.join(**name).is_file();
        let Some(name) = FILE_NAMES.iter().find(there) else { continue };
        let over = OVERRIDE_NAMES.iter().find(there);
        return std::iter::once(name).chain(over).map(|name| shown.join(name)).collect();
    }
    Vec::new()
}

/// The files that COMPOSE_FILE names, in the environment or in `.env`.
pub(crate) fn files_of_variable(args: &ProjectArgs) -> Vec<PathBuf> {
    let directory = directory_of(args, &[]);
    variable_files(&environment_of(args, &directory).unwrap_or_else(|_| process_environment()))
}

/// COMPOSE_FILE, split as Compose splits it.
fn variable_files(environment: &Environment) -> Vec<PathBuf> {
    let variable = |name: &str| {
        environment.get(name).map(|binding| binding.value.to_string()).filter(|value| !value.is_empty())
    };
    let separator = variable("COMPOSE_PATH_SEPARATOR").unwrap_or_else(|| ":".to_owned());
    variable("COMPOSE_FILE")
        .map(|files| files.split(&separator).map(PathBuf::from).collect())
        .unwrap_or_default()
}

pub(crate) fn process_environment() -> Environment {
    let variables = std::env::vars_os();
    let lazy = std::env::var("COSEC_LAZY_INTERPOLATION").is_ok_and(|value| value == "1");
    let mut environment = Environment::from_process(
        variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    );
    // A service manager may start programs without it; `docker` sets it then.
    if let Some(directory) =
        std::env::current_dir().ok().and_then(|path| path.into_os_string().into_string().ok())
    {
        environment.set_default("PWD", Binding { value: directory.into(), origin: BindingOrigin::Process });
    }
    environment.lazily(lazy)
}

/// Adds what the process environment does not set: from `--env-file` or COMPOSE_ENV_FILES, later ones over
/// earlier ones, else from `.env` of a directory. The files that were read.
fn add_env_files(
    args: &ProjectArgs,
    directory: &Path,
    disk: &Disk,
    outcome: &mut Outcome,
    environment: &mut Environment,
) -> Result<Vec<PathBuf>, Failure> {
    let variable =
        |name: &str| environment.get(name).map(|binding| binding.value.to_string()).unwrap_or_default();
    let from_variable = variable("COMPOSE_ENV_FILES");
    let mut paths = args.env_file.clone();
    if paths.is_empty() {
        paths = from_variable.split(',').filter(|file| !file.is_empty()).map(PathBuf::from).collect();
    }
    let required = !paths.is_empty();
    if !required && !without_env_file(environment)? {
        paths.push(directory.join(".env"));
    }
    let (mut files, mut read) = (Vec::new(), Vec::new());
    for path in paths {
        let shown_path = path.display().to_string();
        match disk.read_env_file(&shown_path) {
            Ok(text) => {
                files.push(outcome.sources.add(shown_path, text));
                read.push(absolute(&path));
            }
            Err(_) if !required && !path.is_file() => {}
            Err(error) => {
                return Err(Failure::Cannot(format!("cannot read the env file {shown_path}: {error}")));
            }
        }
    }
    let mut with_files = environment.clone();
    compose::add_env_files(&outcome.sources, &files, &mut with_files, Missing::Refuse)
        .map_err(|error| shown(outcome, &error))?;
    if required || !without_env_file(&with_files)? {
        *environment = with_files;
    } else {
        // The file says itself that it does not count. What it tells Compose does, as Compose has heard it by then.
        for (name, binding) in with_files.iter().filter(|(name, _)| name.starts_with("COMPOSE_")) {
            environment.set_default(name, binding.clone());
        }
        for file in files {
            environment.name_file(file, outcome.sources.file(file).path());
        }
    }
    Ok(read)
}

/// Whether COMPOSE_DISABLE_ENV_FILE says that no `.env` is read.
fn without_env_file(environment: &Environment) -> Result<bool, Failure> {
    match environment.get("COMPOSE_DISABLE_ENV_FILE").map(|binding| binding.value.as_ref()) {
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some(_) => Err(Failure::Cannot(
            "COMPOSE_DISABLE_ENV_FILE is neither `true` nor `false`; write one of them, or unset it"
                .to_owned(),
        )),
    }
}

/// A path from the root, without `.` and `..`.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    PathBuf::from(files::join("", &absolute.display().to_string()))
}
