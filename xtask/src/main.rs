//! `cargo xtask …`: what people do by hand in this repository. One file per subcommand.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a person")]

mod bench;
mod conformance;
mod demo;
mod fuzz;
mod held;
mod setup;
mod shell;
mod test;

use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo    shows the main job on a WordPress + MySQL project
  test    sets up and runs all checks and tests
  bench   an audited open beside plain files and the smallest FUSE file system
  chaos   ten minutes of readers while all of a server is killed and the secret rotated
  setup   installs what the tests need
  web     builds the browser page into web/dist and the npm package into web/package
  docs    writes docs/rules and docs/cosec.schema.json
  fuzz    [loader] [MINUTES [DIRECTORY…]] mutates files and lints them, or loads them
          guided lint|loader [MINUTES [DIRECTORY…]] the same, guided by coverage
  held    how many bytes loading holds for each byte of a file
  conformance PATH… [--no-interpolate] [--yaml] [--stack]
          compares cosec's reading of real files with docker's";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["demo"] => demo::run(),
        ["test"] => test::run(),
        ["bench"] => bench::run(),
        ["__measure", path] => bench::measure_here(path),
        ["chaos"] => chaos(),
        ["setup"] => setup::run(),
        ["web"] => test::web(),
        ["docs"] => docs(),
        ["held"] => {
            held::run();
            Ok(())
        }
        ["conformance", rest @ ..] => conformance::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The test that CI runs for a short time, for long.
fn chaos() -> Result<()> {
    let words = ["test", "--package", "cosec", "--test", "docker", "--", "killed_and_rotated"];
    shell::run(shell::cargo(&words).env("COSEC_CHAOS_SECONDS", "600"))
}

/// The same test that finds stale pages writes them.
fn docs() -> Result<()> {
    let mut command =
        shell::cargo(&["test", "--quiet", "--package", "cosec-core", "--lib", "in_the_documentation"]);
    shell::run(command.env("COSEC_WRITE_DOCS", "1"))
}
