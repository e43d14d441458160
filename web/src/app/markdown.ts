// A rule's page as elements: headings, paragraphs, fenced code, `code`, **bold**. Text only ever becomes text.

export function render(markdown: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  const blocks = markdown.split(/^```(\w*)[^\n]*\n([\s\S]*?)^```\s*$/m);
  for (let at = 0; at < blocks.length; at += 3) {
    for (const paragraph of (blocks[at] ?? "").split(/\n{2,}/)) {
      const text = paragraph.replace(/\s*\n\s*/g, " ").trim();
      if (!text) continue;
      const heading = /^(#+) (.*)$/.exec(text);
      const element = document.createElement(heading ? (heading[1]?.length === 1 ? "h2" : "h3") : "p");
      inline(element, heading?.[2] ?? text);
      fragment.append(element);
    }
    const code = blocks[at + 2];
    if (code !== undefined) {
      const pre = document.createElement("pre");
      pre.tabIndex = 0;
      pre.textContent = code.trimEnd();
      fragment.append(pre);
    }
  }
  return fragment;
}

/** With a capital letter where it begins with a word; names, paths and code are written as they are. */
export const capital = (text: string): string => (/^[a-z]+(?=[\s,:;]|$)/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text);

/** `code` and **bold** in one line. */
export function inline(parent: HTMLElement, text: string): void {
  for (const part of text.split(/(`[^`]+`|\*\*[^*]+\*\*)/)) {
    if (part.startsWith("`")) parent.append(Object.assign(document.createElement("code"), { textContent: part.slice(1, -1) }));
    else if (part.startsWith("**")) parent.append(Object.assign(document.createElement("strong"), { textContent: part.slice(2, -2) }));
    else parent.append(part);
  }
}
