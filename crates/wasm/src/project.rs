//! A project as Compose would read it from the files that are here.

use cosec_core::compose::{Environment, LoadError, LoadRequest, Loaded, load};
use cosec_core::files::{MemoryFiles, parent};
use cosec_core::fix::{self, FixOptions, read_dotenv};
use cosec_core::lint::{LintOptions, Outcome, chain};
use cosec_core::plan::{self, Compat};
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

/// The fixed texts of a project, of the findings that `accept` lets through by place and rule; the error is a sentence.
pub(crate) fn fix(
    files: &MemoryFiles,
    path: &str,
    lint: &LintOptions,
    include_unsafe: bool,
    accept: &dyn Fn(&JsonPlace, &str) -> bool,
) -> Result<Value, String> {
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
    let plan = fix::plan(files, path, &options)?;
    let made = plan.new_files.iter().map(|file| {
        json!({"path": file.path, "text": String::from_utf8_lossy(file.content.expose()), "secret": true})
    });
    let changed =
        plan.changed.iter().map(|file| json!({"path": file.path, "text": file.after, "secret": false}));
    let files: Vec<Value> = made.chain(changed).collect();
    Ok(json!({"fixes": plan.fixes, "refused": plan.refused, "files": files}))
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
