import { execFileSync, spawnSync } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../temporary.ts";
import { type Loss, TracedDisk } from "./disk.ts";
import { expectStory } from "./look.ts";
import { Random } from "./random.ts";
import { parseNote, Story } from "./story.ts";
import { pathOfHandle, readTrace, STRACE_OPTIONS, stringsOf } from "./trace.ts";

/** Power cuts that are tried; 200 and more by hand. */
const CUTS = Number(process.env["POWER_CUTS"] ?? 40);
const SEED = Number(process.env["POWER_CUT_SEED"] ?? 1);

/** Why no trace can be had here; undefined where it can. */
const noTrace = (() => {
  const tried = spawnSync("strace", ["-o", "/dev/null", "true"]);
  return tried.status === 0 ? undefined : "strace cannot be used here";
})();
if (noTrace !== undefined) console.warn(`skipped: ${noTrace}`);

test.skipIf(noTrace !== undefined)(
  "whatever was not flushed is lost: all that was acknowledged is there, and whole",
  { timeout: 1_800_000 },
  async () => {
    const base = await temporaryDirectory();
    const [root, notes, trace] = ["store", "notes", "trace"].map((name) => join(base, name)) as [
      string,
      string,
      string,
    ];
    await mkdir(root);
    const worker = join(import.meta.dirname, "worker.ts");
    const command = [process.execPath, "--no-warnings", worker, root, notes, String(SEED), "120"];
    execFileSync("strace", ["-o", trace, ...STRACE_OPTIONS, ...command], {
      stdio: ["ignore", "inherit", "inherit"],
    });

    const disk = new TracedDisk(root);
    const told: { readonly line: number; readonly text: string }[] = [];
    let last = 0;
    for await (const call of readTrace(trace)) {
      disk.add(call);
      last = call.ended;
      if (call.name !== "write" || pathOfHandle(call.args) !== notes) continue;
      const text = Buffer.concat(stringsOf(call.args.slice(call.args.indexOf(",")))).toString();
      told.push({ line: call.began, text });
    }
    expect(told.length).toBeGreaterThan(300);
    const first = told[0]?.line ?? 0;

    const random = new Random(SEED);
    for (let cut = 0; cut < CUTS; cut++) {
      const line = first + random.below(last - first);
      const loss: Loss = cut % 2 === 0 ? "in-order" : "with-holes";
      const story = new Story();
      for (const { line: at, text } of told) if (at <= line) story.add(parseNote(text));
      const path = join(base, `cut-${cut}`);
      await disk.leave(path, line, loss, random);
      await expectStory(path, story, `seed ${SEED}, cut ${cut} behind line ${line}, ${loss}`);
      await rm(path, { recursive: true });
    }
    console.log(`seed ${SEED}: ${CUTS} power cuts, ${told.length} notes, ${last} calls`);
  },
);
