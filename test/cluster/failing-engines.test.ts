import { collect } from "@tvix/byte-stream";
import { B3Digest, CastoreError } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { openSharedStore } from "@tvix/castore-packs";
import { PostgresRecordStore } from "@tvix/castore-postgres";
import { Bucket, S3Extents, type S3ExtentsOptions } from "@tvix/castore-s3";
import { LocalMaintenance, servicesOf } from "@tvix/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FailingStore, startFailingStore } from "../engines/failing-store.ts";
import { type Engines, NO_ENGINES, startEngines } from "../engines/shared-store.ts";
import { Random } from "../long/survive/random.ts";
import { temporaryDirectory } from "../temporary.ts";

if (NO_ENGINES !== undefined) console.warn(`skipped: ${NO_ENGINES}`);

const SEED = Number(process.env["ENGINE_FAULT_SEED"] ?? 1);
const PUTS = Number(process.env["ENGINE_FAULT_PUTS"] ?? 120);

describe.skipIf(NO_ENGINES !== undefined)("an object store that fails now and then", () => {
  let engines: Engines;
  beforeAll(async () => {
    engines = await startEngines();
  });
  afterAll(async () => await engines?.[Symbol.asyncDispose]());

  const open = async (
    { port }: Pick<FailingStore, "port">,
    addresses: { records: string; prefix: string },
    options: Partial<S3ExtentsOptions> = {},
  ) => {
    const records = await PostgresRecordStore.open(addresses.records);
    const address = addresses.prefix.replace(/127\.0\.0\.1%3A\d+/, `127.0.0.1%3A${port}`);
    const extents = await S3Extents.open(address, {
      records,
      silentMs: 2000,
      packBytes: 20 << 20,
      ...options,
    });
    const store = await openSharedStore({ records, extents }, { scratchFolder: await temporaryDirectory() });
    return { store, extents };
  };

  test("whatever it does, what was acknowledged is there, and no byte is wrong", {
    timeout: 240_000,
  }, async () => {
    const random = new Random(SEED);
    await using failing = await startFailingStore(engines.ceph.port, () => random.below(1e9) / 1e9);
    const addresses = { records: engines.postgres.freshAddress(), prefix: engines.ceph.freshAddress() };
    const { store, extents } = await open(failing, addresses, { attempts: 3 });
    failing.failures = 0.15;
    const stored: B3Digest[] = [];
    const refused: CastoreError[] = [];
    const sizes = [5000, 40_000, 400_000, 3_000_000, 30_000_000];
    const work = async (writer: number) => {
      for (let number = 0; number < PUTS / 6; number++) {
        const length = sizes[random.below(number % 10 === 0 ? 5 : 4)] ?? 0;
        const bytes = fixtures.pseudoRandomBytes(length, 1 + writer * 10_000 + number);
        try {
          stored.push(await store.blobService.put(bytes));
        } catch (error) {
          if (!CastoreError.is(error)) throw error;
          refused.push(error);
        }
        const digest = stored[random.below(stored.length)];
        if (digest === undefined) continue;
        try {
          const stream = await store.blobService.read(digest);
          if (stream === undefined) throw new Error(`${digest} was acknowledged, and is not there`);
          expect(B3Digest.of(await collect(stream, 32 << 20)).equals(digest)).toBe(true);
        } catch (error) {
          if (!CastoreError.is(error)) throw error;
          refused.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: 6 }, (_, writer) => work(writer)));
    // Each kind of fault was tried, and nothing was taken for damage.
    for (const [fault, count] of Object.entries(failing.counts))
      expect([fault, count > 0]).toEqual([fault, true]);
    expect(new Set(refused.map(({ code }) => code))).toEqual(
      new Set(refused.length > 0 ? ["UNAVAILABLE"] : []),
    );
    expect(stored.length).toBeGreaterThan(PUTS / 4);
    failing.failures = 0;
    expect(await extents.recover()).toBeUndefined();
    await store.close();

    const again = await open(failing, addresses);
    for (const digest of stored) {
      const stream = await again.store.blobService.read(digest);
      if (stream === undefined) throw new Error(`${digest} was acknowledged, and is lost`);
      expect(B3Digest.of(await collect(stream, 32 << 20)).equals(digest)).toBe(true);
    }
    const maintenance = new LocalMaintenance(again.store, servicesOf(again.store), {
      collection: { graceMs: 0 },
    });
    expect(await maintenance.verify({ data: "all" })).toMatchObject({ faults: 0 });
    await again.store.close();
    console.log(
      `seed ${SEED}: ${stored.length} blobs stored, ${refused.length} calls refused, ${JSON.stringify(failing.counts)}`,
    );
  });

  test("an object store that is away is UNAVAILABLE, and works again when it is back", async () => {
    await using failing = await startFailingStore(engines.ceph.port);
    const addresses = { records: engines.postgres.freshAddress(), prefix: engines.ceph.freshAddress() };
    const { store } = await open(failing, addresses, { attempts: 1 });
    failing.failures = 1;
    const bytes = fixtures.pseudoRandomBytes(200_000, 1);
    await expect(store.blobService.put(bytes)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    // What is short lies in the records.
    const short = await store.blobService.put(fixtures.pseudoRandomBytes(2000, 2));
    expect(await store.blobService.has(short)).toBe(true);
    expect(await store.check()).toMatchObject({ code: "UNAVAILABLE" });
    failing.failures = 0;
    expect(await store.check()).toBeUndefined();
    const digest = await store.blobService.put(bytes);
    expect(await store.blobService.has(digest)).toBe(true);
    await store.close();
  });

  test("an upload that nobody ends is given up, and leaves nothing in the object store", async () => {
    const addresses = { records: engines.postgres.freshAddress(), prefix: engines.ceph.freshAddress() };
    const { store, extents } = await open(engines.ceph, addresses);
    const bucket = new Bucket(addresses.prefix);
    const parts = await bucket.begin("packs/0000abcd");
    await bucket.putPart("packs/0000abcd", parts, 1, fixtures.pseudoRandomBytes(5 << 20, 1));
    expect(await extents.removeAbandoned(0)).toBe(1);
    expect(await Array.fromAsync(bucket.unfinished("packs/"))).toEqual([]);
    bucket.close();
    await store.close();
  });

  test("objects of a store whose database is lost are found again", async () => {
    const prefix = engines.ceph.freshAddress();
    const one = await open(engines.ceph, { records: engines.postgres.freshAddress(), prefix });
    const bytes = fixtures.pseudoRandomBytes(100_000, 1);
    const digest = await one.store.blobService.put(bytes);
    await one.store.close();
    const records = engines.postgres.freshAddress();
    await expect(open(engines.ceph, { records, prefix })).rejects.toMatchObject({ code: "NOT_A_STORE" });
    const other = await open(engines.ceph, { records, prefix: `${prefix}&adopt=1` });
    expect(await other.store.blobService.has(digest)).toBe(false);
    expect(await other.store.findLostChunks()).toBe(1);
    const stream = await other.store.blobService.read(digest);
    expect(stream && (await collect(stream, 1 << 20))).toEqual(bytes);
    // Its next pack takes no number that is given.
    const next = await other.store.blobService.put(fixtures.pseudoRandomBytes(100_000, 2));
    expect(await other.store.blobService.has(next)).toBe(true);
    expect(await other.store.blobService.has(digest)).toBe(true);
    await other.store.close();
  });
});
