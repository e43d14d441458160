//! A project's server: starting one, giving a running one a new plan, ending it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;

use cosec_core::extension::{self, OnRotate, allows_host, on_rotate};
use cosec_core::plan::{Delivery, Plan, plan};
use cosec_fuse::{Client, Helpers, MountKind, Running, Scope, Server, StartOptions, Status};

use crate::args::{Cli, DeliverArgs, HELP_CHANGED, HELP_CONTAINER, HELP_LEFT, SUPERVISOR, ServeArgs, WORKER};
use crate::commands::up::note;
use crate::deliver::{self, Served};
use crate::docker::{self, Docker};
use crate::failure::Failure;
use crate::overrides;
use crate::owners::{Owners, Renewed};
use crate::project::Loaded;
use crate::runtime::{self, Runtime};
use crate::signals;

/// A mount, and the server if this command started it. An attached server ends with this value.
pub(crate) struct Mount {
    pub(crate) id: String,
    pub(crate) ours: Option<Running>,
    /// Keeps another command from ending the server that this one is about to use.
    in_use: OwnedFd,
}

/// Makes the plan of a project.
pub(crate) fn plan_of(loaded: &Loaded, args: &DeliverArgs) -> Result<Plan, Failure> {
    plan(&loaded.project, args.compat.compat.into()).map_err(|error| loaded.show(&error))
}

/// Makes the plan of a project and checks it against policy.
pub(crate) fn planned(loaded: &Loaded, args: &DeliverArgs) -> Result<Plan, Failure> {
    let plan = plan_of(loaded, args)?;
    extension::check(&loaded.root).map_err(|error| loaded.show(&error))?;
    deliver::check_policy(loaded, &plan.deliveries, args.allow_unignored)?;
    Ok(plan)
}

/// Says which services have containers whose secrets go, as they are in no file and no profile of this command: Compose
/// leaves such containers alone.
pub(crate) fn say_who_is_left(docker: &Docker, loaded: &Loaded, runtime: &Runtime) {
    let Ok(status) = status(runtime) else { return };
    let is_here = |name: &str| loaded.project.services.iter().any(|service| *service.name == *name);
    let served: BTreeSet<&str> = status.files.iter().map(|file| file.service.as_str()).collect();
    for service in served.into_iter().filter(|service| !is_here(service)) {
        let running = docker.containers(&loaded.project.name, service).unwrap_or_default();
        if !running.is_empty() {
            anstream::eprintln!(
                "cosec: `{service}` runs and is not in these files and profiles: its secrets are no longer served; name its file with -f, or its profile with --profile, to have them served again"
            );
        }
    }
}

/// What the server is to serve: the plan with numbers for names, values, scope and hooks.
pub(crate) fn specification(
    cli: &Cli,
    docker: &Docker,
    loaded: &Loaded,
    plan: &Plan,
    args: &ServeArgs,
    renewed: Renewed,
) -> Result<Served, Failure> {
    let audit = runtime::audit_file(&plan.project)?;
    let mut owners = Owners::new(cli, docker, loaded, renewed);
    let mut served = deliver::serve(loaded, &plan.deliveries, audit, |delivery| owners.ids(delivery))?;
    let allowed = allows_host(&loaded.root).map_err(|error| loaded.show(&error))?;
    served.spec.scope = Scope::Services { host: args.allow_host || allowed };
    served.spec.hooks = hooks(loaded, &plan.deliveries)?;
    Ok(served)
}

/// What each service wants done after a rotation.
pub(crate) fn hooks(
    loaded: &Loaded,
    deliveries: &[Delivery],
) -> Result<BTreeMap<String, serde_json::Value>, Failure> {
    let mut hooks = BTreeMap::new();
    for delivery in deliveries {
        let hook = on_rotate(&loaded.root, &delivery.service).map_err(|error| loaded.show(&error))?;
        if hook != OnRotate::None {
            let hook = serde_json::to_value(hook)
                .map_err(|error| Failure::Cannot(format!("cannot write the hook down: {error}")))?;
            hooks.insert(delivery.service.clone(), hook);
        }
    }
    Ok(hooks)
}

/// Starts the server, or gives a running one the new plan without any reader noticing. A new mount gets a new
/// id, unless it is to pass for another.
pub(crate) fn start(
    cli: &Cli,
    runtime: &Runtime,
    served: Served,
    detached: bool,
    mount_id: Option<String>,
) -> Result<Mount, Failure> {
    let Served { spec, held } = served;
    let files = spec.files.len();
    signals::check()?;
    let is_new = !runtime.directory().exists();
    let _lock = runtime.lock_unless_interrupted()?;
    let in_use = runtime.in_use()?;
    if let Ok(mut client) = Client::connect(runtime.directory()) {
        // A stuck worker has no status, and the new plan is what brings another.
        if let Ok(status) = client.status() {
            refuse_another(&status, &spec.project, &spec.directory)?;
        }
        client.reload(&spec, &held).map_err(|error| {
            Failure::Cannot(format!("the server that runs does not take the new plan: {error}"))
        })?;
        // Whoever started it, attached, may end before these containers.
        if detached {
            client.detach().map_err(|error| Failure::Cannot(error.to_string()))?;
        }
        let status = client.status().map_err(|error| Failure::Cannot(error.to_string()))?;
        note(cli, 1, || format!("serving {files} files at {} as before", runtime.mount_point().display()));
        return Ok(Mount { id: status.mount_id, ours: None, in_use });
    }
    signals::check().inspect_err(|_| {
        if is_new {
            runtime.remove();
        }
    })?;
    clear_dead_mount(cli, runtime)?;
    let mount_point = runtime.make_mount_point()?;
    let running = Server::start(StartOptions {
        spec,
        held,
        mountpoint: mount_point.clone(),
        runtime_dir: runtime.directory().to_owned(),
        supervisor_argv: vec![SUPERVISOR.into()],
        worker_argv: vec![WORKER.into()],
        detach: detached,
        mount: MountKind::Shared,
        helpers: helpers(runtime),
        mount_id,
    })
    .map_err(|error| {
        runtime.remove();
        Failure::Cannot(error.to_string())
    })?;
    note(cli, 1, || format!("serving {files} files at {}", mount_point.display()));
    Ok(Mount { id: status(runtime)?.mount_id, ours: Some(running), in_use })
}

/// What is meant for a project would befall another one of its name, whose containers would lose their files or see
/// others.
pub(crate) fn refuse_another(status: &Status, project: &str, directory: &Path) -> Result<(), Failure> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // One that is not there any more was renamed.
    if real(&status.directory) == real(directory) || !status.directory.exists() {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "another project of the name `{project}` is served, that of {}; give this one another name with `-p` or a top-level `name:`, or end the other there, with `cosec down` or `cosec umount`",
        status.directory.display()
    )))
}

/// The same for what is meant for all of a project's servers.
pub(crate) fn refuse_others(loaded: &Loaded) -> Result<(), Failure> {
    let name = &loaded.project.name;
    all(name)?.iter().try_for_each(|(_, status)| refuse_another(status, name, &loaded.directory))
}

/// Nobody answers: what is mounted here is what a killed server has left. Over a directory of the user's it may
/// be another project's.
pub(crate) fn clear_dead_mount(cli: &Cli, runtime: &Runtime) -> Result<(), Failure> {
    let mount_point = runtime.mount_point();
    if cosec_fuse::is_ours(&mount_point) && (!runtime.is_over() || cosec_fuse::is_dead(&mount_point)) {
        note(cli, 1, || "clearing away the mount of a server that is gone".to_owned());
        cosec_fuse::umount(&mount_point).map_err(|error| Failure::Cannot(error.to_string()))?;
    }
    Ok(())
}

/// Whether a server is gone without an end, and its mount dead.
pub(crate) fn is_lost(runtime: &Runtime) -> bool {
    status(runtime).is_err() && cosec_fuse::is_dead(&runtime.mount_point())
}

/// What all of a project's running servers say of themselves.
pub(crate) fn all(project: &str) -> Result<Vec<(Runtime, Status)>, Failure> {
    let running = |runtime: Runtime| status(&runtime).ok().map(|status| (runtime, status));
    Ok(Runtime::all(project)?.into_iter().filter_map(running).collect())
}

/// No server of a project runs.
pub(crate) fn none_runs() -> Failure {
    Failure::Cannot(
        "no server of this project runs; start one with `cosec up` or `cosec mount`, or bring a lost one back with `cosec repair`"
            .to_owned(),
    )
}

/// What a running server says of itself.
pub(crate) fn status(runtime: &Runtime) -> Result<Status, Failure> {
    client(runtime)?.status().map_err(|error| Failure::Cannot(error.to_string()))
}

/// A conversation with the server that runs.
pub(crate) fn client(runtime: &Runtime) -> Result<Client, Failure> {
    Client::connect(runtime.directory()).map_err(|_| none_runs())
}

/// Ends the server, unless containers that run have a file of its mount: then it goes on by itself, and that is said.
pub(crate) fn stop_unless_used(cli: &Cli, docker: &Docker, runtime: &Runtime) -> Result<(), Failure> {
    let _lock = runtime.directory().exists().then(|| runtime.lock()).transpose()?;
    let id = overrides::mount_id(runtime);
    // An engine that does not answer has nothing that runs.
    let using = id.and_then(|id| docker.services_of_mount(&id).ok()).unwrap_or_default();
    if using.is_empty() {
        return end(cli, runtime);
    }
    if let Ok(mut client) = Client::connect(runtime.directory()) {
        client.detach().map_err(|error| Failure::Cannot(error.to_string()))?;
    }
    let using: Vec<String> = using.into_iter().collect();
    anstream::eprintln!(
        "cosec: still running: {}; their secrets are served until `cosec down` ends them",
        using.join(", ")
    );
    Ok(())
}

/// What becomes of a server whose command was killed: it ends, unless another command or a container that runs uses it,
/// or that cannot be known.
pub(crate) fn end_if_unused(cli: &Cli, docker: &Docker, runtime: &Runtime) -> Result<(), Failure> {
    let _lock = runtime.directory().exists().then(|| runtime.lock()).transpose()?;
    let id = overrides::mount_id(runtime);
    let using = id.map_or(Ok(BTreeSet::new()), |id| docker.services_of_mount(&id));
    if runtime.is_unused() && using.as_ref().is_ok_and(BTreeSet::is_empty) {
        return end(cli, runtime);
    }
    client(runtime)?.detach().map_err(|error| Failure::Cannot(error.to_string()))?;
    using.map(drop)
}

/// Ends a server that nobody uses: no other command, and no container that has a file of its mount.
pub(crate) fn leave(cli: &Cli, docker: &Docker, runtime: &Runtime, mount: Mount) -> Result<(), Failure> {
    let Mount { id, ours, in_use } = mount;
    drop(in_use);
    let _lock = runtime.lock()?;
    // An engine that cannot be asked has no containers of a mount that is new.
    let made = docker.containers_of_mount(&id).map_or(ours.is_none(), |containers| !containers.is_empty());
    if made || !runtime.is_unused() {
        return Ok(());
    }
    end(cli, runtime)
}

/// Ends the server if one runs, and removes what it leaves.
pub(crate) fn stop(cli: &Cli, runtime: &Runtime) -> Result<(), Failure> {
    let _lock = runtime.directory().exists().then(|| runtime.lock()).transpose()?;
    end(cli, runtime)
}

/// The same, under the lock.
fn end(cli: &Cli, runtime: &Runtime) -> Result<(), Failure> {
    if let Ok(mut client) = Client::connect(runtime.directory()) {
        client.stop().map_err(|error| Failure::Cannot(error.to_string()))?;
    }
    taken_away(cli, runtime)
}

/// Ends the server unless a program is at work in the mount.
pub(crate) fn stop_idle(cli: &Cli, runtime: &Runtime) -> Result<(), Failure> {
    let _lock = runtime.directory().exists().then(|| runtime.lock()).transpose()?;
    if let Ok(mut client) = Client::connect(runtime.directory()) {
        client.stop_idle().map_err(|error| Failure::Refused(error.to_string()))?;
    }
    taken_away(cli, runtime)
}

/// No server is left: removes what it leaves.
fn taken_away(cli: &Cli, runtime: &Runtime) -> Result<(), Failure> {
    let mount_point = runtime.mount_point();
    if runtime.is_over() {
        clear_dead_mount(cli, runtime)?;
    } else if cosec_fuse::is_mounted(&mount_point) {
        cosec_fuse::umount(&mount_point).map_err(|error| Failure::Cannot(error.to_string()))?;
    }
    runtime.remove();
    note(cli, 1, || format!("{} is unmounted", mount_point.display()));
    Ok(())
}

/// The supervisor asks Docker through us.
fn helpers(runtime: &Runtime) -> Helpers {
    Helpers {
        container: vec![HELP_CONTAINER.into()],
        changed: vec![HELP_CHANGED.into()],
        left: left(runtime),
        environment: docker::environment(),
    }
}

/// Who decides when nobody is there any more.
pub(crate) fn left(runtime: &Runtime) -> Vec<OsString> {
    vec![HELP_LEFT.into(), runtime.directory().into()]
}
