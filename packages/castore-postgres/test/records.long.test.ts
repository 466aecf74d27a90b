import { openRecordStore } from "@tvix/castore";
import { testBlobService, testDirectoryService, testLifeCycle, testRecordStore } from "@tvix/castore/testing";
import { PostgresRecordStore } from "@tvix/castore-postgres";
import { afterAll, beforeAll, describe } from "vitest";
import { NO_POSTGRES, type PostgresServer, startPostgres } from "../../../test/engines/postgres.ts";
import { testAnyWrites } from "../../castore/test/any-writes.ts";

if (NO_POSTGRES !== undefined) console.warn(`skipped: ${NO_POSTGRES}`);

describe.skipIf(NO_POSTGRES !== undefined)("PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => await server?.[Symbol.asyncDispose]());

  const fresh = async () => {
    const records = await PostgresRecordStore.open(server.freshAddress());
    return { records, close: () => records.close() };
  };
  const open = async (address: string) => {
    const records = await PostgresRecordStore.open(address);
    return { ...(await openRecordStore(records)), close: () => records.close() };
  };

  testRecordStore("PostgreSQL", fresh);
  testAnyWrites("PostgreSQL", fresh);
  testBlobService("PostgreSQL alone", () => open(server.freshAddress()));
  testDirectoryService("PostgreSQL alone", () => open(server.freshAddress()));
  testLifeCycle("PostgreSQL", async () => {
    const address = server.freshAddress();
    return { open: () => open(address) };
  });
});
