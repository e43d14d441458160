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
use crate::{mounts, serving};

pub(crate) fn run(cli: &Cli, args: &DeliverArgs) -> Result<ExitCode, Failure> {
    cosec_fuse::keep_others_out();
    let loaded = project::load(&cli.project, &[], Purpose::Run)?;
    let docker = Docker::find()?;
    let plan = serving::planned(&loaded, args)?;
    let mounted = mount(cli, &docker, &loaded, &plan)?;
    for said in mounted.said.into_iter().chain(not_served(&docker, &plan, &mounted.fresh)?) {
        println!("{said}");
    }
    Ok(ExitCode::SUCCESS)
}

/// What was mounted.
pub(crate) struct Mounted {
    /// A sentence for each directory.
    pub(crate) said: Vec<String>,
    /// The directories that had no server before.
    pub(crate) fresh: Vec<PathBuf>,
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
    let (mut said, mut fresh) = (Vec::new(), Vec::new());
    for directory in directories {
        let runtime = Runtime::over(&plan.project, &directory)?;
        let runs = serving::status(&runtime).is_ok();
        let audit = runtime::audit_file(&plan.project)?;
        let served = mounts::serve(loaded, &plan.deliveries, &directory, &runtime, audit, |delivery| {
            owners.ids(delivery)
        });
        let started = served.and_then(|mut served| {
            served.spec.hooks.clone_from(&hooks);
            let files = served.spec.files.len();
            serving::start(cli, &runtime, served, true, None).map(|_| files)
        });
        match started {
            Ok(files) => said.push(format!("serving {} ({files} files)", directory.display())),
            Err(error) => {
                if !runs {
                    runtime.remove();
                }
                return Err(error);
            }
        }
        if !runs {
            fresh.push(directory);
        }
    }
    Ok(Mounted { said, fresh })
}

/// What the mounts do not reach, a sentence for each reason.
pub(crate) fn not_served(docker: &Docker, plan: &Plan, fresh: &[PathBuf]) -> Result<Vec<String>, Failure> {
    Ok(from_environment(plan).into_iter().chain(made_before(docker, plan, fresh)?).collect())
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
