import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const GUIDES = join(import.meta.dirname, "../docs/guides");

/** A folder in the repository, where programs find the packages. */
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(import.meta.dirname, "guides-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const guides = (await readdir(GUIDES)).filter((name) => name !== "README.md");

describe("guides", () => {
  test("there are some, and each is named in the list of them", async () => {
    const list = await readFile(join(GUIDES, "README.md"), "utf8");
    expect(guides.length).toBeGreaterThan(3);
    for (const guide of guides) expect(list).toContain(`(${guide})`);
  });

  test.each(guides)("the program of %s prints what it says", async (guide) => {
    const text = await readFile(join(GUIDES, guide), "utf8");
    const block = (language: string) =>
      [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(
        ([, code]) => code as string,
      );
    const [[program = ""], [expected = ""]] = [block("ts"), block("text")];
    const file = join(folder, guide.replace(".md", ".ts"));
    await writeFile(file, program);
    const { stdout } = await promisify(execFile)(process.execPath, [file]);
    // A digest is any.
    expect(stdout.replaceAll(/blake3-[\w+/]{43}=/g, "DIGEST")).toBe(expected);
  });
});
