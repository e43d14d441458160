//! `cosec repair`: a server whose processes are all gone is started again, and running containers get the
//! new mount's files in the dead ones' places.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anstream::println;
use cosec_core::plan::{Plan, ValueSource};
use serde_json::Value;

use super::mount;
use crate::args::{Cli, HEAL, RepairArgs};
use crate::disk::absolute;
use crate::docker::{Docker, Member};
use crate::failure::Failure;
use crate::outdated::outdated;
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
    let lost = Lost::of(&docker, &plan.project)?;
    if lost.is_nothing() {
        refuse_unknown_mounts(&plan)?;
        println!("nothing is to be repaired: no server of project {} is lost", plan.project);
        lost.say_who_rests();
        return Ok(ExitCode::SUCCESS);
    }
    // Whatever is made from here on is taken away again.
    signals::catch()?;
    if lost.mounts.iter().any(|runtime| serving::status(runtime).is_err()) {
        for said in mount::mount(cli, &docker, &loaded, &plan)?.said {
            println!("{said} again");
        }
    }
    let runtime = Runtime::of(&plan.project, lost.is_up)?;
    if lost.is_up && serving::status(&runtime).is_ok() {
        println!("the server of project {} runs", plan.project);
    } else if lost.is_up {
        let served = serving::specification(cli, &docker, &loaded, &plan, &serve, Renewed::default())?;
        // Under the old id: containers that are mended need not be made anew by the next `up`.
        let id = overrides::mount_id(&runtime).or_else(|| lost.id.clone());
        let mount = serving::start(cli, &runtime, served, true, id)?;
        overrides::write(&runtime, &plan, &mount.id, &serve)?;
        println!("the server of project {} runs again", plan.project);
    }
    let mended = mend_all(&docker, &plan.project, &lost.points)?;
    mended.said.iter().for_each(|said| println!("{said}"));
    outdated(&loaded, &plan, &mended.whole)?.iter().for_each(|said| println!("{said}"));
    lost.say_who_rests();
    let mut to_restart = mended.to_restart();
    to_restart.extend(lost.failed.iter().map(|container| container.service.as_str()));
    if to_restart.is_empty() {
        println!("all containers that run see their secrets");
        return Ok(ExitCode::SUCCESS);
    }
    let services: Vec<&str> = to_restart.into_iter().collect();
    if !args.restart {
        println!("to be restarted: {}; `cosec repair --restart` does it", services.join(", "));
        return Ok(ExitCode::from(1));
    }
    let file = lost.is_up.then(|| runtime.override_file());
    let mut command = docker.compose(&loaded.compose_options(&cli.project, file.as_deref()));
    command.arg("restart").args(&services);
    super::up::wait(cli, &mut command)
}

/// A dead mount of which nothing is known any more, as when the runtime directory is lost, is in every command's way.
fn refuse_unknown_mounts(plan: &Plan) -> Result<(), Failure> {
    for delivery in &plan.deliveries {
        let ValueSource::File(path) = &delivery.source else { continue };
        let path = absolute(Path::new(path));
        if let Some(directory) = path.parent().filter(|directory| cosec_fuse::is_dead(directory)) {
            let directory = directory.display();
            return Err(Failure::Cannot(format!(
                "{directory} has a dead mount of which nothing is known here; `cosec umount {directory}` takes it away, then `cosec mount` again"
            )));
        }
    }
    Ok(())
}

/// What is there to be repaired.
struct Lost {
    /// The mounts over directories of the user's, lost or not.
    mounts: Vec<Runtime>,
    /// Where those and that of `cosec up` are mounted, or were.
    points: Vec<PathBuf>,
    /// Whether the server of `cosec up` runs, or is lost: who has mounts need not have used `cosec up`.
    is_up: bool,
    /// The id of its mount, as containers remember it: after a boot nothing else does.
    id: Option<String>,
    /// Containers that could not start, as their files were gone.
    failed: Vec<Member>,
    /// Containers with files of `cosec up` that have ended: because of its loss, or as they were done.
    resting: Vec<Member>,
}

impl Lost {
    fn of(docker: &Docker, project: &str) -> Result<Self, Failure> {
        let mounts = Runtime::mounts(project)?;
        let up = Runtime::of(project, false)?;
        let points: Vec<PathBuf> = mounts.iter().chain([&up]).map(Runtime::mount_point).collect();
        let point = up.mount_point();
        let has_files = |container: &Member| !container.mounts_below(&point).is_empty();
        let fails = |container: &Member| points.iter().any(|point| container.failed_for(point));
        let (failed, ended): (Vec<_>, Vec<_>) = docker.ended(project)?.into_iter().partition(fails);
        let mut running = docker.running(project)?;
        running.retain(has_files);
        let mut users = running.iter().chain(&failed).filter(|container| has_files(container)).peekable();
        let is_known = serving::is_lost(&up) || overrides::mount_id(&up).is_some();
        let is_up = is_known || serving::status(&up).is_ok() || users.peek().is_some();
        let id = users.find_map(|container| container.mount_id.clone());
        let resting = ended.into_iter().filter(has_files).collect();
        Ok(Lost { mounts, points, is_up, id, failed, resting })
    }

    fn is_nothing(&self) -> bool {
        self.mounts.is_empty() && !self.is_up
    }

    fn say_who_rests(&self) {
        for container in &self.failed {
            println!("{} could not start: its secrets were not served", container.name);
        }
        for container in &self.resting {
            println!("{} does not run; `cosec up -d` starts it", container.name);
        }
    }
}

/// What became of running containers whose mounts were dead.
#[derive(Default)]
pub(crate) struct Mended {
    /// A sentence for each.
    pub(crate) said: Vec<String>,
    /// Those that have their files again.
    pub(crate) whole: Vec<Member>,
    /// Those that have to be restarted for that.
    broken: Vec<Member>,
}

impl Mended {
    /// The services that could not be mended while they run.
    pub(crate) fn to_restart(&self) -> BTreeSet<&str> {
        self.broken.iter().map(|container| container.service.as_str()).collect()
    }

    /// Whether a container is one of them.
    pub(crate) fn had_dead_files(&self, container: &Member) -> bool {
        self.whole.iter().chain(&self.broken).any(|known| known.id == container.id)
    }
}

/// Gives a project's running containers the files of mounts in the places of dead ones.
pub(crate) fn mend_all(docker: &Docker, project: &str, points: &[PathBuf]) -> Result<Mended, Failure> {
    let mut mended = Mended::default();
    for container in docker.running(project)? {
        let bound = points.iter().flat_map(|point| container.mounts_below(point));
        let dead: Vec<(PathBuf, PathBuf)> =
            bound.filter(|(_, target)| !is_alive(container.pid, target)).collect();
        if dead.is_empty() {
            continue;
        }
        let name = &container.name;
        match mend(container.pid, &dead) {
            Ok(()) => {
                mended.said.push(format!("{name}: {} files are back", dead.len()));
                mended.whole.push(container);
            }
            Err(reason) => {
                mended.said.push(format!("{name}: cannot be mended while it runs: {reason}"));
                mended.broken.push(container);
            }
        }
    }
    Ok(mended)
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
