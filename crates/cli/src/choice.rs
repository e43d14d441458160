//! Asking at the terminal which fixes to do, one by one. No value is shown: titles have none, diffs are masked.

use std::io::{BufRead, IsTerminal, Write};

use anstream::{eprint, eprintln};
use cosec_core::fix::{Fix, FixPlan};
use cosec_core::lint::Outcome;
use cosec_core::rules::Finding;

use crate::failure::Failure;

/// The fixes that somebody has said yes to.
#[derive(Default)]
pub(crate) struct Chosen(Vec<Fix>);

impl Chosen {
    /// Whether the fix of a finding is among them.
    pub(crate) fn has(&self, outcome: &Outcome, finding: &Finding) -> bool {
        self.0.iter().any(|fix| fix.is_of(outcome, finding))
    }

    fn add(&mut self, fix: &Fix) {
        self.0.push(fix.clone());
    }
}

/// Asks about each fix of a plan. `diff` gives what some of them would change, masked.
pub(crate) fn choose(
    plan: &FixPlan,
    diff: impl Fn(&Chosen) -> Result<String, Failure>,
) -> Result<Chosen, Failure> {
    let mut chosen = Chosen::default();
    if !std::io::stdin().is_terminal() {
        eprintln!("--interactive asks at a terminal, and standard input is none: nothing is fixed");
        return Ok(chosen);
    }
    for (number, fix) in plan.fixes.iter().enumerate() {
        eprintln!("\n{} {} ({} of {})", fix.place, fix.rule, number + 1, plan.fixes.len());
        eprintln!("    {}", fix.title);
        for note in &fix.notes {
            eprintln!("    {note}");
        }
        loop {
            match answer("fix it? [y]es, [n]o, [a]ll of the rest, [q]uit, [d]iff: ")?.as_str() {
                "y" | "yes" => chosen.add(fix),
                "n" | "no" => {}
                "a" | "all" => {
                    plan.fixes[number..].iter().for_each(|fix| chosen.add(fix));
                    return Ok(chosen);
                }
                // The end of input, too.
                "q" | "quit" | "\u{4}" => return Ok(chosen),
                "d" | "diff" => {
                    let mut alone = Chosen::default();
                    alone.add(fix);
                    eprint!("{}", diff(&alone)?);
                    continue;
                }
                _ => {
                    eprintln!(
                        "y: fix it; n: leave it; a: fix it and all that follow; q: leave it and all that follow; d: show what changes"
                    );
                    continue;
                }
            }
            break;
        }
    }
    Ok(chosen)
}

/// Whether what is shown is to be written.
pub(crate) fn confirmed() -> Result<bool, Failure> {
    Ok(matches!(answer("write it now? [y/N]: ")?.as_str(), "y" | "yes"))
}

/// A line in lower case; end of transmission at the end of input.
fn answer(question: &str) -> Result<String, Failure> {
    let cannot = |error: std::io::Error| Failure::Cannot(format!("cannot ask: {error}"));
    eprint!("{question}");
    std::io::stderr().flush().map_err(cannot)?;
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line).map_err(cannot)? == 0 {
        eprintln!();
        return Ok("\u{4}".to_owned());
    }
    Ok(line.trim().to_lowercase())
}
