import { setImmediate as nextTurn } from "node:timers/promises";
import { equalBytes } from "@tvix/byte-stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BlockReader } from "../src/block-reader.ts";

const LENGTHS = [3_700_000, 1 << 20, 900_000] as const;

/** Bytes of objects 1, 2 and 3, no two blocks alike. */
const OBJECTS = LENGTHS.map((length, number) => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++)
    bytes[at] = (at * 7 + (at >>> 8) + 37 * (at >>> 20) + 101 * number) & 0xff;
  return bytes;
});

function contentsOf(extent: number, start: number, length: number): Uint8Array {
  return (OBJECTS[extent - 1] as Uint8Array).subarray(start, start + length);
}

/** An object store that answers in pieces, after some turns, and fails at times. */
function bucket(fails: () => boolean) {
  return {
    async get(name: string, start: number, length: number) {
      await nextTurn();
      if (fails()) throw new Error("out of order");
      const extent = Number.parseInt(name.replace(/^.*?([0-9a-f]+)$/, "$1"), 16);
      const wanted = contentsOf(extent, start, length);
      return wanted.length === 0 ? undefined : pieces(wanted);
    },
  };
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += 300_000) {
    await nextTurn();
    yield bytes.subarray(at, at + 300_000);
  }
}

/** Keeps nothing, and looks late at what it was to keep. */
class LateNearby {
  readonly wrong: string[] = [];
  async put(extent: number, index: number, block: Uint8Array): Promise<void> {
    for (let turn = 0; turn < 7; turn++) await nextTurn();
    if (!equalBytes(block, contentsOf(extent, index << 20, 1 << 20))) this.wrong.push(`${extent} ${index}`);
  }
  get = async () => undefined;
  remove = async () => {};
  removeAll = async () => {};
  extents = () => new Set<number>();
}

/** Most steps read. */
const KINDS = [
  ...Array(5).fill("lend"),
  ...Array(4).fill("read"),
  "forget",
  "forgetAll",
  "remember",
] as const;

const step = fc.record({
  kind: fc.constantFrom(...KINDS),
  extent: fc.integer({ min: 1, max: 3 }),
  start: fc.nat(3_700_000),
  length: fc.oneof(fc.integer({ min: 1, max: 500_000 }), fc.integer({ min: 1, max: 2_500_000 })),
  /** Turns for which something is looked at. */
  held: fc.nat(12),
  /** Turns until the next step begins. */
  pause: fc.oneof(fc.nat(3), fc.nat(20)),
  fails: fc.nat(20).map((chance) => chance === 0),
});

test("what is lent stays as it is until it is given back, whatever is read, forgotten and fails meanwhile", async () => {
  let compared = 0;
  const run = async (
    steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
    blocks: number,
  ) => {
    let failing = false;
    const near = new LateNearby();
    const reader = new BlockReader(
      bucket(() => failing),
      { memoryBytes: blocks << 20, near },
    );
    const readOne = async ({ kind, extent, start, length, held }: (typeof steps)[number]) => {
      const expected = contentsOf(extent, start, length);
      const { bytes, release } =
        kind === "lend"
          ? await reader.lend(extent, start, length)
          : { bytes: await reader.read(extent, start, length), release: () => {} };
      for (let turn = 0; turn < held; turn++) await nextTurn();
      expect(equalBytes(bytes, expected)).toBe(true);
      compared++;
      release();
    };
    const running: Promise<void>[] = [];
    for (const one of steps) {
      failing = one.fails;
      if (one.kind === "forget") await reader.forget(one.extent, one.start, one.length);
      else if (one.kind === "forgetAll") await reader.forgetAll(one.extent);
      else if (one.kind === "remember") reader.remember(one.extent, OBJECTS[one.extent - 1] as Uint8Array);
      else {
        const reading = readOne(one);
        // Looked at when all of them have ended.
        reading.catch(() => {});
        running.push(reading);
      }
      for (let turn = 0; turn < one.pause; turn++) await nextTurn();
    }
    const outcomes = await Promise.allSettled(running);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(String(outcome.reason)).toContain("out of order");
    }
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    expect(near.wrong).toEqual([]);
  };
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 4 }), run), {
    numRuns: 60,
  });
  expect(compared).toBeGreaterThan(100);
}, 60_000);
