//! `cosec fix`

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstream::{eprintln, print, println};
use cosec_core::compose::Environment;
use cosec_core::dockerfile::is_dockerfile;
use cosec_core::files::{FILE_NAMES, join};
use cosec_core::fix::{ChangedMode, FixOptions, FixPlan, kind_of, plan, reads, services};
use cosec_core::lint::{LintOptions, Outcome, is_env_file};
use cosec_core::rules::{self, Finding};
use similar::{ChangeTag, TextDiff};

use crate::args::{FixArgs, ProjectArgs};
use crate::choice;
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
    let (named, is_project) = named(project, args)?;
    let mut files: Vec<PathBuf> =
        named.iter().map(|path| compose_file(path, args.undo)).collect::<Result<_, _>>()?;
    // They are one project, as in Compose: a later file may set what an earlier one does.
    let mut chain: Vec<String> = Vec::new();
    if is_project && files.len() > 1 {
        chain.extend(files.iter().map(|file| shown_path(file)));
        files.truncate(1);
    }
    if !args.undo {
        check_services(&files, &chain, &args.only_service)?;
    }
    let mut done = Done { written: args.write, ..Done::default() };
    let mut done_in: Vec<PathBuf> = Vec::new();
    for named in files {
        let reader = if chain.is_empty() { reader_of(&named)? } else { None };
        // An env file is fixed with the project that reads it: what moves out of it has to be granted there.
        let only = reader.is_some().then(|| shown_path(&named));
        let file = reader.unwrap_or(named);
        let shown = shown_path(&file);
        let directory = file.parent().map(Path::to_owned).unwrap_or_default();
        let is_more = done_in.contains(&directory);
        if args.undo && is_more {
            continue;
        }
        let writes = args.write || args.interactive || args.undo;
        let _lock = writes.then(|| undo::lock(&directory)).transpose()?;
        if args.undo {
            let restored = undo::restore(&directory)?;
            println!("{shown}: took back {restored} files as they were before the last `cosec fix --write`");
            done_in.push(directory);
            continue;
        }
        if (args.write || args.interactive) && !is_more {
            undo::mend(&directory)?;
        }
        let mut lint = lint_options(&file, &chain)?;
        lint.directory = project.project_directory.as_deref().map(shown_path);
        let start = project.project_directory.as_deref().unwrap_or(&directory);
        let (environment, is_whole) = environment_of(project, start)?;
        let planned = |accept: &dyn Fn(&Outcome, &Finding) -> bool| {
            let options = FixOptions {
                lint: lint.clone(),
                environment: &environment,
                include_unsafe: args.r#unsafe || args.interactive,
                rules: &args.rule,
                services: &args.only_service,
                accept: &|outcome, finding| {
                    let path = outcome.sources.file(finding.span.file).path();
                    only.as_ref().is_none_or(|only| join("", only) == join("", path))
                        && (is_whole || !wants_variables(finding))
                        && accept(outcome, finding)
                },
            };
            plan(&Disk::default(), &shown, &options)
                .map_err(|error| Failure::Cannot(format!("cannot fix {shown}: {error}")))
        };
        let mut plan = planned(&|_, _| true)?;
        let mut write = args.write;
        if args.interactive && !plan.fixes.is_empty() {
            let chosen = choice::choose(&plan, |one| {
                Ok(changes(&planned(&|outcome, finding| one.has(outcome, finding))?))
            })?;
            let (refused, without_fix) = (plan.refused, plan.without_fix);
            plan = planned(&|outcome, finding| chosen.has(outcome, finding))?;
            plan.refused.extend(refused);
            plan.without_fix = without_fix;
            if !write && !plan.fixes.is_empty() {
                print!("\n{}", changes(&plan));
                write = choice::confirmed()?;
            }
        }
        done.add(&plan);
        show(&plan, write || args.interactive)?;
        if write && !plan.fixes.is_empty() {
            undo::write(&directory, &plan, is_more)?;
            done_in.push(directory);
            done.written = true;
        }
    }
    if args.undo {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{done}");
    Ok(ExitCode::SUCCESS)
}

/// What to fix, and whether that is one project: the files of `-f` or COMPOSE_FILE, or files and directories.
fn named(project: &ProjectArgs, args: &FixArgs) -> Result<(Vec<PathBuf>, bool), Failure> {
    match (project.file.is_empty(), args.paths.is_empty()) {
        (false, true) => Ok((project.file.clone(), true)),
        (true, false) => Ok((args.paths.clone(), false)),
        (true, true) => {
            let files = project::files_of_variable(project);
            Ok(if files.is_empty() { (vec![PathBuf::from(".")], false) } else { (files, true) })
        }
        (false, false) => Err(Failure::Cannot(
            "-f names one project, a PATH another; fix them one after the other".to_owned(),
        )),
    }
}

/// What was done, for the last lines.
#[derive(Default)]
struct Done {
    written: bool,
    fixed: usize,
    left: usize,
    held_back: usize,
    without_fix: usize,
}

impl Done {
    fn add(&mut self, plan: &FixPlan) {
        self.fixed += plan.fixes.len();
        self.left += plan.refused.len();
        self.held_back += plan.held_back;
        self.without_fix += plan.without_fix;
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Done { written, fixed, left, held_back, without_fix } = *self;
        let done = if written { "fixed" } else { "can be fixed" };
        let by_hand = if left == 1 { "has to be done by hand" } else { "have to be done by hand" };
        match (fixed, left) {
            (0, 0) if held_back > 0 => f.write_str("nothing can be fixed that leaves the stack as it runs"),
            (0, 0) => f.write_str("nothing to fix"),
            (_, 0) => write!(f, "{fixed} {done}"),
            (0, _) => write!(f, "{left} {by_hand}"),
            _ => write!(f, "{fixed} {done}, {left} {by_hand}"),
        }?;
        if fixed > 0 && !written {
            f.write_str("\nnothing is written yet: --write does it, `cosec fix --undo` takes it back")?;
        }
        if held_back > 0 {
            let findings = if held_back == 1 {
                "finding has a fix that changes"
            } else {
                "findings have fixes that change"
            };
            write!(
                f,
                "\n{held_back} more {findings} how the stack runs, as moving values into secrets does: --unsafe includes them"
            )?;
        }
        match without_fix {
            0 => Ok(()),
            1 => f.write_str("\n1 finding is of a rule that has no fix: `cosec lint` shows it"),
            _ => write!(f, "\n{without_fix} findings are of rules that have no fix: `cosec lint` shows them"),
        }
    }
}

/// How the file's project is linted. `chain`: the files that it is made of, if they are named.
fn lint_options(file: &Path, chain: &[String]) -> Result<LintOptions, Failure> {
    Ok(LintOptions { files: chain.to_vec(), ..config::of(None, file)?.lint_options() })
}

/// A service that no file has is a slip, and a fix of nothing would hide it.
fn check_services(files: &[PathBuf], chain: &[String], wanted: &[String]) -> Result<(), Failure> {
    if wanted.is_empty() {
        return Ok(());
    }
    let mut known: Vec<String> = Vec::new();
    for file in files {
        known.extend(services(&Disk::default(), &shown_path(file), &lint_options(file, chain)?));
    }
    match wanted.iter().find(|name| !known.contains(name)) {
        Some(name) if !known.is_empty() => {
            Err(Failure::Cannot(format!("there is no service `{name}`; there are {}", known.join(", "))))
        }
        _ => Ok(()),
    }
}

/// The variables that the project sees, and whether these are all: an env file that cannot be read costs only the
/// fixes that want its variables.
fn environment_of(project: &ProjectArgs, directory: &Path) -> Result<(Environment, bool), Failure> {
    match project::environment_of(project, directory) {
        Ok(environment) => Ok((environment, true)),
        Err(failure) if project.env_file.is_empty() => {
            failure.print();
            eprintln!("until that is mended, fixes that want its variables are left out");
            Ok((project::process_environment(), false))
        }
        Err(failure) => Err(failure),
    }
}

/// Whether a fix may put a variable's value elsewhere.
fn wants_variables(finding: &Finding) -> bool {
    ["env-secret", "prefer-file-variant", "password-default", "url-password"].contains(&finding.rule)
}

/// A file, or the Compose file of a directory; one that has gone can be taken back.
fn compose_file(path: &Path, is_undo: bool) -> Result<PathBuf, Failure> {
    if path.as_os_str() == "-" {
        return Err(Failure::Cannot("standard input cannot be fixed; name a file".to_owned()));
    }
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let gone = (is_undo && path.join(undo::KEPT).is_dir()).then(|| path.join(FILE_NAMES[0]));
    beside(path).or(gone).ok_or_else(|| {
        Failure::Cannot(format!("there is no compose.yaml in {}; name the file", path.display()))
    })
}

/// The Compose file that reads an env file beside it, or that builds with a Dockerfile in its directory or below.
fn reader_of(file: &Path) -> Result<Option<PathBuf>, Failure> {
    let shown = shown_path(file);
    let above = match (is_env_file(&shown), is_dockerfile(&shown)) {
        (true, _) => 1,
        (_, true) => DEEPEST_DOCKERFILE,
        _ => return Ok(None),
    };
    for directory in file.ancestors().skip(1).take(above) {
        let Some(compose) = beside(directory) else { continue };
        if reads(&Disk::default(), &shown_path(&compose), &lint_options(&compose, &[])?, &shown) {
            return Ok(Some(compose));
        }
    }
    Ok(None)
}

/// As many directories are looked into, from a Dockerfile's own upward, for the Compose file that builds with it.
const DEEPEST_DOCKERFILE: usize = 8;

/// The Compose file of a directory.
fn beside(directory: &Path) -> Option<PathBuf> {
    FILE_NAMES.iter().map(|name| directory.join(name)).find(|path| path.is_file())
}

/// New files and the diff, with values masked.
fn changes(plan: &FixPlan) -> String {
    let new = plan.new_files.iter().map(|file| format!("new file {} (0600)\n", file.path));
    let changed = plan.changed.iter().map(|file| diff(&file.path, &file.shown.0, &file.shown.1));
    let mode =
        |mode: &ChangedMode| format!("mode of {}: 0{:o} becomes 0{:o}\n", mode.path, mode.before, mode.after);
    new.chain(plan.modes.iter().map(mode)).chain(changed).collect()
}

/// What is changed, unless that is known, and what is said beside it.
fn show(plan: &FixPlan, is_known: bool) -> Result<(), Failure> {
    if !is_known {
        print!("{}", changes(plan));
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
