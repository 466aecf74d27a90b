import { type Mistake, readToml, type Setting, type SettingValue } from "../config/toml.ts";
import type { Composition } from "./composition.ts";
import { type Entry, isEntry, type Part } from "./entry.ts";
import { KeyError } from "./keys.ts";
import { entryOfTable } from "./registry.ts";
import { SERVICE_KINDS, type ServiceKind, TABLE_OF_KIND } from "./service-kind.ts";

/** What the entry that is the store is called: by snix-store, and by tvix-store. */
const ROOTS = ["root", "default"] as const;

/** A composition that was read, or everything that is wrong with it. */
export type ReadComposition =
  | { readonly composition: Composition; readonly mistakes?: undefined }
  | { readonly composition?: undefined; readonly mistakes: readonly Mistake[] };

/**
 * Reads a composition of tvix-store or snix-store: TOML with tables `blobservices.NAME`,
 * `directoryservices.NAME` and `pathinfoservices.NAME`, each with a `type` and its keys. The store is
 * what is called `root`, or `default`.
 */
export function readComposition(text: string): ReadComposition {
  const { settings, mistakes } = readToml(text);
  if (mistakes.length > 0) return { mistakes };
  const reading = new Reading(settings);
  const composition = reading.read();
  return composition === undefined ? { mistakes: reading.mistakes } : { composition };
}

/** A table of an entry, and where it stands. */
interface EntryTable {
  readonly keys: Map<string, SettingValue | undefined>;
  readonly places: Map<string, Setting>;
  readonly first: Setting;
}

class Reading {
  readonly mistakes: Mistake[] = [];
  readonly #settings: readonly Setting[];

  constructor(settings: readonly Setting[]) {
    this.#settings = settings;
  }

  read(): Composition | undefined {
    const tables = this.#tables();
    const blob = this.#entries("blob", tables);
    const directory = this.#entries("directory", tables);
    const pathInfo = this.#entries("path-info", tables);
    const entries = { blob, directory, "path-info": pathInfo };
    const root = this.#root(entries);
    if (this.mistakes.length > 0 || root === undefined) return undefined;
    const composition = { root, entries };
    this.#checkReferences(composition, tables);
    return this.mistakes.length > 0 ? undefined : composition;
  }

  #mistake(text: string, at?: Setting): void {
    this.mistakes.push({ text, line: at?.line ?? 1, column: at?.column ?? 1 });
  }

  /** The tables of all entries, by their kinds and names. */
  #tables(): ReadonlyMap<string, EntryTable> {
    const tables = new Map<string, EntryTable>();
    for (const setting of this.#settings) {
      const [table, name, key, ...below] = setting.path;
      const kind = SERVICE_KINDS.find((one) => TABLE_OF_KIND[one] === table);
      if (kind === undefined || name === undefined || key === undefined) {
        const known = SERVICE_KINDS.map((one) => `[${TABLE_OF_KIND[one]}.NAME]`).join(", ");
        this.#mistake(`${JSON.stringify(setting.path.join("."))} is in none of the tables ${known}`, setting);
        continue;
      }
      const id = idOf(kind, name);
      const entry = tables.get(id) ?? { keys: new Map(), places: new Map(), first: setting };
      tables.set(id, entry);
      entry.places.set(key, setting);
      entry.keys.set(key, below.length === 0 ? setting.value : undefined);
    }
    return tables;
  }

  #entries<K extends ServiceKind>(
    kind: K,
    tables: ReadonlyMap<string, EntryTable>,
  ): ReadonlyMap<string, Entry<K>> {
    const entries = new Map<string, Entry<K>>();
    const prefix = idOf(kind, "");
    for (const [id, { keys, places, first }] of tables) {
      if (!id.startsWith(prefix)) continue;
      const name = id.slice(prefix.length);
      try {
        entries.set(name, entryOfTable(kind, keys));
      } catch (error) {
        if (!(error instanceof KeyError)) throw error;
        const at = error.key === undefined ? first : places.get(error.key);
        this.#mistake(`${TABLE_OF_KIND[kind]}.${name}: ${error.message}`, at);
      }
    }
    if (!Array.from(tables.keys()).some((id) => id.startsWith(prefix))) {
      this.#mistake(`there is no table [${TABLE_OF_KIND[kind]}.${ROOTS[0]}]`);
    }
    return entries;
  }

  #root(entries: Composition["entries"]): string | undefined {
    if (this.mistakes.length > 0) return undefined;
    const root = ROOTS.find((name) => SERVICE_KINDS.some((kind) => entries[kind].has(name)));
    for (const kind of SERVICE_KINDS) {
      if (root !== undefined && entries[kind].has(root)) continue;
      const expected = root ?? ROOTS.join(" or ");
      this.#mistake(`there is no table [${TABLE_OF_KIND[kind]}.${expected}]`);
    }
    return root;
  }

  /** Every name stands for something, and nothing is made of itself. */
  #checkReferences(composition: Composition, tables: ReadonlyMap<string, EntryTable>): void {
    const checked = new Set<string>();
    const visit = (part: Part, within: readonly string[], at: Setting | undefined): void => {
      if (isEntry(part)) {
        for (const below of part.parts.values()) visit(below, within, at);
        return;
      }
      const id = idOf(part.kind, part.name);
      const entry = composition.entries[part.kind].get(part.name);
      if (entry === undefined) {
        this.#mistake(`there is no table [${id}]`, at);
      } else if (within.includes(id)) {
        this.#mistake(`${[...within, id].join(" is made of ")}, which never ends`, at);
      } else if (!checked.has(id)) {
        for (const [key, below] of entry.parts) visit(below, [...within, id], placeOf(tables.get(id), key));
        checked.add(id);
      }
    };
    for (const kind of SERVICE_KINDS) {
      for (const name of composition.entries[kind].keys()) visit({ kind, name }, [], undefined);
    }
  }
}

/** Where a key stands, by any of its names. */
function placeOf(table: EntryTable | undefined, key: string): Setting | undefined {
  return table?.places.get(key) ?? table?.first;
}

function idOf(kind: ServiceKind, name: string): string {
  return `${TABLE_OF_KIND[kind]}.${name}`;
}
