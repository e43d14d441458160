//! `provider: {type: cosec}` on a service: Compose itself starts and ends the mounts, as `cosec mount` and `cosec
//! umount` do. Compose runs `cosec compose --project-name=P up|down [--OPTION=VALUE…] SERVICE` and reads JSON lines
//! from standard output (github.com/docker/compose, docs/extension.md).

use std::path::PathBuf;
use std::process::ExitCode;

use anstream::println;
use clap::Parser;
use serde_json::json;

use super::{mount, umount};
use crate::args::{Cli, Command, DeliverArgs, ProjectArgs};
use crate::docker::Docker;
use crate::failure::Failure;
use crate::project::{self, Purpose};
use crate::runtime::Runtime;
use crate::serving;

/// What Compose says to a provider.
#[derive(Parser)]
struct Asked {
    #[arg(long)]
    project_name: String,

    verb: String,

    /// The service that has the provider.
    service: String,

    #[arg(long)]
    file: Vec<PathBuf>,

    #[arg(long)]
    project_directory: Option<PathBuf>,

    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value_t)]
    allow_unignored: bool,
}

/// Whether these are Compose's words to a provider, and not a verb for Compose: it writes the project's name in one word.
pub(crate) fn is_asked(words: &[String]) -> bool {
    words.first().is_some_and(|word| word == "metadata" || word.starts_with("--project-name="))
}

pub(crate) fn run(cli: &Cli, words: &[String]) -> ExitCode {
    if words.first().is_some_and(|word| word == "metadata") {
        println!("{}", metadata());
        return ExitCode::SUCCESS;
    }
    let done = Asked::try_parse_from(std::iter::once("cosec").chain(words.iter().map(String::as_str)))
        .map_err(|error| Failure::Cannot(error.to_string()))
        .and_then(|asked| match asked.verb.as_str() {
            "up" => up(cli, asked),
            "down" => down(cli, &asked),
            verb => Err(Failure::Cannot(format!("a provider knows up and down, not `{verb}`"))),
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Compose shows it as the service's own failure.
        Err(failure) => {
            say("error", &failure.to_string());
            failure.exit_code()
        }
    }
}

fn say(kind: &str, message: &str) {
    println!("{}", json!({"type": kind, "message": message}));
}

/// Which options Compose is to pass on. Others of the file are left out.
fn metadata() -> serde_json::Value {
    let option = |name: &str, description: &str, kind: &str| json!({"name": name, "description": description, "required": false, "type": kind});
    json!({
        "description": "Serves the project's secrets in place of their files",
        "up": {"parameters": [
            option("file", "The Compose files, where they are not the ones that Compose finds by itself", "string"),
            option("project-directory", "The project's directory, where it is not the first file's", "string"),
            option("allow-unignored", "Serve a secret's file even if git would commit it", "boolean"),
        ]},
        "down": {"parameters": []},
    })
}

fn up(cli: &Cli, asked: Asked) -> Result<(), Failure> {
    cosec_fuse::keep_others_out();
    let project = ProjectArgs {
        file: asked.file,
        project_name: Some(asked.project_name),
        project_directory: asked.project_directory,
        env_file: Vec::new(),
        profile: vec!["*".to_owned()],
        passed_on: Vec::new(),
    };
    let loaded = project::load(&project, &[], Purpose::Run)?;
    if !loaded.project.services.iter().any(|service| *service.name == *asked.service) {
        return Err(Failure::Cannot(format!(
            "{} has no service `{}`: Compose does not tell its provider which file it reads; name it in the service's `provider.options.file`",
            loaded.files[0].display(),
            asked.service
        )));
    }
    let arguments = DeliverArgs { allow_unignored: asked.allow_unignored, ..DeliverArgs::default() };
    let docker = Docker::find()?;
    let plan = serving::planned(&loaded, &arguments)?;
    let cli = Cli { project, verbose: cli.verbose, command: Command::Env };
    mount::mount_and_tell(&cli, &docker, &loaded, &plan)?.iter().for_each(|said| say("info", said));
    Ok(())
}

fn down(cli: &Cli, asked: &Asked) -> Result<(), Failure> {
    for runtime in Runtime::mounts(&asked.project_name)? {
        // Compose says `down` under `--dry-run` and for one service, too.
        match umount::refuse_if_used(&runtime).and_then(|()| serving::stop_idle(cli, &runtime)) {
            Ok(()) => say("info", &format!("{} is as it was", runtime.mount_point().display())),
            Err(reason) => say("info", &format!("left as it is: {reason}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compose_s_words_to_a_provider_are_told_from_a_verb_for_compose() {
        let asked = |line: &str| is_asked(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(asked("metadata") && asked("--project-name=p up s"));
        assert!(
            !asked("--project-name p up -d")
                && !asked("up -d")
                && !asked("ps --format json")
                && !asked("logs --project-name")
        );
        let words = ["cosec", "--project-name=p", "up", "--file=a.yaml", "--file=b.yaml", "s"];
        let asked = Asked::try_parse_from(words).unwrap();
        assert_eq!((asked.project_name.as_str(), asked.service.as_str(), asked.file.len()), ("p", "s", 2));
    }
}
