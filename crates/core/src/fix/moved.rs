//! A value moves from the environment into a secret's file: the file is made, the secret is defined and
//! granted, and the variable becomes the one that names a file.

use std::collections::{HashMap, HashSet};

use super::builds::names_variable;
use super::edit::{self, Edit};
use super::secrets::{CANNOT_GRANT, NewSecret, Source, free_name, has_place, takes_grants};
use super::tree::{child, scalar};
use super::{Changes, Fix, FixPlan, Moved, Project, refuse};
use crate::compose::dotenv;
use crate::compose::template::{self, Missing, Operator, Piece};
use crate::compose::{BindingOrigin, Data, EnvVar, Loaded, Service, Value};
use crate::files::{Answer, GitState, file_name, join};
use crate::images;
use crate::lint::Outcome;
use crate::rules::{Finding, FixKind};
use crate::source::{Sources, Span};
use crate::yaml::{Document, Kind, Node, NodeId, Style};

/// The rules whose findings are mended by moving the value.
pub(super) const RULES: [&str; 5] =
    ["inline-password", "password-default", "url-password", "env-secret", "prefer-file-variant"];

/// One variable that moves.
struct Move<'p> {
    finding: &'p Finding,
    service: &'p Service,
    variable: &'p str,
    /// The variable that names a file.
    variant: String,
    source: Source,
    /// The line of `.env` that the value comes from: the variable and where its value is written.
    dotenv: Option<(String, Span)>,
    written: Written<'p>,
}

/// A variable's place in the tree of its file.
#[derive(Clone, Copy)]
struct Written<'p> {
    document: &'p Document,
    service: NodeId,
    /// The key `environment` and its value.
    environment: (NodeId, NodeId),
    entry: Entry,
}

#[derive(Clone, Copy)]
enum Entry {
    /// `K: v`
    Pair(NodeId, NodeId),
    /// `- K=v`
    Item(NodeId),
}

const ELSEWHERE: &str =
    "an anchor, an alias or a merge key brings it, and others may use that; write the variable out first";

pub(super) fn plan<'p>(
    project: &Project<'p>,
    findings: &[&'p Finding],
    plan: &mut FixPlan,
    changes: &mut Changes<'p>,
) {
    let outcome = project.outcome();
    let Some(loaded) = project.loaded() else { return };
    let mut moves: Vec<Move<'_>> = Vec::new();
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    for finding in findings.iter().filter(|finding| RULES.contains(&finding.rule)) {
        match movable(project, loaded, finding) {
            // Several rules may be about one variable.
            Ok(one) => {
                if seen.insert((&*one.service.name, one.variable)) {
                    moves.push(one);
                }
            }
            Err(reason) => plan.refused.push(refuse(outcome, finding, reason)),
        }
    }
    let paths: HashSet<&str> = moves.iter().map(|one| one.finding.path.as_str()).collect();
    plan.refused.retain(|refusal| !paths.contains(refusal.path.as_str()));
    if moves.is_empty() {
        return;
    }
    let names = names(project, &moves, changes);
    for (one, name) in moves.iter().zip(&names) {
        let written = &one.written;
        let file = project.sources().file(written.document.file());
        let edits = changes.edits.entry(file.path().to_owned()).or_default();
        rename(file.text(), one, name, edits);
        changes.grant(written.document, written.service, written.environment, name);
    }
    let mut defined: HashSet<&str> = HashSet::new();
    for (one, name) in moves.iter().zip(&names) {
        if defined.insert(name) {
            let (source, document) = (one.source.clone(), one.written.document);
            changes.secrets.push(NewSecret { name: name.clone(), source, document });
        }
    }
    forget_dotenv(project, loaded, &moves, changes);
    for (one, name) in moves.iter().zip(&names) {
        plan.fixes.push(describe(project, outcome, one, name));
        plan.moved.push(Moved {
            service: one.service.name.to_string(),
            variable: one.variable.to_owned(),
            variant: one.variant.clone(),
            secret: name.clone(),
            in_env_file: false,
        });
    }
}

/// What a finding is about, if it can move; else why not.
fn movable<'p>(project: &Project<'p>, loaded: &'p Loaded, finding: &'p Finding) -> Result<Move<'p>, String> {
    let services = &loaded.project.services;
    let found = services.iter().find_map(|service| {
        let rest = finding.path.strip_prefix("services.")?.strip_prefix(&*service.name)?;
        let name = rest.strip_prefix(".environment.")?;
        let variable = service.environment.iter().find(|variable| &*variable.name.value == name)?;
        Some((service, variable))
    });
    let Some((service, variable)) = found else {
        return Err("it is no variable of `environment:`; put it into a secret's file by hand".to_owned());
    };
    let name = &*variable.name.value;
    let Some(image) = &service.image else {
        return Err(format!(
            "the image is built here, and whether it reads {name}_FILE is not known; if it does, set that and grant a secret by hand"
        ));
    };
    let Some(variant) = images::file_variant(&image.value, name) else {
        return Err(format!(
            "the image is not known to read {name} from a file; if it does, grant a secret and name its file by hand"
        ));
    };
    if service.environment.iter().any(|other| *other.name.value == *variant) {
        return Err(format!("{variant} is set already; remove one of the two"));
    }
    has_place(project)?;
    if let Some(file) = env_file_with(project, service, &[name, &variant]) {
        return Err(format!(
            "{file} of `env_file:` sets it, too, and the image takes one of the two; take it out there first"
        ));
    }
    if let Some(key) = container_uses(loaded, service, name) {
        return Err(format!(
            "its `{key}` reads {name} in the container, where it is not set any more; let that read the file first"
        ));
    }
    let written = find(project, loaded, service, variable)?;
    if !takes_grants(written.document, written.service) {
        return Err(CANNOT_GRANT.to_owned());
    }
    let (source, dotenv) = source(project, variable)?;
    Ok(Move { finding, service, variable: name, variant, source, dotenv, written })
}

/// The env file of a service that sets one of these variables.
fn env_file_with(project: &Project<'_>, service: &Service, names: &[&str]) -> Option<String> {
    service.env_files.iter().map(|file| join("", &file.path.value)).find(|path| {
        let Ok(text) = project.files.read(path) else { return false };
        let mut sources = Sources::default();
        let file = sources.add(path.as_str(), text.as_str());
        dotenv::scan(file, &text).iter().any(|line| names.contains(&&*line.name.value))
    })
}

/// The key of a service under which a command in the container reads a variable, which is no longer set there: the
/// entry point of the image sets it for its own program at most.
pub(super) fn container_uses(loaded: &Loaded, service: &Service, name: &str) -> Option<&'static str> {
    fn reads(value: &Value, name: &str) -> bool {
        match &value.data {
            Data::Seq(items) => items.iter().any(|item| reads(item, name)),
            Data::Map(map) => map.values().any(|entry| reads(&entry.value, name)),
            Data::Str(text) => names_variable(text, name),
            _ => false,
        }
    }
    let own = loaded.root.get("services")?.get(&service.name)?;
    let keys = ["command", "entrypoint", "healthcheck", "post_start", "pre_stop"];
    keys.into_iter().find(|key| own.get(key).is_some_and(|value| reads(value, name)))
}

/// The value and where it is from.
pub(super) fn source(
    project: &Project<'_>,
    variable: &EnvVar,
) -> Result<(Source, Option<(String, Span)>), String> {
    let name = &variable.name.value;
    let raw = match &variable.value {
        None => format!("${{{name}}}"),
        Some(value) => value.raw.to_string(),
    };
    let pieces = template::parse(&raw)
        .map_err(|_| "its value is no valid template; write `$$` for each plain `$` first".to_owned())?;
    if let [Piece::Variable { name, fallback, .. }] = pieces.as_slice() {
        let name = &raw[name.clone()];
        let default = fallback.as_ref().filter(|fallback| fallback.operator == Operator::Default);
        if fallback.as_ref().is_some_and(|fallback| fallback.operator == Operator::Alternate) {
            return Err(
                "its value depends on whether a variable is set; write the value itself first".to_owned()
            );
        }
        let binding = project.environment.get(name).filter(|binding| !binding.value.is_empty());
        return match (binding, default) {
            (Some(binding), _) => match binding.origin {
                BindingOrigin::File(span) => {
                    Ok((Source::File(binding.value.to_string()), Some((name.to_owned(), span))))
                }
                BindingOrigin::Process => Ok((Source::Variable(name.to_owned()), None)),
            },
            (None, Some(fallback)) => {
                let text = &raw[fallback.range.clone()];
                if text.is_empty() {
                    return Ok((Source::Variable(name.to_owned()), None));
                }
                literal(project, text).map(|value| (Source::File(value), None))
            }
            (None, None) => Ok((Source::Variable(name.to_owned()), None)),
        };
    }
    literal(project, &raw).map(|value| (Source::File(value), None))
}

/// Text without variables, its `$$` as `$`.
fn literal(project: &Project<'_>, text: &str) -> Result<String, String> {
    let pieces = template::parse(text)
        .map_err(|_| "its value is no valid template; write `$$` for each plain `$` first".to_owned())?;
    if pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. })) {
        return Err("a part of its value comes from a variable; put the whole value into one variable first"
            .to_owned());
    }
    template::evaluate(text, project.environment, Missing::Refuse)
        .map(|(value, _)| value)
        .map_err(|_| "its value is no valid template; write `$$` for each plain `$` first".to_owned())
}

/// The variable in the tree of its file, reached without anchors, aliases and merge keys.
fn find<'p>(
    project: &Project<'p>,
    loaded: &Loaded,
    service: &Service,
    variable: &EnvVar,
) -> Result<Written<'p>, String> {
    let file = variable.name.span.file;
    let named = loaded.ways.of(file);
    if !matches!(named, Some(crate::compose::Way::Named(_))) {
        let path = project.sources().file(file).path();
        return Err(format!("it is written in {path}, which is included or extended; fix that file"));
    }
    let inside = |outer: Span, inner: Span| outer.contains(inner);
    for document in project.documents().iter().filter(|document| document.file() == file) {
        let Some((_, services)) = child(document, document.root(), "services") else { continue };
        let Some((_, own)) = child(document, services, &service.name) else { continue };
        let Some(environment) = child(document, own, "environment") else { continue };
        if !inside(document.node(environment.1).span, variable.name.span) {
            continue;
        }
        let anchored = [services, own, environment.1].iter().any(|id| document.node(*id).anchored);
        let entry = match &document.node(environment.1).kind {
            Kind::Mapping { entries, .. } => entries
                .iter()
                .find(|(key, _)| {
                    scalar(document, *key).is_some_and(|(text, _)| text == &*variable.name.value)
                })
                .map(|(key, value)| Entry::Pair(*key, *value)),
            Kind::Sequence { items, .. } => items
                .iter()
                .find(|item| inside(document.node(**item).span, variable.name.span))
                .map(|item| Entry::Item(*item)),
            _ => None,
        };
        let Some(entry) = entry.filter(|_| !anchored) else { return Err(ELSEWHERE.to_owned()) };
        let nodes = match entry {
            Entry::Pair(key, value) => vec![key, value],
            Entry::Item(item) => vec![item],
        };
        for node in nodes.iter().map(|id| document.node(*id)) {
            plain_enough(node)?;
        }
        return Ok(Written { document, service: own, environment, entry });
    }
    Err(ELSEWHERE.to_owned())
}

fn plain_enough(node: &Node) -> Result<(), String> {
    match &node.kind {
        Kind::Scalar { style: Style::Literal | Style::Folded, .. } => {
            Err("its value is a block of several lines; put it into a secret's file by hand".to_owned())
        }
        Kind::Scalar { .. } if node.anchored => Err(ELSEWHERE.to_owned()),
        Kind::Scalar { .. } if node.tag.is_some() => {
            Err("its value has a tag; take that off first".to_owned())
        }
        Kind::Scalar { .. } => Ok(()),
        _ => Err(ELSEWHERE.to_owned()),
    }
}

/// A name for the secret of each move: those with the same value and meaning share one.
fn names(project: &Project<'_>, moves: &[Move<'_>], changes: &Changes<'_>) -> Vec<String> {
    let mut taken: HashSet<String> = changes.secrets.iter().map(|secret| secret.name.clone()).collect();
    let mut alike: HashMap<(&str, &Source), Vec<usize>> = HashMap::new();
    let mut granted: HashSet<(&str, String)> = HashSet::new();
    let mut names: Vec<String> = Vec::new();
    for (at, one) in moves.iter().enumerate() {
        let service = &*one.service.name;
        let others = alike.entry((last_word(one), &one.source)).or_default();
        // Two variables of one service are two things, whatever their values.
        let twin = others.iter().find(|other| !granted.contains(&(service, names[**other].clone())));
        let name = match twin {
            Some(twin) => names[*twin].clone(),
            None => {
                others.push(at);
                free_name(project, service, one.variable, &taken)
            }
        };
        taken.insert(name.clone());
        granted.insert((service, name.clone()));
        names.push(name);
    }
    names
}

fn last_word<'m>(one: &'m Move<'_>) -> &'m str {
    one.variable.rsplit('_').next().unwrap_or_default()
}

/// `K: v` becomes `K_FILE: /run/secrets/name`, in the form in which it is written.
fn rename(text: &str, one: &Move<'_>, name: &str, edits: &mut Vec<Edit>) {
    let document = one.written.document;
    let range = |id: NodeId| {
        let span = document.node(id).span;
        (span.start as usize, span.end as usize)
    };
    let quoted = |id: NodeId, content: String| match scalar(document, id) {
        Some((_, Style::Single)) => format!("'{content}'"),
        Some((_, Style::Double)) => format!("\"{content}\""),
        _ => content,
    };
    let target = format!("/run/secrets/{name}");
    match one.written.entry {
        Entry::Pair(key, value) => {
            let ((key_start, key_end), (start, end)) = (range(key), range(value));
            edits.push(Edit::replace(key_start, key_end, quoted(key, one.variant.clone())));
            // `K:` has no value to replace.
            let blank = if start == end && !text[..start].ends_with(' ') { " " } else { "" };
            edits.push(Edit::replace(start, end, format!("{blank}{target}")));
        }
        Entry::Item(item) => {
            let (start, end) = range(item);
            edits.push(Edit::replace(start, end, quoted(item, format!("{}={target}", one.variant))));
        }
    }
}

/// Takes values that moved out of `.env`, where nothing else uses them.
fn forget_dotenv(project: &Project<'_>, loaded: &Loaded, moves: &[Move<'_>], changes: &mut Changes<'_>) {
    let path = project.in_directory(".env");
    let Ok(text) = project.files.read(&path) else { return };
    let is_env_file = loaded
        .project
        .services
        .iter()
        .any(|service| service.env_files.iter().any(|file| file_name(&file.path.value) == ".env"));
    if is_env_file {
        return;
    }
    let mut done: Vec<&str> = Vec::new();
    for one in moves {
        let Some((name, span)) = &one.dotenv else { continue };
        let moved =
            moves.iter().filter(|other| other.dotenv.as_ref().is_some_and(|(other, _)| other == name));
        if done.contains(&name.as_str())
            || uses(&loaded.root, name) > moved.count()
            || text.contains(&format!("${{{name}"))
            || text.contains(&format!("${name}"))
            || is_passed_on(loaded, name, moves)
        {
            continue;
        }
        done.push(name);
        let start = edit::line_start(&text, (span.start as usize).min(text.len()));
        let end = edit::line_end(&text, (span.end as usize).min(text.len()));
        let assigns = text[start..end].trim_start().trim_start_matches("export ").trim_start();
        if assigns.starts_with(name.as_str()) {
            changes.edits.entry(path.clone()).or_default().push(Edit::replace(start, end, ""));
        }
    }
}

/// Whether a service takes a variable from outside by its bare name.
fn is_passed_on(loaded: &Loaded, name: &str, moves: &[Move<'_>]) -> bool {
    loaded.project.services.iter().any(|service| {
        let arguments = service.build.iter().flat_map(|build| &build.args);
        service.environment.iter().chain(arguments).any(|variable| {
            variable.value.is_none()
                && *variable.name.value == *name
                && !moves.iter().any(|one| one.service.name == service.name && one.variable == name)
        })
    })
}

/// How often a variable is asked for.
pub(super) fn uses(value: &Value, name: &str) -> usize {
    match &value.data {
        Data::Seq(items) => items.iter().map(|item| uses(item, name)).sum(),
        Data::Map(map) => map.values().map(|entry| uses(&entry.value, name)).sum(),
        Data::Str(text) => {
            let raw = value.template.as_ref().map_or_else(|| text.clone(), |template| template.text.clone());
            template::parse(&raw).map_or(0, |pieces| asked(&raw, &pieces, name))
        }
        _ => 0,
    }
}

fn asked(raw: &str, pieces: &[Piece], wanted: &str) -> usize {
    let one = |piece: &Piece| match piece {
        Piece::Variable { name, fallback, .. } => {
            let inner = fallback.as_ref().map_or(0, |fallback| asked(raw, &fallback.pieces, wanted));
            usize::from(&raw[name.clone()] == wanted) + inner
        }
        _ => 0,
    };
    pieces.iter().map(one).sum()
}

fn describe(project: &Project<'_>, outcome: &Outcome, one: &Move<'_>, name: &str) -> Fix {
    let title = match &one.source {
        Source::File(_) => {
            format!("move the value of {} to secrets/{name}, and set {}", one.variable, one.variant)
        }
        Source::Variable(variable) => {
            format!("grant {variable} as the secret {name}, and set {} for {}", one.variant, one.variable)
        }
    };
    let at = one.finding.span;
    let same_place =
        outcome.findings.partition_point(|other| (other.span.file, other.span.start) < (at.file, at.start));
    let mut same_place =
        outcome.findings[same_place..].iter().take_while(|other| other.span.start == at.start);
    let weak = same_place.any(|other| other.rule == "weak-password" && other.span == at);
    let mut fix = Fix::new(outcome, one.finding, FixKind::Unsafe, title);
    if matches!(one.source, Source::File(_)) {
        let file = match &one.dotenv {
            Some(_) => project.in_directory(".env"),
            None => outcome.sources.file(at.file).path().to_owned(),
        };
        fix.notes = rotation(project, &file, name, weak);
    }
    fix
}

/// What to say where a value that stays the same has been seen by others, or can be guessed.
pub(super) fn rotation(project: &Project<'_>, file: &str, secret: &str, weak: bool) -> Vec<String> {
    let committed = project.files.git(file) == Answer::Known(GitState::Tracked)
        || project.files.in_history(file) == Answer::Known(true);
    let why = match (weak, committed) {
        (true, true) => "the value is weak, and git's history keeps it".to_owned(),
        (true, false) => "the value is weak".to_owned(),
        (false, true) => format!("git's history of {file} keeps the value"),
        (false, false) => return Vec::new(),
    };
    vec![format!(
        "rotate it: {why}; change it in the service itself, then `cosec rotate {secret}` with the new value"
    )]
}
