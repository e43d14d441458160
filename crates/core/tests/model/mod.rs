//! What Compose makes of files.

use cosec_core::compose::{Environment, Interpolation, LoadRequest, load};
use cosec_core::files::MemoryFiles;
use cosec_core::source::Sources;
use serde_json::Value;

/// The project of files in the order of `-f`, as `docker compose config` prints it; why not, if Compose refuses them.
pub(crate) fn config(
    files: &MemoryFiles,
    names: &[String],
    environment: &Environment,
) -> Result<Value, String> {
    let request = LoadRequest {
        files: names,
        directory: "",
        working_directory: "/work",
        environment,
        interpolation: Interpolation::Strict,
        name: Some("p"),
        profiles: &[],
        services: &[],
    };
    let loaded = load(files, &mut Sources::default(), &mut Vec::new(), &request);
    loaded.map_err(|error| error.message)?.resolved.ok_or("it is not resolved")?.config(&[])
}
