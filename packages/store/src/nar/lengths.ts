import type { DirectoryService, Node, OperationOptions, StoredBlobs } from "@tvix/castore";
import { narSize } from "@tvix/nar";
import { outlineOf } from "./outline.ts";
import { zstdParts } from "./zstd/parts.ts";

/** How long a NAR is in the forms in which it can be sent. */
export interface NarLengths {
  /** Of the NAR itself, in bytes. */
  readonly narSize: number;
  /** Of its zstd form, in bytes; undefined where blobs cannot be had in the form they are stored in. */
  readonly zstdSize: number | undefined;
}

/** Tells how long NARs are. */
export interface NarLengthsService {
  /**
   * @throws as {@link zstdParts}: all of the tree that the index tells of is looked at, so a
   *   NAR whose lengths are told is there, unless it is damaged below the index
   */
  lengths(root: Node, options?: OperationOptions): Promise<NarLengths>;
}

/** What {@link MeasuringNarLengths} looks at. */
export interface MeasureServices {
  readonly directoryService: Pick<DirectoryService, "get">;
  readonly storedBlobs?: StoredBlobs | undefined;
}

/** Goes through the whole tree to tell the lengths, without reading contents. */
export class MeasuringNarLengths implements NarLengthsService {
  readonly #services: MeasureServices;

  constructor(services: MeasureServices) {
    this.#services = services;
  }

  async lengths(root: Node, options: OperationOptions = {}): Promise<NarLengths> {
    const { directoryService, storedBlobs } = this.#services;
    const size = await narSize(outlineOf(root, directoryService, options));
    if (storedBlobs === undefined) return { narSize: size, zstdSize: undefined };
    let zstdSize = 0;
    for await (const { length } of zstdParts(root, { directoryService, storedBlobs }, options)) {
      zstdSize += length;
    }
    return { narSize: size, zstdSize };
  }
}
