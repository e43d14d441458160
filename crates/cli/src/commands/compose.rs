//! `cosec compose [OPTIONS] VERB …`: Compose with the same override, whatever the verb. With a project's name in one word at
//! the beginning it is Compose that asks its provider.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use super::up::{self, wait};
use super::{down, provider};
use crate::args::{Cli, Command, PassedArgs, ProjectArgs, ServeArgs, UpArgs};
use crate::docker::Docker;
use crate::failure::Failure;
use crate::owners::Renewed;
use crate::project;
use crate::runtime::Runtime;
use crate::{overrides, serving, signals};

/// Verbs that make or start containers, which need the files to be there.
const STARTING: [&str; 6] = ["create", "restart", "run", "scale", "start", "watch"];

/// Compose's own options, which stand before its verb, and the rest.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
struct Words {
    #[arg(short, long)]
    file: Vec<PathBuf>,
    #[arg(short, long)]
    project_name: Option<String>,
    #[arg(long)]
    project_directory: Option<PathBuf>,
    #[arg(long)]
    env_file: Vec<PathBuf>,
    #[arg(long)]
    profile: Vec<String>,
    #[arg(long)]
    ansi: Option<String>,
    #[arg(long)]
    progress: Option<String>,
    #[arg(long)]
    parallel: Option<String>,
    #[arg(long)]
    compatibility: bool,
    #[arg(long)]
    all_resources: bool,
    #[arg(long)]
    dry_run: bool,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

impl Words {
    /// As if they stood before `compose`.
    fn project(self, before: &ProjectArgs) -> (ProjectArgs, Vec<String>) {
        let or =
            |here: Vec<PathBuf>, before: &Vec<PathBuf>| if here.is_empty() { before.clone() } else { here };
        let mut passed_on: Vec<OsString> = Vec::new();
        for (name, value) in [("ansi", self.ansi), ("progress", self.progress), ("parallel", self.parallel)] {
            passed_on.extend(value.map(|value| format!("--{name}={value}").into()));
        }
        for (name, is_on) in
            [("--compatibility", self.compatibility), ("--all-resources", self.all_resources)]
        {
            passed_on.extend(is_on.then(|| name.into()));
        }
        let mut rest = self.rest;
        if self.dry_run {
            // It is each verb's own option, too, and what `up` and `down` look for.
            rest.insert(rest.len().min(1), "--dry-run".to_owned());
        }
        let project = ProjectArgs {
            file: or(self.file, &before.file),
            project_name: self.project_name.or_else(|| before.project_name.clone()),
            project_directory: self.project_directory.or_else(|| before.project_directory.clone()),
            env_file: or(self.env_file, &before.env_file),
            profile: if self.profile.is_empty() { before.profile.clone() } else { self.profile },
            passed_on,
        };
        (project, rest)
    }
}

pub(crate) fn run(cli: &Cli, args: &PassedArgs) -> Result<ExitCode, Failure> {
    if provider::is_asked(&args.args) {
        return Ok(provider::run(cli, &args.args));
    }
    let words = Words::try_parse_from(&args.args).map_err(|error| Failure::Cannot(error.to_string()))?;
    let (project, args) = words.project(&cli.project);
    let cli = &Cli { project, verbose: cli.verbose, command: Command::Env };
    let Some((verb, rest)) = args.split_first() else {
        return Err(Failure::Cannot(
            "name a verb of `docker compose`, such as `cosec compose ps`".to_owned(),
        ));
    };
    match verb.as_str() {
        "--help" | "-h" | "--version" | "-v" => {
            return wait(cli, Docker::unchecked().compose(&[]).arg(verb));
        }
        option if option.starts_with('-') => {
            return Err(Failure::Cannot(format!(
                "`{option}` is no option of `docker compose` that cosec knows; its verb comes first: `cosec compose ps {option}`"
            )));
        }
        "up" => return up::run(cli, &UpArgs { serve: ServeArgs::default(), args: rest.to_vec() }),
        "down" => return down::run(cli, &PassedArgs { args: rest.to_vec() }),
        _ => {}
    }
    cosec_fuse::keep_others_out();
    let loaded = project::load(&cli.project, rest, project::Purpose::Run)?;
    let docker = Docker::find()?;
    let runtime = Runtime::of(&loaded.project.name, false)?;
    let serve = overrides::served_with(&runtime);
    let mut mount = None;
    let plan = if STARTING.contains(&verb.as_str()) {
        let plan = serving::planned(&loaded, &serve.deliver)?;
        if !plan.deliveries.is_empty() {
            serving::say_who_is_left(&docker, &loaded, &runtime);
            // A server that runs gets what has changed in the files since.
            let served = serving::specification(cli, &docker, &loaded, &plan, &serve, Renewed::default())?;
            signals::catch()?;
            let started = mount.insert(serving::start(cli, &runtime, served, true, None)?);
            overrides::write(&runtime, &plan, &started.id, &serve)?;
        }
        Some(plan)
    } else {
        // What cannot be served may still be listed and stopped.
        serving::plan_of(&loaded, &serve.deliver).ok()
    };
    let over = overrides::for_command(&runtime, plan.as_ref())?;
    let file = over.as_ref().map(|over| over.path.as_path());
    let mut command = docker.compose(&loaded.compose_options(&cli.project, file));
    command.args(&args);
    let result = wait(cli, &mut command);
    if let (Err(_), Some(mount)) = (&result, mount) {
        serving::leave(cli, &docker, &runtime, mount)?;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_before_the_verb_count_and_those_behind_it_are_its_own() {
        let words = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let before = ProjectArgs { project_name: Some("before".to_owned()), ..ProjectArgs::default() };
            Words::try_parse_from(words).unwrap().project(&before)
        };
        let (project, rest) = words("--profile dbg -f a.yaml --ansi never --dry-run up -d --profile x");
        assert_eq!(project.profile, ["dbg"]);
        assert_eq!(project.file, [PathBuf::from("a.yaml")]);
        assert_eq!(project.project_name.as_deref(), Some("before"));
        assert_eq!(project.passed_on, ["--ansi=never"]);
        assert_eq!(rest, ["up", "--dry-run", "-d", "--profile", "x"]);
        let (project, rest) = words("-p mine exec db sh -c 'x'");
        assert_eq!(project.project_name.as_deref(), Some("mine"));
        assert_eq!(rest, ["exec", "db", "sh", "-c", "'x'"]);
        assert_eq!(words("--unknown ps").1, ["--unknown", "ps"]);
    }
}
