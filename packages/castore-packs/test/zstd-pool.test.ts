import { readdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { zstdDecompressSync } from "node:zlib";
import type { FreshlyEncoded } from "@tvix/castore/backend";
import { fixtures } from "@tvix/castore/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { ZstdPool } from "../src/zstd-pool.ts";

/** What the threads of the built package run. */
const SCRIPT = new URL("../dist/zstd-worker.js", import.meta.url);

function poolOf(script: URL = SCRIPT): ZstdPool {
  const pool = new ZstdPool(3, script);
  onTestFinished(() => pool.close());
  return pool;
}

/** A copy of what was encoded, whose memory is given back. */
function taken({ encoding, payload, release }: FreshlyEncoded): { encoding: string; payload: Buffer } {
  const copy = { encoding, payload: Buffer.from(payload) };
  release();
  return copy;
}

const text = (seed: number, length = 50_000) =>
  Buffer.from(`${seed} and again `.repeat(length)).subarray(0, length);

describe("the compressing threads", () => {
  test("give frames that decode to what was given, whatever comes at once", async () => {
    const pool = poolOf();
    const chunks = Array.from({ length: 300 }, (_, seed) => text(seed, 100 + 997 * seed));
    const encoded = await Promise.all(chunks.map(async (chunk) => taken(await pool.encode(chunk))));
    encoded.forEach(({ encoding, payload }, index) => {
      expect(encoding).toBe("zstd");
      expect(zstdDecompressSync(payload).equals(chunks[index] as Buffer)).toBe(true);
    });
  });

  test("say that what looks random does not compress", async () => {
    const random = fixtures.pseudoRandomBytes(200_000);
    expect(taken(await poolOf().encode(random))).toEqual({ encoding: "raw", payload: Buffer.from(random) });
  });

  test("tell when the bytes that were given are not needed any more", async () => {
    const chunk = Buffer.from(text(1));
    const encoded = taken(await poolOf().encode(chunk, () => chunk.fill(0)));
    expect(zstdDecompressSync(encoded.payload).equals(text(1))).toBe(true);
  });

  test("that have died are replaced: what they had fails, and all of them work again", async () => {
    const folder = await temporaryDirectory();
    const script = pathToFileURL(join(folder, "worker.mjs"));
    // Dies of a chunk that begins with X, and else tells which thread it is.
    await writeFile(
      script,
      `import { parentPort, threadId } from "node:worker_threads";
       let slots;
       parentPort.on("message", (message) => {
         if (message.type === "start") return void (slots = message.slots);
         if (message.type === "end") return void parentPort.close();
         const { input, output } = slots[message.slot];
         if (input[0] === 88) process.exit(3);
         let at = 0;
         parentPort.postMessage({ slot: message.slot, lengths: message.lengths.map(() => {
           output[at++] = threadId;
           return 1;
         }) });
       });`,
    );
    const pool = poolOf(script);
    const full = (first: string) => Buffer.alloc(1 << 20, first);
    const threads = async () => {
      const encoded = await Promise.all(
        Array.from({ length: 40 }, async () => taken(await pool.encode(full("a")))),
      );
      return new Set(encoded.map(({ payload }) => payload[0]));
    };
    const before = await threads();
    expect(before.size).toBe(Math.min(8, availableParallelism()));
    for (let time = 0; time < 3; time++) {
      await expect(pool.encode(full("X"))).rejects.toMatchObject({ code: "STORAGE_FAILURE" });
    }
    const after = await threads();
    expect(after.size).toBe(before.size);
    expect(after).not.toEqual(before);
  });

  test("take nothing more once they are closed, and finish what they have", async () => {
    const pool = new ZstdPool(3, SCRIPT);
    const encoding = pool.encode(text(1));
    await new Promise(setImmediate);
    await Promise.all([pool.close(), encoding.then(taken)]);
    await expect(pool.encode(text(1))).rejects.toMatchObject({ code: "CLOSED" });
  });

  test("end by themselves: Node ends the process if one is terminated while it makes its compressor", async () => {
    const folder = await temporaryDirectory();
    const script = pathToFileURL(join(folder, "worker.mjs"));
    // Only a thread that is not terminated tells that it ends.
    await writeFile(
      script,
      `import { threadId } from "node:worker_threads";
       import { writeFileSync } from "node:fs";
       process.on("exit", () => writeFileSync(new URL("ended-" + threadId, import.meta.url), ""));
       await import(${JSON.stringify(SCRIPT)});`,
    );
    const pool = new ZstdPool(3, script);
    taken(await pool.encode(text(1)));
    await pool.close();
    const ended = (await readdir(folder)).filter((name) => name.startsWith("ended-"));
    expect(ended).toHaveLength(Math.min(8, availableParallelism()));
  });
});
