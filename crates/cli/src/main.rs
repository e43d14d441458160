//! The `cosec` command.

mod args;
mod atomic;
mod choice;
mod commands;
mod config;
mod deliver;
mod disk;
mod docker;
mod env_files;
mod failure;
mod git;
mod mounts;
mod outdated;
mod overrides;
mod owners;
mod project;
mod runtime;
mod serving;
mod signals;
mod source_file;
mod undo;

use std::panic::PanicHookInfo;
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

#[global_allocator]
static ALLOCATOR: cosec_fuse::WipingAllocator = cosec_fuse::WipingAllocator;

/// Rust's own panic message may quote the text at hand, and the text may be a secret: only the place is said.
fn say_where_only(panic: &PanicHookInfo<'_>) {
    // `print!` panics where nobody reads any more, or a disk is full.
    let said = panic.payload().downcast_ref::<String>();
    if let Some(reason) = said.and_then(|text| text.strip_prefix("failed printing to stdout: ")) {
        if reason.contains("Broken pipe") {
            std::process::exit(0);
        }
        anstream::eprintln!("cosec: cannot write to standard output: {reason}");
        std::process::exit(2);
    }
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    anstream::eprintln!(
        "cosec: internal error at {place}; please report it, without the file it happened with"
    );
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(say_where_only));
    let (arguments, of_docker) = commands::plugin::arguments(std::env::args_os().collect());
    docker::pass_on(of_docker);
    let cli = Cli::parse_from(arguments);
    let result = match &cli.command {
        Command::Lint(args) => commands::lint::run(&cli.project, args),
        Command::Fix(args) => commands::fix::run(&cli.project, args),
        Command::Config(args) => commands::config::run(&cli.project, args),
        Command::Plan(args) => commands::plan::run(&cli, args),
        Command::Explain(args) => commands::explain::run(args),
        Command::Web(args) => commands::web::run(args),
        Command::Lsp => commands::lsp::run(),
        Command::Up(args) => commands::up::run(&cli, args),
        Command::Down(args) => commands::down::run(&cli, args),
        Command::Run(args) => commands::run::run(&cli, args),
        Command::Audit(args) => commands::audit::run(&cli.project, args),
        Command::Compose(args) => commands::compose::run(&cli, args),
        Command::Status(args) => commands::status::run(&cli.project, args),
        Command::Rotate(args) => commands::rotate::run(&cli.project, args),
        Command::Versions(args) => commands::versions::run(&cli.project, args),
        Command::Rollback(args) => commands::versions::rollback(&cli.project, args),
        Command::Repair(args) => commands::repair::run(&cli, args),
        Command::Mount(args) => commands::mount::run(&cli, args),
        Command::Umount(args) => commands::umount::run(&cli, args),
        Command::Env => commands::env::run(&cli.project),
        Command::Doctor => return commands::doctor::run(),
        Command::PluginMetadata => return commands::plugin::metadata(),
        Command::Heal { message } => commands::repair::heal(message),
        Command::Supervisor => return cosec_fuse::supervisor_main(),
        Command::Worker => return cosec_fuse::worker_main(env_files::find),
        Command::HelpContainer { id } => commands::helper::container(id),
        Command::HelpChanged { message } => commands::helper::changed(message),
        Command::HelpLeft { directory } => commands::helper::left(&cli, directory),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}
