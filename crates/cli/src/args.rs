//! The command line. Project options stand before the subcommand, as in `docker compose`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The hidden subcommand of a mount's supervisor.
pub(crate) const SUPERVISOR: &str = "__supervisor";
/// The hidden subcommand of a mount's worker.
pub(crate) const WORKER: &str = "__worker";

/// Secrets for Docker Compose projects: kept out of the YAML, the environment, git and the disk.
#[derive(Parser)]
#[command(name = "cosec", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    /// Say what is done; twice says more. Never says a value
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which project, in Compose's own words.
#[derive(Args)]
pub(crate) struct ProjectArgs {
    /// Compose configuration files
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,

    /// Project name
    #[arg(short, long, value_name = "NAME", env = "COMPOSE_PROJECT_NAME", hide_env_values = true)]
    pub(crate) project_name: Option<String>,

    /// Directory that relative paths start from [default: that of the first file]
    #[arg(long, value_name = "DIR")]
    pub(crate) project_directory: Option<PathBuf>,

    /// Env files to use in place of .env
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,

    /// Profiles to enable
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check Compose files for secrets that leak
    Lint(LintArgs),
    /// Show the project as Compose resolves it, values of variables included
    Config(ConfigArgs),
    /// Show who gets which secret, where and as whom
    Plan(PlanArgs),
    /// Show a rule's page
    Explain(ExplainArgs),
    /// `docker compose up`, with secrets served as files that only their service can read
    Up(UpArgs),
    /// `docker compose down`, then take the secrets away
    Down(PassedArgs),
    /// Run a local command with a service's secrets in /run/secrets, without Docker
    Run(RunArgs),
    /// Show who opened which secret
    Audit(AuditArgs),
    #[command(name = SUPERVISOR, hide = true)]
    Supervisor,
    #[command(name = WORKER, hide = true)]
    Worker,
}

#[derive(Args)]
pub(crate) struct LintArgs {
    /// Files, or directories to search for Compose files; `-` is standard input
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,

    /// How to report
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: LintFormat,

    /// Which rules: everybody's, stricter ones too, or all [default: regular]
    #[arg(long, value_enum)]
    pub(crate) persona: Option<Persona>,

    /// The least severity that makes the exit code 1 [default: warning]
    #[arg(long, value_enum)]
    pub(crate) fail_on: Option<FailOn>,

    /// What the project is meant for: Swarm has limits of its own [default: compose]
    #[arg(long, value_enum)]
    pub(crate) target: Option<TargetName>,

    /// Findings that are known and not to be reported again
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Write all findings into the baseline [default: .cosec-baseline.json], and report none
    #[arg(long)]
    pub(crate) write_baseline: bool,

    /// Settings [default: cosec.toml in the linted directory or one above it, up to the repository's root]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LintFormat {
    /// For people, with masked excerpts
    #[default]
    Text,
    /// For programs, version 1
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// GitHub workflow annotations
    Github,
    /// GitLab code quality
    Gitlab,
    /// JUnit
    Junit,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Persona {
    Regular,
    Pedantic,
    Auditor,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum FailOn {
    Error,
    Warning,
    Info,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetName {
    Compose,
    Swarm,
}

#[derive(Args)]
pub(crate) struct ConfigArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ConfigFormat,

    /// Leave variables as they are written
    #[arg(long)]
    pub(crate) no_interpolate: bool,

    /// Check only, print nothing
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Whose reading: Compose's, or Swarm's, which is refused what `docker stack` refuses and reads no .env
    #[arg(long, value_enum, conflicts_with_all = ["what", "services_named"])]
    pub(crate) target: Option<TargetName>,

    /// Print the names of the services
    #[arg(long, group = "what")]
    pub(crate) services: bool,

    /// Print the images
    #[arg(long, group = "what")]
    pub(crate) images: bool,

    /// Print the names of the networks
    #[arg(long, group = "what")]
    pub(crate) networks: bool,

    /// Print the profiles
    #[arg(long, group = "what")]
    pub(crate) profiles: bool,

    /// Print the names of the volumes
    #[arg(long, group = "what")]
    pub(crate) volumes: bool,

    /// Print the variables that the project asks for, with their defaults
    #[arg(long, group = "what")]
    pub(crate) variables: bool,

    /// Print the variables that the project sees, with their values
    #[arg(long, group = "what")]
    pub(crate) environment: bool,

    /// Only these services and what they depend on
    #[arg(value_name = "SERVICE")]
    pub(crate) services_named: Vec<String>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum ConfigFormat {
    #[default]
    Yaml,
    Json,
}

#[derive(Args)]
pub(crate) struct PlanArgs {
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: PlanFormat,

    /// What the project is meant for: for Swarm, what `docker stack` refuses is refused, and owner and mode are its
    /// 0:0 and 0444
    #[arg(long, value_enum)]
    pub(crate) target: Option<TargetName>,

    #[command(flatten)]
    pub(crate) compat: CompatArgs,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum PlanFormat {
    #[default]
    Text,
    Json,
}

#[derive(Args)]
pub(crate) struct CompatArgs {
    /// Defaults for owner and mode: the service's user and 0400, or Swarm's 0:0 and 0444
    #[arg(long, value_enum, default_value_t)]
    pub(crate) compat: Compat,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum Compat {
    #[default]
    Cosec,
    Swarm,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// The rule's id
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,
}

#[derive(Args)]
pub(crate) struct UpArgs {
    /// Serve a secret's file even if git would commit it
    #[arg(long)]
    pub(crate) allow_unignored: bool,

    #[command(flatten)]
    pub(crate) compat: CompatArgs,

    /// Passed on to `docker compose up`
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Args)]
pub(crate) struct PassedArgs {
    /// Passed on to `docker compose`
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The service whose secrets the command gets [default: the only one that has any]
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Option<String>,

    /// Serve a secret's file even if git would commit it
    #[arg(long)]
    pub(crate) allow_unignored: bool,

    /// The command
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<std::ffi::OsString>,
}

#[derive(Args)]
pub(crate) struct AuditArgs {
    /// Print the lines as they are stored
    #[arg(long)]
    pub(crate) json: bool,
}

impl From<Persona> for cosec_core::rules::Persona {
    fn from(persona: Persona) -> Self {
        match persona {
            Persona::Regular => Self::Regular,
            Persona::Pedantic => Self::Pedantic,
            Persona::Auditor => Self::Auditor,
        }
    }
}

impl From<FailOn> for cosec_core::rules::Severity {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Error => Self::Error,
            FailOn::Warning => Self::Warning,
            FailOn::Info => Self::Info,
        }
    }
}

impl From<TargetName> for cosec_core::lint::Target {
    fn from(target: TargetName) -> Self {
        match target {
            TargetName::Compose => Self::Compose,
            TargetName::Swarm => Self::Swarm,
        }
    }
}

impl From<Compat> for cosec_core::plan::Compat {
    fn from(compat: Compat) -> Self {
        match compat {
            Compat::Cosec => Self::Cosec,
            Compat::Swarm => Self::Swarm,
        }
    }
}
