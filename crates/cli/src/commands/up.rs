//! `cosec up`: Compose does the work; cosec serves the secrets and puts them in place by an override.

use std::process::{Command, ExitCode};

use cosec_core::gitignore::shell_word;
use cosec_core::plan::Plan;

use super::repair;
use crate::args::{Cli, UpArgs};
use crate::docker::Docker;
use crate::failure::Failure;
use crate::outdated::outdated;
use crate::owners::Renewed;
use crate::project::{self, Loaded, Purpose};
use crate::runtime::Runtime;
use crate::serving::Mount;
use crate::{overrides, serving, signals};

pub(crate) fn run(cli: &Cli, args: &UpArgs) -> Result<ExitCode, Failure> {
    // From here on values from the environment and .env are in this process.
    cosec_fuse::keep_others_out();
    let args = &args.sorted().map_err(Failure::Cannot)?;
    let loaded = project::load(&cli.project, &args.args, Purpose::Run)?;
    let plan = serving::planned(&loaded, &args.serve.deliver)?;
    let docker = Docker::find()?;
    if plan.deliveries.is_empty() {
        note(cli, 1, || "no service is granted a secret: passing on to docker compose".to_owned());
        return compose_up(cli, &docker, &loaded, None, &args.args);
    }
    let served = serving::specification(cli, &docker, &loaded, &plan, &args.serve, renewed(&args.args))?;
    // Whatever is made from here on is taken away again.
    signals::catch()?;
    let runtime = Runtime::of(&plan.project, false)?;
    serving::say_who_is_left(&docker, &loaded, &runtime);
    let detached = is_detached(&args.args);
    // After a total loss root can mend the containers that run. Under the old id Compose leaves them alone then.
    let lost = serving::is_lost(&runtime) && rustix::process::geteuid().is_root();
    let id = lost.then(|| overrides::mount_id(&runtime)).flatten();
    let mends = id.is_some();
    let mount = serving::start(cli, &runtime, served, detached, id)?;
    let is_ours = mount.ours.is_some();
    let mended = if mends { mend(&docker, &loaded, &plan, &runtime) } else { Ok(()) };
    let result = mended
        .and_then(|()| overrides::write(&runtime, &plan, &mount.id, &args.serve))
        .and_then(|()| share(&mount))
        .and_then(|()| compose_up(cli, &docker, &loaded, Some(&runtime), &args.args));
    let succeeded = matches!(&result, Ok(code) if *code == ExitCode::SUCCESS);
    if detached && (!succeeded || is_dry_run(&args.args)) {
        serving::leave(cli, &docker, &runtime, mount)?;
    } else if !detached && is_ours {
        // Detached from Compose's own menu, or what another command has started meanwhile, they go on.
        serving::stop_unless_used(cli, &docker, &runtime)?;
    }
    result
}

/// If this process is killed, Compose still needs the secrets.
fn share(mount: &Mount) -> Result<(), Failure> {
    let shared = mount.ours.as_ref().map_or(Ok(()), cosec_fuse::Running::share);
    shared.map_err(|error| Failure::Cannot(format!("cannot hand the server on to docker: {error}")))
}

/// What cannot be mended has to be restarted, so that it gets the new mount's files.
fn mend(docker: &Docker, loaded: &Loaded, plan: &Plan, runtime: &Runtime) -> Result<(), Failure> {
    let mended = repair::mend_all(docker, &plan.project, &[runtime.mount_point()])?;
    let outdated = outdated(loaded, plan, &mended.whole)?;
    mended.said.iter().chain(&outdated).for_each(|said| anstream::println!("{said}"));
    for service in mended.to_restart() {
        for container in docker.containers(&plan.project, service)? {
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
    let code = wait(cli, &mut command)?;
    if code != ExitCode::SUCCESS {
        // Docker has many words for an interruption.
        signals::check()?;
    }
    Ok(code)
}

/// Runs Compose to its end. Ctrl-C reaches it through the terminal; other signals are passed on, so that its end comes
/// before ours and the secrets go last.
pub(crate) fn wait(cli: &Cli, command: &mut Command) -> Result<ExitCode, Failure> {
    note(cli, 2, || {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| shell_word(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    });
    signals::catch()?;
    let mut child = signals::spawn_docker(command)?
        .map_err(|error| Failure::Cannot(format!("cannot run docker: {error}")))?;
    let status = signals::wait(&mut child)
        .map_err(|error| Failure::Cannot(format!("cannot wait for docker: {error}")))?;
    Ok(signals::exit_code(status))
}

/// Whether `docker compose up` returns while containers are to go on.
fn is_detached(args: &[String]) -> bool {
    let long = ["--detach", "--wait", "--no-start"];
    let is_short = |flags: &str| flags.contains('d') && flags.chars().all(|flag| "dVwy".contains(flag));
    switches(args).any(|switch| long.contains(&switch) || switch.strip_prefix('-').is_some_and(is_short))
}

/// Which images Compose makes anew first.
fn renewed(args: &[String]) -> Renewed {
    let always = |pair: &[String]| pair[0] == "--pull" && pair[1] == "always";
    Renewed {
        built: switches(args).any(|switch| switch == "--build"),
        pulled: args.iter().any(|arg| arg == "--pull=always") || args.windows(2).any(always),
    }
}

/// Whether Compose only says what it would do.
pub(super) fn is_dry_run(args: &[String]) -> bool {
    switches(args).any(|switch| switch == "--dry-run")
}

/// The options that are switched on, as pflag reads `-d`, `-d=true` and `--detach=1`.
fn switches(args: &[String]) -> impl Iterator<Item = &str> {
    const ON: [&str; 6] = ["1", "t", "T", "true", "TRUE", "True"];
    args.iter().take_while(|arg| *arg != "--").filter(|arg| arg.starts_with('-')).filter_map(|arg| match arg
        .split_once('=')
    {
        Some((name, value)) => ON.contains(&value).then_some(name),
        None => Some(arg.as_str()),
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
    fn own_options_count_wherever_they_stand() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let up = |line: &str| UpArgs { serve: crate::args::ServeArgs::default(), args: words(line) }.sorted();
        let sorted = up("-d --allow-host web --compat swarm --build -- --allow-unignored").unwrap();
        assert!(sorted.serve.allow_host && !sorted.serve.deliver.allow_unignored);
        assert!(sorted.serve.deliver.compat.compat == crate::args::Compat::Swarm);
        assert_eq!(sorted.args, words("-d web --build -- --allow-unignored"));
        assert!(up("--compat").is_err() && up("--compat=kubernetes").is_err());
    }

    #[test]
    fn a_detached_up_is_told_from_an_attached_one() {
        let detached =
            |line: &str| is_detached(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert!(detached("-d") && detached("--build -dV web") && detached("--wait"));
        assert!(detached("-d=true") && detached("--detach=1") && detached("--detach=t"));
        assert!(!detached("-d=false") && !detached("--detach=0"));
        assert!(!detached("") && !detached("web -t 5") && !detached("-V") && !detached("-- -d"));
    }
}
