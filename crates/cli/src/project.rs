//! Finds and loads the project that the command line means.

use std::path::{Path, PathBuf};

use cosec_core::compose::template::Missing;
use cosec_core::compose::{Binding, BindingOrigin};
use cosec_core::compose::{Environment, Interpolation, LoadError, LoadOptions, Project, dotenv};
use cosec_core::files::{self, FileSystem, ReadError};
use cosec_core::lint::{Failure as LintFailure, Outcome};
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

/// Compose's own order.
const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const OVERRIDES: [&str; 4] = [
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// Loads the project as `docker compose` would.
pub(crate) fn load(args: &ProjectArgs) -> Result<Loaded, Failure> {
    let file = find(args)?;
    let directory = match &args.project_directory {
        Some(directory) => directory.clone(),
        None => file.parent().map(Path::to_owned).unwrap_or_default(),
    };
    let disk = Disk::default();
    let mut outcome = Outcome { path: file.display().to_string(), ..Outcome::default() };
    let environment = environment(args, &directory, &disk, &mut outcome)?;
    let name = match &args.project_name {
        Some(name) => Some(name.clone()),
        None => environment.get("COMPOSE_PROJECT_NAME").map(|binding| binding.value.to_string()),
    };
    let text = disk.read(&outcome.path).map_err(|error| match error {
        ReadError::Missing => Failure::Cannot(format!(
            "there is no file {}; name the Compose file with -f, or change to its directory",
            file.display()
        )),
        error => Failure::Cannot(format!("cannot read {}: {error}", file.display())),
    })?;
    let id = outcome.sources.add(outcome.path.clone(), text);
    let absolute_directory = absolute(&directory);
    let directory_text = directory.display().to_string();
    let options = LoadOptions {
        environment: &environment,
        interpolation: Interpolation::Strict,
        name: name.as_deref(),
        directory: &directory_text,
    };
    let mut loaded = match cosec_core::compose::load_text(&outcome.sources, id, &options) {
        Ok(loaded) => loaded,
        Err(error) => return Err(shown(&mut outcome, error)),
    };
    outcome.documents = loaded.documents;
    if loaded.project.name.is_empty() {
        let last = absolute_directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        loaded.project.name = cosec_core::compose::default_name(&last);
    }
    Ok(Loaded {
        project: loaded.project,
        files: vec![absolute(&file)],
        directory: absolute_directory,
        environment,
        outcome,
    })
}

impl Loaded {
    /// An error of a later step, shown in the file.
    pub(crate) fn show(&mut self, error: LoadError) -> Failure {
        shown(&mut self.outcome, error)
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

fn shown(outcome: &mut Outcome, error: LoadError) -> Failure {
    let failure = LintFailure::Load(error);
    Failure::Shown(report::render_failure(outcome, &failure, colour()))
}

/// Colour for standard error, as the terminal and the user's environment want it.
pub(crate) fn colour() -> report::Colour {
    match anstream::AutoStream::choice(&std::io::stderr()) {
        anstream::ColorChoice::Never => report::Colour::No,
        _ => report::Colour::Yes,
    }
}

fn find(args: &ProjectArgs) -> Result<PathBuf, Failure> {
    let files = match args.file.as_slice() {
        [] => from_variable().unwrap_or_default(),
        files => files.to_vec(),
    };
    match files.as_slice() {
        [file] => return Ok(file.clone()),
        [] => {}
        _ => {
            return Err(Failure::Cannot(
                "several Compose files are not supported yet; merge them with `docker compose config`"
                    .to_owned(),
            ));
        }
    }
    let start = match &args.project_directory {
        Some(directory) => directory.clone(),
        None => PathBuf::new(),
    };
    let absolute_start = absolute(&start);
    for (steps, directory) in absolute_start.ancestors().enumerate() {
        let shown = (0..steps).fold(start.clone(), |path, _| path.join(".."));
        let Some(name) = NAMES.iter().find(|name| directory.join(name).is_file()) else { continue };
        if let Some(second) = OVERRIDES.iter().find(|name| directory.join(name).is_file()) {
            return Err(Failure::Cannot(format!(
                "{} is merged by Compose, which is not supported yet; name the one file to use with -f",
                shown.join(second).display()
            )));
        }
        return Ok(shown.join(name));
    }
    Err(Failure::Cannot(
        "there is no compose.yaml here or above; change to the project's directory, or name the file with -f"
            .to_owned(),
    ))
}

fn from_variable() -> Option<Vec<PathBuf>> {
    let value = std::env::var("COMPOSE_FILE").ok().filter(|value| !value.is_empty())?;
    let separator = std::env::var("COMPOSE_PATH_SEPARATOR").ok().filter(|separator| !separator.is_empty());
    Some(value.split(separator.as_deref().unwrap_or(":")).map(PathBuf::from).collect())
}

/// The process environment, then `--env-file` (the last one wins), else `.env` of the project directory.
fn environment(
    args: &ProjectArgs,
    directory: &Path,
    disk: &Disk,
    outcome: &mut Outcome,
) -> Result<Environment, Failure> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut environment = Environment::from_process(variables);
    let disabled =
        std::env::var("COMPOSE_DISABLE_ENV_FILE").is_ok_and(|value| value == "1" || value == "true");
    let (paths, required) = match args.env_file.as_slice() {
        [] if disabled => (vec![], false),
        [] => (vec![directory.join(".env")], false),
        files => (files.iter().rev().cloned().collect(), true),
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
        let entries = dotenv::parse(id, outcome.sources.file(id).text(), &environment, Missing::Refuse);
        let entries = entries.map_err(|error| {
            let (start, _) = outcome.sources.range(error.span);
            Failure::Cannot(format!("{}:{}: {error}", outcome.sources.file(id).path(), start.line))
        })?;
        for entry in entries {
            if let Some(value) = entry.value {
                let origin = BindingOrigin::File(entry.value_span);
                environment.set_default(entry.name, Binding { value, origin });
            }
        }
    }
    Ok(environment)
}

fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    PathBuf::from(files::join("", &absolute.display().to_string()))
}
