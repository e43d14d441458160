//! A model with Compose's own types, printed as Compose prints it. (compose-go `types/`, go's
//! `encoding/json` with `omitempty`)

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map as Json, Number, Value as JsonValue, json};

use super::interpolate::{boolean, float, integer};
use super::load::LoadError;
use super::value::{Data, Map, MapEntry, Value, format_float};
use super::{shell, units};
use crate::source::Span;
use crate::yaml;

/// An attribute: its key and its type.
struct Field(&'static str, Type);

/// What an attribute holds, and how it is printed. Unless it says otherwise, what is empty is not printed.
#[derive(Clone, Copy)]
enum Type {
    Text,
    Bool,
    /// A truth value that is printed if it is said.
    Said,
    Int,
    /// A number of so many bits that may not be negative, nor a text.
    Unsigned(u32),
    /// The same, which is printed even if it is not said.
    SaidUnsigned(u32),
    /// A number that is printed if it is said, and may not be negative.
    Count,
    /// A number that is printed if it is said.
    SaidInt,
    /// A number in single precision.
    Float,
    /// A size, printed as text.
    Bytes,
    /// A size that is printed even if it is not said.
    Rate,
    Duration,
    /// A duration that is printed if it is said.
    SaidDuration,
    /// A list of text.
    Texts,
    /// Text, or a list of text.
    TextOrTexts,
    /// Text, or a list of anything.
    Scalars,
    /// Split as a shell would; printed as null if it is not said.
    Command,
    HealthTest,
    /// Variables: a list of `K=v` or a mapping; printed as a mapping, null for a value from outside.
    Variables,
    /// The same, without nulls.
    Mapping,
    /// A mapping to scalars.
    Options,
    /// A mapping to lists of scalars.
    MultiOptions,
    /// A mapping to text.
    TextMap,
    /// Hosts and addresses.
    Hosts,
    /// One attribute after the other, printed if it is said.
    Struct(&'static [Field]),
    /// The same, printed even if it is not said.
    Always(&'static [Field]),
    /// A list of structures.
    List(&'static [Field]),
    /// A mapping to structures or null.
    MapOf(&'static [Field]),
    Ulimits,
    /// Permissions in base 8.
    Mode,
    DeviceCount,
    Ssh,
    /// Read and not printed: what another step has replaced.
    Dropped,
    /// Taken as it is.
    Raw,
}

use Type::{
    Always, Bool, Bytes, Command, Count, DeviceCount, Dropped, Float, HealthTest, Hosts, Int, List, MapOf,
    Mapping, Mode, MultiOptions, Options, Rate, Raw, Said, SaidDuration, SaidInt, SaidUnsigned, Scalars, Ssh,
    Struct, Text, TextMap, TextOrTexts, Texts, Ulimits, Unsigned, Variables,
};

const HOOK: &[Field] = &[
    Field("command", Command),
    Field("user", Text),
    Field("privileged", Bool),
    Field("working_dir", Text),
    Field("environment", Variables),
];

const GRANT: &[Field] = &[
    Field("source", Text),
    Field("target", Text),
    Field("uid", Text),
    Field("gid", Text),
    Field("mode", Mode),
];

const BUILD: &[Field] = &[
    Field("context", Text),
    Field("dockerfile", Text),
    Field("dockerfile_inline", Text),
    Field("entitlements", Texts),
    Field("args", Variables),
    Field("provenance", Text),
    Field("sbom", Text),
    Field("ssh", Ssh),
    Field("labels", Mapping),
    Field("cache_from", TextOrTexts),
    Field("cache_to", TextOrTexts),
    Field("no_cache", Bool),
    Field("additional_contexts", Mapping),
    Field("pull", Bool),
    Field("extra_hosts", Hosts),
    Field("isolation", Text),
    Field("network", Text),
    Field("target", Text),
    Field("secrets", List(GRANT)),
    Field("shm_size", Bytes),
    Field("tags", TextOrTexts),
    Field("ulimits", Ulimits),
    Field("platforms", TextOrTexts),
    Field("privileged", Bool),
];

// These two have no names in JSON, so go prints those of its fields.
const WEIGHT_DEVICE: &[Field] = &[Field("Path", Raw), Field("Weight", SaidUnsigned(16))];
const THROTTLE_DEVICE: &[Field] = &[Field("Path", Raw), Field("Rate", Rate)];

const BLKIO: &[Field] = &[
    Field("weight", Unsigned(16)),
    Field("weight_device", List(WEIGHT_DEVICE)),
    Field("device_read_bps", List(THROTTLE_DEVICE)),
    Field("device_read_iops", List(THROTTLE_DEVICE)),
    Field("device_write_bps", List(THROTTLE_DEVICE)),
    Field("device_write_iops", List(THROTTLE_DEVICE)),
];

const WATCH: &[Field] = &[
    Field("path", Type::Raw),
    Field("action", Type::Raw),
    Field("target", Text),
    Field("exec", Always(HOOK)),
    Field("include", Texts),
    Field("ignore", Texts),
    Field("initial_sync", Bool),
];

const UPDATE: &[Field] = &[
    Field("parallelism", Count),
    Field("delay", Type::Duration),
    Field("failure_action", Text),
    Field("monitor", Type::Duration),
    Field("max_failure_ratio", Float),
    Field("order", Text),
];

const DEVICE_REQUEST: &[Field] = &[
    Field("capabilities", Texts),
    Field("driver", Text),
    Field("count", DeviceCount),
    Field("device_ids", Texts),
    Field("options", Mapping),
];

const GENERIC_RESOURCE: &[Field] =
    &[Field("discrete_resource_spec", Struct(&[Field("kind", Raw), Field("value", Raw)]))];

const RESOURCE: &[Field] = &[
    Field("cpus", Float),
    Field("memory", Bytes),
    Field("pids", Int),
    Field("devices", List(DEVICE_REQUEST)),
    Field("generic_resources", List(GENERIC_RESOURCE)),
];

const DEPLOY: &[Field] = &[
    Field("mode", Text),
    Field("replicas", SaidInt),
    Field("labels", Mapping),
    Field("update_config", Struct(UPDATE)),
    Field("rollback_config", Struct(UPDATE)),
    Field("resources", Always(&[Field("limits", Struct(RESOURCE)), Field("reservations", Struct(RESOURCE))])),
    Field(
        "restart_policy",
        Struct(&[
            Field("condition", Text),
            Field("delay", SaidDuration),
            Field("max_attempts", Count),
            Field("window", SaidDuration),
        ]),
    ),
    Field(
        "placement",
        Always(&[
            Field("constraints", Texts),
            Field("preferences", List(&[Field("spread", Text)])),
            Field("max_replicas_per_node", Unsigned(64)),
        ]),
    ),
    Field("endpoint_mode", Text),
];

const SERVICE_NETWORK: &[Field] = &[
    Field("aliases", Texts),
    Field("driver_opts", Options),
    Field("gw_priority", Int),
    Field("interface_name", Text),
    Field("ipv4_address", Text),
    Field("ipv6_address", Text),
    Field("link_local_ips", Texts),
    Field("mac_address", Text),
    Field("priority", Int),
];

const PORT: &[Field] = &[
    Field("name", Text),
    Field("mode", Text),
    Field("host_ip", Text),
    Field("target", Unsigned(32)),
    Field("published", Text),
    Field("protocol", Text),
    Field("app_protocol", Text),
];

const MOUNT: &[Field] = &[
    Field("type", Text),
    Field("source", Text),
    Field("target", Text),
    Field("read_only", Bool),
    Field("consistency", Text),
    Field(
        "bind",
        Struct(&[
            Field("selinux", Text),
            Field("propagation", Text),
            Field("create_host_path", Bool),
            Field("recursive", Text),
        ]),
    ),
    Field("volume", Struct(&[Field("labels", Mapping), Field("nocopy", Bool), Field("subpath", Text)])),
    Field("tmpfs", Struct(&[Field("size", Bytes), Field("mode", Unsigned(32))])),
    Field("image", Struct(&[Field("subpath", Text)])),
];

const SERVICE: &[Field] = &[
    Field("profiles", Texts),
    Field("annotations", Mapping),
    Field("attach", Said),
    Field("build", Struct(BUILD)),
    Field("develop", Struct(&[Field("watch", List(WATCH))])),
    Field("blkio_config", Struct(BLKIO)),
    Field("cap_add", Texts),
    Field("cap_drop", Texts),
    Field("cgroup_parent", Text),
    Field("cgroup", Text),
    Field("cpu_count", Int),
    Field("cpu_percent", Float),
    Field("cpu_period", Int),
    Field("cpu_quota", Int),
    Field("cpu_rt_period", Int),
    Field("cpu_rt_runtime", Int),
    Field("cpus", Float),
    Field("cpuset", Text),
    Field("cpu_shares", Int),
    Field("command", Command),
    Field("configs", List(GRANT)),
    Field("container_name", Text),
    Field("credential_spec", Struct(&[Field("config", Text), Field("file", Text), Field("registry", Text)])),
    Field("depends_on", MapOf(&[Field("condition", Text), Field("restart", Bool), Field("required", Raw)])),
    Field("deploy", Struct(DEPLOY)),
    Field("device_cgroup_rules", Texts),
    Field("devices", List(&[Field("source", Text), Field("target", Text), Field("permissions", Text)])),
    Field("dns", TextOrTexts),
    Field("dns_opt", Texts),
    Field("dns_search", TextOrTexts),
    Field("domainname", Text),
    Field("entrypoint", Command),
    Field("provider", Struct(&[Field("type", Text), Field("options", MultiOptions)])),
    Field("environment", Variables),
    Field("env_file", Dropped),
    Field("expose", Scalars),
    Field("extends", Struct(&[Field("file", Text), Field("service", Text)])),
    Field("external_links", Texts),
    Field("extra_hosts", Hosts),
    Field("group_add", Texts),
    Field("gpus", List(DEVICE_REQUEST)),
    Field("hostname", Text),
    Field(
        "healthcheck",
        Struct(&[
            Field("test", HealthTest),
            Field("timeout", SaidDuration),
            Field("interval", SaidDuration),
            Field("retries", Count),
            Field("start_period", SaidDuration),
            Field("start_interval", SaidDuration),
            Field("disable", Bool),
        ]),
    ),
    Field("image", Text),
    Field("init", Said),
    Field("ipc", Text),
    Field("isolation", Text),
    Field("labels", Mapping),
    Field("label_file", Dropped),
    Field("links", Texts),
    Field("logging", Struct(&[Field("driver", Text), Field("options", Options)])),
    Field("log_driver", Text),
    Field("log_opt", TextMap),
    Field("mem_limit", Bytes),
    Field("mem_reservation", Bytes),
    Field("memswap_limit", Bytes),
    Field("mem_swappiness", Bytes),
    Field("mac_address", Text),
    Field("models", MapOf(&[Field("endpoint_var", Text), Field("model_var", Text)])),
    Field("net", Text),
    Field("network_mode", Text),
    Field("networks", MapOf(SERVICE_NETWORK)),
    Field("oom_kill_disable", Bool),
    Field("oom_score_adj", Int),
    Field("pid", Text),
    Field("pids_limit", Int),
    Field("platform", Text),
    Field("ports", List(PORT)),
    Field("privileged", Bool),
    Field("pull_policy", Text),
    Field("read_only", Bool),
    Field("restart", Text),
    Field("runtime", Text),
    Field("scale", SaidInt),
    Field("secrets", List(GRANT)),
    Field("security_opt", Texts),
    Field("shm_size", Bytes),
    Field("stdin_open", Bool),
    Field("stop_grace_period", SaidDuration),
    Field("stop_signal", Text),
    Field("storage_opt", TextMap),
    Field("sysctls", Mapping),
    Field("tmpfs", TextOrTexts),
    Field("tty", Bool),
    Field("ulimits", Ulimits),
    Field("use_api_socket", Bool),
    Field("user", Text),
    Field("userns_mode", Text),
    Field("uts", Text),
    Field("volume_driver", Text),
    Field("volumes", List(MOUNT)),
    Field("volumes_from", Texts),
    Field("working_dir", Text),
    Field("post_start", List(HOOK)),
    Field("pre_stop", List(HOOK)),
];

const NETWORK: &[Field] = &[
    Field("name", Text),
    Field("driver", Text),
    Field("driver_opts", Options),
    Field(
        "ipam",
        Always(&[
            Field("driver", Text),
            Field(
                "config",
                List(&[
                    Field("subnet", Text),
                    Field("gateway", Text),
                    Field("ip_range", Text),
                    Field("aux_addresses", Mapping),
                ]),
            ),
        ]),
    ),
    Field("external", Bool),
    Field("internal", Bool),
    Field("attachable", Bool),
    Field("labels", Mapping),
    Field("enable_ipv4", Said),
    Field("enable_ipv6", Said),
];

const VOLUME: &[Field] = &[
    Field("name", Text),
    Field("driver", Text),
    Field("driver_opts", Options),
    Field("external", Bool),
    Field("labels", Mapping),
];

const FILE_OBJECT: &[Field] = &[
    Field("name", Text),
    Field("file", Text),
    Field("environment", Text),
    Field("content", Text),
    Field("external", Bool),
    Field("labels", Mapping),
    Field("driver", Text),
    Field("driver_opts", TextMap),
    Field("template_driver", Text),
];

const MODEL: &[Field] =
    &[Field("name", Text), Field("model", Text), Field("context_size", Int), Field("runtime_flags", Texts)];

/// The sections of a project and the type of their members.
const SECTIONS: [(&str, &[Field]); 6] = [
    ("services", SERVICE),
    ("networks", NETWORK),
    ("volumes", VOLUME),
    ("secrets", FILE_OBJECT),
    ("configs", FILE_OBJECT),
    ("models", MODEL),
];

/// A normalised model as a JSON object with one object for each section, members by name; `x-` keys stay. It is printed
/// by [`as_json`] and [`as_yaml`].
pub(super) fn typed(model: &Value) -> Result<Json<String, JsonValue>, LoadError> {
    let mut project = Json::new();
    let Some(top) = model.as_map() else { return Ok(project) };
    for (section, fields) in SECTIONS {
        let mut printed = Json::new();
        let members = top.get(section).and_then(|entry| entry.value.as_map()).into_iter().flatten();
        for (name, entry) in members {
            let place = Place { parent: None, key: section };
            let place = Place { parent: Some(&place), key: name };
            printed.insert(name.to_string(), structure(&entry.value, fields, &place)?);
        }
        project.insert(section.to_owned(), JsonValue::Object(printed));
    }
    for (key, entry) in top {
        if key.starts_with("x-") {
            project.insert(key.to_string(), finite(&entry.value, EmptyList::IsOne)?);
        }
    }
    Ok(project)
}

/// A section's member, or what stands below an `x-` key of the top, as Compose prints it as JSON: without the `x-` keys
/// below the top, and null for an empty list below that key.
pub(super) fn as_json(key: &str, printed: &JsonValue) -> JsonValue {
    match fields_of(key) {
        Some(fields) => structure_as_json(printed, fields),
        None => without_empty_lists(printed),
    }
}

/// The same as Compose prints it as YAML: names in go-yaml's order, and nothing for an empty structure or a command that
/// is not said.
pub(super) fn as_yaml(key: &str, printed: &JsonValue) -> JsonValue {
    match fields_of(key) {
        Some(fields) => structure_as_yaml(printed, fields),
        None => ordered(printed),
    }
}

fn fields_of(section: &str) -> Option<&'static [Field]> {
    SECTIONS.iter().find(|(name, _)| *name == section).map(|(_, fields)| *fields)
}

fn structure_as_json(printed: &JsonValue, fields: &[Field]) -> JsonValue {
    let JsonValue::Object(map) = printed else { return printed.clone() };
    let members = map.iter().filter(|(key, _)| !key.starts_with("x-")).map(|(key, value)| {
        let kind = match value {
            JsonValue::Object(_) | JsonValue::Array(_) => fields.iter().find(|Field(name, _)| name == key),
            _ => None,
        };
        let json = match (kind.map(|Field(_, kind)| kind), value) {
            (Some(Struct(fields) | Always(fields)), _) => structure_as_json(value, fields),
            (Some(List(fields)), JsonValue::Array(items)) => {
                items.iter().map(|item| structure_as_json(item, fields)).collect()
            }
            (Some(MapOf(fields)), JsonValue::Object(map)) => JsonValue::Object(
                map.iter().map(|(name, member)| (name.clone(), structure_as_json(member, fields))).collect(),
            ),
            _ => value.clone(),
        };
        (key.clone(), json)
    });
    JsonValue::Object(members.collect())
}

fn structure_as_yaml(printed: &JsonValue, fields: &[Field]) -> JsonValue {
    let JsonValue::Object(map) = printed else { return printed.clone() };
    let mut yaml = Json::with_capacity(map.len());
    for Field(key, kind) in fields {
        let Some(value) = map.get(*key) else { continue };
        let value = match (kind, value) {
            (Command, JsonValue::Null) => continue,
            (Ulimits, JsonValue::Object(limits)) => JsonValue::Object(
                limits.iter().map(|(name, limit)| (name.clone(), both_limits(limit))).collect(),
            ),
            (Struct(fields), _) => structure_as_yaml(value, fields),
            (Always(fields), _) => match structure_as_yaml(value, fields) {
                JsonValue::Object(map) if map.is_empty() => continue,
                value => value,
            },
            (List(fields), JsonValue::Array(items)) => {
                items.iter().map(|item| structure_as_yaml(item, fields)).collect()
            }
            (MapOf(fields), JsonValue::Object(map)) => JsonValue::Object(
                map.iter().map(|(name, member)| (name.clone(), structure_as_yaml(member, fields))).collect(),
            ),
            _ => value.clone(),
        };
        // The members of a structure have their own order.
        let value = if matches!(kind, Struct(_) | Always(_) | List(_)) { value } else { shallow(value) };
        // Those that have no name in JSON have one in YAML.
        yaml.insert(key.to_lowercase(), value);
    }
    let extensions: Json<String, JsonValue> = map
        .iter()
        .filter(|(key, _)| key.starts_with("x-"))
        .map(|(key, value)| (key.clone(), ordered(value)))
        .collect();
    yaml.extend(sorted(extensions));
    JsonValue::Object(yaml)
}

/// A limit that is no number has both of its own, said or not.
fn both_limits(limit: &JsonValue) -> JsonValue {
    let JsonValue::Object(limits) = limit else { return limit.clone() };
    let of = |key: &str| limits.get(key).cloned().unwrap_or_else(|| json!(0));
    json!({"soft": of("soft"), "hard": of("hard")})
}

/// With the names of this mapping in go-yaml's order.
fn shallow(value: JsonValue) -> JsonValue {
    match value {
        JsonValue::Object(map) => JsonValue::Object(sorted(map)),
        value => value,
    }
}

/// With all names in go-yaml's order.
pub(super) fn ordered(value: &JsonValue) -> JsonValue {
    match value {
        JsonValue::Object(map) => {
            JsonValue::Object(sorted(map.iter().map(|(key, value)| (key.clone(), ordered(value))).collect()))
        }
        JsonValue::Array(items) => items.iter().map(ordered).collect(),
        value => value.clone(),
    }
}

/// In go-yaml's order of names.
pub(super) fn sorted(map: Json<String, JsonValue>) -> Json<String, JsonValue> {
    let mut members: Vec<(String, JsonValue)> = map.into_iter().collect();
    members.sort_by(|(left, _), (right, _)| yaml::compare_keys(left, right));
    members.into_iter().collect()
}

fn without_empty_lists(value: &JsonValue) -> JsonValue {
    match value {
        JsonValue::Array(items) if items.is_empty() => JsonValue::Null,
        JsonValue::Array(items) => items.iter().map(without_empty_lists).collect(),
        JsonValue::Object(map) => JsonValue::Object(
            map.iter().map(|(key, value)| (key.clone(), without_empty_lists(value))).collect(),
        ),
        value => value.clone(),
    }
}

/// Where a value stands, for messages.
struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    key: &'a str,
}

impl Place<'_> {
    fn path(&self) -> String {
        match self.parent {
            Some(parent) => format!("{}.{}", parent.path(), self.key),
            None => self.key.to_owned(),
        }
    }

    fn wrong(&self, wanted: &str, span: Span) -> LoadError {
        LoadError::new(format!("`{}` must be {wanted}", self.path()), span)
    }
}

fn structure(value: &Value, fields: &[Field], place: &Place<'_>) -> Result<JsonValue, LoadError> {
    match &value.data {
        Data::Map(map) => attributes(map, fields, place),
        Data::Null => attributes(&Map::new(), fields, place),
        _ => Err(place.wrong("a mapping", value.span)),
    }
}

fn attributes(map: &Map, fields: &[Field], place: &Place<'_>) -> Result<JsonValue, LoadError> {
    let mut printed = Json::with_capacity(map.len());
    for Field(key, kind) in fields {
        let place = Place { parent: Some(place), key };
        // go's decoder finds a field by its name in any case.
        let lower = || key.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| key.to_lowercase());
        let entry = map.get(*key).or_else(|| map.get(lower()?.as_str()));
        if let Some(json) = field(entry, *kind, &place)? {
            printed.insert((*key).to_owned(), json);
        }
    }
    for (key, entry) in map.iter().filter(|(key, _)| key.starts_with("x-")) {
        printed.insert(key.to_string(), raw(&entry.value, EmptyList::IsOne));
    }
    Ok(JsonValue::Object(printed))
}

/// An attribute as it is printed; `None` where it is not.
fn field(entry: Option<&MapEntry>, kind: Type, place: &Place<'_>) -> Result<Option<JsonValue>, LoadError> {
    let value = entry.map(|entry| &entry.value).filter(|value| !value.is_null());
    let Some(value) = value else {
        return Ok(match kind {
            Always(fields) => Some(attributes(&Map::new(), fields, place)?),
            Command => Some(JsonValue::Null),
            Rate => Some(json!("0")),
            SaidUnsigned(_) => Some(json!(0)),
            _ => None,
        });
    };
    let span = value.span;
    let filled = |list: Vec<JsonValue>| (!list.is_empty()).then_some(JsonValue::Array(list));
    let some = |map: Json<String, JsonValue>| (!map.is_empty()).then_some(JsonValue::Object(map));
    Ok(match kind {
        Text => {
            let text = text(value, place)?;
            (!text.is_empty()).then(|| JsonValue::String(text.into_owned()))
        }
        Bool => truth(value, place)?.then_some(JsonValue::Bool(true)),
        Said => Some(JsonValue::Bool(truth(value, place)?)),
        Int => Some(whole(value, place)?).filter(|number| *number != 0).map(number),
        Unsigned(bits) | SaidUnsigned(bits) => {
            let size = match &value.data {
                Data::Int(number) if *number >= 0 => *number as u64,
                Data::Float(number) if *number >= 0.0 => *number as u64,
                Data::Int(_) | Data::Float(_) => return Err(place.wrong("0 or more", span)),
                _ => return Err(place.wrong("a whole number, without quotes", span)),
            };
            // What is too large for it wraps around, as go has it.
            let size = size & (u64::MAX >> (64 - bits));
            (size != 0 || matches!(kind, SaidUnsigned(_))).then(|| JsonValue::from(size))
        }
        SaidInt => Some(number(whole(value, place)?)),
        Count => {
            let count = whole(value, place)?;
            if count < 0 {
                return Err(place.wrong("0 or more", span));
            }
            Some(number(count))
        }
        Float => Some(single(value, place)?).filter(|number| *number != 0.0).and_then(single_number),
        Bytes | Rate => {
            let size = match &value.data {
                // go-yaml has another type for what is larger, which Compose takes for nothing.
                Data::Int(number) => i64::try_from(*number).unwrap_or(0),
                Data::Str(text) => {
                    units::bytes(text).ok_or_else(|| place.wrong("a size such as `64m`", span))?
                }
                _ => 0,
            };
            let is_printed = size != 0 || matches!(kind, Rate);
            is_printed.then(|| JsonValue::String(size.to_string()))
        }
        Type::Duration => Some(nanoseconds(value, place)?)
            .filter(|duration| *duration != 0)
            .map(|duration| JsonValue::String(units::duration(duration))),
        SaidDuration => Some(JsonValue::String(units::duration(nanoseconds(value, place)?))),
        Texts => filled(texts(value, place)?),
        TextOrTexts => match &value.data {
            Data::Str(text) => Some(json!([&**text])),
            _ => filled(texts(value, place)?),
        },
        Scalars => match &value.data {
            Data::Seq(items) => filled(items.iter().map(|item| JsonValue::String(printed(item))).collect()),
            _ => Some(json!([printed(value)])),
        },
        Command => Some(match &value.data {
            Data::Str(line) => {
                let words = shell::split(line)
                    .ok_or_else(|| place.wrong("a command line with all its quotes closed", span))?;
                json!(words)
            }
            _ => JsonValue::Array(texts(value, place)?),
        }),
        HealthTest => match &value.data {
            Data::Str(line) => Some(json!(["CMD-SHELL", &**line])),
            _ => filled(texts(value, place)?),
        },
        Variables => some(variables(value, place, true)?),
        Mapping => some(variables(value, place, false)?),
        Options => some(
            value
                .as_map()
                .into_iter()
                .flatten()
                .map(|(key, entry)| (key.to_string(), printed_json(&entry.value)))
                .collect(),
        ),
        MultiOptions => some(
            value
                .as_map()
                .into_iter()
                .flatten()
                .map(|(key, entry)| {
                    let list = match &entry.value.data {
                        Data::Seq(items) => items.iter().map(printed_json).collect(),
                        _ => vec![printed_json(&entry.value)],
                    };
                    (key.to_string(), JsonValue::Array(list))
                })
                .collect(),
        ),
        TextMap => {
            let mut map = Json::new();
            for (key, entry) in value.as_map().into_iter().flatten() {
                let place = Place { parent: Some(place), key };
                map.insert(key.to_string(), JsonValue::String(text(&entry.value, &place)?.into_owned()));
            }
            some(map)
        }
        Hosts => filled(hosts(value, place)?),
        Struct(fields) | Always(fields) => Some(structure(value, fields, place)?),
        List(fields) => {
            let Data::Seq(items) = &value.data else { return Err(place.wrong("a list", span)) };
            filled(items.iter().map(|item| structure(item, fields, place)).collect::<Result<_, _>>()?)
        }
        MapOf(fields) => {
            let mut map = Json::new();
            for (key, entry) in value.as_map().into_iter().flatten() {
                let place = Place { parent: Some(place), key };
                let member = match &entry.value.data {
                    Data::Null => JsonValue::Null,
                    _ => structure(&entry.value, fields, &place)?,
                };
                map.insert(key.to_string(), member);
            }
            some(map)
        }
        Ulimits => {
            let mut map = Json::new();
            for (key, entry) in value.as_map().into_iter().flatten() {
                let place = Place { parent: Some(place), key };
                map.insert(key.to_string(), ulimit(&entry.value, &place)?);
            }
            some(map)
        }
        Mode => {
            let mode = match &value.data {
                Data::Int(number) => *number as i64,
                Data::Str(text) => i64::from_str_radix(text, 8)
                    .map_err(|_| place.wrong("permissions in base 8, such as 0400", span))?,
                _ => return Err(place.wrong("permissions in base 8, such as 0400", span)),
            };
            Some(JsonValue::String(format!("0{mode:o}")))
        }
        DeviceCount => {
            let count = match &value.data {
                Data::Str(text) if text.eq_ignore_ascii_case("all") => -1,
                _ => match &value.data {
                    Data::Str(text) => integer(text),
                    Data::Int(number) => Some(*number),
                    _ => None,
                }
                .ok_or_else(|| place.wrong("`all` or a number", span))?,
            };
            (count != 0).then(|| number(count))
        }
        Ssh => {
            let keys = value.as_map().into_iter().flatten().map(|(id, entry)| match &entry.value.data {
                Data::Null => JsonValue::String(id.to_string()),
                _ => JsonValue::String(format!("{id}={}", printed(&entry.value))),
            });
            filled(keys.collect())
        }
        Dropped => None,
        Raw => Some(finite(value, EmptyList::IsNull)?),
    })
}

fn text<'v>(value: &'v Value, place: &Place<'_>) -> Result<Cow<'v, str>, LoadError> {
    match &value.data {
        Data::Str(text) => Ok(Cow::Borrowed(text)),
        Data::Int(number) => Ok(Cow::Owned(number.to_string())),
        Data::Null => Ok(Cow::Borrowed("")),
        _ => Err(place.wrong("text; put quotes around it", value.span)),
    }
}

fn texts(value: &Value, place: &Place<'_>) -> Result<Vec<JsonValue>, LoadError> {
    let Data::Seq(items) = &value.data else { return Err(place.wrong("a list", value.span)) };
    items.iter().map(|item| Ok(JsonValue::String(text(item, place)?.into_owned()))).collect()
}

fn truth(value: &Value, place: &Place<'_>) -> Result<bool, LoadError> {
    match &value.data {
        Data::Bool(truth) => Some(*truth),
        Data::Str(text) => boolean(text),
        _ => None,
    }
    .ok_or_else(|| place.wrong("true or false", value.span))
}

fn whole(value: &Value, place: &Place<'_>) -> Result<i128, LoadError> {
    match &value.data {
        // What is too large for a signed one wraps around, as go has it.
        Data::Int(number) => Some(i128::from(*number as i64)),
        Data::Float(number) => {
            let fits = *number >= -(2f64.powi(63)) && *number < 2f64.powi(63);
            Some(i128::from(if fits { *number as i64 } else { i64::MIN }))
        }
        Data::Str(text) => integer(text),
        _ => None,
    }
    .ok_or_else(|| place.wrong("a whole number", value.span))
}

fn single(value: &Value, place: &Place<'_>) -> Result<f32, LoadError> {
    match &value.data {
        Data::Int(number) => Some(*number as f32),
        Data::Float(number) => Some(*number as f32),
        Data::Str(text) => float(text).map(|number| number as f32),
        _ => None,
    }
    .ok_or_else(|| place.wrong("a number", value.span))
}

fn nanoseconds(value: &Value, place: &Place<'_>) -> Result<i64, LoadError> {
    units::nanoseconds(&printed(value)).ok_or_else(|| place.wrong("a duration such as `1m30s`", value.span))
}

fn number(number: i128) -> JsonValue {
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => JsonValue::from(number),
        (_, Ok(number)) => JsonValue::from(number),
        _ => JsonValue::Null,
    }
}

/// The shortest decimal that reads back as the same single.
fn single_number(number: f32) -> Option<JsonValue> {
    let shortest: f64 = number.to_string().parse().ok()?;
    if shortest.fract() == 0.0 && shortest.abs() < 9e15 {
        return Some(JsonValue::from(shortest as i64));
    }
    Number::from_f64(shortest).map(JsonValue::Number)
}

/// go's `fmt.Sprint`.
fn printed(value: &Value) -> String {
    match &value.data {
        Data::Float(number) => format_float(*number),
        _ => value.to_text().map(|text| text.value.to_string()).unwrap_or_default(),
    }
}

fn printed_json(value: &Value) -> JsonValue {
    JsonValue::String(printed(value))
}

/// `K=v` lines or a mapping. `nulls` keeps names that have no value.
fn variables(value: &Value, place: &Place<'_>, nulls: bool) -> Result<Json<String, JsonValue>, LoadError> {
    let mut map = Json::new();
    match &value.data {
        Data::Map(entries) => {
            for (key, entry) in entries {
                let json = match &entry.value.data {
                    Data::Null if nulls => JsonValue::Null,
                    _ => printed_json(&entry.value),
                };
                map.insert(key.to_string(), json);
            }
        }
        Data::Seq(items) => {
            for item in items {
                let text = printed(item);
                let (key, json) = match text.split_once('=') {
                    Some((key, value)) => (key, JsonValue::String(value.to_owned())),
                    None if nulls => (text.as_str(), JsonValue::Null),
                    None => (text.as_str(), JsonValue::String(String::new())),
                };
                if nulls && key.ends_with(char::is_whitespace) {
                    let message = format!("a variable's name in `{}` ends with a space", place.path());
                    return Err(LoadError::new(message, item.span));
                }
                map.insert(key.to_owned(), json);
            }
        }
        _ => return Err(place.wrong("a mapping or a list", value.span)),
    }
    Ok(map)
}

fn hosts(value: &Value, place: &Place<'_>) -> Result<Vec<JsonValue>, LoadError> {
    let mut pairs: Vec<(Arc<str>, String, Span)> = Vec::new();
    match &value.data {
        Data::Map(map) => {
            for (host, entry) in map {
                let items = entry.value.as_seq().unwrap_or(std::slice::from_ref(&entry.value));
                pairs.extend(items.iter().map(|item| (host.clone(), printed(item), item.span)));
            }
        }
        Data::Seq(items) => {
            for item in items {
                let text = printed(item);
                let Some((host, addresses)) = text.split_once('=').or_else(|| text.split_once(':')) else {
                    return Err(place.wrong("a list of `host=address`", item.span));
                };
                let host: Arc<str> = host.into();
                pairs.extend(addresses.split(',').map(|one| (host.clone(), one.to_owned(), item.span)));
            }
        }
        _ => return Err(place.wrong("a mapping or a list", value.span)),
    }
    let mut list = Vec::with_capacity(pairs.len());
    for (host, address, span) in pairs {
        if host.is_empty() || host.contains([':', '=']) {
            return Err(place.wrong("a list of `host=address` with a name for each host", span));
        }
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        list.push(format!("{host}={}", bare.filter(|bare| !bare.is_empty()).unwrap_or(&address)));
    }
    list.sort();
    Ok(list.into_iter().map(JsonValue::String).collect())
}

fn ulimit(value: &Value, place: &Place<'_>) -> Result<JsonValue, LoadError> {
    let limit = |key: &str| value.get(key).map(|value| whole(value, place)).transpose();
    if value.as_map().is_none() {
        let single = whole(value, place)?;
        return Ok(if single == 0 { json!({}) } else { number(single) });
    }
    let mut map = Json::new();
    for key in ["soft", "hard"] {
        if let Some(value) = limit(key)?.filter(|value| *value != 0) {
            map.insert(key.to_owned(), number(value));
        }
    }
    Ok(JsonValue::Object(map))
}

/// As [`raw`]. JSON has neither infinity nor `.nan`, so Compose fails to print it.
fn finite(value: &Value, empty: EmptyList) -> Result<JsonValue, LoadError> {
    match value.infinite() {
        Some(span) => Err(LoadError::new(
            "no number is infinite or `.nan` where it is printed as JSON; put quotes around it",
            span,
        )),
        None => Ok(raw(value, empty)),
    }
}

/// What becomes of `[]`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EmptyList {
    /// It is one, to the schema.
    IsOne,
    /// Compose prints null, unless it has looked for things in it that stand twice.
    IsNull,
}

/// A value as go's JSON encoder prints what go-yaml read.
pub(super) fn raw(value: &Value, empty: EmptyList) -> JsonValue {
    match &value.data {
        Data::Null => JsonValue::Null,
        Data::Bool(truth) => JsonValue::Bool(*truth),
        Data::Int(int) => number(*int),
        Data::Float(float) if float.fract() == 0.0 && float.abs() < 9e15 => JsonValue::from(*float as i64),
        Data::Float(float) => Number::from_f64(*float).map_or(JsonValue::Null, JsonValue::Number),
        Data::Time(text) => JsonValue::String(rfc3339(text)),
        Data::Str(text) => JsonValue::String(text.to_string()),
        Data::Seq(items) if items.is_empty() && empty == EmptyList::IsNull && !value.listed => {
            JsonValue::Null
        }
        Data::Seq(items) => JsonValue::Array(items.iter().map(|item| raw(item, empty)).collect()),
        Data::Map(map) if value.listed => {
            let line = |(key, entry): (&Arc<str>, &MapEntry)| match &entry.value.data {
                Data::Null => JsonValue::String(key.to_string()),
                _ => JsonValue::String(format!("{key}={}", printed(&entry.value))),
            };
            JsonValue::Array(map.iter().map(line).collect())
        }
        Data::Map(map) => {
            let member = |(key, entry): (&Arc<str>, &MapEntry)| (key.to_string(), raw(&entry.value, empty));
            JsonValue::Object(map.iter().map(member).collect())
        }
    }
}

/// From go's way of printing a time to the one of its JSON encoder.
fn rfc3339(printed: &str) -> String {
    let mut parts = printed.split(' ');
    let (date, time, offset) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let zone = match offset {
        "+0000" => "Z".to_owned(),
        offset if offset.len() == 5 => format!("{}:{}", &offset[..3], &offset[3..]),
        _ => return printed.to_owned(),
    };
    format!("{date}T{time}{zone}")
}
