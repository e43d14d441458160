//! `cosec compose VERB …`: Compose with the same override, whatever the verb. Without a verb at the beginning it is
//! Compose that asks its provider.

use std::process::ExitCode;

use super::up::{self, wait};
use super::{down, provider};
use crate::args::{Cli, PassedArgs, ServeArgs, UpArgs};
use crate::docker::Docker;
use crate::failure::Failure;
use crate::project;
use crate::runtime::Runtime;
use crate::{overrides, serving};

/// Verbs that make or start containers, which need the files to be there.
const STARTING: [&str; 6] = ["create", "restart", "run", "scale", "start", "watch"];

pub(crate) fn run(cli: &Cli, args: &PassedArgs) -> Result<ExitCode, Failure> {
    if provider::is_asked(&args.args) {
        return Ok(provider::run(cli, &args.args));
    }
    let Some((verb, rest)) = args.args.split_first() else {
        return Err(Failure::Cannot(
            "name a verb of `docker compose`, such as `cosec compose ps`".to_owned(),
        ));
    };
    let serve = ServeArgs::default();
    match verb.as_str() {
        "up" => return up::run(cli, &UpArgs { serve, args: rest.to_vec() }),
        "down" => return down::run(cli, &PassedArgs { args: rest.to_vec() }),
        _ => {}
    }
    cosec_fuse::keep_others_out();
    let loaded = project::load(&cli.project, rest, project::Purpose::Run)?;
    let docker = Docker::find()?;
    let runtime = Runtime::of(&loaded.project.name, false)?;
    let plan = if STARTING.contains(&verb.as_str()) {
        let plan = serving::planned(&loaded, &serve.deliver)?;
        if !serving::is_served(&runtime, &plan) {
            let runtime = Runtime::of(&loaded.project.name, true)?;
            serving::say_who_is_left(&docker, &loaded, &runtime);
            let served = serving::specification(cli, &docker, &loaded, &plan, &serve)?;
            let mount = serving::start(cli, &runtime, served, true, None)?;
            overrides::write(&runtime, &plan, &mount.id)?;
        }
        Some(plan)
    } else {
        // What cannot be served may still be listed and stopped.
        serving::plan_of(&loaded, &serve.deliver).ok()
    };
    let over = overrides::for_command(&runtime, plan.as_ref())?;
    let file = over.as_ref().map(|over| over.path.as_path());
    let mut command = docker.compose(&loaded.compose_options(&cli.project, file));
    command.args(&args.args);
    wait(cli, &mut command)
}
