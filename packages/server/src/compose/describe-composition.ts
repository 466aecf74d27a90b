import type { Composition } from "./composition.ts";
import { isEntry, type Part } from "./entry.ts";
import { SERVICE_KINDS } from "./service-kind.ts";

/** What a store is made of, for people: a tree for each kind of services, a line for each of its entries. */
export function describeComposition(composition: Composition): string {
  const lines: string[] = [];
  const describe = (part: Part, label: string, depth: number) => {
    const entry = isEntry(part) ? part : composition.entries[part.kind].get(part.name);
    const name = isEntry(part) ? "" : ` ${JSON.stringify(part.name)}`;
    const settings = Array.from(entry?.settings ?? [], ([key, value]) => ` ${key}=${value}`).join("");
    lines.push(`${"  ".repeat(depth)}${label}: ${entry?.type ?? "missing"}${name}${settings}`);
    for (const [key, below] of entry?.parts ?? []) {
      // What is of another kind has a tree of its own.
      if (below.kind === part.kind) describe(below, key, depth + 1);
      else if (!isEntry(below)) lines.push(`${"  ".repeat(depth + 1)}${key}: ${JSON.stringify(below.name)}`);
    }
  };
  for (const kind of SERVICE_KINDS) describe({ kind, name: composition.root }, kind, 0);
  return `${lines.join("\n")}\n`;
}
