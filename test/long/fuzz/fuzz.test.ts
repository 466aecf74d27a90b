import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, expect, test } from "vitest";
import { Random } from "../survive/random.ts";
import { mutate } from "./mutate.ts";
import { TARGETS } from "./targets.ts";

/** Time for each parser; an hour by hand. */
const SECONDS = Number(process.env["FUZZ_SECONDS"] ?? 4);
const SEED = Number(process.env["FUZZ_SEED"] ?? 1);

/** Processor time that one input takes at the most, and time on a machine that does much else as well. */
const MOST_PROCESSOR_MS = 5000;
const MOST_MS = 60_000;

/** What all of them may leave behind, in bytes. */
const MOST_GROWTH_BYTES = 128 << 20;

/** Inputs that led somewhere new, and are changed further. */
const POOL = 500;

setFlagsFromString("--expose-gc");
const collectGarbage: (options: object) => void = runInNewContext("gc");
const before = process.memoryUsage().rss;
let tried = 0;

async function corpusOf(name: string): Promise<Uint8Array[]> {
  const folder = join(import.meta.dirname, "corpus", name);
  return await Promise.all((await readdir(folder)).sort().map((file) => readFile(join(folder, file))));
}

test.each(Object.keys(TARGETS))(
  `%s: an answer, or an error that says why (seed ${SEED})`,
  { timeout: 7_200_000 },
  async (name) => {
    const target = TARGETS[name];
    if (target === undefined) throw new Error(`there is no ${name}`);
    const random = new Random(SEED);
    const pool = await corpusOf(name);
    const seen = new Set<string>();
    const run = async (bytes: Uint8Array): Promise<string> => {
      const started = performance.now();
      const before = process.cpuUsage();
      const outcome = await (async () => target.parse(bytes))().then(
        () => "an answer",
        (error: unknown) => {
          if (error instanceof Error && target.errors.includes(error.name)) {
            return `${error.name} ${"code" in error ? error.code : ""} ${error.message.replaceAll(/\d+|"[^"]*"/g, "")}`;
          }
          throw new Error(`${name}, seed ${SEED}: ${Buffer.from(bytes).toString("base64")}`, {
            cause: error,
          });
        },
      );
      const took = performance.now() - started;
      const { user, system } = process.cpuUsage(before);
      if (took > MOST_MS || (user + system) / 1000 > MOST_PROCESSOR_MS)
        throw new Error(`${name} took ${took} ms for ${Buffer.from(bytes).toString("base64")}`);
      tried++;
      return outcome;
    };
    // What is valid has to be taken for it.
    expect(pool.length).toBeGreaterThan(0);
    const outcomes = await Promise.all(pool.map(run));
    expect(outcomes).toContain("an answer");
    const end = performance.now() + SECONDS * 1000;
    while (performance.now() < end) {
      const bytes = mutate(pool, random);
      const outcome = (await run(bytes)).slice(0, 120);
      // An hour brings millions of errors that differ in some letter: kept, they would be more than what is looked for.
      if (pool.length === POOL || seen.has(outcome)) continue;
      seen.add(outcome);
      pool.push(bytes);
    }
  },
);

afterAll(() => {
  // What the engine has not tidied up, and empty pages that it keeps for later, are not left behind: the last
  // resort, before it says that there is no memory, gives both back.
  collectGarbage({ type: "major", execution: "sync", flavor: "last-resort" });
  const grown = process.memoryUsage().rss - before;
  console.log(`seed ${SEED}: ${tried} inputs, ${Math.round(grown / 2 ** 20)} MiB more`);
  expect(grown).toBeLessThan(MOST_GROWTH_BYTES);
});
