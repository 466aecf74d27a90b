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
 * in it. Written out as a composition, so that people see what becomes of it: its entries keep their names,
 * and those of the others are told apart from them.
 */
export function inFrontOf({ local, stores }: StoreInFront): Composition {
  if (stores.length === 0) return local;
  const names = namesOf(local, stores.length);
  return {
    root: names.front,
    entries: {
      blob: layered("blob", local, stores, names),
      directory: layered("directory", local, stores, names),
      "path-info": layered("path-info", local, stores, names),
    },
  };
}

/** Names of the entries that are added. */
interface Names {
  readonly front: string;
  /** A store each. */
  readonly upstreams: readonly string[];
  /** From each store on all that are behind it; the last one stands for itself. */
  readonly from: readonly string[];
}

/** Names that no entry has yet. */
function namesOf({ entries }: Composition, count: number): Names {
  const taken = new Set(Object.values(entries).flatMap((named) => [...named.keys()]));
  const free = (name: string): string => (taken.has(name) ? free(`${name}_`) : name);
  const upstreams = Array.from({ length: count }, (_, index) => free(`upstream-${index + 1}`));
  const from = upstreams.map((name, index) =>
    index === count - 1 ? name : free(`upstreams-from-${index + 1}`),
  );
  return { front: free("front"), upstreams, from };
}

function layered<K extends ServiceKind>(
  kind: K,
  { entries, root }: Composition,
  stores: readonly string[],
  { front, upstreams, from }: Names,
): ReadonlyMap<string, Entry<K>> {
  const all = new Map<string, Entry<K>>(entries[kind] as ReadonlyMap<string, Entry<K>>);
  for (const [index, address] of stores.entries()) {
    const [near, far] = [upstreams[index] as string, from[index + 1]];
    all.set(near, entryOfAddress(kind, address));
    if (far !== undefined) all.set(from[index] as string, tableOf(kind, { type: "combined", near, far }));
  }
  const missing = kind === "path-info" ? { missing_seconds: MISSING_SECONDS } : {};
  const far = from[0] as string;
  return all.set(front, tableOf(kind, { type: "cache", near: root, far, writes: "near", ...missing }));
}

function tableOf<K extends ServiceKind>(kind: K, table: Readonly<Record<string, SettingValue>>): Entry<K> {
  return entryOfTable(kind, new Map(Object.entries(table)));
}
