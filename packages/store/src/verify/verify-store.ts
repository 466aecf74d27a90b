import { encodeHex } from "@tvix/byte-stream";
import type { OperationOptions, RecordStore, Table } from "@tvix/castore";
import {
  faultOf,
  type LocatedFault,
  unhurried,
  type VerifyOptions,
  verifyContents,
} from "@tvix/castore/backend";
import { StoreError } from "../errors/store-error.ts";
import { FILES, NARS } from "../records/nar-tables.ts";
import { brokenRoots } from "./broken-roots.ts";
import type { StoreFault, StoreVerificationParts, VerifiedStoreCounts } from "./verification.ts";

/**
 * Looks through a store: all contents, and whether each path and each pin has all of its own. Others may read, write and
 * collect meanwhile.
 *
 * @param counts are counted up while it goes on
 */
export async function* verifyStore(
  hurried: StoreVerificationParts,
  counts: VerifiedStoreCounts,
  options: VerifyOptions = {},
): AsyncGenerator<StoreFault, void, undefined> {
  const parts = unhurried(hurried);
  yield* verifyContents(parts, counts, options);
  for await (const { fault } of brokenRecords(parts, options)) yield fault;
  for await (const { name, node, faults } of brokenRoots(parts, counts, options)) {
    // Of a root that cannot be read, the fault is its own.
    for (const fault of faults) yield node === undefined ? fault : { ...fault, of: name };
  }
  if ((await parts.checkJournal?.()) === false) {
    const text = "a part of the journal cannot be read: nothing is lost, as long as the index is there";
    yield { subject: "record", name: "journal", kind: "damaged", text };
  }
}

/** Records beside contents that cannot be read. */
export async function* brokenRecords(
  { records, tables = [] }: StoreVerificationParts,
  options: OperationOptions = {},
): AsyncGenerator<LocatedFault, void, undefined> {
  for (const table of [NARS, FILES, ...tables]) yield* brokenIn(table, records, options);
}

async function* brokenIn<K>(
  table: Table<K, unknown>,
  records: RecordStore,
  options: OperationOptions,
): AsyncGenerator<LocatedFault, void, undefined> {
  for await (const entry of table.entries(records, undefined, options)) {
    const record = entry.isUnchanged();
    const { key } = record;
    const inspect = async () => {
      const value = await records.get(key);
      if (value !== undefined && table.decode(entry.key(), value) === undefined) {
        throw new StoreError("CORRUPT", `the record of ${table.declaration.subject(entry.key())} is damaged`);
      }
    };
    const name = `${table.declaration.prefix} ${encodeHex(key.subarray(table.declaration.prefix.length))}`;
    const fault = await faultOf(inspect, "record", name, () => records.has(key));
    if (fault !== undefined) yield { fault, record };
  }
}
