import { inBatches } from "../concurrency/in-batches.ts";
import type { Node } from "../directory/node.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordChange, RecordCondition, RecordStore } from "../records/record-store.ts";
import { CONDEMNED } from "../records/tables.ts";
import type { CollectionState } from "./collection-state.ts";
import { Collector } from "./collector.ts";
import { condemn, unreached, unreachedAmong } from "./condemn.ts";
import { LiveSet } from "./live-set.ts";
import { markUncondemned } from "./mark-uncondemned.ts";
import { Marker } from "./marker.ts";
import { removeBrokenLists } from "./remove-broken-lists.ts";
import { ContentCounter, type ContentCounts } from "./sizes.ts";
import { sweep } from "./sweep.ts";

/** Records for the length of a look. */
export interface Scratch {
  readonly records: RecordStore;
  /** Removes them. */
  remove(): Promise<void>;
}

/** What a collection works on. */
export interface CollectionParts {
  /** Contents, and all that reaches them. */
  readonly records: RecordStore;
  /** Makes empty records, which should be near: each look marks what it reaches in some. */
  readonly openScratch: () => Promise<Scratch>;
  /** Marks everything from which contents are reached. Called for each look. */
  readonly markRoots: (marker: Marker) => Promise<void>;
  /** Removes what else has become useless. Called at the end of each second look. */
  readonly sweepAlso?: (look: SecondLook) => Promise<void>;
}

/** What is known at the end of a second look. */
export interface SecondLook {
  /** Whether contents are kept, as far as they are there. */
  isKept(node: Node): Promise<boolean>;
  /** Writes something of the collection; false when a condition does not hold. */
  write(changes: readonly RecordChange[], conditions?: readonly RecordCondition[]): Promise<boolean>;
}

/** How a collection goes. */
export interface CollectOptions extends OperationOptions {
  /**
   * Time between the two looks, in milliseconds: what somebody was told is there stays at least that long, so that
   * an upload that takes longer may have to be repeated.
   */
  readonly graceMs: number;
}

/** What a collection has done. */
export interface CollectionReport {
  /** What a second look has removed; undefined where none was due. */
  readonly removed: ContentCounts | undefined;
  /** What a first look has condemned; undefined where none was due. */
  readonly condemned: ContentCounts | undefined;
  /** From when on what is condemned can be removed, in milliseconds since 1970; undefined where nothing waits. */
  readonly due: number | undefined;
}

/**
 * Removes contents that nothing reaches, in two looks: the first condemns them, the second removes what is
 * condemned and still unreachable. Each call does what is due: the second look of the collection before,
 * once the time between the looks has passed, and the first look of the next.
 *
 * Others may store, claim and read meanwhile, in this process and in others; a collection that was
 * interrupted goes on with the next call.
 *
 * @throws CastoreError LOCKED when somebody else collects; CORRUPT, INCOMPLETE when it cannot be told what is reachable
 */
export async function collectGarbage(
  parts: CollectionParts,
  options: CollectOptions,
): Promise<CollectionReport> {
  const collector = await Collector.start(parts.records);
  try {
    let removed: ContentCounts | undefined;
    let condemned: ContentCounts | undefined;
    if (isDue(collector.state, options.graceMs)) removed = await secondLook(parts, collector, options);
    if (isAtStart(collector.state)) {
      condemned = await firstLook(parts, collector, options);
      if (isDue(collector.state, options.graceMs)) {
        removed = sumOf(removed, await secondLook(parts, collector, options));
      }
    }
    const { phase, since } = collector.state;
    return { removed, condemned, due: phase === "waiting" ? since + options.graceMs : undefined };
  } finally {
    await collector.end();
  }
}

/**
 * Removes contents that nothing else reaches, at once: for what must not be here any longer. Who is about to store
 * something that shares contents with it may have to begin again; trees that nothing reaches may lose what they have
 * in common with it. A collection that waits for its second look begins anew.
 *
 * @param begin called when nobody else collects any more: removes what reaches the contents, and returns them
 * @throws CastoreError LOCKED when somebody collects; then nothing has been done
 */
export async function removeContents(
  parts: CollectionParts,
  begin: () => Promise<readonly Node[]>,
  options: OperationOptions = {},
): Promise<ContentCounts> {
  const { records } = parts;
  const collector = await Collector.start(records);
  try {
    await collector.enter("condemning", collector.state.number + 1);
    await removeMarks(collector, records);
    const nodes = await begin();
    await withLiveSet(parts, async (live) => {
      await parts.markRoots(new Marker(records, live, options));
      await withLiveSet(parts, async (below) => {
        const marker = new Marker(records, below, { ...options, skipsUnreadable: true });
        for (const node of nodes) await marker.node(node);
        await condemn(collector, unreachedAmong(records, live, below));
      });
    });
    await collector.enter("sweeping");
    return await withLiveSet(parts, async (live) => {
      await parts.markRoots(new Marker(records, live, options));
      const counts = await sweep(collector, records, live, options);
      await removeBrokenLists(collector, records, options);
      await parts.sweepAlso?.(secondLookOf(collector, live));
      await collector.enter("idle");
      return counts;
    });
  } finally {
    await collector.end();
  }
}

/** What nothing reaches at present: looked at, and nothing else. */
export async function findGarbage(
  parts: CollectionParts,
  options: OperationOptions = {},
): Promise<ContentCounts> {
  return await withLiveSet(parts, async (live) => {
    await parts.markRoots(new Marker(parts.records, live, options));
    const counts = new ContentCounter();
    for await (const { content, record } of unreached(parts.records, live, options))
      counts.add(content, record);
    return counts;
  });
}

function isAtStart({ phase }: CollectionState): boolean {
  return phase === "idle" || phase === "condemning";
}

/** A clock that went back must not keep what is condemned for ever. */
function isDue({ phase, since }: CollectionState, graceMs: number): boolean {
  const now = Date.now();
  return phase === "sweeping" || (phase === "waiting" && (now >= since + graceMs || now < since - graceMs));
}

async function firstLook(
  parts: CollectionParts,
  collector: Collector,
  options: CollectOptions,
): Promise<ContentCounts> {
  const { phase, number } = collector.state;
  if (phase === "idle") await collector.enter("condemning", number + 1);
  return await withLiveSet(parts, async (live) => {
    await parts.markRoots(new Marker(parts.records, live, options));
    const counts = await condemn(collector, unreached(parts.records, live, options));
    // Marks that another collection has left, which did not come to its end, go with a second look.
    const isClean = counts.isEmpty && !(await isAnyCondemned(parts.records));
    await collector.enter(isClean ? "idle" : "waiting");
    return counts;
  });
}

/** Marks that are removed together. */
const REMOVED_TOGETHER = 250;

/** Nothing that an earlier collection has condemned goes with another one. */
async function removeMarks(collector: Collector, records: RecordStore): Promise<void> {
  for await (const batch of inBatches(CONDEMNED.entries(records), REMOVED_TOGETHER)) {
    await collector.write(batch.map((entry) => entry.remove()));
  }
}

async function isAnyCondemned(records: RecordStore): Promise<boolean> {
  for await (const _ of CONDEMNED.entries(records)) return true;
  return false;
}

async function secondLook(
  parts: CollectionParts,
  collector: Collector,
  options: CollectOptions,
): Promise<ContentCounts> {
  const { records } = parts;
  if (collector.state.phase !== "sweeping") await collector.enter("sweeping");
  return await withLiveSet(parts, async (live) => {
    const marker = new Marker(records, live, options);
    await parts.markRoots(marker);
    await markUncondemned(records, live, marker, options);
    const counts = await sweep(collector, records, live, options);
    await parts.sweepAlso?.(secondLookOf(collector, live));
    await collector.enter("idle");
    return counts;
  });
}

function secondLookOf(collector: Collector, live: LiveSet): SecondLook {
  return {
    isKept: (node) => isKept(live, node),
    write: (changes, conditions) => collector.write(changes, conditions),
  };
}

async function isKept(live: LiveSet, node: Node): Promise<boolean> {
  if (node.type === "symlink") return true;
  const kind = node.type === "directory" ? "directory" : "blob";
  return (await live.hasMany([{ kind, digest: node.digest }]))[0] === true;
}

async function withLiveSet<T>(parts: CollectionParts, use: (live: LiveSet) => Promise<T>): Promise<T> {
  const scratch = await parts.openScratch();
  try {
    return await use(new LiveSet(scratch.records));
  } finally {
    await scratch.remove();
  }
}

function sumOf(one: ContentCounts | undefined, other: ContentCounts): ContentCounts {
  if (one === undefined) return other;
  const { blobs, chunks, directories, bytes, extents } = other;
  return {
    blobs: one.blobs + blobs,
    chunks: one.chunks + chunks,
    directories: one.directories + directories,
    bytes: one.bytes + bytes,
    extents: new Set([...one.extents, ...extents]),
  };
}
