//! `cosec lint`

use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cosec_core::baseline::{self, Baseline};
use cosec_core::compose::LoadError;
use cosec_core::fix::{self, Detail};
use cosec_core::lint::{LintOptions, Outcome, is_linted, lint_file};
use cosec_core::report::{self, Colour};
use cosec_core::rules::{Finding, NotChecked, Severity};
use cosec_core::settle::settle;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::{WalkBuilder, WalkState};

use crate::args::{LintArgs, LintFormat, ProjectArgs};
use crate::atomic;
use crate::config::{self, Config};
use crate::disk::{self, Disk, STDIN};
use crate::failure::Failure;
use crate::git::Git;
use crate::project::{self, colour, shown_path};

/// Where a baseline is written if nothing says otherwise.
const BASELINE: &str = ".cosec-baseline.json";

pub(crate) fn run(project: &ProjectArgs, args: &LintArgs) -> Result<ExitCode, Failure> {
    let (chain, paths) = named(project, args)?;
    // Of a baseline what could not be read is told as text, and nothing is fixed.
    let format = if args.write_baseline { LintFormat::Text } else { args.format };
    let mut outcomes = Vec::new();
    let mut first = None;
    let git = Arc::new(Git::default());
    for path in chain.first().into_iter().chain(&paths) {
        let config = config::of(args.config.as_deref(), path)?;
        let own = config.lint_options();
        let mut options = LintOptions {
            persona: args.persona.map_or(own.persona, Into::into),
            target: args.target.map_or(own.target, Into::into),
            ..own
        };
        if path.is_dir() {
            let walk = Walk { format, excluded: excluded(&config)?, known: &chain, git: &git };
            outcomes.extend(walk.lint(path, &options));
        } else {
            options.directory = project.project_directory.as_deref().map(shown_path);
            if outcomes.is_empty() {
                options.files = chain.iter().map(|file| name_of(file)).collect();
            }
            outcomes.push(lint_path(&Disk::asking(&git), &name_of(path), &options, format));
        }
        first.get_or_insert(config);
    }
    let config = first.unwrap_or_default();
    if outcomes.is_empty() {
        let places: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::Cannot(format!(
            "no Compose file in {}; name one, or a directory with a compose.yaml",
            places.join(", ")
        )));
    }
    settle(&mut outcomes);
    let baseline = args.baseline.clone().or_else(|| config.baseline());
    if args.write_baseline || baseline.is_some() || args.format.tells_fingerprints() {
        for outcome in &mut outcomes {
            let project = Path::new(&outcome.path).parent().unwrap_or(Path::new("")).to_owned();
            outcome.sources.identify(|path| git.identity(Path::new(path), &project));
        }
    }
    let fail_on = args.fail_on.map(Into::into).or(config.settings.fail_on).unwrap_or(Severity::Warning);
    if args.write_baseline {
        let path = baseline.clone().unwrap_or_else(|| PathBuf::from(BASELINE));
        write_baseline(&path, &outcomes, &git)?;
        if baseline.is_none() {
            let shown = path.display();
            anstream::eprintln!(
                "to use it: --baseline {shown}, or in cosec.toml: [lint] baseline = \"{shown}\""
            );
        }
        return Ok(if outcomes.iter().all(|outcome| outcome.not_checked.is_empty()) {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        });
    }
    if let Some(path) = baseline {
        apply_baseline(&path, &mut outcomes)?;
    }
    let written = match args.format {
        LintFormat::Text => write_text(&outcomes),
        LintFormat::Json => write_json(&outcomes),
        LintFormat::Sarif => write_out(&report::sarif(&outcomes)),
        LintFormat::Github => write_out(&report::github(&outcomes)),
        LintFormat::Gitlab => write_out(&report::gitlab(&outcomes)),
        LintFormat::Junit => write_out(&report::junit(&outcomes, fail_on)),
    };
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        return Err(Failure::Cannot(format!("cannot write the report: {error}")));
    }
    Ok(exit_code(&outcomes, fail_on))
}

/// The files that are one project, and the files and directories that are looked at beside it: `-f` names a project;
/// COMPOSE_FILE tells which of the files here are one.
fn named(project: &ProjectArgs, args: &LintArgs) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Failure> {
    let (chain, paths) = match (project.file.is_empty(), args.paths.is_empty()) {
        (false, true) => (project.file.clone(), Vec::new()),
        (true, false) => (Vec::new(), args.paths.clone()),
        (true, true) => {
            let here = project.project_directory.clone().unwrap_or_else(|| PathBuf::from("."));
            (project::files_of_variable(project), vec![here])
        }
        (false, false) => {
            return Err(Failure::Cannot(
                "-f names one project, a PATH what else is to be looked at; lint them one after the other"
                    .to_owned(),
            ));
        }
    };
    match chain.iter().chain(&paths).find(|path| path.as_os_str() != "-" && !path.exists()) {
        Some(path) => Err(Failure::Cannot(format!("there is no {}", path.display()))),
        None => Ok((chain, paths)),
    }
}

/// What a path is called in reports.
fn name_of(path: &Path) -> String {
    if path.as_os_str() == "-" { STDIN.to_owned() } else { shown_path(path) }
}

/// Writes what is known of what could be read, and says what could not be.
fn write_baseline(path: &Path, outcomes: &[Outcome], git: &Git) -> Result<(), Failure> {
    let findings: usize = outcomes.iter().map(|outcome| outcome.findings.len()).sum();
    // A part of a project is linted: what is known of the rest stays known.
    let earlier = std::fs::read_to_string(path).ok().and_then(|text| Baseline::read(&text).ok());
    let mut others = earlier.map(|earlier| earlier.elsewhere(outcomes)).unwrap_or_default();
    let beside = path.parent().unwrap_or(Path::new("")).to_owned();
    let places = [git.root(&beside), Some(beside), Some(PathBuf::new())];
    others.retain(|entry| places.iter().flatten().any(|place| place.join(entry.file()).exists()));
    atomic::replace(path, baseline::write(outcomes, others).as_bytes(), atomic::SHARED)
        .map_err(|error| Failure::Cannot(format!("cannot write {}: {error}", path.display())))?;
    let mut notes = anstream::stderr().lock();
    let told = outcomes.iter().try_for_each(|outcome| write_not_checked(&mut notes, outcome));
    let gaps = outcomes.iter().filter(|outcome| !outcome.not_checked.is_empty()).count();
    let left_out = match gaps {
        0 => String::new(),
        1 => "; what 1 file has that could not be checked is not among them".to_owned(),
        gaps => format!("; what {gaps} files have that could not be checked is not among them"),
    };
    let word = if findings == 1 { "finding" } else { "findings" };
    told.and_then(|()| writeln!(notes, "wrote {findings} {word} to {}{left_out}", path.display()))
        .map_err(|error| Failure::Cannot(format!("cannot say what was not checked: {error}")))
}

fn apply_baseline(path: &Path, outcomes: &mut [Outcome]) -> Result<(), Failure> {
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::Cannot(format!("cannot use the baseline {}: {error}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| cannot(&error))?;
    let mut baseline = Baseline::read(&text).map_err(|error| cannot(&error))?;
    for outcome in outcomes.iter_mut() {
        baseline.apply(outcome);
    }
    let mended = baseline.unmet(outcomes);
    if mended > 0 {
        anstream::eprintln!(
            "{mended} findings of the baseline {} are mended; --write-baseline takes them out",
            path.display()
        );
    }
    Ok(())
}

/// What the settings leave out of a walk.
fn excluded(config: &Config) -> Result<Gitignore, Failure> {
    let mut builder = GitignoreBuilder::new(&config.directory);
    for pattern in &config.settings.exclude {
        builder.add_line(None, pattern).map_err(|error| {
            Failure::Cannot(format!("`lint.exclude` has a pattern that cannot be used: {error}"))
        })?;
    }
    builder.build().map_err(|error| Failure::Cannot(format!("`lint.exclude` cannot be used: {error}")))
}

fn exit_code(outcomes: &[Outcome], fail_on: Severity) -> ExitCode {
    let mut findings = outcomes.iter().flat_map(|outcome| &outcome.findings);
    if outcomes.iter().any(|outcome| !outcome.not_checked.is_empty()) {
        ExitCode::from(2)
    } else if findings.any(|finding| finding.severity >= fail_on) {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

/// Lints a file; what can be fixed is looked for where the format says it.
fn lint_path(disk: &Disk, path: &str, options: &LintOptions, format: LintFormat) -> Outcome {
    let mut outcome = match format {
        LintFormat::Json => fix::lint_file(disk, path, options, Detail::Kind),
        LintFormat::Sarif => fix::lint_file(disk, path, options, Detail::Changes),
        _ => lint_file(disk, path, options),
    };
    outcome.slim(format == LintFormat::Text);
    outcome
}

/// A walk through a directory.
struct Walk<'a> {
    format: LintFormat,
    /// What the settings leave out.
    excluded: Gitignore,
    /// What is looked at by other ways.
    known: &'a [PathBuf],
    git: &'a Arc<Git>,
}

impl Walk<'_> {
    /// All Compose files below a directory, in parallel, what .gitignore and the settings name left out; in path order.
    fn lint(&self, directory: &Path, options: &LintOptions) -> Vec<Outcome> {
        let found = Mutex::new(Vec::new());
        let excluded = self.excluded.clone();
        let walk = WalkBuilder::new(directory)
            .hidden(false)
            .filter_entry(move |entry| {
                let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
                let path = disk::absolute(entry.path());
                entry.file_name() != ".git"
                    && (excluded.is_empty() || !excluded.matched(path, is_dir).is_ignore())
            })
            .build_parallel();
        let known: Vec<PathBuf> = self.known.iter().map(|path| project::absolute(path)).collect();
        let is_known = |path: &Path| !known.is_empty() && known.contains(&project::absolute(path));
        let progress = Progress::default();
        std::thread::scope(|scope| {
            if std::io::stderr().is_terminal() {
                scope.spawn(|| progress.show());
            }
            walk.run(|| {
                Box::new(|entry| {
                    let outcome = match entry {
                        Ok(entry)
                            if is_linted(&entry.file_name().to_string_lossy())
                                && is_file(&entry)
                                && !is_known(entry.path()) =>
                        {
                            let path = shown_path(entry.path());
                            Some(lint_path(&Disk::asking(self.git), &path, options, self.format))
                        }
                        Ok(_) => None,
                        Err(error) => unread(&error),
                    };
                    if let Some(outcome) = outcome {
                        progress.files.fetch_add(1, Ordering::Relaxed);
                        progress.findings.fetch_add(outcome.findings.len(), Ordering::Relaxed);
                        if let Ok(mut found) = found.lock() {
                            found.push(outcome);
                        }
                    }
                    WalkState::Continue
                })
            });
            progress.done.store(true, Ordering::Relaxed);
        });
        let mut outcomes = found.into_inner().unwrap_or_default();
        outcomes.sort_by(|left: &Outcome, right| left.path.cmp(&right.path));
        outcomes
    }
}

/// Whether it is a file or leads to one.
fn is_file(entry: &ignore::DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_file() || (kind.is_symlink() && entry.path().is_file()))
}

/// A directory that cannot be looked into is not clean.
fn unread(error: &ignore::Error) -> Option<Outcome> {
    let ignore::Error::WithDepth { err, .. } = error else { return None };
    let ignore::Error::WithPath { path, err } = &**err else { return None };
    let ignore::Error::Io(error) = &**err else { return None };
    let message =
        format!("the directory cannot be looked into: {error}; correct its owner or mode, or leave it out");
    let error = LoadError { message, span: None, related: None };
    let not_checked = vec![NotChecked { rule: "*", reason: error.to_string() }];
    Some(Outcome { path: shown_path(path), error: Some(error), not_checked, ..Outcome::default() })
}

/// What a person at a terminal sees of a long walk.
#[derive(Default)]
struct Progress {
    files: AtomicUsize,
    findings: AtomicUsize,
    done: AtomicBool,
}

impl Progress {
    /// One line on standard error, from half a second on, gone at the end.
    fn show(&self) {
        const STEP: Duration = Duration::from_millis(20);
        let mut steps = 0_u32;
        let mut shown = false;
        while !self.done.load(Ordering::Relaxed) {
            std::thread::sleep(STEP);
            steps += 1;
            if steps >= 25 && steps.is_multiple_of(5) {
                let (files, findings) =
                    (self.files.load(Ordering::Relaxed), self.findings.load(Ordering::Relaxed));
                anstream::eprint!("\r{files} files, {findings} findings …");
                shown = true;
            }
        }
        if shown {
            anstream::eprint!("\r{:60}\r", "");
        }
    }
}

fn write_text(outcomes: &[Outcome]) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    let mut notes = anstream::stderr().lock();
    // anstream takes colours and links away again where they are not wanted.
    let colour = match anstream::AutoStream::choice(&std::io::stdout()) {
        anstream::ColorChoice::Never => Colour::No,
        _ => Colour::Yes,
    };
    for outcome in outcomes {
        // What is mere information takes a line in all, not an excerpt each.
        let shown: Vec<&Finding> =
            outcome.findings.iter().filter(|finding| finding.severity > Severity::Info).collect();
        if !shown.is_empty() {
            let excerpts = report::Excerpts::of(outcome);
            for place in shown.chunk_by(|one, other| one.span == other.span) {
                let [first, others @ ..] = place else { continue };
                writeln!(out, "{}\n", report::render_findings(&excerpts, first, others, colour))?;
            }
        }
        for note in report::render_notes(outcome) {
            writeln!(out, "{note}\n")?;
        }
        write_not_checked(&mut notes, outcome)?;
    }
    writeln!(out, "{}", report::summary(outcomes))?;
    if let Some(rule) =
        outcomes.iter().flat_map(|outcome| &outcome.findings).map(|finding| finding.rule).next()
    {
        writeln!(out, "`cosec explain {rule}` says why and what to do instead")?;
    }
    Ok(())
}

/// Why a file could not be read, or what of it could not be checked.
fn write_not_checked(notes: &mut impl Write, outcome: &Outcome) -> std::io::Result<()> {
    if let Some(failure) = &outcome.error {
        writeln!(notes, "{}\n", report::render_error(outcome, failure, colour()))?;
    }
    let is_told =
        |entry: &NotChecked| outcome.error.as_ref().is_some_and(|failure| failure.message == entry.reason);
    let mut others = outcome.not_checked.iter().filter(|entry| !is_told(entry));
    others.try_for_each(|entry| writeln!(notes, "{}: {entry}", outcome.path))
}

fn write_out(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", text.trim_end())
}

fn write_json(outcomes: &[Outcome]) -> std::io::Result<()> {
    // What a terminal wants line by line, a pipe takes in large pieces.
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    report::write_json(outcomes, &mut out)?;
    writeln!(out)?;
    out.flush()
}
