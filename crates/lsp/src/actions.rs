//! Fixes and ignore comments as code actions.
//!
//! A fix is a command of this server: a file with a secret has to be made for its owner alone, which no editor does
//! when it makes a file. The edits go through the editor, whose undo takes them back.

use std::collections::HashMap;

use cosec_core::fix::{ChangedFile, Edit};
use cosec_core::lint::Outcome;
use cosec_core::rules::{Finding, FixKind};
use cosec_core::source::Span;
use lsp_types::{
    CodeAction, CodeActionKind, Command, DocumentChanges, OneOf, OptionalVersionedTextDocumentIdentifier,
    Position, Range, TextDocumentEdit, TextEdit, Uri, WorkspaceEdit,
};
use serde::{Deserialize, Serialize};

use crate::buffers::Buffers;
use crate::diagnostics;
use crate::position::Encoding;
use crate::uri;

/// The command that fixes.
pub(crate) const FIX: &str = "cosec.fix";
/// All safe fixes of a file, as editors run them when a file is saved.
pub(crate) const FIX_ALL: CodeActionKind = CodeActionKind::new("source.fixAll.cosec");

/// What the command is to fix.
#[derive(Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The linted file.
    pub(crate) uri: Uri,
    /// One finding; none for all that can be fixed safely.
    pub(crate) finding: Option<AskedFinding>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct AskedFinding {
    pub(crate) rule: String,
    pub(crate) file: Uri,
    pub(crate) at: Position,
    pub(crate) path: String,
}

impl AskedFinding {
    /// Whether it is this finding that was asked for.
    pub(crate) fn is(&self, outcome: &Outcome, finding: &Finding, encoding: Encoding) -> bool {
        self.rule == finding.rule
            && self.path == finding.path
            && self.at == encoding.range(&outcome.sources, finding.span).start
            && uri::to_path(&self.file).as_deref() == Some(outcome.sources.file(finding.span.file).path())
    }
}

/// Whether a finding touches a range of a file.
pub(crate) fn touches(
    outcome: &Outcome,
    finding: &Finding,
    path: &str,
    range: Range,
    encoding: Encoding,
) -> bool {
    let here = encoding.range(&outcome.sources, finding.span);
    outcome.sources.file(finding.span.file).path() == path
        && here.start <= range.end
        && range.start <= here.end
}

/// What can be done about the findings of an outcome that touch a range of a file.
pub(crate) fn of(outcome: &Outcome, path: &str, range: Range, encoding: Encoding) -> Vec<CodeAction> {
    let mut actions = Vec::new();
    let touching = outcome.findings.iter().filter(|finding| touches(outcome, finding, path, range, encoding));
    let (Some(linted), Some(file)) = (uri::from_path(&outcome.path), uri::from_path(path)) else {
        return actions;
    };
    for finding in touching {
        let diagnostic = diagnostics::of(&outcome.sources, finding, encoding);
        if let Some(fix) = finding.fix.as_ref().filter(|fix| !fix.sets_mode) {
            let asked = AskedFinding {
                rule: finding.rule.to_owned(),
                file: file.clone(),
                at: diagnostic.range.start,
                path: finding.path.clone(),
            };
            let changes_stack =
                if fix.kind == FixKind::Unsafe { " (changes how the stack runs)" } else { "" };
            let title = format!("{}{changes_stack}", capitalized(&fix.title));
            actions.push(CodeAction {
                command: Some(command(&title, &Asked { uri: linted.clone(), finding: Some(asked) })),
                title,
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: Some(vec![diagnostic.clone()]),
                is_preferred: Some(fix.kind == FixKind::Safe),
                ..CodeAction::default()
            });
        }
        if let Some(edit) = ignoring(outcome, finding, encoding) {
            actions.push(CodeAction {
                title: format!("Ignore {} here", finding.rule),
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: Some(vec![diagnostic]),
                edit: Some(WorkspaceEdit {
                    changes: Some(changes([(file.clone(), vec![edit])])),
                    ..WorkspaceEdit::default()
                }),
                ..CodeAction::default()
            });
        }
    }
    let is_safe = |finding: &&Finding| finding.fix.as_ref().is_some_and(|fix| fix.kind == FixKind::Safe);
    if outcome.path == path && outcome.findings.iter().any(|finding| is_safe(&finding)) {
        let title = "Fix all that changes nothing of how the stack runs".to_owned();
        actions.push(CodeAction {
            command: Some(command(&title, &Asked { uri: linted, finding: None })),
            title,
            kind: Some(FIX_ALL),
            ..CodeAction::default()
        });
    }
    actions
}

// The type of `changes` is the protocol crate's.
#[allow(clippy::mutable_key_type, reason = "nothing changes a URI in place")]
fn changes(files: impl IntoIterator<Item = (Uri, Vec<TextEdit>)>) -> HashMap<Uri, Vec<TextEdit>> {
    files.into_iter().collect()
}

fn command(title: &str, asked: &Asked) -> Command {
    Command {
        title: title.to_owned(),
        command: FIX.to_owned(),
        arguments: Some(serde_json::to_value(asked).into_iter().collect()),
    }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// `# cosec: ignore[…]` on a line of its own above the finding. Not where that would be text: inside a value of
/// several lines, or in a file in which `#` may be none.
fn ignoring(outcome: &Outcome, finding: &Finding, encoding: Encoding) -> Option<TextEdit> {
    let file = outcome.sources.file(finding.span.file);
    let (start, end) = file.line_range(finding.span.start);
    let line = Span { start: start as u32, end: end as u32, ..finding.span };
    let reaches_in =
        |value: Span| value.file == line.file && value.start < line.start && line.start < value.end;
    let in_value = outcome.documents.iter().flat_map(cosec_core::yaml::Document::value_spans).any(reaches_in);
    let known = outcome.documents.iter().any(|document| document.file() == finding.span.file)
        || cosec_core::lint::is_env_file(file.path());
    if in_value || !known {
        return None;
    }
    let text = file.text();
    // A comment above that already ignores something takes the rule in: it must stay next to its line.
    if let Some(above) = start.checked_sub(1).map(|at| file.line_range(at as u32))
        && text[above.0..above.1].trim_start().starts_with("# cosec: ignore[")
        && let Some(bracket) = text[above.0..above.1].find(']')
    {
        let at = encoding.position(text, above.0 + bracket);
        return Some(TextEdit {
            range: Range { start: at, end: at },
            new_text: format!(", {}", finding.rule),
        });
    }
    let content = &text[start..end];
    let indentation = &content[..content.len() - content.trim_start().len()];
    let newline = if text[end..].starts_with("\r\n") { "\r\n" } else { "\n" };
    let at = encoding.position(text, start);
    let comment = format!("{indentation}# cosec: ignore[{}]{newline}", finding.rule);
    Some(TextEdit { range: Range { start: at, end: at }, new_text: comment })
}

/// The edits of files, for the editor: of the versions that it has open, if it can take that.
pub(crate) fn edits(
    files: &[&ChangedFile],
    buffers: &Buffers,
    encoding: Encoding,
    versioned: bool,
) -> WorkspaceEdit {
    let mut documents = Vec::new();
    for file in files {
        let (Some(before), Some(uri)) = (&file.before, uri::from_path(&file.path)) else { continue };
        let edit = |edit: &Edit| {
            let range = Range {
                start: encoding.position(before, edit.start),
                end: encoding.position(before, edit.end),
            };
            TextEdit { range, new_text: edit.text.clone() }
        };
        documents.push((uri, &file.path, file.edits.iter().map(edit).collect::<Vec<_>>()));
    }
    if !versioned {
        let edits = documents.into_iter().map(|(uri, _, edits)| (uri, edits));
        return WorkspaceEdit { changes: Some(changes(edits)), ..WorkspaceEdit::default() };
    }
    let document = |(uri, path, edits): (Uri, &String, Vec<TextEdit>)| TextDocumentEdit {
        text_document: OptionalVersionedTextDocumentIdentifier {
            uri,
            version: buffers.get(path).map(|buffer| buffer.version),
        },
        edits: edits.into_iter().map(OneOf::Left).collect(),
    };
    let changes = DocumentChanges::Edits(documents.into_iter().map(document).collect());
    WorkspaceEdit { document_changes: Some(changes), ..WorkspaceEdit::default() }
}
