import { collect } from "@tvix/byte-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BlobService } from "../blob/blob-service.ts";
import { B3Digest } from "../digest/b3-digest.ts";
import type { DirectoryService } from "../directory/directory-service.ts";
import { DIRECTORY_A, DIRECTORY_B, pseudoRandomBytes } from "./fixtures.ts";

/** Services that can be closed. */
export interface ClosableServices {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
  close(): Promise<void>;
}

/** What is opened and closed, and what to do with it afterwards. */
export interface LifeCycleFixture {
  /** Opens the services; called again after they were closed, for the same data. */
  open(): Promise<ClosableServices>;
  /** Frees what is left when the services are closed. */
  readonly remove?: () => Promise<void>;
}

const ALL = 64 << 20;

/**
 * Registers, with vitest, the tests that all services pass that are opened and closed.
 *
 * @param name of the services, for the report
 * @param setUp makes a place for them with nothing in it; called for each test
 */
export function testLifeCycle(name: string, setUp: () => Promise<LifeCycleFixture>): void {
  describe(`open and closed: ${name}`, () => {
    let fixture: LifeCycleFixture;
    const opened: ClosableServices[] = [];

    const open = async () => {
      const services = await fixture.open();
      opened.push(services);
      return services;
    };

    beforeEach(async () => {
      fixture = await setUp();
    });
    afterEach(async () => {
      for (const services of opened.splice(0).reverse()) await services.close();
      await fixture.remove?.();
    });

    const contentOf = async (blobService: BlobService, digest: B3Digest) => {
      const stream = await blobService.read(digest);
      return stream === undefined ? undefined : B3Digest.of(await collect(stream, ALL)).toHex();
    };

    test("what was stored is there when they are opened again", async () => {
      const blobs = [100, 5000, 3_000_000].map((length) => pseudoRandomBytes(length, length));
      const first = await open();
      for (const blob of blobs) await first.blobService.put(blob);
      await first.directoryService.putMany([DIRECTORY_A, DIRECTORY_B]);
      await first.close();
      const { blobService, directoryService } = await open();
      for (const blob of blobs) {
        const digest = B3Digest.of(blob);
        expect(await contentOf(blobService, digest)).toBe(digest.toHex());
      }
      const found = await directoryService.get(DIRECTORY_B.digest());
      expect(found?.encode()).toEqual(DIRECTORY_B.encode());
    });

    test("after they are closed every operation fails with CLOSED", async () => {
      const { blobService, directoryService, close } = await open();
      const digest = await blobService.put(pseudoRandomBytes(100_000));
      const long = await blobService.put(pseudoRandomBytes(2_000_000));
      await directoryService.putMany([DIRECTORY_A, DIRECTORY_B]);
      await close();
      await close();
      const closed = { code: "CLOSED" };
      for (const one of [digest, long]) {
        await expect(blobService.has(one)).rejects.toMatchObject(closed);
        await expect(contentOf(blobService, one)).rejects.toMatchObject(closed);
        await expect(blobService.chunks(one)).rejects.toMatchObject(closed);
      }
      await expect(blobService.put(pseudoRandomBytes(100))).rejects.toMatchObject(closed);
      await expect(blobService.put([pseudoRandomBytes(3_000_000, 5)])).rejects.toMatchObject(closed);
      await expect(directoryService.get(DIRECTORY_B.digest())).rejects.toMatchObject(closed);
      await expect(
        Array.fromAsync(directoryService.getRecursive(DIRECTORY_B.digest())),
      ).rejects.toMatchObject(closed);
      await expect(directoryService.put(DIRECTORY_A)).rejects.toMatchObject(closed);
      await expect(directoryService.putMany([DIRECTORY_A, DIRECTORY_B])).rejects.toMatchObject(closed);
    });

    test("what is under way when they are closed ends, and what was acknowledged is there", async () => {
      const blobs = Array.from({ length: 30 }, (_, index) => pseudoRandomBytes(200_000, index + 1));
      const { blobService, directoryService, close } = await open();
      const read = await blobService.put(pseudoRandomBytes(4_000_000, 99));
      const stream = await blobService.read(read);
      const reading = collect(stream ?? [], ALL);
      const puts = blobs.map((blob) => blobService.put(blob));
      const directory = directoryService.put(DIRECTORY_A);
      const ending = Promise.allSettled([...puts, directory, reading]);
      await close();
      for (const one of await ending) {
        if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "CLOSED" });
      }
      const again = await open();
      for (const [index, put] of (await Promise.allSettled(puts)).entries()) {
        if (put.status === "rejected") continue;
        const digest = B3Digest.of(blobs[index] as Uint8Array);
        expect(await contentOf(again.blobService, digest)).toBe(digest.toHex());
      }
      for (const blob of blobs) await again.blobService.put(blob);
    });
  });
}
