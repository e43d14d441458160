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
    let loaded = project::load(&cli.project, &[], Purpose::Run)?;
    let docker = Docker::find()?;
    let mut command = docker.compose(&loaded.compose_options(&cli.project, None));
    command.arg("down").args(&args.args);
    let code = wait(cli, &mut command)?;
    if code == ExitCode::SUCCESS && !is_dry_run(&args.args) {
        // `down SERVICE` and services of other profiles leave containers behind.
        serving::stop_unless_used(cli, &docker, &Runtime::of(&loaded.project.name, false)?)?;
    }
    Ok(code)
}
