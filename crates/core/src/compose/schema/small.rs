//! The keywords and patterns that the Compose schema uses, and no others; a test says that these are all.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::{Problem, SCHEMA, Says, says, wrong_type};

/// The deepest place that is wrong; of several the first.
pub(super) fn problem(model: &Value) -> Option<Problem> {
    static PARSED: OnceLock<Value> = OnceLock::new();
    let root = PARSED.get_or_init(|| serde_json::from_str(SCHEMA).unwrap_or_default());
    let mut check = Check { root, path: Vec::new(), worst: None };
    check.node(root, model);
    check.worst
}

struct Check<'a> {
    root: &'a Value,
    /// Where in the model.
    path: Vec<String>,
    worst: Option<Problem>,
}

impl<'a> Check<'a> {
    fn node(&mut self, schema: &'a Value, value: &Value) {
        let Some(schema) = schema.as_object() else { return };
        // Draft 7: beside a reference nothing counts.
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            if let Some(target) = target {
                self.node(target, value);
            }
            return;
        }
        for (keyword, argument) in schema {
            self.keyword(keyword, argument, schema, value);
        }
    }

    fn keyword(&mut self, keyword: &str, argument: &'a Value, schema: &'a Map<String, Value>, value: &Value) {
        match (keyword, value) {
            ("type", _) => {
                let types = match argument {
                    Value::Array(several) => several.as_slice(),
                    one => std::slice::from_ref(one),
                };
                let types = types.iter().filter_map(Value::as_str);
                if !types.clone().any(|name| is(name, value)) {
                    self.keep(Problem { path: self.path.clone(), key: None, says: wrong_type(types) });
                }
            }
            ("enum", _) if !argument.as_array().is_some_and(|options| options.contains(value)) => {
                self.wrong(None, || says::not_one_of(argument));
            }
            ("pattern", Value::String(text)) if !matches(argument.as_str().unwrap_or_default(), text) => {
                self.wrong(None, || says::no_match(argument.as_str().unwrap_or_default()));
            }
            ("minimum", Value::Number(number)) if number.as_f64() < argument.as_f64() => {
                self.wrong(None, || says::too_small(argument));
            }
            ("maximum", Value::Number(number)) if number.as_f64() > argument.as_f64() => {
                self.wrong(None, || says::too_large(argument));
            }
            ("oneOf", _) => self.one_of(argument.as_array().map(Vec::as_slice).unwrap_or_default(), value),
            ("items", Value::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    self.below(at.to_string(), argument, item);
                }
            }
            ("uniqueItems", Value::Array(items)) if argument == &Value::Bool(true) && has_twice(items) => {
                self.wrong(None, || says::TWICE.to_owned());
            }
            ("required", Value::Object(map)) => {
                let names = argument.as_array().into_iter().flatten().filter_map(Value::as_str);
                for name in names.filter(|name| !map.contains_key(*name)) {
                    self.wrong(None, || says::missing(name));
                }
            }
            ("properties", Value::Object(map)) if !is_closed(schema) => {
                for (name, property) in argument.as_object().into_iter().flatten() {
                    if let Some(member) = map.get(name) {
                        self.below(name.clone(), property, member);
                    }
                }
            }
            ("patternProperties", Value::Object(map)) if !is_closed(schema) => {
                for (pattern, property) in argument.as_object().into_iter().flatten() {
                    for (name, member) in map.iter().filter(|(name, _)| matches(pattern, name)) {
                        self.below(name.clone(), property, member);
                    }
                }
            }
            ("additionalProperties", Value::Object(map)) if is_closed(schema) => self.closed(schema, map),
            _ => {}
        }
    }

    /// A mapping of known keys only.
    fn closed(&mut self, schema: &'a Map<String, Value>, map: &Map<String, Value>) {
        let part = |keyword: &str| schema.get(keyword).and_then(Value::as_object);
        let mut unknown = None;
        for (name, member) in map {
            let property = part("properties").and_then(|properties| properties.get(name));
            if let Some(property) = property {
                self.below(name.clone(), property, member);
            }
            let mut known = property.is_some();
            for (pattern, property) in part("patternProperties").into_iter().flatten() {
                if matches(pattern, name) {
                    known = true;
                    self.below(name.clone(), property, member);
                }
            }
            if !known {
                unknown = unknown.or(Some(name));
            }
        }
        if let Some(name) = unknown {
            self.wrong(Some(name), || says::unknown_key(Some(name)));
        }
    }

    fn below(&mut self, key: String, schema: &'a Value, value: &Value) {
        self.path.push(key);
        self.node(schema, value);
        self.path.pop();
    }

    /// Where nothing fits, all alternatives have a say.
    fn one_of(&mut self, options: &'a [Value], value: &Value) {
        let mut failures = Vec::new();
        for option in options {
            let mut check = Check { root: self.root, path: self.path.clone(), worst: None };
            check.node(option, value);
            failures.extend(check.worst);
        }
        match options.len() - failures.len() {
            0 => failures.into_iter().for_each(|problem| self.keep(problem)),
            1 => {}
            _ => self.wrong(None, || says::AMBIGUOUS.to_owned()),
        }
    }

    fn wrong(&mut self, key: Option<&String>, says: impl FnOnce() -> String) {
        self.keep(Problem { path: self.path.clone(), key: key.cloned(), says: Says::Sentence(says()) });
    }

    fn keep(&mut self, problem: Problem) {
        self.worst = Some(match self.worst.take() {
            Some(worst) => worst.or(problem),
            None => problem,
        });
    }
}

fn is_closed(schema: &Map<String, Value>) -> bool {
    schema.get("additionalProperties") == Some(&Value::Bool(false))
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => match value {
            Value::Number(number) => {
                !number.is_f64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
            }
            _ => false,
        },
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        _ => false,
    }
}

/// Lists here are short or of texts; a long one is sorted so that it costs no square.
fn has_twice(items: &[Value]) -> bool {
    let mut written: Vec<String> = items.iter().map(Value::to_string).collect();
    written.sort_unstable();
    written.windows(2).any(|pair| pair[0] == pair[1])
}

/// The patterns that are in the schema.
fn matches(pattern: &str, text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match pattern {
        "^x-" => text.starts_with("x-"),
        ".+" => text.chars().any(|letter| !is_line_break(letter)),
        "^.+$" => !text.is_empty() && !text.contains(is_line_break),
        "^[a-z]+$" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase()),
        "^[a-zA-Z0-9._-]+$" => !text.is_empty() && text.bytes().all(is_word),
        "[a-zA-Z0-9][a-zA-Z0-9_.-]+" => {
            text.as_bytes().windows(2).any(|pair| pair[0].is_ascii_alphanumeric() && is_word(pair[1]))
        }
        PULL_POLICY => {
            let words =
                ["always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"];
            words.iter().any(|word| text.contains(word)) || text.split("every_").skip(1).any(is_duration)
        }
        _ => false,
    }
}

const PULL_POLICY: &str =
    "always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+";

/// Whether a text begins with digits and a unit.
fn is_duration(text: &str) -> bool {
    let rest = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    rest.len() < text.len() && rest.starts_with(['w', 'd', 'h', 'm', 's'])
}

fn is_line_break(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Notes what is in a schema: keywords, patterns.
    fn walk<'s>(schema: &'s Value, keywords: &mut BTreeSet<&'s str>, patterns: &mut BTreeSet<&'s str>) {
        for (keyword, argument) in schema.as_object().into_iter().flatten() {
            keywords.insert(keyword);
            match (keyword.as_str(), argument) {
                ("pattern", _) => {
                    patterns.insert(argument.as_str().unwrap());
                }
                ("properties" | "definitions" | "patternProperties", Value::Object(map)) => {
                    if keyword == "patternProperties" {
                        patterns.extend(map.keys().map(String::as_str));
                    }
                    map.values().for_each(|below| walk(below, keywords, patterns));
                }
                ("oneOf", Value::Array(options)) => {
                    for below in options {
                        walk(below, keywords, patterns);
                    }
                }
                ("items", below) => walk(below, keywords, patterns),
                ("additionalProperties", more) => assert!(more.is_boolean(), "{more}"),
                _ => {}
            }
        }
    }

    #[test]
    fn a_newer_schema_is_not_read_in_part_only() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let (mut keywords, mut patterns) = (BTreeSet::new(), BTreeSet::new());
        walk(&schema, &mut keywords, &mut patterns);
        let known = [
            "$comment",
            "$id",
            "$ref",
            "$schema",
            "additionalProperties",
            "default",
            "definitions",
            "deprecated",
            "enum",
            "items",
            "maximum",
            "minimum",
            "oneOf",
            "pattern",
            "patternProperties",
            "properties",
            "required",
            "title",
            "type",
            "uniqueItems",
        ];
        assert_eq!(keywords, BTreeSet::from(known));
        let known =
            ["^x-", ".+", "^.+$", "^[a-z]+$", "^[a-zA-Z0-9._-]+$", "[a-zA-Z0-9][a-zA-Z0-9_.-]+", PULL_POLICY];
        assert_eq!(patterns, BTreeSet::from(known));
    }

    /// Each part of a model as something else: what people get wrong, and more.
    #[cfg(feature = "schema")]
    #[test]
    fn the_page_refuses_what_the_program_refuses_and_says_the_same() {
        use serde_json::json;

        let model = json!({
            "name": "shop", "x-a": 1,
            "services": {
                "db": {
                    "image": "x", "build": {"context": ".", "args": ["A=b"], "secrets": ["s", {"source": "t"}], "ulimits": {"nofile": 1}},
                    "environment": {"A": 1, "B": null}, "env_file": [{"path": "a", "required": true}, "b"],
                    "ports": [80, "1:2", {"target": 80, "published": "1"}], "command": ["a"], "secrets": ["s", {"source": "s", "mode": 256}],
                    "volumes": ["a:/b", {"type": "bind", "source": "a", "bind": {"selinux": "z"}, "tmpfs": {"size": 1}}],
                    "depends_on": {"e": {"condition": "service_healthy"}}, "networks": {"n": {"aliases": ["a"]}, "m": null},
                    "healthcheck": {"test": ["CMD", "a"], "interval": "1s", "retries": 3}, "pull_policy": "every_3d", "oom_score_adj": 5,
                    "cpu_percent": 50, "cpu_count": "2", "labels": {"a": "b"}, "restart": "no", "privileged": false, "cap_add": ["A", "B"],
                    "deploy": {"replicas": 2, "update_config": {"order": "stop-first"}, "resources": {"limits": {"cpus": "1"}}},
                    "develop": {"watch": [{"path": "a", "action": "sync"}]}, "cgroup": "host", "gpus": "all", "ulimits": {"n": {"soft": 1, "hard": 2}}
                },
                "e": {"image": "y", "depends_on": ["db"], "networks": ["n"], "extends": {"service": "db"}}
            },
            "secrets": {"s": {"file": "a"}, "t": {"external": true}}, "configs": {"c": {"content": "x"}},
            "networks": {"n": {"ipam": {"config": [{"subnet": "a"}]}}, "m": null}, "volumes": {"v": {"driver_opts": {"a": 1}}, "w": null},
            "include": ["a", {"path": ["b"]}]
        });
        let others = [
            json!(null),
            json!(true),
            json!(-1),
            json!(1.5),
            json!(2.0),
            json!("x"),
            json!(""),
            json!("a\nb"),
            json!([]),
            json!(["a", "a"]),
            json!([1]),
            json!({}),
            json!({"unknown": 1}),
            json!({"x-y": 1, "zz": {}}),
            json!([{"a": []}]),
            json!("every_3"),
            json!("host"),
        ];
        let mut pointers = Vec::new();
        collect(&model, String::new(), &mut pointers);
        let (mut same, mut refused) = (0, 0);
        for pointer in &pointers {
            let at = |change: &dyn Fn(&mut Value)| {
                let mut changed = model.clone();
                change(changed.pointer_mut(pointer).unwrap());
                changed
            };
            let mut models: Vec<Value> =
                others.iter().map(|other| at(&|place| *place = other.clone())).collect();
            models.push(at(&|place| {
                if let Value::Object(map) = place {
                    map.insert("unknwon".to_owned(), json!("x"));
                }
            }));
            for model in &models {
                let (ours, theirs) = (problem(model), super::super::full::problem(model));
                assert_eq!(ours, theirs, "{pointer}: {:?}", model.pointer(pointer));
                same += 1;
                refused += usize::from(ours.is_some());
            }
        }
        assert_eq!(problem(&model), None);
        assert!(refused > 1000 && same - refused > 200, "{refused} of {same}");
    }

    #[cfg(feature = "schema")]
    fn collect(value: &Value, pointer: String, found: &mut Vec<String>) {
        let below = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
        match value {
            Value::Object(map) => map.iter().for_each(|(key, member)| collect(member, below(key), found)),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    collect(item, below(&at.to_string()), found);
                }
            }
            _ => {}
        }
        found.push(pointer);
    }
}
