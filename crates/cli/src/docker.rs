//! Docker, through its own command line: contexts, SSH and TLS come for free.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

use serde_json::Value;

use crate::failure::Failure;
use crate::signals;

/// The `docker` program with a working Compose and an engine behind it.
pub(crate) struct Docker {
    program: OsString,
}

/// Docker's own options, which it was called with: `docker --context X cosec …`.
static OPTIONS: OnceLock<Vec<OsString>> = OnceLock::new();

/// By which a server's helpers get them.
const OPTIONS_VARIABLE: &str = "COSEC_DOCKER_OPTIONS";
/// Between two of them: no option has it.
const UNIT: &str = "\u{1f}";

/// Hands Docker's own options on to every call of it. A helper has them from its environment.
pub(crate) fn pass_on(options: Vec<OsString>) {
    let inherited = || {
        let text = std::env::var(OPTIONS_VARIABLE).ok().filter(|text| !text.is_empty());
        text.iter().flat_map(|text| text.split(UNIT)).map(OsString::from).collect()
    };
    let _ = OPTIONS.set(if options.is_empty() { inherited() } else { options });
}

fn options() -> &'static [OsString] {
    OPTIONS.get().map_or(&[], Vec::as_slice)
}

/// What of the environment Docker's command line needs, and no more.
pub(crate) fn environment() -> Vec<(OsString, OsString)> {
    const NEEDED: [&str; 10] = [
        "PATH",
        "HOME",
        "COSEC_DOCKER",
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_CONFIG",
        "DOCKER_TLS_VERIFY",
        "DOCKER_CERT_PATH",
        "DOCKER_API_VERSION",
        "SSH_AUTH_SOCK",
    ];
    let variable = |name: &str| std::env::var_os(name).map(|value| (name.into(), value));
    let own = (OPTIONS_VARIABLE.into(), options().join(UNIT.as_ref()));
    NEEDED.into_iter().filter_map(variable).chain([own]).collect()
}

/// The label by which containers tell the mount that they were made with.
pub(crate) const MOUNT_LABEL: &str = "dev.cosec.mount";

impl Docker {
    /// Finds the program and makes sure that Compose and the engine answer.
    pub(crate) fn find() -> Result<Self, Failure> {
        let program = std::env::var_os("COSEC_DOCKER").unwrap_or_else(|| "docker".into());
        let docker = Docker { program };
        // Each takes a tenth of a second, so both at once.
        let (version, engine) = std::thread::scope(|scope| {
            let engine = scope.spawn(|| docker.engine());
            let version = docker.output(&["compose", "version", "--short"]);
            (version, engine.join().unwrap_or(Err(NoEngine::Silent)))
        });
        let version = version.map_err(|error| {
            Failure::Cannot(format!(
                "cannot run {}: {error}; install Docker with its Compose plugin, or use `cosec run`, which needs neither",
                docker.program.display()
            ))
        })?;
        if !version.status.success() {
            return Err(Failure::Cannot(
                "`docker compose` does not work; install Docker's Compose plugin (version 2.24.4 or newer)"
                    .to_owned(),
            ));
        }
        match engine {
            Ok(_) => Ok(docker),
            Err(none) => Err(Failure::Cannot(format!("{}; {}", none.what(), none.remedy()))),
        }
    }

    /// The program, without asking whether it works: its first answer tells.
    pub(crate) fn unchecked() -> Self {
        Docker { program: std::env::var_os("COSEC_DOCKER").unwrap_or_else(|| "docker".into()) }
    }

    /// The version of the engine that answers.
    pub(crate) fn engine(&self) -> Result<String, NoEngine> {
        let output =
            self.output(&["version", "--format", "{{.Server.Version}}"]).map_err(|_| NoEngine::Silent)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(NoEngine::of(&String::from_utf8_lossy(&output.stderr)))
    }

    /// What the engine says of a container; `None` if it does not have it.
    pub(crate) fn container(&self, id: &str) -> Result<Option<Inspected>, Failure> {
        const FORMAT: &str = "[{{json .Name}},{{json .Config.Labels}},{{json .State.Pid}}]";
        let output = self.run(&["inspect", "--type", "container", "--format", FORMAT, id])?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            // An engine that is not there is no answer.
            return if reason.to_lowercase().contains("no such container") {
                Ok(None)
            } else {
                Err(Failure::Cannot(reason))
            };
        }
        let [name, labels, pid] = serde_json::from_str::<[Value; 3]>(&text)
            .map_err(|_| Failure::Cannot("docker inspect did not answer as expected".to_owned()))?;
        let name = name.as_str().unwrap_or_default().trim_start_matches('/').to_owned();
        Ok(Some(Inspected { name, labels, pid: pid.as_u64().unwrap_or(0) }))
    }

    /// The ids of a service's running containers.
    pub(crate) fn containers(&self, project: &str, service: &str) -> Result<Vec<String>, Failure> {
        self.ids(&[("project", project), ("service", service)])
    }

    /// A project's running containers.
    pub(crate) fn running(&self, project: &str) -> Result<Vec<Member>, Failure> {
        self.members(&self.ids(&[("project", project)])?)
    }

    /// A project's containers that have ended.
    pub(crate) fn ended(&self, project: &str) -> Result<Vec<Member>, Failure> {
        let label = format!("label=com.docker.compose.project={project}");
        let which = ["--all", "--filter", &label, "--filter", "status=exited", "--filter", "status=dead"];
        self.members(&self.list(&which)?)
    }

    fn members(&self, ids: &[String]) -> Result<Vec<Member>, Failure> {
        const FORMAT: &str =
            "[{{json .Id}},{{json .State}},{{json .Name}},{{json .Config.Labels}},{{json .Mounts}}]";
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut arguments = vec!["inspect", "--type", "container", "--format", FORMAT];
        arguments.extend(ids.iter().map(String::as_str));
        // It fails for those that are gone meanwhile, which need nothing, and tells of the others.
        let output = self.run(&arguments)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let one = |line: &str| {
            let [id, state, name, labels, mounts] = serde_json::from_str::<[Value; 5]>(line).ok()?;
            Some(Member {
                id: text(&id),
                pid: state["Pid"].as_u64().unwrap_or(0) as u32,
                started: humantime::parse_rfc3339(&text(&state["StartedAt"])).ok(),
                error: text(&state["Error"]),
                mount_id: labels[MOUNT_LABEL].as_str().map(str::to_owned),
                name: text(&name).trim_start_matches('/').to_owned(),
                service: text(&labels["com.docker.compose.service"]),
                mounts: (mounts.as_array().into_iter().flatten())
                    .map(|mount| (text(&mount["Source"]).into(), text(&mount["Destination"]).into()))
                    .collect(),
            })
        };
        Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(one).collect())
    }

    /// The ids of containers that were made with a mount of that id and have run.
    pub(crate) fn containers_of_mount(&self, id: &str) -> Result<Vec<String>, Failure> {
        const HAVE_RUN: [&str; 4] = ["running", "paused", "restarting", "exited"];
        let filters = [format!("label={MOUNT_LABEL}={id}")];
        let states = HAVE_RUN.map(|state| format!("status={state}"));
        let filters: Vec<&str> =
            filters.iter().chain(&states).flat_map(|filter| ["--filter", filter]).collect();
        self.list(&[&["--all"], filters.as_slice()].concat())
    }

    /// The services with running containers that were made with a mount of that id.
    pub(crate) fn services_of_mount(&self, id: &str) -> Result<BTreeSet<String>, Failure> {
        const FORMAT: &str = "{{.State.Running}} {{index .Config.Labels \"com.docker.compose.service\"}}";
        let label = format!("label={MOUNT_LABEL}={id}");
        let ids = self.list(&["--filter", &label])?;
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        // The engine lists containers for a moment that it has stopped, and knows better when it is asked for one.
        let mut arguments = vec!["inspect", "--type", "container", "--format", FORMAT];
        arguments.extend(ids.iter().map(String::as_str));
        let output = self.run(&arguments)?;
        let errors = String::from_utf8_lossy(&output.stderr).to_lowercase();
        if let Some(error) = errors.lines().find(|line| !line.contains("no such container")) {
            return Err(Failure::Cannot(error.to_owned()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter_map(|line| line.strip_prefix("true ")).map(str::to_owned).collect())
    }

    /// The ids of running containers with these of Compose's labels.
    fn ids(&self, labels: &[(&str, &str)]) -> Result<Vec<String>, Failure> {
        let filters: Vec<String> =
            labels.iter().map(|(key, value)| format!("label=com.docker.compose.{key}={value}")).collect();
        let arguments: Vec<&str> = filters.iter().flat_map(|filter| ["--filter", filter]).collect();
        self.list(&arguments)
    }

    fn list(&self, which: &[&str]) -> Result<Vec<String>, Failure> {
        self.lines(&[&["ps", "--quiet", "--no-trunc"], which].concat())
    }

    fn lines(&self, arguments: &[&str]) -> Result<Vec<String>, Failure> {
        let output = self.run(arguments)?;
        if !output.status.success() {
            return Err(Failure::Cannot(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    /// Runs a command that must succeed.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> Result<(), Failure> {
        let output = self.run(arguments)?;
        if output.status.success() {
            return Ok(());
        }
        let words = arguments.first().copied().unwrap_or_default();
        Err(Failure::Cannot(format!("docker {words} failed: {}", reason(words, &output))))
    }

    /// `docker compose OPTIONS…`, to be completed.
    pub(crate) fn compose(&self, options: &[OsString]) -> Command {
        let mut command = self.command();
        command.arg("compose").args(options);
        command
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self::options());
        command
    }

    /// The image's USER; `None` if the engine does not have the image.
    pub(crate) fn image_user(&self, image: &str) -> Result<Option<String>, Failure> {
        let output = self.run(&["image", "inspect", "--format", "{{json .Config.User}}", image])?;
        if !output.status.success() {
            return Ok(None);
        }
        let user = String::from_utf8_lossy(&output.stdout).trim().trim_matches('"').to_owned();
        Ok(Some(user))
    }

    /// A file of an image, by way of a container that is never started.
    pub(crate) fn image_file(&self, image: &str, path: &str) -> Result<Option<String>, Failure> {
        let created = self.run(&["create", "--entrypoint", "/", image, "cosec"])?;
        if !created.status.success() {
            return Ok(None);
        }
        let container = String::from_utf8_lossy(&created.stdout).trim().to_owned();
        let archive = self.run(&["cp", "--follow-link", &format!("{container}:{path}"), "-"]);
        let _ = self.run(&["rm", "--force", &container]);
        let archive = archive?;
        Ok(archive.status.success().then(|| first_file(&archive.stdout)).flatten())
    }

    fn run(&self, arguments: &[&str]) -> Result<Output, Failure> {
        self.output(arguments).map_err(|error| Failure::Cannot(format!("cannot run docker: {error}")))
    }

    fn output(&self, arguments: &[&str]) -> std::io::Result<Output> {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::null());
        signals::keep_from(&mut command);
        command.output()
    }
}

/// Why no engine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoEngine {
    /// There is none, or it is not found.
    Silent,
    /// Its socket is closed to this user.
    Closed,
}

impl NoEngine {
    /// From what `docker version` says on standard error.
    fn of(said: &str) -> Self {
        if said.contains("permission denied while trying to connect") {
            NoEngine::Closed
        } else {
            NoEngine::Silent
        }
    }

    /// What is wrong.
    pub(crate) fn what(self) -> &'static str {
        match self {
            NoEngine::Silent => "no Docker engine answers",
            NoEngine::Closed => "this user may not talk to the Docker engine",
        }
    }

    /// What to do about it.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            NoEngine::Silent => "start it, or set DOCKER_HOST or `docker context use`",
            NoEngine::Closed => "sudo usermod -aG docker \"$USER\", then log in again",
        }
    }
}

/// Why a command has failed. What a program in a container has printed may hold a secret: of an `exec` only the engine's
/// and the runtime's own words count, of which Docker prints some on standard output.
fn reason(command: &str, output: &Output) -> String {
    const OWN: [&str; 2] = ["OCI runtime exec failed: ", "Error response from daemon: "];
    let ended = || format!("it ended with {}", output.status);
    let unsaid = || format!("{}; what it printed is not kept, as it may hold a secret", ended());
    let errors = String::from_utf8_lossy(&output.stderr);
    if command != "exec" {
        return if errors.trim().is_empty() { ended() } else { errors.trim().to_owned() };
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let own = |line: &&str| OWN.iter().any(|own| line.starts_with(own));
    errors.lines().chain(printed.lines()).find(own).map_or_else(unsaid, |line| line.trim().to_owned())
}

/// What the engine says of a container.
pub(crate) struct Inspected {
    pub(crate) name: String,
    pub(crate) labels: Value,
    /// Its first process, as this machine counts; 0 if it does not run.
    pub(crate) pid: u64,
}

/// A container of a project, as far as a repair needs to know it.
pub(crate) struct Member {
    pub(crate) id: String,
    /// Its first process, as this machine counts; 0 if it does not run.
    pub(crate) pid: u32,
    /// When it was last started.
    pub(crate) started: Option<SystemTime>,
    /// Why it could not be started the last time, in the engine's words.
    error: String,
    /// The id of the mount that it was made with.
    pub(crate) mount_id: Option<String>,
    pub(crate) name: String,
    pub(crate) service: String,
    /// What is bound from where to where.
    mounts: Vec<(PathBuf, PathBuf)>,
}

impl Member {
    /// What is bound from below a directory.
    pub(crate) fn mounts_below(&self, directory: &Path) -> Vec<(PathBuf, PathBuf)> {
        self.mounts.iter().filter(|(source, _)| source.starts_with(directory)).cloned().collect()
    }

    /// Whether it could not be started because of what it binds from below a directory.
    pub(crate) fn failed_for(&self, directory: &Path) -> bool {
        let is_named = |source: &PathBuf| self.error.contains(&*source.to_string_lossy());
        self.mounts_below(directory).iter().any(|(source, _)| is_named(source))
    }
}

/// The content of the first regular file of a tar archive.
fn first_file(archive: &[u8]) -> Option<String> {
    let mut rest = archive;
    while let Some((header, after)) = rest.split_at_checked(512) {
        let size = std::str::from_utf8(header.get(124..135)?).ok()?.trim_matches(['\0', ' ']);
        let size = usize::from_str_radix(size, 8).ok()?;
        if matches!(header.get(156)?, b'0' | 0) {
            return Some(String::from_utf8_lossy(after.get(..size)?).into_owned());
        }
        rest = after.get(size.div_ceil(512) * 512..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn failed(stdout: &str, stderr: &str) -> Output {
        Output { status: ExitStatus::from_raw(3 << 8), stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn the_reason_of_a_failed_exec_is_not_lost_and_is_never_what_the_command_printed() {
        let runtime = "OCI runtime exec failed: exec failed: exec: \"nosuch\": executable file not found";
        assert_eq!(reason("exec", &failed(&format!("hunter2\n{runtime}\n"), "")), runtime);
        let said = reason("exec", &failed("hunter2", "hunter2: refused"));
        assert_eq!(
            said,
            "it ended with exit status: 3; what it printed is not kept, as it may hold a secret"
        );
        let paused = "Error response from daemon: Container a is paused";
        assert_eq!(reason("exec", &failed("", &format!("{paused}\n"))), paused);
        assert_eq!(reason("restart", &failed("", "no such container\n")), "no such container");
    }

    #[test]
    fn a_user_whom_the_socket_is_closed_to_is_not_sent_to_start_an_engine_that_runs() {
        let closed = [
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "Got permission denied while trying to connect to the Docker daemon socket",
            "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock",
        ];
        assert!(closed.iter().all(|said| NoEngine::of(said) == NoEngine::Closed));
        assert!(NoEngine::Closed.remedy().contains("usermod -aG docker"));
        let silent = [
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "WARNING: Error loading config file: open /root/.docker/config.json: permission denied\nCannot connect",
            "ssh: Permission denied (publickey)",
        ];
        assert!(silent.iter().all(|said| NoEngine::of(said) == NoEngine::Silent));
    }
}
