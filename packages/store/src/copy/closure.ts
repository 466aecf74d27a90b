import type { OperationOptions } from "@tvix/castore";
import type { StorePath } from "@tvix/nix-compat";
import { StoreError } from "../errors/store-error.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoService } from "../path-info/path-info-service.ts";

/** A path whose references are being walked. */
interface Open {
  readonly info: PathInfo;
  readonly references: Iterator<StorePath>;
}

/**
 * Walks paths with everything that they refer to, each path after those it refers to: the order in which a
 * store takes them without ever having a path whose references are not there. Paths that were walked before
 * are left out; some hundred bytes are remembered of each.
 */
export class ClosureWalk {
  readonly #service: PathInfoService;
  readonly #walked: Set<string> = new Set();

  constructor(service: PathInfoService) {
    this.#service = service;
  }

  /**
   * A path and what it refers to, that last.
   *
   * @throws StoreError MISSING_REFERENCES when one of these is not in the service
   */
  async *from(root: PathInfo, options: OperationOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    const open: Open[] = [];
    const begin = (info: PathInfo) => {
      this.#walked.add(info.storePath.toString());
      open.push({ info, references: info.references[Symbol.iterator]() });
    };
    if (!this.#walked.has(root.storePath.toString())) begin(root);
    for (let innermost = open.at(-1); innermost !== undefined; innermost = open.at(-1)) {
      const reference = innermost.references.next();
      if (reference.done === true) {
        open.pop();
        yield innermost.info;
      } else if (!this.#walked.has(reference.value.toString())) {
        begin(await this.#referred(reference.value, innermost.info, options));
      }
    }
  }

  async #referred(path: StorePath, by: PathInfo, options: OperationOptions): Promise<PathInfo> {
    const info = await this.#service.get(path.digest, options);
    if (info?.storePath.equals(path) === true) return info;
    throw new StoreError(
      "MISSING_REFERENCES",
      `${by.storePath} refers to ${path}, which is not in the store`,
    );
  }
}
