//! `cosec mount`: plain `docker compose up`, with an unchanged file, gets served secrets.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anstream::println;
use cosec_core::plan::{Delivery, Kind, Plan, ValueSource};

use super::repair::{self, Mended};
use crate::args::{Cli, DeliverArgs};
use crate::deliver::Served;
use crate::docker::Docker;
use crate::failure::Failure;
use crate::outdated::outdated;
use crate::owners::{Owners, Renewed};
use crate::project::{self, Loaded, Purpose};
use crate::runtime::{self, Runtime};
use crate::{mounts, serving, signals};

pub(crate) fn run(cli: &Cli, args: &DeliverArgs) -> Result<ExitCode, Failure> {
    cosec_fuse::keep_others_out();
    let loaded = project::load(&cli.project, &[], Purpose::Run)?;
    let docker = Docker::find()?;
    let plan = serving::planned(&loaded, args)?;
    mount_and_tell(cli, &docker, &loaded, &plan)?.iter().for_each(|said| println!("{said}"));
    Ok(ExitCode::SUCCESS)
}

/// What was mounted.
pub(crate) struct Mounted {
    /// A sentence for each directory.
    pub(crate) said: Vec<String>,
    places: Vec<Place>,
    /// The directories that had no server before.
    fresh: Vec<PathBuf>,
    /// Those of them whose server is gone without an end.
    lost: Vec<PathBuf>,
}

/// A directory that is to be mounted over.
struct Place {
    directory: PathBuf,
    runtime: Runtime,
    /// Whether a server runs already.
    runs: bool,
}

/// Mounts, does what is to be done then, and says all of it, a sentence each. Who interrupts it has nothing mounted,
/// unless containers have been mended by it.
pub(crate) fn mount_and_tell(
    cli: &Cli,
    docker: &Docker,
    loaded: &Loaded,
    plan: &Plan,
) -> Result<Vec<String>, Failure> {
    let mut mounted = mount(cli, docker, loaded, plan)?;
    let (told, has_mended) = afterwards(docker, loaded, plan, &mounted)?;
    // What was lost has to stay known until it is mended.
    if !has_mended && mounted.lost.is_empty() {
        signals::check().inspect_err(|_| take_back(cli, &mounted.places, &[]))?;
    }
    mounted.said.extend(told);
    Ok(mounted.said)
}

/// Serves over each directory of the project's secrets, or gives the servers that run the new plan. What can be served
/// in part only is not served at all.
pub(crate) fn mount(cli: &Cli, docker: &Docker, loaded: &Loaded, plan: &Plan) -> Result<Mounted, Failure> {
    serving::refuse_others(loaded)?;
    // A dead mount would be in the way of every look at the files.
    let mut lost = Vec::new();
    for runtime in Runtime::mounts(&plan.project)? {
        match serving::status(&runtime) {
            Err(_) => {
                serving::clear_dead_mount(cli, &runtime)?;
                lost.push(runtime.mount_point());
            }
            Ok(status) if status.mountpoint != runtime.mount_point() => {
                return Err(Failure::Refused(format!(
                    "{} was renamed while it was mounted over and is {} now; `cosec umount` first, then mount again",
                    runtime.mount_point().display(),
                    status.mountpoint.display()
                )));
            }
            Ok(_) => {}
        }
    }
    let directories = mounts::directories(loaded, &plan.deliveries)?;
    if directories.is_empty() {
        return Err(Failure::Cannot(
            "no service is granted a secret from a file, so there is nothing to mount over; `cosec plan` shows what there is"
                .to_owned(),
        ));
    }
    let mut places = Vec::new();
    let served = serve_all(cli, docker, loaded, plan, directories, &mut places);
    let said = served.inspect_err(|_| take_back(cli, &places, &lost))?;
    let fresh: Vec<PathBuf> =
        places.iter().filter(|place| !place.runs).map(|place| place.directory.clone()).collect();
    lost.retain(|directory| fresh.contains(directory));
    Ok(Mounted { said, places, fresh, lost })
}

/// Looks at everything before anything is mounted. A sentence for each directory.
fn serve_all(
    cli: &Cli,
    docker: &Docker,
    loaded: &Loaded,
    plan: &Plan,
    directories: Vec<PathBuf>,
    places: &mut Vec<Place>,
) -> Result<Vec<String>, Failure> {
    let hooks = serving::hooks(loaded, &plan.deliveries)?;
    let mut owners = Owners::new(cli, docker, loaded, Renewed::default());
    // Whatever is made from here on is taken away again.
    signals::catch()?;
    let mut all = Vec::new();
    for directory in directories {
        signals::check()?;
        let runtime = Runtime::over(&plan.project, &directory)?;
        let runs = serving::status(&runtime).is_ok();
        places.push(Place { directory: directory.clone(), runtime, runs });
        let Some(Place { runtime, .. }) = places.last() else { continue };
        let audit = runtime::audit_file(&plan.project)?;
        let mut served = mounts::serve(loaded, &plan.deliveries, &directory, runtime, audit, |delivery| {
            owners.ids(delivery)
        })?;
        served.spec.hooks.clone_from(&hooks);
        all.push(served);
    }
    let start = |(place, served): (&Place, Served)| {
        signals::check()?;
        let files = served.spec.files.len();
        serving::start(cli, &place.runtime, served, true, None)?;
        Ok(format!("serving {} ({files} files)", place.directory.display()))
    };
    places.iter().zip(all).map(start).collect()
}

/// Ends what was begun. A lost mount stays known: it is still to be mended.
fn take_back(cli: &Cli, places: &[Place], lost: &[PathBuf]) {
    for Place { directory, runtime, .. } in places.iter().filter(|place| !place.runs) {
        if serving::status(runtime).is_ok() {
            // Why it was begun in vain is what the user has to know.
            let _ = serving::stop(cli, runtime);
        } else if !lost.contains(directory) {
            runtime.remove();
        }
    }
}

/// What is to be said and done once the directories are mounted over: a sentence each, and whether a container has the
/// new mounts' files by it.
fn afterwards(
    docker: &Docker,
    loaded: &Loaded,
    plan: &Plan,
    mounted: &Mounted,
) -> Result<(Vec<String>, bool), Failure> {
    // Root sees in the containers what is dead, also where the dead mount was taken away meanwhile.
    let dead = if rustix::process::geteuid().is_root() { &mounted.fresh } else { &mounted.lost };
    let mut mended = Mended::default();
    if !dead.is_empty() {
        mended = repair::mend_all(docker, &plan.project, dead)?;
    }
    let mut said = std::mem::take(&mut mended.said);
    said.extend(outdated(loaded, plan, &mended.whole)?);
    let to_restart: Vec<&str> = mended.to_restart().into_iter().collect();
    if !to_restart.is_empty() {
        said.push(format!("to be restarted: {}; `cosec repair --restart` does it", to_restart.join(", ")));
    }
    said.extend(from_environment(plan));
    said.extend(made_before(docker, plan, &mounted.fresh, &mended)?);
    Ok((said, !mended.whole.is_empty()))
}

/// Secrets that no mount can serve.
fn from_environment(plan: &Plan) -> Option<String> {
    let of_environment = |delivery: &&Delivery| {
        delivery.kind == Kind::Secret && matches!(delivery.source, ValueSource::Environment(_))
    };
    let names: BTreeSet<&str> =
        plan.deliveries.iter().filter(of_environment).map(|delivery| delivery.secret.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    (!names.is_empty()).then(|| {
        format!(
            "not served, `docker compose` writes them into the containers: {}; `cosec up` does not, nor do files",
            names.join(", ")
        )
    })
}

/// Containers that had a directory's files before it was mounted over, and not those of an earlier mount.
fn made_before(
    docker: &Docker,
    plan: &Plan,
    fresh: &[PathBuf],
    mended: &Mended,
) -> Result<Option<String>, Failure> {
    if fresh.is_empty() {
        return Ok(None);
    }
    let before = docker
        .running(&plan.project)?
        .into_iter()
        .filter(|container| !mended.had_dead_files(container))
        .filter(|container| fresh.iter().any(|directory| !container.mounts_below(directory).is_empty()));
    let services: BTreeSet<String> = before.map(|container| container.service).collect();
    let services: Vec<String> = services.into_iter().collect();
    Ok((!services.is_empty()).then(|| {
        format!(
            "not served until they are made anew (`docker compose up -d --force-recreate`): {}",
            services.join(", ")
        )
    }))
}
