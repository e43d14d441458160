// The core, off the page's own thread: typing never waits for it.
import { explain, initSync, redact, rules, version, Workspace } from "../wasm/cosec.js";
import type { FromWorker, ToWorker } from "./protocol.js";

/** In larger files it takes longer than one can wait to find out what can be fixed. In bytes. */
const FIXES_OF_MOST = 300_000;

let workspace: Workspace;
const say = (message: FromWorker) => postMessage(message);

function answer(message: ToWorker & { kind: "ask" }): unknown {
  switch (message.question) {
    case "explain":
      return explain(message.ask.rule);
    case "plan":
      return JSON.parse(workspace.plan(message.ask.path));
    case "config":
      return JSON.parse(workspace.config(message.ask.path, message.ask.values));
    case "fix": {
      const { ask } = message;
      if (ask === "safe") return JSON.parse(workspace.fix_safe());
      return JSON.parse(workspace.fix(ask.path, JSON.stringify(ask.wanted), true));
    }
    case "report":
      return workspace.report(message.ask.format);
    case "redact":
      return redact(message.ask.path, message.ask.text);
  }
}

addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  try {
    switch (data.kind) {
      case "start":
        initSync({ module: data.module });
        workspace = new Workspace();
        say({ kind: "ready", version: version(), rules: JSON.parse(rules()) });
        break;
      case "lint":
        for (const path of data.removed) workspace.remove(path);
        for (const [path, content] of data.set) {
          if (typeof content === "string") workspace.set(path, content);
          else workspace.know(path, content.size, content.ending);
        }
        workspace.persona(data.persona);
        say({ kind: "report", revision: data.revision, report: JSON.parse(workspace.lint(false)), final: false });
        break;
      case "fixes":
        if (workspace.find_fixes(FIXES_OF_MOST)) say({ kind: "more", revision: data.revision });
        else say({ kind: "report", revision: data.revision, report: JSON.parse(workspace.lint(false)), final: true });
        break;
      case "ask":
        say({ kind: "answer", id: data.id, answer: answer(data) });
        break;
    }
  } catch {
    // A trap leaves the module in no defined state; its message could quote a text, so it is not passed on.
    say({ kind: "failed" });
  }
});
