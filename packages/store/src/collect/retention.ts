import type { OperationOptions, RecordStore } from "@tvix/castore";
import { LiveSet, Marker, type Scratch } from "@tvix/castore/backend";
import { PATH_INFOS, PINS, USES } from "../records/tables.ts";
import { KeptPaths } from "./kept-paths.ts";
import { PartOfRecords } from "./part-of-records.ts";

/** Which store paths are kept: those that are pinned, and of the others as many as these allow. */
export interface Retention {
  /** Time after its last use for which a path is kept, in milliseconds. Default: for ever. */
  readonly unusedMs?: number | undefined;
  /**
   * Bytes that the chunks of all that is kept may take; who was used the longest time ago goes first. What is pinned
   * counts, and stays in any case. Default: any number.
   */
  readonly maxBytes?: number | undefined;
}

/** Why a path goes. */
export type ReasonToGo = "unused" | "size";

/** What a {@link Retention} says of a store. */
export interface RetainedPaths {
  /** Why a path that is there goes; undefined for one that is kept. */
  whyGoes(digest: Uint8Array): Promise<ReasonToGo | undefined>;
  /** Keeps a path as well, with all that it refers to. */
  keep(digest: Uint8Array): Promise<void>;
  /** Frees what it holds. */
  close(): Promise<void>;
}

/** Finds out which paths are kept. One of which no use is known counts as used now. @throws CastoreError CORRUPT */
export async function retain(
  records: RecordStore,
  openScratch: () => Promise<Scratch>,
  { unusedMs, maxBytes }: Retention,
  options: OperationOptions = {},
): Promise<RetainedPaths> {
  const scratch = await openScratch();
  const close = () => scratch.remove();
  try {
    const recent = new KeptPaths(records, new PartOfRecords(scratch.records, RECENT));
    await keepPinned(records, recent, options);
    for await (const { digest, lastUse } of uses(records, options)) {
      if (unusedMs === undefined || lastUse > Date.now() - unusedMs) await recent.keep(digest);
    }
    if (maxBytes === undefined) {
      return retained(recent, recent, close);
    }
    const fitting = await keepFitting(records, scratch, recent, { maxBytes, ...options });
    return retained(recent, fitting, close);
  } catch (error) {
    await close();
    throw error;
  }
}

function retained(recent: KeptPaths, kept: KeptPaths, close: () => Promise<void>): RetainedPaths {
  return {
    async whyGoes(digest) {
      if (await kept.has(digest)) return undefined;
      return (await recent.has(digest)) ? "size" : "unused";
    },
    keep: async (digest) => void (await kept.keep(digest)),
    close,
  };
}

/** What the scratch records are for. */
const [RECENT, FITTING, IN_ORDER, LIVE] = [0, 1, 2, 3].map((part) => Uint8Array.of(part)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

async function keepPinned(records: RecordStore, kept: KeptPaths, options: OperationOptions): Promise<void> {
  for await (const entry of PINS.entries(records, undefined, options)) {
    const target = entry.value();
    if (target.type === "path") await kept.keep(target.storePath.digest);
  }
}

/** When each path was used last. */
async function* uses(
  records: RecordStore,
  options: OperationOptions,
): AsyncGenerator<{ readonly digest: Uint8Array; readonly lastUse: number }, void, undefined> {
  for await (const entry of PATH_INFOS.entries(records, undefined, options)) {
    const digest = entry.key();
    yield { digest, lastUse: (await USES.find(records, digest)) ?? Date.now() };
  }
}

/** Of what is recent, what was pinned or used last, as far as it fits. */
async function keepFitting(
  records: RecordStore,
  scratch: Scratch,
  recent: KeptPaths,
  { maxBytes, signal }: OperationOptions & { readonly maxBytes: number },
): Promise<KeptPaths> {
  const options = signal === undefined ? {} : { signal };
  const ordered = new PartOfRecords(scratch.records, IN_ORDER);
  for await (const { digest, lastUse } of uses(records, options)) {
    if (!(await recent.has(digest))) continue;
    const key = new Uint8Array(8 + digest.length);
    // The one that was used last comes first.
    new DataView(key.buffer).setBigUint64(0, BigInt(Number.MAX_SAFE_INTEGER - lastUse));
    key.set(digest, 8);
    await ordered.write([{ type: "put", key, value: new Uint8Array(0) }]);
  }
  const live = new LiveSet(new PartOfRecords(scratch.records, LIVE));
  const marker = new Marker(records, live, { ...options, counts: true });
  const fitting = new KeptPaths(records, new PartOfRecords(scratch.records, FITTING), ({ node }) =>
    marker.node(node),
  );
  for await (const entry of PINS.entries(records, undefined, options)) {
    const target = entry.value();
    if (target.type === "node") await marker.node(target.node);
  }
  await keepPinned(records, fitting, options);
  for await (const [key] of ordered.entries({ prefix: new Uint8Array(0) }, options)) {
    const added = await fitting.keep(key.slice(8));
    if (marker.storedBytes <= maxBytes) continue;
    await fitting.forget(added);
    break;
  }
  return fitting;
}
