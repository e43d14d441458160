//! `cargo xtask test`: every check, the runners' own summaries, and their sum as the last line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::shell::{cargo, output, program, run as run_command, shown};

/// What the runners have counted.
#[derive(Default)]
struct Count {
    passed: u64,
    failed: u64,
}

pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    step("setup", setup::run)?;
    step("formatting", || run_command(&mut cargo(&["fmt", "--all", "--check"])))?;
    step("clippy", || {
        run_command(&mut cargo(&[
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    step("the fuzzers, without libFuzzer", || {
        run_command(&mut cargo(&[
            "clippy",
            "--quiet",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--locked",
            "--no-default-features",
            "--target-dir",
            "target",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    step("licences, bans, sources, advisories", deny)?;
    step("core for wasm32", || {
        run_command(&mut cargo(&[
            "build",
            "--quiet",
            "--target",
            "wasm32-unknown-unknown",
            "--package",
            "cosec-core",
        ]))
    })?;
    let mut count = Count::default();
    // All suites run, whatever fails: one run shows all that is broken.
    let rust =
        step("tests in Rust", || counted(&mut cargo(&["test", "--workspace", "--no-fail-fast"]), &mut count));
    let page = step("the browser page", web).and_then(|()| {
        step("its TypeScript", || run_command(&mut npm("web", &["run", "--silent", "check"])))
    });
    let browser = page.and_then(|()| {
        step("tests in the browser", || {
            run_command(&mut npm("tests/browser", &["ci", "--silent"]))?;
            // The page is part of this one; elsewhere cosec builds without Node.
            run_command(&mut cargo(&["build", "--quiet", "--package", "cosec", "--features", "web"]))?;
            counted(&mut npm("tests/browser", &["test", "--silent"]), &mut count)
        })
    });
    println!("\nin {} s", start.elapsed().as_secs());
    if (rust.is_err() || browser.is_err()) && count.failed == 0 {
        count.failed = 1;
    }
    println!("{} passed, {} failed", count.passed, count.failed);
    rust.and(browser)
}

/// Builds the page from nothing: packages, wasm, Vite.
pub(crate) fn web() -> Result<()> {
    run_command(&mut npm("web", &["ci", "--silent"]))?;
    run_command(&mut npm("web", &["run", "--silent", "build"]))
}

fn npm(directory: &str, arguments: &[&str]) -> Command {
    let mut command = program("npm", arguments);
    command.current_dir(crate::shell::root().join(directory));
    command
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n── {name}");
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f32();
    match &result {
        Ok(()) => println!("── {name}: done in {seconds:.1} s"),
        Err(error) => println!("── {name}: FAILED after {seconds:.1} s: {error:#}"),
    }
    result
}

/// The advisory database is a download of its own. Where it cannot be had, that is said, and the rest counts.
fn deny() -> Result<()> {
    run_command(&mut cargo(&["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]))?;
    let fetched = output(&mut cargo(&["deny", "--log-level", "off", "fetch", "db"])).is_some();
    if !fetched {
        println!("advisories: not checked, the advisory database cannot be reached from here");
        return Ok(());
    }
    run_command(&mut cargo(&["deny", "--log-level", "error", "check", "advisories"]))
}

/// Runs a test runner, shows all it prints, and adds up what it counts.
fn counted(command: &mut Command, count: &mut Count) -> Result<()> {
    let shown = shown(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {shown}"))?;
    let stdout = child.stdout.take().context("no output to read")?;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        println!("{line}");
        std::io::stdout().flush()?;
        // `test result: ok. 9 passed; 0 failed; …` of cargo, `ℹ pass 9` of node.
        let words: Vec<&str> = line.trim_start_matches(['ℹ', '#', ' ']).split_whitespace().collect();
        let number = |word: Option<&&str>| word.and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
        match words.as_slice() {
            ["test", "result:", _, passed, "passed;", failed, ..] => {
                count.passed += number(Some(passed));
                count.failed += number(Some(failed));
            }
            ["pass", passed] => count.passed += number(Some(passed)),
            ["fail", failed] => count.failed += number(Some(failed)),
            _ => {}
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{shown} failed");
    }
    Ok(())
}
