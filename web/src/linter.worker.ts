// The core, off the page's own thread: typing never waits for it.
import { explain, initSync, lint, version } from "./wasm/cosec.js";
import type { FromWorker, ToWorker } from "./protocol";

const answer = (message: FromWorker) => postMessage(message);

addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  try {
    switch (data.kind) {
      case "start":
        initSync({ module: data.module });
        answer({ kind: "ready", version: version() });
        break;
      case "lint": {
        const request = { files: [{ path: "compose.yaml", text: data.text }] };
        answer({ kind: "report", id: data.id, report: JSON.parse(lint(JSON.stringify(request))) });
        break;
      }
      case "explain":
        answer({ kind: "page", id: data.id, markdown: explain(data.rule) });
        break;
    }
  } catch {
    // A trap leaves the module in no defined state; its message could quote the text, so it is not passed on.
    answer({ kind: "failed", message: "The linter stopped at this text. It has been started anew; please report the rule, not the text." });
  }
});
