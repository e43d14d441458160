//! A project as Compose would read it from the files that are here.

use cosec_core::compose::template::Missing;
use cosec_core::compose::{Environment, LoadError, LoadRequest, Loaded, add_env_files, load};
use cosec_core::files::{FileSystem, MemoryFiles, join, parent};
use cosec_core::lint::chain;
use cosec_core::plan::{self, Compat};
use cosec_core::source::Sources;
use serde_json::{Value, json};

use crate::place;

/// The plan, or why there is none.
pub(crate) fn plan(files: &MemoryFiles, path: &str) -> Value {
    let mut sources = Sources::default();
    let planned =
        read(files, path, &mut sources).and_then(|loaded| plan::plan(&loaded.project, Compat::Cosec));
    match planned {
        Ok(plan) => {
            let delivery = |delivery: &plan::Delivery| {
                let mut value = serde_json::to_value(delivery).unwrap_or_default();
                value["place"] = place(&sources, delivery.span);
                value
            };
            let deliveries: Vec<Value> = plan.deliveries.iter().map(delivery).collect();
            json!({"project": plan.project, "files": chain(files, path), "deliveries": deliveries, "error": null})
        }
        Err(error) => {
            let place = error.span.map(|span| place(&sources, span));
            let error = json!({"message": error.message, "place": place});
            json!({"project": null, "files": chain(files, path), "deliveries": [], "error": error})
        }
    }
}

/// Loads the project of a Compose file with its override file and `.env`. Variables of the environment are not
/// known here and count as unset.
fn read(files: &MemoryFiles, path: &str, sources: &mut Sources) -> Result<Loaded, LoadError> {
    let directory = parent(path);
    let mut environment = Environment::default();
    let dotenv = join(directory, ".env");
    if let Ok(text) = files.read(&dotenv) {
        let file = sources.add(dotenv, text);
        add_env_files(sources, &[file], &mut environment, Missing::Allow)?;
    }
    let files_of_it = chain(files, path);
    let request = LoadRequest::lenient(&files_of_it, directory, &environment);
    load(files, sources, &mut Vec::new(), &request)
}
