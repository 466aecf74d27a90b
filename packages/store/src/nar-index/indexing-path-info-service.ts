import type { OperationOptions } from "@tvix/castore";
import { StoreError } from "../errors/store-error.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoService, PutPathInfoOptions } from "../path-info/path-info-service.ts";
import type { NarIndex } from "./nar-index.ts";

/**
 * Indexes the NAR of what is put, so that those who read need not write for it to be had by its
 * hash. What the index says already stays: it may have been checked, a PathInfo is not.
 */
export class IndexingPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly #narIndex: NarIndex;

  constructor(inner: PathInfoService, narIndex: NarIndex) {
    this.#inner = inner;
    this.#narIndex = narIndex;
  }

  get(digest: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    return this.#inner.get(digest, options);
  }

  async put(info: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    // What is refused is not indexed, and what it is reconciled to is known only now.
    const stored = await this.#inner.put(info, options);
    await indexNar(this.#narIndex, stored);
    return stored;
  }

  list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }
}

/** Sees to it that the NAR of a PathInfo is known for good. */
export async function indexNar(
  index: NarIndex,
  { narHash, narSize, node }: Pick<PathInfo, "narHash" | "narSize" | "node">,
): Promise<void> {
  let known: Awaited<ReturnType<NarIndex["get"]>>;
  try {
    known = await index.get(narHash);
  } catch (error) {
    // A damaged record is written anew.
    if (!StoreError.is(error)) throw error;
  }
  if (known?.lasting === true) return;
  await index.put({ narHash, narSize, node, ...known, lasting: true });
}
