import type { Entry } from "./entry.ts";
import type { ServiceKind } from "./service-kind.ts";

/** Which services a store is made of: a graph of entries, each with a name within its kind. */
export interface Composition {
  readonly entries: { readonly [K in ServiceKind]: ReadonlyMap<string, Entry<K>> };
  /** The name of those that are the store; the others are what they are made of. */
  readonly root: string;
}

/** One entry of each kind. */
export type EntryOfKind = { readonly [K in ServiceKind]: Entry<K> };

/** A store of three services that name no others. */
export function compositionOf(roots: EntryOfKind): Composition {
  return {
    root: "root",
    entries: {
      blob: new Map([["root", roots.blob]]),
      directory: new Map([["root", roots.directory]]),
      "path-info": new Map([["root", roots["path-info"]]]),
    },
  };
}
