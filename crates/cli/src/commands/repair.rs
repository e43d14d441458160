//! `cosec repair`: a server whose processes are all gone is started again, and running containers get the
//! new mount's files in the dead ones' places.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anstream::println;
use serde_json::Value;

use super::mount;
use crate::args::{Cli, HEAL, RepairArgs};
use crate::docker::Docker;
use crate::failure::Failure;
use crate::owners::Renewed;
use crate::runtime::Runtime;
use crate::{overrides, project, serving, signals};

pub(crate) fn run(cli: &Cli, args: &RepairArgs) -> Result<ExitCode, Failure> {
    cosec_fuse::keep_others_out();
    let loaded = project::load(&cli.project, &[], project::Purpose::Run)?;
    let docker = Docker::find()?;
    // As the `up` that is lost had it.
    let before = overrides::served_with(&Runtime::of(&loaded.project.name, false)?);
    let serve = args.serve.or(before);
    let plan = serving::planned(&loaded, &serve.deliver)?;
    signals::catch()?;
    let mounts = Runtime::mounts(&plan.project)?;
    if mounts.iter().any(|runtime| serving::status(runtime).is_err()) {
        for said in mount::mount(cli, &docker, &loaded, &plan)?.said {
            println!("{said} again");
        }
    }
    // Who has mounts need not have used `cosec up`.
    let used_up = mounts.is_empty() || Runtime::of(&plan.project, false)?.directory().exists();
    let runtime = Runtime::of(&plan.project, used_up)?;
    if used_up && serving::status(&runtime).is_ok() {
        println!("the server of project {} runs", plan.project);
    } else if used_up {
        let served = serving::specification(cli, &docker, &loaded, &plan, &serve, Renewed::default())?;
        // Under the old id: containers that are mended need not be made anew by the next `up`.
        let id = overrides::mount_id(&runtime);
        let mount = serving::start(cli, &runtime, served, true, id)?;
        overrides::write(&runtime, &plan, &mount.id, &serve)?;
        println!("the server of project {} runs again", plan.project);
    }
    let points: Vec<PathBuf> = mounts.iter().chain([&runtime]).map(Runtime::mount_point).collect();
    let to_restart = mend_all(&docker, &plan.project, &points)?;
    for name in ended(&docker, &runtime)? {
        println!("{name} does not run; `cosec up -d` starts it");
    }
    if to_restart.is_empty() {
        println!("all containers that run see their secrets");
        return Ok(ExitCode::SUCCESS);
    }
    let services: Vec<&str> = to_restart.iter().map(String::as_str).collect();
    if !args.restart {
        println!("to be restarted: {}; `cosec repair --restart` does it", services.join(", "));
        return Ok(ExitCode::from(1));
    }
    let file = used_up.then(|| runtime.override_file());
    let mut command = docker.compose(&loaded.compose_options(&cli.project, file.as_deref()));
    command.arg("restart").args(&services);
    super::up::wait(cli, &mut command)
}

/// Gives a project's running containers the files of mounts in the places of dead ones, and says so. The services that
/// could not be mended.
pub(super) fn mend_all(
    docker: &Docker,
    project: &str,
    points: &[PathBuf],
) -> Result<BTreeSet<String>, Failure> {
    let mut to_restart = BTreeSet::new();
    for container in docker.running(project)? {
        let bound = points.iter().flat_map(|point| container.mounts_below(point));
        let dead: Vec<(PathBuf, PathBuf)> =
            bound.filter(|(_, target)| !is_alive(container.pid, target)).collect();
        if dead.is_empty() {
            continue;
        }
        match mend(container.pid, &dead) {
            Ok(()) => println!("{}: {} files are back", container.name, dead.len()),
            Err(reason) => {
                println!("{}: cannot be mended while it runs: {reason}", container.name);
                to_restart.insert(container.service.clone());
            }
        }
    }
    Ok(to_restart)
}

/// Containers with files of a mount that have ended: perhaps because of its loss, perhaps because they were done.
fn ended(docker: &Docker, runtime: &Runtime) -> Result<Vec<String>, Failure> {
    let Some(id) = overrides::mount_id(runtime) else { return Ok(Vec::new()) };
    docker.ended_containers_of_mount(&id)
}

/// Whether a file in a container's view can be looked at. Only root may look; others are told that it is dead.
fn is_alive(pid: u32, target: &std::path::Path) -> bool {
    let inside = target.strip_prefix("/").unwrap_or(target);
    std::fs::metadata(PathBuf::from(format!("/proc/{pid}/root")).join(inside)).is_ok()
}

/// In a process of its own, which ends in the container's mount namespace.
fn mend(pid: u32, mounts: &[(PathBuf, PathBuf)]) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root can".to_owned());
    }
    let message = serde_json::json!({"pid": pid, "mounts": mounts}).to_string();
    let output = Command::new("/proc/self/exe").args([HEAL, &message]).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// That process.
pub(crate) fn heal(message: &str) -> Result<ExitCode, Failure> {
    let wrong = || Failure::Cannot("not what `cosec repair` says".to_owned());
    let message: Value = serde_json::from_str(message).map_err(|_| wrong())?;
    let pid = message["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).ok_or_else(wrong)?;
    let mounts: Vec<(PathBuf, PathBuf)> =
        serde_json::from_value(message["mounts"].clone()).map_err(|_| wrong())?;
    cosec_fuse::heal(pid, &mounts).map_err(|error| Failure::Cannot(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}
