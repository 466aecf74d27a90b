import {
  ByteReader,
  collect,
  gatherShort,
  limitBytes,
  rechunk,
  StreamEndedError,
  StreamTooLongError,
  tap,
} from "@tvix/byte-stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const anyPieces = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 12 });

async function* streamOf(pieces: Iterable<Uint8Array>): AsyncIterable<Uint8Array> {
  yield* pieces;
}

function joined(pieces: readonly Uint8Array[]): number[] {
  return pieces.flatMap((piece) => [...piece]);
}

describe("rechunk", () => {
  test("keeps the bytes and gives every piece but the last the size", async () => {
    await fc.assert(
      fc.asyncProperty(anyPieces, fc.integer({ min: 1, max: 30 }), async (pieces, size) => {
        const out = await Array.fromAsync(rechunk(streamOf(pieces), size));
        expect(joined(out)).toEqual(joined(pieces));
        expect(out.slice(0, -1).every((piece) => piece.length === size)).toBe(true);
        expect(out.every((piece) => piece.length > 0 && piece.length <= size)).toBe(true);
      }),
    );
  });

  test("refuses a size that is not positive", async () => {
    await expect(Array.fromAsync(rechunk([], 0))).rejects.toThrow(RangeError);
  });
});

describe("limitBytes and collect", () => {
  test("pass exactly the limit and fail at one byte more", async () => {
    await fc.assert(
      fc.asyncProperty(anyPieces, async (pieces) => {
        const length = joined(pieces).length;
        expect([...(await collect(streamOf(pieces), length))]).toEqual(joined(pieces));
        if (length > 0) {
          await expect(collect(pieces, length - 1)).rejects.toThrow(StreamTooLongError);
        }
      }),
    );
  });

  test("stop reading the source beyond the limit", async () => {
    let given = 0;
    async function* endless(): AsyncIterable<Uint8Array> {
      for (;;) {
        given += 10;
        yield new Uint8Array(10);
      }
    }
    await expect(Array.fromAsync(limitBytes(endless(), 25))).rejects.toThrow(StreamTooLongError);
    expect(given).toBe(30);
  });
});

test("gatherShort keeps the bytes, and makes one piece of few", async () => {
  await fc.assert(
    fc.asyncProperty(anyPieces, fc.nat(60), async (pieces, maxBytes) => {
      const gathered = await gatherShort(streamOf(pieces), maxBytes);
      const whole = joined(pieces);
      expect(gathered instanceof Uint8Array).toBe(whole.length <= maxBytes);
      expect([...(await collect(gathered, 1000))]).toEqual(whole);
    }),
  );
});

test("tap shows each piece before it passes it on", async () => {
  const seen: Uint8Array[] = [];
  for await (const piece of tap([Uint8Array.of(1), Uint8Array.of(2, 3)], (p) => seen.push(p))) {
    expect(seen.at(-1)).toBe(piece);
  }
  expect(joined(seen)).toEqual([1, 2, 3]);
});

describe("ByteReader", () => {
  test("reads the same bytes however they arrive", async () => {
    await fc.assert(
      fc.asyncProperty(anyPieces, fc.array(fc.nat(15)), async (pieces, lengths) => {
        const whole = joined(pieces);
        const reader = new ByteReader(streamOf(pieces));
        let at = 0;
        for (const length of lengths) {
          if (at + length > whole.length) {
            await expect(reader.read(length)).rejects.toThrow(StreamEndedError);
            return;
          }
          expect([...(await reader.read(length))]).toEqual(whole.slice(at, at + length));
          at += length;
          expect(reader.position).toBe(at);
        }
        expect(await reader.atEnd()).toBe(at === whole.length);
      }),
    );
  });

  test("streams a length without collecting it, and says when the source ends early", async () => {
    const reader = new ByteReader(streamOf([Uint8Array.of(1, 2), Uint8Array.of(3, 4)]));
    expect(joined(await Array.fromAsync(reader.stream(3)))).toEqual([1, 2, 3]);
    await expect(Array.fromAsync(reader.stream(2))).rejects.toMatchObject({ expected: 2, found: 1 });
  });

  test("tells the source that it is done with it", async () => {
    let closed = false;
    async function* source(): AsyncIterable<Uint8Array> {
      try {
        yield Uint8Array.of(1);
        yield Uint8Array.of(2);
      } finally {
        closed = true;
      }
    }
    const reader = new ByteReader(source());
    await reader.read(1);
    await reader.close();
    expect(closed).toBe(true);
  });
});
