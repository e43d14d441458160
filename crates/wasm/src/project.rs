//! A project as Compose would read it from the files that are here.

use std::collections::{BTreeMap, BTreeSet};

use cosec_core::compose::{
    self, Environment, Interpolation, LoadError, LoadRequest, Loaded, Resolved, Way, load,
};
use cosec_core::files::{MemoryFiles, join, parent};
use cosec_core::fix::{self, FixOptions, read_dotenv};
use cosec_core::lint::{LintOptions, Outcome, chain};
use cosec_core::plan::{self, Compat};
use cosec_core::redact::redact;
use cosec_core::report::JsonPlace;
use cosec_core::rules::Finding;
use cosec_core::source::Sources;
use serde_json::{Value, json};

/// The plan, or why there is none.
pub(crate) fn plan(files: &MemoryFiles, path: &str) -> Value {
    let mut sources = Sources::default();
    let planned =
        read(files, path, &mut sources).and_then(|loaded| plan::plan(&loaded.project, Compat::Cosec));
    match planned {
        Ok(plan) => {
            let delivery = |delivery: &plan::Delivery| {
                let mut value = serde_json::to_value(delivery).unwrap_or_default();
                value["place"] = json!(JsonPlace::of(&sources, delivery.span));
                value
            };
            let deliveries: Vec<Value> = plan.deliveries.iter().map(delivery).collect();
            json!({"project": plan.project, "files": chain(files, path), "deliveries": deliveries, "error": null})
        }
        Err(error) => {
            let place = error.span.map(|span| JsonPlace::of(&sources, span));
            let error = json!({"message": error.message, "place": place});
            json!({"project": null, "files": chain(files, path), "deliveries": [], "error": error})
        }
    }
}

/// Where the files are for Compose, which prints absolute paths: the page does not know it.
const HERE: &str = "/project";

/// What `docker compose config` prints, or why it refuses. Without `values` only names and paths are in it.
pub(crate) fn config(files: &MemoryFiles, path: &str, values: bool) -> Value {
    let mut sources = Sources::default();
    let mut environment = Environment::default();
    let read = read_dotenv(files, &mut sources, parent(path), &mut environment);
    let chain = project_files(files, path, &environment);
    let resolved =
        read.and_then(|()| resolve(files, &chain, path, &environment, Interpolation::Strict, &mut sources));
    let unset = unset(files, &chain, path, &environment);
    let (text, error) = match resolved {
        Ok(resolved) => {
            let config = resolved.config_yaml(&[]).unwrap_or_default();
            // So that it is a Compose file again.
            let config = config.replace('$', "$$");
            (if values { Some(config) } else { redact("compose.yaml", &config) }, None)
        }
        Err(error) => {
            let place = error.span.map(|span| JsonPlace::of(&sources, span));
            (None, Some(json!({"message": error.message, "place": place})))
        }
    };
    json!({"files": chain, "text": text, "unset": unset, "error": error})
}

/// The files of the project that a Compose file is of: those of `COMPOSE_FILE`, if it is one of them.
fn project_files(files: &MemoryFiles, path: &str, environment: &Environment) -> Vec<String> {
    let variable = |name: &str| environment.get(name).map(|binding| binding.value.to_string());
    let separator = variable("COMPOSE_PATH_SEPARATOR").filter(|text| !text.is_empty());
    let named = variable("COMPOSE_FILE").unwrap_or_default();
    let named = named.split(separator.as_deref().unwrap_or(":")).filter(|name| !name.is_empty());
    let named: Vec<String> = named.map(|name| join(parent(path), name)).collect();
    if named.iter().any(|name| name == path) { named } else { chain(files, path) }
}

fn resolve(
    files: &MemoryFiles,
    chain: &[String],
    path: &str,
    environment: &Environment,
    interpolation: Interpolation,
    sources: &mut Sources,
) -> Result<Resolved, LoadError> {
    let variable = |name: &str| environment.get(name).map(|binding| binding.value.to_string());
    let profiles = variable("COMPOSE_PROFILES").unwrap_or_default();
    let profiles: Vec<String> = profiles.split(',').map(|name| name.trim().to_owned()).collect();
    let name = variable("COMPOSE_PROJECT_NAME");
    let request = LoadRequest {
        working_directory: HERE,
        interpolation,
        name: name.as_deref(),
        profiles: &profiles,
        ..LoadRequest::lenient(chain, parent(path), environment)
    };
    let loaded = load(files, sources, &mut Vec::new(), &request)?;
    loaded.resolved.ok_or_else(|| LoadError { message: String::new(), span: None, related: None })
}

/// The variables that have no value here and no default; a shell may have them. The project's name is one that Compose
/// sets, and an included part has those of its own env files.
fn unset(files: &MemoryFiles, chain: &[String], path: &str, environment: &Environment) -> BTreeSet<String> {
    let mut sources = Sources::default();
    let template = resolve(files, chain, path, environment, Interpolation::None, &mut sources);
    let variables = template.map(|resolved| compose::variables(&resolved.model())).unwrap_or_default();
    let mut own = Sources::default();
    let request = LoadRequest::lenient(chain, parent(path), environment);
    let of_parts: BTreeSet<String> = match load(files, &mut own, &mut Vec::new(), &request) {
        Ok(loaded) => {
            let env_files = own.iter().filter(|(id, _)| loaded.ways.of(*id) == Some(Way::EnvFile));
            let names = env_files.flat_map(|(id, file)| compose::dotenv::scan(id, file.text()));
            names.filter(|found| found.value.is_some()).map(|found| found.name.value.to_string()).collect()
        }
        Err(_) => BTreeSet::new(),
    };
    let is_unset = |variable: &compose::Variable| {
        environment.get(&variable.name).is_none()
            && variable.name != "COMPOSE_PROJECT_NAME"
            && !of_parts.contains(&variable.name)
            && variable.default.is_empty()
            && variable.alternate.is_empty()
    };
    variables.into_iter().filter(is_unset).map(|variable| variable.name).collect()
}

/// What is changed in several steps: each file's text and what may be shown of it, before and after.
#[derive(Default)]
struct Changes {
    files: BTreeMap<String, Value>,
}

impl Changes {
    fn add(&mut self, path: &str, text: &str, secret: bool, shown: (&str, &str)) {
        let before = self.files.get(path).map(|file| file["shown"][0].clone());
        let shown = json!([before.unwrap_or_else(|| json!(shown.0)), shown.1]);
        let file = json!({"path": path, "text": text, "secret": secret, "shown": shown});
        self.files.insert(path.to_owned(), file);
    }
}

/// The safe fixes of all files, each linted in its way, one after the other: two may add to one .gitignore.
pub(crate) fn fix_all(files: &MemoryFiles, paths: impl Iterator<Item = (String, LintOptions)>) -> Value {
    let mut now = files.clone();
    let mut changes = Changes::default();
    let (mut fixes, mut refused) = (Vec::new(), Vec::new());
    for (path, lint) in paths {
        // What cannot be read has no fixes; lint says why.
        let Ok(plan) = planned(&now, &path, &lint, false, &|_, _| true) else { continue };
        for file in &plan.changed {
            now.insert(file.path.as_str(), file.after.as_str());
        }
        collect(&plan, &mut changes);
        fixes.extend(plan.fixes);
        refused.extend(plan.refused);
    }
    json!({"fixes": fixes, "refused": refused, "files": changes.files.into_values().collect::<Vec<_>>()})
}

fn collect(plan: &fix::FixPlan, changes: &mut Changes) {
    for file in &plan.new_files {
        let text = String::from_utf8_lossy(file.content.expose());
        changes.add(&file.path, &text, true, ("", ""));
    }
    for file in &plan.changed {
        changes.add(&file.path, &file.after, false, (&file.shown.0, &file.shown.1));
    }
}

/// The fixed texts of a project, of the findings that `accept` lets through by place and rule; the error is a sentence.
pub(crate) fn fix(
    files: &MemoryFiles,
    path: &str,
    lint: &LintOptions,
    include_unsafe: bool,
    accept: &dyn Fn(&JsonPlace, &str) -> bool,
) -> Result<Value, String> {
    let plan = planned(files, path, lint, include_unsafe, accept)?;
    let mut changes = Changes::default();
    collect(&plan, &mut changes);
    let files: Vec<Value> = changes.files.into_values().collect();
    Ok(json!({"fixes": plan.fixes, "refused": plan.refused, "files": files}))
}

fn planned(
    files: &MemoryFiles,
    path: &str,
    lint: &LintOptions,
    include_unsafe: bool,
    accept: &dyn Fn(&JsonPlace, &str) -> bool,
) -> Result<fix::FixPlan, String> {
    let mut environment = Environment::default();
    read_dotenv(files, &mut Sources::default(), parent(path), &mut environment)
        .map_err(|error| error.to_string())?;
    let accept = |outcome: &Outcome, finding: &Finding| {
        accept(&JsonPlace::of(&outcome.sources, finding.span), finding.rule)
    };
    let options = FixOptions {
        lint: lint.clone(),
        environment: &environment,
        include_unsafe,
        rules: &[],
        services: &[],
        accept: &accept,
    };
    fix::plan(files, path, &options)
}

/// Loads the project of a Compose file with its override file and `.env`. Variables of the environment are not
/// known here and count as unset. What Compose would refuse is an error, as nothing of it would start.
fn read(files: &MemoryFiles, path: &str, sources: &mut Sources) -> Result<Loaded, LoadError> {
    let directory = parent(path);
    let mut environment = Environment::default();
    read_dotenv(files, sources, directory, &mut environment)?;
    let files_of_it = project_files(files, path, &environment);
    let request = LoadRequest::lenient(&files_of_it, directory, &environment);
    let loaded = load(files, sources, &mut Vec::new(), &request)?;
    match loaded.refused {
        Some(refused) => Err(refused),
        None => Ok(loaded),
    }
}
