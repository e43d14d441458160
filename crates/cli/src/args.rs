//! The command line. Project options stand before the subcommand, as in `docker compose`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The hidden subcommand of a mount's supervisor.
pub(crate) const SUPERVISOR: &str = "__supervisor";
/// The hidden subcommand of a mount's worker.
pub(crate) const WORKER: &str = "__worker";
/// The hidden subcommand that asks Docker about a container.
pub(crate) const HELP_CONTAINER: &str = "__container";
/// The hidden subcommand that mends a container's mounts from inside its mount namespace.
pub(crate) const HEAL: &str = "__heal";
/// The hidden subcommand that tells a service of a rotation.
pub(crate) const HELP_CHANGED: &str = "__changed";
/// The hidden subcommand that ends a server whose command was killed, or tells it to go on.
pub(crate) const HELP_LEFT: &str = "__left";

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
#[derive(Args, Clone, Default)]
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

    /// More of Compose's own options, which mean nothing to cosec.
    #[arg(skip)]
    pub(crate) passed_on: Vec<OsString>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check Compose files for secrets that leak
    Lint(LintArgs),
    /// Mend what lint finds: move passwords into secrets, keep files from git. Shows a diff; --write does it
    Fix(FixArgs),
    /// Show the project as Compose resolves it, values of variables included
    Config(ConfigArgs),
    /// Show who gets which secret, where and as whom
    Plan(PlanArgs),
    /// Show a rule's page
    Explain(ExplainArgs),
    /// Open the linter's page to browsers on this machine
    Web(WebArgs),
    /// Language server for editors, on standard input and output
    Lsp,
    /// `docker compose up`, with secrets served as files that only their service can read
    Up(UpArgs),
    /// `docker compose down`, then take the secrets away
    Down(PassedArgs),
    /// Run a local command with a service's secrets in /run/secrets, without Docker
    Run(RunArgs),
    /// Any other verb of `docker compose`, with the secrets in place
    Compose(PassedArgs),
    /// For plain `docker compose up`: serve in place of the files that the project's secrets come from
    Mount(DeliverArgs),
    /// End what `cosec mount` serves; the files are as they were
    Umount(UmountArgs),
    /// Show what is served: mount, versions, last reads, health
    Status(StatusArgs),
    /// Give a secret a new value, from standard input or made up
    Rotate(RotateArgs),
    /// Show which versions of a secret can be brought back. Never shows a value
    Versions(NameArgs),
    /// Give a secret an earlier value again
    Rollback(RollbackArgs),
    /// Show who opened which secret
    Audit(AuditArgs),
    /// Serve again after the loss of all of a server's processes, and mend running containers
    Repair(RepairArgs),
    /// Print what makes plain `docker compose` in this shell use the served secrets: eval "$(cosec env)"
    Env,
    /// Check what cosec needs of this machine, with the remedy for what is missing
    Doctor,
    #[command(name = "docker-cli-plugin-metadata", hide = true)]
    PluginMetadata,
    #[command(name = HEAL, hide = true)]
    Heal {
        /// What to mend, as JSON
        message: String,
    },
    #[command(name = SUPERVISOR, hide = true)]
    Supervisor,
    #[command(name = WORKER, hide = true)]
    Worker,
    #[command(name = HELP_CONTAINER, hide = true)]
    HelpContainer {
        /// The container's id
        id: String,
    },
    #[command(name = HELP_CHANGED, hide = true)]
    HelpChanged {
        /// What has changed, as JSON
        message: String,
    },
    #[command(name = HELP_LEFT, hide = true)]
    HelpLeft {
        /// The server's runtime directory
        directory: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct LintArgs {
    /// Files, or directories to search for Compose files; `-` is standard input [default: .]
    #[arg(value_name = "PATH")]
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

impl LintFormat {
    /// Whether findings are told from each other by fingerprints in it.
    pub(crate) fn tells_fingerprints(self) -> bool {
        matches!(self, LintFormat::Json | LintFormat::Sarif | LintFormat::Gitlab)
    }
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
pub(crate) struct FixArgs {
    /// Compose files, or directories that have one; this one, or what COMPOSE_FILE names, if none is given
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Do it: all of it or nothing
    #[arg(short, long)]
    pub(crate) write: bool,

    /// Fixes that change how the stack runs, too: they move values out of the environment
    #[arg(long)]
    pub(crate) r#unsafe: bool,

    /// Ask about each fix at the terminal, unsafe ones included, and then whether to write
    #[arg(short, long)]
    pub(crate) interactive: bool,

    /// Only findings of this rule
    #[arg(long, value_name = "RULE")]
    pub(crate) rule: Vec<String>,

    /// Only findings in this service
    #[arg(long, value_name = "SERVICE")]
    pub(crate) only_service: Vec<String>,

    /// Take the last --write back
    #[arg(long, conflicts_with_all = ["write", "interactive", "unsafe", "rule", "only_service"])]
    pub(crate) undo: bool,
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

#[derive(Args, Default)]
pub(crate) struct CompatArgs {
    /// Defaults for owner and mode: the service's user and 0400, or Swarm's 0:0 and 0444
    #[arg(long, value_enum, default_value_t)]
    pub(crate) compat: Compat,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compat {
    #[default]
    Cosec,
    Swarm,
}

#[derive(Args)]
pub(crate) struct WebArgs {
    /// The port; 0 is a free one [default: 26732, or a free one where that is taken]
    #[arg(long)]
    pub(crate) port: Option<u16>,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// The rule's id
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,
}

/// How secrets are served to containers.
#[derive(Args, Default)]
pub(crate) struct DeliverArgs {
    /// Serve a secret's file even if git would commit it
    #[arg(long)]
    pub(crate) allow_unignored: bool,

    #[command(flatten)]
    pub(crate) compat: CompatArgs,
}

/// How a mount of cosec's own serves them.
#[derive(Args, Default)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) deliver: DeliverArgs,

    /// Let processes outside the project's containers read too, as far as owner and mode let them
    #[arg(long)]
    pub(crate) allow_host: bool,
}

impl ServeArgs {
    /// What is switched on here or there.
    pub(crate) fn or(&self, other: ServeArgs) -> ServeArgs {
        let compat = self.deliver.compat.compat;
        ServeArgs {
            deliver: DeliverArgs {
                allow_unignored: self.deliver.allow_unignored || other.deliver.allow_unignored,
                compat: if compat == Compat::default() {
                    other.deliver.compat
                } else {
                    CompatArgs { compat }
                },
            },
            allow_host: self.allow_host || other.allow_host,
        }
    }
}

#[derive(Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,

    /// Passed on to `docker compose up`
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
}

impl UpArgs {
    /// The same with cosec's own options taken out from among Compose's, which have none of these names.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(crate) fn sorted(&self) -> Result<UpArgs, String> {
        let mut serve = self.serve.or(ServeArgs::default());
        let (mut passed_on, mut words) = (Vec::new(), self.args.iter().cloned());
        while let Some(word) = words.next() {
            let (name, value) =
                word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            match (name, value) {
                ("--allow-host", None) => serve.allow_host = true,
                ("--allow-unignored", None) => serve.deliver.allow_unignored = true,
                ("--compat", _) => {
                    let value = value.map(str::to_owned).or_else(|| words.next());
                    let value = value.ok_or("--compat wants a value: cosec or swarm")?;
                    serve.deliver.compat.compat = Compat::from_str(&value, false)
                        .map_err(|_| format!("--compat is cosec or swarm, not `{value}`"))?;
                }
                ("--", None) => {
                    passed_on.push(word);
                    passed_on.extend(words.by_ref());
                }
                _ => passed_on.push(word),
            }
        }
        Ok(UpArgs { serve, args: passed_on })
    }
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

    /// Go on with what is written from now on
    #[arg(long)]
    pub(crate) follow: bool,

    /// Only this service's secrets
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Option<String>,

    /// Only opens that were denied
    #[arg(long)]
    pub(crate) denied: bool,
}

#[derive(Args)]
pub(crate) struct UmountArgs {
    /// Only these directories [default: all of the project]
    #[arg(value_name = "DIR")]
    pub(crate) directories: Vec<PathBuf>,

    /// Even if containers or programs still use it
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct NameArgs {
    /// The secret's name in the project
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// It is a config, not a secret
    #[arg(long)]
    pub(crate) config: bool,
}

#[derive(Args)]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    pub(crate) name: NameArgs,

    /// Make up a value of this many letters and digits instead of reading standard input
    #[arg(long, value_name = "LENGTH", num_args = 0..=1, default_missing_value = "32", require_equals = true)]
    pub(crate) generate: Option<u16>,
}

#[derive(Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) name: NameArgs,

    /// Which version [default: the one before]
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<u64>,
}

#[derive(Args)]
pub(crate) struct RepairArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,

    /// Restart the services that cannot be mended while they run
    #[arg(long)]
    pub(crate) restart: bool,
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
