//! Services that stand where Compose looks for none: a service's keys at the top of a file, as a snippet has them, or
//! services at the top, as the first version of the format had them. Compose refuses both; a linter looks at them.

use super::load::LoadError;
use super::value::{Data, Map, MapEntry, Value};

/// Keys that a service has and a Compose file's top has not.
const OF_SERVICES: &[&str] = &[
    "image",
    "build",
    "environment",
    "env_file",
    "command",
    "entrypoint",
    "container_name",
    "ports",
    "expose",
    "depends_on",
    "links",
    "volumes_from",
    "healthcheck",
    "labels",
    "restart",
];

/// The name of the service that a snippet is.
const UNNAMED: &str = "service";

/// Puts what belongs there below `services`, in a document that has none; what Compose says of the document then.
pub(super) fn put_right(document: &mut Value) -> Option<LoadError> {
    let top = document.as_map_mut()?;
    if top.contains_key("services") || top.contains_key("include") {
        return None;
    }
    let is_service = |key: &str, value: &Value| is_strange(key) && has_service_keys(value);
    let strange = |key: &str, value: &Value| match value.data {
        Data::Map(_) => is_strange(key),
        // `volumes: [./a:/b]`
        _ => !matches!(key, "name" | "version") && !key.starts_with("x-"),
    };
    let first = |wanted: &dyn Fn(&str, &Value) -> bool| {
        let found = top.iter().find(|(key, entry)| wanted(key, &entry.value));
        found.map(|(key, entry)| (key.clone(), entry.key_span))
    };
    let snippet = first(&|key, _| OF_SERVICES.contains(&key));
    let (key, span) = snippet.clone().or_else(|| first(&is_service))?;
    let moves = |key: &str, value: &Value| {
        if snippet.is_some() { strange(key, value) } else { is_service(key, value) }
    };
    let names: Vec<_> =
        top.iter().filter(|(key, entry)| moves(key, &entry.value)).map(|(key, _)| key.clone()).collect();
    let moved: Map = names.iter().filter_map(|name| Some((name.clone(), top.shift_remove(name)?))).collect();
    let below = |entries: Map| MapEntry { key_span: span, value: Value::new(Data::Map(entries), span) };
    let services = match snippet {
        Some(_) => Map::from_iter([(UNNAMED.into(), below(moved))]),
        None => moved,
    };
    top.insert("services".into(), below(services));
    let message = format!(
        "Compose refuses this file: it knows no `{key}` at the top of one; services stand below `services:`, each with its name"
    );
    Some(LoadError::new(message, span))
}

fn is_strange(key: &str) -> bool {
    const SECTIONS: [&str; 7] = ["name", "version", "volumes", "networks", "secrets", "configs", "models"];
    !SECTIONS.contains(&key) && !key.starts_with("x-")
}

fn has_service_keys(value: &Value) -> bool {
    value.as_map().is_some_and(|map| map.keys().any(|key| OF_SERVICES.contains(&&**key)))
}

#[cfg(test)]
mod tests {
    use crate::files::MemoryFiles;
    use crate::lint::{LintOptions, lint_file};

    fn lint(text: &str) -> (Vec<String>, Option<String>) {
        let mut files = MemoryFiles::default();
        files.insert("compose.yaml", text);
        let outcome = lint_file(&files, "compose.yaml", &LintOptions::default());
        let found = outcome.findings.iter().map(|finding| finding.path.clone()).collect();
        (found, outcome.error.map(|error| error.to_string()))
    }

    #[test]
    fn a_file_without_services_is_refused_and_looked_at_as_far_as_it_goes() {
        for (text, path, key) in [
            (
                "image: x\nenvironment: {PASSWORD: hunter2}\n",
                "services.service.environment.PASSWORD",
                "image",
            ),
            (
                "environment: [PASSWORD=hunter2]\nvolumes: ['./a:/b']\n",
                "services.service.environment.PASSWORD",
                "environment",
            ),
            (
                "db:\n  image: x\n  environment: {PASSWORD: hunter2}\n",
                "services.db.environment.PASSWORD",
                "db",
            ),
        ] {
            let (found, error) = lint(text);
            assert_eq!(found, [path], "{text}");
            assert!(error.is_some_and(|error| error.contains(&format!("knows no `{key}`"))), "{text}");
        }
    }

    #[test]
    fn a_file_that_adds_to_others_is_not_refused() {
        for text in [
            "secrets: {s: {environment: S}}\n",
            "x-base: {image: x}\nservices: {a: {image: x}}\n",
            "include: []\nname: a\n",
            "version: '3'\nvolumes: {a: {labels: {b: c}}}\n",
        ] {
            assert_eq!(lint(text).1, None, "{text}");
        }
    }
}
