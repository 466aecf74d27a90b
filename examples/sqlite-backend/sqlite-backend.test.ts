import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IndexedChunkStore } from "@tvix/castore/backend";
import {
  testBlobService,
  testChunkStore,
  testDirectoryService,
  testLifeCycle,
  testRecordStore,
} from "@tvix/castore/testing";
import { RecordPathInfoService } from "@tvix/store/records";
import { testPathInfoService } from "@tvix/store/testing";
import { openSqliteStore } from "./open-sqlite-store.ts";
import { SqliteRecordStore } from "./sqlite-record-store.ts";

testRecordStore("SQLite", async () => {
  const records = new SqliteRecordStore(":memory:");
  return { records, close: () => records.close() };
});

testChunkStore("SQLite alone", async () => {
  const records = new SqliteRecordStore(":memory:");
  const open = () => IndexedChunkStore.open({ records });
  return { chunks: await open(), reopen: open, close: () => records.close() };
});

async function folder() {
  const path = await mkdtemp(join(tmpdir(), "sqlite-"));
  return { open: () => openSqliteStore(path), remove: () => rm(path, { recursive: true }) };
}

async function emptyStore() {
  const { open, remove } = await folder();
  const store = await open();
  const close = async () => {
    await store.close();
    await remove();
  };
  return { ...store, close };
}

testBlobService("SQLite and packs", emptyStore);
testDirectoryService("SQLite and packs", emptyStore);
testLifeCycle("SQLite and packs", folder);

testPathInfoService("SQLite", async () => {
  const records = new SqliteRecordStore(":memory:");
  return { pathInfoService: new RecordPathInfoService(records), close: () => records.close() };
});
