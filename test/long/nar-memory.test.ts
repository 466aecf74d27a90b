import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../temporary.ts";
import { sameMixNar } from "./same-mix-nar.ts";

const BIN = join(import.meta.dirname, "../../packages/server/bin/tvix-store.js");
/** The young generation as the command has it; the old one far below what a tree would fill. */
const NODE_OPTIONS = ["--max-semi-space-size=8", "--max-old-space-size=48"];
const TELL_PEAK =
  "data:text/javascript,process.on('exit',()=>console.error('peak',process.resourceUsage().maxRSS/1024))";
/** Parts of a NAR of 2 GiB. */
const PARTS = 10;
/** What the peak may differ by, in MiB: the allocator of the C library keeps that much, not the tree. */
const DRIFT_MIB = 100;

interface Run {
  readonly output: string;
  readonly length: number;
  readonly peakMib: number;
}

async function run(args: readonly string[], input: AsyncIterable<Uint8Array>): Promise<Run> {
  const child = spawn(process.execPath, [...NODE_OPTIONS, "--import", TELL_PEAK, BIN, ...args]);
  const ended = once(child, "exit");
  const errors = text(child.stderr);
  let length = 0;
  let output = "";
  child.stdout.on("data", (piece: Buffer) => {
    length += piece.length;
    if (length < 1000) output += piece;
  });
  await pipeline(input, child.stdin);
  const [status] = await ended;
  const peakMib = Number(/^peak (.*)$/m.exec(await errors)?.[1]);
  expect({ status, errors: await errors }).toEqual({
    status: 0,
    errors: expect.stringMatching(/^peak .*\n$/),
  });
  return { output: output.trim(), length, peakMib };
}

/** Peaks of taking a NAR in and of rendering it again, in MiB. */
async function peaks(parts: number): Promise<{ length: number; ingest: number; dump: number }> {
  const data = join(await temporaryDirectory(), "data");
  let length = 0;
  const watched = async function* () {
    for await (const piece of sameMixNar(parts)) {
      length += piece.length;
      yield piece;
    }
  };
  const ingested = await run(["nar", "ingest", "-", "--data", data], watched());
  const [digest] = ingested.output.split(/\s/) as [string];
  const dumped = await run(["nar", "dump", digest, "--data", data], (async function* () {})());
  expect(dumped.length).toBe(length);
  return { length, ingest: ingested.peakMib, dump: dumped.peakMib };
}

test("memory does not grow with a NAR: ten times the same mix of files, 2 GiB", async () => {
  const small = await peaks(1);
  const large = await peaks(PARTS);
  for (const { length, ingest, dump } of [small, large]) {
    console.log(
      `NAR of ${(length / 2 ** 20).toFixed(0)} MiB: peak of ingest ${ingest.toFixed(0)} MiB, of dump ${dump.toFixed(0)} MiB`,
    );
  }
  expect(large.length).toBeGreaterThan(2 ** 31);
  expect(large.ingest - small.ingest).toBeLessThan(DRIFT_MIB);
  expect(large.dump - small.dump).toBeLessThan(DRIFT_MIB);
}, 300_000);
