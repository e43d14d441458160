//! A fix moves a secret out of any file, however it is written, and changes nothing else. `PROPTEST_CASES=20000`
//! tries more files.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod model;

use std::collections::BTreeMap;
use std::fmt::Write;

use cosec_core::compose::Environment;
use cosec_core::files::{FileSystem, MemoryFiles};
use cosec_core::fix::{FixOptions, FixPlan, plan};
use cosec_core::lint::{LintOptions, lint_file};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

const FILE: &str = "compose.yaml";
const RULES: [&str; 2] = ["inline-password", "password-default"];

/// Images, the variables that they read from a file, and how the variable that names it ends.
const IMAGES: [(&str, &[&str], &str); 4] = [
    ("postgres:17", &["POSTGRES_PASSWORD"], "_FILE"),
    ("mysql", &["MYSQL_PASSWORD", "MYSQL_ROOT_PASSWORD"], "_FILE"),
    ("docker.io/library/mariadb@sha256:0", &["MARIADB_ROOT_PASSWORD"], "_FILE"),
    ("grafana/grafana", &["GF_SECURITY_ADMIN_PASSWORD"], "__FILE"),
];

/// Decisions, taken one after the other; after the last all are 0, which is always the plainest choice. So a failing
/// file shrinks to a plain one.
struct Choices<'a> {
    bytes: &'a [u8],
    comments: usize,
}

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first) % count
    }

    fn one<'t, T: ?Sized>(&mut self, of: &[&'t T]) -> &'t T {
        of[self.below(of.len())]
    }

    /// True once in `count` times.
    fn rarely(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    /// A comment that is like no other.
    fn comment(&mut self) -> String {
        self.comments += 1;
        let text = self.one(&["why", "ü 日本 🙂", "'\"{[: ,", "A: b", "- c", "secrets:", "# #\t#"]);
        format!("#{} {text}", self.comments)
    }

    /// What may stand behind a value.
    fn behind(&mut self) -> String {
        match self.below(4) {
            0 | 1 => String::new(),
            2 => format!("{}{}", self.one(&[" ", "   ", "\t"]), self.comment()),
            _ => self.one(&[" ", "  "]).to_owned(),
        }
    }
}

/// A variable with a secret, and how it is written.
struct Variable {
    service: String,
    name: &'static str,
    variant: String,
    value: String,
    /// Whether its form is one that is left to people.
    is_refused: bool,
}

/// A file that is being written. What a fix is to replace stands between marks that no file has.
struct Writer<'a, 'c> {
    text: String,
    choices: &'a mut Choices<'c>,
    step: usize,
    dash: usize,
    /// The name of a secret that was there before, if there is one.
    old: Option<&'static str>,
    variables: Vec<Variable>,
}

const KEY: char = '\u{e000}';
const VALUE: char = '\u{e001}';
const ITEM: char = '\u{e002}';
const END: char = '\u{e003}';

impl Writer<'_, '_> {
    /// Comments and blank lines between others.
    fn between(&mut self, indent: usize) {
        while self.choices.rarely(5) {
            let line = match self.choices.below(4) {
                0 => format!("{}{}", " ".repeat(indent), self.choices.comment()),
                1 => format!("{}{}", " ".repeat(indent + 3), self.choices.comment()),
                2 => self.choices.comment(),
                _ => self.choices.one(&["", " "]).to_owned(),
            };
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }

    fn line(&mut self, indent: usize, text: &str) {
        let behind = self.choices.behind();
        writeln!(self.text, "{}{text}{behind}", " ".repeat(indent)).unwrap();
        self.between(indent);
    }

    fn value(&mut self) -> String {
        const PARTS: [&str; 24] = [
            "x", "a#b", "a:b", "$", "'", "\"", "\\", " ", ": ", " #", "é", "日本", "🙂", "{", "}", "[", "]",
            ",", "&", "*", "!", "%", "\t", "=",
        ];
        let mut part = |count: usize| -> String {
            (0..self.choices.below(count)).map(|_| PARTS[self.choices.below(PARTS.len())]).collect()
        };
        let (before, after) = (part(4), part(4));
        // Two services may have the same.
        let number = self.choices.below(4);
        let newline = if self.choices.rarely(20) { "\n" } else { "" };
        format!("{before}Kq7vR2{number}{newline}{after}")
    }

    /// How a value is written before YAML: itself, or what is to stand where a variable is not set.
    fn template(&mut self, value: &str) -> String {
        if self.choices.rarely(5) && !value.contains(['$', '}', '{', '\n']) {
            let operator = self.choices.one(&[":-", "-"]);
            return format!("${{UNSET{operator}{value}}}");
        }
        value.replace('$', "$$")
    }

    /// A scalar with a text, in one of the styles that can hold it.
    fn scalar(&mut self, written: String, indent: usize, is_flow: bool, is_value: bool) -> String {
        let forbidden = |c: char| "{}[],&*!|>'\"%@`\\\t\n".contains(c) || (is_flow && c == ':');
        let is_plain = !written.contains(forbidden)
            && !written.contains(": ")
            && !written.contains(" #")
            && written.trim() == written
            && !written.starts_with(['#', '-', '?', ':', '=', ' '])
            && !written.ends_with(':');
        let is_single = !written.contains('\n');
        match self.choices.below(5) {
            0 | 1 if is_plain => written,
            0..=2 if is_single => format!("'{}'", written.replace('\'', "''")),
            4 if is_value && !is_flow && is_single && is_plain => {
                let mark = self.choices.one(&["|-", ">-"]);
                format!("{mark}\n{}{written}", " ".repeat(indent + self.step))
            }
            _ => {
                let mut quoted = String::from("\"");
                for c in written.chars() {
                    match c {
                        '"' | '\\' => quoted.extend(['\\', c]),
                        '\n' => quoted.push_str("\\n"),
                        '\t' if self.choices.rarely(2) => quoted.push_str("\\t"),
                        c if self.choices.rarely(12) => write!(quoted, "\\U{:08x}", u32::from(c)).unwrap(),
                        'v' if !is_flow && self.choices.rarely(12) => {
                            // A line's end that counts for nothing.
                            write!(quoted, "v\\\n{}", " ".repeat(indent + self.step)).unwrap();
                        }
                        c => quoted.push(c),
                    }
                }
                quoted.push('"');
                quoted
            }
        }
    }

    /// The variables of a service, those with a secret among them; in order of writing.
    fn environment(&mut self, service: &str, image: usize) -> Vec<(String, Option<Variable>)> {
        let (_, names, suffix) = IMAGES[image];
        let count = 1 + self.choices.below(names.len());
        let mut all: Vec<(String, Option<Variable>)> = Vec::new();
        for name in &names[..count] {
            let value = self.value();
            let variant = format!("{name}{suffix}");
            let service = service.to_owned();
            // Programs differ in what they make of a break at the end.
            let is_refused = value.ends_with('\n');
            let variable = Variable { service, name, variant, value, is_refused };
            all.push(((*name).to_owned(), Some(variable)));
        }
        for number in 0..self.choices.below(3) {
            let at = self.choices.below(all.len() + 1);
            all.insert(at, (format!("A{number}"), None));
        }
        all
    }

    /// `K: v` or `K=v`, between marks where it is to change.
    fn entry(
        &mut self,
        entry: (String, Option<Variable>),
        indent: usize,
        is_list: bool,
        is_flow: bool,
    ) -> String {
        let (name, variable) = entry;
        let Some(variable) = variable else {
            return match (is_list, self.choices.below(3)) {
                (true, 0) => format!("{name}=b"),
                (true, _) => format!("'{name}=é: #'"),
                (false, 0) => format!("{name}: b"),
                (false, 1) => format!("\"{name}\": \"é, '\""),
                (false, _) => format!("'{name}': 'b, # \"'"),
            };
        };
        let text = if is_list {
            let written = format!("{name}={}", self.template(&variable.value));
            let item = self.scalar(written, indent + self.step, is_flow, false);
            format!("{ITEM}{item}{END}")
        } else {
            let quote = self.choices.one(&["", "\"", "'"]);
            let written = self.template(&variable.value);
            let value = self.scalar(written, indent, is_flow, true);
            let space = self.choices.one(&[" ", "   ", "\t"]);
            let colon = self.choices.one(&[":", ":", " :"]);
            format!("{KEY}{quote}{name}{quote}{END}{colon}{space}{VALUE}{value}{END}")
        };
        self.variables.push(variable);
        text
    }

    fn flow_environment(&mut self, service: &str, image: usize) -> String {
        let is_list = self.choices.rarely(3);
        let entries = self.environment(service, image);
        let texts: Vec<String> =
            entries.into_iter().map(|entry| self.entry(entry, 0, is_list, true)).collect();
        let inner = self.choices.one(&["", " "]);
        let last = if self.choices.rarely(6) { "," } else { "" };
        let (open, close) = if is_list { ("[", "]") } else { ("{", "}") };
        if self.choices.rarely(6) {
            // One entry a line, each with its comment, deep enough for any service.
            let deep = " ".repeat(30);
            let comments: Vec<String> = texts.iter().map(|_| self.choices.comment()).collect();
            let lines = texts.iter().zip(&comments).enumerate().map(|(at, (text, comment))| {
                let comma = if at + 1 < texts.len() { "," } else { last };
                format!("{deep}{text}{comma} {comment}\n")
            });
            return format!("{open}\n{}{deep}{close}", lines.collect::<String>());
        }
        format!("{open}{inner}{}{last}{inner}{close}", texts.join(", "))
    }

    fn service(&mut self, name: &str, indent: usize) {
        let image = self.choices.below(IMAGES.len());
        let inner = indent + self.step;
        if self.choices.rarely(5) {
            let environment = self.flow_environment(name, image);
            let more = match (self.choices.below(4), self.old) {
                (1, Some(old)) => format!(", secrets: [{old}]"),
                (2, Some(old)) => format!(", secrets: [{{source: {old}}}]"),
                (3, _) => ", tty: true".to_owned(),
                _ => String::new(),
            };
            let text = format!("{name}: {{image: {}, environment: {environment}{more}}}", IMAGES[image].0);
            return self.line(indent, &text);
        }
        let quote = self.choices.one(&["", "'", "\""]);
        self.line(indent, &format!("{quote}{name}{quote}:"));
        let first = self.choices.below(4);
        for part in (0..4).map(|number| (first + number) % 4) {
            match part {
                0 => self.line(inner, &format!("image: {}", IMAGES[image].0)),
                1 if self.choices.rarely(3) => {
                    let environment = self.flow_environment(name, image);
                    self.line(inner, &format!("environment: {environment}"));
                }
                1 => {
                    self.line(inner, "environment:");
                    let is_list = self.choices.rarely(3);
                    let deeper = inner + if is_list { self.dash } else { self.step };
                    for entry in self.environment(name, image) {
                        let text = self.entry(entry, deeper, is_list, false);
                        if text.contains("-\n") {
                            // Behind a block there is no room for a comment.
                            writeln!(self.text, "{}{text}", " ".repeat(deeper)).unwrap();
                        } else {
                            let dash = if is_list { "- " } else { "" };
                            self.line(deeper, &format!("{dash}{text}"));
                        }
                    }
                }
                2 if self.choices.rarely(3) => {
                    self.line(inner, "ports:");
                    self.line(inner + self.dash, "- \"5432:5432\"");
                }
                3 if self.choices.rarely(3) => self.grants(inner),
                _ => {}
            }
        }
    }

    /// What a service had before.
    fn grants(&mut self, indent: usize) {
        let Some(old) = self.old else { return self.line(indent, "secrets: []") };
        let dash = indent + self.dash;
        match self.choices.below(5) {
            0 => return self.line(indent, &format!("secrets: [{old}]")),
            1 => return self.line(indent, &format!("secrets: [{{source: {old}}},]")),
            _ => self.line(indent, "secrets:"),
        }
        match self.choices.below(4) {
            0 => self.line(dash, &format!("- {old}")),
            1 => self.line(dash, &format!("-   '{old}'")),
            2 => self.line(dash, &format!("- {{source: {old}, target: x}}")),
            _ => {
                self.line(dash, &format!("- source: {old}"));
                self.line(dash + 2, "target: x");
            }
        }
    }

    fn secrets(&mut self, indent: usize) {
        let Some(old) = self.old else {
            if self.choices.rarely(2) {
                self.line(indent, "secrets: {}");
            }
            return;
        };
        match self.choices.below(3) {
            0 => {
                self.line(indent, "secrets:");
                self.line(indent + self.step, &format!("{old}:"));
                self.line(indent + self.step * 2, "file: ./old");
            }
            1 => self.line(indent, &format!("secrets: {{{old}: {{file: ./old}}}}")),
            _ => {
                self.line(indent, "secrets:");
                self.line(indent + self.step, &format!("'{old}': {{file: ./old}}"));
            }
        }
    }

    fn file(&mut self) {
        let names = ["db", "my-app", "web_2"];
        self.between(0);
        if self.choices.rarely(8) {
            self.flow_file(&names);
            return;
        }
        match self.choices.below(12) {
            10 => self.line(0, "---"),
            11 => self.text.push_str("%YAML 1.1\n---\n"),
            _ => {}
        }
        let indent = if self.choices.rarely(10) { 2 } else { 0 };
        let secrets_first = self.choices.rarely(2);
        if secrets_first {
            self.secrets(indent);
        }
        let quote = self.choices.one(&["", "", "\""]);
        self.line(indent, &format!("{quote}services{quote}:"));
        for name in &names[..=self.choices.below(3)] {
            self.service(name, indent + self.step);
        }
        if self.choices.rarely(3) {
            self.line(indent, "volumes:");
            self.line(indent + self.step, "data:");
        }
        if !secrets_first {
            self.secrets(indent);
        }
        if self.choices.rarely(8) {
            self.text.push_str("...\n");
        }
    }

    /// All of it in braces, on one line or several.
    fn flow_file(&mut self, names: &[&str]) {
        let newline = self.choices.one(&[" ", "\n  "]);
        let mut services = Vec::new();
        for name in &names[..=self.choices.below(3)] {
            let image = self.choices.below(IMAGES.len());
            let environment = self.flow_environment(name, image);
            services
                .push(format!("{name}: {{image: {},{newline}environment: {environment}}}", IMAGES[image].0));
        }
        let services = services.join(&format!(",{newline}"));
        let secrets = match (self.choices.below(3), self.old) {
            (1, Some(old)) => format!(", secrets: {{{old}: {{file: ./old}}}}"),
            (2, _) => ", secrets: {}".to_owned(),
            _ => String::new(),
        };
        let behind = self.choices.behind();
        writeln!(self.text, "{{services: {{{services}}}{secrets}}}{behind}").unwrap();
    }
}

/// A file with marks, and its secrets.
fn written(bytes: &[u8]) -> (String, Vec<Variable>) {
    let mut choices = Choices { bytes, comments: 0 };
    let step = [2, 4, 1, 3, 7][choices.below(5)];
    let dash = if choices.rarely(2) { 0 } else { step };
    let old = [Some("old"), Some("postgres_password"), None][choices.below(3)];
    let mut writer =
        Writer { text: String::new(), choices: &mut choices, step, dash, old, variables: Vec::new() };
    writer.file();
    let (mut text, variables) = (writer.text, writer.variables);
    if choices.rarely(4) {
        text.truncate(text.trim_end_matches('\n').len());
    }
    if choices.rarely(4) {
        text = text.replace('\n', "\r\n");
    }
    if choices.rarely(5) {
        text.insert(0, '\u{feff}');
    }
    (text, variables)
}

fn without_marks(text: &str) -> String {
    text.replace([KEY, VALUE, ITEM, END], "")
}

/// The file with each secret's place in its new form; `secrets` tells a variable's secret.
fn with_variants(text: &str, variables: &[Variable], secrets: &BTreeMap<(String, String), String>) -> String {
    let mut result = String::new();
    let mut rest = text;
    let mut number = 0;
    while let Some(at) = rest.find([KEY, VALUE, ITEM]) {
        result.push_str(&rest[..at]);
        let mark = rest[at..].chars().next().unwrap();
        let end = at + rest[at..].find(END).unwrap();
        let own = &rest[at + mark.len_utf8()..end];
        let variable = &variables[number];
        let quote = own.chars().next().filter(|c| "'\"".contains(*c)).map(String::from).unwrap_or_default();
        let target = secrets
            .get(&(variable.service.clone(), variable.name.to_owned()))
            .map(|name| format!("/run/secrets/{name}"));
        match (mark, target) {
            (_, None) => result.push_str(own),
            (KEY, Some(_)) => write!(result, "{quote}{}{quote}", variable.variant).unwrap(),
            (VALUE, Some(target)) => write!(result, "{quote}{target}{quote}").unwrap(),
            (_, Some(target)) => write!(result, "{quote}{}={target}{quote}", variable.variant).unwrap(),
        }
        if mark != KEY {
            number += 1;
        }
        rest = &rest[end + END.len_utf8()..];
    }
    result.push_str(rest);
    result
}

fn memory(text: &str) -> MemoryFiles {
    let mut files = MemoryFiles::default();
    files.insert(".gitignore", "/old\n");
    files.insert("old", "x");
    files.insert(FILE, text);
    files
}

fn planned(files: &MemoryFiles) -> Result<FixPlan, String> {
    let options = FixOptions {
        lint: LintOptions::default(),
        environment: &Environment::default(),
        include_unsafe: true,
        rules: &RULES.map(str::to_owned),
        services: &[],
        accept: &|_, _| true,
    };
    plan(files, FILE, &options)
}

fn model(files: &MemoryFiles) -> Result<Value, String> {
    model::config(files, &[FILE.to_owned()], &Environment::default())
}

/// The places where lint finds a password.
fn findings(files: &MemoryFiles) -> Vec<String> {
    let outcome = lint_file(files, FILE, &LintOptions::default());
    let found = outcome.findings.into_iter().filter(|finding| RULES.contains(&finding.rule));
    found.map(|finding| finding.path).collect()
}

/// Takes the secrets that were put in on a line out again.
fn without_flow(line: &str, names: &[&str]) -> String {
    let mut line = line.to_owned();
    let definitions: Vec<String> =
        names.iter().map(|name| format!("{name}: {{file: ./secrets/{name}}}")).collect();
    for definition in &definitions {
        line = line.replace(&format!(", {definition}"), "").replace(definition, "");
    }
    for name in names {
        line = line.replace(&format!(", {name}"), "").replace(&format!("[{name}"), "[");
    }
    line
}

/// Whether `after` is `expected` with nothing but the secrets' lines put in.
fn is_only_added(expected: &str, after: &str, names: &[&str]) -> Result<(), String> {
    let newline = if expected.contains("\r\n") { "\r\n" } else { "\n" };
    let mut wanted = expected.split('\n').peekable();
    for line in after.split('\n') {
        let plain = without_flow(line, names);
        // The last line may have got an end.
        let ended = |text: &str| text.trim_end_matches('\r').to_owned();
        let shortened = |text: &str| ended(text).replace(", secrets: []", "").replace(", secrets: {}", "");
        let same = |wanted: &str| {
            ended(wanted) == ended(&plain) || shortened(wanted) == shortened(&plain) && plain != line
        };
        if wanted.next_if(|wanted| same(wanted)).is_some() {
            continue;
        }
        let content = line.trim();
        let is_ours = names.iter().any(|name| {
            content == format!("- {name}")
                || content == format!("{name}:")
                || content == format!("file: ./secrets/{name}")
        });
        if !(is_ours || content.is_empty() || content == "secrets:") {
            return Err(format!("unexpected: {line:?}, wanted {:?}", wanted.peek()));
        }
    }
    if newline == "\r\n" && after.replace("\r\n", "").contains('\n') {
        return Err("a line ends in another way".to_owned());
    }
    match wanted.next() {
        None | Some("") => Ok(()),
        Some(line) => Err(format!("lost: {line:?}")),
    }
}

fn comments(text: &str) -> Vec<&str> {
    // Numbered, so that none can be taken for another.
    text.lines().filter_map(|line| Some(&line[find_comment(line)?..])).collect()
}

fn find_comment(line: &str) -> Option<usize> {
    line.match_indices('#')
        .find(|(at, _)| {
            let digits = line[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
            digits > 0 && line[at + 1 + digits..].starts_with(' ')
        })
        .map(|(at, _)| at)
}

fn check(bytes: &[u8]) -> Result<(), String> {
    let (marked, variables) = written(bytes);
    let before = without_marks(&marked);
    let mut files = memory(&before);
    let old = model(&files).map_err(|error| format!("the test wrote no Compose file: {error}"))?;
    for variable in &variables {
        let read = &old["services"][&variable.service]["environment"][variable.name];
        if *read != json!(variable.value) {
            return Err(format!("the test wrote {:?}, which reads as {read}", variable.value));
        }
    }
    let path = path_of;
    let found = findings(&files);
    let plan = planned(&files)?;
    for refusal in &plan.refused {
        let is_known = variables.iter().any(|variable| variable.is_refused && path(variable) == refusal.path);
        if !is_known {
            return Err(format!("refused: {}: {}", refusal.path, refusal.reason));
        }
    }
    let fixed: Vec<&Variable> =
        variables.iter().filter(|variable| !variable.is_refused && found.contains(&path(variable))).collect();
    if plan.fixes.len() != fixed.len() {
        return Err(format!("{} of {} are fixed", plan.fixes.len(), fixed.len()));
    }
    for file in &plan.changed {
        files.insert(file.path.as_str(), file.after.as_str());
    }
    for file in &plan.new_files {
        files.insert(file.path.as_str(), String::from_utf8(file.content.expose().to_vec()).unwrap());
    }
    let after = files.read(FILE).unwrap();
    let mut new = model(&files).map_err(|error| format!("not read again: {error}"))?;
    // What each variable has become, by the model; and the file has the value's bytes.
    let mut secrets: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut expected = old.clone();
    for variable in &fixed {
        let service = &new["services"][&variable.service];
        let target = service["environment"][&variable.variant].as_str().unwrap_or_default();
        let name = target.strip_prefix("/run/secrets/").ok_or("no variable that names the file")?.to_owned();
        let is_granted = |grant: &Value| {
            grant["source"] == *name && grant.get("target").is_none_or(Value::is_null)
                || grant["target"] == *target
        };
        if !service["secrets"].as_array().is_some_and(|grants| grants.iter().any(is_granted)) {
            return Err(format!("{name} is not granted: {}", service["secrets"]));
        }
        if files.read(&format!("secrets/{name}")).as_deref() != Ok(&variable.value) {
            return Err(format!("secrets/{name} has other bytes"));
        }
        for (model, removed) in [(&mut expected, variable.name), (&mut new, &variable.variant)] {
            let service = &mut model["services"][&variable.service];
            service["environment"].as_object_mut().unwrap().remove(removed);
        }
        secrets.insert((variable.service.clone(), variable.name.to_owned()), name);
    }
    let names: Vec<&str> = {
        let mut names: Vec<&str> = secrets.values().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    for model in [&mut expected, &mut new] {
        for service in model["services"].as_object_mut().unwrap().values_mut() {
            let service = service.as_object_mut().unwrap();
            if let Some(grants) = service.get_mut("secrets").and_then(Value::as_array_mut) {
                grants.retain(|grant| !names.iter().any(|name| grant["source"] == **name));
                if grants.is_empty() {
                    service.remove("secrets");
                }
            }
        }
        let all = model.as_object_mut().unwrap();
        if let Some(defined) = all.get_mut("secrets").and_then(Value::as_object_mut) {
            defined.retain(|name, _| !names.contains(&name.as_str()));
            if defined.is_empty() {
                all.remove("secrets");
            }
        }
    }
    if expected != new {
        return Err(format!("another project:\n{expected}\n{new}"));
    }
    if comments(&before) != comments(&after) {
        return Err("comments are lost".to_owned());
    }
    is_only_added(&with_variants(&marked, &variables, &secrets), &after, &names)?;
    if let Some(path) = findings(&files).iter().find(|path| fixed.iter().any(|own| path_of(own) == **path)) {
        return Err(format!("found again: {path}"));
    }
    let again = planned(&files)?;
    if !again.changed.is_empty() || !again.new_files.is_empty() {
        return Err("a second run changes it again".to_owned());
    }
    Ok(())
}

fn path_of(variable: &Variable) -> String {
    format!("services.{}.environment.{}", variable.service, variable.name)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_secret_leaves_a_file_of_any_style_and_all_else_stays(bytes in vec(any::<u8>(), 0..300)) {
        if let Err(reason) = check(&bytes) {
            let (marked, _) = written(&bytes);
            prop_assert!(false, "{}\n{}", reason, without_marks(&marked).replace('\r', "␍"));
        }
    }
}
