import { testBlobService, testDirectoryService, testLifeCycle } from "@tvix/castore/testing";
import { PostgresRecordStore } from "@tvix/castore-postgres";
import { servicesOf } from "@tvix/server";
import { testPathInfoService } from "@tvix/store/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, test } from "vitest";
import { moments, runMoments, withTimeOfTests } from "../../packages/store/test/collect/model.ts";
import { type Engines, NO_ENGINES, openShared, startEngines } from "../engines/shared-store.ts";

if (NO_ENGINES !== undefined) console.warn(`skipped: ${NO_ENGINES}`);

describe.skipIf(NO_ENGINES !== undefined)("a store on PostgreSQL and S3", () => {
  let engines: Engines;
  beforeAll(async () => {
    engines = await startEngines();
  });
  afterAll(async () => await engines?.[Symbol.asyncDispose]());

  const open = () => openShared(engines.freshAddresses());

  testBlobService("PostgreSQL and S3", open);
  testDirectoryService("PostgreSQL and S3", open);
  testLifeCycle("PostgreSQL and S3", async () => {
    const addresses = engines.freshAddresses();
    return { open: () => openShared(addresses) };
  });
  testPathInfoService("PostgreSQL and S3", async () => {
    const store = await open();
    return { ...servicesOf(store), close: () => store.close() };
  });

  describe("collections", () => {
    withTimeOfTests();

    test("whatever two do at once, nothing that is reached is lost, and the rest goes", {
      timeout: 300_000,
    }, async () => {
      const run = async (all: Parameters<typeof runMoments>[1]) => {
        const { records } = engines.freshAddresses();
        const [one, other] = [
          await PostgresRecordStore.open(records),
          await PostgresRecordStore.open(records),
        ];
        try {
          await runMoments([one, other], all);
        } finally {
          await Promise.all([one.close(), other.close()]);
        }
      };
      await fc.assert(fc.asyncProperty(moments, run), { numRuns: 10 });
    });
  });
});
