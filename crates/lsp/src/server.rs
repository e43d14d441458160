//! The loop: takes what the editor says, and lints when there is nothing more to take.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use cosec_core::fix::{self, Detail, FixOptions};
use cosec_core::lint::{LintOptions, Outcome, is_linted, lint_file};
use cosec_core::rules::{self, Finding};
use cosec_core::settle::settle;
use cosec_core::source::Sources;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::notification::{
    Cancel, DidChangeTextDocument, DidChangeWatchedFiles, DidCloseTextDocument, DidOpenTextDocument,
    DidSaveTextDocument, Exit, Notification as _, PublishDiagnostics, ShowMessage,
};
use lsp_types::request::{
    ApplyWorkspaceEdit, CodeActionRequest, ExecuteCommand, HoverRequest, Request as _, Shutdown,
};
use lsp_types::{
    ApplyWorkspaceEditParams, ApplyWorkspaceEditResponse, CodeActionKind, CodeActionOptions,
    CodeActionParams, CodeActionProviderCapability, ExecuteCommandOptions, ExecuteCommandParams, Hover,
    HoverContents, HoverParams, HoverProviderCapability, InitializeParams, MarkupContent, MarkupKind,
    MessageType, NumberOrString, Position, PublishDiagnosticsParams, Range, SaveOptions, ServerCapabilities,
    ShowMessageParams, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
    TextDocumentSyncSaveOptions,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::actions::{self, Asked};
use crate::buffers::Buffers;
use crate::position::Encoding;
use crate::{Host, NewText, Written, diagnostics, uri};

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    // The protocol crate's own words quote the message at hand, and that may hold a secret: they are not repeated.
    /// The editor does not begin as the protocol asks.
    #[error("the editor does not begin with `initialize`")]
    Beginning,
    /// Standard input or output failed, or what came was no message.
    #[error("the connection to the editor failed: {0}")]
    Connection(std::io::ErrorKind),
    /// The editor went away without a word.
    #[error("the editor closed the connection")]
    Closed,
}

/// Serves one editor on standard input and output until it says `exit`. False if it did not say `shutdown` before,
/// which is to make the program's exit code 1.
pub fn serve(host: &dyn Host) -> Result<bool, ServeError> {
    let (stdio, threads) = Connection::stdio();
    // The protocol crate reads no further before a message is taken. What waits has to be known while the server works:
    // a newer text, or that nobody wants an answer any more.
    let (queue, taken) = Connection::memory();
    let incoming = stdio.receiver;
    std::thread::spawn(move || incoming.into_iter().all(|message| queue.sender.send(message).is_ok()));
    let connection = Connection { sender: stdio.sender, receiver: taken.receiver };
    let ended = run(&connection, host);
    drop(connection);
    match (ended, threads.join()) {
        (Ok(_) | Err(ServeError::Closed), Err(error)) => Err(ServeError::Connection(error.kind())),
        (ended, _) => ended,
    }
}

fn run(connection: &Connection, host: &dyn Host) -> Result<bool, ServeError> {
    let (id, params) = connection.initialize_start().map_err(|_| ServeError::Beginning)?;
    let params: InitializeParams = serde_json::from_value(params).unwrap_or_default();
    let general = params.capabilities.general.unwrap_or_default();
    let encoding = Encoding::of(general.position_encodings.as_deref());
    let version = json!({"name": "cosec", "version": env!("CARGO_PKG_VERSION")});
    connection
        .initialize_finish(id, json!({"capabilities": capabilities(encoding), "serverInfo": version}))
        .map_err(|_| ServeError::Beginning)?;
    let edits = params.capabilities.workspace.and_then(|workspace| workspace.workspace_edit);
    let mut server = Server {
        connection,
        host,
        encoding,
        versioned: edits.and_then(|edits| edits.document_changes).unwrap_or_default(),
        buffers: Buffers::new(host.disk()),
        shown: BTreeSet::new(),
        applying: HashMap::new(),
        requests: 0,
        waiting: VecDeque::new(),
    };
    server.listen()
}

fn capabilities(encoding: Encoding) -> ServerCapabilities {
    ServerCapabilities {
        position_encoding: Some(encoding.kind()),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions { include_text: Some(false) })),
            ..TextDocumentSyncOptions::default()
        })),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, actions::FIX_ALL]),
            ..CodeActionOptions::default()
        })),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: vec![actions::FIX.to_owned()],
            ..ExecuteCommandOptions::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        ..ServerCapabilities::default()
    }
}

struct Server<'a> {
    connection: &'a Connection,
    host: &'a dyn Host,
    encoding: Encoding,
    /// Whether the editor takes edits of a version of a text.
    versioned: bool,
    buffers: Buffers,
    /// The files that have diagnostics now.
    shown: BTreeSet<String>,
    /// What was written for edits that the editor has not applied yet.
    applying: HashMap<RequestId, Vec<Written>>,
    requests: i32,
    /// What the editor has said that nobody has looked at yet.
    waiting: VecDeque<Message>,
}

/// A file that is linted.
struct Root {
    path: String,
    options: LintOptions,
    /// Why its settings cannot be read. That is said at the top of the file; the rules run as they are.
    trouble: Option<String>,
}

impl Root {
    fn new(host: &dyn Host, path: &str) -> Self {
        let (options, trouble) = match host.options(path) {
            Ok(options) => (options, None),
            Err(reason) => (LintOptions::default(), Some(reason)),
        };
        Root { path: path.to_owned(), options, trouble }
    }

    fn lint(&self, buffers: &Buffers) -> Outcome {
        lint_file(buffers, &self.path, &self.options)
    }
}

impl Server<'_> {
    /// Whether the editor said `shutdown` before `exit`.
    fn listen(&mut self) -> Result<bool, ServeError> {
        let (mut stale, mut is_ending) = (false, false);
        loop {
            let Some(message) = self.next(!stale)? else {
                // While somebody types, the newest text alone is worth a look.
                if std::mem::take(&mut stale) {
                    self.publish()?;
                }
                continue;
            };
            match message {
                Message::Notification(notification) if notification.method == Exit::METHOD => {
                    return Ok(is_ending);
                }
                Message::Request(request) if is_ending => {
                    let says = "cosec was told to shut down".to_owned();
                    self.send(Response::new_err(request.id, ErrorCode::InvalidRequest as i32, says))?;
                }
                Message::Request(request) if request.method == Shutdown::METHOD => {
                    is_ending = true;
                    self.send(Response::new_ok(request.id, ()))?;
                }
                _ if is_ending => {}
                Message::Request(request) => self.answer(request)?,
                Message::Notification(notification) => stale |= self.notified(notification),
                Message::Response(response) => self.applied(response)?,
            }
        }
    }

    /// What the editor said next; it may be nothing, the more so if it is not waited for.
    fn next(&mut self, wait: bool) -> Result<Option<Message>, ServeError> {
        if wait && self.waiting.is_empty() {
            let message = self.connection.receiver.recv().map_err(|_| ServeError::Closed)?;
            self.take_in(message)?;
        }
        while let Ok(message) = self.connection.receiver.try_recv() {
            self.take_in(message)?;
        }
        Ok(self.waiting.pop_front())
    }

    /// Lets a message wait. One that takes a waiting request back answers it.
    fn take_in(&mut self, message: Message) -> Result<(), ServeError> {
        let cancelled = match message {
            Message::Notification(notification) if notification.method == Cancel::METHOD => {
                of::<Cancel>(notification.params).map(|params| match params.id {
                    NumberOrString::Number(id) => RequestId::from(id),
                    NumberOrString::String(id) => RequestId::from(id),
                })
            }
            message => {
                self.waiting.push_back(message);
                return Ok(());
            }
        };
        let is_it = |message: &Message| matches!(message, Message::Request(request) if Some(&request.id) == cancelled.as_ref());
        let Some(at) = self.waiting.iter().position(is_it) else { return Ok(()) };
        self.waiting.remove(at);
        let Some(id) = cancelled else { return Ok(()) };
        self.send(Response::new_err(id, ErrorCode::RequestCanceled as i32, "it was cancelled".to_owned()))
    }

    /// Whether what was found may differ now.
    fn notified(&mut self, Notification { method, params }: Notification) -> bool {
        match method.as_str() {
            DidOpenTextDocument::METHOD => {
                let Some(document) = of::<DidOpenTextDocument>(params).map(|params| params.text_document)
                else {
                    return false;
                };
                self.buffers.renew(self.host.disk());
                if let Some(path) = uri::to_path(&document.uri) {
                    self.buffers.open(path, document.version, document.text);
                }
            }
            DidChangeTextDocument::METHOD => {
                let Some(params) = of::<DidChangeTextDocument>(params) else { return false };
                if let Some(path) = uri::to_path(&params.text_document.uri) {
                    let version = params.text_document.version;
                    self.buffers.change(&path, version, params.content_changes, self.encoding);
                }
            }
            DidCloseTextDocument::METHOD => {
                let Some(params) = of::<DidCloseTextDocument>(params) else { return false };
                if let Some(path) = uri::to_path(&params.text_document.uri) {
                    self.buffers.close(&path);
                }
            }
            DidSaveTextDocument::METHOD | DidChangeWatchedFiles::METHOD => {
                self.buffers.renew(self.host.disk());
            }
            _ => return false,
        }
        true
    }

    fn answer(&mut self, request: Request) -> Result<(), ServeError> {
        let Request { id, method, params } = request;
        let result = match method.as_str() {
            CodeActionRequest::METHOD => parsed(params).map(|params| json!(self.code_actions(&params))),
            HoverRequest::METHOD => parsed(params).map(|params| json!(self.hover(&params))),
            ExecuteCommand::METHOD => parsed(params).and_then(|params| self.execute(params)),
            other => Err((ErrorCode::MethodNotFound, format!("cosec knows no {other}"))),
        };
        self.send(match result {
            Ok(result) => Response::new_ok(id, result),
            Err((code, message)) => Response::new_err(id, code as i32, message),
        })
    }

    /// The files that are linted: those open that are linted by themselves, and Dockerfiles.
    fn roots(&self) -> Vec<Root> {
        let is_root = |path: &&str| is_linted(path) || cosec_core::dockerfile::is_dockerfile(path);
        self.buffers.paths().filter(is_root).map(|path| Root::new(self.host, path)).collect()
    }

    fn publish(&mut self) -> Result<(), ServeError> {
        let roots = self.roots();
        let mut outcomes: Vec<Outcome> = roots.iter().map(|root| root.lint(&self.buffers)).collect();
        settle(&mut outcomes);
        let mut files = diagnostics::by_file(&outcomes, self.encoding);
        for Root { path, trouble, .. } in roots {
            if let Some(reason) = trouble {
                files.entry(path).or_default().push(diagnostics::trouble(Range::default(), reason));
            }
        }
        files.retain(|path, found| !found.is_empty() || self.buffers.get(path).is_some());
        let gone = std::mem::take(&mut self.shown).into_iter().filter(|path| !files.contains_key(path));
        let empty: BTreeMap<String, Vec<_>> = gone.map(|path| (path, Vec::new())).collect();
        self.shown = files.keys().cloned().collect();
        for (path, diagnostics) in empty.into_iter().chain(files) {
            let Some(uri) = uri::from_path(&path) else { continue };
            let version = self.buffers.get(&path).map(|buffer| buffer.version);
            self.notify::<PublishDiagnostics>(PublishDiagnosticsParams { uri, diagnostics, version })?;
        }
        Ok(())
    }

    /// The outcomes that have findings in a range of a file, with what can be done about them. Only those are looked
    /// at closely: to find out what a fix does costs more than to lint.
    fn about(&self, path: &str, range: Range) -> Vec<Outcome> {
        let touches = |outcome: &Outcome| {
            outcome
                .findings
                .iter()
                .any(|finding| actions::touches(outcome, finding, path, range, self.encoding))
        };
        let mut roots = self.roots();
        // What is found in a file from elsewhere belongs there: the file's own findings come first.
        roots.sort_by_key(|root| root.path != path);
        let touched = roots.iter().filter(|root| touches(&root.lint(&self.buffers)));
        let look = |root: &Root| fix::lint_file(&self.buffers, &root.path, &root.options, Detail::Kind);
        let mut outcomes: Vec<Outcome> = touched.map(look).collect();
        settle(&mut outcomes);
        outcomes
    }

    fn code_actions(&self, params: &CodeActionParams) -> Vec<lsp_types::CodeAction> {
        let Some(path) = uri::to_path(&params.text_document.uri) else { return Vec::new() };
        let asks_for_all =
            params.context.only.iter().flatten().any(|kind| kind.as_str().starts_with("source"));
        // Of all that can be fixed in a file, no range says where.
        let everywhere = Range { start: Position::default(), end: Position { line: u32::MAX, character: 0 } };
        let outcomes = self.about(&path, if asks_for_all { everywhere } else { params.range });
        let actions =
            outcomes.iter().flat_map(|outcome| actions::of(outcome, &path, params.range, self.encoding));
        let Some(only) = &params.context.only else { return actions.collect() };
        // A kind stands for those below it, too: `source` for `source.fixAll.cosec`.
        let is_below = |kind: &CodeActionKind, wanted: &CodeActionKind| {
            let rest = kind.as_str().strip_prefix(wanted.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let is_asked = |action: &lsp_types::CodeAction| {
            action.kind.as_ref().is_some_and(|kind| only.iter().any(|wanted| is_below(kind, wanted)))
        };
        actions.filter(is_asked).collect()
    }

    fn hover(&self, params: &HoverParams) -> Option<Hover> {
        let at = params.text_document_position_params.position;
        let path = uri::to_path(&params.text_document_position_params.text_document.uri)?;
        let outcomes: Vec<Outcome> = self.roots().iter().map(|root| root.lint(&self.buffers)).collect();
        let at = Range { start: at, end: at };
        let mut pages = Vec::new();
        let mut range = None;
        for outcome in &outcomes {
            let here = |finding: &&Finding| actions::touches(outcome, finding, &path, at, self.encoding);
            for finding in outcome.findings.iter().filter(here) {
                let Some(rule) = rules::by_id(finding.rule) else { continue };
                let page = rule.markdown();
                if !pages.contains(&page) {
                    pages.push(page);
                }
                range.get_or_insert_with(|| self.encoding.range(&outcome.sources, finding.span));
            }
        }
        let value = pages.join("\n---\n\n");
        let contents = HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value });
        range.is_some().then_some(Hover { contents, range })
    }

    /// Writes the files that a fix wants, and asks the editor for the edits.
    fn execute(&mut self, params: ExecuteCommandParams) -> Answered {
        if params.command != actions::FIX {
            return Err((ErrorCode::InvalidParams, format!("cosec knows no command {}", params.command)));
        }
        let argument = params.arguments.into_iter().next().unwrap_or_default();
        let asked: Asked = parsed(argument)?;
        self.fix(&asked).or_else(|reason| {
            let message = format!("cosec: {reason}");
            let said = self.notify::<ShowMessage>(ShowMessageParams { typ: MessageType::WARNING, message });
            said.map(|()| Value::Null).map_err(|error| (ErrorCode::InternalError, error.to_string()))
        })
    }

    fn fix(&mut self, asked: &Asked) -> Result<Value, String> {
        let path = uri::to_path(&asked.uri).ok_or("the file is on no disk; save it first")?;
        let mut environment = self.host.environment();
        let directory = cosec_core::files::parent(&path);
        fix::read_dotenv(&self.buffers, &mut Sources::default(), directory, &mut environment)
            .map_err(|error| error.message)?;
        let accept = |outcome: &Outcome, finding: &Finding| match &asked.finding {
            Some(asked) => asked.is(outcome, finding, self.encoding),
            None => true,
        };
        let options = FixOptions {
            lint: Root::new(self.host, &path).options,
            environment: &environment,
            include_unsafe: asked.finding.is_some(),
            rules: &[],
            services: &[],
            accept: &accept,
        };
        let plan = fix::plan(&self.buffers, &path, &options)?;
        if plan.fixes.is_empty() {
            let reason = plan.refused.first().map(|refusal| refusal.reason.clone());
            return Err(reason.unwrap_or_else(|| "there is nothing to fix any more".to_owned()));
        }
        if !self.applying.is_empty() {
            return Err("the editor has not taken the last fix yet; try again".to_owned());
        }
        // What keeps files from git is on the disk before there is anything to keep from it.
        let (own, of_editor): (Vec<_>, Vec<_>) =
            plan.changed.iter().partition(|file| file.before.is_none() || self.is_ours(&file.path));
        let ignoring = own.into_iter().map(|file| NewText {
            path: &file.path,
            before: file.before.as_deref(),
            after: file.after.as_bytes(),
            is_secret: false,
        });
        let secrets = plan.new_files.iter().map(|file| NewText {
            path: &file.path,
            before: None,
            after: file.content.expose(),
            is_secret: true,
        });
        let written: Vec<NewText<'_>> = ignoring.chain(secrets).collect();
        self.host.write(&written)?;
        let written = written
            .iter()
            .map(|file| Written { path: file.path.to_owned(), before: file.before.map(str::to_owned) });
        let written: Vec<Written> = written.collect();
        if of_editor.is_empty() {
            self.buffers.renew(self.host.disk());
            return self.publish().map(|()| Value::Null).map_err(|error| error.to_string());
        }
        self.requests += 1;
        let id = RequestId::from(self.requests);
        self.applying.insert(id.clone(), written);
        let label = plan.fixes.first().map(|fix| fix.title.clone());
        let edit = actions::edits(&of_editor, &self.buffers, self.encoding, self.versioned);
        let params = ApplyWorkspaceEditParams { label, edit };
        self.send(Request::new(id, ApplyWorkspaceEdit::METHOD.to_owned(), params))
            .map_err(|error| error.to_string())?;
        let notes: Vec<&str> = plan.fixes.iter().flat_map(|fix| &fix.notes).map(String::as_str).collect();
        if !notes.is_empty() {
            let message = format!("cosec: {}", notes.join("\n"));
            self.notify::<ShowMessage>(ShowMessageParams { typ: MessageType::INFO, message })
                .map_err(|error| error.to_string())?;
        }
        Ok(Value::Null)
    }

    /// Whether an ignore file is not open in the editor, so that its text is the disk's.
    fn is_ours(&self, path: &str) -> bool {
        cosec_core::files::is_ignore_file(path) && self.buffers.get(path).is_none()
    }

    /// The editor has applied edits, or not: then the files that were written for them are as they were.
    fn applied(&mut self, response: Response) -> Result<(), ServeError> {
        let Some(written) = self.applying.remove(&response.id) else { return Ok(()) };
        let answer = response.result.and_then(|result| serde_json::from_value(result).ok());
        let is_applied = answer.is_some_and(|answer: ApplyWorkspaceEditResponse| answer.applied);
        if !is_applied {
            self.host.take_back(&written);
            let message = "cosec: the editor did not take the change; nothing was done".to_owned();
            self.notify::<ShowMessage>(ShowMessageParams { typ: MessageType::WARNING, message })?;
        }
        self.buffers.renew(self.host.disk());
        self.publish()
    }

    fn notify<N: lsp_types::notification::Notification>(&self, params: N::Params) -> Result<(), ServeError>
    where
        N::Params: Serialize,
    {
        self.send(Notification::new(N::METHOD.to_owned(), params))
    }

    fn send(&self, message: impl Into<Message>) -> Result<(), ServeError> {
        self.connection.sender.send(message.into()).map_err(|_| ServeError::Closed)
    }
}

type Answered = Result<Value, (ErrorCode, String)>;

fn of<N: lsp_types::notification::Notification>(params: Value) -> Option<N::Params> {
    serde_json::from_value(params).ok()
}

/// What was asked. Serde's own words may quote it, and it may hold a value: only the place is said.
fn parsed<T: DeserializeOwned>(params: Value) -> Result<T, (ErrorCode, String)> {
    serde_json::from_value(params)
        .map_err(|_| (ErrorCode::InvalidParams, "the parameters are not those of the protocol".to_owned()))
}

#[cfg(test)]
mod tests {
    use cosec_core::compose::Environment;
    use cosec_core::files::{FileSystem, MemoryFiles};

    use super::*;

    struct Nothing;

    impl Host for Nothing {
        fn disk(&self) -> Box<dyn FileSystem> {
            Box::new(MemoryFiles::default())
        }
        fn options(&self, _: &str) -> Result<LintOptions, String> {
            Ok(LintOptions::default())
        }
        fn environment(&self) -> Environment {
            Environment::default()
        }
        fn write(&self, _: &[NewText<'_>]) -> Result<(), String> {
            Ok(())
        }
        fn take_back(&self, _: &[Written]) {}
    }

    #[test]
    fn a_request_that_the_editor_takes_back_while_it_waits_is_not_worked_on() {
        let (server, editor) = Connection::memory();
        let ask = |id: RequestId, method: &str, params: Value| {
            editor.sender.send(Request { id, method: method.to_owned(), params }.into()).unwrap();
        };
        let tell = |method: &str, params: Value| {
            editor.sender.send(Notification { method: method.to_owned(), params }.into()).unwrap();
        };
        let hover =
            json!({"textDocument": {"uri": "file:///compose.yaml"}, "position": {"line": 0, "character": 0}});
        ask(1.into(), "initialize", json!({"capabilities": {}}));
        tell("initialized", json!({}));
        ask(2.into(), "textDocument/hover", hover.clone());
        ask("three".to_owned().into(), "textDocument/hover", hover.clone());
        ask(4.into(), "textDocument/hover", hover);
        for id in [json!(2), json!("three"), json!(99), json!({})] {
            tell("$/cancelRequest", json!({"id": id}));
        }
        ask(5.into(), "shutdown", Value::Null);
        tell("exit", Value::Null);
        assert!(run(&server, &Nothing).unwrap());
        let answers: Vec<(RequestId, Option<i32>)> = editor
            .receiver
            .try_iter()
            .filter_map(|message| match message {
                Message::Response(response) => Some((response.id, response.error.map(|error| error.code))),
                _ => None,
            })
            .collect();
        let expected = [
            (1.into(), None),
            (2.into(), Some(-32800)),
            ("three".to_owned().into(), Some(-32800)),
            (4.into(), None),
            (5.into(), None),
        ];
        assert_eq!(answers, expected);
    }
}
