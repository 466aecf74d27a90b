import { MemoryRecordStore } from "@tvix/castore";
import { testExtents } from "@tvix/castore/testing";
import { S3Extents } from "@tvix/castore-s3";
import { afterAll, beforeAll, describe } from "vitest";
import { type CephServer, NO_CEPH, startCeph } from "../../../test/engines/ceph.ts";

if (NO_CEPH !== undefined) console.warn(`skipped: ${NO_CEPH}`);

describe.skipIf(NO_CEPH !== undefined)("S3", () => {
  let ceph: CephServer;
  beforeAll(async () => {
    ceph = await startCeph();
  });
  afterAll(async () => await ceph?.[Symbol.asyncDispose]());

  testExtents("S3", async () => {
    const records = new MemoryRecordStore();
    const address = ceph.freshAddress();
    const { credentials } = ceph;
    const open = () => S3Extents.open(address, { records, credentials });
    return { extents: await open(), reopen: open };
  });
});
