//! Places in the tree of a YAML file, and edits there that keep the way in which it is written.

use super::edit::{self, Edit};
use crate::yaml::{Document, Kind, NodeId, Style};

/// The key and value of a mapping's entry, as they are written there.
pub(super) fn child(document: &Document, mapping: NodeId, key: &str) -> Option<(NodeId, NodeId)> {
    let Kind::Mapping { entries, .. } = &document.node(mapping).kind else { return None };
    entries.iter().copied().find(|(id, _)| scalar(document, *id).is_some_and(|(text, _)| text == key))
}

pub(super) fn scalar(document: &Document, id: NodeId) -> Option<(&str, Style)> {
    match &document.node(id).kind {
        Kind::Scalar { value, style } => Some((value, *style)),
        _ => None,
    }
}

/// Whether a document is written as JSON is.
pub(super) fn is_json(document: &Document) -> bool {
    is_quoted_mapping(document, document.root())
}

/// Whether a mapping stands in braces and its keys in double quotes.
pub(super) fn is_quoted_mapping(document: &Document, mapping: NodeId) -> bool {
    let Kind::Mapping { entries, flow: true } = &document.node(mapping).kind else { return false };
    entries.first().is_some_and(|(key, _)| matches!(scalar(document, *key), Some((_, Style::Double))))
}

/// What stands between the entries of a mapping in braces before one that is added: a line break where the first has a
/// line of its own.
pub(super) fn apart(document: &Document, text: &str, entries: &[(NodeId, NodeId)]) -> String {
    let start = entries.first().map_or(0, |(key, _)| document.node(*key).span.start as usize);
    let indent = &text[edit::line_start(text, start)..start];
    if indent.is_empty() || !indent.trim().is_empty() {
        return ", ".to_owned();
    }
    format!(",{}{indent}", edit::newline(text))
}

/// Lines below the one in which `end` lies, and below the comments there that belong to what is above.
pub(super) fn below(text: &str, end: usize, column: usize, lines: &[String], newline: &str) -> Edit {
    let mut at = edit::line_end(text, end);
    while at < text.len() {
        let next = edit::line_end(text, at);
        let line = &text[at..next];
        let content = line.trim_start_matches(' ');
        if !content.starts_with('#') || line.len() - content.len() <= column {
            break;
        }
        at = next;
    }
    let lines = lines.join(newline);
    if text[..at].ends_with('\n') {
        Edit::insert(at, format!("{lines}{newline}"))
    } else {
        Edit::insert(at, format!("{newline}{lines}"))
    }
}

/// How far the dashes of lists stand behind their key in this file.
pub(super) fn list_step(document: &Document, text: &str) -> usize {
    let steps = document.nodes().filter_map(|node| {
        let Kind::Mapping { entries, flow: false } = &node.kind else { return None };
        entries.iter().find_map(|(key, value)| {
            let value = document.node(*value);
            let Kind::Sequence { items, flow: false } = &value.kind else { return None };
            let start = document.node(*items.first()?).span.start as usize;
            let before = &text[edit::line_start(text, start)..start];
            let dash = before.rfind('-')?;
            dash.checked_sub(edit::column(text, document.node(*key).span.start as usize))
        })
    });
    steps.min().unwrap_or(2)
}

/// How far a mapping's keys stand behind the key that holds it.
pub(super) fn step(document: &Document, text: &str) -> usize {
    let column = |id: NodeId| edit::column(text, document.node(id).span.start as usize);
    let Kind::Mapping { entries, .. } = &document.node(document.root()).kind else { return 2 };
    let steps = entries.iter().filter_map(|(key, value)| match &document.node(*value).kind {
        Kind::Mapping { entries: inner, flow: false } => column(inner.first()?.0).checked_sub(column(*key)),
        _ => None,
    });
    steps.filter(|step| *step > 0).min().unwrap_or(2)
}

/// Takes entries of a mapping, by their keys, or items of a list out. `None` where they do not stand by themselves: on
/// lines of their own, or in a flow collection, and without an anchor that others may use.
pub(super) fn remove(
    document: &Document,
    text: &str,
    container: NodeId,
    gone: &[NodeId],
) -> Option<Vec<Edit>> {
    let (parts, flow): (Vec<(NodeId, NodeId)>, bool) = match &document.node(container).kind {
        Kind::Mapping { entries, flow } => (entries.clone(), *flow),
        Kind::Sequence { items, flow } => (items.iter().map(|item| (*item, *item)).collect(), *flow),
        _ => return None,
    };
    let is_gone = |at: usize| gone.contains(&parts[at].0);
    let start = |at: usize| document.node(parts[at].0).span.start as usize;
    let end = |at: usize| {
        let (key, value) = parts[at];
        let end = document.node(value).span.end.max(document.node(key).span.end) as usize;
        start(at) + text[start(at)..end].trim_end().len()
    };
    let anchored = |at: usize| {
        let own = start(at)..=end(at);
        document.nodes().any(|node| node.anchored && own.contains(&(node.span.start as usize)))
    };
    let all: Vec<usize> = (0..parts.len()).filter(|at| is_gone(*at)).collect();
    if all.len() != gone.len() || all.iter().any(|at| anchored(*at)) {
        return None;
    }
    if flow {
        let first_kept = (0..parts.len()).find(|at| !is_gone(*at));
        let Some(first_kept) = first_kept else {
            return Some(vec![Edit::replace(start(0), end(parts.len() - 1), "")]);
        };
        let leading = (first_kept > 0).then(|| Edit::replace(start(0), start(first_kept), ""));
        let rest = all.iter().filter(|at| **at > first_kept);
        return Some(
            leading.into_iter().chain(rest.map(|at| Edit::replace(end(at - 1), end(*at), ""))).collect(),
        );
    }
    let line = |at: &usize| {
        let first = edit::line_start(text, start(*at));
        let before = text[first..start(*at)].trim();
        (before.is_empty() || before == "-").then(|| (first, edit::line_end(text, end(*at))))
    };
    let lines: Option<Vec<(usize, usize)>> = all.iter().map(line).collect();
    Some(lines?.into_iter().map(|(start, end)| Edit::replace(start, end, "")).collect())
}
