//! `docker cosec …`: the program as a plugin of Docker's command line.

use std::ffi::OsString;
use std::process::ExitCode;

use anstream::println;

/// What Docker asks a plugin first.
pub(crate) fn metadata() -> ExitCode {
    let metadata = serde_json::json!({
        "SchemaVersion": "0.1.0",
        "Vendor": "cosec",
        "Version": env!("CARGO_PKG_VERSION"),
        "ShortDescription": "Secrets for Compose projects, served as files",
        "URL": env!("CARGO_PKG_REPOSITORY"),
    });
    println!("{metadata}");
    ExitCode::SUCCESS
}

/// Docker runs `docker-cosec [its own options] cosec ARGS…`: ours are what follows the first `cosec`. The others are given
/// back, too, to be handed on to Docker.
pub(crate) fn arguments(mut all: Vec<OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut docker_s = Vec::new();
    let name = all.first().and_then(|program| std::path::Path::new(program).file_name());
    let is_plugin = name.is_some_and(|name| name == "docker-cosec");
    // Compose runs it as a provider without the plugin's name: `docker-cosec compose …`.
    let is_provider = all.get(1).is_some_and(|word| word == "compose");
    if is_plugin
        && !is_provider
        && let Some(at) = all.iter().skip(1).position(|word| word == "cosec")
    {
        docker_s.extend(all.drain(1..at + 2));
        docker_s.pop();
    }
    (all, docker_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_s_own_options_are_not_ours() {
        let ours = |line: &str| {
            let (words, docker_s) = arguments(line.split(' ').map(OsString::from).collect());
            assert_eq!(docker_s, if line.contains("--context") { vec!["--context", "x"] } else { vec![] });
            words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ours("/p/docker-cosec --context x cosec up -d"), "/p/docker-cosec up -d");
        assert_eq!(
            ours("docker-cosec docker-cli-plugin-metadata"),
            "docker-cosec docker-cli-plugin-metadata"
        );
        assert_eq!(
            ours("/p/docker-cosec compose --project-name=p up cosec"),
            "/p/docker-cosec compose --project-name=p up cosec"
        );
        assert_eq!(ours("cosec run cosec"), "cosec run cosec");
    }
}
