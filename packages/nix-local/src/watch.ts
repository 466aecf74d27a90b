import { watch } from "node:fs";
import { dirname } from "node:path";
import type { LocalNixStore, LocalPath } from "./local-nix-store.ts";

/** How often the database is looked at where nothing tells of a change, in milliseconds. */
const LOOK_MS = 2000;

/** How a store is watched. */
export interface WatchOptions {
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Told of each path whose registration cannot be read, with the reason. */
  readonly onUnreadable?: (text: string) => void;
}

/**
 * Paths that Nix registers from here on, in the order in which it does, some together. Ends when the signal is
 * aborted.
 */
export async function* watchPaths(
  store: Pick<LocalNixStore, "registeredAfter" | "lastRegistration" | "databaseFile">,
  { signal, onUnreadable = () => {} }: WatchOptions,
): AsyncGenerator<readonly LocalPath[], void, undefined> {
  let last = store.lastRegistration();
  const changes = new Changes(dirname(store.databaseFile), signal);
  try {
    while (!signal.aborted) {
      const { paths, unreadable, last: newest } = store.registeredAfter(last);
      last = newest;
      for (const one of unreadable) onUnreadable(one);
      if (paths.length > 0) yield paths;
      else await changes.next();
    }
  } finally {
    changes.close();
  }
}

/** Tells when something in a folder may have changed; one that cannot be watched is looked at now and then. */
class Changes {
  readonly #watcher: ReturnType<typeof watch> | undefined;
  #hasChanged = false;
  #wake: (() => void) | undefined;

  constructor(folder: string, signal: AbortSignal) {
    try {
      this.#watcher = watch(folder, () => {
        this.#hasChanged = true;
        this.#wake?.();
      });
      this.#watcher.on("error", () => {});
    } catch {
      this.#watcher = undefined;
    }
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
  }

  async next(): Promise<void> {
    if (!this.#hasChanged) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = undefined;
    this.#hasChanged = false;
  }

  close(): void {
    this.#watcher?.close();
  }
}
