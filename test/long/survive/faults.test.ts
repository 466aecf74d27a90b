import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../temporary.ts";
import { expectStory } from "./look.ts";
import { Random } from "./random.ts";
import { parseNote, Story } from "./story.ts";

/** Faults that are tried; hundreds by hand. */
const FAULTS = Number(process.env["DISK_FAULTS"] ?? 15);
const SEED = Number(process.env["DISK_FAULT_SEED"] ?? 1);

/** What can fail, and how. */
const CALLS = ["pwritev,pwrite64", "write", "fdatasync,fsync", "openat", "rename,unlink,ftruncate"];
const ERRORS = ["ENOSPC", "EIO", "EMFILE", "EROFS"];

/** Why nothing can be made to fail here; undefined where it can. */
const noFaults = (() => {
  const tried = spawnSync("strace", ["-o", "/dev/null", "-e", "inject=close:error=EIO:when=9999", "true"]);
  return tried.status === 0 ? undefined : "strace cannot be used here";
})();
if (noFaults !== undefined) console.warn(`skipped: ${noFaults}`);

/** Calls of one thread after which one fails. */
const MANY = 80;

/** Runs the worker, in which calls fail as a rule of strace says; resolves when it has ended. */
async function runFailing(args: readonly string[], rule: string): Promise<void> {
  const worker = spawn(process.execPath, ["--no-warnings", WORKER, ...args, "wait"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(worker, "exit");
  await once(worker.stdout, "data");
  const strace = spawn(
    "strace",
    ["-f", "-o", "/dev/null", "-e", "signal=none", "-e", rule, "-p", String(worker.pid)],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  await once(strace.stderr, "data");
  worker.stdin.write("\n");
  await ended;
}

const WORKER = join(import.meta.dirname, "worker.ts");

/** Runs the worker, for which no file gets longer than that: a write that would is short, and the next one fails. */
async function runCutOff(args: readonly string[], fileBytes: number): Promise<void> {
  const [root = "", notes = "", ...others] = args;
  // In units of 512 bytes. Notes go through a pipe, so that they are not cut short.
  const script = `(ulimit -f ${Math.ceil(fileBytes / 512)}; exec "$@") | cat > "$0"`;
  const command = [process.execPath, "--no-warnings", WORKER, root, "/proc/self/fd/1", ...others];
  const worker = spawn("sh", ["-c", script, notes, ...command], { stdio: "inherit" });
  await once(worker, "exit");
}

/** What has failed is told by an error of ours, and what was acknowledged is there. @returns how much has failed */
async function expectNoLoss(root: string, notes: string, what: string): Promise<number> {
  const story = new Story();
  for (const line of (await readFile(notes, "utf8").catch(() => "")).split("\n")) {
    if (line.endsWith("}")) story.add(parseNote(line));
  }
  for (const { name, code, message } of story.failures) {
    expect(["CastoreError", "StoreError"], `${what}: ${name} ${code} ${message}`).toContain(name);
  }
  await expectStory(root, story, what);
  return story.failures.length;
}

test.skipIf(noFaults !== undefined)(
  "a call to the disk that fails, once or from then on: nothing that was acknowledged is lost, and it is told why",
  { timeout: 3_600_000 },
  async () => {
    const random = new Random(SEED);
    let failed = 0;
    for (let fault = 0; fault < FAULTS; fault++) {
      const base = await temporaryDirectory();
      const [root, notes] = [join(base, "store"), join(base, "notes")];
      await mkdir(root);
      const calls = CALLS[fault % CALLS.length] as string;
      const when = `${1 + random.below(MANY)}${random.pick(["", "+", "+37"])}`;
      const rule = `inject=${calls}:error=${random.pick(ERRORS)}:when=${when}`;
      const what = `seed ${SEED}, fault ${fault}, ${rule}`;
      await runFailing([root, notes, String(SEED + fault), "60"], rule);
      failed += await expectNoLoss(root, notes, what);
      await rm(base, { recursive: true, force: true });
    }
    expect(failed).toBeGreaterThan(0);
    console.log(`seed ${SEED}: ${FAULTS} faults, ${failed} calls of the store have failed`);
  },
);

test("writes that are cut short: nothing that was acknowledged is lost, and it is told why", {
  timeout: 3_600_000,
}, async () => {
  const random = new Random(SEED);
  let failed = 0;
  for (let fault = 0; fault < FAULTS; fault++) {
    const base = await temporaryDirectory();
    const [root, notes] = [join(base, "store"), join(base, "notes")];
    await mkdir(root);
    const fileBytes = 20_000 + random.below(random.pick([50_000, 900_000]));
    await runCutOff([root, notes, String(SEED + fault), "60"], fileBytes);
    failed += await expectNoLoss(root, notes, `seed ${SEED}, fault ${fault}, files of ${fileBytes} bytes`);
    await rm(base, { recursive: true, force: true });
  }
  expect(failed).toBeGreaterThan(0);
  console.log(`seed ${SEED}: ${FAULTS} limits of files, ${failed} calls of the store have failed`);
});
