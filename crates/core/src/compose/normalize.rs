//! What Compose adds to a model: the default network, implied dependencies, names of resources.
//! (compose-go `loader/normalize.go`, `loader/environment.go`)

use std::sync::Arc;

use super::canonical::{default, members};
use super::environment::Environment;
use super::value::{Data, Map, MapEntry, Value};
use crate::files::join;
use crate::source::Span;

/// Gives bare names in lists of variables the value that they have here.
pub(super) fn resolve_environment(model: &mut Value, environment: &Environment) {
    for (_, entry) in members(model, "services") {
        let Some(items) = entry.value.get_mut("environment").and_then(Value::as_seq_mut) else { continue };
        for item in items {
            assign(item, environment);
        }
    }
}

/// `NAME` as `NAME=value`, if there is a value.
fn assign(item: &mut Value, environment: &Environment) {
    if let Data::Str(name) = &item.data
        && let Some(binding) = environment.get(name)
    {
        item.data = Data::Str(format!("{name}={}", binding.value).into());
    }
}

/// Normalises a model whose paths are resolved.
pub(super) fn normalize(model: &mut Value, name: &str, environment: &Environment) {
    networks(model);
    for (_, entry) in members(model, "services") {
        service(&mut entry.value, environment);
    }
    for section in ["networks", "volumes", "configs", "secrets"] {
        for (key, entry) in members(model, section) {
            let span = entry.value.span;
            if entry.value.is_null() {
                entry.value = Value::new(Data::Map(Map::new()), span);
            }
            let Some(resource) = entry.value.as_map_mut() else { continue };
            if resource.get("name").is_none_or(|entry| entry.value.is_null()) {
                let external =
                    matches!(resource.get("external").map(|entry| &entry.value.data), Some(Data::Bool(true)));
                let full = if external { key.to_string() } else { format!("{name}_{key}") };
                resource.insert("name".into(), MapEntry { key_span: span, value: Value::text(full, span) });
            }
        }
    }
    if let Some(top) = model.as_map_mut() {
        let span = top.get("name").map(|entry| entry.key_span);
        let span = span.or_else(|| top.values().next().map(|entry| entry.key_span));
        if let Some(span) = span {
            top.insert("name".into(), MapEntry { key_span: span, value: Value::text(name, span) });
        }
    }
}

fn networks(model: &mut Value) {
    let span = model.span;
    let mut uses_default = false;
    for (_, entry) in members(model, "services") {
        let span = entry.value.span;
        let Some(service) = entry.value.as_map_mut() else { continue };
        if service.contains_key("provider") || service.contains_key("network_mode") {
            continue;
        }
        let none =
            service.get("networks").is_none_or(|entry| entry.value.as_map().is_none_or(|map| map.is_empty()));
        if none {
            let value = Value::map([("default", Value::new(Data::Null, span))], span);
            service.insert("networks".into(), MapEntry { key_span: span, value });
        }
        uses_default |= service.get("networks").is_some_and(|entry| entry.value.get("default").is_some());
    }
    let Some(top) = model.as_map_mut() else { return };
    if uses_default {
        let networks = top
            .entry("networks".into())
            .or_insert_with(|| MapEntry { key_span: span, value: Value::new(Data::Map(Map::new()), span) });
        if networks.value.is_null() {
            networks.value = Value::new(Data::Map(Map::new()), span);
        }
        if let Some(networks) = networks.value.as_map_mut() {
            networks
                .entry("default".into())
                .or_insert_with(|| MapEntry { key_span: span, value: Value::new(Data::Null, span) });
        }
    }
}

fn service(service: &mut Value, environment: &Environment) {
    let span = service.span;
    let Some(map) = service.as_map_mut() else { return };
    if let Some(policy) = map.get_mut("pull_policy")
        && policy.value.as_str() == Some("if_not_present")
    {
        policy.value.data = Data::Str("missing".into());
    }
    if let Some(build) = map.get_mut("build").and_then(|entry| entry.value.as_map_mut()) {
        let says = |key: &str| build.get(key).is_some_and(|entry| !entry.value.is_null());
        let (context, file) = (says("context"), says("dockerfile") || says("dockerfile_inline"));
        let mut insert = |key: &str, text: &str| {
            build.insert(key.into(), MapEntry { key_span: span, value: Value::text(text, span) });
        };
        if !context {
            insert("context", ".");
        }
        if !file {
            insert("dockerfile", "Dockerfile");
        }
        if let Some(arguments) = build.get_mut("args") {
            variables(&mut arguments.value, environment, false);
        }
    }
    if let Some(own) = map.get_mut("environment") {
        variables(&mut own.value, environment, true);
    }
    for item in map.get_mut("volumes").and_then(|entry| entry.value.as_seq_mut()).into_iter().flatten() {
        if let Some(target) = item.get_mut("target")
            && let Data::Str(text) = &target.data
        {
            target.data = Data::Str(join("", text).into());
        }
    }
    for item in map.get_mut("secrets").and_then(|entry| entry.value.as_seq_mut()).into_iter().flatten() {
        let span = item.span;
        if let Some(grant) = item.as_map_mut()
            && let Some(source) = grant.get("source").and_then(|entry| entry.value.to_text())
        {
            default(grant, "target", || Value::text(format!("/run/secrets/{}", source.value), span), span);
        }
    }
    dependencies(map, span);
}

/// Gives names without a value the one that they have here; without one they go, unless they are kept.
fn variables(value: &mut Value, environment: &Environment, keep: bool) {
    match &mut value.data {
        Data::Seq(items) => items.retain_mut(|item| {
            let bare = item.as_str().is_some_and(|text| !text.contains('='));
            if bare {
                assign(item, environment);
            }
            !bare || keep || item.as_str().is_some_and(|text| text.contains('='))
        }),
        Data::Map(map) => map.retain(|name, entry| {
            if !entry.value.is_null() {
                return true;
            }
            match environment.get(name) {
                Some(binding) => {
                    entry.value.data = Data::Str(binding.value.clone());
                    true
                }
                None => keep,
            }
        }),
        _ => {}
    }
}

/// Links, shared namespaces and `volumes_from` make a service depend on another.
fn dependencies(service: &mut Map, span: Span) {
    let mut implied: Vec<(Arc<str>, bool, Span)> = Vec::new();
    let list = |key: &str| {
        service
            .get(key)
            .and_then(|entry| entry.value.as_seq())
            .unwrap_or_default()
            .iter()
            .filter_map(|item| item.as_str().map(|text| (text, item.span)))
    };
    for (link, span) in list("links") {
        let parts: Vec<&str> = link.split(':').collect();
        let name = if parts.len() == 2 { parts[0] } else { link };
        implied.push((name.into(), true, span));
    }
    for namespace in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        if let Some(value) = service.get(namespace).map(|entry| &entry.value)
            && let Some(shared) = value.as_str().and_then(|text| text.strip_prefix("service:"))
        {
            implied.push((shared.into(), true, value.span));
        }
    }
    for (source, span) in list("volumes_from") {
        if !source.starts_with("container:") {
            implied.push((source.split(':').next().unwrap_or_default().into(), false, span));
        }
    }
    if implied.is_empty() {
        return;
    }
    let own = service
        .entry("depends_on".into())
        .or_insert_with(|| MapEntry { key_span: span, value: Value::new(Data::Map(Map::new()), span) });
    let Some(own) = own.value.as_map_mut() else { return };
    for (name, restart, span) in implied {
        own.entry(name).or_insert_with(|| {
            let value = Value::map(
                [
                    ("condition", Value::text("service_started", span)),
                    ("restart", Value::truth(restart, span)),
                    ("required", Value::truth(true, span)),
                ],
                span,
            );
            MapEntry { key_span: span, value }
        });
    }
}
