//! Short forms written out: one spelling for each thing. (compose-go `transform/`)

use std::cell::Cell;
use std::sync::Arc;

use super::load::{Interpolation, LoadError};
use super::value::{Data, Map, MapEntry, Value};
use super::{port, volume};
use crate::files::join;
use crate::source::Span;

/// Writes out what a merged model has in short. Where loading is not strict, what cannot be understood
/// stays as it is. `ports` counts how many ports all have that are written out.
pub(super) fn canonical(
    model: &mut Value,
    interpolation: Interpolation,
    ports: &Cell<usize>,
) -> Result<(), LoadError> {
    let canonical = Canonical { interpolation, ports };
    for (name, entry) in members(model, "services") {
        if let Some(service) = entry.value.as_map_mut() {
            canonical.service(name, service)?;
        }
    }
    for section in ["volumes", "networks", "secrets", "configs"] {
        for (name, entry) in members(model, section) {
            canonical.external(&mut entry.value, section, name)?;
        }
    }
    for item in model.get_mut("include").and_then(Value::as_seq_mut).into_iter().flatten() {
        if matches!(item.data, Data::Str(_)) {
            wrap(item, "path");
        }
    }
    Ok(())
}

/// The entries of a section that is a mapping.
pub(super) fn members<'m>(
    model: &'m mut Value,
    section: &str,
) -> impl Iterator<Item = (&'m Arc<str>, &'m mut MapEntry)> {
    model.get_mut(section).and_then(Value::as_map_mut).into_iter().flatten()
}

/// More ports than all of two addresses have. A range of nine bytes stands for up to 65,535 of them.
const MOST_PORTS: usize = 1 << 17;

struct Canonical<'a> {
    interpolation: Interpolation,
    ports: &'a Cell<usize>,
}

impl Canonical<'_> {
    /// An error in strict loading, nothing otherwise.
    fn refuse(&self, message: String, span: Span) -> Result<(), LoadError> {
        match self.interpolation {
            Interpolation::Strict => Err(LoadError::new(message, span)),
            Interpolation::Lenient | Interpolation::None => Ok(()),
        }
    }

    fn service(&self, name: &str, service: &mut Map) -> Result<(), LoadError> {
        for (attribute, entry) in service.iter_mut() {
            let value = &mut entry.value;
            let path = format_args!("services.{name}.{attribute}");
            match attribute.as_ref() {
                "build" => self.build(name, value)?,
                "depends_on" => depends_on(value),
                "env_file" => self.env_file(value),
                "label_file" => listed(value),
                // An empty entry says nothing.
                "dns" => {
                    listed(value);
                    if let Some(items) = value.as_seq_mut() {
                        items.retain(|item| !item.is_null() && item.as_str() != Some(""));
                    }
                }
                "extends" if matches!(value.data, Data::Str(_)) => wrap(value, "service"),
                "gpus" if matches!(value.data, Data::Str(_)) => {
                    let span = value.span;
                    let all = Value::map([("count", Value::text("all", span))], span);
                    value.data = Data::Seq(vec![all]);
                }
                "networks" | "models" => named(value),
                "volumes" => {
                    for item in value.as_seq_mut().into_iter().flatten() {
                        if let Data::Str(spec) = &item.data {
                            match volume::parse(spec) {
                                Ok(parsed) => mount(item, &parsed),
                                Err(problem) => {
                                    self.refuse(format!("a mount of `{path}` {problem}"), item.span)?;
                                }
                            }
                        }
                    }
                }
                "devices" => {
                    for item in value.as_seq_mut().into_iter().flatten() {
                        self.device(item, &path)?;
                    }
                }
                "secrets" | "configs" => {
                    value.as_seq_mut().into_iter().flatten().for_each(grant);
                }
                "ports" => self.ports(value, &path)?,
                "ulimits" => self.ulimits(value, &path)?,
                "develop" => {
                    for watch in value.get_mut("watch").and_then(Value::as_seq_mut).into_iter().flatten() {
                        for key in ["ignore", "include"] {
                            watch.get_mut(key).into_iter().for_each(listed);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn build(&self, name: &str, build: &mut Value) -> Result<(), LoadError> {
        if matches!(build.data, Data::Str(_)) {
            wrap(build, "context");
        }
        let Some(map) = build.as_map_mut() else { return Ok(()) };
        for (attribute, entry) in map.iter_mut() {
            let value = &mut entry.value;
            let path = format_args!("services.{name}.build.{attribute}");
            match attribute.as_ref() {
                "secrets" => value.as_seq_mut().into_iter().flatten().for_each(grant),
                "provenance" | "sbom" => {
                    if let Some(text) = value.to_text() {
                        value.data = Data::Str(text.value);
                    }
                }
                "additional_contexts" => {
                    if let Some(item) = value
                        .as_seq()
                        .into_iter()
                        .flatten()
                        .find(|item| !item.as_str().is_some_and(|text| text.contains('=')))
                    {
                        self.refuse(format!("an entry of `{path}` must be `name=context`"), item.span)?;
                    } else {
                        assigned(value);
                    }
                }
                "ssh" => {
                    if let Some(item) = value.as_seq().into_iter().flatten().find(|item| {
                        !item.as_str().is_some_and(|text| text.contains('=') || text == "default")
                    }) {
                        self.refuse(
                            format!("an entry of `{path}` must be `default` or `id=path`"),
                            item.span,
                        )?;
                    } else {
                        assigned(value);
                    }
                }
                "ulimits" => self.ulimits(value, &path)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn env_file(&self, value: &mut Value) {
        listed(value);
        for item in value.as_seq_mut().into_iter().flatten() {
            let span = item.span;
            if matches!(item.data, Data::Str(_)) {
                wrap(item, "path");
            }
            if let Some(map) = item.as_map_mut() {
                default(map, "required", || Value::truth(true, span), span);
            }
        }
    }

    fn device(&self, item: &mut Value, path: &std::fmt::Arguments<'_>) -> Result<(), LoadError> {
        let Data::Str(text) = &item.data else { return Ok(()) };
        let span = item.span;
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, permissions) = match parts.as_slice() {
            [source] => (*source, *source, "rwm"),
            [source, target] => (*source, *target, "rwm"),
            [source, target, permissions] => (*source, *target, *permissions),
            _ => {
                self.refuse(
                    format!("a device of `{path}` has too many colons; write it in the long form"),
                    span,
                )?;
                ("", "", "rwm")
            }
        };
        let target = if target.is_empty() { source } else { target };
        let data = Value::map(
            [
                ("source", Value::text(source, span)),
                ("target", Value::text(target, span)),
                ("permissions", Value::text(permissions, span)),
            ],
            span,
        );
        item.data = data.data;
        Ok(())
    }

    fn ports(&self, value: &mut Value, path: &std::fmt::Arguments<'_>) -> Result<(), LoadError> {
        let Some(items) = value.as_seq_mut() else { return Ok(()) };
        let mut ports = Vec::with_capacity(items.len());
        let mut unclear = false;
        for item in items.iter() {
            let spec = match &item.data {
                Data::Map(_) => {
                    ports.push(item.clone());
                    continue;
                }
                Data::Str(_) | Data::Int(_) => item.to_text().map(|text| text.value).unwrap_or_default(),
                _ => {
                    self.refuse(format!("an entry of `{path}` must be a port"), item.span)?;
                    unclear = true;
                    continue;
                }
            };
            let parsed = port::parse(&spec);
            // Docker's own reading takes port 0, which Compose refuses then.
            match parsed.and_then(|ports| {
                let is_none = ports.iter().any(|port| port.target == 0);
                if is_none { Err(port::NO_TARGET) } else { Ok(ports) }
            }) {
                Ok(parsed) => {
                    self.ports.set(self.ports.get() + parsed.len());
                    if self.ports.get() > MOST_PORTS {
                        let message = format!(
                            "the ranges of `{path}` and the services before stand for more than {MOST_PORTS} ports; \
                             publish fewer"
                        );
                        return Err(LoadError::new(message, item.span));
                    }
                    ports.extend(parsed.into_iter().map(|port| published(item, port)));
                }
                Err(problem) => {
                    self.refuse(format!("an entry of `{path}` {problem}"), item.span)?;
                    unclear = true;
                }
            }
        }
        // Compose leaves the whole list as it is if one entry is a template.
        if !unclear {
            *items = ports;
        }
        Ok(())
    }

    fn ulimits(&self, value: &Value, path: &std::fmt::Arguments<'_>) -> Result<(), LoadError> {
        for (name, entry) in value.as_map().into_iter().flatten() {
            if !matches!(entry.value.data, Data::Map(_) | Data::Int(_)) {
                self.refuse(
                    format!("`{path}.{name}` must be a whole number, or `soft:` and `hard:`"),
                    entry.value.span,
                )?;
            }
        }
        Ok(())
    }

    /// `external: {name: n}` is `external: true` and `name: n`.
    fn external(&self, value: &mut Value, section: &str, name: &str) -> Result<(), LoadError> {
        let Some(map) = value.as_map_mut() else { return Ok(()) };
        let Some(external) = map.get_mut("external") else { return Ok(()) };
        if !matches!(external.value.data, Data::Map(_)) {
            return Ok(());
        }
        let span = external.value.span;
        let old = std::mem::replace(&mut external.value, Value::truth(true, span));
        let Some(outer) = old.get("name") else { return Ok(()) };
        match map.get("name") {
            Some(entry) if entry.value.as_str() != outer.as_str() => self.refuse(
                format!("`{section}.{name}` has a `name:` and another one in `external:`; keep one"),
                entry.value.span,
            ),
            Some(_) => Ok(()),
            None => {
                map.insert("name".into(), MapEntry { key_span: span, value: outer.clone() });
                Ok(())
            }
        }
    }
}

/// Sets a key that is not there.
pub(super) fn default(map: &mut Map, key: &str, value: impl FnOnce() -> Value, key_span: Span) {
    if !map.contains_key(key) {
        map.insert(key.into(), MapEntry { key_span, value: value() });
    }
}

/// `x` as `{key: x}`; the text keeps its place and template, a mark stays outside.
pub(super) fn wrap(value: &mut Value, key: &str) {
    let inner = taken(value);
    value.data = Value::map([(key, inner)], value.span).data;
}

/// `x` as `[x]`, the same way.
pub(super) fn wrap_in_list(value: &mut Value) {
    let inner = taken(value);
    value.data = Data::Seq(vec![inner]);
}

/// What is in a value, without its mark, which stays.
fn taken(value: &mut Value) -> Value {
    let mark = std::mem::take(&mut value.mark);
    let nothing = Value { mark, ..Value::new(Data::Null, value.span) };
    std::mem::replace(value, nothing)
}

/// A text as a list of one.
fn listed(value: &mut Value) {
    if matches!(value.data, Data::Str(_)) {
        wrap_in_list(value);
    }
}

pub(super) fn depends_on(value: &mut Value) {
    named(value);
    for (_, entry) in value.as_map_mut().into_iter().flatten() {
        let span = entry.value.span;
        if entry.value.is_null() {
            entry.value = Value::new(Data::Map(Map::new()), span);
        }
        if let Some(map) = entry.value.as_map_mut() {
            default(map, "condition", || Value::text("service_started", span), span);
            default(map, "required", || Value::truth(true, span), span);
        }
    }
}

/// `[a, b]` as `{a:, b:}`
pub(super) fn named(value: &mut Value) {
    let Data::Seq(items) = &value.data else { return };
    let entries = items.iter().filter_map(|item| {
        let name = item.to_text()?.value;
        Some((name, MapEntry { key_span: item.span, value: Value::new(Data::Null, item.span) }))
    });
    value.data = Data::Map(entries.collect());
}

/// `[a=b, c]` as `{a: b, c:}`
fn assigned(value: &mut Value) {
    let Data::Seq(items) = &value.data else { return };
    let entries = items.iter().filter_map(|item| {
        let text = item.as_str()?;
        let (name, inner) = match text.split_once('=') {
            Some((name, inner)) => (name, Value::text(inner, item.span)),
            None => (text, Value::new(Data::Null, item.span)),
        };
        Some((Arc::from(name), MapEntry { key_span: item.span, value: inner }))
    });
    value.data = Data::Map(entries.collect());
}

/// A grant of a secret or config by its name alone.
fn grant(item: &mut Value) {
    if matches!(item.data, Data::Str(_)) {
        wrap(item, "source");
    }
}

fn mount(item: &mut Value, parsed: &volume::Volume) {
    let span = item.span;
    let text = |text: &str| Value::text(text, span);
    let kind = if parsed.is_bind() { "bind" } else { "volume" };
    let mut map = Map::new();
    let mut insert = |key: &str, value: Value| {
        map.insert(key.into(), MapEntry { key_span: span, value });
    };
    insert("type", text(kind));
    if let Some(source) = &parsed.source {
        insert("source", text(source));
    }
    if let Some(target) = &parsed.target {
        insert("target", text(&join("", target)));
    }
    if parsed.read_only {
        insert("read_only", Value::truth(true, span));
    }
    if kind == "bind" || parsed.bind_options {
        let mut bind = Map::new();
        let mut insert = |key: &str, value: Value| {
            bind.insert(key.into(), MapEntry { key_span: span, value });
        };
        if let Some(selinux) = &parsed.selinux {
            insert("selinux", text(selinux));
        }
        if let Some(propagation) = &parsed.propagation {
            insert("propagation", text(propagation));
        }
        if kind == "bind" {
            insert("create_host_path", Value::truth(true, span));
        }
        map.insert("bind".into(), MapEntry { key_span: span, value: Value::new(Data::Map(bind), span) });
    }
    if (kind == "volume" && !parsed.bare) || parsed.no_copy {
        let options = if parsed.no_copy {
            Value::map([("nocopy", Value::truth(true, span))], span)
        } else {
            Value::map([], span)
        };
        map.insert("volume".into(), MapEntry { key_span: span, value: options });
    }
    item.data = Data::Map(map);
}

fn published(item: &Value, port: port::Port) -> Value {
    let span = item.span;
    let mut value = Value::map(
        [
            ("mode", Value::text("ingress", span)),
            ("target", Value::new(Data::Int(port.target.into()), span)),
            ("protocol", Value::text(port.protocol, span)),
        ],
        span,
    );
    if let Some(map) = value.as_map_mut() {
        for (key, part) in [("host_ip", port.address), ("published", port.published)] {
            if let Some(part) = part {
                map.insert(key.into(), MapEntry { key_span: span, value: Value::text(part, span) });
            }
        }
    }
    value.template.clone_from(&item.template);
    value
}
