//! `cosec.toml`: what a project wants of the linter.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::lint::{Level, Target};
use crate::nearest::nearest;
use crate::rules::{self, Persona, Severity};

/// The file's name.
pub const FILE_NAME: &str = "cosec.toml";

/// What a `cosec.toml` says. What it leaves open is `None` or empty.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `persona`
    pub persona: Option<Persona>,
    /// `fail-on`
    pub fail_on: Option<Severity>,
    /// `target`
    pub target: Option<Target>,
    /// `baseline`: a path, from the directory of the file.
    pub baseline: Option<String>,
    /// `exclude`: patterns as in .gitignore, from the directory of the file.
    pub exclude: Vec<String>,
    /// `[lint.rules]`
    pub levels: BTreeMap<String, Level>,
}

/// Why a `cosec.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct SettingsError {
    /// What is wrong and what to do.
    pub message: String,
    /// Where, from 1.
    pub line: usize,
}

/// A key of `[lint]`: its name, what it means, and its type.
struct Key(&'static str, &'static str, Type);

enum Type {
    /// One of these words.
    Word(&'static [&'static str]),
    Text,
    Texts,
    /// A table of rules, each with one of these words.
    Rules(&'static [&'static str]),
}

const LEVELS: &[&str] = &["off", "info", "warning", "error"];

/// All that `[lint]` knows. The schema is made from it, too.
const KEYS: &[Key] = &[
    Key(
        "persona",
        "Whose rules: everybody's, stricter ones too, or all",
        Type::Word(&["regular", "pedantic", "auditor"]),
    ),
    Key(
        "fail-on",
        "The least severity that makes the exit code 1",
        Type::Word(&["error", "warning", "info"]),
    ),
    Key("target", "What the project is meant for", Type::Word(&["compose", "swarm"])),
    Key("baseline", "A file of findings that are known, from this file's directory", Type::Text),
    Key(
        "exclude",
        "Files and directories that are left out when a directory is linted, written as in .gitignore",
        Type::Texts,
    ),
    Key("rules", "Rules that are off, or have another severity than their own", Type::Rules(LEVELS)),
];

/// Reads a `cosec.toml`. A key or a rule that does not exist is an error: a slip of the pen must not turn a check off
/// without a word.
///
/// ```
/// let settings = cosec_core::settings::parse("[lint]\npersona = 'auditor'\n[lint.rules]\nweak-password = 'off'\n");
/// assert_eq!(settings.unwrap().levels.len(), 1);
/// let error = cosec_core::settings::parse("[lint]\npersonna = 'auditor'\n").unwrap_err();
/// assert_eq!(error.to_string(), "line 2: there is no setting `lint.personna`; did you mean `persona`?");
/// ```
pub fn parse(text: &str) -> Result<Settings, SettingsError> {
    let reader = Reader { text };
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        // The parser's own words can quote the text.
        reader.error(at, "this is not valid TOML".to_owned())
    })?;
    let mut settings = Settings::default();
    for (name, value) in table.get_ref() {
        if name.get_ref() != "lint" {
            return Err(reader.unknown(name, "", ["lint"].into_iter()));
        }
        let DeValue::Table(lint) = value.get_ref() else {
            return Err(reader.error(value.span().start, "`lint` must be a table: [lint]".to_owned()));
        };
        for (name, value) in lint {
            let Some(Key(key, _, kind)) = KEYS.iter().find(|Key(key, ..)| key == name.get_ref()) else {
                return Err(reader.unknown(name, "lint.", KEYS.iter().map(|Key(key, ..)| *key)));
            };
            reader.read(&mut settings, key, kind, value)?;
        }
    }
    Ok(settings)
}

struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn error(&self, at: usize, message: String) -> SettingsError {
        let line = self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        SettingsError { message, line }
    }

    fn unknown<'k>(
        &self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        path: &str,
        known: impl Iterator<Item = &'k str> + Clone,
    ) -> SettingsError {
        let written = name.get_ref();
        let advice = match nearest(known.clone(), written) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.collect::<Vec<_>>().join(", ")),
        };
        let what = if path == "lint.rules." { "rule" } else { "setting" };
        let shown = if what == "rule" { written.to_string() } else { format!("{path}{written}") };
        self.error(name.span().start, format!("there is no {what} `{shown}`; {advice}"))
    }

    fn read(
        &self,
        settings: &mut Settings,
        key: &str,
        kind: &Type,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), SettingsError> {
        match kind {
            Type::Word(words) => {
                let word = self.word(&format!("lint.{key}"), words, value)?;
                match key {
                    "persona" => settings.persona = persona(&word),
                    "target" => settings.target = target(&word),
                    _ => settings.fail_on = severity(&word),
                }
            }
            Type::Text => settings.baseline = Some(self.text(&format!("lint.{key}"), value)?),
            Type::Texts => {
                let DeValue::Array(items) = value.get_ref() else {
                    return Err(
                        self.error(value.span().start, format!("`lint.{key}` must be a list of texts"))
                    );
                };
                for item in items {
                    settings.exclude.push(self.text(&format!("lint.{key}"), item)?);
                }
            }
            Type::Rules(words) => {
                let DeValue::Table(rules) = value.get_ref() else {
                    return Err(self
                        .error(value.span().start, "`lint.rules` must be a table: [lint.rules]".to_owned()));
                };
                for (name, value) in rules {
                    if rules::by_id(name.get_ref()).is_none() {
                        return Err(self.unknown(name, "lint.rules.", rules::ALL.iter().map(|rule| rule.id)));
                    }
                    let word = self.word(&format!("lint.rules.{}", name.get_ref()), words, value)?;
                    let level = severity(&word).map_or(Level::Off, Level::At);
                    settings.levels.insert(name.get_ref().to_string(), level);
                }
            }
        }
        Ok(())
    }

    fn text(&self, path: &str, value: &Spanned<DeValue<'_>>) -> Result<String, SettingsError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            _ => Err(self.error(value.span().start, format!("`{path}` must be a text"))),
        }
    }

    fn word(
        &self,
        path: &str,
        words: &[&str],
        value: &Spanned<DeValue<'_>>,
    ) -> Result<String, SettingsError> {
        let word = self.text(path, value)?;
        if words.contains(&word.as_str()) {
            return Ok(word);
        }
        let message = format!("`{path}` must be one of {}", words.join(", "));
        Err(self.error(value.span().start, message))
    }
}

fn persona(word: &str) -> Option<Persona> {
    match word {
        "regular" => Some(Persona::Regular),
        "pedantic" => Some(Persona::Pedantic),
        "auditor" => Some(Persona::Auditor),
        _ => None,
    }
}

fn target(word: &str) -> Option<Target> {
    match word {
        "compose" => Some(Target::Compose),
        "swarm" => Some(Target::Swarm),
        _ => None,
    }
}

fn severity(word: &str) -> Option<Severity> {
    match word {
        "info" => Some(Severity::Info),
        "warning" => Some(Severity::Warning),
        "error" => Some(Severity::Error),
        _ => None,
    }
}

/// The JSON schema of `cosec.toml`, for editors.
pub fn schema() -> Value {
    let keys = KEYS.iter().map(|Key(name, meaning, kind)| {
        let mut schema = match kind {
            Type::Word(words) => json!({"type": "string", "enum": words}),
            Type::Text => json!({"type": "string"}),
            Type::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Type::Rules(words) => {
                let rules = rules::ALL
                    .iter()
                    .map(|rule| (rule.id.to_owned(), json!({"description": rule.summary, "type": "string", "enum": words})));
                json!({"type": "object", "additionalProperties": false, "properties": rules.collect::<serde_json::Map<_, _>>()})
            }
        };
        schema["description"] = json!(meaning);
        ((*name).to_owned(), schema)
    });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "cosec.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": {"lint": {
            "description": "What `cosec lint` looks for",
            "type": "object",
            "additionalProperties": false,
            "properties": keys.collect::<serde_json::Map<_, _>>(),
        }},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_read() {
        let text = "[lint]\npersona = \"pedantic\"\nfail-on = \"error\"\ntarget = \"swarm\"\nbaseline = \"b.json\"\nexclude = [\"x/**\"]\n[lint.rules]\nenv-secret = \"warning\"\nweak-password = \"off\"\n";
        let settings = parse(text).unwrap();
        assert_eq!(settings.persona, Some(Persona::Pedantic));
        assert_eq!(settings.fail_on, Some(Severity::Error));
        assert_eq!(settings.target, Some(Target::Swarm));
        assert_eq!(settings.baseline.as_deref(), Some("b.json"));
        assert_eq!(settings.exclude, ["x/**"]);
        assert_eq!(settings.levels["env-secret"], Level::At(Severity::Warning));
        assert_eq!(settings.levels["weak-password"], Level::Off);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_line_and_a_suggestion() {
        for (text, words) in [
            ("[lnt]\n", "line 1: there is no setting `lnt`; did you mean `lint`?"),
            (
                "[lint.rules]\ninline-pasword = \"off\"",
                "line 2: there is no rule `inline-pasword`; did you mean `inline-password`?",
            ),
            (
                "[lint]\n\npersona = \"all\"",
                "line 3: `lint.persona` must be one of regular, pedantic, auditor",
            ),
            ("[lint]\nexclude = \"x\"", "line 2: `lint.exclude` must be a list of texts"),
            ("lint = 1", "line 1: `lint` must be a table: [lint]"),
            ("[lint]\npersona = hunter2", "line 2: this is not valid TOML"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), words);
        }
    }

    /// docs/cosec.schema.json is this schema; `cargo xtask docs` writes it.
    #[test]
    fn the_schema_in_the_documentation_is_that_of_the_settings() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cosec.schema.json");
        let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("COSEC_WRITE_DOCS").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == schema, "docs/cosec.schema.json is stale: run `cargo xtask docs`");
    }
}
