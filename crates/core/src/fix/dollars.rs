//! A dollar that nobody can have meant as a variable is written so that it stays one.

use super::edit::Edit;
use super::{Changes, Fix, FixPlan, Project, refuse};
use crate::compose::Environment;
use crate::compose::template::{self, Piece};
use crate::files::join;
use crate::lint::is_env_file;
use crate::rules::{Finding, FixKind};
use crate::source::Span;
use crate::yaml::{Kind, Node, Style};

pub(super) const RULE: &str = "dollar-mangled";

pub(super) fn plan(
    project: &Project<'_>,
    findings: &[&Finding],
    plan: &mut FixPlan,
    changes: &mut Changes<'_>,
) {
    let outcome = project.outcome();
    for finding in findings.iter().filter(|finding| finding.rule == RULE) {
        let path = outcome.sources.file(finding.span.file).path().to_owned();
        let edits = if is_env_file(&path) { quoted(project, finding) } else { doubled(project, finding) };
        match edits {
            Ok(edits) => {
                changes.edits.entry(path.clone()).or_default().extend(edits);
                let title = if is_env_file(&path) {
                    "put the value into single quotes, so that its dollars stay".to_owned()
                } else {
                    plan.literal.push(finding.span);
                    "write `$$` for each `$` of the value".to_owned()
                };
                let mut fix = Fix::new(outcome, finding, FixKind::Unsafe, title);
                fix.notes.push(
                    "so far the container had what Compose made of it; what was set up with that, a database's user, keeps it until it is changed there"
                        .to_owned(),
                );
                plan.fixes.push(fix);
            }
            Err(reason) => plan.refused.push(refuse(outcome, finding, reason)),
        }
    }
}

/// A second dollar for each.
fn doubled(project: &Project<'_>, finding: &Finding) -> Result<Vec<Edit>, String> {
    let written = project.sources().slice(finding.span);
    means_none(written, project.environment)?;
    // A tag, an escape or a folded line hides where the dollars stand; an alias brings them from elsewhere.
    let is_plain = |span: Span| {
        let mut nodes = project.documents().iter().filter(|document| document.file() == span.file);
        let is_text = |node: &Node| {
            let is_block = matches!(node.kind, Kind::Scalar { style: Style::Literal | Style::Folded, .. });
            matches!(node.kind, Kind::Scalar { .. }) && !is_block && !node.anchored && node.tag.is_none()
        };
        nodes.any(|document| document.nodes().any(|node| node.span.contains(span) && is_text(node)))
    };
    if !is_plain(finding.span) || written.contains(['\\', '\n']) {
        return Err(
            "its value is written with escapes, over several lines or with an anchor; write `$$` by hand"
                .to_owned(),
        );
    }
    let start = finding.span.start as usize;
    Ok(written.match_indices('$').map(|(at, _)| Edit::insert(start + at, "$")).collect())
}

/// Single quotes around a value of an env file.
fn quoted(project: &Project<'_>, finding: &Finding) -> Result<Vec<Edit>, String> {
    let source = project.sources().file(finding.span.file);
    let file = source.text();
    let (start, end) = (finding.span.start as usize, finding.span.end as usize);
    let value = &file[start..end];
    means_none(value, project.environment)?;
    if value.contains(['\'', '\\', '\n', '"']) {
        return Err("its value holds quotes or backslashes; put it into single quotes by hand".to_owned());
    }
    if is_raw(project, source.path()) {
        return Err("a service reads it with `format: raw`, where quotes are a part of the value".to_owned());
    }
    if file[..start].ends_with('"') && file[end..].starts_with('"') {
        return Ok(vec![Edit::replace(start - 1, start, "'"), Edit::replace(end, end + 1, "'")]);
    }
    Ok(vec![Edit::insert(start, "'"), Edit::insert(end, "'")])
}

/// Whether none of a value's dollars can be meant as a variable.
fn means_none(raw: &str, environment: &Environment) -> Result<(), String> {
    let pieces = template::parse(raw).unwrap_or_default();
    for piece in &pieces {
        match piece {
            Piece::Dollar(_) => {
                return Err(
                    "some of its dollars are doubled already; write `$$` for the others by hand".to_owned()
                );
            }
            Piece::Variable { name, .. } if environment.get(&raw[name.clone()]).is_some() => {
                return Err("a variable of that name is set and may be meant; write `$$` or `${…}` by hand"
                    .to_owned());
            }
            Piece::Literal(_) | Piece::Variable { .. } => {}
        }
    }
    Ok(())
}

/// Whether a service takes an env file as it stands.
pub(super) fn is_raw(project: &Project<'_>, path: &str) -> bool {
    let services = project.model().into_iter().flat_map(|model| &model.services);
    let mut files = services.flat_map(|service| &service.env_files);
    files.any(|file| file.raw && join("", &file.path.value) == join("", path))
}
