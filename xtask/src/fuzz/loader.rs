//! `cargo xtask fuzz loader [MINUTES [DIRECTORY…]]`: mutates the projects of `tests/compose/*.cases` and real
//! files, and loads them in all ways.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use xtask::promises::{Project, loading};

use super::{Random, minutes, mutated, save, seeds, texts};

/// An input that is still being loaded after this hangs.
const HANGS: Duration = Duration::from_secs(20);

pub(super) fn run(arguments: &[&str]) -> Result<()> {
    let (minutes, directories) = minutes(arguments)?;
    let seeds = seeds::loader(directories)?;
    let pool = texts(&seeds);
    let mut random = Random(0x2545_f491_4f6c_dd1d ^ u64::from(std::process::id()));
    println!("{} seeds, random state {:#x}", seeds.len(), random.0);
    // The schema is compiled once, by whoever comes first.
    drop(loading::check(&seeds[0]));
    let current: Mutex<Option<(Instant, Project)>> = Mutex::new(None);
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
            match loading::check(&seed) {
                Ok(cost) => {
                    accepted += cost.results;
                    slowest = slowest.max(cost.took);
                    peak = peak.max(cost.peak);
                }
                Err(broken) => {
                    *current.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    bail!("after {inputs} inputs: {broken}; the input is {}", save(&seed)?.display())
                }
            }
            inputs += 1;
        }
        *current.lock().unwrap_or_else(PoisonError::into_inner) = None;
        println!(
            "{inputs} inputs, each loaded in five ways, in {:.1} minutes; {accepted} loads succeed, slowest {} ms, \
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
fn watch(current: &Mutex<Option<(Instant, Project)>>, end: Instant) {
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(200));
        let current = current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, seed)) = &*current
            && since.elapsed() > HANGS
        {
            let place = save(seed).map(|place| place.display().to_string()).unwrap_or_default();
            eprintln!("an input hangs; it is {place}");
            std::process::exit(1);
        }
    }
}
