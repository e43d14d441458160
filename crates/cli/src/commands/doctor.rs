//! `cosec doctor`: what cosec needs of this machine, one line each, with the remedy for what is missing.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anstream::println;

use crate::docker::Docker;

/// How a check ended.
enum Health {
    Good(String),
    /// It works, but less well.
    Weak(String, &'static str),
    /// `cosec up` cannot do without it.
    Bad(String, &'static str),
    /// There was nobody to ask.
    Unknown(&'static str),
}

use Health::{Bad, Good, Unknown, Weak};

type Check = (&'static str, fn() -> Health);

pub(crate) fn run() -> ExitCode {
    let checks: [Check; 12] = [
        ("kernel", kernel),
        ("/dev/fuse", device),
        ("mounting", mounting),
        ("locked memory", memlock),
        ("swap", swap),
        ("runtime directory", runtime),
        ("user namespaces", namespaces),
        ("git", git),
        ("docker", docker),
        ("docker compose", compose),
        ("docker engine", engine),
        ("engine's users", remapping),
    ];
    let mut bad = false;
    for (name, check) in checks {
        let (mark, text, remedy) = match check() {
            Good(text) => ("ok  ", text, None),
            Weak(text, remedy) => ("weak", text, Some(remedy)),
            Bad(text, remedy) => {
                bad = true;
                ("BAD ", text, Some(remedy))
            }
            Unknown(text) => ("?   ", text.to_owned(), None),
        };
        println!("{mark}  {name}: {text}");
        if let Some(remedy) = remedy {
            println!("      {remedy}");
        }
    }
    if bad { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

fn says(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn docker_says(arguments: &[&str]) -> Option<String> {
    let program = std::env::var("COSEC_DOCKER").unwrap_or_else(|_| "docker".to_owned());
    says(&program, arguments)
}

/// The first two numbers of a version.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim_start_matches('v').split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn kernel() -> Health {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    match version(release) {
        Some(version) if version >= (6, 9) => Good(format!("Linux {release}")),
        Some(version) if version >= (5, 4) => Weak(
            format!("Linux {release} cannot send a dead worker's unanswered requests again"),
            "those few readers wait until they are interrupted; Linux 6.9 or newer spares them",
        ),
        _ => Bad(format!("Linux {release}"), "use Linux 5.4 or newer"),
    }
}

fn device() -> Health {
    let open = fs::OpenOptions::new().read(true).write(true).open("/dev/fuse");
    match open {
        Ok(_) => Good("can be opened".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Bad("may not be opened by this user".to_owned(), "sudo chmod 0666 /dev/fuse")
        }
        Err(_) => Bad(
            "is missing".to_owned(),
            "sudo modprobe fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN",
        ),
    }
}

fn mounting() -> Health {
    if rustix::process::geteuid().is_root() {
        return Good("root mounts by itself".to_owned());
    }
    if says("fusermount3", &["--version"]).is_none() {
        return Bad("fusermount3 is missing".to_owned(), "sudo apt-get install fuse3");
    }
    let allowed = fs::read_to_string("/etc/fuse.conf")
        .is_ok_and(|text| text.lines().any(|line| line.trim() == "user_allow_other"));
    if allowed {
        Good("fusermount3, and other users may be let in".to_owned())
    } else {
        Bad(
            "/etc/fuse.conf does not let containers see the mount".to_owned(),
            "echo user_allow_other | sudo tee -a /etc/fuse.conf",
        )
    }
}

fn memlock() -> Health {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock).maximum;
    match limit {
        _ if rustix::process::geteuid().is_root() => Good("root has no limit".to_owned()),
        None => Good("no limit".to_owned()),
        Some(bytes) if bytes >= 1 << 20 => Good(format!("up to {} KiB", bytes >> 10)),
        Some(bytes) => Weak(
            format!("only {} KiB: values beyond may be swapped out", bytes >> 10),
            "raise memlock in /etc/security/limits.conf",
        ),
    }
}

fn swap() -> Health {
    let lines = fs::read_to_string("/proc/swaps").unwrap_or_default().lines().count();
    if lines < 2 {
        return Good("none".to_owned());
    }
    Good("on; values lie in locked memory and are not swapped out".to_owned())
}

fn runtime() -> Health {
    let directory = match crate::runtime::base() {
        Ok(directory) => directory,
        Err(failure) => return Bad(failure.to_string(), "export XDG_RUNTIME_DIR=/run/user/$(id -u)"),
    };
    let shown = directory.display();
    let Ok(facts) = rustix::fs::statfs(&directory) else {
        return Bad(format!("{shown} is missing"), "log in anew, or set XDG_RUNTIME_DIR");
    };
    if facts.f_type == 0x0102_1994 {
        return Good(format!("{shown}, on tmpfs"));
    }
    Weak(
        format!("{shown} is not on tmpfs"),
        "no value is ever written there, but a mount point outlives a crash; set XDG_RUNTIME_DIR",
    )
}

fn namespaces() -> Health {
    if rustix::process::geteuid().is_root() {
        return Good("not needed by root".to_owned());
    }
    let number = |path: &str| fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<i64>().ok());
    let closed = number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0)
        || number("/proc/sys/user/max_user_namespaces") == Some(0);
    if closed {
        return Weak(
            "closed to this user: no `cosec run`".to_owned(),
            "sudo sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000",
        );
    }
    Good("`cosec run` needs no root".to_owned())
}

fn git() -> Health {
    says("git", &["--version"]).map_or_else(
        || Bad("is missing: what git would commit cannot be refused".to_owned(), "sudo apt-get install git"),
        Good,
    )
}

fn docker() -> Health {
    docker_says(&["--version"]).map_or_else(
        || Bad("is missing: only `cosec run` works".to_owned(), "install Docker with its Compose plugin"),
        Good,
    )
}

fn compose() -> Health {
    match docker_says(&["compose", "version", "--short"]) {
        Some(text) if version(&text).is_some_and(|version| version >= (2, 24)) => Good(text),
        Some(text) => Bad(format!("{text} is too old"), "install Compose 2.24.4 or newer"),
        None => Bad("is missing: only `cosec run` works".to_owned(), "install Docker's Compose plugin"),
    }
}

fn engine() -> Health {
    let version = match Docker::unchecked().engine() {
        Ok(version) => version,
        Err(none) => return Bad(format!("{}: only `cosec run` works", none.what()), none.remedy()),
    };
    let context = docker_says(&["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]);
    let host = std::env::var("DOCKER_HOST").ok().or(context).unwrap_or_default();
    if !host.is_empty() && !host.starts_with("unix://") {
        return Bad(
            format!("{version} at {host} is another machine"),
            "its containers cannot see mounts of this one; run cosec there",
        );
    }
    let socket = host.trim_start_matches("unix://");
    if socket.contains("desktop") || Path::new("/.dockerenv").exists() {
        return Weak(
            format!("{version}, perhaps in a virtual machine or beside this container"),
            "its containers see only mounts of the machine that the engine runs on; run cosec there",
        );
    }
    Good(version)
}

fn remapping() -> Health {
    // Some versions of `docker info` succeed without an engine, and say nothing of it.
    let said = docker_says(&["info", "--format", "{{.ServerVersion}} {{.SecurityOptions}}"]);
    let said = said.unwrap_or_default();
    let Some((_, options)) = said.split_once(' ').filter(|(version, _)| !version.is_empty()) else {
        return Unknown("not known, as no engine answers");
    };
    if options.contains("rootless") {
        return Weak(
            "the engine is rootless".to_owned(),
            "run cosec as the user that the engine runs as; owners are as that user's namespace maps them",
        );
    }
    if options.contains("userns") {
        return Weak(
            "the engine maps users (userns-remap)".to_owned(),
            "give `uid:` and `gid:` as the host sees them",
        );
    }
    Good("as on the host".to_owned())
}
