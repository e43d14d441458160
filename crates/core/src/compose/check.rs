//! Defaults that go into the model, and what is checked before it is typed.
//! (compose-go `transform/defaults.go`, `validation/`)

use std::net::IpAddr;

use super::canonical::{default, members};
use super::load::LoadError;
use super::value::{Data, Value};
use crate::source::Span;

/// Builds from the project directory what says nothing else: the one default that a linter needs, too.
pub(super) fn set_build_contexts(model: &mut Value) {
    for (_, entry) in members(model, "services") {
        let Some(build) = entry.value.get_mut("build") else { continue };
        // It is written nowhere.
        let span = Span { end: build.span.start, ..build.span };
        if let Some(build) = build.as_map_mut() {
            default(build, "context", || Value::text(".", span), span);
        }
    }
}

/// Sets what Compose sets where nothing is said.
pub(super) fn set_defaults(model: &mut Value) {
    for (_, entry) in members(model, "services") {
        let service = &mut entry.value;
        for port in service.get_mut("ports").and_then(Value::as_seq_mut).into_iter().flatten() {
            let span = port.span;
            if let Some(port) = port.as_map_mut() {
                default(port, "protocol", || Value::text("tcp", span), span);
                default(port, "mode", || Value::text("ingress", span), span);
            }
        }
        service.get_mut("gpus").into_iter().for_each(device_counts);
        let reserved = service
            .get_mut("deploy")
            .and_then(|deploy| deploy.get_mut("resources"))
            .and_then(|resources| resources.get_mut("reservations"))
            .and_then(|reservations| reservations.get_mut("devices"));
        reserved.into_iter().for_each(device_counts);
    }
}

fn device_counts(devices: &mut Value) {
    for device in devices.as_seq_mut().into_iter().flatten() {
        let span = device.span;
        if let Some(device) = device.as_map_mut()
            && !device.contains_key("device_ids")
        {
            default(device, "count", || Value::text("all", span), span);
        }
    }
}

/// Checks a canonical model.
pub(super) fn check<'m>(model: &'m Value) -> Result<(), LoadError> {
    let section = |name: &str| model.get(name).and_then(Value::as_map).into_iter().flatten();
    for (name, entry) in section("volumes") {
        let is_external =
            entry.value.get("external").is_some_and(|external| matches!(external.data, Data::Bool(true)));
        let other = entry.value.as_map().into_iter().flatten().find(|(key, _)| {
            is_external && !matches!(key.as_ref(), "name" | "external") && !key.starts_with("x-")
        });
        if let Some((key, entry)) = other {
            let message =
                format!("`volumes.{name}` is external, so `{key}:` has no say; remove one of the two");
            return Err(LoadError::new(message, entry.key_span));
        }
    }
    let sources: [(&str, &[&str]); 2] =
        [("configs", &["file", "environment", "content"]), ("secrets", &["file", "environment"])];
    for (kind, keys) in sources {
        for (name, entry) in section(kind) {
            let given: Vec<_> = keys.iter().filter(|key| entry.value.get(key).is_some()).collect();
            if let [first, second, ..] = given.as_slice() {
                let message = format!("`{kind}.{name}` has both `{first}:` and `{second}:`; keep one");
                return Err(LoadError::new(message, entry.key_span));
            }
            let elsewhere = ["driver", "external"].iter().any(|key| entry.value.get(key).is_some());
            if given.is_empty() && !elsewhere {
                let message =
                    format!("`{kind}.{name}` has no source; give it one of `{}:`", keys.join(":`, `"));
                return Err(LoadError::new(message, entry.key_span));
            }
        }
    }
    for (name, entry) in section("services") {
        let service = &entry.value;
        let items = |value: Option<&'m Value>| value.and_then(Value::as_seq).unwrap_or_default();
        for port in items(service.get("ports")) {
            if let Some(address) = port.get("host_ip")
                && address.as_str().is_none_or(|text| text.parse::<IpAddr>().is_err())
            {
                let message = format!("a port of service `{name}` has an invalid `host_ip:`");
                return Err(LoadError::new(message, address.span));
            }
        }
        for volume in items(service.get("volumes")) {
            if volume.get("type").and_then(Value::as_str) == Some("bind") && volume.get("source").is_none() {
                let message = format!("a mount of service `{name}` has the type bind and no `source:`");
                return Err(LoadError::new(message, volume.span));
            }
        }
        for watch in items(service.get("develop").and_then(|develop| develop.get("watch"))) {
            if let Some(path) = watch.get("path").filter(|path| path.as_str() == Some("")) {
                let message = format!("`services.{name}.develop.watch` has an empty `path:`");
                return Err(LoadError::new(message, path.span));
            }
        }
        let reserved = service
            .get("deploy")
            .and_then(|deploy| deploy.get("resources"))
            .and_then(|resources| resources.get("reservations"))
            .and_then(|reservations| reservations.get("devices"));
        for device in items(service.get("gpus")).iter().chain(items(reserved)) {
            if device.get("count").is_some() && device.get("device_ids").is_some() {
                let message =
                    format!("a device of service `{name}` has both `count:` and `device_ids:`; keep one");
                return Err(LoadError::new(message, device.span));
            }
        }
    }
    Ok(())
}
