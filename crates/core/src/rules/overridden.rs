//! What files write and the project does not have: variables that another file, `!reset` or a key beside `<<`
//! replaces, or of a service that nobody extends; grants that a later one hides. It is written in the file all the same.

use std::collections::{HashMap, HashSet};

use crate::compose::{EnvVar, Project, Text};
use crate::files::join;
use crate::source::{FileId, Sources, Span};
use crate::yaml::scalar::{Scalar, resolve};
use crate::yaml::{Document, Kind, NodeId};

/// Each with the path of its map: `services.db.environment`.
pub(super) fn overridden(
    sources: &Sources,
    documents: &[Document],
    project: &Project,
) -> Vec<(String, EnvVar)> {
    let variables = project.services.iter().flat_map(|service| &service.environment);
    let values = variables.filter_map(|variable| variable.value.as_ref());
    let mut seen: HashSet<(FileId, u32)> = values.map(|value| place(value.span)).collect();
    let mut found = Vec::new();
    for (tree, service, node) in services(sources, documents) {
        let path = format!("services.{service}.environment");
        let maps = tree.under(node, "environment").into_iter();
        for (variable, written) in maps.flat_map(|variables| tree.variables(variables)) {
            let span = variable.value.as_ref().map_or(written, |value| value.span);
            // Both are looked at: `*alias` may stand for what is written elsewhere.
            let is_new = [!seen.contains(&place(written)), seen.insert(place(span))];
            if is_new == [true; 2] {
                found.push((path.clone(), variable));
            }
        }
    }
    found
}

/// A grant that a later one of the same list replaces, because both have one target.
pub struct HiddenGrant {
    /// The service.
    pub service: String,
    /// The name of the secret that nobody gets.
    pub name: String,
    /// Where its target is written, or its name.
    pub span: Span,
    /// The name of the secret that is there instead.
    pub by: String,
    /// Where the target of that one is written, or its name.
    pub by_span: Span,
    /// The target of both.
    pub target: String,
}

/// The grants of one list that hide each other. (One that another file replaces is meant to be.)
pub(super) fn hidden_grants(sources: &Sources, documents: &[Document]) -> Vec<HiddenGrant> {
    let mut found = Vec::new();
    for (tree, service, node) in services(sources, documents) {
        for grants in tree.under(node, "secrets") {
            tree.hidden(service, grants, &mut found);
        }
    }
    found
}

/// What `include` and `extends` name, each with its path.
pub(super) fn named_files(sources: &Sources, documents: &[Document]) -> Vec<(String, Text)> {
    let mut found = Vec::new();
    for document in documents {
        let tree = Tree { document, sources };
        for include in tree.under(document.root(), "include") {
            for (at, item) in tree.items(include).into_iter().enumerate() {
                let paths = tree.under(item, "path").into_iter().flat_map(|path| tree.items(path));
                let named = paths.chain([item]).filter_map(|path| tree.written(path));
                found.extend(named.map(|text| (format!("include.{at}"), text)));
            }
        }
    }
    for (tree, service, node) in services(sources, documents) {
        let path = format!("services.{service}.extends.file");
        let extends = tree.under(node, "extends").into_iter();
        let files = extends.flat_map(|extends| tree.under(extends, "file"));
        found.extend(files.filter_map(|file| Some((path.clone(), tree.written(file)?))));
    }
    found
}

/// All services as they are written: where, their name, and what is said of them.
fn services<'a>(
    sources: &'a Sources,
    documents: &'a [Document],
) -> impl Iterator<Item = (Tree<'a>, &'a str, NodeId)> {
    documents.iter().flat_map(move |document| {
        let tree = Tree { document, sources };
        let all = tree.under(document.root(), "services").into_iter();
        let entries = all.flat_map(move |services| tree.entries(services));
        entries.map(move |(name, node)| (tree, tree.text(name).unwrap_or_default(), node))
    })
}

fn place(span: Span) -> (FileId, u32) {
    (span.file, span.start)
}

#[derive(Clone, Copy)]
struct Tree<'a> {
    document: &'a Document,
    sources: &'a Sources,
}

impl<'a> Tree<'a> {
    fn resolved(&self, id: NodeId) -> NodeId {
        match self.document.node(id).kind {
            Kind::Alias(target) => target,
            _ => id,
        }
    }

    fn text(&self, id: NodeId) -> Option<&'a str> {
        match &self.document.node(self.resolved(id)).kind {
            Kind::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    fn written(&self, id: NodeId) -> Option<Text> {
        Some(Text::plain(self.text(id)?, self.document.node(self.resolved(id)).span))
    }

    /// The items of a list; what is none is its only item.
    fn items(&self, id: NodeId) -> Vec<NodeId> {
        match &self.document.node(self.resolved(id)).kind {
            Kind::Sequence { items, .. } => items.clone(),
            _ => vec![id],
        }
    }

    /// Keys and values of a mapping, then those that `<<` gives it, each mapping once.
    fn entries(&self, id: NodeId) -> Vec<(NodeId, NodeId)> {
        let (mut found, mut open, mut visited) = (Vec::new(), vec![id], HashSet::new());
        while let Some(id) = open.pop() {
            let id = self.resolved(id);
            if !visited.insert(id) {
                continue;
            }
            match &self.document.node(id).kind {
                Kind::Mapping { entries, .. } => {
                    for (key, value) in entries {
                        if self.text(*key) == Some("<<") {
                            open.push(*value);
                        } else {
                            found.push((*key, *value));
                        }
                    }
                }
                // `<<: [*a, *b]`
                Kind::Sequence { items, .. } if visited.len() > 1 => open.extend(items),
                _ => {}
            }
        }
        found
    }

    /// What stands under a key, what `<<` has there included.
    fn under(&self, id: NodeId, key: &str) -> Vec<NodeId> {
        let entries = self.entries(id).into_iter();
        entries.filter(|(name, _)| self.text(*name) == Some(key)).map(|(_, value)| value).collect()
    }

    fn hidden(&self, service: &str, grants: NodeId, found: &mut Vec<HiddenGrant>) {
        let Kind::Sequence { items, .. } = &self.document.node(self.resolved(grants)).kind else { return };
        let mut taken: HashMap<String, (&str, Span)> = HashMap::new();
        for item in items {
            let Some(source) =
                self.text(*item).map_or_else(|| self.under(*item, "source").pop(), |_| Some(*item))
            else {
                continue;
            };
            let target = self.under(*item, "target").pop();
            let target = target.filter(|target| self.text(*target).is_some_and(|text| !text.is_empty()));
            let written = target.unwrap_or(source);
            let (Some(name), Some(text)) = (self.text(source), self.text(written)) else { continue };
            if text.contains('$') {
                continue;
            }
            let target = join("/run/secrets", text);
            let span = self.document.node(self.resolved(written)).span;
            if let Some((hidden, hidden_span)) = taken.insert(target.clone(), (name, span))
                && hidden != name
            {
                found.push(HiddenGrant {
                    service: service.to_owned(),
                    name: hidden.to_owned(),
                    span: hidden_span,
                    by: name.to_owned(),
                    by_span: span,
                    target,
                });
            }
        }
    }

    /// The variables of a mapping or a list, each with the place where it is taken.
    fn variables(&self, id: NodeId) -> Vec<(EnvVar, Span)> {
        if let Kind::Sequence { items, .. } = &self.document.node(self.resolved(id)).kind {
            let assigned = |item: &NodeId| {
                let line = self.written(*item)?;
                let (name, value) = line.raw.split_once('=')?;
                let part = |text: &str, from: usize| {
                    Text::plain(text, self.sources.within(line.span, &line.raw, from..from + text.len()))
                };
                let value = part(value, name.len() + 1);
                let span = value.span;
                Some((EnvVar { name: part(name, 0), value: Some(value) }, span))
            };
            return items.iter().filter_map(assigned).collect();
        }
        let set = |(name, value): (NodeId, NodeId)| {
            let node = self.document.node(self.resolved(value));
            if let Kind::Scalar { value, style } = &node.kind
                && resolve(value, *style, node.tag.as_deref()) == Scalar::Null
            {
                return None;
            }
            let taken = self.document.node(value).span;
            Some((EnvVar { name: self.written(name)?, value: Some(self.written(value)?) }, taken))
        };
        self.entries(id).into_iter().filter_map(set).collect()
    }
}
