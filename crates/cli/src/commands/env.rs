//! `cosec env`: what makes plain `docker compose` use the served secrets. It prints names and paths, no value.

use std::process::ExitCode;

use anstream::println;
use cosec_core::gitignore::shell_word;

use crate::args::ProjectArgs;
use crate::failure::Failure;
use crate::runtime::Runtime;
use crate::{project, serving};

/// What cannot be told is `false` for the shell: `eval` of nothing would succeed, and Compose then go on without the
/// served secrets.
pub(crate) fn run(project: &ProjectArgs) -> Result<ExitCode, Failure> {
    print(project).inspect_err(|_| println!("false"))
}

fn print(project: &ProjectArgs) -> Result<ExitCode, Failure> {
    let loaded = project::load(project, &[], project::Purpose::Run)?;
    let runtime = Runtime::of(&loaded.project.name, false)?;
    serving::refuse_another(&serving::status(&runtime)?, &loaded.project.name, &loaded.directory)?;
    let over = runtime.override_file();
    let files: Vec<String> =
        loaded.files.iter().chain([&over]).map(|file| file.display().to_string()).collect();
    // A separator that no path has.
    let separator = [":", ";", "|", "\t"]
        .into_iter()
        .find(|separator| !files.iter().any(|file| file.contains(separator)));
    let separator = separator.ok_or_else(|| {
        Failure::Cannot("the paths of the Compose files hold every separator; use `cosec compose`".to_owned())
    })?;
    println!("export COMPOSE_PATH_SEPARATOR={}", shell_word(separator));
    println!("export COMPOSE_FILE={}", shell_word(&files.join(separator)));
    println!("export COMPOSE_PROJECT_NAME={}", shell_word(&loaded.project.name));
    Ok(ExitCode::SUCCESS)
}
