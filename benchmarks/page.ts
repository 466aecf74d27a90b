// The page and the lists of a directory of 100,000 entries, in a browser on a server that is warm.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { storeWidePath } from "../test/wide-path.ts";
import { median } from "./measure.ts";
import { startDaemon } from "./processes.ts";

const CHROMIUM = "/usr/bin/chromium";
const ENTRIES = 100_000;
const ROUNDS = 5;

/** Prints how long a browser takes; nothing to compare with but an empty page of the same server. */
export async function benchmarkPage(): Promise<void> {
  if (!existsSync(CHROMIUM)) {
    console.log("page: skipped, Chromium is not installed (Debian's package chromium)");
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), "bench-page-"));
  const name = await storeWidePath(join(folder, "data"), ENTRIES);
  const daemon = await startDaemon(join(folder, "data"));
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  const rows: (readonly [string, string, string | undefined])[] = [
    ["a page of one line", "/healthz", undefined],
    ["the page", "/", undefined],
    [`a path of ${ENTRIES} entries`, `/#/path/${name}`, `text=${ENTRIES} entries.`],
    [`its list without JavaScript`, `/serve/${name}/?format=html`, undefined],
  ];
  console.log(`\n## The page (${ROUNDS} loads each, median)\n`);
  console.log("| | first paint, ms | complete, ms |\n|---|---|---|");
  for (const [title, path, awaited] of rows) {
    const times: { readonly paint: number; readonly complete: number }[] = [];
    for (let round = 0; round <= ROUNDS; round++)
      times.push(await load(browser, `http://127.0.0.1:${daemon.port}${path}`, awaited));
    // The first one warms the server.
    const [paint, complete] = (["paint", "complete"] as const).map((key) =>
      median(times.slice(1).map((time) => time[key])).toFixed(0),
    );
    console.log(`| ${title} | ${paint} | ${complete} |`);
  }
  await browser.close();
  await daemon.stop();
  await rm(folder, { recursive: true });
}

/** Loads an address as somebody does who has never been there; times in milliseconds since the beginning. */
async function load(browser: Browser, url: string, awaited: string | undefined) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const begun = performance.now();
  await page.goto(url);
  if (awaited !== undefined) await page.locator(awaited).waitFor();
  const complete = performance.now() - begun;
  const paint = await firstPaint(page);
  await context.close();
  return { paint, complete };
}

/** When something was seen first; a page may be complete before. */
async function firstPaint(page: Page): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const entries = await page.evaluate(() =>
      performance.getEntriesByName("first-contentful-paint").map(({ startTime }) => startTime),
    );
    if (entries[0] !== undefined) return entries[0];
    await page.waitForTimeout(20);
  }
  return Number.NaN;
}
