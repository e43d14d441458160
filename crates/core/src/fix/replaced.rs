//! What a Compose file writes and one after it wins over. Together they do without it; whoever uses the first alone, as
//! on another machine, does not.

use std::collections::BTreeSet;

use super::Project;
use super::builds::has_word;
use super::tree::{child, scalar};
use crate::compose::{Data, Loaded, Service, Value, Way};
use crate::source::{FileId, Span};
use crate::yaml::{Document, Kind, NodeId};

/// A key or a value that is not in the project.
pub(super) struct Word<'p> {
    text: &'p str,
    path: &'p str,
}

/// Whether nothing was read before a file that it could win over.
pub(super) fn is_first(loaded: &Loaded, file: FileId) -> bool {
    !matches!(loaded.ways.of(file), Some(Way::Named(number)) if number > 0)
}

/// The file that names a variable where another one wins over it.
pub(super) fn user<'p>(project: &'p Project<'_>, loaded: &Loaded, name: &str) -> Option<&'p str> {
    let words = project.replaced.get_or_init(|| words(project, loaded));
    words.iter().find(|word| has_word(word.text, name)).map(|word| word.path)
}

/// The first and the last of the project's files that set a variable of a service, where several do.
pub(super) fn set_twice<'p>(
    project: &Project<'p>,
    loaded: &Loaded,
    service: &Service,
    name: &str,
) -> Option<(&'p str, &'p str)> {
    let sets = |document: &&'p Document| {
        let Some((_, services)) = child(document, document.root(), "services") else { return false };
        let environment =
            child(document, services, &service.name).and_then(|(_, own)| child(document, own, "environment"));
        let Some((_, environment)) = environment else { return false };
        let is_it =
            |id: &NodeId| scalar(document, *id).is_some_and(|(text, _)| text.split('=').next() == Some(name));
        match &document.node(environment).kind {
            Kind::Mapping { entries, .. } => entries.iter().any(|(key, _)| is_it(key)),
            Kind::Sequence { items, .. } => items.iter().any(is_it),
            _ => false,
        }
    };
    let number = |document: &Document| match loaded.ways.of(document.file()) {
        Some(Way::Named(number)) => Some(number),
        _ => None,
    };
    let mut setting: Vec<(usize, &str)> = project
        .documents()
        .iter()
        .filter(sets)
        .filter_map(|document| Some((number(document)?, project.sources().file(document.file()).path())))
        .collect();
    setting.sort_unstable();
    setting.dedup();
    let (first, last) = (setting.first()?, setting.last()?);
    (first.0 != last.0).then_some((first.1, last.1))
}

fn words<'p>(project: &Project<'p>, loaded: &Loaded) -> Vec<Word<'p>> {
    let is_named = |document: &&Document| matches!(loaded.ways.of(document.file()), Some(Way::Named(_)));
    let named: Vec<&'p Document> = project.documents().iter().filter(is_named).collect();
    if named.iter().all(|document| is_first(loaded, document.file())) {
        return Vec::new();
    }
    let mut live = BTreeSet::new();
    collect(&loaded.root, &mut live);
    // The value of `- K=v` is a part of what is written.
    let is_live = |span: Span| live.range((span.file, span.start)..=(span.file, span.end)).next().is_some();
    let mut words = Vec::new();
    for document in named {
        let path = project.sources().file(document.file()).path();
        let mut add = |span: Span| words.push(Word { text: project.sources().slice(span), path });
        document.value_spans().into_iter().filter(|span| !is_live(*span)).for_each(&mut add);
        // `K:` takes K from outside.
        for node in document.nodes() {
            let Kind::Mapping { entries, .. } = &node.kind else { continue };
            let is_bare = |id: NodeId| {
                let node = document.node(id);
                matches!(&node.kind, Kind::Scalar { .. })
                    && node.span.start == node.span.end
                    && !is_live(node.span)
            };
            let bare = entries.iter().filter(|(_, value)| is_bare(*value));
            bare.for_each(|(key, _)| add(document.node(*key).span));
        }
    }
    words
}

/// Where the values of a project start.
fn collect(value: &Value, live: &mut BTreeSet<(FileId, u32)>) {
    match &value.data {
        Data::Map(map) => map.values().for_each(|entry| collect(&entry.value, live)),
        Data::Seq(items) => items.iter().for_each(|item| collect(item, live)),
        _ => {
            live.insert((value.span.file, value.span.start));
        }
    }
}
