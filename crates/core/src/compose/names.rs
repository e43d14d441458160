//! Where a document has names that somebody chose: of variables, of secrets and of configs.

use std::collections::HashSet;

use crate::detect;
use crate::yaml::scalar::{self, Scalar};
use crate::yaml::{Document, Kind, Node, NodeId};

/// The scalars in a name's place: keys and list items of `environment:` and `args:` (`NAME` or `NAME=value`), keys of
/// `secrets:` and `configs:`, and what grants name.
pub(crate) fn names(document: &Document) -> Vec<&Node> {
    // Each node once: aliases of aliases would multiply.
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for node in document.nodes() {
        let Kind::Mapping { entries, .. } = &node.kind else { continue };
        for (key, value) in entries {
            let Kind::Scalar { value: key, .. } = &document.node(*key).kind else { continue };
            if matches!(&**key, "environment" | "args" | "secrets" | "configs") {
                collect(document, *value, &mut seen, &mut found);
            }
        }
    }
    found
}

fn collect<'a>(document: &'a Document, id: NodeId, seen: &mut HashSet<NodeId>, found: &mut Vec<&'a Node>) {
    if !seen.insert(id) {
        return;
    }
    let node = document.node(id);
    match &node.kind {
        Kind::Scalar { .. } => found.push(node),
        Kind::Alias(target) => collect(document, *target, seen, found),
        Kind::Sequence { items, .. } => {
            for item in items {
                match &document.node(*item).kind {
                    // A grant in its long form.
                    Kind::Mapping { entries, .. } => {
                        let source = entries.iter().find(|(key, _)| is(document, *key, "source"));
                        if let Some((_, source)) = source {
                            collect(document, *source, seen, found);
                        }
                    }
                    _ => collect(document, *item, seen, found),
                }
            }
        }
        Kind::Mapping { entries, .. } => {
            for (key, value) in entries {
                if is(document, *key, "<<") {
                    collect_merged(document, *value, seen, found);
                } else if !(is_of_parts(document, *key) && has_value(document, *value)) {
                    collect(document, *key, seen, found);
                }
            }
        }
    }
}

fn collect_merged<'a>(
    document: &'a Document,
    id: NodeId,
    seen: &mut HashSet<NodeId>,
    found: &mut Vec<&'a Node>,
) {
    match &document.node(id).kind {
        Kind::Sequence { items, .. } => {
            for item in items {
                collect(document, *item, seen, found);
            }
        }
        _ => collect(document, id, seen, found),
    }
}

/// `Jwt:Key`, which is a name as a whole if a value stands beside it.
fn is_of_parts(document: &Document, key: NodeId) -> bool {
    matches!(&document.node(key).kind, Kind::Scalar { value, .. } if detect::is_of_parts(value))
}

fn has_value(document: &Document, id: NodeId) -> bool {
    match &document.node(id).kind {
        Kind::Scalar { value, style } => {
            let tag = document.node(id).tag.as_deref();
            !value.is_empty() && scalar::resolve(value, *style, tag) != Scalar::Null
        }
        _ => true,
    }
}

fn is(document: &Document, id: NodeId, text: &str) -> bool {
    matches!(&document.node(id).kind, Kind::Scalar { value, .. } if **value == *text)
}
