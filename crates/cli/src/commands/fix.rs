//! `cosec fix`

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstream::{eprintln, print, println};
use cosec_core::files::FILE_NAMES;
use cosec_core::fix::{FixOptions, FixPlan, kind_of, plan};
use cosec_core::lint::{LintOptions, Outcome};
use cosec_core::rules::{self, Finding};
use similar::{ChangeTag, TextDiff};

use crate::args::{FixArgs, ProjectArgs};
use crate::config;
use crate::disk::Disk;
use crate::failure::Failure;
use crate::project::{self, shown_path};
use crate::undo;

pub(crate) fn run(project: &ProjectArgs, args: &FixArgs) -> Result<ExitCode, Failure> {
    for rule in &args.rule {
        if kind_of(rule).is_none() {
            let with_fix: Vec<&str> =
                rules::ALL.iter().filter(|rule| rule.fix.is_some()).map(|rule| rule.id).collect();
            let known = if rules::by_id(rule).is_some() { "no fix for" } else { "no rule" };
            return Err(Failure::Cannot(format!(
                "there is {known} `{rule}`; there are fixes for {}",
                with_fix.join(", ")
            )));
        }
    }
    let mut files: Vec<PathBuf> = Vec::new();
    let named = if project.file.is_empty() { &args.paths } else { &project.file };
    for path in named {
        files.push(compose_file(path)?);
    }
    let (mut fixed, mut left) = (0, 0);
    for file in files {
        let shown = shown_path(&file);
        let directory = file.parent().map(Path::to_owned).unwrap_or_default();
        if args.undo {
            let restored = undo::restore(&directory)?;
            println!("{shown}: took back {restored} files as they were before the last `cosec fix --write`");
            continue;
        }
        if args.write {
            undo::mend(&directory)?;
        }
        let config = config::of(None, &file)?.settings;
        let environment = project::environment_of(project, &directory)?;
        let ask = |_: &Outcome, finding: &Finding| !args.interactive || asked(finding);
        let options = FixOptions {
            lint: LintOptions {
                target: config.target.unwrap_or_default(),
                levels: config.levels,
                ..LintOptions::default()
            },
            environment: &environment,
            include_unsafe: args.r#unsafe || args.interactive,
            rules: &args.rule,
            services: &args.only_service,
            accept: &ask,
        };
        let plan = plan(&Disk::default(), &shown, &options)
            .map_err(|error| Failure::Cannot(format!("cannot fix {shown}: {error}")))?;
        (fixed, left) = (fixed + plan.fixes.len(), left + plan.refused.len());
        show(&plan, args.write)?;
        if args.write && !plan.fixes.is_empty() {
            undo::write(&directory, &plan)?;
        }
    }
    if args.undo {
        return Ok(ExitCode::SUCCESS);
    }
    let done = if args.write { "fixed" } else { "can be fixed" };
    println!("{fixed} {done}, {left} have to be done by hand");
    if fixed > 0 && !args.write {
        println!("nothing is written yet: --write does it, `cosec fix --undo` takes it back");
    }
    if fixed == 0 && !args.r#unsafe && !args.interactive {
        println!("--unsafe includes fixes that change how the stack runs: they move values into secrets");
    }
    Ok(ExitCode::SUCCESS)
}

/// A file, or the Compose file of a directory.
fn compose_file(path: &Path) -> Result<PathBuf, Failure> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let found = FILE_NAMES.iter().map(|name| path.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        Failure::Cannot(format!("there is no compose.yaml in {}; name the file", path.display()))
    })
}

/// Asks about one finding at a terminal; anything but yes is no.
fn asked(finding: &Finding) -> bool {
    if kind_of(finding.rule).is_none() {
        return false;
    }
    if !std::io::stdin().is_terminal() {
        return false;
    }
    anstream::eprint!("{}: {}\nfix it? [y/N] ", finding.rule, finding.message);
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// The diff, with values masked, and what is said beside it.
fn show(plan: &FixPlan, written: bool) -> Result<(), Failure> {
    if !written {
        for file in &plan.new_files {
            println!("new file {} (0600)", file.path);
        }
        for file in &plan.changed {
            print!("{}", diff(&file.path, &file.shown.0, &file.shown.1));
        }
    }
    for fix in &plan.fixes {
        println!("{} {}: {}", fix.place, fix.rule, fix.title);
        for note in &fix.notes {
            println!("    {note}");
        }
    }
    for refusal in &plan.refused {
        eprintln!("{} {}: left as it is, {}", refusal.place, refusal.rule, refusal.reason);
    }
    std::io::stdout().flush().map_err(|error| Failure::Cannot(format!("cannot write: {error}")))
}

fn diff(path: &str, before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut text = format!("--- {path}\n+++ {path}\n");
    for group in diff.grouped_ops(2) {
        text.push_str("@@\n");
        for operation in group {
            for change in diff.iter_changes(&operation) {
                let (sign, colour) = match change.tag() {
                    ChangeTag::Delete => ('-', "\u{1b}[31m"),
                    ChangeTag::Insert => ('+', "\u{1b}[32m"),
                    ChangeTag::Equal => (' ', ""),
                };
                let line = change.value().trim_end_matches(['\n', '\r']);
                let end = if colour.is_empty() { "" } else { "\u{1b}[0m" };
                text.push_str(&format!("{colour}{sign}{line}{end}\n"));
                if change.missing_newline() && change.tag() != ChangeTag::Equal {
                    text.push_str("\\ no line break at the end\n");
                }
            }
        }
    }
    text
}
