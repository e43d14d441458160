//! What holds for every project, not only for those that somebody thought of.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod model;

use std::collections::BTreeMap;

use cosec_core::compose::template::{self, Missing};
use cosec_core::compose::{Binding, BindingOrigin, Data, Environment, Value as Read, decode};
use cosec_core::files::MemoryFiles;
use cosec_core::source::Sources;
use cosec_core::yaml;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// What Compose makes of files, in the order of `-f`; `None` if it refuses them.
fn config(texts: &[String]) -> Option<Value> {
    let mut files = MemoryFiles::default();
    let names: Vec<String> = (0..texts.len()).map(|number| format!("{number}.yaml")).collect();
    for (name, text) in names.iter().zip(texts) {
        files.insert(name.as_str(), text.as_str());
    }
    model::config(&files, &names, &Environment::default()).ok()
}

fn read(value: &Read) -> Value {
    match &value.data {
        Data::Null => Value::Null,
        Data::Bool(truth) => json!(truth),
        Data::Int(number) => json!(i64::try_from(*number).unwrap()),
        Data::Float(number) => json!(number),
        Data::Time(text) | Data::Str(text) => json!(&**text),
        Data::Seq(items) => items.iter().map(read).collect(),
        Data::Map(map) => {
            Value::Object(map.iter().map(|(key, entry)| (key.to_string(), read(&entry.value))).collect())
        }
    }
}

/// Any text, and more often such as YAML could take for something else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-?:,\\[\\]{}#&*!|>'\"%@`= \t\n~.0-9a-zA-Z\\\\]{0,12}",
        "[+-]?[0-9_]{1,4}([.:eExob][0-9a-f_]{0,4})?",
        "(?i:y|n|yes|no|on|off|true|false|null|~|<<|=|\\.inf|-\\.inf|\\.nan)",
        "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}Z?)?",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(text(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,5}"
}

/// A plain value that Compose prints as it is, `$` aside.
fn plain() -> impl Strategy<Value = String> {
    "[ -#%-~é]{0,12}"
}

/// A service in the form in which Compose prints one.
fn service() -> impl Strategy<Value = Value> {
    (
        "[a-z]{1,8}",
        btree_map("[A-Z_]{1,6}", plain(), 0..5),
        btree_map(name(), plain(), 0..4),
        proptest::option::of(vec(plain(), 1..4)),
        proptest::option::of(any::<bool>()),
        vec("[A-Z]{1,5}", 0..3),
    )
        .prop_map(|(image, environment, labels, command, read_only, cap_add)| {
            let mut service = Map::new();
            service.insert("image".to_owned(), json!(image));
            if !environment.is_empty() {
                service.insert("environment".to_owned(), json!(environment));
            }
            if !labels.is_empty() {
                service.insert("labels".to_owned(), json!(labels));
            }
            if let Some(command) = command {
                service.insert("command".to_owned(), json!(command));
            }
            if let Some(read_only) = read_only {
                service.insert("read_only".to_owned(), json!(read_only));
            }
            if !cap_add.is_empty() {
                service.insert("cap_add".to_owned(), json!(cap_add));
            }
            Value::Object(service)
        })
}

fn project() -> impl Strategy<Value = BTreeMap<String, Value>> {
    btree_map("[a-c]", service(), 1..4)
}

fn written(services: &BTreeMap<String, Value>) -> String {
    yaml::write(&json!({ "services": services }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back_the_same(value in value()) {
        let text = yaml::write(&value);
        let mut sources = Sources::default();
        let file = sources.add("x.yaml", text.clone());
        let documents = yaml::parse(file, sources.file(file).text()).unwrap();
        let back = read(&decode(&documents[0]).unwrap());
        prop_assert_eq!(back, value, "{}", text);
    }

    #[test]
    fn what_is_printed_loads_as_the_same_project(project in project()) {
        let first = config(&[written(&project)]).unwrap();
        let second = config(&[yaml::write(&first)]);
        prop_assert_eq!(second, Some(first));
    }

    #[test]
    fn a_project_says_what_was_written(project in project()) {
        let printed = config(&[written(&project)]).unwrap();
        for (name, service) in &project {
            for (key, value) in service.as_object().unwrap() {
                let printed = &printed["services"][name][key];
                match value {
                    // Compose drops what is false, and an entry that stands twice.
                    Value::Bool(false) | Value::Array(_) => {}
                    value => prop_assert_eq!(printed, value, "{}.{}", name, key),
                }
            }
        }
    }

    /// Mappings merge key by key and lists by appending: it does not matter which two files are merged first. What
    /// one file already merges is written as a file of its own.
    #[test]
    fn merging_is_associative(a in project(), b in project(), c in project()) {
        let all = config(&[written(&a), written(&b), written(&c)]).unwrap();
        let first = config(&[written(&a), written(&b)]).unwrap();
        prop_assert_eq!(config(&[yaml::write(&first), written(&c)]), Some(all.clone()));
        let documents = format!("{}---\n{}", written(&b), written(&c));
        prop_assert_eq!(config(&[written(&a), documents]), Some(all));
    }

    #[test]
    fn an_empty_file_on_top_changes_nothing(project in project()) {
        let alone = config(&[written(&project)]);
        prop_assert_eq!(config(&[written(&project), "services: {}\n".to_owned()]), alone);
    }

    #[test]
    fn text_without_a_dollar_is_not_interpolated(text in "[^$]*") {
        let (result, _) = template::evaluate(&text, &Environment::default(), Missing::Refuse).unwrap();
        prop_assert_eq!(result, text);
    }

    #[test]
    fn an_escaped_dollar_comes_out_as_itself(text in prop_oneof![any::<String>(), "[${}A:?+-]{0,12}"]) {
        let mut environment = Environment::default();
        let binding = Binding { value: "value".into(), origin: BindingOrigin::Process };
        environment.set("A", binding);
        let escaped = text.replace('$', "$$");
        let (result, _) = template::evaluate(&escaped, &environment, Missing::Refuse).unwrap();
        prop_assert_eq!(result, text);
    }

    #[test]
    fn no_template_panics(text in "[${}A:?+-]{0,20}") {
        let _ = template::evaluate(&text, &Environment::default(), Missing::Refuse);
    }
}
