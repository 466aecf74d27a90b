import type { Node, OperationOptions } from "@tvix/castore";
import { type ContentMender, isOfMendedStore } from "@tvix/castore/backend";
import type { PathInfo } from "../path-info/path-info.ts";
import type { RepairSource, StoreRepairParts } from "./repair.ts";

/** Brings back store paths that have lost contents, or their path info. */
export class PathMender {
  readonly #parts: StoreRepairParts;
  readonly #mender: ContentMender;
  readonly #sources: readonly RepairSource[];

  constructor(parts: StoreRepairParts, mender: ContentMender, sources: readonly RepairSource[]) {
    this.#parts = parts;
    this.#mender = mender;
    this.#sources = sources;
  }

  /** Brings back what is below a node. @returns whether all of it is there then */
  async contents(node: Node | undefined, options: OperationOptions = {}): Promise<boolean> {
    return node !== undefined && (await this.#mender.tree(node, options));
  }

  /**
   * Brings back a path.
   *
   * @param info undefined when it is lost
   * @returns whether all of it is there then
   */
  async mend(
    digest: Uint8Array,
    info: PathInfo | undefined,
    options: OperationOptions = {},
  ): Promise<boolean> {
    if (await this.contents(info?.node, options)) return true;
    for (const { pathInfoService } of this.#sources) {
      try {
        const theirs = await pathInfoService?.get(digest, options);
        if (theirs === undefined || !(await this.contents(info?.node ?? theirs.node, options))) continue;
        if (info === undefined) await this.#parts.pathInfoService.put(theirs, options);
        return true;
      } catch (error) {
        options.signal?.throwIfAborted();
        if (isOfMendedStore(error)) throw error;
        this.#parts.onFailure?.(error);
      }
    }
    return false;
  }
}
