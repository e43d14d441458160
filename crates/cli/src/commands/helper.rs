//! What a server's supervisor has done by others: asking Docker about a container, telling a service.

use std::process::ExitCode;

use cosec_fuse::{Changed, Container};
use serde_json::Value;

use crate::docker::Docker;
use crate::failure::Failure;

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

/// Does what a service wants done after a rotation.
pub(crate) fn changed(message: &str) -> Result<ExitCode, Failure> {
    let changed: Changed = serde_json::from_str(message)
        .map_err(|error| Failure::Cannot(format!("not what the supervisor says: {error}")))?;
    let docker = Docker::unchecked();
    let containers = docker.containers(&changed.project, &changed.service)?;
    let each = |words: &[&str]| -> Result<(), Failure> {
        containers.iter().try_for_each(|id| docker.succeed(&[words, &[id.as_str()]].concat()))
    };
    match &changed.hook {
        Value::String(hook) if hook == "restart" => each(&["restart"])?,
        hook => {
            if let Some(signal) = hook["signal"].as_str() {
                each(&["kill", "--signal", signal])?;
            } else if let Some(words) = hook["exec"].as_array() {
                let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
                for id in &containers {
                    docker.succeed(&[&["exec", id.as_str()], words.as_slice()].concat())?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
