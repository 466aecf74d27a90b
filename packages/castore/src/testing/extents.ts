import { equalBytes } from "@tvix/byte-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ChunkPlacement, ExtentLocation, Extents, FoundChunk } from "../extents/extents.ts";
import { encodedOnce, type TestChunk, testChunk } from "./chunks.ts";

/** Extents under test, and what to do with them afterwards. */
export interface ExtentsFixture {
  readonly extents: Extents;
  /** Opens what was stored once more, after the extents were closed. Default: it does not last. */
  readonly reopen?: () => Promise<Extents>;
  /** Frees what is left; the extents are closed. */
  readonly remove?: () => Promise<void>;
}

const LENGTHS = [0, 1, 100, 4096, 300_000, 1_500_000];

/**
 * Registers, with vitest, the tests that all {@link Extents} pass.
 *
 * @param name of the extents, for the report
 * @param setUp makes empty ones; called for each test
 */
export function testExtents(name: string, setUp: () => Promise<ExtentsFixture>): void {
  describe(`Extents contract: ${name}`, () => {
    let fixture: ExtentsFixture;
    let extents: Extents;

    beforeEach(async () => {
      fixture = await setUp();
      extents = fixture.extents;
    });
    afterEach(async () => {
      await extents.close();
      await fixture.remove?.();
    });

    const append = async (chunk: TestChunk) => await extents.append(chunk.digest, encodedOnce(chunk));

    const allFound = async () => {
      const found: FoundChunk[] = [];
      for await (const { extent } of extents.list()) {
        for await (const chunk of extents.chunksOf(extent)) found.push(chunk);
      }
      return found;
    };

    const expectThere = async ({ digest, bytes }: TestChunk, location: ExtentLocation) => {
      await extents.check(digest, location);
      for (const read of [extents.read(digest, location), extents.readIntact(digest, location)]) {
        const { encoding, size, payload } = await read;
        expect({ encoding, size }).toEqual({ encoding: "raw", size: bytes.length });
        expect(equalBytes(payload, bytes)).toBe(true);
      }
    };

    test("several are read together, in the order in which they are asked for; those that are not intact are told", async () => {
      if (extents.readManyIntact === undefined) return;
      const lengths = [10, 70_000, 300_000, 5, 1_500_000, 2000];
      const chunks = lengths.map((length, index) => testChunk(length, index + 1));
      const wanted: ChunkPlacement[] = [];
      for (const chunk of chunks) wanted.unshift({ digest: chunk.digest, location: await append(chunk) });
      const [last, first] = [wanted[0], wanted.at(-1)] as [ChunkPlacement, ChunkPlacement];
      const absent = [
        { digest: last.digest, location: first.location },
        { digest: first.digest, location: { ...first.location, extent: 4_000_000 } },
        { digest: first.digest, location: { ...first.location, offset: 2 ** 40 } },
      ];
      const found = await extents.readManyIntact([...wanted, ...absent, first], async (found) =>
        found.map((one) => one && { ...one, payload: one.payload.slice() }),
      );
      expect(found.map((one) => one?.size)).toEqual([
        ...lengths.toReversed(),
        undefined,
        undefined,
        undefined,
        lengths[0],
      ]);
      const payloads = [...chunks.toReversed(), chunks[0]].map((chunk) => chunk?.bytes);
      const read = found.flatMap((one) => (one === undefined ? [] : [one.payload]));
      expect(read.every((payload, index) => equalBytes(payload, payloads[index] as Uint8Array))).toBe(true);
    });

    test("nothing is there at first", async () => {
      expect(await Array.fromAsync(extents.list())).toEqual([]);
      expect(await Array.fromAsync(extents.chunksOf(1))).toEqual([]);
      expect(await extents.recover()).toBeUndefined();
    });

    test("what was appended is at its place, and its memory was released", async () => {
      for (const [index, length] of LENGTHS.entries()) {
        const chunk = testChunk(length, index + 1);
        const encoded = encodedOnce(chunk);
        const location = await extents.append(chunk.digest, encoded);
        expect(location).toMatchObject({ encoding: "raw", size: length, storedLength: length });
        expect(encoded.isReleased()).toBe(true);
        await expectThere(chunk, location);
      }
    });

    test("many append at once, each at a place of its own", async () => {
      const chunks = Array.from({ length: 100 }, (_, index) => testChunk(1 + 700 * index, index + 1));
      const locations = await Promise.all(chunks.map(append));
      expect(new Set(locations.map(({ extent, offset }) => `${extent} ${offset}`)).size).toBe(100);
      await Promise.all(chunks.map((chunk, index) => expectThere(chunk, locations[index] as ExtentLocation)));
    });

    test("what lies in them is found without an index", async () => {
      const chunks = LENGTHS.map((length, index) => testChunk(length, index + 1));
      const appended = new Map<string, ExtentLocation>();
      for (const chunk of chunks) appended.set(chunk.digest.toHex(), await append(chunk));
      const found = await allFound();
      expect(new Map(found.map(({ digest, location }) => [digest.toHex(), location]))).toEqual(appended);
      const infos = await Array.fromAsync(extents.list());
      const numbers = infos.map(({ extent }) => extent);
      expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
      const length = infos.reduce((sum, info) => sum + info.length, 0);
      expect(length).toBeGreaterThanOrEqual(LENGTHS.reduce((sum, one) => sum + one, 0));
    });

    test("a place where something else is, or nothing, is an error that names the chunk", async () => {
      const [one, other] = [testChunk(5000, 1), testChunk(6000, 2)];
      const [ofOne, ofOther] = [await append(one), await append(other)];
      const damaged = { code: "CORRUPT", subject: one.digest.toString() };
      await expect(extents.readIntact(one.digest, ofOther)).rejects.toMatchObject(damaged);
      const wrongSize = extents.readIntact(one.digest, { ...ofOne, size: ofOne.size + 1 });
      await expect(wrongSize).rejects.toMatchObject(damaged);
      for (const nowhere of [
        { ...ofOne, extent: 4_000_000_000 },
        { ...ofOne, offset: 2 ** 40 },
      ]) {
        await expect((async () => extents.check(one.digest, nowhere))()).rejects.toMatchObject(damaged);
        await expect(extents.read(one.digest, nowhere)).rejects.toMatchObject(damaged);
        await expect(extents.readIntact(one.digest, nowhere)).rejects.toMatchObject(damaged);
      }
      await expectThere(one, ofOne);
    });

    test("an extent that is retired is gone, and what is appended then is there", async () => {
      const old = testChunk(5000, 1);
      const location = await append(old);
      await expectThere(old, location);
      await extents.retire(location.extent);
      await extents.retire(location.extent);
      await expect(extents.read(old.digest, location)).rejects.toMatchObject({ code: "CORRUPT" });
      await expect(extents.readIntact(old.digest, location)).rejects.toMatchObject({ code: "CORRUPT" });
      await expect((async () => extents.check(old.digest, location))()).rejects.toMatchObject({
        code: "CORRUPT",
      });
      expect(await allFound()).toEqual([]);
      const next = testChunk(5000, 2);
      const again = await append(next);
      expect(again.extent).not.toBe(location.extent);
      await expectThere(next, again);
      expect(await allFound()).toHaveLength(1);
    });

    test("nothing is appended to an extent that was sealed, and what is in it stays", async () => {
      const [one, other] = [testChunk(5000, 1), testChunk(5000, 2)];
      const location = await append(one);
      await extents.seal(location.extent);
      const next = await append(other);
      expect(next.extent).not.toBe(location.extent);
      await expectThere(one, location);
      await expectThere(other, next);
    });

    test("the number of an extent that was retired is not given again, also later", async ({ skip }) => {
      const { reopen } = fixture;
      if (reopen === undefined) return skip("these extents do not last");
      const location = await append(testChunk(5000, 1));
      await extents.retire(location.extent);
      await extents.close();
      extents = await reopen();
      const next = await append(testChunk(6000, 2));
      expect(next.extent).toBeGreaterThan(location.extent);
      await extents.retire(next.extent);
      const last = await append(testChunk(7000, 3));
      expect(last.extent).toBeGreaterThan(next.extent);
    });

    test("after they are closed every method fails with CLOSED, and memory is released", async () => {
      const chunk = testChunk(5000, 1);
      const location = await append(chunk);
      await extents.close();
      await extents.close();
      const closed = { code: "CLOSED" };
      const late = encodedOnce(chunk);
      await expect(extents.append(chunk.digest, late)).rejects.toMatchObject(closed);
      expect(late.isReleased()).toBe(true);
      await expect(extents.read(chunk.digest, location)).rejects.toMatchObject(closed);
      await expect(extents.readIntact(chunk.digest, location)).rejects.toMatchObject(closed);
      await expect((async () => extents.check(chunk.digest, location))()).rejects.toMatchObject(closed);
      await expect(extents.recover()).rejects.toMatchObject(closed);
      await expect(extents.seal(location.extent)).rejects.toMatchObject(closed);
      await expect(Array.fromAsync(extents.list())).rejects.toMatchObject(closed);
      await expect(Array.fromAsync(extents.chunksOf(location.extent))).rejects.toMatchObject(closed);
      await expect(extents.retire(location.extent)).rejects.toMatchObject(closed);
    });

    test("what was appended lasts, and what is being appended is finished before they close", async ({
      skip,
    }) => {
      const { reopen } = fixture;
      if (reopen === undefined) return skip("these extents do not last");
      const chunks = Array.from({ length: 50 }, (_, index) => testChunk(20_000, index + 1));
      const appending = chunks.map(append);
      await extents.close();
      const locations = await Promise.all(appending);
      extents = await reopen();
      await Promise.all(chunks.map((chunk, index) => expectThere(chunk, locations[index] as ExtentLocation)));
      const next = testChunk(10_000, 100);
      await expectThere(next, await append(next));
      expect(await allFound()).toHaveLength(51);
    });
  });
}
