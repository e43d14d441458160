//! `cosec down`

use std::process::ExitCode;

use super::up::{is_dry_run, wait};
use crate::args::{Cli, PassedArgs};
use crate::docker::Docker;
use crate::failure::Failure;
use crate::project::{self, Purpose};
use crate::runtime::Runtime;
use crate::serving;

pub(crate) fn run(cli: &Cli, args: &PassedArgs) -> Result<ExitCode, Failure> {
    let (name, options) = match project::load(&cli.project, &[], Purpose::Run) {
        Ok(loaded) => {
            // Compose would end the other one's containers, and their secrets would go with them.
            serving::refuse_others(&loaded)?;
            let options = loaded.compose_options(&cli.project, None);
            (loaded.project.name, options)
        }
        // `docker compose -p NAME down` needs no file either.
        Err(failure) if cli.project.project_name.is_none() => return Err(failure),
        Err(_) => {
            let name = project::named(&cli.project)?.name;
            let options = vec!["--project-name".into(), name.clone().into()];
            (name, options)
        }
    };
    let docker = Docker::find()?;
    let mut command = docker.compose(&options);
    command.arg("down").args(&args.args);
    let code = wait(cli, &mut command)?;
    if code == ExitCode::SUCCESS && !is_dry_run(&args.args) {
        // `down SERVICE` and services of other profiles leave containers behind.
        serving::stop_unless_used(cli, &docker, &Runtime::of(&name, false)?)?;
    }
    Ok(code)
}
