import { concatBytes } from "@tvix/byte-stream";
import type { Node, RecordStore, StoredBlobs } from "@tvix/castore";
import { decodeParts, encodeParts } from "../nar/stored/part-codec.ts";
import type { StoredParts } from "../nar/stored/parts.ts";
import type { NarPlans } from "../nar/stored/plans.ts";
import { nodeKeyOf } from "./node-key.ts";
import { NAR_PLANS, type NarPlanSegment } from "./tables.ts";

/** A segment is complete when it has that many bytes. */
const SEGMENT_BYTES = 64 << 10;

/** Keeps plans as records, in segments, so that neither who writes one nor who reads it holds all of it. */
export class RecordNarPlans implements NarPlans {
  readonly #records: RecordStore;
  readonly #blobs: Pick<StoredBlobs, "chunkAt">;

  /** @param blobs those that describe the chunks */
  constructor(records: RecordStore, blobs: Pick<StoredBlobs, "chunkAt">) {
    this.#records = records;
    this.#blobs = blobs;
  }

  async *kept(root: Node, version: number): AsyncGenerator<StoredParts, boolean, undefined> {
    if (root.type === "symlink") return false;
    const key = nodeKeyOf(root);
    const find = (number: number) => NAR_PLANS.find(this.#records, { node: key, number });
    let first = 0;
    let ahead = find(0);
    for (let number = 0; ; number++) {
      const segment = await ahead;
      // Another one was being written meanwhile, or something was removed: the rest can be found otherwise.
      if (segment?.version !== version || segment.first !== first) return false;
      if (!segment.isLast) ahead = find(number + 1);
      // Nobody waits for it until its turn comes.
      ahead.catch(() => {});
      const parts = decodeParts(segment.parts, this.#blobs);
      first += parts.length;
      yield parts;
      if (segment.isLast) return true;
    }
  }

  async *keeping(
    root: Node,
    version: number,
    parts: AsyncIterable<StoredParts>,
  ): AsyncGenerator<StoredParts, void, undefined> {
    const writer =
      root.type === "symlink" ? undefined : new PlanWriter(this.#records, nodeKeyOf(root), version);
    for await (const some of parts) {
      await writer?.add(some);
      yield some;
    }
    await writer?.finish();
  }

  async forget(root: Node): Promise<void> {
    if (root.type === "symlink") return;
    // Without its first segment the others are nothing; a collection removes them, or the next plan replaces them.
    const key = { node: nodeKeyOf(root), number: 0 };
    if (await NAR_PLANS.has(this.#records, key)) await this.#records.write([NAR_PLANS.remove(key)]);
  }
}

/** Writes the segments of one plan. One that cannot be written is left: it can be made again. */
class PlanWriter {
  readonly #records: RecordStore;
  readonly #node: Uint8Array;
  readonly #version: number;
  #number = 0;
  #first = 0;
  #count = 0;
  #encoded: Uint8Array[] = [];
  #length = 0;
  #hasFailed = false;

  constructor(records: RecordStore, node: Uint8Array, version: number) {
    this.#records = records;
    this.#node = node;
    this.#version = version;
  }

  async add(parts: StoredParts): Promise<void> {
    if (this.#hasFailed) return;
    for (const part of parts) {
      // A segment is begun when there is more to come, so that the last one is not empty.
      if (this.#length >= SEGMENT_BYTES) await this.#write(false);
      const encoded = encodeParts([part]);
      this.#count++;
      this.#encoded.push(encoded);
      this.#length += encoded.length;
    }
  }

  async finish(): Promise<void> {
    if (!this.#hasFailed) await this.#write(true);
  }

  async #write(isLast: boolean): Promise<void> {
    const segment: NarPlanSegment = {
      version: this.#version,
      first: this.#first,
      isLast,
      parts: concatBytes(this.#encoded),
    };
    const key = { node: this.#node, number: this.#number++ };
    await this.#records.write([NAR_PLANS.put(key, segment)]).catch(() => {
      this.#hasFailed = true;
    });
    this.#first += this.#count;
    this.#count = 0;
    this.#encoded = [];
    this.#length = 0;
  }
}
