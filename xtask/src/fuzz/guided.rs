//! `cargo xtask fuzz guided loader|lint [MINUTES [DIRECTORY…]]`: the crate in `fuzz/`, which holds the same promises
//! and is guided by coverage. Needs a nightly compiler, a C++ compiler, and `cargo install cargo-fuzz`.

use anyhow::{Context, Result, bail};

use super::{minutes, seeds};
use crate::shell;

/// Seconds after which an input hangs.
const HANGS: u32 = 20;

/// Bytes of an input; none of the seeds is larger.
const LARGEST: u32 = 24 << 10;

pub(super) fn run(target: &str, arguments: &[&str]) -> Result<()> {
    let (minutes, directories) = minutes(arguments)?;
    let seeds = match target {
        "loader" => seeds::loader(directories)?,
        "lint" => [seeds::lint(directories)?, seeds::loader(&[])?].concat(),
        _ => bail!("there is no {target}; there are loader and lint"),
    };
    let corpus = shell::root().join("fuzz/corpus").join(target);
    std::fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
    for (number, seed) in seeds.iter().enumerate() {
        std::fs::write(corpus.join(format!("seed-{number:04}")), seed.to_string())?;
    }
    println!("{} seeds", seeds.len());
    // A sanitizer looks for what safe Rust cannot do, and costs most of the speed.
    let command = ["run", "nightly", "cargo", "fuzz", "run", "--sanitizer", "none", target, "--"];
    let mut command = shell::program("rustup", &command);
    command.args(["-dict=fuzz/compose.dict", "-print_final_stats=1"]).args([
        format!("-max_total_time={}", (minutes * 60.0).ceil()),
        format!("-timeout={HANGS}"),
        format!("-max_len={LARGEST}"),
    ]);
    shell::run(&mut command)
}
