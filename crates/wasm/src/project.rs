//! A project as Compose would read it from the files that are here.

use std::collections::{BTreeMap, BTreeSet};

use cosec_core::compose::{self, Environment, Interpolation, LoadError, LoadRequest, Loaded, Resolved, load};
use cosec_core::files::{FileSystem, MemoryFiles, parent};
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
    let resolved =
        read.and_then(|()| resolve(files, path, &environment, Interpolation::Strict, &mut sources));
    let unset = unset(files, path, &environment);
    let (text, error) = match resolved {
        Ok(resolved) => {
            let config = resolved.config(&[]).map(compose::config_yaml).unwrap_or_default();
            // So that it is a Compose file again.
            let config = config.replace('$', "$$");
            (if values { Some(config) } else { redact("compose.yaml", &config) }, None)
        }
        Err(error) => {
            let place = error.span.map(|span| JsonPlace::of(&sources, span));
            (None, Some(json!({"message": error.message, "place": place})))
        }
    };
    json!({"files": chain(files, path), "text": text, "unset": unset, "error": error})
}

fn resolve(
    files: &MemoryFiles,
    path: &str,
    environment: &Environment,
    interpolation: Interpolation,
    sources: &mut Sources,
) -> Result<Resolved, LoadError> {
    let variable = |name: &str| environment.get(name).map(|binding| binding.value.to_string());
    let profiles = variable("COMPOSE_PROFILES").unwrap_or_default();
    let profiles: Vec<String> = profiles.split(',').map(|name| name.trim().to_owned()).collect();
    let (name, files_of_it) = (variable("COMPOSE_PROJECT_NAME"), chain(files, path));
    let request = LoadRequest {
        working_directory: HERE,
        interpolation,
        name: name.as_deref(),
        profiles: &profiles,
        ..LoadRequest::lenient(&files_of_it, parent(path), environment)
    };
    let loaded = load(files, sources, &mut Vec::new(), &request)?;
    loaded.resolved.ok_or_else(|| LoadError { message: String::new(), span: None, related: None })
}

/// The variables that have no value here and no default; a shell may have them.
fn unset(files: &MemoryFiles, path: &str, environment: &Environment) -> BTreeSet<String> {
    let template = resolve(files, path, environment, Interpolation::None, &mut Sources::default());
    let variables = template.map(|resolved| compose::variables(&resolved.model())).unwrap_or_default();
    let is_unset = |variable: &compose::Variable| {
        environment.get(&variable.name).is_none()
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

/// The safe fixes of all files, one after the other: two may add to one .gitignore.
pub(crate) fn fix_all(files: &MemoryFiles, paths: &[String], lint: &LintOptions) -> Value {
    let mut now = MemoryFiles::default();
    for path in files.paths() {
        now.insert(path, files.read(path).unwrap_or_default());
    }
    let mut changes = Changes::default();
    let (mut fixes, mut refused) = (Vec::new(), Vec::new());
    for path in paths {
        // What cannot be read has no fixes; lint says why.
        let Ok(plan) = planned(&now, path, lint, false, &|_, _| true) else { continue };
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
/// known here and count as unset.
fn read(files: &MemoryFiles, path: &str, sources: &mut Sources) -> Result<Loaded, LoadError> {
    let directory = parent(path);
    let mut environment = Environment::default();
    read_dotenv(files, sources, directory, &mut environment)?;
    let files_of_it = chain(files, path);
    let request = LoadRequest::lenient(&files_of_it, directory, &environment);
    load(files, sources, &mut Vec::new(), &request)
}
