//! How a later file changes an earlier one. (compose-go `override/merge.go`)
//!
//! Mappings merge deeply, scalars are replaced, lists are appended to; a few attributes have rules of their
//! own. What an entry replaces in a list is decided afterwards (`unicity.rs`).

use std::sync::Arc;

use super::canonical;
use super::load::LoadError;
use super::value::{Data, Map, MapEntry, Mark, Template, Value};
use crate::source::{Sources, Span};

/// What `!reset` or `!override` took away. The project has no trace of it, its file still has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Where it stood: `services.db.environment.PASSWORD`.
    pub path: String,
    /// What is gone: its value, in its file.
    pub span: Span,
    /// The value with the tag that took it away.
    pub by: Span,
    /// Which of the two.
    pub mark: Mark,
}

/// Merges `over` into `base` at the top of a project; tells in `removed` what is gone.
pub(super) fn merge(
    sources: &Sources,
    base: Value,
    over: Value,
    removed: &mut Vec<Removed>,
) -> Result<Value, LoadError> {
    Merger { sources, removed, keeps_marks: false }.merge(base, over, &mut Vec::new())
}

/// Merges `over` into `base`, which it extends; both services of this name. The marks of `over` stay on what comes
/// out: what earlier files say of the service is to go as well.
pub(super) fn merge_service(
    sources: &Sources,
    name: &Arc<str>,
    base: Value,
    over: Value,
    removed: &mut Vec<Removed>,
) -> Result<Value, LoadError> {
    let mut merger = Merger { sources, removed, keeps_marks: true };
    merger.merge(base, over, &mut vec!["services".into(), name.clone()])
}

/// Takes away what `!reset` marks, and the marks.
pub(super) fn without_resets(mut value: Value) -> Option<Value> {
    if !is_marked(&value) {
        return Some(value);
    }
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

/// Takes away what `!reset` marks; what `!override` marks is as any other.
pub(super) fn without_marks(value: Value) -> Value {
    let span = value.span;
    without_resets(value).unwrap_or_else(|| empty(span))
}

/// Makes nothing of what `!reset` marks, whatever it says; the marks stay.
pub(super) fn empty_resets(value: &mut Value) {
    if value.mark == Mark::Reset {
        value.data = Data::Null;
        return;
    }
    match &mut value.data {
        Data::Map(map) => map.values_mut().for_each(|entry| empty_resets(&mut entry.value)),
        Data::Seq(items) => items.iter_mut().for_each(empty_resets),
        _ => {}
    }
}

/// Whether there is a mark on it or in it.
fn is_marked(value: &Value) -> bool {
    value.mark != Mark::None
        || match &value.data {
            Data::Map(map) => map.values().any(|entry| is_marked(&entry.value)),
            Data::Seq(items) => items.iter().any(is_marked),
            _ => false,
        }
}

struct Merger<'a> {
    sources: &'a Sources,
    removed: &'a mut Vec<Removed>,
    keeps_marks: bool,
}

/// Where two values stand: `services`, the service's name, the attribute, …
type Path = Vec<Arc<str>>;

type Merged = Result<Value, LoadError>;

impl Merger<'_> {
    fn merge(&mut self, base: Value, over: Value, path: &mut Path) -> Merged {
        if over.mark == Mark::Override {
            self.removes(&base, &over, path);
            let mark = if self.keeps_marks { Mark::Override } else { Mark::None };
            let value = without_resets(Value { mark: Mark::None, ..over });
            return Ok(value.map_or(base, |value| Value { mark, ..value }));
        }
        // Marks go by the keys that the base has as it is written: those of a list are numbers.
        let is_list = base.listed || matches!(base.data, Data::Seq(_));
        let (base, over) = match form(path) {
            Form::Replaced => return Ok(without_resets(over).unwrap_or(base)),
            Form::Pools => return self.pools(&base, &over, path),
            Form::Logging => {
                let driver = |value: &Value| value.get("driver").and_then(Value::as_str).map(str::to_owned);
                match (driver(&base), driver(&over)) {
                    (Some(own), Some(other)) if own != other => {
                        return Ok(without_resets(over).unwrap_or(base));
                    }
                    _ => (base, over),
                }
            }
            Form::Variables => (self.variables(base)?, self.variables(over)?),
            Form::Dependencies => (dependencies(base), dependencies(over)),
            Form::Names => (names(base), names(over)),
            Form::List => (list(base), list(over)),
            Form::Hosts => {
                let (base, mut over) = (lines(self.struck(base, &over, path)), lines(over));
                let own: Vec<String> = strings(&base);
                if let Some(items) = over.as_seq_mut() {
                    items.retain(|item| !item.as_str().is_some_and(|text| own.iter().any(|one| one == text)));
                }
                (base, over)
            }
            Form::Build => (build(base), build(over)),
            Form::Plain => (base, over),
        };
        // A variable without a value comes from outside; any other key without one says nothing.
        if over.is_null() {
            let is_variable = path.split_last().is_some_and(|(_, map)| matches!(form(map), Form::Variables));
            return Ok(if is_variable { over } else { base });
        }
        let over_span = over.span;
        match (base.data, over.data) {
            (Data::Map(base_map), Data::Map(over_map)) => {
                let data = Data::Map(self.merge_maps(base_map, over_map, is_list, path)?);
                Ok(Value { listed: base.listed || over.listed, ..Value::new(data, over_span) })
            }
            (Data::Seq(mut items), Data::Seq(more)) => {
                items.extend(more.into_iter().filter_map(without_resets));
                Ok(Value::new(Data::Seq(items), over_span))
            }
            (Data::Map(_) | Data::Seq(_), _) => Err(LoadError::new(
                format!("cannot override {}: another file has it in another form", path.join(".")),
                over_span,
            )
            .also(base.span, "first here")),
            (base_data, data) => {
                let value = Value { data, ..over };
                Ok(without_resets(value).unwrap_or(Value::new(base_data, base.span)))
            }
        }
    }

    fn removes(&mut self, gone: &Value, by: &Value, path: &Path) {
        if !gone.is_null() {
            self.removed.push(Removed { path: path.join("."), span: gone.span, by: by.span, mark: by.mark });
        }
    }

    /// What `over` marks is taken out of a mapping that becomes a list.
    fn struck(&mut self, mut base: Value, over: &Value, path: &mut Path) -> Value {
        if let (Data::Map(base), Data::Map(over)) = (&mut base.data, &over.data) {
            for (key, entry) in over.iter().filter(|(_, entry)| entry.value.mark != Mark::None) {
                if let Some(gone) = base.shift_remove(key) {
                    path.push(key.clone());
                    self.removes(&gone.value, &entry.value, path);
                    path.pop();
                }
            }
        }
        base
    }

    /// Where the base was a list (`is_list`), what `over` marks is not in it by that name and stays.
    fn merge_maps(
        &mut self,
        mut base: Map,
        over: Map,
        is_list: bool,
        path: &mut Path,
    ) -> Result<Map, LoadError> {
        for (key, entry) in over {
            path.push(key.clone());
            if is_list && entry.value.mark == Mark::Reset {
                match base.get_mut(&key) {
                    // It goes from earlier files, and is here.
                    Some(own) if self.keeps_marks => own.value.mark = Mark::Override,
                    None if self.keeps_marks => drop(base.insert(key, entry)),
                    _ => {}
                }
            } else if entry.value.mark == Mark::Reset {
                if let Some(gone) = base.shift_remove(&key) {
                    self.removes(&gone.value, &entry.value, path);
                }
                if self.keeps_marks {
                    base.insert(key, entry);
                }
            } else if let Some(earlier) = base.get_mut(&key) {
                let null = Value::new(Data::Null, earlier.value.span);
                let value = std::mem::replace(&mut earlier.value, null);
                earlier.value = self.merge(value, entry.value, path)?;
            } else if self.keeps_marks {
                base.insert(key, entry);
            } else if let Some(value) = without_resets(entry.value) {
                base.insert(key, MapEntry { key_span: entry.key_span, value });
            }
            path.pop();
        }
        Ok(base)
    }

    /// Address pools are the same thing if their subnet is.
    fn pools(&mut self, base: &Value, over: &Value, path: &mut Path) -> Merged {
        let name = path.join(".");
        let wrong =
            |value: &Value| LoadError::new(format!("`{name}` must be a list of address pools"), value.span);
        let span = over.span;
        let (Some(own), Some(others)) = (base.as_seq(), over.as_seq()) else {
            return Err(wrong(if base.as_seq().is_none() { base } else { over }));
        };
        let subnet = |value: &Value| value.get("subnet").and_then(Value::as_str).map(str::to_owned);
        let mut pools: Vec<Value> = Vec::new();
        for pool in own {
            let mut pool = pool.clone();
            for other in others {
                let place =
                    |pools: &[Value], one: &Value| pools.iter().position(|pool| subnet(pool) == subnet(one));
                if subnet(other) != subnet(&pool) && place(&pools, other).is_none() {
                    pools.push(other.clone());
                    continue;
                }
                let (Data::Map(map), Data::Map(more)) = (pool.data, other.data.clone()) else {
                    return Err(wrong(other));
                };
                path.push("[]".into());
                pool = Value::new(Data::Map(self.merge_maps(map, more, false, path)?), other.span);
                path.pop();
                match place(&pools, &pool) {
                    Some(place) => pools[place] = pool.clone(),
                    None => pools.push(pool.clone()),
                }
            }
        }
        Ok(Value::new(Data::Seq(pools), span))
    }

    /// `K=v` lines as a mapping, each part with its own place, in the order in which Compose would list them.
    fn variables(&self, value: Value) -> Merged {
        let items = match &value.data {
            Data::Seq(items) => items.clone(),
            Data::Map(map) => {
                let mut map = map.clone();
                if !value.listed {
                    let line = |name: &Arc<str>| name.bytes().chain(*b"=").collect::<Vec<u8>>();
                    map.sort_by_cached_key(|name, _| line(name));
                }
                return Ok(Value { listed: true, data: Data::Map(map), ..value });
            }
            Data::Str(_) => vec![value.clone()],
            _ => return Ok(value),
        };
        let mut map = Map::new();
        for item in items {
            if item.mark == Mark::Reset {
                continue;
            }
            let Data::Str(text) = &item.data else {
                let message = "an entry of a list of variables must be text: write `NAME=value`, or make the list a mapping";
                return Err(LoadError::new(message, item.span));
            };
            let raw = item.template.as_ref().map_or_else(|| text.clone(), |template| template.text.clone());
            let part = |from: usize, to: usize| self.sources.within(item.span, &raw, from..to);
            let (name, key_span, value) = match (text.split_once('='), raw.find('=')) {
                (Some((name, value)), Some(at)) => {
                    let mut part_value = Value::text(value, part(at + 1, raw.len()));
                    part_value.template = item
                        .template
                        .as_ref()
                        .map(|_| Arc::new(Template { text: raw[at + 1..].into(), parts: Vec::new() }));
                    (name.into(), part(0, at), part_value)
                }
                _ => (text.clone(), item.span, Value::new(Data::Null, item.span)),
            };
            map.insert(name, MapEntry { key_span, value });
        }
        let place = Value::new(Data::Map(map), value.span);
        Ok(Value { mark: value.mark, listed: true, ..place })
    }
}

/// How the values at a path are brought into one form before they are merged.
enum Form {
    Plain,
    Replaced,
    Variables,
    Dependencies,
    Names,
    List,
    Hosts,
    Build,
    Logging,
    Pools,
}

fn form(path: &[Arc<str>]) -> Form {
    let [section, _, rest @ ..] = path else { return Form::Plain };
    let mut keys = [""; 3];
    if rest.is_empty() || rest.len() > keys.len() {
        return Form::Plain;
    }
    for (slot, key) in keys.iter_mut().zip(rest) {
        *slot = key;
    }
    match (section.as_ref(), &keys[..rest.len()]) {
        ("services", ["command" | "entrypoint"] | ["healthcheck", "test"] | ["ulimits", _]) => Form::Replaced,
        (
            "services",
            ["environment" | "labels" | "annotations" | "sysctls"]
            | ["build", "args" | "labels" | "additional_contexts"]
            | ["deploy", "labels"],
        )
        | ("networks" | "volumes", ["labels"]) => Form::Variables,
        ("services", ["depends_on"]) => Form::Dependencies,
        ("services", ["networks" | "models"]) => Form::Names,
        ("services", ["env_file" | "label_file" | "dns" | "dns_search" | "dns_opt" | "tmpfs"]) => Form::List,
        ("services", ["extra_hosts"] | ["build", "extra_hosts"]) => Form::Hosts,
        ("services", ["build"]) => Form::Build,
        ("services", ["logging"]) => Form::Logging,
        ("networks", ["ipam", "config"]) => Form::Pools,
        _ => Form::Plain,
    }
}

/// `[a, b]` as what the short form of a dependency means.
fn dependencies(mut value: Value) -> Value {
    if matches!(value.data, Data::Seq(_)) {
        canonical::depends_on(&mut value);
    }
    value
}

/// `[a, b]` as `{a:, b:}`
fn names(mut value: Value) -> Value {
    canonical::named(&mut value);
    value
}

/// `a` as `[a]`
fn list(mut value: Value) -> Value {
    if !matches!(value.data, Data::Seq(_) | Data::Null) {
        canonical::wrap_in_list(&mut value);
    }
    value
}

/// `{a: b}` as `[a=b]`, sorted.
fn lines(value: Value) -> Value {
    let Data::Map(map) = &value.data else { return value };
    let mut items: Vec<Value> = Vec::with_capacity(map.len());
    for (name, entry) in map.iter().filter(|(_, entry)| entry.value.mark != Mark::Reset) {
        let values = entry.value.as_seq().unwrap_or(std::slice::from_ref(&entry.value));
        for one in values {
            let line = match one.to_text() {
                Some(text) => format!("{name}={}", text.value),
                None => name.to_string(),
            };
            items.push(Value::text(line, one.span));
        }
    }
    items.sort_by(|left, right| left.as_str().cmp(&right.as_str()));
    Value { mark: value.mark, ..Value::new(Data::Seq(items), value.span) }
}

fn strings(value: &Value) -> Vec<String> {
    value.as_seq().unwrap_or_default().iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// `dir` as `{context: dir}`
fn build(mut value: Value) -> Value {
    if matches!(value.data, Data::Str(_)) {
        canonical::wrap(&mut value, "context");
    }
    value
}

/// Whether two values say the same, wherever they are written.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
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
