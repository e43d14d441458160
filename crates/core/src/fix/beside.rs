//! Files in the project directory that are no part of the project and may use what it has: other Compose files, and
//! what runs with the variables of `.env`.

use super::Project;
use super::builds::has_word;
use crate::files::{Answer, FileSystem, file_name, join};
use crate::lint::{is_compose_file, is_env_file};

/// A file and its text.
pub(super) struct Beside {
    pub(super) path: String,
    pub(super) text: String,
}

/// Deeper directories, or more entries, are not looked through.
const DEEPEST: usize = 6;
const MOST_ENTRIES: usize = 5_000;
/// Nobody writes a script of so many bytes.
const LARGEST: u64 = 1 << 20;

/// Other people's files, and what is made from one's own.
const PASSED_OVER: [&str; 7] = [".git", "node_modules", "target", "vendor", ".venv", "venv", "__pycache__"];

/// All of them, or why it cannot be known, in one sentence.
pub(super) fn read(project: &Project<'_>) -> Result<Vec<Beside>, &'static str> {
    let is_known = |path: &str| project.sources().iter().any(|(_, file)| join("", file.path()) == path);
    below(project.files, &project.in_directory(""), &|path, depth| {
        is_program(file_name(path), depth) && !is_known(path)
    })
}

/// As many directories above the project's are looked into.
const MOST_ABOVE: usize = 4;

/// The YAML files in the directories above, as far as the repository goes.
pub(super) fn above(project: &Project<'_>) -> Vec<Beside> {
    let mut found = Vec::new();
    let mut directory = join("", &project.in_directory(""));
    for _ in 0..MOST_ABOVE {
        directory = join(&directory, "..");
        let Answer::Known(names) = project.files.list(&directory) else { break };
        let paths = names.iter().filter(|name| is_yaml(name)).map(|name| join(&directory, name));
        found.extend(paths.filter_map(|path| {
            let text = project.files.read(&path).ok()?;
            Some(Beside { path, text })
        }));
        // What lies above a repository is another one's.
        if names.iter().any(|name| name == ".git/") {
            break;
        }
    }
    found
}

/// Whether a path is that of a YAML file.
pub(super) fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

/// A Compose file that is no part of the project and may grant a secret or a config of it, as a sentence: one beside it
/// may be read over it, one above may include it.
pub(super) fn granting(project: &Project<'_>, name: &str) -> Option<String> {
    let own = file_name(project.path);
    let beside = project.beside().as_ref().ok().into_iter().flatten();
    let mut others = beside
        .filter(|one| is_yaml(&one.path) && has_word(&one.text, "services"))
        .chain(project.above().iter().filter(|one| one.text.contains(own)));
    let found = others.find(|one| has_word(&one.text, name))?;
    Some(format!("{} names it, and may grant it; look there first", found.path))
}

/// The first file at a path, or below it, that names a variable and may take it from the environment. The error says why
/// that is not known.
pub(super) fn naming(project: &Project<'_>, path: &str, name: &str) -> Result<Option<String>, &'static str> {
    let is_reader = |path: &str| {
        let ending = file_name(path).rsplit_once('.').map_or("", |(_, ending)| ending);
        let is_told_elsewhere =
            is_env_file(path) || is_compose_file(path) || ["md", "txt", "rst"].contains(&ending);
        !is_told_elsewhere && !project.sources().iter().any(|(_, file)| join("", file.path()) == path)
    };
    let texts = match project.files.read(path) {
        Ok(text) => vec![Beside { path: path.to_owned(), text }],
        Err(_) => below(project.files, path, &|path, _| is_reader(path))?,
    };
    let found = texts.into_iter().find(|one| is_reader(&one.path) && has_word(&one.text, name));
    Ok(found.map(|one| one.path))
}

/// The texts of a directory and of those in it that are wanted, by path and depth.
pub(super) fn below(
    files: &dyn FileSystem,
    directory: &str,
    is_wanted: &dyn Fn(&str, usize) -> bool,
) -> Result<Vec<Beside>, &'static str> {
    let mut found = Vec::new();
    let mut open = vec![(directory.to_owned(), 0)];
    let mut entries = 0;
    while let Some((directory, depth)) = open.pop() {
        let names = match files.list(&directory) {
            Answer::Known(names) => names,
            Answer::NotChecked(_) if depth == 0 => {
                return Err("whether other files beside it use it cannot be known here");
            }
            Answer::NotChecked(_) => continue,
        };
        for name in names {
            entries += 1;
            if let Some(name) = name.strip_suffix('/') {
                if PASSED_OVER.contains(&name) {
                    continue;
                }
                if depth == DEEPEST {
                    return Err("there are too many files beside it to know that none uses it");
                }
                open.push((join(&directory, name), depth + 1));
                continue;
            }
            let path = join(&directory, &name);
            let is_large = || matches!(files.facts(&path), Answer::Known(facts) if facts.size > LARGEST);
            if is_wanted(&path, depth)
                && !is_large()
                && let Ok(text) = files.read(&path)
            {
                found.push(Beside { path, text });
            }
        }
        if entries > MOST_ENTRIES {
            return Err("there are too many files beside it to know that none uses it");
        }
    }
    Ok(found)
}

/// Whether a file may run something with the variables of `.env`. A program that is not beside the Compose file is
/// rather what runs in a container.
fn is_program(name: &str, depth: usize) -> bool {
    const NAMES: [&str; 7] =
        ["Makefile", "makefile", "GNUmakefile", "justfile", "Justfile", ".envrc", "package.json"];
    const ENDINGS: [&str; 10] = ["yaml", "yml", "sh", "bash", "zsh", "fish", "mk", "just", "ps1", "hcl"];
    const PROGRAMS: [&str; 3] = ["py", "js", "rb"];
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    NAMES.contains(&name) || ENDINGS.contains(&ending) || (depth == 0 && PROGRAMS.contains(&ending))
}
