//! A value moves from the environment into a secret's file: the file is made, the secret is defined and
//! granted, and the variable becomes the one that names a file.

use std::collections::{HashMap, HashSet};

use super::builds::{has_word, names_variable};
use super::edit::{self, Edit};
use super::secrets::{Granted, NewSecret, Source, free_name, has_place, is_outside, made_note, takes_grants};
use super::tree::{child, is_json, scalar};
use super::{Changes, Fix, FixPlan, Moved, Project, readers, refuse, replaced, shadowed, siblings};
use super::{bases, beside};
use crate::compose::template::{self, Missing, Operator, Piece};
use crate::compose::{BindingOrigin, Data, EnvFile, EnvVar, Loaded, SecretDef, Service, Value, Way};
use crate::files::{Answer, FileKind, GitState, file_name, join};
use crate::images::{self, FileForm};
use crate::lint::Outcome;
use crate::rules::{Finding, FixKind, hindrance, is_tried_first};
use crate::source::Span;
use crate::yaml::{Document, Kind, Node, NodeId, Style};

/// The rules whose findings are mended by moving the value.
pub(super) const RULES: [&str; 7] = [
    "inline-password",
    "password-default",
    "url-password",
    "env-secret",
    "prefer-file-variant",
    "known-token",
    "private-key",
];

/// One variable that moves.
pub(super) struct Move<'p> {
    finding: &'p Finding,
    service: &'p Service,
    variable: &'p str,
    /// How the image takes it from a file.
    form: FileForm,
    source: Source,
    /// The line that the value comes from, if it is one of `.env`.
    line: Option<Line>,
    /// The variable that the value is, whatever its default.
    asks_for: Option<String>,
    /// The lines of env files that `environment:` wins over.
    shadowed: Vec<Line>,
    written: Written<'p>,
    /// Where the value is written: one place for services that extend each other.
    place: Span,
    /// It has no finding of its own here: its service extends the one that has.
    is_along: bool,
    /// What else the user has to know.
    notes: Vec<String>,
}

fn span_of(document: &Document, entry: Entry) -> Span {
    match entry {
        Entry::Pair(key, value) => {
            let (key, value) = (document.node(key).span, document.node(value).span);
            Span { end: value.end.max(key.end), ..key }
        }
        Entry::Item(item) => document.node(item).span,
    }
}

/// Where what a variable is comes from. Its name may be that of the service that another one extends.
pub(super) fn place_of(variable: &EnvVar) -> Span {
    variable.value.as_ref().map_or(variable.name.span, |value| value.span)
}

/// A line of `.env`, or of a file that stands for it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) path: String,
    pub(super) variable: String,
    /// Where the value is written.
    pub(super) span: Span,
}

/// A variable's place in the tree of its file.
#[derive(Clone, Copy)]
pub(super) struct Written<'p> {
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
        match subject(project, finding).and_then(|subject| movable(project, loaded, finding, subject)) {
            // Several rules may be about one variable.
            Ok(one) => {
                if seen.insert((&*one.service.name, one.variable)) {
                    moves.push(one);
                }
            }
            Err(reason) => plan.refused.push(refuse(outcome, finding, reason)),
        }
    }
    take_along(project, loaded, &mut moves, plan);
    // One that stays may need a line that another would take out.
    while let Some((at, reason)) = needed_line(project, loaded, &moves) {
        plan.refused.push(refuse(outcome, moves.remove(at).finding, reason));
    }
    let paths: HashSet<&str> = moves.iter().map(|one| one.finding.path.as_str()).collect();
    plan.refused.retain(|refusal| !paths.contains(refusal.path.as_str()));
    if moves.is_empty() {
        return;
    }
    let names = names(project, &moves, changes);
    let mut renamed: HashSet<Span> = HashSet::new();
    for (one, name) in moves.iter().zip(&names) {
        let written = &one.written;
        let file = project.sources().file(written.document.file());
        let edits = changes.edits.entry(file.path().to_owned()).or_default();
        if renamed.insert(one.place) {
            rename(file.text(), one, name, edits);
        }
        changes.grant(written.document, written.service, written.environment, Granted::plain(name));
    }
    let mut defined: HashSet<&str> = HashSet::new();
    for (one, name) in moves.iter().zip(&names) {
        if defined.insert(name) {
            let (source, document) = (one.source.clone(), one.written.document);
            changes.secrets.push(NewSecret { name: name.clone(), source, document });
        }
    }
    for line in moves.iter().flat_map(|one| &one.shadowed) {
        shadowed::take_out(project, line, changes);
    }
    let kept = forget_lines(project, loaded, &moves, changes);
    let mut told: HashSet<&str> = HashSet::new();
    for (one, name) in moves.iter().zip(&names) {
        let mut fix = describe(project, outcome, one, name);
        fix.notes.extend_from_slice(&one.notes);
        let others =
            one.shadowed.iter().filter(|line| one.line.as_ref().is_none_or(|own| own.path != line.path));
        fix.notes.extend(others.map(shadowed::note));
        fix.notes.extend(one.line.as_ref().and_then(|line| kept.get(line.variable.as_str())).cloned());
        fix.notes.extend(default_note(loaded, one));
        fix.notes.extend(made_note(project, name, &one.source));
        // Of a service it is said once, however many of its variables move.
        let has_file = !matches!(one.source, Source::Variable(_));
        if has_file && !one.is_along && told.insert(&one.service.name) {
            fix.notes.extend(readers::note(project, one.service));
        }
        if !one.is_along {
            plan.fixes.push(fix);
        }
        plan.moved.push(Moved {
            service: one.service.name.to_string(),
            variable: one.variable.to_owned(),
            form: one.form.clone(),
            secret: name.clone(),
            in_env_file: false,
        });
    }
}

/// The variable that a finding is about, and its service.
pub(super) fn subject<'p>(
    project: &Project<'p>,
    finding: &Finding,
) -> Result<(&'p Service, &'p EnvVar), String> {
    let found = project.service_at(&finding.path).and_then(|(service, rest)| {
        let name = rest.strip_prefix("environment.")?;
        // An item of a list may be named by its number.
        let is_it =
            |variable: &&EnvVar| &*variable.name.value == name || place_of(variable).contains(finding.span);
        Some((service, service.environment.iter().find(is_it)?))
    });
    found.ok_or_else(|| {
        let is_argument = finding.path.contains(".build.args.");
        if is_argument {
            "it is an argument of the build; the fix of its ARG in the Dockerfile takes it along, where that can be done"
        } else {
            "it is no variable of `environment:`; put it into a secret's file by hand"
        }
        .to_owned()
    })
}

/// What becomes of a variable that a finding is about, if it can move; else why not.
fn movable<'p>(
    project: &Project<'p>,
    loaded: &'p Loaded,
    finding: &'p Finding,
    (service, variable): (&'p Service, &'p EnvVar),
) -> Result<Move<'p>, String> {
    let name = &*variable.name.value;
    let form = form_of(project, loaded, service, name)?;
    is_free(service, name, &form)?;
    has_place(project)?;
    if form.variable != name
        && let Some((first, last)) = replaced::set_twice(project, loaded, service, name)
    {
        return Err(format!(
            "{first} sets {name}, and {last}, which wins; leave it in one of the two, then run `cosec fix` once more"
        ));
    }
    let mut notes = siblings::agree(project, loaded, service, name, &form)?;
    notes.extend(caveat(project, service, name));
    let shadowed = shadowed::lines(project, loaded, service, name, &form.variable)?;
    if let Some(key) = container_uses(loaded, service, name) {
        return Err(format!(
            "its `{key}` reads {name} in the container, where it is not set any more; let that read the file first"
        ));
    }
    not_mounted(project, service, name)?;
    let written = find(project, loaded, variable)?;
    takes_grants(written.document, written.service)?;
    if is_date(loaded, service, name) {
        return Err(
            "its value is a date to YAML, and Compose refuses that; put it into quotes first".to_owned()
        );
    }
    let (source, line) = source(project, variable)?;
    if let Source::Variable(from) = &source
        && hindrance(service, name).is_some()
    {
        return Err(format!(
            "a secret that comes from {from} would not arrive, as Compose copies it into the container, which is read-only or hides it by a tmpfs; put the value into a file, or start the project with `cosec up`"
        ));
    }
    if let Source::File(value) = &source
        && value.trim_end_matches('\n').len() + 1 == value.len()
        && value.lines().count() == 1
    {
        let without = if is_block(&written) { "write `|-`" } else { "take the break out" };
        return Err(format!(
            "its value ends with a line break, which programs take for a part of a password or not; {without} if it is none"
        ));
    }
    let asks_for = asks_for(variable);
    Ok(Move {
        finding,
        service,
        variable: name,
        form,
        source,
        line,
        asks_for,
        shadowed,
        written,
        place: place_of(variable),
        is_along: false,
        notes,
    })
}

/// Whether a service does not set the variable that is to name a file.
pub(super) fn is_free(service: &Service, name: &str, form: &FileForm) -> Result<(), String> {
    let is_set = |other: &EnvVar| *other.name.value == *form.variable;
    if form.variable != name && service.environment.iter().any(is_set) {
        return Err(format!("{} is set already; remove one of the two", form.variable));
    }
    Ok(())
}

/// How a service's image takes from a file what it else takes from a variable.
pub(super) fn form_of(
    project: &Project<'_>,
    loaded: &Loaded,
    service: &Service,
    name: &str,
) -> Result<FileForm, String> {
    let own = loaded.root.get("services").and_then(|services| services.get(&service.name));
    if own.and_then(|own| own.get("entrypoint")).is_some_and(|entry| !matches!(entry.data, Data::Null)) {
        return Err(format!(
            "`entrypoint` takes the place of the image's, which is what reads {name} from a file; if yours does, grant a secret by hand"
        ));
    }
    if service.build.is_some() {
        return bases::form_of(project, service, name);
    }
    let Some(image) = &service.image else {
        return Err(format!(
            "its service has no `image:` here, so whether that reads {name}_FILE is not known; fix the file that has it"
        ));
    };
    images::file_form(&image.value, name).ok_or_else(|| {
        format!(
            "the image is not known to read {name} from a file, or not in this version; if it does, grant a secret and name its file by hand"
        )
    })
}

/// Whether a variable's value is written as YAML writes dates.
fn is_date(loaded: &Loaded, service: &Service, name: &str) -> bool {
    let own = loaded.root.get("services").and_then(|services| services.get(&service.name));
    let value = own.and_then(|own| own.get("environment")?.get(name));
    value.is_some_and(|value| matches!(value.data, Data::Time(_)))
}

/// What a service's image does less with a file.
fn caveat(project: &Project<'_>, service: &Service, name: &str) -> Option<String> {
    let is_set = |variable: &str| {
        let names_it = |own: &str| own == variable || own.strip_prefix(variable) == Some("_FILE");
        service.environment.iter().any(|own| names_it(&own.name.value))
    };
    images::caveat(&bases::image(project, service)?, name, is_set).map(str::to_owned)
}

/// What `extends` brings to several services of a file from one line moves from all of them, or from none.
fn take_along<'p>(project: &Project<'p>, loaded: &'p Loaded, moves: &mut Vec<Move<'p>>, plan: &mut FixPlan) {
    let mut at = 0;
    while let Some(one) = moves.get(at) {
        let (place, finding) = (one.place, one.finding);
        let sharers = project.variables_at(place).iter().copied().filter(|(service, _)| {
            let moves_itself = |own: &Move<'_>| own.place == place && own.service.name == service.name;
            !moves.iter().any(moves_itself)
        });
        // Most are one service's alone.
        let sharers: Vec<_> =
            if project.variables_at(place).len() > 1 { sharers.collect() } else { Vec::new() };
        let more: Result<Vec<Move<'p>>, String> = sharers
            .into_iter()
            .map(|(service, variable)| {
                let along = movable(project, loaded, finding, (service, variable));
                along.map(|along| Move { is_along: true, ..along }).map_err(|reason| {
                    format!(
                        "service {} has it from here by `extends`, where it has to stay: {reason}",
                        service.name
                    )
                })
            })
            .collect();
        match more {
            Ok(more) => {
                moves.extend(more);
                at += 1;
            }
            Err(reason) => moves.retain(|one| {
                let stays = one.place == place;
                if stays && !one.is_along {
                    plan.refused.push(refuse(project.outcome(), one.finding, reason.as_str()));
                }
                !stays
            }),
        }
    }
}

/// The first of the moves that would take a line out of an env file which something else needs, and what that is.
fn needed_line(project: &Project<'_>, loaded: &Loaded, moves: &[Move<'_>]) -> Option<(usize, String)> {
    moves.iter().enumerate().find_map(|(at, one)| {
        let line = one.shadowed.first()?;
        let reason = used_elsewhere(project, loaded, &line.variable, moves)?;
        Some((at, format!("{} sets it, too, and that line cannot go: {reason}", line.path)))
    })
}

/// Who needs a variable of the project beside the moves; a sentence.
pub(super) fn used_elsewhere(
    project: &Project<'_>,
    loaded: &Loaded,
    name: &str,
    moves: &[Move<'_>],
) -> Option<String> {
    let moved = moves.iter().filter(|one| one.asks_for.as_deref() == Some(name)).count();
    if uses(&loaded.root, name) > moved || is_passed_on(loaded, name, moves) {
        return Some("the project uses it elsewhere, too".to_owned());
    }
    if let Some(path) = replaced::user(project, loaded, name) {
        return Some(format!(
            "{path} names it where another file wins over it, and needs it when read alone"
        ));
    }
    shadowed::user(project.env_texts(), name).or_else(|| used_beside(project, name))
}

/// The key of a service under which something in the container reads a variable, which is no longer set there: the
/// entry point of the image sets it for its own program at most.
pub(super) fn container_uses<'l>(loaded: &'l Loaded, service: &Service, name: &str) -> Option<&'l str> {
    fn reads(value: &Value, name: &str) -> bool {
        match &value.data {
            Data::Seq(items) => items.iter().any(|item| reads(item, name)),
            Data::Map(map) => map.values().any(|entry| reads(&entry.value, name)),
            Data::Str(text) => names_variable(text, name),
            _ => false,
        }
    }
    let own = loaded.root.get("services")?.get(&service.name)?.as_map()?;
    // A label may be another program's command, too.
    let mut others = own.iter().filter(|(key, _)| !["environment", "build"].contains(&key.as_ref()));
    others.find_map(|(key, entry)| reads(&entry.value, name).then_some(key.as_ref()))
}

/// Whether no file that a service mounts names a variable, which it may take from the environment in the container. What
/// an entry point runs for itself has the variable from it.
pub(super) fn not_mounted(project: &Project<'_>, service: &Service, name: &str) -> Result<(), String> {
    for mount in &service.volumes {
        let Some(source) = &mount.source else { continue };
        let source = join("", &source.value);
        let is_init = mount.target.as_ref().is_some_and(|target| target.value.contains("/docker-entrypoint"));
        // Whoever keeps a program in a directory of data mounts that, too.
        if is_init || project.files.kind(&source) != Answer::Known(FileKind::File) {
            continue;
        }
        if let Ok(Some(path)) = beside::naming(project, &source, name) {
            return Err(format!(
                "{path}, which service {} mounts, names {name}, which is not set in the container any more; let it read the file first",
                service.name
            ));
        }
    }
    Ok(())
}

/// The variable that a value is, whatever its default.
fn asks_for(variable: &EnvVar) -> Option<String> {
    let raw = &variable.value.as_ref()?.raw;
    match template::parse(raw).ok()?.as_slice() {
        [Piece::Variable { name, .. }] => Some(raw[name.clone()].to_owned()),
        _ => None,
    }
}

/// The value and where it is from.
pub(super) fn source(project: &Project<'_>, variable: &EnvVar) -> Result<(Source, Option<Line>), String> {
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
        let binding = project.environment.get(name);
        if default.is_some_and(|default| !default.colon) && binding.is_some_and(|it| it.value.is_empty()) {
            return Err(format!(
                "{name} is set and empty, so its value is nothing, for all its default; write `:-` if that is meant"
            ));
        }
        let binding = binding.filter(|binding| !binding.value.is_empty());
        return match (binding, default) {
            (Some(binding), _) => match binding.origin {
                BindingOrigin::File(span) => {
                    let line = project.environment.path_of(span.file).map(|path| Line {
                        path: join("", path),
                        variable: name.to_owned(),
                        span,
                    });
                    Ok((Source::File(binding.value.to_string()), line))
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
pub(super) fn literal(project: &Project<'_>, text: &str) -> Result<String, String> {
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
pub(super) fn find<'p>(
    project: &Project<'p>,
    loaded: &Loaded,
    variable: &EnvVar,
) -> Result<Written<'p>, String> {
    let place = place_of(variable);
    let file = place.file;
    let named = loaded.ways.of(file);
    let path = || project.sources().file(file).path();
    match named {
        Some(Way::Named(_)) => {}
        Some(Way::Extended(_)) => {
            return Err(format!(
                "it comes by `extends` from {}, and what a secret needs at a file's top does not come along; move it by hand, and define the secret here",
                path()
            ));
        }
        _ => return Err(format!("it is written in {}, which is included; fix that file", path())),
    }
    let inside = |outer: Span, inner: Span| outer.contains(inner);
    for document in project.documents().iter().filter(|document| document.file() == file) {
        let Some((_, services)) = child(document, document.root(), "services") else { continue };
        let Kind::Mapping { entries: all, .. } = &document.node(services).kind else { continue };
        // Its own service, or the one that it extends: they stand in the order of the text.
        let after = all.partition_point(|(key, _)| document.node(*key).span.start <= place.start);
        let found = after.checked_sub(1).and_then(|at| {
            let (_, own) = all[at];
            let environment = child(document, own, "environment")?;
            let is_here = inside(document.node(environment.1).span, place);
            is_here.then_some((own, environment))
        });
        let Some((own, environment)) = found else { continue };
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
                .find(|item| inside(document.node(**item).span, place))
                .map(|item| Entry::Item(*item)),
            _ => None,
        };
        let holds = |entry: &Entry| inside(span_of(document, *entry), place);
        let entry = entry.filter(|_| !anchored).filter(holds);
        let Some(entry) = entry else { return Err(ELSEWHERE.to_owned()) };
        let nodes = match entry {
            Entry::Pair(key, value) => vec![key, value],
            Entry::Item(item) => vec![item],
        };
        for node in nodes.iter().map(|id| document.node(*id)) {
            plain_enough(node)?;
        }
        let written = Written { document, service: own, environment, entry };
        let text = project.sources().file(file).text();
        let is_marked = match entry {
            Entry::Pair(key, value) => block_mark(text, document, key, value).is_some(),
            Entry::Item(_) => false,
        };
        if is_block(&written) && !is_marked {
            return Err(
                "its block has a comment at its mark, or is a list's; put it into a secret's file by hand"
                    .to_owned(),
            );
        }
        return Ok(written);
    }
    Err(ELSEWHERE.to_owned())
}

/// Whether a variable's value is written as a block of lines.
fn is_block(written: &Written<'_>) -> bool {
    let (Entry::Pair(_, value) | Entry::Item(value)) = written.entry;
    matches!(scalar(written.document, value), Some((_, Style::Literal | Style::Folded)))
}

/// Where the mark of a block stands, `|-` or its like, with nothing but it on the line; `None` of other scalars.
fn block_mark(text: &str, document: &Document, key: NodeId, value: NodeId) -> Option<usize> {
    let Some((_, Style::Literal | Style::Folded)) = scalar(document, value) else { return None };
    let (start, end) = (document.node(key).span.end as usize, document.node(value).span.start as usize);
    let before = text.get(start..end)?;
    let at = before.find(['|', '>'])?;
    let is_mark = |c: char| "|>+-123456789".contains(c);
    let alone = before[at..].lines().next()?.trim_end().chars().all(is_mark);
    (alone && before[..at].trim() == ":").then_some(start + at)
}

fn plain_enough(node: &Node) -> Result<(), String> {
    match &node.kind {
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
    let mut taken = changes.names();
    let mut alike: HashMap<(Meaning<'_>, &Source), Vec<Shared>> = HashMap::new();
    let mut granted: HashSet<(&str, String)> = HashSet::new();
    let mut names: Vec<String> = Vec::new();
    for one in moves {
        let service = &*one.service.name;
        let (meaning, vendor) = meaning(one.variable);
        let others = alike.entry((meaning, &one.source)).or_default();
        // Two variables of one service are two things, whatever their values.
        let twin = others.iter_mut().find(|other| {
            let fits = vendor.is_none() || other.vendor.is_none() || vendor == other.vendor;
            fits && !granted.contains(&(service, other.name.clone()))
        });
        let name = if let Some(twin) = twin {
            twin.vendor = twin.vendor.or(vendor);
            twin.name.clone()
        } else {
            let name = free_name(project, service, one.variable, &one.source, &taken);
            others.push(Shared { name: name.clone(), vendor });
            name
        };
        taken.insert(name.clone());
        granted.insert((service, name.clone()));
        names.push(name);
    }
    names
}

/// A secret that services share.
struct Shared {
    name: String,
    vendor: Option<&'static str>,
}

/// What a variable's value is for. Equal values of different meaning are two secrets: one may change alone.
#[derive(PartialEq, Eq, Hash)]
enum Meaning<'m> {
    /// The password of a database's user, as the database or its clients name it.
    DatabaseUser,
    /// Whatever else, by the variable's name.
    Named(&'m str),
}

/// What a variable's value is for, and whose database it is about, if the name says so.
fn meaning(variable: &str) -> (Meaning<'_>, Option<&'static str>) {
    const VENDORS: [(&str, &[&str]); 2] =
        [("postgres", &["POSTGRES", "POSTGRESQL", "PG", "PGSQL"]), ("mysql", &["MYSQL", "MARIADB"])];
    const OTHERS: [&str; 8] =
        ["ROOT", "ADMIN", "MASTER", "REPLICATION", "REPL", "SUPERUSER", "MONITOR", "BACKUP"];
    let words: Vec<&str> = variable.split('_').collect();
    let is_password = words.last().is_some_and(|last| matches!(*last, "PASSWORD" | "PASS" | "PASSWD"));
    let vendor = VENDORS.iter().find(|(_, names)| words.iter().any(|word| names.contains(word)));
    let vendor = vendor.map(|(vendor, _)| *vendor);
    let is_database = vendor.is_some() || words.iter().any(|word| matches!(*word, "DB" | "DATABASE"));
    if is_password && is_database && !words.iter().any(|word| OTHERS.contains(word)) {
        (Meaning::DatabaseUser, vendor)
    } else {
        (Meaning::Named(variable), None)
    }
}

/// `K: v` becomes `K_FILE: /run/secrets/name`, in the form in which it is written.
fn rename(text: &str, one: &Move<'_>, name: &str, edits: &mut Vec<Edit>) {
    let document = one.written.document;
    let range = |id: NodeId| {
        let span = document.node(id).span;
        (span.start as usize, span.end as usize)
    };
    let quoted = |id, content| quoted_as(document, id, content);
    let is_json = is_json(document);
    // A number or nothing at all is replaced by text, which JSON wants in quotes.
    let value_quoted = |id: NodeId, content: String| match scalar(document, id) {
        Some((_, Style::Single | Style::Double)) => quoted(id, content),
        _ if is_json => format!("\"{content}\""),
        _ => content,
    };
    let (variant, target) = (&one.form.variable, one.form.value(name));
    match one.written.entry {
        Entry::Pair(key, value) => {
            let ((key_start, key_end), (start, end)) = (range(key), range(value));
            let start = block_mark(text, document, key, value).unwrap_or(start);
            edits.push(Edit::replace(key_start, key_end, quoted(key, variant.clone())));
            // `K:` has no value to replace.
            let blank = if start == end && !text[..start].ends_with(' ') { " " } else { "" };
            edits.push(Edit::replace(start, end, format!("{blank}{}", value_quoted(value, target))));
        }
        Entry::Item(item) => {
            let (start, end) = range(item);
            edits.push(Edit::replace(start, end, quoted(item, format!("{variant}={target}"))));
        }
    }
}

/// Text in the quotes that a scalar has.
fn quoted_as(document: &Document, id: NodeId, content: String) -> String {
    match scalar(document, id) {
        Some((_, Style::Single)) => format!("'{content}'"),
        Some((_, Style::Double)) => format!("\"{content}\""),
        _ => content,
    }
}

/// The file in which a variable is written, and the edit that gives it another name.
pub(super) fn key_edit(
    project: &Project<'_>,
    written: &Written<'_>,
    variable: &EnvVar,
    name: &str,
) -> Result<(String, Edit), String> {
    let document = written.document;
    let (span, text) = match written.entry {
        Entry::Pair(key, _) => (document.node(key).span, quoted_as(document, key, name.to_owned())),
        Entry::Item(_) if project.sources().slice(variable.name.span) != &*variable.name.value => {
            return Err("its name is written with escapes; write it out first".to_owned());
        }
        Entry::Item(_) => (variable.name.span, name.to_owned()),
    };
    let path = project.sources().file(document.file()).path().to_owned();
    Ok((path, Edit::replace(span.start as usize, span.end as usize, text)))
}

/// Takes values that moved out of `.env`, where nothing else uses them. What stays, and why, is given back: a sentence
/// by variable.
fn forget_lines<'m>(
    project: &Project<'_>,
    loaded: &Loaded,
    moves: &'m [Move<'_>],
    changes: &mut Changes<'_>,
) -> HashMap<&'m str, String> {
    let mut kept = HashMap::new();
    let mut done: HashSet<&str> = HashSet::new();
    let lines = moves.iter().filter_map(|one| one.line.as_ref());
    for line in lines.filter(|line| done.insert(&line.variable)) {
        let name = line.variable.as_str();
        let is_shadowed = moves
            .iter()
            .flat_map(|one| &one.shadowed)
            .any(|own| own.path == line.path && own.variable == name);
        let own = |file: &EnvFile| file_name(&file.path.value) == file_name(&line.path);
        let is_env_file = loaded.project.services.iter().any(|service| service.env_files.iter().any(own));
        let text = project.files.read(&line.path).unwrap_or_default();
        let reason = if is_shadowed {
            None
        } else if is_env_file {
            Some("a service reads the file by `env_file:`".to_owned())
        } else if is_outside(project, &line.path) {
            Some("the file lies outside of the project directory, where others may read it".to_owned())
        } else if names_variable(&text, name) {
            Some("another line uses it".to_owned())
        } else {
            used_elsewhere(project, loaded, name, moves)
        };
        let Some((start, end)) = range_of(&text, line).filter(|_| reason.is_none()) else {
            let reason = reason.unwrap_or_else(|| "its line cannot be told from others".to_owned());
            kept.insert(name, format!("{name} stays in {}: {reason}", line.path));
            continue;
        };
        changes.edits.entry(line.path.clone()).or_default().push(Edit::replace(start, end, ""));
    }
    kept
}

/// The bytes of the lines that set a variable, line break included.
pub(super) fn range_of(text: &str, line: &Line) -> Option<(usize, usize)> {
    let (start, end) = (line.span.start as usize, line.span.end as usize);
    text.get(start..end)?;
    let (start, end) = (edit::line_start(text, start), edit::line_end(text, end));
    let assigns = text[start..end].trim_start();
    let assigns = assigns.strip_prefix("export ").unwrap_or(assigns).trim_start();
    let rest = assigns.strip_prefix(line.variable.as_str())?;
    rest.trim_start().starts_with(['=', ':']).then_some((start, end))
}

/// Why a variable or a file may be needed by what lies beside the Compose file and is no part of the project: other
/// Compose files, scripts.
pub(super) fn used_beside(project: &Project<'_>, name: &str) -> Option<String> {
    match project.beside() {
        Ok(beside) => beside
            .iter()
            .find(|one| has_word(&one.text, name))
            .map(|one| format!("{} names it, too", one.path)),
        Err(reason) => Some((*reason).to_owned()),
    }
}

/// Whether a service, a secret or a config takes a variable from outside by its bare name.
fn is_passed_on(loaded: &Loaded, name: &str, moves: &[Move<'_>]) -> bool {
    let project = &loaded.project;
    let is_it = |source: &SecretDef| source.environment.as_ref().is_some_and(|own| *own.value == *name);
    if project.secrets.iter().chain(&project.configs).any(is_it) {
        return true;
    }
    project.services.iter().any(|service| {
        let arguments = service.build.iter().flat_map(|build| &build.args);
        service.environment.iter().chain(arguments).any(|variable| {
            variable.value.is_none()
                && *variable.name.value == *name
                && !moves.iter().any(|one| one.service.name == service.name && one.variable == name)
        })
    })
}

/// How often a variable is asked for.
fn uses(value: &Value, name: &str) -> usize {
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
        Source::File(_) | Source::There(_) => {
            format!("move the value of {} to secrets/{name}, and set {}", one.variable, one.form.variable)
        }
        Source::Variable(variable) => {
            format!(
                "grant {variable} as the secret {name}, and set {} for {}",
                one.form.variable, one.variable
            )
        }
    };
    let mut fix = Fix::new(outcome, one.finding, FixKind::Unsafe, title);
    if let Source::Variable(variable) = &one.source
        && project.environment.get(variable).is_none()
        && !is_demanded(one)
    {
        fix.notes.push(format!(
            "{variable} is not set here: Compose passed on nothing then, and starts nothing without it once it is a secret"
        ));
    }
    if let Source::File(value) = &one.source {
        let file = match &one.line {
            Some(line) => line.path.clone(),
            None => outcome.sources.file(one.finding.span.file).path().to_owned(),
        };
        fix.notes = rotation(project, &file, name, is_tried_first(value, one.variable));
    }
    fix
}

/// Whether Compose starts nothing without the variable as it is: `${X:?}`.
fn is_demanded(one: &Move<'_>) -> bool {
    let variable = one.service.environment.iter().find(|own| *own.name.value == *one.variable);
    let value = variable.and_then(|own| own.value.as_ref());
    value.and_then(|value| template::parse(&value.raw).ok()).is_some_and(|pieces| {
        let demands = |fallback: &Option<template::Fallback>| {
            fallback.as_ref().is_some_and(|it| it.operator == Operator::Required)
        };
        pieces.iter().any(|piece| matches!(piece, Piece::Variable { fallback, .. } if demands(fallback)))
    })
}

/// What to say where a default moves: the variable has no effect any more, and others that ask for it no longer change
/// together with this one.
fn default_note(loaded: &Loaded, one: &Move<'_>) -> Option<String> {
    let is_default = one.line.is_none() && matches!(one.source, Source::File(_));
    let variable = one.asks_for.as_deref().filter(|_| is_default)?;
    let others = if uses(&loaded.root, variable) > 1 { ", which others still ask for" } else { "" };
    Some(format!(
        "{} no longer follows {variable}{others}: whoever sets that has to write the file, too",
        one.variable
    ))
}

/// What to say where a value that stays the same has been seen by others, or can be guessed.
pub(super) fn rotation(project: &Project<'_>, file: &str, secret: &str, weak: bool) -> Vec<String> {
    let committed = project.files.git(file) == Answer::Known(GitState::Tracked)
        || project.files.in_history(file) == Answer::Known(true);
    let why = match (weak, committed) {
        (true, true) => format!("the value is weak, and git has {file}, whose history may keep it"),
        (true, false) => "the value is weak".to_owned(),
        (false, true) => format!("git has {file}, and keeps the value if it was ever committed"),
        (false, false) => return Vec::new(),
    };
    vec![format!(
        "rotate it: {why}; change it in the service itself, then `cosec rotate {secret}` with the new value"
    )]
}
