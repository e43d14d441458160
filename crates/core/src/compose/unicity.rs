//! Of entries of a list that mean the same thing, the last one counts, at the first one's place.
//! (compose-go `override/uncity.go`)

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::load::{Interpolation, LoadError};
use super::value::{Data, Value};
use super::volume;

/// Removes redefinitions everywhere in a project. In lenient loading an entry without a key stays.
pub(super) fn enforce(model: &mut Value, interpolation: Interpolation) -> Result<(), LoadError> {
    let unique = |value: &mut Value, path: &dyn Fn() -> String, key: Option<Key>| {
        unique(value, path, key, interpolation == Interpolation::Lenient)
    };
    if let Some(services) = model.get_mut("services").and_then(Value::as_map_mut) {
        for (name, entry) in services {
            let Some(service) = entry.value.as_map_mut() else { continue };
            for (attribute, entry) in service {
                let path = || format!("services.{name}.{attribute}");
                unique(&mut entry.value, &path, attribute_key(attribute))?;
                if attribute.as_ref() == "environment" && is_empty_list(&entry.value) {
                    entry.value.listed = false;
                }
                let inner: &[&str] = match attribute.as_ref() {
                    "build" => &["args", "additional_contexts", "platform", "tags", "labels"],
                    "deploy" => &["labels"],
                    _ => &[],
                };
                for key in inner {
                    if let Some(value) = entry.value.get_mut(key) {
                        unique(value, &path, Some(Key::Assigned))?;
                        if *key == "args" && is_empty_list(value) {
                            value.listed = false;
                        }
                    }
                }
                if attribute.as_ref() == "networks" {
                    for (_, network) in entry.value.as_map_mut().into_iter().flatten() {
                        for key in ["aliases", "link_local_ips"] {
                            if let Some(value) = network.value.get_mut(key) {
                                unique(value, &path, Some(Key::Assigned))?;
                            }
                        }
                    }
                }
            }
        }
    }
    for (name, entry) in model.get_mut("networks").and_then(Value::as_map_mut).into_iter().flatten() {
        let path = || format!("networks.{name}");
        if let Some(labels) = entry.value.get_mut("labels") {
            unique(labels, &path, Some(Key::Assigned))?;
        }
        if let Some(options) = entry.value.get_mut("ipam").and_then(|ipam| ipam.get_mut("options")) {
            unique(options, &path, Some(Key::Assigned))?;
        }
    }
    Ok(())
}

fn is_empty_list(value: &Value) -> bool {
    value.as_seq().is_some_and(<[Value]>::is_empty)
}

/// What makes an entry the same as another.
#[derive(Clone, Copy)]
enum Key {
    /// What stands before `=`.
    Assigned,
    /// The place in the container.
    Volume,
    /// The same, of a device.
    Device,
    /// The path of a file.
    EnvFile,
    /// The number.
    Exposed,
    /// The target, below this directory unless it is said.
    Grant(&'static str),
    /// Address, ports and protocol.
    Port,
}

fn attribute_key(attribute: &str) -> Option<Key> {
    Some(match attribute {
        "annotations" | "cap_add" | "cap_drop" | "dns" | "dns_opt" | "dns_search" | "environment"
        | "labels" | "links" | "profiles" | "sysctls" | "tmpfs" => Key::Assigned,
        "devices" => Key::Device,
        "configs" => Key::Grant(""),
        "env_file" => Key::EnvFile,
        "expose" => Key::Exposed,
        "ports" => Key::Port,
        "secrets" => Key::Grant("/run/secrets"),
        "volumes" => Key::Volume,
        _ => return None,
    })
}

fn unique(
    value: &mut Value,
    path: &dyn Fn() -> String,
    key: Option<Key>,
    lenient: bool,
) -> Result<(), LoadError> {
    if key.is_some() && is_empty_list(value) {
        // It is made anew, which is how Compose comes to print it as a list.
        value.listed = true;
    }
    let (Some(key), Some(items)) = (key, value.as_seq_mut()) else { return Ok(()) };
    // Most lists are short, but one of 10,000 entries must not cost their square.
    let mut places: HashMap<Cow<'_, str>, usize, foldhash::fast::RandomState> = HashMap::default();
    let mut again: Vec<(usize, usize)> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match key.of(item) {
            Ok(key) => match places.entry(key) {
                Entry::Occupied(first) => again.push((*first.get(), at)),
                Entry::Vacant(place) => drop(place.insert(at)),
            },
            Err(_) if lenient => {}
            Err(problem) => {
                let message = format!("an entry of `{}` {problem}", path());
                return Err(LoadError::new(message, item.span));
            }
        }
    }
    if again.is_empty() {
        return Ok(());
    }
    for (first, at) in &again {
        items.swap(*first, *at);
    }
    let mut replaced = again.iter().map(|(_, at)| *at).peekable();
    let mut at = 0;
    items.retain(|_| {
        let goes = replaced.next_if_eq(&at).is_some();
        at += 1;
        !goes
    });
    Ok(())
}

impl Key {
    fn of(self, item: &Value) -> Result<Cow<'_, str>, &'static str> {
        let member = |key: &str| item.get(key).and_then(Value::to_text).map(|text| text.value.to_string());
        match (self, &item.data) {
            (Key::Assigned, Data::Str(text)) => {
                Ok(Cow::Borrowed(text.split_once('=').map_or(&**text, |(name, _)| name)))
            }
            (Key::Assigned, _) => Err("must be text; put quotes around it"),
            (Key::Volume | Key::Device, Data::Map(_)) => {
                member("target").map(Cow::Owned).ok_or("has no `target:`, the place in the container")
            }
            (Key::Volume, Data::Str(text)) => Ok(Cow::Owned(volume::parse(text)?.target.unwrap_or_default())),
            (Key::Device, Data::Str(text)) => {
                let mut parts = text.split(':');
                let first = parts.next().unwrap_or_default();
                Ok(Cow::Borrowed(parts.next().unwrap_or(first)))
            }
            (Key::EnvFile | Key::Exposed | Key::Port, Data::Str(text)) => Ok(Cow::Borrowed(text)),
            (Key::EnvFile, Data::Map(_)) => member("path").map(Cow::Owned).ok_or("has no `path:`"),
            (Key::Exposed | Key::Port, Data::Int(number)) => Ok(Cow::Owned(number.to_string())),
            (Key::Exposed, _) => Err("must be a port number"),
            (Key::Grant(directory), Data::Str(name)) => Ok(Cow::Owned(format!("{directory}/{name}"))),
            (Key::Grant(directory), Data::Map(_)) => Ok(Cow::Owned(
                member("target")
                    .unwrap_or_else(|| format!("{directory}/{}", member("source").unwrap_or_default())),
            )),
            (Key::Grant(_), _) => Err("must be a name or a mapping with `source:`"),
            (Key::Port, Data::Map(_)) => {
                let target = member("target").ok_or("has no `target:` port")?;
                let host = member("host_ip").unwrap_or_else(|| "0.0.0.0".to_owned());
                let protocol = member("protocol").unwrap_or_else(|| "tcp".to_owned());
                // To Compose a number is another port than the same number as text.
                let is_number = matches!(item.get("published").map(|value| &value.data), Some(Data::Int(_)));
                let published = member("published").unwrap_or_default();
                let kind = if is_number { "number " } else { "" };
                Ok(Cow::Owned(format!("{host}:{kind}{published}:{target}/{protocol}")))
            }
            // Compose knows no key for these; the schema refuses them.
            (Key::Volume | Key::Device | Key::EnvFile | Key::Port, _) => Ok(Cow::Borrowed("")),
        }
    }
}
