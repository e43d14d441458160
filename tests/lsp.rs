//! The language server as editors meet it: the real program on its standard input and output, and Neovim.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod rig;

use std::fs;
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use lsp_server::{Message, Notification, Request, Response};
use rig::{Project, canary, finish};
use serde_json::{Value, json};

/// A server for one project, and what it has said so far.
struct Session<'a> {
    project: &'a Project,
    server: Child,
    input: Option<ChildStdin>,
    said: Receiver<Message>,
    heard: String,
    requests: i32,
}

impl<'a> Session<'a> {
    fn new(project: &'a Project, capabilities: &Value) -> Self {
        let mut server =
            project.command(&["lsp"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        let (sender, said) = channel();
        std::thread::spawn(move || {
            while let Ok(Some(message)) = Message::read(&mut output) {
                let _ = sender.send(message);
            }
        });
        let input = server.stdin.take();
        let mut session = Session { project, server, input, said, heard: String::new(), requests: 0 };
        session.ask("initialize", json!({"capabilities": capabilities}));
        session.tell("initialized", json!({}));
        session
    }

    fn uri(&self, name: &str) -> String {
        format!("file://{}", self.project.path(name).display())
    }

    fn send(&mut self, message: impl Into<Message>) {
        message.into().write(self.input.as_mut().unwrap()).unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(Notification::new(method.to_owned(), params));
    }

    fn next(&mut self) -> Message {
        let message = self.said.recv_timeout(Duration::from_secs(30)).expect("the server says nothing");
        self.heard.push_str(&serde_json::to_string(&message).unwrap());
        message
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.send(Request::new(id.into(), method.to_owned(), params));
        loop {
            if let Message::Response(response) = self.next()
                && response.id == id.into()
            {
                assert!(response.error.is_none(), "{:?}", response.error);
                return response.result.unwrap_or_default();
            }
        }
    }

    fn open(&mut self, name: &str, text: &str) {
        let document = json!({"uri": self.uri(name), "languageId": "yaml", "version": 1, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
    }

    /// The next diagnostics of a file.
    fn diagnostics(&mut self, name: &str) -> Vec<Value> {
        let uri = self.uri(name);
        loop {
            if let Message::Notification(said) = self.next()
                && said.method == "textDocument/publishDiagnostics"
                && said.params["uri"] == uri.as_str()
            {
                return said.params["diagnostics"].as_array().unwrap().clone();
            }
        }
    }

    fn actions(&mut self, name: &str, at: &Value) -> Vec<Value> {
        let params = json!({
            "textDocument": {"uri": self.uri(name)},
            "range": {"start": at, "end": at},
            "context": {"diagnostics": []},
        });
        self.ask("textDocument/codeAction", params).as_array().unwrap().clone()
    }

    /// Runs an action's command, and answers the edit that the server asks for.
    fn run(&mut self, action: &Value, applied: bool) -> Value {
        self.requests += 1;
        let params =
            json!({"command": action["command"]["command"], "arguments": action["command"]["arguments"]});
        self.send(Request::new(self.requests.into(), "workspace/executeCommand".to_owned(), params));
        loop {
            if let Message::Request(asked) = self.next()
                && asked.method == "workspace/applyEdit"
            {
                self.send(Response::new_ok(asked.id, json!({"applied": applied})));
                return asked.params["edit"].clone();
            }
        }
    }

    /// Ends as editors do, and hands over all that was said.
    fn end(mut self) -> String {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        drop(self.input.take());
        assert!(self.server.wait().unwrap().success());
        self.heard
    }
}

fn rules(diagnostics: &[Value]) -> Vec<&str> {
    diagnostics.iter().map(|diagnostic| diagnostic["code"].as_str().unwrap_or_default()).collect()
}

/// The action whose title holds a word.
fn titled<'a>(actions: &'a [Value], word: &str) -> &'a Value {
    let found = actions.iter().find(|action| action["title"].as_str().unwrap().contains(word));
    found.unwrap_or_else(|| panic!("no action about {word}: {actions:#?}"))
}

/// A text with the edits of one of its files, as an editor would apply them (UTF-16).
fn edited(text: &str, edit: &Value, uri: &str) -> String {
    let offset = |position: &Value| {
        let line = position["line"].as_u64().unwrap() as usize;
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let (mut units, mut at) = (0, start);
        for character in text[start..].chars() {
            if units == position["character"].as_u64().unwrap() {
                break;
            }
            units += character.len_utf16() as u64;
            at += character.len_utf8();
        }
        at
    };
    let mut edits: Vec<(usize, usize, &str)> = edit["changes"][uri]
        .as_array()
        .unwrap()
        .iter()
        .map(|edit| {
            let range = &edit["range"];
            (offset(&range["start"]), offset(&range["end"]), edit["newText"].as_str().unwrap())
        })
        .collect();
    edits.sort_by_key(|(start, ..)| *start);
    let mut result = text.to_owned();
    for (start, end, new) in edits.into_iter().rev() {
        result.replace_range(start..end, new);
    }
    result
}

fn postgres(password: &str) -> String {
    format!(
        "services:\n  db:\n    image: postgres:16\n    environment: {{\"Ü🙂\": x, POSTGRES_PASSWORD: {password}}} # ours\n"
    )
}

#[test]
fn a_password_is_marked_while_one_types_and_the_mark_goes_with_it() {
    let (project, canary) = (Project::new(), canary());
    let mut session = Session::new(&project, &json!({}));
    let text = postgres(&canary);
    session.open("compose.yaml", &text);
    let found = session.diagnostics("compose.yaml");
    assert!(rules(&found).contains(&"inline-password"), "{found:#?}");
    let password = found.iter().find(|found| found["code"] == "inline-password").unwrap();
    assert_eq!(password["severity"], 1);
    // Columns are UTF-16 units where the editor offers nothing else.
    let line = text.lines().nth(3).unwrap();
    let column = line[..line.find(&canary).unwrap()].encode_utf16().count();
    assert_eq!(password["range"]["start"], json!({"line": 3, "character": column}));
    assert_eq!(password["range"]["end"], json!({"line": 3, "character": column + canary.len()}));
    // The editor says what was typed, not the whole text.
    let range = password["range"].clone();
    let uri = session.uri("compose.yaml");
    session.tell(
        "textDocument/didChange",
        json!({
            "textDocument": {"uri": uri, "version": 2},
            "contentChanges": [{"range": range, "text": "${POSTGRES_PASSWORD}"}],
        }),
    );
    let found = session.diagnostics("compose.yaml");
    assert!(!rules(&found).contains(&"inline-password"), "{found:#?}");
    assert!(!session.end().contains(&canary));
}

#[test]
fn columns_are_bytes_for_an_editor_that_offers_them() {
    let project = Project::new();
    let mut session = Session::new(&project, &json!({"general": {"positionEncodings": ["utf-16", "utf-8"]}}));
    let text = postgres("hunter2hunter2");
    session.open("compose.yaml", &text);
    let found = session.diagnostics("compose.yaml");
    let password = found.iter().find(|found| found["code"] == "inline-password").unwrap();
    let column = text.lines().nth(3).unwrap().find("hunter2").unwrap();
    assert_eq!(password["range"]["start"], json!({"line": 3, "character": column}));
    session.end();
}

#[test]
fn the_fix_moves_the_password_into_a_file_of_its_owner_and_names_it_in_the_text() {
    let (project, canary) = (Project::new(), canary());
    project.write(".gitignore", "");
    let text = postgres(&canary);
    // What is in the editor counts; on the disk is something older.
    project.write("compose.yaml", "services: {}\n");
    let mut session = Session::new(&project, &json!({}));
    session.open("compose.yaml", &text);
    let found = session.diagnostics("compose.yaml");
    let password = found.iter().find(|found| found["code"] == "inline-password").unwrap();
    let at = password["range"]["start"].clone();
    let actions = session.actions("compose.yaml", &at);
    let edit = session.run(titled(&actions, "POSTGRES_PASSWORD_FILE"), true);
    let secret = project.path("secrets/postgres_password");
    assert_eq!(fs::read_to_string(&secret).unwrap(), canary);
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let fixed = edited(&text, &edit, &session.uri("compose.yaml"));
    assert!(fixed.contains("POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password"), "{fixed}");
    assert!(fixed.contains("# ours") && !fixed.contains(&canary), "{fixed}");
    // Before there is a secret, git does not take it.
    assert_eq!(fs::read_to_string(project.path(".gitignore")).unwrap(), "/secrets/\n");
    let uri = session.uri("compose.yaml");
    session.tell(
        "textDocument/didChange",
        json!({"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": fixed}]}),
    );
    session.tell("textDocument/didSave", json!({"textDocument": {"uri": uri}}));
    let mut left = session.diagnostics("compose.yaml");
    while !left.is_empty() {
        left = session.diagnostics("compose.yaml");
    }
    assert!(!session.end().contains(&canary));
}

#[test]
fn a_fix_that_was_undone_in_the_editor_and_is_done_again_takes_the_same_file() {
    let (project, canary) = (Project::new(), canary());
    project.write(".gitignore", "");
    let text = postgres(&canary);
    project.write("compose.yaml", &text);
    let mut session = Session::new(&project, &json!({}));
    session.open("compose.yaml", &text);
    let mut edits = Vec::new();
    for version in [2, 4] {
        let mut found = session.diagnostics("compose.yaml");
        while !rules(&found).contains(&"inline-password") {
            found = session.diagnostics("compose.yaml");
        }
        let password = found.iter().find(|found| found["code"] == "inline-password").unwrap();
        let actions = session.actions("compose.yaml", &password["range"]["start"]);
        edits.push(session.run(titled(&actions, "POSTGRES_PASSWORD_FILE"), true));
        let uri = session.uri("compose.yaml");
        let fixed = edited(&text, &edits[0], &uri);
        for (version, text) in [(version, &fixed), (version + 1, &text)] {
            let changes = json!([{"text": text}]);
            session.tell(
                "textDocument/didChange",
                json!({"textDocument": {"uri": uri, "version": version}, "contentChanges": changes}),
            );
        }
    }
    assert_eq!(edits[0], edits[1]);
    let secrets: Vec<_> = fs::read_dir(project.path("secrets")).unwrap().collect();
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    assert_eq!(fs::read_to_string(project.path("secrets/postgres_password")).unwrap(), canary);
    assert_eq!(fs::read_to_string(project.path(".gitignore")).unwrap(), "/secrets/\n");
    assert!(!session.end().contains(&canary));
}

#[test]
fn a_change_that_the_editor_does_not_take_leaves_no_file_behind() {
    let (project, canary) = (Project::new(), canary());
    project.write("compose.yaml", postgres(&canary));
    fs::remove_dir_all(project.path("secrets")).unwrap();
    project.write(".gitignore", "# mine\n");
    let mut session = Session::new(&project, &json!({}));
    session.open("compose.yaml", &postgres(&canary));
    let found = session.diagnostics("compose.yaml");
    let at = found.iter().find(|found| found["code"] == "inline-password").unwrap()["range"]["start"].clone();
    let actions = session.actions("compose.yaml", &at);
    session.run(titled(&actions, "POSTGRES_PASSWORD_FILE"), false);
    session.diagnostics("compose.yaml");
    assert!(!project.path("secrets").exists());
    assert_eq!(fs::read_to_string(project.path(".gitignore")).unwrap(), "# mine\n");
    assert!(!session.end().contains(&canary));
}

#[test]
fn an_ignore_comment_goes_above_the_line_and_a_second_rule_into_it() {
    let project = Project::new();
    let mut session = Session::new(&project, &json!({}));
    let text = "services:\r\n  db:\r\n    image: x\r\n    environment:\r\n      API_TOKEN: changeme\r\n";
    session.open("compose.yaml", text);
    let mut found = session.diagnostics("compose.yaml");
    assert!(found.len() > 1, "{found:#?}");
    let (mut text, mut version) = (text.to_owned(), 1);
    while let Some(first) = found.first() {
        let at = first["range"]["start"].clone();
        let actions = session.actions("compose.yaml", &at);
        let uri = session.uri("compose.yaml");
        let action = titled(&actions, "Ignore");
        text = edited(&text, &action["edit"], &uri);
        version += 1;
        session.tell(
            "textDocument/didChange",
            json!({"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": text}]}),
        );
        found = session.diagnostics("compose.yaml");
        assert!(version < 9, "{text}");
    }
    assert_eq!(text.matches("# cosec: ignore[").count(), 1, "{text}");
    assert!(!text.replace("\r\n", "").contains('\n'), "{text:?}");
    session.end();
}

#[test]
fn the_rule_is_told_where_the_pointer_rests() {
    let project = Project::new();
    let mut session = Session::new(&project, &json!({}));
    session.open("compose.yaml", &postgres("Zwiebel7kuchen"));
    let found = session.diagnostics("compose.yaml");
    let at = found.iter().find(|found| found["code"] == "inline-password").unwrap()["range"]["start"].clone();
    let uri = session.uri("compose.yaml");
    let hover = session.ask("textDocument/hover", json!({"textDocument": {"uri": uri}, "position": at}));
    let page = hover["contents"]["value"].as_str().unwrap();
    assert!(page.contains("# inline-password") && !page.contains("Zwiebel7"), "{page}");
    let nowhere = json!({"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}});
    assert!(session.ask("textDocument/hover", nowhere).is_null());
    session.end();
}

#[test]
fn env_files_dockerfiles_and_broken_files_are_looked_at_too() {
    let project = Project::new();
    let mut session = Session::new(&project, &json!({}));
    session.open(".env", "DB_PASSWORD=hunter2hunter2\n");
    assert!(rules(&session.diagnostics(".env")).contains(&"dotenv-not-ignored"));
    session.open("Dockerfile", "FROM x\nARG DB_PASSWORD=hunter2hunter2\n");
    assert!(rules(&session.diagnostics("Dockerfile")).contains(&"docker-arg-secret"));
    session.open("compose.yaml", "services:\n  db: [\n");
    let found = session.diagnostics("compose.yaml");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["severity"], 1);
    project.write("cosec.toml", "[lint]\npersonna = \"auditor\"\n");
    let uri = session.uri("compose.yaml");
    session.tell(
        "textDocument/didChange",
        json!({"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": "services: {}\n"}]}),
    );
    let found = session.diagnostics("compose.yaml");
    assert!(found[0]["message"].as_str().unwrap().contains("personna"), "{found:#?}");
    session.end();
}

#[test]
fn nonsense_from_the_editor_is_answered_and_not_repeated() {
    let (project, canary) = (Project::new(), canary());
    let mut session = Session::new(&project, &json!({}));
    for (method, params) in [
        ("textDocument/hover", json!({"textDocument": canary})),
        ("workspace/executeCommand", json!({"command": "cosec.fix", "arguments": [{"uri": [canary]}]})),
        ("no/such", json!({"x": canary})),
    ] {
        session.requests += 1;
        let id = session.requests;
        session.send(Request::new(id.into(), method.to_owned(), params));
        let Message::Response(response) = session.next() else { panic!("not an answer") };
        assert!(response.error.is_some(), "{method}");
    }
    session.tell("textDocument/didChange", json!({"nonsense": canary}));
    session.open("compose.yaml", "services: {}\n");
    session.diagnostics("compose.yaml");
    assert!(!session.end().contains(&canary));
}

#[test]
fn what_comes_after_the_shutdown_is_not_repeated_either() {
    let (project, canary) = (Project::new(), canary());
    for (last, code) in [(json!({"method": "exit"}), 0), (json!({"broken": canary}), 2)] {
        let mut server = project
            .command(&["lsp"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = server.stdin.take().unwrap();
        for message in [
            json!({"id": 1, "method": "initialize", "params": {"capabilities": {}}}),
            json!({"method": "initialized", "params": {}}),
            json!({"id": 2, "method": "shutdown"}),
            json!({"method": "textDocument/didChange", "params": {"text": canary}}),
            json!({"id": 3, "method": "textDocument/hover", "params": {"text": canary}}),
            last,
        ] {
            let text = message.to_string();
            let _ = write!(input, "Content-Length: {}\r\n\r\n{text}", text.len());
        }
        drop(input);
        let output = server.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains(&canary), "{}", String::from_utf8_lossy(&said));
        assert_eq!(output.status.code(), Some(code));
    }
}

/// Opens the file, waits for a finding, takes the first fix, and saves all.
const NEOVIM: &str = r"
local function fail(why) io.stdout:write('FAILED: ' .. why .. '\n'); vim.cmd('cquit') end
local root = vim.fn.getcwd()
vim.cmd('edit compose.yaml')
local buffer = vim.api.nvim_get_current_buf()
local client = vim.lsp.start_client({ name = 'cosec', cmd = { vim.env.COSEC, 'lsp' }, root_dir = root })
vim.lsp.buf_attach_client(buffer, client)
local function wait(what, is_so) if not vim.wait(30000, is_so, 20) then fail(what) end end
wait('no diagnostics', function() return #vim.diagnostic.get(buffer) > 0 end)
local found
for _, diagnostic in ipairs(vim.diagnostic.get(buffer)) do
  io.stdout:write(string.format('%d:%d %s\n', diagnostic.lnum, diagnostic.col, diagnostic.code or ''))
  if diagnostic.code == 'inline-password' then found = diagnostic end
end
local at = { line = found.lnum, character = found.col }
local params = {
  textDocument = vim.lsp.util.make_text_document_params(buffer),
  range = { start = at, ['end'] = at },
  context = { diagnostics = {} },
}
local answers = vim.lsp.buf_request_sync(buffer, 'textDocument/codeAction', params, 30000)
local action
for _, candidate in ipairs(answers[client].result) do
  if candidate.title:find('POSTGRES_PASSWORD_FILE') then action = candidate end
end
vim.lsp.buf.execute_command(action.command)
wait('still findings', function()
  local text = table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), '\n')
  return text:find('POSTGRES_PASSWORD_FILE') ~= nil
end)
vim.cmd('wall')
wait('still findings', function() return #vim.diagnostic.get(buffer) == 0 end)
io.stdout:write('FIXED\n')
vim.cmd('qall!')
";

#[test]
fn in_neovim_a_password_is_shown_and_moved_away_with_one_action() {
    let (project, canary) = (Project::new(), canary());
    project.write(".gitignore", "# nothing yet\n");
    fs::remove_dir_all(project.path("secrets")).unwrap();
    project.write("compose.yaml", postgres(&canary));
    project.write("editor.lua", NEOVIM);
    let mut nvim = Command::new("nvim");
    nvim.args(["--headless", "--clean", "-n", "-c", "luafile editor.lua"])
        .current_dir(project.directory())
        .env("COSEC", env!("CARGO_BIN_EXE_cosec"))
        .env("XDG_STATE_HOME", project.state())
        .env("XDG_CACHE_HOME", project.state())
        .stdin(Stdio::null());
    let ran = finish(&mut nvim).succeeds();
    assert!(ran.stdout.contains("FIXED"), "{}{}", ran.stdout, ran.stderr);
    let text = fs::read_to_string(project.path("compose.yaml")).unwrap();
    assert!(text.contains("POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password"), "{text}");
    assert_eq!(fs::read_to_string(project.path("secrets/postgres_password")).unwrap(), canary);
    assert_eq!(fs::read_to_string(project.path(".gitignore")).unwrap(), "# nothing yet\n/secrets/\n");
    assert!(!ran.stdout.contains(&canary) && !ran.stderr.contains(&canary));
    // Neovim's log of the protocol holds nothing of the server's either.
    for file in rig::files_below(&project.state()) {
        let mut bytes = Vec::new();
        fs::File::open(&file).unwrap().read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains(&canary), "{}", file.display());
    }
}
