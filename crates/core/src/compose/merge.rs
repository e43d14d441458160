//! How a later file changes an earlier one. (compose-go `override/merge.go`, `override/uncity.go`)
//!
//! Mappings merge deeply, scalars are replaced, lists are appended to; a few attributes have rules of their
//! own, and entries of some lists are the same thing if their key is the same.

use std::sync::Arc;

use indexmap::IndexMap;

use super::load::LoadError;
use super::value::{Data, Map, MapEntry, Mark, Template, Value};
use crate::source::{Sources, Span};

/// Merges `over` into `base` at the top of a project.
pub(super) fn merge(sources: &Sources, base: Value, over: Value) -> Result<Value, LoadError> {
    Merger { sources }.merge(base, over, &mut Vec::new())
}

/// Merges `over` into `base`, both services.
pub(super) fn merge_service(sources: &Sources, base: Value, over: Value) -> Result<Value, LoadError> {
    Merger { sources }.merge(base, over, &mut vec!["services".into(), "".into()])
}

/// Takes away what `!reset` marks, and the marks.
pub(super) fn without_resets(mut value: Value) -> Option<Value> {
    if value.mark == Mark::Reset {
        return None;
    }
    value.mark = Mark::None;
    value.data = match value.data {
        Data::Map(map) => Data::Map(
            map.into_iter()
                .filter_map(|(key, entry)| {
                    without_resets(entry.value)
                        .map(|value| (key, MapEntry { key_span: entry.key_span, value }))
                })
                .collect(),
        ),
        Data::Seq(items) => Data::Seq(items.into_iter().filter_map(without_resets).collect()),
        data => data,
    };
    Some(value)
}

struct Merger<'a> {
    sources: &'a Sources,
}

/// Where two values stand: `services`, the service's name, the attribute, …
type Path = Vec<Arc<str>>;

impl Merger<'_> {
    fn merge(&self, base: Value, over: Value, path: &mut Path) -> Result<Value, LoadError> {
        if over.mark == Mark::Override {
            let value = Value { mark: Mark::None, ..over };
            return Ok(without_resets(value).unwrap_or(base));
        }
        // A key without a value says nothing.
        if matches!(over.data, Data::Null) {
            return Ok(base);
        }
        let (base, over) = match form(path) {
            Form::Replaced => return Ok(without_resets(over).unwrap_or(base)),
            Form::Variables => (self.variables(base), self.variables(over)),
            Form::Names => (names(base), names(over)),
            Form::List => (list(base), list(over)),
            Form::Build => (build(base), build(over)),
            Form::Plain => (base, over),
        };
        let over_span = over.span;
        let (template, resolved) = (over.template.clone(), over.resolved);
        match (base.data, over.data) {
            (Data::Map(base_map), Data::Map(over_map)) => {
                let data = Data::Map(self.merge_maps(base_map, over_map, path)?);
                Ok(Value::new(data, over_span))
            }
            (Data::Seq(mut items), Data::Seq(more)) => {
                items.extend(more.into_iter().filter_map(without_resets));
                let data = Data::Seq(unique(items, path));
                Ok(Value::new(data, over_span))
            }
            (Data::Null, data) => {
                let value = Value { template, resolved, ..Value::new(data, over_span) };
                Ok(without_resets(value).unwrap_or(Value::new(Data::Null, base.span)))
            }
            (Data::Map(_) | Data::Seq(_), _) | (_, Data::Map(_) | Data::Seq(_)) => Err(LoadError::new(
                format!("cannot override {}: another file has it in another form", path.join(".")),
                over_span,
            )
            .also(base.span, "first here")),
            (_, data) => Ok(Value { template, resolved, ..Value::new(data, over_span) }),
        }
    }

    fn merge_maps(&self, mut base: Map, over: Map, path: &mut Path) -> Result<Map, LoadError> {
        for (key, entry) in over {
            if entry.value.mark == Mark::Reset {
                base.shift_remove(&key);
                continue;
            }
            path.push(key.clone());
            if let Some(earlier) = base.get_mut(&key) {
                let null = Value::new(Data::Null, earlier.value.span);
                let value = std::mem::replace(&mut earlier.value, null);
                earlier.value = self.merge(value, entry.value, path)?;
            } else if let Some(value) = without_resets(entry.value) {
                base.insert(key, MapEntry { key_span: entry.key_span, value });
            }
            path.pop();
        }
        Ok(base)
    }

    /// `K=v` lines as a mapping, each part with its own place.
    fn variables(&self, value: Value) -> Value {
        let Data::Seq(items) = value.data else { return value };
        let mut map = Map::new();
        for item in items {
            let Some(text) = item.to_text() else { continue };
            let part = |from: usize, to: usize| self.sources.within(item.span, &text.raw, from..to);
            let (name, key_span, value) = match (text.value.split_once('='), text.raw.find('=')) {
                (Some((name, value)), Some(at)) => {
                    let span = part(at + 1, text.raw.len());
                    let mut part_value = Value::new(Data::Str(value.into()), span);
                    part_value.template = item
                        .template
                        .as_ref()
                        .map(|_| Arc::new(Template { text: text.raw[at + 1..].into(), parts: Vec::new() }));
                    (name.into(), part(0, at), part_value)
                }
                _ => (text.value.clone(), item.span, Value::new(Data::Null, item.span)),
            };
            map.insert(name, MapEntry { key_span, value });
        }
        Value { mark: value.mark, ..Value::new(Data::Map(map), value.span) }
    }
}

/// How the values at a path are brought into one form before they are merged.
enum Form {
    Plain,
    Replaced,
    Variables,
    Names,
    List,
    Build,
}

fn form(path: &[Arc<str>]) -> Form {
    let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    match path.as_slice() {
        ["services", _, "command" | "entrypoint"] | ["services", _, "healthcheck", "test"] => Form::Replaced,
        ["services", _, "environment" | "labels" | "annotations" | "sysctls"]
        | ["services", _, "build", "args" | "labels" | "additional_contexts"]
        | ["services", _, "deploy", "labels"]
        | ["networks" | "volumes" | "secrets" | "configs", _, "labels"] => Form::Variables,
        ["services", _, "depends_on" | "networks"] => Form::Names,
        ["services", _, "env_file" | "label_file" | "dns" | "dns_search" | "dns_opt" | "tmpfs"] => Form::List,
        ["services", _, "build"] => Form::Build,
        _ => Form::Plain,
    }
}

/// `[a, b]` as `{a:, b:}`
fn names(value: Value) -> Value {
    let Data::Seq(items) = value.data else { return value };
    let entries = items.into_iter().filter_map(|item| {
        let name = item.to_text()?.value;
        Some((name, MapEntry { key_span: item.span, value: Value::new(Data::Null, item.span) }))
    });
    Value { mark: value.mark, ..Value::new(Data::Map(entries.collect()), value.span) }
}

/// `a` as `[a]`
fn list(value: Value) -> Value {
    if matches!(value.data, Data::Seq(_) | Data::Null) {
        return value;
    }
    let (span, mark) = (value.span, value.mark);
    Value { mark, ..Value::new(Data::Seq(vec![Value { mark: Mark::None, ..value }]), span) }
}

/// `dir` as `{context: dir}`
fn build(value: Value) -> Value {
    if !matches!(value.data, Data::Str(_)) {
        return value;
    }
    let (span, mark) = (value.span, value.mark);
    let entry = MapEntry { key_span: span, value: Value { mark: Mark::None, ..value } };
    let map = IndexMap::from_iter([(Arc::from("context"), entry)]);
    Value { mark, ..Value::new(Data::Map(map), span) }
}

/// Of entries with the same key the last one counts, at the first one's place.
fn unique(items: Vec<Value>, path: &[Arc<str>]) -> Vec<Value> {
    let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    let key: fn(&Value) -> Option<String> = match path.as_slice() {
        ["services", _, "secrets"] | ["services", _, "build", "secrets"] => {
            |item| grant_key(item, "/run/secrets/")
        }
        ["services", _, "configs"] => |item| grant_key(item, "/"),
        ["services", _, "volumes" | "devices"] => mount_key,
        ["services", _, "env_file"] => {
            |item| item.get("path").unwrap_or(item).to_text().map(|text| text.value.to_string())
        }
        [
            "services",
            _,
            "ports" | "expose" | "cap_add" | "cap_drop" | "tmpfs" | "dns" | "dns_search" | "dns_opt",
        ] => |item| item.to_text().map(|text| text.value.to_string()),
        _ => return items,
    };
    let mut kept: Vec<(Option<String>, Value)> = Vec::with_capacity(items.len());
    for item in items {
        let own = key(&item);
        match kept.iter_mut().find(|(other, _)| own.is_some() && *other == own) {
            Some((_, earlier)) => *earlier = item,
            None => kept.push((own, item)),
        }
    }
    kept.into_iter().map(|(_, item)| item).collect()
}

/// A relative `target:` is its own key, as written: so it does not replace the short form of the same name.
fn grant_key(item: &Value, directory: &str) -> Option<String> {
    let text = |key: &str| item.get(key).and_then(Value::to_text).map(|text| text.value.to_string());
    match item.as_map() {
        None => item.to_text().map(|text| format!("{directory}{}", text.value)),
        Some(_) => text("target").or_else(|| text("source").map(|source| format!("{directory}{source}"))),
    }
}

fn mount_key(item: &Value) -> Option<String> {
    if item.as_map().is_some() {
        return item.get("target").and_then(Value::to_text).map(|text| text.value.to_string());
    }
    let text = item.to_text()?;
    let mut parts = text.value.split(':');
    let first = parts.next()?;
    Some(parts.next().unwrap_or(first).to_owned())
}

/// Whether two values say the same, wherever they are written.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (&left.data, &right.data) {
        (Data::Null, Data::Null) => true,
        (Data::Bool(left), Data::Bool(right)) => left == right,
        (Data::Int(left), Data::Int(right)) => left == right,
        (Data::Float(left), Data::Float(right)) => left.to_bits() == right.to_bits(),
        (Data::Time(left), Data::Time(right)) | (Data::Str(left), Data::Str(right)) => left == right,
        (Data::Seq(left), Data::Seq(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Data::Map(left), Data::Map(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, entry)| right.get(key).is_some_and(|other| same(&entry.value, &other.value)))
        }
        _ => false,
    }
}

/// An empty mapping.
pub(super) fn empty(span: Span) -> Value {
    Value::new(Data::Map(Map::new()), span)
}
