//! What Compose refuses in a project that is well formed. (compose-go `loader/validate.go`)

use super::load::LoadError;
use super::value::{Data, Map, MapEntry, Value};
use crate::files::{Answer, FileKind, FileSystem};

/// Checks the references and the least that a service needs. `is_enabled` tells which services count.
pub(super) fn validate(
    files: &dyn FileSystem,
    root: &Value,
    is_enabled: impl Fn(&str, &Map) -> bool,
) -> Result<(), LoadError> {
    let section = |key: &str| root.get(key).and_then(Value::as_map);
    let empty = Map::new();
    let services = section("services").unwrap_or(&empty);
    for (name, MapEntry { key_span, value }) in services {
        let Data::Map(service) = &value.data else { continue };
        if !is_enabled(name, service) {
            continue;
        }
        let has = |key: &str| service.get(key).is_some_and(|entry| !matches!(entry.value.data, Data::Null));
        if !has("image") && !has("build") && !has("provider") {
            let message = format!("service `{name}` has neither an `image:` nor a `build:`; give it one");
            return Err(LoadError::new(message, *key_span));
        }
        for network in names(service.get("networks")) {
            let defined =
                section("networks").is_some_and(|networks| networks.contains_key(network.0.as_str()));
            if !defined && network.0 != "default" {
                let message =
                    format!("service `{name}` refers to the network `{}`, which is not defined", network.0);
                return Err(LoadError::new(message, network.1));
            }
        }
        for dependency in names(service.get("depends_on")) {
            let optional = service
                .get("depends_on")
                .and_then(|entry| entry.value.get(&dependency.0))
                .and_then(|entry| entry.get("required"))
                .is_some_and(|required| matches!(required.data, Data::Bool(false)));
            if !services.contains_key(dependency.0.as_str()) && !optional {
                let message = format!("service `{name}` depends on `{}`, which is not defined", dependency.0);
                return Err(LoadError::new(message, dependency.1));
            }
        }
        for volume in named_volumes(service.get("volumes")) {
            let defined = section("volumes").is_some_and(|volumes| volumes.contains_key(volume.0.as_str()));
            if !defined {
                let message =
                    format!("service `{name}` refers to the volume `{}`, which is not defined", volume.0);
                return Err(LoadError::new(message, volume.1));
            }
        }
        check_env_files(files, service)?;
    }
    Ok(())
}

type Named = (String, crate::source::Span);

/// The names in a list, or the keys of a mapping.
fn names(entry: Option<&MapEntry>) -> Vec<Named> {
    match entry.map(|entry| &entry.value.data) {
        Some(Data::Map(map)) => map.iter().map(|(name, entry)| (name.to_string(), entry.key_span)).collect(),
        Some(Data::Seq(items)) => {
            items.iter().filter_map(|item| Some((item.to_text()?.value.to_string(), item.span))).collect()
        }
        _ => Vec::new(),
    }
}

/// The named volumes among mounts: `name:/path`, or the long form with `type: volume`.
fn named_volumes(entry: Option<&MapEntry>) -> Vec<Named> {
    let Some(Data::Seq(items)) = entry.map(|entry| &entry.value.data) else { return Vec::new() };
    items
        .iter()
        .filter_map(|item| {
            let text = |key: &str| item.get(key).and_then(Value::to_text).map(|text| text.value.to_string());
            let name = match &item.data {
                Data::Map(_) => text("source").filter(|_| text("type").as_deref() == Some("volume"))?,
                _ => item.to_text()?.value.split_once(':')?.0.to_owned(),
            };
            let is_name =
                !name.is_empty() && !name.starts_with(['/', '.', '~']) && !name.contains(['/', '\\']);
            is_name.then_some((name, item.span))
        })
        .collect()
}

fn check_env_files(files: &dyn FileSystem, service: &Map) -> Result<(), LoadError> {
    let Some(entry) = service.get("env_file") else { return Ok(()) };
    let items = entry.value.as_seq().unwrap_or(std::slice::from_ref(&entry.value));
    for item in items {
        let required =
            !item.get("required").is_some_and(|required| matches!(required.data, Data::Bool(false)));
        let Some(path) = item.get("path").unwrap_or(item).to_text() else { continue };
        if required && files.kind(&path.value) == Answer::Known(FileKind::Missing) {
            let message =
                format!("the env file {} does not exist; create it, or say `required: false`", path.value);
            return Err(LoadError::new(message, path.span));
        }
    }
    Ok(())
}
