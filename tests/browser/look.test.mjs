// Nobody is shut out, and it fits: accessibility and sizes in both colour schemes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { inBrowser, it, open, put, root, screenshots } from "./harness.mjs";

inBrowser();

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const VIEWS = {
  findings: async () => {
    await it.page.locator("#unchecked summary").click();
  },
  plan: async () => {
    await it.page.click("#tab-plan");
    await it.page.locator("#plan table").waitFor();
  },
  config: async () => {
    await it.page.click("#tab-config");
    await it.page.locator("#resolved").waitFor();
  },
  refused: async () => {
    await put({ "compose.yaml": "services: {a: {imgae: x, environment: {A: '${B}'}}}" });
    await it.page.click("#tab-config");
    await it.page.locator("#config .error").waitFor();
  },
  fix: async () => {
    await it.page.locator("#list .fix").first().click();
    await it.page.locator("dialog[open]").waitFor();
  },
  fixed: async () => {
    await it.page.locator("#list .fix").first().click();
    await it.page.click("#apply");
    await it.page.locator("#undo-fix").waitFor();
  },
  actions: async () => {
    await it.page.locator(".cm-content").focus();
    await it.page.keyboard.press("F8");
    await it.page.keyboard.press("Control+.");
  },
  rules: async () => {
    await it.page.click("#tab-rules");
  },
  rule: async () => {
    await it.page.locator("#list .rule").first().click();
    await it.page.locator("#page h2").waitFor();
  },
  empty: async () => {
    await it.page.evaluate(() => (document.querySelector("cosec-linter").files = []));
    await it.page.locator("#see-example").waitFor();
  },
  menu: async () => {
    await it.page.click("#open");
  },
  many: async () => {
    const name = (at) => `a-company-of-some-size/services-of-team-${at}/deployment/docker-compose.with-a-long-name.yaml`;
    await put(Object.fromEntries(Array.from({ length: 12 }, (_, at) => [name(at), "services: {a: {image: x, environment: {A_TOKEN: hunter2}, secrets: [s]}}\nsecrets: {s: {environment: S}}\n"])));
  },
  "many-plan": async () => {
    await VIEWS.many();
    await it.page.click("#tab-plan");
    await it.page.locator("#plan table").waitFor();
  },
  share: async () => {
    await it.page.click("#share");
    await it.page.locator("dialog[open]").waitFor();
  },
};

/** What stands beyond the right edge, but for what can be scrolled to. */
const cutOff = () =>
  [...document.querySelector("cosec-linter").shadowRoot.querySelectorAll("button, select, input, p, li, h2, th, td")]
    .filter((element) => element.checkVisibility() && !element.closest("pre, #tabs, .cm-editor, .panel-tabs, .scroll"))
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
    .map((element) => element.outerHTML.slice(0, 120));

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1440, 390, 320]) {
    const viewport = { width, height: width < 400 ? 844 : 900 };
    if (width !== 320) test(`axe finds nothing, ${colorScheme}, ${width} pixels`, async () => {
      for (const [name, go] of Object.entries(VIEWS)) {
        // The page's policy keeps the checker out too: it is lifted for it.
        await open({ colorScheme, viewport, bypassCSP: true });
        await go();
        await it.page.addScriptTag({ content: axe });
        const { violations } = await it.page.evaluate(() => globalThis.axe.run());
        const said = violations.map(({ id, nodes }) => `${name}: ${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(" | ")}`);
        assert.deepEqual(said, []);
      }
    });

    test(`it fits ${width} pixels, ${colorScheme}`, async () => {
      for (const [name, go] of Object.entries(VIEWS)) {
        await open({ colorScheme, viewport });
        await go();
        const overflow = await it.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `${name}: ${overflow} pixels too wide`);
        assert.deepEqual(await it.page.evaluate(cutOff), [], name);
        await it.page.screenshot({ path: join(screenshots, `${width}-${colorScheme}-${name}.png`), fullPage: width < 400 });
      }
    });
  }
}

test("in colours of somebody's own, severity is a word and marks are seen", async () => {
  await open({ forcedColors: "active" });
  await it.page.locator("#list .severity").first().waitFor();
  assert.match((await it.page.locator("#list .severity").allTextContents()).join(), /error.*warning/);
  const shown = await it.page.locator(".cm-lint-marker-error").first().evaluate((marker) => getComputedStyle(marker).forcedColorAdjust);
  assert.equal(shown, "none");
  await it.page.screenshot({ path: join(screenshots, "forced-colors.png") });
});

if (process.env.COSEC_DOCS_SCREENSHOT) {
  test("the picture of the README", async () => {
    await open({ viewport: { width: 1280, height: 760 } });
    await it.page.screenshot({ path: join(root, "docs", "images", "browser.png") });
  });
}

test("on a phone every menu is inside of the screen", async () => {
  for (const width of [320, 360, 412]) {
    await open({ viewport: { width, height: 740 } });
    for (const button of ["#open", "#export", "#add"]) {
      await it.page.click(button);
      const { x, width: wide } = await it.page.locator(".menu:not([hidden])").boundingBox();
      assert.ok(x >= 0 && x + wide <= width, `${button} at ${width}: ${x} to ${x + wide}`);
      await it.page.keyboard.press("Escape");
    }
  }
});
