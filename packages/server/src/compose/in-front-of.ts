import type { SettingValue } from "../config/toml.ts";
import type { Composition } from "./composition.ts";
import type { Entry } from "./entry.ts";
import { entryOfAddress, entryOfTable } from "./registry.ts";
import type { ServiceKind } from "./service-kind.ts";

/** How long other stores are not asked again for a path that they have not got, in seconds. */
const MISSING_SECONDS = 15;

/** What a short configuration says: a store, and what is asked for what it has not got. */
export interface StoreInFront {
  /** What the store is without the others: entries `root` of each kind. */
  readonly local: Composition;
  /** Addresses of stores that speak gRPC, in the order in which they are asked. */
  readonly stores: readonly string[];
}

/**
 * A store in front of others: what they have is kept in it when it is asked for, and what is put stays
 * in it. Written out as a composition, so that people see what becomes of it.
 */
export function inFrontOf({ local, stores }: StoreInFront): Composition {
  if (stores.length === 0) return local;
  return {
    root: "root",
    entries: {
      blob: layered("blob", local, stores),
      directory: layered("directory", local, stores),
      "path-info": layered("path-info", local, stores),
    },
  };
}

function layered<K extends ServiceKind>(
  kind: K,
  { entries, root }: Composition,
  stores: readonly string[],
): ReadonlyMap<string, Entry<K>> {
  const all = new Map<string, Entry<K>>();
  const own: ReadonlyMap<string, Entry<K>> = entries[kind];
  const localRoot = own.get(root);
  if (localRoot === undefined) throw new Error("a composition has its root");
  all.set("local", localRoot);
  stores.forEach((address, index) => void all.set(`upstream-${index + 1}`, entryOfAddress(kind, address)));
  // The last one alone, and each before it in front of those behind it.
  let far = `upstream-${stores.length}`;
  for (let index = stores.length - 1; index > 0; index--) {
    const name = `upstreams-from-${index}`;
    all.set(name, tableOf(kind, { type: "combined", near: `upstream-${index}`, far }));
    far = name;
  }
  const missing = kind === "path-info" ? { missing_seconds: MISSING_SECONDS } : {};
  all.set("root", tableOf(kind, { type: "cache", near: "local", far, writes: "near", ...missing }));
  return all;
}

function tableOf<K extends ServiceKind>(kind: K, table: Readonly<Record<string, SettingValue>>): Entry<K> {
  return entryOfTable(kind, new Map(Object.entries(table)));
}
