//! By which alias a service has a value: `environment: *env`, `<<: *defaults`. What many services have by their
//! aliases is written once.

use std::collections::HashMap;

use crate::rules::Finding;
use crate::source::Span;
use crate::yaml::{Document, Kind, NodeId};

/// Notes the aliases of findings that share rule and place with others.
pub(crate) fn note(documents: &[Document], findings: &mut [Finding]) {
    let place = |finding: &Finding| (finding.rule, finding.span);
    let mut times: HashMap<_, u32> = HashMap::with_capacity(findings.len());
    for finding in &*findings {
        *times.entry(place(finding)).or_default() += 1;
    }
    if times.len() == findings.len() {
        return;
    }
    let services = services(documents);
    for finding in findings.iter_mut().filter(|finding| times[&place(finding)] > 1) {
        finding.reached = alias_on(&services, &finding.path);
    }
}

/// The services of all documents by name, each time that one is written.
fn services(documents: &[Document]) -> HashMap<&str, Vec<(&Document, NodeId)>> {
    let mut services: HashMap<&str, Vec<(&Document, NodeId)>> = HashMap::new();
    for document in documents {
        let all = entry(document, document.root(), "services");
        let Some(Kind::Mapping { entries, .. }) = all.map(|(id, _)| &document.node(id).kind) else {
            continue;
        };
        for (name, service) in entries {
            if let Kind::Scalar { value, .. } = &document.node(*name).kind {
                services.entry(value).or_default().push((document, *service));
            }
        }
    }
    services
}

/// The last alias on the way from a service to what a path names.
fn alias_on(services: &HashMap<&str, Vec<(&Document, NodeId)>>, path: &str) -> Option<Span> {
    let inside = path.strip_prefix("services.")?;
    let dots = inside.match_indices('.').map(|(at, _)| at);
    let (written, rest) =
        dots.filter_map(|at| Some((services.get(&inside[..at])?, &inside[at + 1..]))).next_back()?;
    written.iter().rev().find_map(|(document, service)| {
        let (mut id, mut alias) = resolved(document, *service);
        for key in rest.split('.') {
            let Some((value, by)) = entry(document, id, key) else { break };
            (id, alias) = (value, by.or(alias));
        }
        alias
    })
}

/// What an alias stands for, and where it stands.
fn resolved(document: &Document, id: NodeId) -> (NodeId, Option<Span>) {
    let node = document.node(id);
    match node.kind {
        Kind::Alias(target) => (target, Some(node.span)),
        _ => (id, None),
    }
}

/// What a mapping has under a key, its own or by `<<: *alias`, and the alias that leads there.
fn entry(document: &Document, mapping: NodeId, key: &str) -> Option<(NodeId, Option<Span>)> {
    let is = |id: NodeId, wanted: &str| matches!(&document.node(id).kind, Kind::Scalar { value, .. } if **value == *wanted);
    let own = |mapping: NodeId, wanted: &str| {
        let Kind::Mapping { entries, .. } = &document.node(mapping).kind else { return None };
        let (_, value) = entries.iter().find(|(name, _)| is(*name, wanted))?;
        Some(resolved(document, *value))
    };
    own(mapping, key).or_else(|| {
        let (merged, by) = own(mapping, "<<")?;
        let merged = match &document.node(merged).kind {
            Kind::Sequence { items, .. } => items.iter().map(|item| resolved(document, *item)).collect(),
            _ => vec![(merged, by)],
        };
        merged.into_iter().find_map(|(merged, by)| Some((own(merged, key)?.0, by)))
    })
}
