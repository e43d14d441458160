//! `cosec lint`

use std::collections::HashSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use cosec_core::files::{MemoryFiles, file_name};
use cosec_core::lint::{LintOptions, Outcome, is_env_file, lint_file};
use cosec_core::report::{self, Colour, Report};
use cosec_core::rules::Severity;
use ignore::{WalkBuilder, WalkState};

use crate::args::{LintArgs, LintFormat};
use crate::disk::Disk;
use crate::failure::Failure;

pub(crate) fn run(args: &LintArgs) -> Result<ExitCode, Failure> {
    let options = LintOptions { persona: args.persona.into(), ..LintOptions::default() };
    let mut outcomes = Vec::new();
    for path in &args.paths {
        if path.as_os_str() == "-" {
            outcomes.push(lint_stdin(&options)?);
        } else if path.is_dir() {
            outcomes.extend(lint_directory(path, &options));
        } else {
            outcomes.push(lint_file(&Disk::default(), &path.display().to_string(), &options));
        }
    }
    if outcomes.is_empty() {
        let places: Vec<String> = args.paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::Cannot(format!(
            "no Compose file in {}; name one, or a directory with a compose.yaml",
            places.join(", ")
        )));
    }
    let written = match args.format {
        LintFormat::Text => write_text(&outcomes),
        LintFormat::Json => write_json(&outcomes),
        LintFormat::Sarif => write_out(&report::sarif(&outcomes)),
        LintFormat::Github => write_out(&report::github(&outcomes)),
        LintFormat::Gitlab => write_out(&report::gitlab(&outcomes)),
        LintFormat::Junit => write_out(&report::junit(&outcomes, args.fail_on.into())),
    };
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        return Err(Failure::Cannot(format!("cannot write the report: {error}")));
    }
    Ok(exit_code(&outcomes, args.fail_on.into()))
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

fn lint_stdin(options: &LintOptions) -> Result<Outcome, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::Cannot(format!("cannot read standard input: {error}")))?;
    let mut files = MemoryFiles::default();
    files.insert("<stdin>", text);
    Ok(lint_file(&files, "<stdin>", options))
}

/// All Compose files below a directory, in parallel, what .gitignore names left out; in path order.
fn lint_directory(directory: &Path, options: &LintOptions) -> Vec<Outcome> {
    let found = Mutex::new(Vec::new());
    let walk = WalkBuilder::new(directory)
        .hidden(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build_parallel();
    walk.run(|| {
        Box::new(|entry| {
            if let Ok(entry) = entry
                && entry.file_type().is_some_and(|kind| kind.is_file())
                && is_ours(&entry.file_name().to_string_lossy())
            {
                let outcome = lint_file(&Disk::default(), &shown(entry.path()), options);
                if let Ok(mut found) = found.lock() {
                    found.push(outcome);
                }
            }
            WalkState::Continue
        })
    });
    let mut outcomes = found.into_inner().unwrap_or_default();
    outcomes.sort_by(|left: &Outcome, right| left.path.cmp(&right.path));
    // A file that others include, extend or override is seen from each of them: once is enough.
    let mut seen = HashSet::new();
    for outcome in &mut outcomes {
        let sources = &outcome.sources;
        outcome.findings.retain(|finding| {
            let file = sources.file(finding.span.file).path().to_owned();
            seen.insert((file, finding.span.start, finding.rule, finding.path.clone()))
        });
    }
    outcomes
}

/// A file that the walk is to look at: a Compose file, or variables that git would commit.
fn is_ours(name: &str) -> bool {
    is_compose_file(name) || is_env_file(name)
}

fn shown(path: &Path) -> String {
    let path: PathBuf = path.strip_prefix("./").unwrap_or(path).to_owned();
    path.display().to_string()
}

/// `compose.yaml`, `docker-compose.prod.yml`, `app-compose.yml` and the like.
fn is_compose_file(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| stem.split(['.', '-', '_']).any(|word| word == "compose"))
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
        for finding in outcome.findings.iter().filter(|finding| finding.severity > Severity::Info) {
            writeln!(out, "{}\n", report::render_finding(outcome, finding, colour))?;
        }
        for note in report::render_notes(outcome) {
            writeln!(out, "{note}\n")?;
        }
        match &outcome.error {
            Some(failure) => writeln!(notes, "{}\n", report::render_error(outcome, failure, colour))?,
            None => {
                for entry in &outcome.not_checked {
                    writeln!(notes, "{}: {} was not checked: {}", outcome.path, entry.rule, entry.reason)?;
                }
            }
        }
    }
    writeln!(out, "{}", report::summary(outcomes))?;
    if let Some(rule) =
        outcomes.iter().flat_map(|outcome| &outcome.findings).map(|finding| finding.rule).next()
    {
        writeln!(out, "`cosec explain {rule}` says why and what to do instead")?;
    }
    Ok(())
}

fn write_out(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", text.trim_end())
}

fn write_json(outcomes: &[Outcome]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &Report::new(outcomes))?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_people_call_compose_files_are_found() {
        for name in [
            "compose.yaml",
            "docker-compose.yml",
            "docker-compose.prod.yml",
            "compose.override.yaml",
            "app_compose.yml",
        ] {
            assert!(is_compose_file(name), "{name}");
        }
        for name in ["composer.yaml", "values.yaml", "compose.json", "decompose.yml"] {
            assert!(!is_compose_file(name), "{name}");
        }
    }
}
