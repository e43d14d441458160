//! `cosec mount`: plain `docker compose up`, with an unchanged file, gets served secrets.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anstream::println;
use cosec_core::plan::{Delivery, Kind, Plan, ValueSource};

use crate::args::{Cli, DeliverArgs};
use crate::docker::Docker;
use crate::failure::Failure;
use crate::owners::{Owners, Renewed};
use crate::project::{self, Loaded, Purpose};
use crate::runtime::{self, Runtime};
use crate::{mounts, serving, signals};

pub(crate) fn run(cli: &Cli, args: &DeliverArgs) -> Result<ExitCode, Failure> {
    cosec_fuse::keep_others_out();
    let loaded = project::load(&cli.project, &[], Purpose::Run)?;
    let docker = Docker::find()?;
    let plan = serving::planned(&loaded, args)?;
    let mounted = mount(cli, &docker, &loaded, &plan)?;
    mounted.said.iter().for_each(|said| println!("{said}"));
    mounted.not_served.iter().for_each(|said| println!("{said}"));
    Ok(ExitCode::SUCCESS)
}

/// What was mounted.
pub(crate) struct Mounted {
    /// A sentence for each directory.
    pub(crate) said: Vec<String>,
    /// What the mounts do not reach, a sentence for each reason.
    pub(crate) not_served: Vec<String>,
}

/// Serves over each directory of the project's secrets, or gives the servers that run the new plan.
pub(crate) fn mount(cli: &Cli, docker: &Docker, loaded: &Loaded, plan: &Plan) -> Result<Mounted, Failure> {
    // A dead mount would be in the way of every look at the files.
    for runtime in Runtime::mounts(&plan.project)? {
        match serving::status(&runtime) {
            Err(_) => serving::clear_dead_mount(cli, &runtime)?,
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
    let hooks = serving::hooks(loaded, &plan.deliveries)?;
    let mut owners = Owners::new(cli, docker, loaded, Renewed::default());
    // Whatever is made from here on is taken away again.
    signals::catch()?;
    let audit = runtime::audit_file(&plan.project)?;
    let before = Runtime::mounts(&plan.project)?;
    let (mut said, mut fresh, mut made) = (Vec::new(), Vec::new(), Vec::new());
    let mut serve = |directory: PathBuf| {
        signals::check()?;
        let runtime = Runtime::over(&plan.project, &directory)?;
        let runs = serving::status(&runtime).is_ok();
        if !before.iter().any(|known| known.directory() == runtime.directory()) {
            made.push(Runtime::over(&plan.project, &directory)?);
        }
        let mut served =
            mounts::serve(loaded, &plan.deliveries, &directory, &runtime, audit.clone(), |delivery| {
                owners.ids(delivery)
            })?;
        served.spec.hooks.clone_from(&hooks);
        said.push(format!("serving {} ({} files)", directory.display(), served.spec.files.len()));
        serving::start(cli, &runtime, served, true, None)?;
        if !runs {
            fresh.push(directory);
        }
        Ok(())
    };
    let done = directories
        .into_iter()
        .try_for_each(&mut serve)
        .and_then(|()| made_before(docker, plan, &fresh))
        .and_then(|before| signals::check().map(|()| before));
    match done {
        Ok(before) => {
            Ok(Mounted { said, not_served: from_environment(plan).into_iter().chain(before).collect() })
        }
        Err(error) => {
            for runtime in &made {
                serving::stop(cli, runtime)?;
            }
            Err(error)
        }
    }
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

/// Containers that had a directory's files before it was mounted over.
fn made_before(docker: &Docker, plan: &Plan, fresh: &[PathBuf]) -> Result<Option<String>, Failure> {
    if fresh.is_empty() {
        return Ok(None);
    }
    let before = docker
        .running(&plan.project)?
        .into_iter()
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
