//! Lints one Compose file, or one file of variables, with all rules that are for it.

use crate::compose::{Environment, Interpolation, LoadError, LoadRequest, Loaded, dotenv, load};
use crate::files::{FILE_NAMES, FileSystem, OVERRIDE_NAMES, file_name, join, parent};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::ignore;
use crate::rules::{self, Check, Context, EnvFileContext, Finding, Findings, NotChecked, Persona, Rule};
use crate::source::{Position, Sources};
use crate::yaml::Document;

/// How to lint.
#[derive(Default)]
pub struct LintOptions {
    /// Whose rules.
    pub persona: Persona,
}

/// What linting one file gave.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The file's path as given.
    pub path: String,
    /// The texts that were read.
    pub sources: Sources,
    /// The syntax trees of the file, for masking.
    pub documents: Vec<Document>,
    /// What was found, in file order.
    pub findings: Vec<Finding>,
    /// What was found and is ignored by a comment, with the comment's reason.
    pub ignored: Vec<(Finding, String)>,
    /// What could not be checked.
    pub not_checked: Vec<NotChecked>,
    /// Why the file could not be read as a project. Nothing was checked then.
    pub error: Option<LoadError>,
}

impl Outcome {
    /// Where the text is that kept the file from being read.
    pub fn error_place(&self) -> Option<(Position, Position)> {
        match &self.error {
            Some(error) => error.span.map(|span| self.sources.range(span)),
            None => None,
        }
    }
}

/// Lints the file at `path`. It is looked at as it stands: variables count as unset, because what the
/// file says must not depend on who lints it.
pub fn lint_file(files: &dyn FileSystem, path: &str, options: &LintOptions) -> Outcome {
    let mut outcome = Outcome { path: path.to_owned(), ..Outcome::default() };
    if let Err(error) = check(files, path, options, &mut outcome) {
        outcome.not_checked.push(NotChecked { rule: "*", reason: error.to_string() });
        outcome.error = Some(error);
    }
    ignore::apply(&mut outcome);
    outcome
}

/// Whether a path is that of an env file: `.env`, `.env.local`, `db.env`, `env.example`.
pub fn is_env_file(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    name.split('.').any(|part| part == "env") && !name.ends_with(".yaml") && !name.ends_with(".yml")
}

/// Whether a path is that of a Compose file: `compose.yaml`, `docker-compose.prod.yml`, `app-compose.yml`.
pub fn is_compose_file(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| stem.split(['.', '-', '_']).any(|word| word == "compose"))
}

/// Leaves each finding in the first outcome that has it: a file that others include, extend or override is seen
/// from each of them.
pub fn once_each(outcomes: &mut [Outcome]) {
    let mut seen = HashSet::new();
    for outcome in outcomes {
        let sources = &outcome.sources;
        outcome.findings.retain(|finding| {
            let file = sources.file(finding.span.file).path().to_owned();
            seen.insert((file, finding.span.start, finding.rule, finding.path.clone()))
        });
    }
}

fn check_env_file(
    files: &dyn FileSystem,
    path: &str,
    options: &LintOptions,
    outcome: &mut Outcome,
) -> Result<(), LoadError> {
    let text = files.read(path).map_err(|error| LoadError::unreadable(path, &error))?;
    let file = outcome.sources.add(path, text);
    let assigned = dotenv::scan(file, outcome.sources.file(file).text());
    let context = EnvFileContext { sources: &outcome.sources, assigned: &assigned };
    let mut findings = Findings::default();
    for rule in rules::ALL.iter().filter(|rule| rule.persona <= options.persona) {
        if let Check::EnvFile(check) = rule.check {
            guarded(rule, &mut findings, |findings| check(&context, findings));
        }
    }
    outcome.findings = findings.found;
    Ok(())
}

fn check(
    files: &dyn FileSystem,
    path: &str,
    options: &LintOptions,
    outcome: &mut Outcome,
) -> Result<(), LoadError> {
    if is_env_file(path) {
        return check_env_file(files, path, options, outcome);
    }
    let chain = chain(files, path);
    let request = LoadRequest {
        files: &chain,
        directory: parent(path),
        working_directory: "/",
        environment: &Environment::default(),
        interpolation: Interpolation::Lenient,
        name: None,
        profiles: &[],
        services: &[],
    };
    let Loaded { root, project, left_out, .. } =
        load(files, &mut outcome.sources, &mut outcome.documents, &request)?;
    let context = Context { sources: &outcome.sources, root: &root, project: &project, files };
    let mut findings = Findings::default();
    for rule in rules::ALL.iter().filter(|rule| rule.persona <= options.persona) {
        if let Check::Project(check) = rule.check {
            guarded(rule, &mut findings, |findings| check(&context, findings));
        }
    }
    outcome.findings = findings.found;
    outcome.findings.sort_by_key(|finding| (finding.span.file, finding.span.start, finding.rule));
    outcome.not_checked = findings.not_checked;
    outcome.not_checked.extend(left_out.into_iter().map(|reason| NotChecked { rule: "*", reason }));
    Ok(())
}

/// A rule that fails costs itself only, and that is said. (Where panics cannot be caught, as in wasm, the caller
/// starts anew.)
fn guarded(rule: &Rule, findings: &mut Findings, check: impl FnOnce(&mut Findings)) {
    let mut own = Findings::default();
    match catch_unwind(AssertUnwindSafe(|| check(&mut own))) {
        Ok(()) => findings.append(own),
        Err(_) => findings.not_checked(rule, "the rule failed; please report it"),
    }
}

/// The files that Compose would read together with this one: an override file stands on its base, and a
/// base takes its override along.
pub fn chain(files: &dyn FileSystem, path: &str) -> Vec<String> {
    let name = file_name(path);
    let exists = |name: &str| {
        let other = join(parent(path), name);
        files.read(&other).is_ok().then_some(other)
    };
    let pair = FILE_NAMES.iter().position(|base| *base == name);
    let over = OVERRIDE_NAMES.iter().position(|over| *over == name);
    let mut chain = Vec::new();
    if over.is_some() {
        chain.extend(FILE_NAMES.iter().find_map(|base| exists(base)));
    }
    chain.push(path.to_owned());
    if pair.is_some() {
        chain.extend(OVERRIDE_NAMES.iter().find_map(|over| exists(over)));
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_fails_costs_itself_only_and_that_is_said() {
        let mut findings = Findings::default();
        guarded(rules::ALL[0], &mut findings, |_| panic!("on purpose"));
        assert_eq!(findings.not_checked.len(), 1);
        assert_eq!(findings.not_checked[0].rule, rules::ALL[0].id);
    }

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

    #[test]
    fn env_files_are_known_by_their_names() {
        for path in [".env", "a/.env.local", "db.env", "env.example", "app.env.dist"] {
            assert!(is_env_file(path), "{path}");
        }
        for path in ["compose.yaml", "compose.env.yaml", "environment", "envoy.json"] {
            assert!(!is_env_file(path), "{path}");
        }
    }
}
