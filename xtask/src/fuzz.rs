//! `cargo xtask fuzz loader …` loads projects: see `fuzz/loader.rs`. `cargo xtask fuzz guided …` is guided by coverage:
//! see `fuzz/guided.rs`.
//!
//! `cargo xtask fuzz [MINUTES [DIRECTORY…]]`: mutates what the rules' pages and real files say, lints it, and holds the
//! linter to its promises, which are those of [`xtask::promises`]. Neither a nightly compiler nor a sanitizer is needed,
//! so it can run anywhere; it is blind to coverage.

mod guided;
mod loader;
mod seeds;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use xtask::promises::{Project, linting};

/// Pieces that turn one thing into another.
const PIECES: &[&str] = &[
    "\n",
    "\r\n",
    ": ",
    "- ",
    "  ",
    "\t",
    "#",
    " #",
    "'",
    "\"",
    "|\n",
    ">-\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a ",
    "*a",
    "<<: ",
    "!reset ",
    "!override ",
    "---\n",
    "${",
    "$$",
    "${A:-b}",
    "$A",
    "}",
    "=",
    "\\",
    "\u{feff}",
    "é",
    "🙂",
    "\u{202e}",
    "\0",
    "PASSWORD",
    "_FILE",
    "TOKEN",
    "://u:p@h",
    "--password ",
    "-p",
    "secrets:",
    "services:",
    "environment:",
    "build:",
    "FROM x\n",
    "RUN ",
    "<<EOF\n",
    "EOF\n",
    "--mount=type=secret,id=s ",
    "ARG ",
    "ENV ",
    "COPY ",
    "`",
    "# escape=`\n",
    "# cosec: ignore[inline-password] x",
    "0400",
    "400",
    "null",
    "~",
    "../",
    "/run/secrets/",
    "$apr1$",
    "eyJ",
    "ghp_",
];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit.max(1)
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["loader", rest @ ..] => return loader::run(rest),
        ["guided", target, rest @ ..] => return guided::run(target, rest),
        _ => {}
    }
    let (minutes, directories) = minutes(arguments)?;
    let seeds = seeds::lint(directories)?;
    let pool = texts(&seeds);
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(minutes * 60.0);
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()));
    println!("{} seeds, random state {:#x}", seeds.len(), random.0);
    // What a caught panic prints would bury everything else.
    std::panic::set_hook(Box::new(|_| {}));
    let (mut runs, mut slowest, mut found) = (0_u64, Duration::ZERO, 0_u64);
    while Instant::now() < end {
        let mut project = random.pick(&seeds).clone();
        let at = random.below(project.files.len());
        project.files[at].1 = mutated(&project.files[at].1, &pool, &mut random);
        match linting::check(&project, runs.is_multiple_of(16)) {
            Ok(cost) => {
                found += cost.results;
                slowest = slowest.max(cost.took);
            }
            Err(broken) => {
                bail!("after {runs} inputs: {broken}; the input is {}", save(&project)?.display());
            }
        }
        runs += 1;
    }
    let _ = std::panic::take_hook();
    println!(
        "{runs} inputs in {:.1} minutes, {found} findings, slowest {} ms, no promise broken",
        start.elapsed().as_secs_f64() / 60.0,
        slowest.as_millis()
    );
    Ok(())
}

/// `[MINUTES [DIRECTORY…]]`
fn minutes<'a, 'b>(arguments: &'a [&'b str]) -> Result<(f64, &'a [&'b str])> {
    let Some((minutes, directories)) = arguments.split_first() else { return Ok((1.0, &[])) };
    Ok((minutes.parse().context("MINUTES must be a number")?, directories))
}

/// What pieces are taken from.
fn texts(seeds: &[Project]) -> Vec<String> {
    seeds.iter().flat_map(|seed| &seed.files).map(|(_, text)| text.clone()).collect()
}

/// Keeps a project for whoever looks at what went wrong.
fn save(project: &Project) -> Result<PathBuf> {
    let file = std::env::temp_dir().join(format!("cosec-fuzz-{}", std::process::id()));
    std::fs::write(&file, project.to_string())?;
    Ok(file)
}

fn mutated(text: &str, pool: &[String], random: &mut Random) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(6) {
        let at = random.below(text.len() + 1);
        let end = (at + random.below(12)).min(text.len());
        match random.below(7) {
            0 => drop(text.drain(at..end)),
            1 => {
                let copy: Vec<char> = text[at..end].to_vec();
                text.splice(at..at, copy);
            }
            2 | 3 => drop(text.splice(at..at, random.pick(PIECES).chars())),
            4 => {
                let other: Vec<char> = random.pick(pool).chars().collect();
                let from = random.below(other.len());
                let to = (from + random.below(200)).min(other.len());
                text.splice(at..end, other[from..to].iter().copied());
            }
            5 => text.truncate(at.max(text.len() / 2)),
            _ => {
                if let Some(character) = text.get_mut(at) {
                    *character = char::from_u32(random.below(0x180) as u32).unwrap_or('x');
                }
            }
        }
    }
    text.into_iter().collect()
}
