import type { DirectoryService, Node, OperationOptions, StoredBlobs } from "@tvix/castore";
import { narSize } from "@tvix/nar";
import { NixHash } from "@tvix/nix-compat";
import { createHasher } from "#hasher";
import { outlineOf } from "./outline.ts";
import { narLengthOf, type StoredParts, walkParts, zstdLengthOf } from "./stored/parts.ts";
import { type NarPlans, partsOf } from "./stored/plans.ts";
import { renderZstdNar } from "./stored/render-zstd.ts";

/** How long a NAR is in the forms in which it can be sent. */
export interface NarLengths {
  /** Of the NAR itself, in bytes. */
  readonly narSize: number;
  /** Of its zstd form, in bytes; undefined where blobs cannot be had in the form they are stored in. */
  readonly zstdSize: number | undefined;
}

/** The same, with the hash of the zstd form: that of the NAR itself is known to who asks. */
export interface NarFiles extends NarLengths {
  /** SHA-256; undefined where there is no such form. */
  readonly zstdHash: NixHash | undefined;
}

/** Tells how long NARs are, and what their zstd form hashes to. */
export interface NarLengthsService {
  /** As long as it stays the same, what was told goes on to be so, for all that this process knows. */
  readonly version: number;

  /**
   * @throws CastoreError INCOMPLETE or CORRUPT, StoreError SIZE_MISMATCH, NarError: all of the tree that the index tells of is looked at, so a
   *   NAR whose lengths are told is there, unless it is damaged below the index
   */
  lengths(root: Node, options?: OperationOptions): Promise<NarLengths>;

  /**
   * The same with a hash, for which all that is stored is read, and so is known to be intact.
   *
   * @throws as rendering the zstd form does
   */
  files(root: Node, options?: OperationOptions): Promise<NarFiles>;

  /** Forgets what is known of a node: it has proved wrong, as when something of it is damaged. */
  forget(root: Node): Promise<void>;
}

/** What {@link MeasuringNarLengths} looks at. */
export interface MeasureServices {
  readonly directoryService: Pick<DirectoryService, "get">;
  readonly storedBlobs?: StoredBlobs | undefined;
  /** Keeps of which parts a NAR consists that is hashed. Default: nobody does. */
  readonly narPlans?: NarPlans | undefined;
}

/** Goes through the whole tree each time; remembers nothing. */
export class MeasuringNarLengths implements NarLengthsService {
  readonly #services: MeasureServices;
  #forgotten = 0;

  constructor(services: MeasureServices) {
    this.#services = services;
  }

  get version(): number {
    // Both only grow, so that the sum changes when either does.
    return (this.#services.storedBlobs?.version ?? 0) + this.#forgotten;
  }

  async lengths(root: Node, options: OperationOptions = {}): Promise<NarLengths> {
    const { directoryService, storedBlobs } = this.#services;
    if (storedBlobs === undefined) {
      return { narSize: await narSize(outlineOf(root, directoryService, options)), zstdSize: undefined };
    }
    // Anybody may ask for the lengths of any node: no plan is kept for that.
    return await lengthsOf(walkParts(root, { directoryService, storedBlobs }, options));
  }

  async files(root: Node, options: OperationOptions = {}): Promise<NarFiles> {
    const { storedBlobs } = this.#services;
    if (storedBlobs === undefined) return { ...(await this.lengths(root, options)), zstdHash: undefined };
    const services = { ...this.#services, storedBlobs };
    // What is read to be hashed is found by the plan that this keeps.
    const { narSize } = await lengthsOf(partsOf(root, services, { ...options, keeps: true }));
    const hasher = createHasher("sha256");
    let zstdSize = 0;
    for await (const piece of renderZstdNar(root, services, options)) {
      hasher.update(piece);
      zstdSize += piece.length;
    }
    return { narSize, zstdSize, zstdHash: NixHash.from("sha256", hasher.digest()) };
  }

  async forget(): Promise<void> {
    this.#forgotten++;
  }
}

async function lengthsOf(
  parts: AsyncIterable<StoredParts>,
): Promise<{ readonly narSize: number; readonly zstdSize: number }> {
  const lengths = { narSize: 0, zstdSize: 0 };
  for await (const some of parts) {
    for (const part of some) {
      lengths.narSize += narLengthOf(part);
      lengths.zstdSize += zstdLengthOf(part);
    }
  }
  return lengths;
}
