import { once } from "node:events";
import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { gatherShortPieces } from "../src/admission/short-pieces.ts";

/** A stream that is given what comes, as those of Node's servers are. */
function gathering(): Readable {
  const stream = new Readable({ read: () => {} });
  gatherShortPieces(stream);
  return stream;
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What a reader does between two pieces. */
type Step =
  | { readonly kind: "push"; readonly length: number }
  | { readonly kind: "turn" }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("push" as const), length: fc.nat(3000) }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant("push" as const), length: fc.integer({ min: 1, max: 20 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.constantFrom<Step>({ kind: "turn" }, { kind: "pause" }, { kind: "resume" }),
    },
  ),
  { maxLength: 60 },
);

/** Pushes what the steps ask for, each byte unlike the one before, and returns all of it. */
async function push(stream: Readable, all: readonly Step[]): Promise<Buffer> {
  let next = 0;
  const pushed: Buffer[] = [];
  for (const step of all) {
    if (step.kind === "turn") await turn();
    else if (step.kind === "pause") stream.pause();
    else if (step.kind === "resume") stream.resume();
    else {
      const piece = Buffer.alloc(step.length).map(() => next++);
      pushed.push(Buffer.from(piece));
      stream.push(piece);
    }
  }
  stream.push(null);
  return Buffer.concat(pushed);
}

test("what flows comes as it was sent, whoever pauses when", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const stream = gathering();
      const read: Buffer[] = [];
      const ended = new Promise<void>((resolve) => stream.once("end", () => resolve()));
      stream.on("data", (piece: Buffer) => read.push(piece));
      const pushed = await push(stream, all);
      stream.resume();
      await ended;
      expect(Buffer.concat(read).equals(pushed)).toBe(true);
    }),
  );
});

test("what is iterated over comes as it was sent", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const stream = gathering();
      const [pushed, read] = await Promise.all([
        push(
          stream,
          all.filter(({ kind }) => kind !== "pause" && kind !== "resume"),
        ),
        stream.toArray(),
      ]);
      expect(Buffer.concat(read).equals(pushed)).toBe(true);
    }),
  );
});

test("a reader that waits is told of a single byte", async () => {
  const stream = gathering();
  const first = stream[Symbol.asyncIterator]().next();
  await turn();
  stream.push(Buffer.from("x"));
  expect(String((await first).value)).toBe("x");
});

test("bytes that come one by one, and that nobody reads, are few pieces", async () => {
  const stream = gathering();
  for (let count = 0; count < 20_000; count++) {
    stream.push(Buffer.from("x"));
    if (count % 7 === 0) await turn();
  }
  stream.push(null);
  const pieces: number[] = [];
  await once(
    stream.on("data", ({ length }: Buffer) => pieces.push(length)),
    "end",
  );
  expect(pieces.reduce((sum, length) => sum + length, 0)).toBe(20_000);
  expect(pieces.length).toBeLessThan(10);
});

test("it is said when there is enough", () => {
  const stream = gathering();
  let pushed = 0;
  while (stream.push(Buffer.from("x"))) pushed++;
  expect(pushed).toBe(stream.readableHighWaterMark - 1);
});

test("what has come keeps no more in memory than it is", async () => {
  const stream = gathering();
  stream.push(Buffer.from(new ArrayBuffer(1 << 16), 0, 10));
  await turn();
  expect((stream.read() as Buffer).buffer.byteLength).toBe(10);
});
