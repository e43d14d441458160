//! What a server's supervisor has done by others: asking Docker about a container, telling a service, finding out whether
//! the server is needed.

use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use cosec_fuse::{Changed, Container};
use serde_json::Value;

use crate::args::Cli;
use crate::docker::Docker;
use crate::failure::Failure;
use crate::runtime::Runtime;
use crate::serving;

/// Prints a container's project and service and where it is, or `null`: nobody is in one that does not run.
pub(crate) fn container(id: &str) -> Result<ExitCode, Failure> {
    let container = Docker::unchecked().container(id)?.and_then(|container| {
        let label = |key: &str| container.labels[key].as_str().unwrap_or_default().to_owned();
        let cgroups = std::fs::read_to_string(format!("/proc/{}/cgroup", container.pid)).ok()?;
        Some(Container {
            project: label("com.docker.compose.project"),
            service: label("com.docker.compose.service"),
            name: container.name,
            cgroups: cosec_fuse::places(id, &cgroups),
        })
    });
    let text = serde_json::to_string(&container)
        .map_err(|error| Failure::Cannot(format!("cannot write the answer: {error}")))?;
    anstream::println!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// Whoever started a server was killed: ends it if nobody uses it.
pub(crate) fn left(cli: &Cli, directory: &Path) -> Result<ExitCode, Failure> {
    serving::end_if_unused(cli, &Docker::unchecked(), &Runtime::at(directory))?;
    Ok(ExitCode::SUCCESS)
}

/// Does what a service wants done after a rotation, in each of its containers: one that cannot be told keeps no other
/// from hearing.
pub(crate) fn changed(message: &str) -> Result<ExitCode, Failure> {
    let changed: Changed = serde_json::from_str(message)
        .map_err(|error| Failure::Cannot(format!("not what the supervisor says: {error}")))?;
    let before: Vec<&str> = match &changed.hook {
        Value::String(hook) if hook == "restart" => vec!["restart"],
        hook => match (hook["signal"].as_str(), hook["exec"].as_array()) {
            (Some(signal), _) => vec!["kill", "--signal", signal],
            (None, Some(_)) => vec!["exec"],
            (None, None) => return Ok(ExitCode::SUCCESS),
        },
    };
    let after: Vec<&str> =
        changed.hook["exec"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let docker = Docker::unchecked();
    let containers = docker.containers(&changed.project, &changed.service)?;
    let tell = |id: &String| docker.succeed(&[before.as_slice(), &[id], &after].concat()).err();
    let failures: Vec<String> = containers.iter().filter_map(tell).map(|error| error.to_string()).collect();
    if failures.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    // Standard error is the server's log, of which each line has its time.
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    anstream::eprintln!("{time} service `{}`: {}", changed.service, failures.join("; "));
    Ok(ExitCode::from(2))
}
