//! Finds and loads the project that the command line means.

use std::path::{Path, PathBuf};

use cosec_core::compose::template::Missing;
use cosec_core::compose::{Environment, Interpolation, LoadError, LoadRequest, Project, add_env_file};
use cosec_core::files::{self, FILE_NAMES, FileSystem, OVERRIDE_NAMES, ReadError};
use cosec_core::lint::Outcome;
use cosec_core::report;

use crate::args::ProjectArgs;
use crate::disk::Disk;
use crate::failure::Failure;

/// A project as loaded from disk.
pub(crate) struct Loaded {
    /// What the file says.
    pub(crate) project: Project,
    /// The Compose files, absolute.
    pub(crate) files: Vec<PathBuf>,
    /// The project directory, absolute.
    pub(crate) directory: PathBuf,
    /// The variables that Compose would see.
    pub(crate) environment: Environment,
    /// Texts and trees, for errors with excerpts.
    outcome: Outcome,
}

/// Loads the project as `docker compose` would. `services` are named on the command line, which enables
/// them whatever their profiles say.
pub(crate) fn load(args: &ProjectArgs, services: &[String]) -> Result<Loaded, Failure> {
    let disk = Disk::default();
    let mut outcome = Outcome::default();
    let start = args.project_directory.clone().unwrap_or_default();
    let process = process_environment();
    // `.env` of the project directory may itself name the files.
    let named = match args.file.as_slice() {
        [] => variable_files(&process),
        files => files.to_vec(),
    };
    let found = if named.is_empty() { discover(&start) } else { named.clone() };
    let directory = match (&args.project_directory, found.first()) {
        (Some(directory), _) => directory.clone(),
        (None, Some(file)) => file.parent().map(Path::to_owned).unwrap_or_default(),
        (None, None) => PathBuf::new(),
    };
    let environment = environment(args, &directory, &disk, &mut outcome, process)?;
    let files = match variable_files(&environment) {
        files if named.is_empty() && !files.is_empty() => {
            files.iter().map(|file| directory.join(file)).collect()
        }
        _ => found,
    };
    if files.is_empty() {
        return Err(Failure::Cannot(
            "there is no compose.yaml here or above; change to the project's directory, or name the file with -f"
                .to_owned(),
        ));
    }
    if files.iter().any(|file| file.as_os_str() == "-") {
        return Err(Failure::Cannot(
            "standard input cannot be a project here; name a file with -f".to_owned(),
        ));
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
        environment: &environment,
        interpolation: Interpolation::Strict,
        name: name.as_deref(),
        profiles: &profiles,
        services,
    };
    let loaded = cosec_core::compose::load(&disk, &mut outcome.sources, &mut outcome.documents, &request);
    let mut project = match loaded {
        Ok(loaded) => loaded.project,
        Err(error) => return Err(shown(&outcome, &error)),
    };
    let absolute_directory = absolute(&directory);
    if project.name.is_empty() {
        let last = absolute_directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        project.name = cosec_core::compose::default_name(&last);
    }
    let files = files.iter().map(|file| absolute(file)).collect();
    Ok(Loaded { project, files, directory: absolute_directory, environment, outcome })
}

impl Loaded {
    /// An error of a later step, shown in the file.
    pub(crate) fn show(&self, error: &LoadError) -> Failure {
        shown(&self.outcome, error)
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

fn process_environment() -> Environment {
    let variables = std::env::vars_os();
    Environment::from_process(
        variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    )
}

/// The process environment, then `--env-file` or COMPOSE_ENV_FILES (the last one wins), else `.env` of the
/// project directory.
fn environment(
    args: &ProjectArgs,
    directory: &Path,
    disk: &Disk,
    outcome: &mut Outcome,
    mut environment: Environment,
) -> Result<Environment, Failure> {
    let variable =
        |name: &str| environment.get(name).map(|binding| binding.value.to_string()).unwrap_or_default();
    let disabled = matches!(variable("COMPOSE_DISABLE_ENV_FILE").as_str(), "1" | "true" | "TRUE" | "True");
    let from_variable = variable("COMPOSE_ENV_FILES");
    let mut named = args.env_file.clone();
    if named.is_empty() {
        named = from_variable.split(',').filter(|file| !file.is_empty()).map(PathBuf::from).collect();
    }
    let required = !named.is_empty();
    let paths: Vec<PathBuf> = match named.is_empty() {
        true if disabled => vec![],
        true => vec![directory.join(".env")],
        false => named.into_iter().rev().collect(),
    };
    for path in paths {
        let shown_path = path.display().to_string();
        let text = match disk.read(&shown_path) {
            Ok(text) => text,
            Err(ReadError::Missing) if !required => continue,
            Err(error) => {
                return Err(Failure::Cannot(format!("cannot read the env file {shown_path}: {error}")));
            }
        };
        let id = outcome.sources.add(shown_path, text);
        add_env_file(&outcome.sources, id, &mut environment, Missing::Refuse)
            .map_err(|error| shown(outcome, &error))?;
    }
    Ok(environment)
}

fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    PathBuf::from(files::join("", &absolute.display().to_string()))
}
