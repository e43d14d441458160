//! Secrets that fixes make, and those that go: names, definitions, grants and files.

use std::collections::{HashMap, HashSet};

use super::edit::{self, Edit};
use super::tree::{apart, below, child, is_json, is_quoted_mapping, list_step, remove, scalar, step};
use super::{Changes, Content, NewFile, Project, ignored, siblings};
use crate::files::{Answer, FileFacts, FileKind, GitState, ReadError, file_name, inside, join, parent};
use crate::source::FileId;
use crate::yaml::{Document, Kind, NodeId, Style};

/// Where a secret's value is to come from.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// A file that is made from this.
    File(String),
    /// A file that is there, as its path is to be written.
    There(String),
    /// A variable that is set elsewhere.
    Variable(String),
}

/// A secret that is to be defined.
pub(super) struct NewSecret<'p> {
    pub(super) name: String,
    pub(super) source: Source,
    /// The Compose file that is to define it.
    pub(super) document: &'p Document,
}

/// A service that is to be granted secrets.
pub(super) struct Grants<'p> {
    document: &'p Document,
    /// The service, and the entry behind which `secrets:` is to stand.
    mapping: NodeId,
    behind: (NodeId, NodeId),
    granted: Vec<Granted>,
}

/// A secret that is granted.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) name: String,
    /// Its path in the container, where that is not /run/secrets/NAME.
    pub(super) target: Option<String>,
}

impl Granted {
    /// At its usual place.
    pub(super) fn plain(name: &str) -> Self {
        Granted { name: name.to_owned(), target: None }
    }

    /// As an item of a list on lines of its own, without indentation.
    fn lines(&self) -> Vec<String> {
        match &self.target {
            None => vec![format!("- {}", self.name)],
            Some(target) => vec![format!("- source: {}", self.name), format!("  target: {target}")],
        }
    }

    /// As an item of a list in brackets.
    fn flow(&self, is_quoted: bool) -> String {
        let word = |text: &str| quoted(text, is_quoted);
        match &self.target {
            None => word(&self.name),
            Some(target) => {
                format!("{{{}: {}, {}: {}}}", word("source"), word(&self.name), word("target"), word(target))
            }
        }
    }
}

impl<'p> Changes<'p> {
    /// Grants a service a secret.
    pub(super) fn grant(
        &mut self,
        document: &'p Document,
        mapping: NodeId,
        behind: (NodeId, NodeId),
        granted: Granted,
    ) {
        let is_it =
            |known: &&mut Grants<'_>| known.mapping == mapping && std::ptr::eq(known.document, document);
        let known = match self.grants.iter_mut().find(is_it) {
            Some(known) => known,
            None => {
                self.grants.push(Grants { document, mapping, behind, granted: Vec::new() });
                let Some(last) = self.grants.last_mut() else { return };
                last
            }
        };
        if !known.granted.contains(&granted) {
            known.granted.push(granted);
        }
    }
}

/// A name that no secret has, and no file but one that is there for this: the variable's, or that of the service with
/// it.
pub(super) fn free_name(
    project: &Project<'_>,
    service: &str,
    variable: &str,
    source: &Source,
    taken: &HashSet<String>,
) -> String {
    let clean = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
    };
    let short = clean(variable).trim_matches('_').to_owned();
    let long = format!("{}_{short}", clean(service));
    let base = long.clone();
    let numbered = (2..10_000).map(move |number| format!("{base}_{number}"));
    let is_free = |name: &String| {
        let path = path_of(project, name);
        let is_there = match project.files.kind(&path) {
            Answer::Known(kind) => kind != FileKind::Missing,
            Answer::NotChecked(_) => project.files.read(&path).is_ok(),
        } || project.files.git(&path) == Answer::Known(GitState::Tracked);
        !taken.contains(name)
            && !siblings::name(project, name)
            && project.model().is_none_or(|model| model.secret(name).is_none())
            && (!is_there || is_made(project, name, source))
    };
    [short, long].into_iter().chain(numbered).find(is_free).unwrap_or_default()
}

fn path_of(project: &Project<'_>, name: &str) -> String {
    project.in_directory(&format!("secrets/{name}"))
}

/// Whether a secret's file is there as it would be made: with these bytes, for its owner alone, and out of git. An
/// editor's undo leaves it behind.
fn is_made(project: &Project<'_>, name: &str, source: &Source) -> bool {
    let (path, Source::File(value)) = (path_of(project, name), source) else { return false };
    let is_private = |facts: FileFacts| facts.owner.is_none_or(|owner| owner.mode == 0o600);
    let fits = |facts: FileFacts| facts.size == value.len() as u64 && is_private(facts);
    matches!(project.files.facts(&path), Answer::Known(facts) if fits(facts))
        && matches!(project.files.git(&path), Answer::Known(GitState::Ignored | GitState::NoRepository))
        && project.files.read(&path).is_ok_and(|text| text == *value)
}

/// What is said of a secret whose file is there already.
pub(super) fn made_note(project: &Project<'_>, name: &str, source: &Source) -> Option<String> {
    is_made(project, name, source)
        .then(|| format!("{} is there with this value, and is used", path_of(project, name)))
}

/// Whether files can be made in `secrets/`, which git is kept from by that name.
pub(super) fn has_place(project: &Project<'_>) -> Result<(), String> {
    project.place.get_or_init(|| look_for_place(project)).clone()
}

fn look_for_place(project: &Project<'_>) -> Result<(), String> {
    if let Some(other) = extended_by(project) {
        return Err(format!(
            "{other} extends services of this file, and what is defined at its top does not come along; move the value by hand, and define the secret in {other}"
        ));
    }
    let directory = project.in_directory("secrets");
    if let Answer::Known(FileKind::File | FileKind::Other) = project.files.kind(&directory) {
        return Err(format!(
            "{directory} is a file, where a directory for secrets is wanted; rename it first"
        ));
    }
    let inside = project.in_directory("secrets/x");
    if let Err(ReadError::Other(why)) = project.files.read(&inside) {
        return Err(format!("{directory} cannot be looked at: {why}; mend that first"));
    }
    if is_behind_link(project, "secrets/x") {
        return Err(format!(
            "{directory} is a link, so what keeps git from it may not hold; make it a directory"
        ));
    }
    Ok(())
}

/// Whether a file lies where other projects may read it, too.
pub(super) fn is_outside(project: &Project<'_>, path: &str) -> bool {
    inside(project.directory, path).is_none_or(|path| is_behind_link(project, &path))
}

/// A Compose file that takes services from this one: it would not get the secret's definition with them.
fn extended_by(project: &Project<'_>) -> Option<String> {
    let beside = project.beside().as_ref().ok()?;
    let mut others = beside.iter().chain(project.above());
    others.find(|one| extends(&one.text, &one.path, project.path)).map(|one| one.path.clone())
}

/// Whether the text of a Compose file at a path extends a service of another one.
fn extends(text: &str, path: &str, own: &str) -> bool {
    let own = join("", own);
    let names_own = |line: &str| {
        line.split("file").skip(1).any(|rest| {
            let rest = rest.trim_start_matches(['"', '\'']).trim_start();
            let Some(value) = rest.strip_prefix(':') else { return false };
            let value = value.split([',', '}', '#']).next().unwrap_or_default();
            let value = value.trim().trim_matches(['"', '\'']);
            let target = join(parent(path), value);
            // Seen from above, a path may lead back into where the user stands, by a name that is not known here.
            let may_lead_back = target.starts_with("..") && value.contains('/') && !own.starts_with("..");
            target == own || (may_lead_back && file_name(&target) == file_name(&own))
        })
    };
    text.match_indices("extends").any(|(at, _)| text[at..].lines().take(4).any(names_own))
}

/// Whether a link leads to a path of the project directory, which itself may lie behind some.
pub(super) fn is_behind_link(project: &Project<'_>, path: &str) -> bool {
    let mut start = project.in_directory(".");
    for _ in 0..MOST_LINKS {
        let Some(real) = project.files.real_path(&start) else { break };
        start = real;
    }
    project.files.real_path(&join(&start, path)).is_some()
}

/// As many links as Linux follows on the way to a file.
const MOST_LINKS: usize = 40;

/// Whether the `secrets:` of a service or a build can be added to; the error says why not.
pub(super) fn takes_grants(document: &Document, mapping: NodeId) -> Result<(), String> {
    let Some((_, secrets)) = child(document, mapping, "secrets") else { return Ok(()) };
    let node = document.node(secrets);
    match &node.kind {
        _ if node.anchored || node.tag.is_some() => {}
        Kind::Sequence { .. } => return Ok(()),
        Kind::Scalar { .. } => {
            return Err("`secrets:` is there and empty; take the line out first".to_owned());
        }
        _ => {}
    }
    Err("its `secrets:` has an anchor, an alias or a tag, which others may use; write it out first"
        .to_owned())
}

/// Adds to the `secrets:` of a service or a build; where there is none, it is made behind the entry `behind` of the
/// mapping. `None` where it is written in a way that cannot be added to.
pub(super) fn grant(
    text: &str,
    document: &Document,
    mapping: NodeId,
    behind: (NodeId, NodeId),
    granted: &[Granted],
    list_step: usize,
) -> Option<Edit> {
    let newline = edit::newline(text);
    if let Some((_, secrets)) = child(document, mapping, "secrets") {
        let node = document.node(secrets);
        let Kind::Sequence { items, flow } = &node.kind else { return None };
        let Some(last) = items.last() else {
            let items = items_of(granted, is_json(document));
            return Some(Edit::insert(node.span.start as usize + 1, items));
        };
        let end = document.node(*last).span.end as usize;
        if *flow {
            let is_quoted = is_json(document) || matches!(scalar(document, *last), Some((_, Style::Double)));
            return Some(Edit::insert(end, format!(", {}", items_of(granted, is_quoted))));
        }
        let start = document.node(*last).span.start as usize;
        let before = &text[edit::line_start(text, start)..start];
        let indent = before.find('-').filter(|dash| before[..*dash].trim().is_empty())?;
        let indent = &before[..indent];
        let lines = granted.iter().flat_map(Granted::lines);
        let lines: Vec<String> = lines.map(|line| format!("{indent}{line}")).collect();
        return Some(below(text, end, indent.len(), &lines, newline));
    }
    let service = document.node(mapping);
    if let Kind::Mapping { entries, flow: true } = &service.kind {
        let (key, value) = entries.last()?;
        let end = document.node(*value).span.end.max(document.node(*key).span.end) as usize;
        let is_quoted = is_quoted_mapping(document, mapping);
        let (key, items) = (quoted("secrets", is_quoted), items_of(granted, is_quoted));
        let apart = apart(document, text, entries);
        return Some(Edit::insert(end, format!("{apart}{key}: [{items}]")));
    }
    let (key, value) = behind;
    let column = edit::column(text, document.node(key).span.start as usize);
    let indent = " ".repeat(column);
    let items = " ".repeat(column + list_step);
    let mut lines = vec![format!("{indent}secrets:")];
    lines.extend(granted.iter().flat_map(Granted::lines).map(|line| format!("{items}{line}")));
    Some(below(text, document.node(value).span.end as usize, column, &lines, newline))
}

/// The items of a list in brackets.
pub(super) fn items_of(granted: &[Granted], is_quoted: bool) -> String {
    let items: Vec<String> = granted.iter().map(|one| one.flow(is_quoted)).collect();
    items.join(", ")
}

/// A word in double quotes, where its neighbours have them.
pub(super) fn quoted(word: &str, is_quoted: bool) -> String {
    if is_quoted { format!("\"{word}\"") } else { word.to_owned() }
}

/// Grants and defines the new secrets, takes out those that go, and makes files.
pub(super) fn define(project: &Project<'_>, changes: &mut Changes<'_>) {
    let mut steps: HashMap<FileId, usize> = HashMap::new();
    for one in std::mem::take(&mut changes.grants) {
        let file = project.sources().file(one.document.file());
        let step = steps.entry(one.document.file()).or_insert_with(|| list_step(one.document, file.text()));
        let edit = grant(file.text(), one.document, one.mapping, one.behind, &one.granted, *step);
        changes.edits.entry(file.path().to_owned()).or_default().extend(edit);
    }
    let mut documents: Vec<&Document> = Vec::new();
    for document in changes.secrets.iter().map(|new| new.document).chain(changes.unused.iter().map(|it| it.0))
    {
        if !documents.iter().any(|known| std::ptr::eq(*known, document)) {
            documents.push(document);
        }
    }
    for document in documents {
        let file = project.sources().file(document.file());
        let is_here = |other: &Document| std::ptr::eq(other, document);
        let new: Vec<&NewSecret<'_>> = changes.secrets.iter().filter(|new| is_here(new.document)).collect();
        let gone: Vec<NodeId> =
            changes.unused.iter().filter(|(other, _)| is_here(other)).map(|(_, key)| *key).collect();
        let edits = changes.edits.entry(file.path().to_owned()).or_default();
        if !new.is_empty() {
            edits.push(definition(document, file.text(), &new));
        }
        if !gone.is_empty() {
            edits.extend(remove_definitions(document, file.text(), &gone, new.is_empty()));
        }
    }
    for new in std::mem::take(&mut changes.secrets) {
        let is_made = is_made(project, &new.name, &new.source);
        let Source::File(value) = new.source else { continue };
        let path = path_of(project, &new.name);
        ignored::keep_from_git(project, &path, changes);
        ignored::keep_out(project, &path, changes);
        // What `cosec fix --undo` needs holds the value, too.
        ignored::keep_out(project, &project.in_directory(".cosec"), changes);
        if is_made {
            changes.made.push(path);
        } else {
            changes.new_files.push(NewFile { path, content: Content(value) });
        }
    }
}

/// Takes definitions out; with the last one, `secrets:` goes.
fn remove_definitions(document: &Document, text: &str, gone: &[NodeId], with_key: bool) -> Vec<Edit> {
    let Some((key, value)) = child(document, document.root(), "secrets") else { return Vec::new() };
    let Kind::Mapping { entries, .. } = &document.node(value).kind else { return Vec::new() };
    let (container, gone) = if with_key && entries.len() == gone.len() {
        (document.root(), vec![key])
    } else {
        (value, gone.to_vec())
    };
    remove(document, text, container, &gone).unwrap_or_default()
}

fn definition(document: &Document, text: &str, secrets: &[&NewSecret<'_>]) -> Edit {
    let newline = edit::newline(text);
    let source_in = |one: &NewSecret<'_>, is_quoted: bool| {
        let (key, value) = match &one.source {
            Source::File(_) => ("file", format!("./secrets/{}", one.name)),
            Source::There(path) => ("file", path.clone()),
            Source::Variable(variable) => ("environment", variable.clone()),
        };
        format!("{}: {}", quoted(key, is_quoted), quoted(&value, is_quoted))
    };
    let source = |one: &NewSecret<'_>| source_in(one, false);
    let flow = |is_quoted: bool| {
        let one = |one: &&NewSecret<'_>| {
            format!("{}: {{{}}}", quoted(&one.name, is_quoted), source_in(one, is_quoted))
        };
        secrets.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let is_json = is_json(document);
    let root = document.node(document.root());
    let end_of = |entries: &[(NodeId, NodeId)]| {
        entries
            .last()
            .map(|(key, value)| document.node(*value).span.end.max(document.node(*key).span.end) as usize)
    };
    let Kind::Mapping { entries, flow: root_flow } = &root.kind else { return Edit::insert(text.len(), "") };
    let first =
        entries.first().map_or(0, |(key, _)| edit::column(text, document.node(*key).span.start as usize));
    let step = step(document, text);
    let block = |column: usize| -> Vec<String> {
        let (outer, inner) = (" ".repeat(column), " ".repeat(column + step));
        secrets
            .iter()
            .flat_map(|one| [format!("{outer}{}:", one.name), format!("{inner}{}", source(one))])
            .collect()
    };
    if let Some((key, value)) = child(document, document.root(), "secrets") {
        let node = document.node(value);
        match &node.kind {
            Kind::Mapping { entries: own, flow: true } => {
                return match end_of(own) {
                    Some(end) => {
                        let apart = apart(document, text, own);
                        Edit::insert(end, format!("{apart}{}", flow(is_quoted_mapping(document, value))))
                    }
                    None => Edit::insert(node.span.start as usize + 1, flow(is_json)),
                };
            }
            Kind::Mapping { entries: own, flow: false } if !own.is_empty() => {
                let column = edit::column(text, document.node(own[0].0).span.start as usize);
                let end = end_of(own).unwrap_or(node.span.end as usize);
                return below(text, end, column, &block(column), newline);
            }
            _ => {
                let column = edit::column(text, document.node(key).span.start as usize) + step;
                return below(text, document.node(key).span.end as usize, column, &block(column), newline);
            }
        }
    }
    let end = end_of(entries).unwrap_or(root.span.end as usize);
    if *root_flow {
        let (apart, key) = (apart(document, text, entries), quoted("secrets", is_json));
        return Edit::insert(end, format!("{apart}{key}: {{{}}}", flow(is_json)));
    }
    let mut lines = vec![String::new(), format!("{}secrets:", " ".repeat(first))];
    lines.extend(block(first + step));
    below(text, end, first, &lines, newline)
}
