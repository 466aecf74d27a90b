import { concatBytes } from "@tvix/byte-stream";
import type { Node, RecordChange, RecordStore, StoredBlobs } from "@tvix/castore";
import { decodeParts, encodeParts } from "../nar/stored/part-codec.ts";
import { narLengthOf, type StoredParts } from "../nar/stored/parts.ts";
import type { KeptEnd, NarPlans } from "../nar/stored/plans.ts";
import { NAR_PLANS, type NarPlanSegment } from "./nar-tables.ts";
import { nodeKeyOf } from "./node-key.ts";

/** A segment is complete when it has that many bytes. */
const SEGMENT_BYTES = 64 << 10;

/** Segments of a plan, at most. Few directories may unfold to any number of files: of these there is none. */
const MAX_SEGMENTS = 1024;

/**
 * Keeps plans as records, in segments, so that neither who writes one nor who reads it holds all of it. Links have none,
 * nor has what would take more than 64 MiB.
 */
export class RecordNarPlans implements NarPlans {
  readonly #records: RecordStore;
  readonly #blobs: Pick<StoredBlobs, "chunkAt">;

  /** @param blobs those that describe the chunks */
  constructor(records: RecordStore, blobs: Pick<StoredBlobs, "chunkAt">) {
    this.#records = records;
    this.#blobs = blobs;
  }

  async *kept(root: Node, version: number): AsyncGenerator<StoredParts, KeptEnd, undefined> {
    if (root.type === "symlink") return "none";
    const key = nodeKeyOf(root);
    const find = (number: number) => NAR_PLANS.find(this.#records, { node: key, number });
    let start = 0;
    let ahead = find(0);
    for (let number = 0; ; number++) {
      const segment = await ahead;
      // Another one was being written meanwhile, or something was removed: the rest can be found otherwise.
      if (segment?.version !== version || segment.start !== start) return "not all";
      if (segment.follows === "none") return "none";
      if (segment.follows === "more") ahead = find(number + 1);
      // Nobody waits for it until its turn comes.
      ahead.catch(() => {});
      const parts = this.#decoded(segment);
      if (parts === undefined) return "not all";
      for (const part of parts) start += narLengthOf(part);
      yield parts;
      if (segment.follows === "end") return "all";
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

  /** Undefined for what is no part: another version of this software may have written it. */
  #decoded({ parts }: NarPlanSegment): StoredParts | undefined {
    try {
      return decodeParts(parts, this.#blobs);
    } catch {
      return undefined;
    }
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
  /** Bytes of the NAR that lie before this segment, and in it. */
  #start = 0;
  #narLength = 0;
  #encoded: Uint8Array[] = [];
  #length = 0;
  #hasEnded = false;

  constructor(records: RecordStore, node: Uint8Array, version: number) {
    this.#records = records;
    this.#node = node;
    this.#version = version;
  }

  async add(parts: StoredParts): Promise<void> {
    for (const part of parts) {
      // A segment is begun when there is more to come, so that the last one is not empty.
      if (!this.#hasEnded && this.#length >= SEGMENT_BYTES) await this.#write("more");
      if (this.#hasEnded) return;
      const encoded = encodeParts([part]);
      this.#narLength += narLengthOf(part);
      this.#encoded.push(encoded);
      this.#length += encoded.length;
    }
  }

  async finish(): Promise<void> {
    if (!this.#hasEnded) await this.#write("end");
  }

  async #write(follows: "more" | "end"): Promise<void> {
    const parts = concatBytes(this.#encoded);
    const segment: NarPlanSegment = { version: this.#version, start: this.#start, follows, parts };
    const put = NAR_PLANS.put({ node: this.#node, number: this.#number++ }, segment);
    const isTooLong = follows === "more" && this.#number === MAX_SEGMENTS;
    try {
      await this.#records.write(isTooLong ? this.#noPlan() : [put]);
    } catch {
      this.#hasEnded = true;
    }
    if (isTooLong) this.#hasEnded = true;
    this.#start += this.#narLength;
    this.#narLength = 0;
    this.#encoded = [];
    this.#length = 0;
  }

  /** Takes back what was written, and notes that nobody need try again. */
  #noPlan(): readonly RecordChange[] {
    const keyOf = (number: number) => ({ node: this.#node, number });
    const none: NarPlanSegment = {
      version: this.#version,
      start: 0,
      follows: "none",
      parts: new Uint8Array(0),
    };
    const later = Array.from({ length: MAX_SEGMENTS - 1 }, (_, index) => NAR_PLANS.remove(keyOf(index + 1)));
    return [NAR_PLANS.put(keyOf(0), none), ...later];
  }
}
