//! `cosec up`: Compose does the work; cosec serves the secrets and puts them in place by an override.

use std::collections::HashMap;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

use cosec_core::gitignore::shell_word;
use cosec_core::plan::{Delivery, Plan, ServiceUser, plan};
use cosec_fuse::{Client, MountKind, Running, Server, StartOptions};

use crate::args::{Cli, SUPERVISOR, UpArgs, WORKER};
use crate::deliver::{self, Ids, Served};
use crate::docker::Docker;
use crate::failure::Failure;
use crate::project::{self, Loaded, Purpose};
use crate::runtime::{self, Runtime};

pub(crate) fn run(cli: &Cli, args: &UpArgs) -> Result<ExitCode, Failure> {
    // From here on values from the environment and .env are in this process.
    cosec_fuse::keep_others_out();
    let loaded = project::load(&cli.project, &args.args, Purpose::Run)?;
    let plan = plan(&loaded.project, args.compat.compat.into()).map_err(|error| loaded.show(&error))?;
    deliver::check_policy(&loaded, &plan.deliveries, args.allow_unignored)?;
    let docker = Docker::find()?;
    if plan.deliveries.is_empty() {
        note(cli, 1, || "no service is granted a secret: passing on to docker compose".to_owned());
        return compose_up(cli, &docker, &loaded, None, &args.args);
    }
    let audit = runtime::audit_file(&plan.project)?;
    let mut owners = Owners { docker: &docker, loaded: &loaded, cli, images: HashMap::new() };
    let served = deliver::serve(&loaded, &plan.deliveries, audit, |delivery| owners.ids(delivery))?;

    let runtime = Runtime::of(&plan.project, true)?;
    let detached = is_detached(&args.args);
    let mount = start(cli, &runtime, served, detached)?;
    let result = write_override(&runtime, &plan, &mount.id)
        .and_then(|()| compose_up(cli, &docker, &loaded, Some(&runtime), &args.args));
    let succeeded = matches!(&result, Ok(code) if *code == ExitCode::SUCCESS);
    if mount.ours.is_some() && !(detached && succeeded) {
        stop(cli, &runtime)?;
    }
    result
}

/// A mount, and the server if this command started it. An attached server ends with this value.
struct Mount {
    id: String,
    ours: Option<Running>,
}

/// Starts the server, or gives a running one the new plan without any reader noticing.
fn start(cli: &Cli, runtime: &Runtime, served: Served, detached: bool) -> Result<Mount, Failure> {
    let Served { spec, held } = served;
    let files = spec.files.len();
    if let Ok(mut client) = Client::connect(runtime.directory()) {
        client.reload(&spec, &held).map_err(|error| {
            Failure::Cannot(format!("the server that runs does not take the new plan: {error}"))
        })?;
        let status = client.status().map_err(|error| Failure::Cannot(error.to_string()))?;
        note(cli, 1, || format!("serving {files} files at {} as before", runtime.mount_point().display()));
        return Ok(Mount { id: mount_id(status.supervisor_pid), ours: None });
    }
    // Nobody answers: what is mounted here is what a killed server has left.
    let mount_point = runtime.mount_point();
    if cosec_fuse::is_ours(&mount_point) {
        note(cli, 1, || "clearing away the mount of a server that is gone".to_owned());
        cosec_fuse::umount(&mount_point).map_err(|error| Failure::Cannot(error.to_string()))?;
    }
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
    })
    .map_err(|error| {
        runtime.remove();
        Failure::Cannot(error.to_string())
    })?;
    note(cli, 1, || format!("serving {files} files at {}", mount_point.display()));
    Ok(Mount { id: mount_id(running.supervisor_pid()), ours: Some(running) })
}

/// Containers keep the mount they were made with: another supervisor is another mount, and Compose must
/// make them anew. The process's start time tells a pid used twice apart.
fn mount_id(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let started = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)).unwrap_or("0");
    format!("{pid}-{started}")
}

/// Unmounts and takes the runtime directory away.
pub(super) fn stop(cli: &Cli, runtime: &Runtime) -> Result<(), Failure> {
    if let Ok(mut client) = Client::connect(runtime.directory()) {
        client.stop().map_err(|error| Failure::Cannot(error.to_string()))?;
    }
    let mount_point = runtime.mount_point();
    if cosec_fuse::is_mounted(&mount_point) {
        cosec_fuse::umount(&mount_point).map_err(|error| Failure::Cannot(error.to_string()))?;
    }
    runtime.remove();
    note(cli, 1, || "unmounted".to_owned());
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
pub(super) fn wait(cli: &Cli, command: &mut Command) -> Result<ExitCode, Failure> {
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

/// The override: each grant becomes a file secret out of the mount. It holds names and paths, no value.
fn write_override(runtime: &Runtime, plan: &Plan, mount_id: &str) -> Result<(), Failure> {
    let path = runtime.override_file();
    crate::atomic::write(&path, override_text(runtime, plan, mount_id).as_bytes())
        .map_err(|error| Failure::Cannot(format!("cannot write {}: {error}", path.display())))
}

fn override_text(runtime: &Runtime, plan: &Plan, mount_id: &str) -> String {
    let mut services = String::new();
    let mut secrets = String::new();
    let mut last_service = None;
    for (number, delivery) in plan.deliveries.iter().enumerate() {
        if last_service != Some(&delivery.service) {
            services.push_str(&format!(
                "  {}:\n    labels:\n      dev.cosec.mount: {}\n    secrets: !override\n",
                quoted(&delivery.service),
                quoted(mount_id)
            ));
            last_service = Some(&delivery.service);
        }
        let name = quoted(&format!("cosec-{number}"));
        let file = runtime.mount_point().join(deliver::path_in_mount(delivery));
        services.push_str(&format!("      - source: {name}\n        target: {}\n", quoted(&delivery.target)));
        secrets.push_str(&format!("  {name}:\n    file: {}\n", quoted(&file.display().to_string())));
    }
    format!("services:\n{services}secrets:\n{secrets}")
}

/// A YAML string in double quotes, safe from interpolation.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('$', "$$")).to_string()
}

/// Finds out as whom services run; asks each image once.
struct Owners<'a> {
    docker: &'a Docker,
    loaded: &'a Loaded,
    cli: &'a Cli,
    images: HashMap<String, Ids>,
}

impl Owners<'_> {
    fn ids(&mut self, delivery: &Delivery) -> Result<Ids, Failure> {
        let owner = &delivery.owner;
        if let (Some(uid), Some(gid)) = (owner.uid, owner.gid) {
            return Ok(Ids { uid, gid });
        }
        let user = match &owner.user {
            ServiceUser::Ids { uid, gid } => Ids { uid: *uid, gid: gid.unwrap_or(0) },
            _ if self.images.contains_key(&delivery.service) => self.images[&delivery.service],
            ServiceUser::Named(name) => self.ask(&delivery.service, Some(name))?,
            ServiceUser::Image => self.ask(&delivery.service, None)?,
        };
        self.images.insert(delivery.service.clone(), user);
        Ok(Ids { uid: owner.uid.unwrap_or(user.uid), gid: owner.gid.unwrap_or(user.gid) })
    }

    fn ask(&self, service: &str, user: Option<&str>) -> Result<Ids, Failure> {
        let image = self.image(service);
        let image_user = match self.docker.image_user(&image)? {
            Some(user) => user,
            None => {
                self.fetch(service)?;
                self.docker.image_user(&image)?.ok_or_else(|| {
                    Failure::Cannot(format!(
                        "the image {image} of service `{service}` is not here, so the user it runs as is not known; set `user:` to numbers"
                    ))
                })?
            }
        };
        let user = user.map_or(image_user, str::to_owned);
        if user.is_empty() {
            return Ok(Ids { uid: 0, gid: 0 });
        }
        let (name, group) =
            user.split_once(':').map_or((user.as_str(), None), |(name, group)| (name, Some(group)));
        if let (Ok(uid), Some(Ok(gid))) = (name.parse(), group.map(str::parse)) {
            return Ok(Ids { uid, gid });
        }
        let passwd = self.docker.image_file(&image, "/etc/passwd")?.unwrap_or_default();
        let groups = match group {
            Some(group) if group.parse::<u32>().is_err() => {
                self.docker.image_file(&image, "/etc/group")?.unwrap_or_default()
            }
            _ => String::new(),
        };
        look_up(name, group, &passwd, &groups).ok_or_else(|| {
            Failure::Cannot(format!(
                "the user `{user}` of service `{service}` is not in the image's /etc/passwd; set `user:` to numbers"
            ))
        })
    }

    fn image(&self, service: &str) -> String {
        let project = &self.loaded.project;
        let image = project
            .services
            .iter()
            .find(|entry| &*entry.name == service)
            .and_then(|entry| entry.image.as_ref());
        image.map_or_else(|| format!("{}-{service}", project.name), |image| image.value.to_string())
    }

    /// The image is needed before `up` would fetch it.
    fn fetch(&self, service: &str) -> Result<(), Failure> {
        let project = &self.loaded.project;
        let builds = project.services.iter().any(|entry| &*entry.name == service && entry.build.is_some());
        let verb = if builds { "build" } else { "pull" };
        let options: Vec<OsString> = self.loaded.compose_options(&self.cli.project, None);
        let mut command = self.docker.compose(&options);
        command.args([verb, service]);
        wait(self.cli, &mut command).map(|_| ())
    }
}

/// A user by name or number in passwd's lines; the group by name or number, else the user's own.
fn look_up(name: &str, group: Option<&str>, passwd: &str, groups: &str) -> Option<Ids> {
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let user = passwd.lines().map(fields).find(|fields| {
        fields.first().is_some_and(|first| first == name) || fields.get(2).is_some_and(|uid| uid == name)
    });
    let number = |fields: &Option<Vec<String>>, at: usize| fields.as_ref()?.get(at)?.parse::<u32>().ok();
    let uid = number(&user, 2).or_else(|| name.parse().ok())?;
    let gid = match group {
        None => number(&user, 3).unwrap_or(0),
        Some(group) => match group.parse() {
            Ok(gid) => gid,
            Err(_) => {
                let found = groups
                    .lines()
                    .map(fields)
                    .find(|fields| fields.first().is_some_and(|first| first == group));
                number(&found, 2)?
            }
        },
    };
    Some(Ids { uid, gid })
}

/// Says what is done, if the user wants to hear it.
pub(super) fn note(cli: &Cli, level: u8, message: impl FnOnce() -> String) {
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

    #[test]
    fn users_are_looked_up_as_the_engine_does() {
        let passwd = "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n";
        let ids = |name, group| look_up(name, group, passwd, "staff:x:50:\n").map(|ids| (ids.uid, ids.gid));
        assert_eq!(ids("app", None), Some((1000, 1001)));
        assert_eq!(ids("1000", None), Some((1000, 1001)));
        assert_eq!(ids("4242", None), Some((4242, 0)));
        assert_eq!(ids("app", Some("staff")), Some((1000, 50)));
        assert_eq!(ids("nobody", None), None);
    }
}
