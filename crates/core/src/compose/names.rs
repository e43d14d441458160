//! Where a document has names that somebody chose: of variables, of secrets and of configs.

use crate::yaml::{Document, Kind, Node, NodeId};

/// How deep aliases and merges are followed.
const DEEPEST: usize = 8;

/// The scalars in a name's place: keys and list items of `environment:` and `args:` (`NAME` or `NAME=value`), keys of
/// `secrets:` and `configs:`, and what grants name.
pub(crate) fn names(document: &Document) -> Vec<&Node> {
    let mut found = Vec::new();
    for node in document.nodes() {
        let Kind::Mapping { entries, .. } = &node.kind else { continue };
        for (key, value) in entries {
            let Kind::Scalar { value: key, .. } = &document.node(*key).kind else { continue };
            if matches!(&**key, "environment" | "args" | "secrets" | "configs") {
                collect(document, *value, DEEPEST, &mut found);
            }
        }
    }
    found
}

fn collect<'a>(document: &'a Document, id: NodeId, depth: usize, found: &mut Vec<&'a Node>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    let node = document.node(id);
    match &node.kind {
        Kind::Scalar { .. } => found.push(node),
        Kind::Alias(target) => collect(document, *target, depth, found),
        Kind::Sequence { items, .. } => {
            for item in items {
                match &document.node(*item).kind {
                    // A grant in its long form.
                    Kind::Mapping { entries, .. } => {
                        let source = entries.iter().find(|(key, _)| is(document, *key, "source"));
                        if let Some((_, source)) = source {
                            collect(document, *source, depth, found);
                        }
                    }
                    _ => collect(document, *item, depth, found),
                }
            }
        }
        Kind::Mapping { entries, .. } => {
            for (key, value) in entries {
                if is(document, *key, "<<") {
                    collect_merged(document, *value, depth, found);
                } else {
                    collect(document, *key, depth, found);
                }
            }
        }
    }
}

fn collect_merged<'a>(document: &'a Document, id: NodeId, depth: usize, found: &mut Vec<&'a Node>) {
    match &document.node(id).kind {
        Kind::Sequence { items, .. } => {
            for item in items {
                collect(document, *item, depth, found);
            }
        }
        _ => collect(document, id, depth, found),
    }
}

fn is(document: &Document, id: NodeId, text: &str) -> bool {
    matches!(&document.node(id).kind, Kind::Scalar { value, .. } if **value == *text)
}
