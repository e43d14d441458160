//! The shape of a stack: which keys are known since which minor version of format 3, and what their values are.
//! (docker/cli `cli/compose/schema/data`, written down here in a form of its own)

use super::super::load::LoadError;
use super::super::units;
use super::super::value::{Data, Map, Value};
use super::{NEWEST, short_port, twice};
use crate::source::Span;

/// What a value is. Where several are allowed, its kind tells which one is meant.
enum Shape {
    Any,
    Text,
    /// Text, or a date, which becomes one.
    Dated,
    Bool,
    /// A whole number.
    Int,
    /// A whole number from 0 on.
    Count,
    Number,
    /// A number from 0 on.
    Positive,
    Null,
    /// Text that go's `time.ParseDuration` reads.
    Duration,
    /// Text out of a few.
    OneOf(&'static [&'static str]),
    /// A port, or several in a short form.
    Port,
    /// Items, and whether each may stand there once only.
    List(&'static Shape, bool),
    /// Any names, all of one shape.
    Map(&'static Shape),
    /// Names of letters, digits, `.`, `_` and `-`.
    Named(&'static Shape),
    /// The same; what has another name is not looked at.
    OpenNamed(&'static Shape),
    /// The names of limits: small letters; what has another name is not looked at.
    Lower(&'static Shape),
    Keys(&'static [Key]),
    /// As `Keys`; what is not among them is not looked at.
    OpenKeys(&'static [Key]),
    /// Before a minor version the one, from it on the other.
    Since(u8, &'static Shape, &'static Shape),
    Either(&'static [Shape]),
}

use Shape::{
    Any, Bool, Count, Dated, Duration, Either, Int, Keys, Lower, Named, Null, Number, OneOf, OpenKeys,
    OpenNamed, Port, Positive, Since, Text,
};

/// A key, the minor version that has it first, and its value. `x-` stands for all keys that start so.
type Key = (&'static str, u8, Shape);

const TEXTS: Shape = Shape::List(&Text, true);
const LIST: Shape = Shape::List(&Text, false);
const TEXT_OR_TEXTS: Shape = Either(&[Text, TEXTS]);
const TEXT_OR_LIST: Shape = Either(&[Text, LIST]);
const SCALARS: Shape = Shape::Map(&Either(&[Dated, Number, Null]));
const VARIABLES: Shape = Either(&[SCALARS, TEXTS]);
const OPTIONS: Shape = Shape::Map(&Either(&[Dated, Number]));
const EXTERNAL: Shape = Either(&[Bool, Keys(&[("name", 0, Text)])]);
const OPEN_EXTERNAL: Shape = Either(&[Bool, OpenKeys(&[("name", 0, Text)])]);

const STACK: Shape = Keys(&[
    ("version", 0, Text),
    ("services", 0, Named(&SERVICE)),
    ("networks", 0, OpenNamed(&NETWORK)),
    ("volumes", 0, Named(&VOLUME)),
    ("secrets", 1, Named(&SECRET)),
    ("configs", 3, Named(&CONFIG)),
    ("x-", 4, Any),
]);

const GRANTS: Shape = Shape::List(
    &Either(&[
        Text,
        OpenKeys(&[
            ("source", 0, Text),
            ("target", 0, Text),
            ("uid", 0, Text),
            ("gid", 0, Text),
            ("mode", 0, Positive),
        ]),
    ]),
    false,
);

const SERVICE: Shape = Keys(&[
    ("deploy", 0, Either(&[DEPLOY, Null])),
    ("build", 0, Either(&[Text, Since(11, &BUILD, &OPEN_BUILD)])),
    ("cap_add", 0, TEXTS),
    ("cap_drop", 0, TEXTS),
    ("cgroupns_mode", 9, Text),
    ("cgroup_parent", 0, Text),
    ("command", 0, TEXT_OR_LIST),
    ("configs", 3, GRANTS),
    ("container_name", 0, Text),
    ("credential_spec", 3, Keys(&[("config", 8, Text), ("file", 0, Text), ("registry", 0, Text)])),
    ("depends_on", 0, TEXTS),
    ("devices", 0, TEXTS),
    ("dns", 0, TEXT_OR_TEXTS),
    ("dns_search", 0, TEXT_OR_TEXTS),
    ("domainname", 0, Text),
    ("entrypoint", 0, TEXT_OR_LIST),
    ("env_file", 0, TEXT_OR_TEXTS),
    ("environment", 0, VARIABLES),
    ("expose", 0, Shape::List(&Either(&[Text, Number]), true)),
    ("external_links", 0, TEXTS),
    ("extra_hosts", 0, VARIABLES),
    (
        "healthcheck",
        0,
        Keys(&[
            ("disable", 0, Bool),
            ("interval", 0, Duration),
            ("retries", 0, Positive),
            ("test", 0, TEXT_OR_LIST),
            ("timeout", 0, Duration),
            ("start_period", 4, Duration),
            ("start_interval", 12, Duration),
        ]),
    ),
    ("hostname", 0, Text),
    ("image", 0, Text),
    ("init", 7, Bool),
    ("ipc", 0, Text),
    ("isolation", 5, Text),
    ("labels", 0, VARIABLES),
    ("links", 0, TEXTS),
    ("logging", 0, Keys(&[("driver", 0, Text), ("options", 0, SCALARS)])),
    ("mac_address", 0, Text),
    ("network_mode", 0, Text),
    (
        "networks",
        0,
        Either(&[
            TEXTS,
            Named(&Either(&[
                Keys(&[
                    ("aliases", 0, TEXTS),
                    ("driver_opts", 13, OPTIONS),
                    ("ipv4_address", 0, Text),
                    ("ipv6_address", 0, Text),
                ]),
                Null,
            ])),
        ]),
    ),
    ("pid", 0, Either(&[Text, Null])),
    (
        "ports",
        0,
        Shape::List(
            &Since(
                2,
                &Port,
                &Either(&[
                    Port,
                    Keys(&[
                        ("mode", 0, Text),
                        ("target", 0, Count),
                        ("published", 0, Count),
                        ("protocol", 0, Text),
                    ]),
                ]),
            ),
            true,
        ),
    ),
    ("privileged", 0, Bool),
    ("read_only", 0, Bool),
    ("restart", 0, Text),
    ("security_opt", 0, TEXTS),
    // Its schema takes a number, what reads it does not.
    ("shm_size", 0, Text),
    ("secrets", 1, GRANTS),
    ("sysctls", 0, VARIABLES),
    ("stdin_open", 0, Bool),
    ("stop_grace_period", 0, Duration),
    ("stop_signal", 0, Text),
    ("tmpfs", 0, TEXT_OR_TEXTS),
    ("tty", 0, Bool),
    ("ulimits", 0, Lower(&Either(&[Int, Keys(&[("hard", 0, Int), ("soft", 0, Int)])]))),
    ("oom_score_adj", 13, Int),
    ("user", 0, Text),
    ("userns_mode", 0, Text),
    (
        "volumes",
        0,
        Shape::List(
            &Since(
                2,
                &Text,
                &Either(&[
                    Text,
                    Keys(&[
                        ("type", 0, Text),
                        ("source", 0, Text),
                        ("target", 0, Text),
                        ("read_only", 0, Bool),
                        ("consistency", 0, Text),
                        ("bind", 0, OpenKeys(&[("propagation", 0, Text)])),
                        ("volume", 0, OpenKeys(&[("nocopy", 0, Bool)])),
                        ("tmpfs", 6, OpenKeys(&[("size", 0, Int)])),
                    ]),
                ]),
            ),
            false,
        ),
    ),
    ("working_dir", 0, Text),
    ("x-", 7, Any),
]);

const BUILD_KEYS: &[Key] = &[
    ("context", 0, Text),
    ("dockerfile", 0, Text),
    ("args", 0, VARIABLES),
    ("labels", 3, VARIABLES),
    ("cache_from", 2, TEXTS),
    ("network", 4, Text),
    ("target", 4, Text),
    ("shm_size", 5, Either(&[Int, Text])),
    ("extra_hosts", 9, VARIABLES),
];
const BUILD: Shape = Keys(BUILD_KEYS);
const OPEN_BUILD: Shape = OpenKeys(BUILD_KEYS);

const UPDATE: Shape = Keys(&[
    ("parallelism", 0, Count),
    ("delay", 0, Duration),
    ("failure_action", 0, Text),
    ("monitor", 0, Duration),
    ("max_failure_ratio", 0, Number),
    ("order", 4, OneOf(&["start-first", "stop-first"])),
]);

const DEPLOY: Shape = Keys(&[
    ("mode", 0, Text),
    ("endpoint_mode", 2, Text),
    ("replicas", 0, Count),
    ("labels", 0, VARIABLES),
    ("rollback_config", 7, UPDATE),
    ("update_config", 0, UPDATE),
    (
        "resources",
        0,
        Keys(&[
            ("limits", 0, Keys(&[("cpus", 0, Text), ("memory", 0, Text), ("pids", 9, Int)])),
            (
                "reservations",
                0,
                Keys(&[
                    ("cpus", 0, Text),
                    ("memory", 0, Text),
                    (
                        "generic_resources",
                        5,
                        Shape::List(
                            &Keys(&[(
                                "discrete_resource_spec",
                                0,
                                Keys(&[("kind", 0, Text), ("value", 0, Number)]),
                            )]),
                            false,
                        ),
                    ),
                ]),
            ),
        ]),
    ),
    (
        "restart_policy",
        0,
        Keys(&[
            ("condition", 0, Text),
            ("delay", 0, Duration),
            ("max_attempts", 0, Count),
            ("window", 0, Duration),
        ]),
    ),
    (
        "placement",
        0,
        Keys(&[
            ("constraints", 0, LIST),
            ("preferences", 3, Shape::List(&Keys(&[("spread", 0, Text)]), false)),
            ("max_replicas_per_node", 8, Count),
        ]),
    ),
]);

const NETWORK: Shape = Either(&[
    Keys(&[
        ("name", 5, Text),
        ("driver", 0, Text),
        ("driver_opts", 0, OPTIONS),
        (
            "ipam",
            0,
            Keys(&[("driver", 0, Text), ("config", 0, Shape::List(&Keys(&[("subnet", 0, Text)]), false))]),
        ),
        ("external", 0, EXTERNAL),
        ("internal", 0, Bool),
        ("attachable", 2, Bool),
        ("labels", 0, VARIABLES),
        ("x-", 7, Any),
    ]),
    Null,
]);

const VOLUME: Shape = Either(&[
    Keys(&[
        ("name", 4, Text),
        ("driver", 0, Text),
        ("driver_opts", 0, OPTIONS),
        ("external", 0, EXTERNAL),
        ("labels", 0, VARIABLES),
        ("x-", 7, Any),
    ]),
    Null,
]);

const SECRET: Shape = Keys(&[
    ("name", 5, Text),
    ("file", 0, Text),
    ("external", 0, OPEN_EXTERNAL),
    ("labels", 0, VARIABLES),
    ("driver", 8, Text),
    ("driver_opts", 8, OPTIONS),
    ("template_driver", 8, Text),
    ("x-", 7, Any),
]);

const CONFIG: Shape = Keys(&[
    ("name", 5, Text),
    ("file", 0, Text),
    ("external", 0, OPEN_EXTERNAL),
    ("labels", 0, VARIABLES),
    ("template_driver", 8, Text),
    ("x-", 7, Any),
]);

/// Checks a model against format 3.`minor`.
pub(super) fn check(model: &Value, minor: u8) -> Result<(), LoadError> {
    if let Some(span) = model.infinite() {
        return Err(LoadError::new(
            "Swarm reads no infinite number and no `.nan`; put quotes around it",
            span,
        ));
    }
    Checker { minor, path: Vec::new() }.value(model, &STACK)
}

struct Checker<'v> {
    minor: u8,
    path: Vec<&'v str>,
}

impl<'v> Checker<'v> {
    fn value(&mut self, value: &'v Value, shape: &'static Shape) -> Result<(), LoadError> {
        let shape = self.meant(value, shape);
        if !fits(value, shape) {
            let message = format!(
                "Swarm wants {} at `{}`, this is {}; Compose may take it",
                wanted(shape),
                self.path.join("."),
                value.type_name()
            );
            return Err(LoadError::new(message, value.span));
        }
        match (shape, &value.data) {
            // `d` and `w` are Compose's own.
            (Shape::Duration, Data::Str(text))
                if text.contains(['d', 'w']) || units::nanoseconds(text).is_none() =>
            {
                return Err(self.wrong("must be a duration such as `1m30s`", value.span));
            }
            (Shape::OneOf(all), Data::Str(text)) if !all.contains(&&**text) => {
                return Err(self.wrong(&format!("must be one of {}", all.join(", ")), value.span));
            }
            (Shape::Port, _) => {
                let text = value.to_text().map(|text| text.value).unwrap_or_default();
                if let Err(problem) = short_port(&text) {
                    return Err(self.wrong(problem, value.span));
                }
            }
            (Shape::List(item, unique), Data::Seq(items)) => {
                if let Some(span) = twice(items).filter(|_| *unique) {
                    return Err(self.wrong("has an entry twice, which Swarm refuses; remove one", span));
                }
                self.path.push("[]");
                items.iter().try_for_each(|value| self.value(value, item))?;
                self.path.pop();
            }
            (
                Shape::Map(inner) | Shape::Named(inner) | Shape::OpenNamed(inner) | Shape::Lower(inner),
                Data::Map(map),
            ) => {
                for (name, entry) in map {
                    let fits = match shape {
                        Shape::Named(_) | Shape::OpenNamed(_) => is_name(name),
                        Shape::Lower(_) => name.bytes().all(|byte| byte.is_ascii_lowercase()),
                        _ => true,
                    };
                    if !fits && matches!(shape, Shape::Named(_)) {
                        let path = self.path.join(".");
                        let message = format!(
                            "`{path}.{name}` is no name for Swarm; it takes letters, digits, `.`, `_` and `-`"
                        );
                        return Err(LoadError::new(message, entry.key_span));
                    }
                    if name.is_empty() && matches!(shape, Shape::Map(_)) {
                        return Err(self.wrong("has an empty name", entry.key_span));
                    }
                    if fits {
                        self.path.push(name);
                        self.value(&entry.value, inner)?;
                        self.path.pop();
                    }
                }
            }
            (Shape::Keys(keys), Data::Map(map)) => self.keys(map, keys, false)?,
            (Shape::OpenKeys(keys), Data::Map(map)) => self.keys(map, keys, true)?,
            _ => {}
        }
        Ok(())
    }

    fn keys(&mut self, map: &'v Map, keys: &'static [Key], open: bool) -> Result<(), LoadError> {
        for (name, entry) in map {
            let found =
                keys.iter().find(|(key, ..)| *key == &**name || *key == "x-" && name.starts_with("x-"));
            let problem = match found {
                Some((_, since, shape)) if *since <= self.minor => {
                    self.path.push(name);
                    self.value(&entry.value, shape)?;
                    self.path.pop();
                    continue;
                }
                _ if open => continue,
                Some((_, since, _)) => format!(
                    "is known to Swarm from `version: \"3.{since}\"` on, the file has 3.{}; Compose ignores the version",
                    self.minor
                ),
                None => format!(
                    "is not known to Swarm, which reads format 3.{NEWEST} and not the Compose specification; remove it \
                     for Swarm"
                ),
            };
            self.path.push(name);
            return Err(self.wrong(&problem, entry.key_span));
        }
        // The two places where a key is a must.
        let required: &[&str] = match self.path.as_slice() {
            ["services", _, "ulimits", _] => &["soft", "hard"],
            ["services", _, "volumes", "[]"] => &["type"],
            _ => &[],
        };
        match required.iter().find(|key| !map.contains_key(**key)) {
            Some(key) => {
                let span = map.first().map(|(_, entry)| entry.key_span);
                let message = format!("`{}` needs `{key}:`", self.path.join("."));
                Err(LoadError { message, span, related: None })
            }
            None => Ok(()),
        }
    }

    fn wrong(&self, says: &str, span: Span) -> LoadError {
        LoadError::new(format!("`{}` {says}", self.path.join(".")), span)
    }

    /// The alternative that a value is meant for: the first that takes its kind.
    fn meant(&self, value: &Value, shape: &'static Shape) -> &'static Shape {
        match shape {
            Shape::Since(minor, before, after) => {
                self.meant(value, if self.minor < *minor { before } else { after })
            }
            Shape::Either(shapes) => {
                let meant =
                    shapes.iter().map(|shape| self.meant(value, shape)).find(|shape| fits(value, shape));
                // What fits none is told of the last one that is not nothing, which is the richest.
                meant
                    .or_else(|| shapes.iter().rev().find(|shape| !matches!(shape, Shape::Null)))
                    .unwrap_or(shape)
            }
            shape => shape,
        }
    }
}

/// Whether a value is of the kind of a shape; what is in it is not looked at.
fn fits(value: &Value, shape: &Shape) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Text | Shape::Duration | Shape::OneOf(_) => matches!(value.data, Data::Str(_)),
        Shape::Dated => matches!(value.data, Data::Str(_) | Data::Time(_)),
        Shape::Bool => matches!(value.data, Data::Bool(_)),
        Shape::Int => match value.data {
            Data::Int(_) => true,
            Data::Float(number) => number.fract() == 0.0,
            _ => false,
        },
        Shape::Count => fits(value, &Shape::Int) && fits(value, &Shape::Positive),
        Shape::Positive => match value.data {
            Data::Int(number) => number >= 0,
            Data::Float(number) => number >= 0.0,
            _ => false,
        },
        Shape::Number => matches!(value.data, Data::Int(_) | Data::Float(_)),
        Shape::Null => value.is_null(),
        Shape::Port => matches!(value.data, Data::Int(_) | Data::Float(_) | Data::Str(_)),
        Shape::List(..) => matches!(value.data, Data::Seq(_)),
        Shape::Map(_)
        | Shape::Named(_)
        | Shape::OpenNamed(_)
        | Shape::Lower(_)
        | Shape::Keys(_)
        | Shape::OpenKeys(_) => matches!(value.data, Data::Map(_)),
        Shape::Since(..) | Shape::Either(_) => false,
    }
}

fn wanted(shape: &Shape) -> &'static str {
    match shape {
        Shape::Any | Shape::Since(..) | Shape::Either(_) => "something else",
        Shape::Text | Shape::Dated | Shape::OneOf(_) => "text",
        Shape::Bool => "true or false",
        Shape::Int => "a whole number",
        Shape::Count => "a whole number, 0 or more",
        Shape::Positive => "a number, 0 or more",
        Shape::Number => "a number",
        Shape::Null => "nothing",
        Shape::Duration => "a duration",
        Shape::Port => "a port",
        Shape::List(..) => "a list",
        _ => "a mapping",
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
