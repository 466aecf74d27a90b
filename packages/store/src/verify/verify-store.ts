import { encodeHex } from "@tvix/byte-stream";
import type { Node, OperationOptions, RecordStore, Table } from "@tvix/castore";
import {
  type Fault,
  faultOf,
  type Scratch,
  TreeCheck,
  type VerificationParts,
  type VerifiedCounts,
  type VerifyOptions,
  verifyContents,
} from "@tvix/castore/backend";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { StoreError } from "../errors/store-error.ts";
import { FILES, NARS, PATH_INFOS, PINS } from "../records/tables.ts";

/** What is looked through. */
export interface StoreVerificationParts extends VerificationParts {
  /** Makes empty records, which should be near. */
  readonly openScratch: () => Promise<Scratch>;
  /** Further tables, whose records are to be readable. */
  // biome-ignore lint/suspicious/noExplicitAny: of whatever keys and values
  readonly tables?: readonly Table<any, any>[];
  /** What else contents are reached from, by names for people. */
  readonly rootsAlso?: () => AsyncIterable<{ readonly name: string; readonly node: Node }>;
}

/** Something that is wrong in a store, and where that shows. */
export interface StoreFault extends Fault {
  /** What lacks it: a store path, or the name of a pin. Undefined where the fault as such is told. */
  readonly of?: string;
}

/** What was looked at. */
export interface VerifiedStoreCounts extends VerifiedCounts {
  paths: number;
}

/**
 * Looks through a store: all contents, and whether each path and each pin has all of its own. Others may read, write and
 * collect meanwhile.
 *
 * @param counts are counted up while it goes on
 */
export async function* verifyStore(
  parts: StoreVerificationParts,
  counts: VerifiedStoreCounts,
  options: VerifyOptions = {},
): AsyncGenerator<StoreFault, void, undefined> {
  yield* verifyContents(parts, counts, options);
  for (const table of [NARS, FILES, ...(parts.tables ?? [])])
    yield* verifyTable(parts.records, table, options);
  const scratch = await parts.openScratch();
  try {
    const trees = new TreeCheck(parts.records, scratch.records);
    yield* verifyRoots(parts.records, trees, counts, options);
    for await (const { name, node } of parts.rootsAlso?.() ?? []) {
      yield* faultsOf(trees, node, name, async () => true, options);
    }
  } finally {
    await scratch.remove();
  }
}

/** Looks whether each record of a table can be read. */
async function* verifyTable<K>(
  records: RecordStore,
  table: Table<K, unknown>,
  options: OperationOptions,
): AsyncGenerator<StoreFault, void, undefined> {
  for await (const entry of table.entries(records, undefined, options)) {
    const { key } = entry.isUnchanged();
    const inspect = async () => {
      const value = await records.get(key);
      if (value !== undefined && table.decode(entry.key(), value) === undefined) {
        throw new StoreError("CORRUPT", `the record of ${table.declaration.subject(entry.key())} is damaged`);
      }
    };
    const name = `${table.declaration.prefix} ${encodeHex(key.subarray(table.declaration.prefix.length))}`;
    const fault = await faultOf(inspect, "record", name, () => records.has(key));
    if (fault !== undefined) yield fault;
  }
}

async function* verifyRoots(
  records: RecordStore,
  trees: TreeCheck,
  counts: VerifiedStoreCounts,
  options: OperationOptions,
): AsyncGenerator<StoreFault, void, undefined> {
  for await (const entry of PATH_INFOS.entries(records, undefined, options)) {
    counts.paths++;
    const digest = entry.key();
    const isThere = () => PATH_INFOS.has(records, digest);
    const damage = await faultOf(
      () => PATH_INFOS.get(records, digest),
      "path-info",
      encodeNixbase32(digest),
      isThere,
    );
    if (damage !== undefined) {
      yield damage;
      continue;
    }
    const info = PATH_INFOS.decode(digest, entry.isUnchanged().value ?? new Uint8Array(0));
    if (info === undefined) continue;
    yield* faultsOf(trees, info.node, info.storePath.toAbsolute(), isThere, options);
  }
  for await (const entry of PINS.entries(records, undefined, options)) {
    const name = entry.key();
    const isThere = () => PINS.has(records, name);
    const damage = await faultOf(() => PINS.get(records, name), "record", `pin ${name}`, isThere);
    if (damage !== undefined) {
      yield damage;
      continue;
    }
    const target = await PINS.find(records, name);
    if (
      target?.type === "path" &&
      !(await PATH_INFOS.has(records, target.storePath.digest)) &&
      (await isThere())
    ) {
      const text = `${target.storePath.toAbsolute()} is not in the store`;
      yield { subject: "record", name: `pin ${name}`, kind: "missing", text };
    }
    if (target?.type === "node") yield* faultsOf(trees, target.node, `pin ${name}`, isThere, options);
  }
}

/** Nothing is wrong with what has been removed since it was listed. */
async function* faultsOf(
  trees: TreeCheck,
  node: Node,
  of: string,
  isThere: () => Promise<boolean>,
  options: OperationOptions,
): AsyncGenerator<StoreFault, void, undefined> {
  const faults = await trees.faultsOf(node, options);
  if (faults.length === 0 || !(await isThere())) return;
  for (const fault of faults) yield { ...fault, of };
}
