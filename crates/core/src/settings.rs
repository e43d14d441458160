//! `cosec.toml`: what a project wants of the linter and of what serves its secrets.

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
    /// `[serve]`
    pub serve: Serve,
}

/// `[serve]`: the limits of what is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serve {
    /// `max-size`: the largest secret or config, in bytes.
    pub max_size: u64,
    /// `versions`: how many earlier versions of a secret can be brought back.
    pub versions: usize,
    /// `audit-on-failure = "warn"`: an open that cannot be written down goes on, and is not denied.
    pub audit_warns: bool,
    /// `audit-max-size`: an audit file as large as this, in bytes, gives way to a new one.
    pub audit_max_size: u64,
}

impl Default for Serve {
    /// The engine's own limit for a secret; five versions; deny; 16 MiB.
    fn default() -> Self {
        Serve { max_size: 512_000, versions: 5, audit_warns: false, audit_max_size: 16 << 20 }
    }
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

/// A key of a table: its name, what it means, and its type.
struct Key(&'static str, &'static str, Type);

enum Type {
    /// One of these words.
    Word(&'static [&'static str]),
    Text,
    Texts,
    /// A whole number from the one to the other.
    Number(u64, u64),
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

/// All that `[serve]` knows.
const SERVE_KEYS: &[Key] = &[
    Key("max-size", "The largest secret or config, in bytes [default: 512000]", Type::Number(1, 16 << 20)),
    Key(
        "versions",
        "How many earlier versions of a secret can be brought back [default: 5]",
        Type::Number(0, 100),
    ),
    Key(
        "audit-on-failure",
        "What an open does that cannot be written down: it is denied, or goes on and the server's log says so",
        Type::Word(&["deny", "warn"]),
    ),
    Key(
        "audit-max-size",
        "An audit file as large as this, in bytes, gives way to a new one; four old ones are kept [default: 16777216]",
        Type::Number(4096, 1 << 40),
    ),
];

/// The tables: name, meaning, keys.
const TABLES: [(&str, &str, &[Key]); 2] = [
    ("lint", "What `cosec lint` looks for", KEYS),
    ("serve", "Limits of what `cosec up`, `run` and `mount` serve", SERVE_KEYS),
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
        let Some((table, _, keys)) = TABLES.iter().find(|(table, ..)| table == name.get_ref()) else {
            return Err(reader.unknown(name, "", TABLES.iter().map(|(table, ..)| *table)));
        };
        let DeValue::Table(entries) = value.get_ref() else {
            return Err(reader.error(value.span().start, format!("`{table}` must be a table: [{table}]")));
        };
        for (name, value) in entries {
            let Some(Key(key, _, kind)) = keys.iter().find(|Key(key, ..)| key == name.get_ref()) else {
                let known = keys.iter().map(|Key(key, ..)| *key);
                return Err(reader.unknown(name, &format!("{table}."), known));
            };
            reader.read(&mut settings, &format!("{table}.{key}"), kind, value)?;
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
        path: &str,
        kind: &Type,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), SettingsError> {
        match kind {
            Type::Word(words) => {
                let word = self.word(path, words, value)?;
                match path {
                    "lint.persona" => settings.persona = persona(&word),
                    "lint.target" => settings.target = target(&word),
                    "serve.audit-on-failure" => settings.serve.audit_warns = word == "warn",
                    _ => settings.fail_on = severity(&word),
                }
            }
            Type::Number(least, most) => {
                let number = match value.get_ref() {
                    DeValue::Integer(number) => {
                        u64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
                    }
                    _ => None,
                };
                let Some(number) = number.filter(|number| (*least..=*most).contains(number)) else {
                    let message = format!("`{path}` must be a number from {least} to {most}");
                    return Err(self.error(value.span().start, message));
                };
                match path {
                    "serve.max-size" => settings.serve.max_size = number,
                    "serve.versions" => settings.serve.versions = number as usize,
                    _ => settings.serve.audit_max_size = number,
                }
            }
            Type::Text => settings.baseline = Some(self.text(path, value)?),
            Type::Texts => {
                let DeValue::Array(items) = value.get_ref() else {
                    return Err(self.error(value.span().start, format!("`{path}` must be a list of texts")));
                };
                for item in items {
                    settings.exclude.push(self.text(path, item)?);
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
    let property = |Key(name, meaning, kind): &Key| {
        let mut schema = match kind {
            Type::Number(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
            Type::Word(words) => json!({"type": "string", "enum": words}),
            Type::Text => json!({"type": "string"}),
            Type::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Type::Rules(words) => {
                let rules = rules::ALL.iter().map(|rule| {
                    (
                        rule.id.to_owned(),
                        json!({"description": rule.summary, "type": "string", "enum": words}),
                    )
                });
                json!({"type": "object", "additionalProperties": false, "properties": rules.collect::<serde_json::Map<_, _>>()})
            }
        };
        schema["description"] = json!(meaning);
        ((*name).to_owned(), schema)
    };
    let tables = TABLES.iter().map(|(name, meaning, keys)| {
        let schema = json!({
            "description": meaning,
            "type": "object",
            "additionalProperties": false,
            "properties": keys.iter().map(property).collect::<serde_json::Map<_, _>>(),
        });
        ((*name).to_owned(), schema)
    });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "cosec.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": tables.collect::<serde_json::Map<_, _>>(),
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
        assert_eq!(settings.serve, Serve::default());
        let text = "[serve]\nmax-size = 1_000_000\nversions = 0\naudit-on-failure = \"warn\"\naudit-max-size = 0x2000\n";
        let serve = Serve { max_size: 1_000_000, versions: 0, audit_warns: true, audit_max_size: 8192 };
        assert_eq!(parse(text).unwrap().serve, serve);
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
            ("[serve]\nmax-size = \"1M\"", "line 2: `serve.max-size` must be a number from 1 to 16777216"),
            ("[serve]\nversions = -1", "line 2: `serve.versions` must be a number from 0 to 100"),
            (
                "[serve]\naudit-on-failure = \"ignore\"",
                "line 2: `serve.audit-on-failure` must be one of deny, warn",
            ),
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
