//! `cargo xtask fuzz loader [MINUTES [DIRECTORY…]]`: mutates the projects of `tests/compose/*.cases` and real
//! files, and loads them in all ways.
//!
//! Promises: nothing panics, an error's place lies in its text, no input takes two seconds in any way, and
//! loading holds no more memory than 50 times the input and [`CONSTANT`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cosec_core::compose::{Binding, BindingOrigin, Environment, Interpolation, LoadRequest, load};
use cosec_core::files::{MemoryFiles, join};
use cosec_core::source::{Sources, Span};
use cosec_core::yaml;

use super::{Random, SLOWEST, collect, mutated};
use crate::memory;
use crate::shell;

/// Bytes that loading may hold whatever the input is. One line needs less than 1 MiB, most of it for the schema's
/// check; the rest is room for aliases, which may stand for a lot of text before the budget ends them.
const CONSTANT: usize = 8 << 20;

/// What loading may hold for each byte of input.
const FACTOR: usize = 50;

/// Bytes for each port that a range stands for: `1-65535` becomes 65,535 entries, in Compose's output too.
const PORT: usize = 8 << 10;

/// An input that is still being loaded after this hangs.
const HANGS: Duration = Duration::from_secs(20);

/// A project: the names of its Compose files, and all files.
#[derive(Clone)]
struct Seed {
    named: Vec<String>,
    files: Vec<(String, String)>,
}

impl Seed {
    fn size(&self) -> usize {
        self.files.iter().map(|(path, text)| path.len() + text.len()).sum()
    }

    /// How many ports its ranges stand for at most: whatever looks like a range counts.
    fn ports(&self) -> usize {
        let ranges = |text: &str| {
            let words = text.split(|character: char| !character.is_ascii_digit() && character != '-');
            let lengths = words.map(|word| {
                let numbers: Vec<usize> =
                    word.split('-').map(|number| number.parse().unwrap_or_default()).collect();
                let pairs = numbers.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
                pairs.filter(|length| *length < 65_536).sum::<usize>()
            });
            lengths.sum::<usize>()
        };
        self.files.iter().map(|(_, text)| ranges(text)).sum()
    }

    /// Keeps it for whoever looks at what went wrong.
    fn save(&self) -> Result<PathBuf> {
        let directory = std::env::temp_dir().join(format!("cosec-fuzz-{}", std::process::id()));
        for (index, (path, text)) in self.files.iter().enumerate() {
            let flat = format!("{index}-{}", path.replace('/', "_"));
            std::fs::create_dir_all(&directory)?;
            std::fs::write(directory.join(flat), text)?;
        }
        Ok(directory)
    }
}

/// What one input cost.
struct Cost {
    accepted: u64,
    peak: usize,
    slowest: Duration,
}

pub(super) fn run(arguments: &[&str]) -> Result<()> {
    let minutes: f64 = arguments.first().unwrap_or(&"1").parse().context("MINUTES must be a number")?;
    let mut seeds = books()?;
    let mut single = Vec::new();
    for directory in arguments.iter().skip(1) {
        collect(Path::new(directory), &mut single)?;
    }
    let texts = single.into_iter().filter(|(path, _)| path == "compose.yaml");
    seeds.extend(texts.map(|file| Seed { named: vec!["compose.yaml".to_owned()], files: vec![file] }));
    let pool: Vec<(String, String)> = seeds.iter().flat_map(|seed| seed.files.iter().cloned()).collect();
    if pool.is_empty() {
        bail!("there are no seeds");
    }
    let mut random = Random(0x2545_f491_4f6c_dd1d ^ u64::from(std::process::id()));
    println!("{} seeds, random state {:#x}", seeds.len(), random.0);
    // The schema is compiled once, by whoever comes first.
    drop(check(&seeds[0]));
    let current: Mutex<Option<(Instant, Seed)>> = Mutex::new(None);
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(minutes * 60.0);
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            watch(&current, end);
        });
        let (mut inputs, mut accepted, mut slowest, mut peak) = (0_u64, 0_u64, Duration::ZERO, 0);
        while Instant::now() < end {
            let mut seed = random.pick(&seeds).clone();
            let at = random.below(seed.files.len());
            seed.files[at].1 = mutated(&seed.files[at].1, &pool, &mut random);
            *current.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), seed.clone()));
            match check(&seed) {
                Ok(cost) => {
                    accepted += cost.accepted;
                    slowest = slowest.max(cost.slowest);
                    peak = peak.max(cost.peak);
                }
                Err(broken) => {
                    *current.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    bail!("after {inputs} inputs: {broken}; the input is in {}", seed.save()?.display())
                }
            }
            inputs += 1;
        }
        *current.lock().unwrap_or_else(PoisonError::into_inner) = None;
        println!(
            "{inputs} inputs, each loaded in three ways, in {:.1} minutes; {accepted} loads succeed, slowest {} ms, \
             largest {} KiB, no promise broken",
            start.elapsed().as_secs_f64() / 60.0,
            slowest.as_millis(),
            peak >> 10
        );
        Ok(())
    });
    let _ = std::panic::take_hook();
    result
}

/// Ends the process when an input hangs: there is no other way to stop it.
fn watch(current: &Mutex<Option<(Instant, Seed)>>, end: Instant) {
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(200));
        let current = current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, seed)) = &*current
            && since.elapsed() > HANGS
        {
            let place = seed.save().map(|place| place.display().to_string()).unwrap_or_default();
            eprintln!("an input hangs; it is in {place}");
            std::process::exit(1);
        }
    }
}

/// The broken promise in words, or what it cost.
fn check(seed: &Seed) -> Result<Cost, String> {
    let mut cost = Cost { accepted: 0, peak: 0, slowest: Duration::ZERO };
    for interpolation in [Interpolation::Strict, Interpolation::None, Interpolation::Lenient] {
        let began = Instant::now();
        let before = memory::start();
        let loaded = catch_unwind(AssertUnwindSafe(|| loads(seed, interpolation)))
            .map_err(|_| format!("loading ({interpolation:?}) panics"))?;
        let peak = memory::peak().saturating_sub(before);
        let took = began.elapsed();
        if took > SLOWEST {
            return Err(format!("loading ({interpolation:?}) takes {took:?}"));
        }
        let size = seed.size();
        if peak > FACTOR * size + PORT * seed.ports() + CONSTANT {
            return Err(format!("loading ({interpolation:?}) holds {peak} bytes for {size}"));
        }
        cost.peak = cost.peak.max(peak);
        cost.slowest = cost.slowest.max(took);
        cost.accepted += u64::from(loaded?);
    }
    Ok(cost)
}

/// Whether it loads; `Err` is a promise that was broken.
fn loads(seed: &Seed, interpolation: Interpolation) -> Result<bool, String> {
    let mut files = MemoryFiles::default();
    for (path, text) in &seed.files {
        files.insert(path.as_str(), text.as_str());
    }
    let mut environment = Environment::default();
    for (name, value) in [("A", "a"), ("E", ""), ("TAG", "1.2")] {
        let binding = Binding { value: value.into(), origin: BindingOrigin::Process };
        environment.set(name, binding);
    }
    let request = LoadRequest {
        files: &seed.named,
        directory: "",
        working_directory: "/work",
        environment: &environment,
        interpolation,
        name: Some("fuzz"),
        profiles: &["*".to_owned()],
        services: &[],
    };
    let (mut sources, mut documents) = (Sources::default(), Vec::new());
    match load(&files, &mut sources, &mut documents, &request) {
        Ok(loaded) => {
            if let Some(resolved) = &loaded.resolved {
                let printed = match interpolation {
                    Interpolation::None => resolved.model(),
                    _ => resolved.config(&[]).map_err(|name| format!("there is no service {name}"))?,
                };
                yaml::write(&printed);
            }
            Ok(true)
        }
        Err(error) => {
            let related = error.related.map(|(span, _)| span);
            let is_place = |span: &Span| {
                let text = sources.file(span.file).text();
                text.get(span.start as usize..span.end as usize).is_some()
            };
            if error.span.iter().chain(&related).all(is_place) {
                Ok(false)
            } else {
                Err(format!("an error points outside of the text: {error}"))
            }
        }
    }
}

/// The projects of all books; how they are written is said in `tests/compose.rs`.
fn books() -> Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(shell::root().join("tests/compose"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "cases") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        for case in text.split("\n### ") {
            seeds.extend(project(case));
        }
    }
    Ok(seeds)
}

fn project(case: &str) -> Option<Seed> {
    let mut seed = Seed { named: Vec::new(), files: Vec::new() };
    for line in case.split_inclusive('\n') {
        if let Some(path) = line.strip_prefix("=== ").or_else(|| line.strip_prefix("==! ")) {
            seed.files.push((join("", path.trim()), String::new()));
        } else if let Some((_, text)) = seed.files.last_mut() {
            text.push_str(line);
        } else if let Some(arguments) = line.strip_prefix("$ ") {
            let mut arguments = arguments.split_whitespace();
            while let Some(argument) = arguments.next() {
                if argument == "-f" {
                    seed.named.extend(arguments.next().map(str::to_owned));
                }
            }
        }
    }
    if seed.named.is_empty() {
        seed.named.extend(seed.files.first().map(|(path, _)| path.clone()));
    }
    (!seed.files.is_empty()).then_some(seed)
}
