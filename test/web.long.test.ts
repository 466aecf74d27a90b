import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { openStore } from "@tvix/castore-packs";
import { DailyFigures } from "@tvix/store/stats";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { endDaemon, startDaemon, tvixStore } from "../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "./temporary.ts";
import { storeWidePath } from "./wide-path.ts";

const CHROMIUM = "/usr/bin/chromium";

/** Pictures of the tour, for people to look at afterwards. */
const SCREENSHOTS = join(import.meta.dirname, "../artifacts/web");

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

if (!existsSync(CHROMIUM)) console.warn("skipped: Chromium is not installed (Debian's package chromium)");

describe.skipIf(!existsSync(CHROMIUM))("the page in a browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    await mkdir(SCREENSHOTS, { recursive: true });
  });
  afterAll(() => browser.close());

  /** A page, and what it has asked others than the server for, or complained of. */
  async function open(url: string, colorScheme: "light" | "dark" = "light") {
    const context = await browser.newContext({
      colorScheme,
      viewport: { width: 1000, height: 800 },
      bypassCSP: false,
    });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("request", (request) => {
      const asked = request.url();
      if (!asked.startsWith(`${url}/`) && !asked.startsWith(`blob:${url}/`))
        complaints.push(`asked for ${asked}`);
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    await page.goto(`${url}/`);
    return { page, complaints };
  }

  /** What axe finds wrong; the page's own policy keeps scripts of others out, so it is evaluated. */
  async function axe(page: Page): Promise<readonly string[]> {
    await page.evaluate(AXE);
    const { violations } = (await page.evaluate("axe.run()")) as {
      violations: { id: string; nodes: { html: string }[] }[];
    };
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  }

  /** A daemon with a few paths, one of them with everything that is shown in another way. */
  async function filled(...args: string[]) {
    const folder = await temporaryDirectory();
    const data = join(folder, "data");
    const tree = join(folder, "example");
    await mkdir(join(tree, "share"), { recursive: true });
    await writeFile(join(tree, "share", "<b>&.txt"), "text <script>alert(1)</script>\n");
    await writeFile(join(tree, "share", "a#b?c%20d"), "in an odd file");
    await writeFile(join(tree, "page.html"), "<script>document.title = 'ran'</script><h1>a page</h1>");
    await writeFile(
      join(tree, "dot.svg"),
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="4" cx="4" cy="4"/></svg>',
    );
    await writeFile(join(tree, "binary"), Buffer.from([0, 1, 2]));
    await writeFile(join(folder, "other"), "another path");
    const { stdout } = await tvixStore("import", tree, join(folder, "other"), "--data", data);
    const [path = "", other = ""] = stdout
      .trim()
      .split("\n")
      .map((line) => line.slice("/nix/store/".length));
    const daemon = await startDaemon(data, ...args);
    return { daemon, data, path, other };
  }

  test.each(["light", "dark"] as const)(
    "a tour, %s: nothing is asked of others, and axe finds nothing",
    async (scheme) => {
      const { daemon, path } = await filled();
      const { page, complaints } = await open(daemon.url, scheme);
      const shoot = async (name: string) => {
        await page.screenshot({ path: join(SCREENSHOTS, `${name}-${scheme}.png`) });
        expect([name, ...(await axe(page))]).toEqual([name]);
      };
      await page
        .getByRole("region", { name: "Store paths" })
        .getByRole("link", { name: "example", exact: true })
        .waitFor();
      await page.getByText("storage", { exact: true }).waitFor();
      expect(await page.getByText("2, whose NARs have").count()).toBe(1);
      const newest = page.getByRole("region", { name: "New" });
      await newest.getByRole("row").nth(2).waitFor();
      expect(await newest.getByRole("link").allTextContents()).toHaveLength(2);
      await shoot("home");
      await page.getByRole("searchbox").fill("exam");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Store paths like “exam”" }).waitFor();
      await page.getByRole("link", { name: "example", exact: true }).waitFor();
      expect(await page.getByRole("row").count()).toBe(2);
      expect(await page.getByRole("heading", { level: 2 }).count()).toBe(0);
      await shoot("search");
      await page.getByRole("searchbox").fill(path.slice(0, 10));
      await page.keyboard.press("Enter");
      await page.getByRole("link", { name: "example", exact: true }).click();
      await page.getByRole("heading", { level: 1, name: "example" }).waitFor();
      await page.getByText("1 path", { exact: false }).waitFor();
      await page.getByRole("link", { name: "page.html" }).waitFor();
      await shoot("path");
      await page.getByRole("button", { name: "Look through all paths" }).click();
      await page.getByText("Nothing else.").waitFor();
      await page.getByRole("link", { name: "share/" }).click();
      await page.getByRole("link", { name: "<b>&.txt" }).click();
      await page.getByText("text <script>alert(1)</script>").waitFor();
      await shoot("file");
      await page.goto(`${daemon.url}/#/path/${path}/dot.svg`);
      await page.getByRole("img", { name: "Contents of the file" }).waitFor();
      await page.goto(`${daemon.url}/#/path/${path}/page.html`);
      await page.getByText("a page", { exact: false }).waitFor();
      expect(await page.title()).toBe("example - tvix-store");
      await page.goto(`${daemon.url}/#/path/${path}/binary`);
      await page.getByText("It is not shown", { exact: false }).waitFor();
      expect(complaints).toEqual([]);
      // As pages of their own they run nothing.
      await page.goto(`${daemon.url}/serve/${path}/page.html`);
      expect([await page.title(), await page.textContent("h1")]).toEqual(["", "a page"]);
    },
  );

  test("files are found by their names where the daemon keeps an index of them", async () => {
    const { daemon, path } = await filled("--file-index");
    const { page, complaints } = await open(daemon.url);
    await page.getByRole("searchbox").fill("share/<b>&.txt");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Files called “share/<b>&.txt”" }).waitFor();
    await page.getByRole("link", { name: `/nix/store/${path}/share/<b>&.txt` }).click();
    await page.getByText("text <script>alert(1)</script>").waitFor();
    await page.getByRole("searchbox").fill("a#b?c%20d");
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: `/nix/store/${path}/share/a#b?c%20d` }).click();
    await page.getByText("in an odd file").waitFor();
    // What is no name of a file is none.
    await page.getByRole("searchbox").fill(`/nix/store/${path}`);
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "example", exact: true }).waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  test("growth is drawn from what was counted on other days", async () => {
    const { data, daemon } = await filled();
    await endDaemon(daemon, "SIGTERM");
    const store = await openStore(data);
    const figures = {
      paths: 1,
      directories: 1,
      blobs: 0,
      chunks: 1,
      narBytes: 400,
      chunkBytes: 200,
      storedBytes: 100,
    };
    for (const day of [1, 2, 5]) {
      const time = Date.now() - day * 86_400_000;
      await new DailyFigures(store.database).keep({ ...figures, time, narBytes: 400 - day });
    }
    await store.close();
    const again = await startDaemon(data);
    const { page, complaints } = await open(again.url);
    await page.getByText("NARs 395 B to", { exact: false }).waitFor();
    expect(await axe(page)).toEqual([]);
    await page.screenshot({ path: join(SCREENSHOTS, "growth.png") });
    expect(complaints).toEqual([]);
  });

  test("where reading needs a token, the page asks for it, and shows nothing before", async () => {
    const { daemon, data, path } = await filled("--reads", "token");
    const { stdout: token } = await tvixStore("token", "create", "--scope", "read", "--data", data, "page");
    const { page } = await open(daemon.url);
    await page.getByRole("heading", { name: "This store wants a token" }).waitFor();
    expect(await page.content()).not.toContain("example");
    expect(await axe(page)).toEqual([]);
    await page.screenshot({ path: join(SCREENSHOTS, "token.png") });
    await expect
      .poll(
        async () =>
          (
            await fetch(`${daemon.url}/nix-cache-info`, {
              headers: { authorization: `Bearer ${token.trim()}` },
            })
          ).status,
        { timeout: 5000 },
      )
      .toBe(200);
    await page.getByRole("textbox", { name: "Token" }).fill(token.trim());
    await page.keyboard.press("Enter");
    await page
      .getByRole("region", { name: "Store paths" })
      .getByRole("link", { name: "example", exact: true })
      .waitFor();
    await page.goto(`${daemon.url}/#/path/${path}`);
    await page.getByRole("link", { name: "page.html" }).waitFor();
  });

  test("is not what programs get, and not to be framed", async () => {
    const { daemon } = await filled();
    const program = await fetch(`${daemon.url}/`);
    expect([program.headers.get("content-type"), await program.text()]).toEqual([
      "text/plain; charset=utf-8",
      "A Nix binary cache is here.\n",
    ]);
    const reader = await fetch(`${daemon.url}/`, { headers: { accept: "text/html" } });
    expect(reader.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    const [, script] = /src="(\/web\/assets\/[^"]+\.js)"/.exec(await reader.text()) ?? [];
    const asset = await fetch(`${daemon.url}${script}`);
    expect([asset.status, asset.headers.get("cache-control")]).toEqual([
      200,
      "public, max-age=31536000, immutable",
    ]);
    expect((await fetch(`${daemon.url}/web/nope`)).status).toBe(404);
  });

  test("a directory of 100,000 entries and a store of many paths can be used", async () => {
    const folder = await temporaryDirectory();
    const path = await storeWidePath(join(folder, "data"), 100_000);
    const daemon = await startDaemon(join(folder, "data"));
    const { page, complaints } = await open(daemon.url);
    await page.goto(`${daemon.url}/#/path/${path}`);
    await page.getByText("100000 entries.", { exact: false }).waitFor();
    expect(await page.getByRole("row").count()).toBe(501);
    await page.getByLabel("Filter by name").fill("entry-99999");
    await page.getByRole("link", { name: "entry-99999", exact: true }).waitFor();
    expect(await page.getByRole("row").count()).toBe(2);
    expect(complaints).toEqual([]);
    // Without JavaScript as well.
    const plain = await fetch(`${daemon.url}/serve/${path}/?format=html`);
    expect((await plain.text()).match(/<tr><td>/g)?.length).toBe(100_000);
  }, 120_000);
});
