//! What fuzzing starts from: the rules' pages, the books of `tests/compose`, and real files.

use std::path::Path;

use anyhow::{Context, Result, bail};
use cosec_core::dockerfile::is_dockerfile;
use cosec_core::lint::{is_compose_file, is_env_file};
use cosec_core::rules::ALL;
use xtask::promises::Project;

use crate::shell;

/// Real files are not larger.
const LARGEST: usize = 20_000;

/// For the linter: the examples of all rules' pages, and the files of the directories.
pub(super) fn lint(directories: &[&str]) -> Result<Vec<Project>> {
    let mut seeds = Vec::new();
    for rule in ALL {
        let page = rule.markdown();
        for (fence, path) in [("yaml", "compose.yaml"), ("env", ".env"), ("dockerfile", "Dockerfile")] {
            let opening = format!("```{fence} ");
            let examples = page.split(&opening).skip(1).filter_map(|rest| {
                let (_, rest) = rest.split_once('\n')?;
                Some(rest.split_once("```")?.0)
            });
            seeds.extend(examples.map(|example| Project::of(path, example)));
        }
    }
    for directory in directories {
        collect(Path::new(directory), &mut seeds)?;
    }
    for seed in &mut seeds {
        if seed.named == ["compose.yaml"] {
            let text = "FROM x\nRUN --mount=type=secret,id=s cp /run/secrets/s /x\nCOPY . .\n";
            seed.files.push(("Dockerfile".to_owned(), text.to_owned()));
        }
    }
    Ok(seeds)
}

/// For the loader: the cases of all books, and the Compose files of the directories. How cases are written is said in
/// `tests/compose.rs`.
pub(super) fn loader(directories: &[&str]) -> Result<Vec<Project>> {
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(shell::root().join("tests/compose"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "cases") {
            let text = std::fs::read_to_string(&path)?;
            let cases = text.split("\n### ").filter(|case| case.contains("\n=== "));
            seeds.extend(cases.map(Project::parse));
        }
    }
    if seeds.is_empty() {
        bail!("there are no cases in tests/compose");
    }
    let mut real = Vec::new();
    for directory in directories {
        collect(Path::new(directory), &mut real)?;
    }
    seeds.extend(real.into_iter().filter(|seed| seed.named == ["compose.yaml"]));
    Ok(seeds)
}

/// Real files of a directory: the more they differ, the better.
fn collect(directory: &Path, seeds: &mut Vec<Project>) -> Result<()> {
    for entry in
        std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?
    {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, seeds)?;
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let kind = match &*name {
            name if is_compose_file(name) => "compose.yaml",
            name if is_env_file(name) => ".env",
            name if is_dockerfile(name) => "Dockerfile",
            _ => continue,
        };
        if let Ok(text) = std::fs::read_to_string(&path)
            && text.len() < LARGEST
        {
            seeds.push(Project::of(kind, &text));
        }
    }
    Ok(())
}
