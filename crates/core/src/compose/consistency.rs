//! What Compose refuses in a project whose every value is well formed. (compose-go `loader/validate.go`,
//! `graph/cycle.go`)

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map as Json, Value as JsonValue};

use super::load::LoadError;
use super::value::Value;
use crate::source::Span;

/// The services that run, as Compose prints them, and what they may refer to.
pub(super) struct Consistency<'a> {
    /// The model, for the places of what is wrong.
    pub(super) model: &'a Value,
    /// All sections.
    pub(super) project: &'a Json<String, JsonValue>,
    /// The names of the services whose profiles are enabled.
    pub(super) enabled: &'a BTreeSet<String>,
}

type Checked = Result<(), LoadError>;

impl Consistency<'_> {
    /// Checks all enabled services.
    pub(super) fn check(&self) -> Checked {
        for name in self.enabled {
            if let Some(service) = self.section("services").and_then(|services| services.get(name)) {
                self.service(name, service)?;
            }
        }
        for (name, secret) in self.section("secrets").into_iter().flatten() {
            let says = |key: &str| secret.get(key).is_some();
            if !says("external") && !says("file") && !says("environment") {
                let message = format!(
                    "secret `{name}` has neither `file:` nor `environment:`, and a driver alone works in Swarm only"
                );
                return Err(LoadError::new(message, self.span(&["secrets", name])));
            }
        }
        self.cycles()
    }

    fn section(&self, name: &str) -> Option<&Json<String, JsonValue>> {
        self.project.get(name)?.as_object()
    }

    fn defines(&self, section: &str, name: &str) -> bool {
        self.section(section).is_some_and(|members| members.contains_key(name))
    }

    /// The place of the last part of a path that is written somewhere.
    fn span(&self, path: &[&str]) -> Span {
        let mut value = self.model;
        let mut span = value.span;
        for key in path {
            let Some(entry) = value.as_map().and_then(|map| map.get(*key)) else { break };
            span = entry.key_span;
            value = &entry.value;
        }
        span
    }

    /// The place where a service names something.
    fn entry_span(&self, service: &str, attribute: &str, named: &str) -> Span {
        let list = self.model.get("services").and_then(|services| services.get(service)?.get(attribute));
        let is_it = |item: &&Value| item.get("source").and_then(Value::as_str) == Some(named);
        match list.and_then(Value::as_seq).unwrap_or_default().iter().find(is_it) {
            Some(item) => item.get("source").map_or(item.span, |source| source.span),
            None => self.span(&["services", service, attribute, named]),
        }
    }

    fn service(&self, name: &str, service: &JsonValue) -> Checked {
        let text = |value: &JsonValue, key: &str| {
            value.get(key).and_then(JsonValue::as_str).unwrap_or_default().to_owned()
        };
        let refuse = |attribute: &str, message: String| {
            Err(LoadError::new(message, self.span(&["services", name, attribute])))
        };
        let build = service.get("build");
        if build.is_none() && text(service, "image").is_empty() && service.get("provider").is_none() {
            let message = format!("service `{name}` has neither an `image:` nor a `build:`; give it one");
            return Err(LoadError::new(message, self.span(&["services", name])));
        }
        if let Some(build) = build {
            self.build(name, service, build)?;
        }
        let mode = text(service, "network_mode");
        if !mode.is_empty() && !names(service, "networks").is_empty() {
            return refuse(
                "networks",
                format!("service `{name}` has both `network_mode:` and `networks:`; keep one"),
            );
        }
        let references = [
            ("networks", "networks", "network", names(service, "networks")),
            ("models", "models", "model", names(service, "models")),
            ("configs", "configs", "config", sources(service, "configs")),
            ("secrets", "secrets", "secret", sources(service, "secrets")),
        ];
        for (attribute, section, kind, found) in references {
            if let Some(missing) = found.iter().find(|found| !self.defines(section, found)) {
                let message = format!(
                    "service `{name}` refers to the {kind} `{missing}`, which the top-level `{section}:` does \
                     not define; define it or correct the name"
                );
                return Err(LoadError::new(message, self.entry_span(name, attribute, missing)));
            }
        }
        if let Some(test) = service.get("healthcheck").and_then(|check| check.get("test")?.get(0)?.as_str())
            && !matches!(test, "CMD" | "CMD-SHELL" | "NONE")
        {
            return refuse(
                "healthcheck",
                format!("the health check of service `{name}` must start with CMD, CMD-SHELL or NONE"),
            );
        }
        for (dependency, options) in
            service.get("depends_on").and_then(JsonValue::as_object).into_iter().flatten()
        {
            let required = options.get("required") != Some(&JsonValue::Bool(false));
            let known = self.defines("services", dependency);
            if known && (self.enabled.contains(dependency) || !required) {
                continue;
            }
            let message = if known {
                format!(
                    "service `{name}` depends on `{dependency}`, whose profiles are not enabled; enable one"
                )
            } else {
                format!("service `{name}` depends on `{dependency}`, which is not defined")
            };
            return refuse("depends_on", message);
        }
        if let Some(other) = mode.strip_prefix("service:")
            && !self.enabled.contains(other)
        {
            return refuse(
                "network_mode",
                format!("service `{name}` shares the network of `{other}`, which is not defined"),
            );
        }
        for volume in list(service, "volumes") {
            let source = text(volume, "source");
            if text(volume, "type") == "volume" && !source.is_empty() && !self.defines("volumes", &source) {
                return refuse(
                    "volumes",
                    format!("service `{name}` refers to the volume `{source}`, which is not defined"),
                );
            }
        }
        self.scale(name, service)?;
        self.limits(name, service)?;
        for watch in service.get("develop").map(|develop| list(develop, "watch")).into_iter().flatten() {
            let action = text(watch, "action");
            if text(watch, "target").is_empty() && !matches!(action.as_str(), "rebuild" | "restart") {
                return refuse(
                    "develop",
                    format!("a watch of service `{name}` with the action `{action}` needs a `target:`"),
                );
            }
        }
        self.mounts(name, service)
    }

    fn build(&self, name: &str, service: &JsonValue, build: &JsonValue) -> Checked {
        let refuse = |key: &str, message: String| {
            Err(LoadError::new(message, self.span(&["services", name, "build", key])))
        };
        if build.get("dockerfile_inline").is_some() && build.get("dockerfile").is_some() {
            return refuse(
                "dockerfile_inline",
                format!("the build of `{name}` has both `dockerfile:` and `dockerfile_inline:`; keep one"),
            );
        }
        let contexts = build.get("additional_contexts").and_then(JsonValue::as_object);
        for context in contexts.into_iter().flatten().filter_map(|(_, context)| context.as_str()) {
            let Some(other) = context.strip_prefix("service:") else { continue };
            let built = self.enabled.contains(other)
                && self.section("services").is_some_and(|services| {
                    services.get(other).is_some_and(|service| service.get("build").is_some())
                });
            if !built {
                return refuse(
                    "additional_contexts",
                    format!("the build of `{name}` uses the service `{other}`, which is not built here"),
                );
            }
        }
        let platform = service.get("platform").and_then(JsonValue::as_str);
        let platforms = list(build, "platforms");
        if let Some(platform) = platform
            && !platforms.is_empty()
            && !platforms.iter().any(|one| one.as_str() == Some(platform))
        {
            return refuse(
                "platforms",
                format!("the platforms that `{name}` is built for must include its `platform:`"),
            );
        }
        if let Some(missing) =
            sources(build, "secrets").iter().find(|secret| !self.defines("secrets", secret))
        {
            return refuse(
                "secrets",
                format!("the build of `{name}` refers to the secret `{missing}`, which is not defined"),
            );
        }
        Ok(())
    }

    fn scale(&self, name: &str, service: &JsonValue) -> Checked {
        let refuse = |attribute: &str, message: String| {
            Err(LoadError::new(message, self.span(&["services", name, attribute])))
        };
        let scale = service.get("scale").and_then(JsonValue::as_i64);
        let replicas =
            service.get("deploy").and_then(|deploy| deploy.get("replicas")).and_then(JsonValue::as_i64);
        if let (Some(scale), Some(replicas)) = (scale, replicas)
            && scale != replicas
        {
            return refuse(
                "scale",
                format!("service `{name}` has a `scale:` and other `deploy.replicas:`; keep one"),
            );
        }
        if scale.or(replicas).is_some_and(|number| number < 0) {
            return refuse("scale", format!("service `{name}` cannot run less than 0 times"));
        }
        if scale.or(replicas).is_some_and(|number| number > 1) && service.get("container_name").is_some() {
            return refuse(
                "container_name",
                format!("service `{name}` runs several times, so it cannot have a `container_name:`"),
            );
        }
        Ok(())
    }

    fn limits(&self, name: &str, service: &JsonValue) -> Checked {
        let resources = service.get("deploy").and_then(|deploy| deploy.get("resources"));
        let pairs = [
            ("cpus", "limits", "cpus"),
            ("mem_limit", "limits", "memory"),
            ("mem_reservation", "reservations", "memory"),
            ("pids_limit", "limits", "pids"),
        ];
        for (attribute, kind, key) in pairs {
            let Some(own) = service.get(attribute) else { continue };
            let Some(limits) = resources.and_then(|resources| resources.get(kind)) else { continue };
            if limits.get(key) != Some(own) {
                let message = format!(
                    "service `{name}` has `{attribute}:` and other `deploy.resources.{kind}.{key}:`; keep one"
                );
                return Err(LoadError::new(message, self.span(&["services", name, attribute])));
            }
        }
        Ok(())
    }

    fn mounts(&self, name: &str, service: &JsonValue) -> Checked {
        let mut seen = BTreeSet::new();
        let tmpfs = list(service, "tmpfs").iter().filter_map(|item| item.as_str()?.split(':').next());
        let volumes = list(service, "volumes")
            .iter()
            .map(|volume| volume.get("target").and_then(JsonValue::as_str).unwrap_or_default());
        for (attribute, target) in
            tmpfs.map(|target| ("tmpfs", target)).chain(volumes.map(|target| ("volumes", target)))
        {
            if !seen.insert(target) {
                let message = format!("service `{name}` mounts two things at {target}; remove one");
                return Err(LoadError::new(message, self.span(&["services", name, attribute])));
            }
        }
        Ok(())
    }

    /// Services that wait for each other. Each is visited once, however many ways lead to it.
    fn cycles(&self) -> Checked {
        let children = |name: &str| -> Vec<String> {
            let service = self.section("services").and_then(|services| services.get(name));
            let names = service.map(|service| names(service, "depends_on")).unwrap_or_default();
            names.into_iter().filter(|name| self.enabled.contains(name)).collect()
        };
        let mut states: BTreeMap<String, State> = BTreeMap::new();
        for start in self.enabled {
            if states.contains_key(start) {
                continue;
            }
            let mut way = vec![(start.clone(), children(start))];
            states.insert(start.clone(), State::Open);
            while let Some((name, rest)) = way.last_mut() {
                let Some(next) = rest.pop() else {
                    states.insert(name.clone(), State::Done);
                    way.pop();
                    continue;
                };
                match states.get(&next) {
                    Some(State::Open) => {
                        let from = way.iter().position(|(name, _)| *name == next).unwrap_or_default();
                        let mut circle: Vec<&str> =
                            way[from..].iter().map(|(name, _)| name.as_str()).collect();
                        circle.push(&next);
                        let message = format!("services depend on each other: {}", circle.join(" → "));
                        return Err(LoadError::new(
                            message,
                            self.span(&["services", &way[from].0, "depends_on"]),
                        ));
                    }
                    Some(State::Done) => {}
                    None => {
                        states.insert(next.clone(), State::Open);
                        let more = children(&next);
                        way.push((next, more));
                    }
                }
            }
        }
        Ok(())
    }
}

fn names(value: &JsonValue, key: &str) -> Vec<String> {
    value
        .get(key)
        .and_then(JsonValue::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect()
}

pub(super) fn list<'v>(value: &'v JsonValue, key: &str) -> &'v [JsonValue] {
    value.get(key).and_then(JsonValue::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn sources(value: &JsonValue, key: &str) -> Vec<String> {
    list(value, key)
        .iter()
        .map(|item| item.get("source").and_then(JsonValue::as_str).unwrap_or_default().to_owned())
        .collect()
}

/// Where the search for circles is with a service; unseen ones are in no state.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Open,
    Done,
}
