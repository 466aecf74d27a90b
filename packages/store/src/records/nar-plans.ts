import { concatBytes } from "@tvix/byte-stream";
import type { Node, RecordStore, StoredBlobs } from "@tvix/castore";
import { decodeParts, encodeParts } from "../nar/stored/part-codec.ts";
import type { StoredParts } from "../nar/stored/parts.ts";
import type { NarPlans } from "../nar/stored/plans.ts";
import { nodeKeyOf } from "./node-key.ts";
import { NAR_PLANS, type NarPlanSegment } from "./tables.ts";

/** A segment is complete when it has that many bytes. */
const SEGMENT_BYTES = 64 << 10;

/** Of larger trees no plan is kept: few directories may unfold to any number of files. */
const MAX_ENTRIES = 1n << 18n;

/** Segments of a plan that are written, at most: a node that somebody has made up may say that it is small. */
const MAX_SEGMENTS = 1024;

/** A node of which a plan may be kept. */
type PlannedNode = Exclude<Node, { type: "symlink" }>;

/**
 * Keeps plans as records, in segments, so that neither who writes one nor who reads it holds all of it. Trees of more
 * than 262,144 entries have none, nor have links.
 */
export class RecordNarPlans implements NarPlans {
  readonly #records: RecordStore;
  readonly #blobs: Pick<StoredBlobs, "chunkAt">;

  /** @param blobs those that describe the chunks */
  constructor(records: RecordStore, blobs: Pick<StoredBlobs, "chunkAt">) {
    this.#records = records;
    this.#blobs = blobs;
  }

  async *kept(root: Node, version: number): AsyncGenerator<StoredParts, boolean, undefined> {
    if (!hasPlan(root)) return false;
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
      const parts = this.#decoded(segment);
      if (parts === undefined) return false;
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
    const writer = hasPlan(root) ? new PlanWriter(this.#records, nodeKeyOf(root), version) : undefined;
    for await (const some of parts) {
      await writer?.add(some);
      yield some;
    }
    await writer?.finish();
  }

  /** Undefined for what is no part: another version of this software may have written it. */
  #decoded({ parts }: NarPlanSegment): StoredParts | undefined {
    try {
      return decodeParts(parts, this.#blobs);
    } catch {
      return undefined;
    }
  }

  async forget(root: Node): Promise<void> {
    if (!hasPlan(root)) return;
    // Without its first segment the others are nothing; a collection removes them, or the next plan replaces them.
    const key = { node: nodeKeyOf(root), number: 0 };
    if (await NAR_PLANS.has(this.#records, key)) await this.#records.write([NAR_PLANS.remove(key)]);
  }
}

function hasPlan(root: Node): root is PlannedNode {
  return root.type === "file" || (root.type === "directory" && root.size <= MAX_ENTRIES);
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
  #hasEnded = false;

  constructor(records: RecordStore, node: Uint8Array, version: number) {
    this.#records = records;
    this.#node = node;
    this.#version = version;
  }

  async add(parts: StoredParts): Promise<void> {
    if (this.#hasEnded) return;
    for (const part of parts) {
      // A segment is begun when there is more to come, so that the last one is not empty.
      if (this.#length >= SEGMENT_BYTES) await this.#write(false);
      if (this.#hasEnded) return;
      const encoded = encodeParts([part]);
      this.#count++;
      this.#encoded.push(encoded);
      this.#length += encoded.length;
    }
  }

  async finish(): Promise<void> {
    if (!this.#hasEnded) await this.#write(true);
  }

  async #write(isLast: boolean): Promise<void> {
    const segment: NarPlanSegment = {
      version: this.#version,
      first: this.#first,
      isLast,
      parts: concatBytes(this.#encoded),
    };
    const key = { node: this.#node, number: this.#number++ };
    try {
      await this.#records.write([NAR_PLANS.put(key, segment)]);
    } catch {
      this.#hasEnded = true;
    }
    if (this.#number === MAX_SEGMENTS) this.#hasEnded = true;
    this.#first += this.#count;
    this.#count = 0;
    this.#encoded = [];
    this.#length = 0;
  }
}
