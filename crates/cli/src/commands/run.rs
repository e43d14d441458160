//! `cosec run`: a local command sees a service's secrets in /run/secrets, and nobody else sees them.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use cosec_core::plan::{Compat, Delivery, plan};
use cosec_fuse::namespace::{self, NamespaceError};
use cosec_fuse::{Helpers, MountKind, Server, StartOptions};

use super::up::note;
use crate::args::{Cli, RunArgs, SUPERVISOR, WORKER};
use crate::deliver::{self, Ids};
use crate::failure::Failure;
use crate::project::{self, Purpose};
use crate::runtime::{self, Runtime};
use crate::{serving, signals};

const SECRETS: &str = "/run/secrets";

pub(crate) fn run(cli: &Cli, args: &RunArgs) -> Result<ExitCode, Failure> {
    let named: Vec<String> = args.service.iter().cloned().collect();
    let loaded = project::load(&cli.project, &named, Purpose::Show)?;
    let plan = plan(&loaded.project, Compat::Cosec).map_err(|error| loaded.show(&error))?;
    let service = choose(&loaded, &plan.deliveries, args.service.as_deref())?;
    let deliveries: Vec<Delivery> =
        plan.deliveries.into_iter().filter(|delivery| delivery.service == service).collect();
    deliver::check_policy(&loaded, &deliveries, args.allow_unignored)?;
    let audit = runtime::audit_file(&plan.project)?;
    // There is no container whose users could own the files: they are the caller's.
    let ids = Ids { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
    let served = deliver::serve(&loaded, &deliveries, audit, |_| Ok(ids))?;
    let held = signals::Held::start()?;
    let runtime = Runtime::of(&format!("{}-run-{}", plan.project, std::process::id()), true)?;
    let mount_point = runtime.make_mount_point()?;

    let cannot = |error: &dyn std::fmt::Display| {
        runtime.remove();
        Failure::Cannot(error.to_string())
    };
    // Before anything is mounted: what is below /run may move when its targets are made.
    namespace::enter_private().and_then(|()| prepare(&deliveries)).map_err(|error| cannot(&error))?;
    // Not before: a user namespace's maps are written through /proc/self.
    cosec_fuse::keep_others_out();
    held.release();
    let running = Server::start(StartOptions {
        spec: served.spec,
        held: served.held,
        mountpoint: mount_point.clone(),
        runtime_dir: runtime.directory().to_owned(),
        supervisor_argv: vec![SUPERVISOR.into()],
        worker_argv: vec![WORKER.into()],
        detach: false,
        mount: MountKind::Private,
        // Nobody else sees the mount, so there is nobody to tell apart.
        helpers: Helpers { left: serving::left(&runtime), ..Helpers::default() },
        mount_id: None,
    })
    .map_err(|error| cannot(&error))?;
    let result = place(&mount_point, &deliveries)
        .and_then(|()| namespace::drop_mount_right().map_err(|error| Failure::Cannot(error.to_string())))
        // If this process is killed, the command goes on, and with it its secrets.
        .and_then(|()| running.share().map_err(|error| Failure::Cannot(error.to_string())))
        .and_then(|()| {
            note(cli, 1, || format!("{} files of service `{service}` in {SECRETS}", deliveries.len()));
            signals::spawn(Command::new(&args.command[0]).args(&args.command[1..]))?.map_err(|error| {
                Failure::Cannot(format!("cannot run {}: {error}", args.command[0].display()))
            })
        })
        .and_then(|mut child| {
            signals::wait(&mut child)
                .map_err(|error| Failure::Cannot(format!("cannot wait for the command: {error}")))
        });
    let stopped = running.stop();
    runtime.remove();
    let status = result?;
    stopped.map_err(|error| Failure::Cannot(error.to_string()))?;
    Ok(signals::exit_code(status))
}

fn choose(loaded: &project::Loaded, deliveries: &[Delivery], named: Option<&str>) -> Result<String, Failure> {
    let mut granted: Vec<&str> = deliveries.iter().map(|delivery| delivery.service.as_str()).collect();
    granted.dedup();
    if let Some(named) = named {
        return if granted.contains(&named) {
            Ok(named.to_owned())
        } else if loaded.project.services.iter().any(|service| &*service.name == named) {
            Err(Failure::Cannot(format!("service `{named}` is granted no secret; add one to its `secrets:`")))
        } else {
            Err(Failure::Cannot(format!("there is no service `{named}` in the project")))
        };
    }
    match granted.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(Failure::Cannot(
            "no service of the project is granted a secret; add `secrets:` to one".to_owned(),
        )),
        several => Err(Failure::Cannot(format!(
            "several services have secrets; choose one with --service: {}",
            several.join(", ")
        ))),
    }
}

/// The mount points that the deliveries need: /run/secrets as a whole, others file by file.
fn mount_points(deliveries: &[Delivery]) -> Vec<(PathBuf, PathBuf, bool)> {
    let prefix = format!("{SECRETS}/");
    let (below, others): (Vec<_>, Vec<_>) =
        deliveries.iter().partition(|delivery| delivery.target.starts_with(&prefix));
    let whole = below.first().map(|delivery| {
        (PathBuf::from(format!("{}{SECRETS}", delivery.service)), PathBuf::from(SECRETS), true)
    });
    let others = others
        .into_iter()
        .map(|delivery| (deliver::path_in_mount(delivery).into(), delivery.target.clone().into(), false));
    whole.into_iter().chain(others).collect()
}

fn prepare(deliveries: &[Delivery]) -> Result<(), NamespaceError> {
    mount_points(deliveries)
        .iter()
        .try_for_each(|(_, target, directory)| namespace::prepare(target, *directory))
}

/// Puts the files where the service would see them, in this process's own mount namespace.
fn place(mount_point: &Path, deliveries: &[Delivery]) -> Result<(), Failure> {
    mount_points(deliveries)
        .iter()
        .try_for_each(|(source, target, _)| namespace::bind(&mount_point.join(source), target))
        .map_err(|error| Failure::Cannot(error.to_string()))
}
