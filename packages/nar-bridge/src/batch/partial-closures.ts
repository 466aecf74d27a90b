import { mapConcurrently } from "@tvix/castore";
import type { StorePath } from "@tvix/nix-compat";
import type { PathInfo, PathInfoService } from "@tvix/store";

/** Most paths that are looked up for the hints of one request. */
const MAX_LOOK_UPS = 2000;

/** Paths that are looked up at a time. */
const AT_ONCE = 16;

/** Most paths in one hint, and most references of one path that are looked at for it. */
const MAX_HINT = 256;

/**
 * Paths that others refer to indirectly, as far as it is cheap to know: a hint with which a client need not wait
 * for one level of references after the other.
 */
export class PartialClosures {
  readonly #service: Pick<PathInfoService, "get">;
  /** What was looked up in this request. */
  readonly #known: Map<string, Promise<readonly StorePath[]>> = new Map();
  #lookUps = 0;

  constructor(service: Pick<PathInfoService, "get">) {
    this.#service = service;
  }

  /** What a path refers to through others, the nearest first; base names. */
  async of(info: Pick<PathInfo, "storePath" | "references">): Promise<readonly string[]> {
    const direct = new Set([info.storePath, ...info.references].map(String));
    const hint = new Set<string>();
    let level = info.references.slice(0, MAX_HINT);
    while (level.length > 0 && hint.size < MAX_HINT) {
      const next: StorePath[] = [];
      for await (const references of mapConcurrently(level, AT_ONCE, (path) => this.#referencesOf(path))) {
        for (const path of references.slice(0, MAX_HINT)) {
          const name = path.toString();
          if (hint.size >= MAX_HINT) return [...hint];
          if (direct.has(name) || hint.has(name)) continue;
          hint.add(name);
          next.push(path);
        }
      }
      level = next;
    }
    return [...hint];
  }

  #referencesOf(path: StorePath): Promise<readonly StorePath[]> {
    const name = path.toString();
    let references = this.#known.get(name);
    if (references === undefined) {
      if (this.#lookUps >= MAX_LOOK_UPS) return Promise.resolve([]);
      this.#lookUps++;
      references = this.#service.get(path.digest).then(
        (info) => info?.references ?? [],
        // It is a hint: what is damaged shows where it is asked for.
        () => [],
      );
      this.#known.set(name, references);
    }
    return references;
  }
}
