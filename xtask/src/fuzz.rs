//! `cargo xtask fuzz loader …` loads projects: see `fuzz/loader.rs`.
//!
//! `cargo xtask fuzz [MINUTES [DIRECTORY…]]`: mutates what the rules' pages and real files say, lints it, and holds the
//! linter to its promises, which are those of [`xtask::promises`] and that no input takes longer than [`SLOWEST`].
//! Neither a nightly compiler nor a sanitizer is needed, so it can run anywhere; it is blind to coverage.

mod loader;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cosec_core::lint::is_env_file;
use cosec_core::rules::ALL;
use xtask::promises::{Cost, linting};

/// No input may take longer, in an unoptimised build on a busy machine.
const SLOWEST: Duration = Duration::from_secs(2);

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
    if let Some((&"loader", rest)) = arguments.split_first() {
        return loader::run(rest);
    }
    let minutes: f64 = arguments.first().unwrap_or(&"1").parse().context("MINUTES must be a number")?;
    let mut seeds = page_examples();
    for directory in arguments.iter().skip(1) {
        collect(Path::new(directory), &mut seeds)?;
    }
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(minutes * 60.0);
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()));
    println!("{} seeds, random state {:#x}", seeds.len(), random.0);
    // What a caught panic prints would bury everything else.
    std::panic::set_hook(Box::new(|_| {}));
    let (mut runs, mut slowest, mut found) = (0_u64, Duration::ZERO, 0_u64);
    while Instant::now() < end {
        let (path, text) = random.pick(&seeds).clone();
        let text = mutated(&text, &seeds, &mut random);
        match within_time(linting::check(&path, &text, runs.is_multiple_of(16))) {
            Ok(cost) => {
                found += cost.results;
                slowest = slowest.max(cost.took);
            }
            Err(broken) => {
                let file = std::env::temp_dir().join(format!("cosec-fuzz-{}-{path}", std::process::id()));
                std::fs::write(&file, &text)?;
                bail!("after {runs} inputs: {broken}; the input is {}", file.display());
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

/// Taking too long breaks a promise, too.
fn within_time(outcome: Result<Cost, String>) -> Result<Cost, String> {
    match outcome {
        Ok(cost) if cost.took > SLOWEST => Err(format!("it takes {:?}", cost.took)),
        outcome => outcome,
    }
}

/// The examples of all pages, each under the name that makes it what it is.
fn page_examples() -> Vec<(String, String)> {
    let mut seeds = Vec::new();
    for rule in ALL {
        let page = rule.markdown();
        for (fence, path) in [("yaml", "compose.yaml"), ("env", ".env"), ("dockerfile", "Dockerfile")] {
            let opening = format!("```{fence} ");
            let examples = page.split(&opening).skip(1).filter_map(|rest| {
                let (_, rest) = rest.split_once('\n')?;
                Some(rest.split_once("```")?.0.to_owned())
            });
            seeds.extend(examples.map(|example| (path.to_owned(), example)));
        }
    }
    seeds
}

/// Real files of a directory: the more they differ, the better.
fn collect(directory: &Path, seeds: &mut Vec<(String, String)>) -> Result<()> {
    for entry in
        std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?
    {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_dir() {
            collect(&path, seeds)?;
            continue;
        }
        let kind = match name.as_str() {
            name if name.contains("compose") && (name.ends_with("yml") || name.ends_with("yaml")) => {
                "compose.yaml"
            }
            name if is_env_file(name) => ".env",
            name if name.contains("dockerfile") => "Dockerfile",
            _ => continue,
        };
        if let Ok(text) = std::fs::read_to_string(&path)
            && text.len() < 20_000
        {
            seeds.push((kind.to_owned(), text));
        }
    }
    Ok(())
}

fn mutated(text: &str, seeds: &[(String, String)], random: &mut Random) -> String {
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
                let other: Vec<char> = random.pick(seeds).1.chars().collect();
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
