//! `cosec up`: Compose does the work; cosec serves the secrets and puts them in place by an override.

use std::process::{Command, ExitCode};

use cosec_core::gitignore::shell_word;

use super::repair;
use crate::args::{Cli, UpArgs};
use crate::docker::Docker;
use crate::failure::Failure;
use crate::project::{self, Loaded, Purpose};
use crate::runtime::Runtime;
use crate::{overrides, serving};

pub(crate) fn run(cli: &Cli, args: &UpArgs) -> Result<ExitCode, Failure> {
    // From here on values from the environment and .env are in this process.
    cosec_fuse::keep_others_out();
    let loaded = project::load(&cli.project, &args.args, Purpose::Run)?;
    let plan = serving::planned(&loaded, &args.serve.deliver)?;
    let docker = Docker::find()?;
    if plan.deliveries.is_empty() {
        note(cli, 1, || "no service is granted a secret: passing on to docker compose".to_owned());
        return compose_up(cli, &docker, &loaded, None, &args.args);
    }
    let served = serving::specification(cli, &docker, &loaded, &plan, &args.serve)?;
    let runtime = Runtime::of(&plan.project, true)?;
    serving::say_who_is_left(&docker, &loaded, &runtime);
    let detached = is_detached(&args.args);
    // After a total loss root can mend the containers that run. Under the old id Compose leaves them alone then.
    let lost = serving::is_lost(&runtime) && rustix::process::geteuid().is_root();
    let id = lost.then(|| overrides::mount_id(&runtime)).flatten();
    let mends = id.is_some();
    let mount = serving::start(cli, &runtime, served, detached, id)?;
    let mended = if mends { mend(&docker, &plan.project, &runtime) } else { Ok(()) };
    let result = mended
        .and_then(|()| overrides::write(&runtime, &plan, &mount.id))
        .and_then(|()| compose_up(cli, &docker, &loaded, Some(&runtime), &args.args));
    let succeeded = matches!(&result, Ok(code) if *code == ExitCode::SUCCESS);
    if detached && !succeeded {
        serving::leave(cli, &docker, &runtime, mount)?;
    } else if !detached && mount.ours.is_some() {
        serving::stop(cli, &runtime)?;
    }
    result
}

/// What cannot be mended has to be restarted, so that it gets the new mount's files.
fn mend(docker: &Docker, project: &str, runtime: &Runtime) -> Result<(), Failure> {
    let services = repair::mend_all(docker, project, &[runtime.mount_point()])?;
    for service in services {
        for container in docker.containers(project, &service)? {
            docker.succeed(&["restart", &container])?;
        }
    }
    Ok(())
}

fn compose_up(
    cli: &Cli,
    docker: &Docker,
    loaded: &Loaded,
    runtime: Option<&Runtime>,
    args: &[String],
) -> Result<ExitCode, Failure> {
    let file = runtime.map(Runtime::override_file);
    let mut command = docker.compose(&loaded.compose_options(&cli.project, file.as_deref()));
    command.arg("up").args(args);
    wait(cli, &mut command)
}

/// Runs Compose to its end. Ctrl-C reaches it through the terminal; SIGTERM and SIGHUP are passed on, so
/// that its end comes before ours and the secrets go last.
pub(crate) fn wait(cli: &Cli, command: &mut Command) -> Result<ExitCode, Failure> {
    note(cli, 2, || {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| shell_word(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    });
    let passed_on = crate::signals::PassedOn::start()?;
    let mut child =
        command.spawn().map_err(|error| Failure::Cannot(format!("cannot run docker: {error}")))?;
    passed_on.to(child.id());
    let status = child.wait().map_err(|error| Failure::Cannot(format!("cannot wait for docker: {error}")))?;
    Ok(crate::signals::exit_code(status))
}

/// Whether `docker compose up` returns while containers are to go on.
fn is_detached(args: &[String]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| {
        matches!(arg.as_str(), "--detach" | "--wait" | "--no-start" | "--detach=true" | "--wait=true")
            || arg.strip_prefix('-').is_some_and(|flags| {
                flags.contains('d') && !flags.is_empty() && flags.chars().all(|flag| "dVwy".contains(flag))
            })
    })
}

/// Says what is done, if the user wants to hear it.
pub(crate) fn note(cli: &Cli, level: u8, message: impl FnOnce() -> String) {
    if cli.verbose >= level {
        anstream::eprintln!("cosec: {}", message());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detached_up_is_told_from_an_attached_one() {
        let detached =
            |line: &str| is_detached(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert!(detached("-d") && detached("--build -dV web") && detached("--wait"));
        assert!(!detached("") && !detached("web -t 5") && !detached("-V") && !detached("-- -d"));
    }
}
