import { compareBytes } from "@tvix/byte-stream";
import { inBatches } from "../concurrency/in-batches.ts";
import { B3Digest } from "../digest/b3-digest.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordStore } from "../records/record-store.ts";
import { CONDEMNED, CONTENT, type Content, type ContentKind } from "../records/tables.ts";
import type { Collector } from "./collector.ts";
import { recordKeyOf } from "./fence.ts";
import type { LiveSet } from "./live-set.ts";
import { ContentCounter } from "./sizes.ts";

/** Marks that are set together. */
const BATCH = 250;

const KINDS: readonly ContentKind[] = ["directory", "blob", "chunk"];

/** Content that a look has not reached. */
export interface Unreached {
  readonly content: Content;
  readonly record: Uint8Array;
}

/** Everything that is there and was not reached: both are in the order of their digests, and are gone through once. */
export async function* unreached(
  records: RecordStore,
  live: LiveSet,
  options: OperationOptions = {},
): AsyncGenerator<Unreached, void, undefined> {
  for (const kind of KINDS) {
    const reached = live.keys(kind);
    let next = await reached.next();
    const prefix = recordKeyOf({ kind, digest: ZERO }).subarray(0, PREFIX_BYTES);
    for await (const [key, record] of records.entries({ prefix }, options)) {
      const digest = key.slice(PREFIX_BYTES);
      while (next.done !== true && compareBytes(next.value.subarray(1), digest) < 0)
        next = await reached.next();
      if (next.done !== true && compareBytes(next.value.subarray(1), digest) === 0) continue;
      // What is no digest was written by nobody.
      if (digest.length === ZERO.bytes.length)
        yield { content: { kind, digest: B3Digest.from(digest) }, record };
    }
    await reached.return();
  }
}

const ZERO = B3Digest.from(new Uint8Array(32));

/** Of the keys of contents: a letter and a digit. */
const PREFIX_BYTES = 2;

/** The same of what some other marks are on. */
export async function* unreachedAmong(
  records: RecordStore,
  live: LiveSet,
  among: LiveSet,
): AsyncGenerator<Unreached, void, undefined> {
  for (const kind of KINDS) {
    for await (const keys of inBatches(among.keys(kind), BATCH)) {
      const batch = keys.map(CONTENT.decode);
      const isReached = await live.hasMany(batch);
      const found = await records.getMany(batch.map(recordKeyOf));
      for (const [index, content] of batch.entries()) {
        const record = found[index];
        if (isReached[index] === false && record !== undefined) yield { content, record };
      }
    }
  }
}

/** Condemns what was not reached. It is there, and can be had back, until a second look. */
export async function condemn(
  collector: Collector,
  found: AsyncIterable<Unreached>,
): Promise<ContentCounter> {
  const counts = new ContentCounter();
  for await (const batch of inBatches(found, BATCH)) {
    for (const { content, record } of batch) counts.add(content, record);
    await collector.write(batch.map(({ content }) => CONDEMNED.put(content, collector.state.number)));
  }
  return counts;
}
