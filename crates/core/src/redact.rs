//! A file without its values, to be shown to others. The text is written anew from names and from values that
//! are allowed by their place, so that what nobody thought of stays out: comments, unknown keys' values,
//! whole files of unknown kinds.

use crate::compose::dotenv;
use crate::compose::template::{self, Fallback, Operator, Piece};
use crate::detect::{tokens, url_passwords};
use crate::files::file_name;
use crate::lint::is_env_file;
use crate::source::{Sources, Span};
use crate::yaml::{Document, Kind, NodeId, Style, parse};
use std::collections::HashMap;

/// What stands for a value.
pub const REDACTED: &str = "redacted";

/// The file with its values replaced. `None` where it cannot be done: broken YAML, a kind that is not known.
pub fn redact(path: &str, text: &str) -> Option<String> {
    let name = file_name(path).to_ascii_lowercase();
    if is_env_file(path) {
        Some(env_file(text))
    } else if name.ends_with(".yaml") || name.ends_with(".yml") {
        yaml(text)
    } else if name == ".gitignore" || name == ".dockerignore" {
        let patterns = text.lines().filter(|line| !line.starts_with('#'));
        Some(patterns.flat_map(|line| [pattern(line).unwrap_or(REDACTED), "\n"]).collect())
    } else {
        None
    }
}

/// Its assignments. A line that is none goes: a key that was pasted without quotes is made of such lines. One of
/// them, the last most often, can end in `=` and look like an assignment: after them a name alone must look it.
fn env_file(text: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add("", text);
    let mut written = String::new();
    let mut names = Names::default();
    let (mut block, mut stray) = (false, false);
    let assigned = dotenv::scan(file, text);
    let mut assigned = assigned.iter().peekable();
    let mut start = 0;
    let mut reached = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        let inside = start < reached;
        block |= !inside && line.contains("-----BEGIN");
        let here = assigned.next_if(|next| (next.name.span.start as usize) < end);
        let value = here.and_then(|found| found.value.as_ref());
        if let Some(value) = value {
            reached = value.span.end as usize;
        }
        match (here, value) {
            _ if inside => {}
            (Some(found), Some(value)) => {
                let opens = value.raw.contains("-----BEGIN");
                let pads = value.raw.bytes().all(|byte| byte == b'=');
                if (!block || opens) && !(stray && pads) {
                    let name = names.of(&found.name.value, is_variable);
                    written.push_str(&format!("{name}={}\n", hidden(&value.raw)));
                    stray = false;
                }
            }
            _ => stray |= !line.trim().is_empty() && !line.trim_start().starts_with('#'),
        }
        if line.contains("-----END") {
            (block, stray) = (false, true);
        }
        start = end;
    }
    written
}

/// Names that may be told, each as it is; one that may not gets another, its own.
#[derive(Default)]
struct Names {
    hidden: HashMap<String, usize>,
}

impl Names {
    fn of(&mut self, name: &str, may_be_told: impl Fn(&str) -> bool) -> String {
        if may_be_told(name) {
            return name.to_owned();
        }
        let next = self.hidden.len() + 1;
        let number = *self.hidden.entry(name.to_owned()).or_insert(next);
        if number == 1 { REDACTED.to_owned() } else { format!("{REDACTED}_{number}") }
    }
}

fn yaml(text: &str) -> Option<String> {
    let mut sources = Sources::default();
    let file = sources.add("", text);
    let documents = parse(file, text).ok()?;
    let mut written = Vec::new();
    for document in &documents {
        let mut writer =
            Writer { document, anchors: HashMap::new(), names: Names::default(), out: String::new() };
        writer.node(document.root(), &mut Vec::new(), 0, false);
        written.push(writer.out.trim_start_matches('\n').to_owned());
    }
    Some(written.join("---\n"))
}

struct Writer<'a> {
    document: &'a Document,
    /// Names of our own: an anchor's name is a text like any other.
    anchors: HashMap<NodeId, usize>,
    names: Names,
    out: String,
}

impl Writer<'_> {
    /// Writes a node after its key or dash, with the line break. Behind a dash (`item`) a mapping begins on its line.
    fn node(&mut self, id: NodeId, path: &mut Vec<String>, depth: usize, item: bool) {
        let node = self.document.node(id);
        let start = self.out.len();
        if node.anchored {
            let number = self.anchors.len() + 1;
            self.anchors.insert(id, number);
            self.out.push_str(&format!(" &a{number}"));
        }
        if let Some(tag) = node.tag.as_deref().filter(|tag| matches!(*tag, "!reset" | "!override")) {
            self.out.push_str(&format!(" {tag}"));
        }
        match &node.kind {
            Kind::Alias(target) => {
                let name = self.anchors.get(target).map_or("null".to_owned(), |number| format!("*a{number}"));
                self.out.push_str(&format!(" {name}\n"));
            }
            Kind::Scalar { value, style } => {
                let shown = shown(path, value);
                // What was a text stays one: `"8080"` is no number, and `""` is not nothing.
                let written = match style {
                    Style::Plain if matches!(&**value, "" | "~") => String::new(),
                    Style::Plain => quoted(&shown),
                    _ => json(&shown),
                };
                self.out.push_str(&format!(" {written}\n"));
            }
            Kind::Sequence { items, .. } if items.is_empty() => self.out.push_str(" []\n"),
            Kind::Mapping { entries, .. } if entries.is_empty() => self.out.push_str(" {}\n"),
            Kind::Sequence { items, .. } => {
                self.out.push('\n');
                for item in items {
                    self.out.push_str(&format!("{:depth$}-", ""));
                    path.push("-".to_owned());
                    self.node(*item, path, depth + 2, true);
                    path.pop();
                }
            }
            Kind::Mapping { entries, .. } => {
                let goes_on = item && self.out.len() == start;
                self.out.push(if goes_on { ' ' } else { '\n' });
                for (at, (key, value)) in entries.iter().enumerate() {
                    let name = match &self.document.node(*key).kind {
                        Kind::Scalar { value, .. } => value,
                        _ => REDACTED,
                    };
                    let may_be_told = |name: &str| name == "<<" || is_key(path, name);
                    let told = self.names.of(name, may_be_told);
                    let written = if name == "<<" { told } else { quoted(&told) };
                    let indent = if goes_on && at == 0 { 0 } else { depth };
                    self.out.push_str(&format!("{:indent$}{written}:", ""));
                    path.push(name.to_owned());
                    self.node(*value, path, depth + 2, false);
                    path.pop();
                }
            }
        }
    }
}

/// A scalar as JSON writes it, which YAML reads; plain where that is plainly the same.
fn quoted(text: &str) -> String {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./-:".contains(&byte))
        && text.starts_with(|first: char| first.is_ascii_alphanumeric() || matches!(first, '_' | '.' | '/'))
        // `a: b`, and `1:30`, which YAML once took for a number.
        && (!text.contains(':') || (text.starts_with(char::is_alphabetic) && !text.ends_with(':')));
    if plain { text.to_owned() } else { json(text) }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn shown(path: &[String], value: &str) -> String {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    // Who puts a value where a variable's name belongs has it told by nobody.
    let is_variable_s = matches!(path.as_slice(), ["secrets" | "configs", _, "environment"]);
    if may_be_shown(&path)
        && let Some(value) = allowed(value).filter(|value| !is_variable_s || is_variable(value))
    {
        return value.to_owned();
    }
    match path.as_slice() {
        // `NAME=value` in a list.
        ["services", _, "environment" | "labels", "-"] | ["services", _, "build", "args" | "labels", "-"] => {
            match value.split_once('=') {
                Some((name, value)) if is_name(name) => format!("{name}={}", hidden(value)),
                None if is_variable(value) => value.to_owned(),
                _ => REDACTED.to_owned(),
            }
        }
        _ => hidden(value),
    }
}

/// Whether the place is one for names and paths.
fn may_be_shown(path: &[&str]) -> bool {
    match path {
        ["services", _, rest @ ..] => matches!(
            rest,
            ["image" | "user" | "restart" | "platform" | "network_mode" | "build" | "container_name"]
                | [
                    "depends_on"
                        | "networks"
                        | "profiles"
                        | "secrets"
                        | "configs"
                        | "env_file"
                        | "extends"
                        | "expose"
                        | "ports"
                        | "volumes",
                    ..
                ]
                | ["build", "context" | "dockerfile" | "target"]
                | ["build", "secrets", ..]
        ),
        ["secrets" | "configs", _, key] => {
            matches!(*key, "file" | "environment" | "external" | "name" | "driver")
        }
        ["volumes" | "networks", _, key] => matches!(*key, "external" | "driver" | "name"),
        ["name" | "version"] | ["include", ..] => true,
        _ => false,
    }
}

/// The values of a document that may be shown by their place, and look it.
pub(crate) fn public_values(document: &Document) -> Vec<Span> {
    fn walk<'d>(document: &'d Document, id: NodeId, path: &mut Vec<&'d str>, found: &mut Vec<Span>) {
        let node = document.node(id);
        match &node.kind {
            Kind::Scalar { value, .. } if may_be_shown(path) && allowed(value).is_some() => {
                found.push(node.span);
            }
            Kind::Sequence { items, .. } => {
                path.push("-");
                for item in items {
                    walk(document, *item, path, found);
                }
                path.pop();
            }
            Kind::Mapping { entries, .. } => {
                for (key, value) in entries {
                    let Kind::Scalar { value: name, .. } = &document.node(*key).kind else { continue };
                    path.push(name);
                    walk(document, *value, path, found);
                    path.pop();
                }
            }
            Kind::Scalar { .. } | Kind::Alias(_) => {}
        }
    }
    let mut found = Vec::new();
    walk(document, document.root(), &mut Vec::new(), &mut found);
    found
}

/// A line of .gitignore without the blanks around it, if it is a pattern of paths and looks like nothing else. A word
/// alone could be anything.
pub(crate) fn pattern(line: &str) -> Option<&str> {
    let line = line.trim();
    let is_path = line.is_empty() || line.starts_with('.') || line.contains(['*', '/']);
    allowed(line).filter(|_| is_path)
}

/// A name or path that looks like nothing else.
fn allowed(value: &str) -> Option<&str> {
    let looks = value.len() <= 128
        && !value.contains("://")
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./:-*!~".contains(&byte));
    (looks && !is_random(value) && tokens(value).is_empty() && url_passwords(value).is_empty())
        .then_some(value)
}

/// Whether some part of a text is long and of all kinds of letters, as keys are and names are not.
fn is_random(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
        word.len() >= 20
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
    })
}

/// Whether a mapping's key may be told: it looks like a word of Compose's or a name. Labels have paths for names.
fn is_key(path: &[String], key: &str) -> bool {
    let is_label = path.iter().any(|part| part == "labels" || part == "annotations");
    let is_path = |key: &str| key.bytes().all(|byte| is_name_byte(byte) || (is_label && byte == b'/'));
    !key.is_empty() && key.len() < 100 && is_path(key) && !is_random(key) && tokens(key).is_empty()
}

/// A variable as they are written: nobody has a password in these letters alone that is not one of the worst.
fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    let known = ["http_proxy", "https_proxy", "no_proxy", "all_proxy"];
    let is_usual = bytes.next().is_some_and(|first| first.is_ascii_uppercase() || first == b'_')
        && bytes.all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
    name.len() < 64 && tokens(name).is_empty() && (is_usual || known.contains(&name))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() < 100
        && text.bytes().all(is_name_byte)
        && !is_random(text)
        && tokens(text).is_empty()
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

/// What may be told of a value: that it is empty, or a switch, and which variables it takes.
fn hidden(value: &str) -> String {
    let is_secret_file = value.strip_prefix("/run/secrets/").is_some_and(is_name);
    if matches!(value, "" | "true" | "false" | "null") || is_secret_file {
        return value.to_owned();
    }
    match template::parse(value) {
        Ok(pieces) => hidden_pieces(value, &pieces),
        Err(_) => REDACTED.to_owned(),
    }
}

fn hidden_pieces(text: &str, pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Literal(_) | Piece::Dollar(_) => REDACTED.to_owned(),
        // `$Pa55word` and `Pa$sw0rd` are passwords that were written without a thought of variables.
        Piece::Variable { name, fallback: None, .. } if !is_meant(text, name) => REDACTED.to_owned(),
        Piece::Variable { name, fallback: None, .. } => format!("${{{}}}", &text[name.clone()]),
        Piece::Variable { name, fallback: Some(Fallback { operator, colon, pieces, .. }), .. } => {
            let name = &text[name.clone()];
            let colon = if *colon { ":" } else { "" };
            match operator {
                // Its text is a message of the author's own.
                Operator::Required => format!("${{{name}{colon}?}}"),
                Operator::Default => format!("${{{name}{colon}-{}}}", hidden_pieces(text, pieces)),
                Operator::Alternate => format!("${{{name}{colon}+{}}}", hidden_pieces(text, pieces)),
            }
        }
    };
    pieces.iter().map(piece).collect()
}

/// Whether a variable is one that somebody meant: in braces, or written as they are, of several words.
fn is_meant(text: &str, name: &std::ops::Range<usize>) -> bool {
    let name_alone = &text[name.clone()];
    text[..name.start].ends_with("${")
        || (is_variable(name_alone) && name_alone.trim_matches('_').contains('_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryFiles;
    use crate::lint::{LintOptions, lint_file};

    const TEXT: &str = r#"# canary0
name: shop
x-canary: &canary1 {PASSWORD: canary2} # canary3
services:
  db:
    image: postgres:17
    command: [postgres, -c, canary4]
    environment:
      <<: *canary1
      POSTGRES_PASSWORD: canary5
      URL: "postgres://u:canary6@${HOST:-canary7}/db"
      PIN: 4711
      EMPTY: ""
      KEY_FILE: /run/secrets/key
    secrets: [db_password, {source: db_password, mode: 0400}]
    ports: ["8080:80"]
  app:
    image: "https://u:canary8@registry/x"
    environment: [TOKEN=canary9, "canary 10", PASSED]
    labels: ["traefik.auth=canary11"]
secrets:
  db_password: {file: ./secrets/db_password}
  "AKIAIOSFODNN7EXAMPLF": {file: "./canary 12"}
---
services:
  app: !reset
configs:
  c:
    content: |
      canary13
"#;

    #[test]
    fn what_goes_into_a_link_holds_no_value_and_no_comment() {
        let redacted = redact("compose.yaml", TEXT).unwrap();
        for kept in [
            "name: shop",
            "postgres:17",
            "POSTGRES_PASSWORD: redacted",
            "${HOST:-redacted}",
            "TOKEN=redacted",
            "- PASSED",
            "KEY_FILE: /run/secrets/key",
            "      - source: db_password\n        mode: 0400\n",
            "- \"8080:80\"",
            "./secrets/db_password",
            "!reset",
            "EMPTY:",
        ] {
            assert!(redacted.contains(kept), "{kept} is gone:\n{redacted}");
        }
        for gone in ["canary1 ", "canary0", "4711", "AKIA", "registry"] {
            assert!(!redacted.contains(gone), "{gone} is there:\n{redacted}");
        }
        assert_eq!(redacted.matches("canary").count(), redacted.matches("x-canary").count(), "{redacted}");
        let env = redact(".env", "# canary\nA=canary\nexport B='canary\ncanary'\nC=${D:-canary}\n").unwrap();
        assert_eq!(env, "A=redacted\nB=redacted\nC=${D:-redacted}\n");
        assert_eq!(redact("compose.yaml", "a: [canary"), None);
        assert_eq!(redact("id_rsa", "canary"), None);
    }

    #[test]
    fn a_key_that_was_pasted_without_quotes_does_not_get_into_a_link() {
        for text in [
            "A=1\nKEY=-----BEGIN RSA PRIVATE KEY-----\nMIIEcanary\nProc-Type: canary\nCANARY=\ncanary==\n-----END RSA PRIVATE KEY-----\nB=2\n",
            "A=1\nKEY=MIIEcanary\nMIIEcanary\nCANARY=\nB=2\n",
            "A=1\n-----BEGIN PRIVATE KEY-----\nCANARY=x\nKEY=x\n-----END PRIVATE KEY-----\nKEY=\"canary\ncanary=1\n\"\nB=2\n",
        ] {
            let redacted = redact(".env", text).unwrap();
            assert!(!redacted.to_lowercase().contains("canary"), "{text}\n->\n{redacted}");
            assert!(redacted.starts_with("A=redacted\n") && redacted.ends_with("B=redacted\n"), "{redacted}");
        }
        assert_eq!(
            redact(".env", "Canary1=x\nCanary2=y\nA=Pa$canary$CANARY9$DB_NAME${lower}\nB=$Canary\n").unwrap(),
            "redacted=redacted\nredacted_2=redacted\nA=redactedredactedredacted${DB_NAME}${lower}\nB=redacted\n"
        );
        let text = "secrets: {s: {environment: Canary}}\nservices: {a: {environment: {P: $Canary, Q: pa$CANARY9}}}\n";
        let redacted = redact("compose.yaml", text).unwrap();
        assert!(!redacted.to_lowercase().contains("canary"), "{redacted}");
        assert_eq!(
            redact(".gitignore", "*.log\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n").unwrap(),
            "*.log\nredacted\n"
        );
    }

    #[test]
    fn a_key_of_a_mapping_that_holds_a_value_does_not_get_into_a_link() {
        for key in [
            "'${V:-canary}'",
            "'TOKEN=canary'",
            "'canary canary'",
            "? |\n        -----BEGIN KEY-----\n        canary\n        -----END KEY-----\n      ",
            "AbcDefGhi0JklMnoPqrCanary",
            "? {a: canary}\n      ",
        ] {
            let text =
                format!("services:\n  a:\n    image: x\n    environment:\n      {key}: canary\n      B: c\n");
            let redacted = redact("compose.yaml", &text).unwrap();
            assert!(!redacted.to_lowercase().contains("canary"), "{text}\n->\n{redacted}");
            assert!(redacted.contains("B: redacted"), "{redacted}");
        }
        let bare = "services: {a: {environment: [canary, PASSED]}}";
        assert!(!redact("compose.yaml", bare).unwrap().contains("canary"));
        let twice = redact("compose.yaml", "services: {a: {environment: {'a b': x, 'c d': y, 'a b c': z}}}");
        assert!(twice.unwrap().contains("redacted_3: redacted"));
    }

    #[test]
    fn a_text_stays_a_text() {
        let text = "services: {a: {image: x, ports: [{target: 80, published: \"8080\"}], environment: {A: \"\", B: , C: \"true\"}}}";
        let redacted = redact("compose.yaml", text).unwrap();
        for kept in ["target: 80\n", "published: \"8080\"\n", "A: \"\"\n", "B: \n", "C: \"true\"\n"] {
            assert!(redacted.contains(kept), "{kept} is gone:\n{redacted}");
        }
    }

    #[test]
    fn whoever_opens_the_link_sees_the_same_rules_broken() {
        let rules = |text: &str| {
            let mut files = MemoryFiles::default();
            files.insert("compose.yaml", text);
            let outcome = lint_file(&files, "compose.yaml", &LintOptions::default());
            assert!(outcome.error.is_none(), "{:?}\n{text}", outcome.error);
            outcome.findings.iter().map(|finding| (finding.rule, finding.path.clone())).collect::<Vec<_>>()
        };
        let text = "services:\n  db:\n    image: x\n    environment: {DB_PASSWORD: hunter2, API_TOKEN: '${T:-abc}'}\n    secrets: [gone]\n";
        assert_eq!(rules(&redact("compose.yaml", text).unwrap()), rules(text));
    }

    #[test]
    fn an_alias_bomb_costs_no_more_than_its_text() {
        let mut text = String::from("a0: &a0 [x,x]\n");
        for level in 1..60 {
            text.push_str(&format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1));
        }
        assert!(redact("compose.yaml", &text).unwrap().len() < 10_000);
    }
}
