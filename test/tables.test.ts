import { readFile } from "node:fs/promises";
import { CASTORE_TABLES } from "@tvix/castore";
import { OBJECT_EXTENTS } from "@tvix/castore-s3";
import { NAR_BRIDGE_TABLES } from "@tvix/nar-bridge";
import { STORE_TABLES } from "@tvix/store/records";
import { expect, test } from "vitest";

const TABLES = [...CASTORE_TABLES, ...STORE_TABLES, ...NAR_BRIDGE_TABLES, OBJECT_EXTENTS];
const PREFIXES = TABLES.map(({ declaration }) => declaration.prefix);

test("no two tables have keys in common, nor with what older versions wrote", () => {
  for (const prefix of ["n1", "z1", "o1"]) expect(PREFIXES).not.toContain(prefix);
  for (const prefix of PREFIXES) {
    expect(prefix).toMatch(/^~?[a-z]\d$/);
    expect(PREFIXES.filter((other) => other.startsWith(prefix))).toEqual([prefix]);
  }
});

test("the document of the storage format has each table, sealed where it is, and no other", async () => {
  const text = await readFile(new URL("../docs/storage-format.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `(~?[a-z]\d)(?<fact>[a-z-]*)`(.*)\|$/gm)];
  const documented = new Set(rows.map(([, prefix]) => prefix));
  // Older records are told of in the row of those that took their place.
  const old = ["f1", "u1"];
  expect([...documented].sort()).toEqual(PREFIXES.filter((prefix) => !old.includes(prefix)).sort());
  for (const { declaration } of TABLES) {
    const row = rows.find(([, prefix]) => prefix === declaration.prefix);
    if (row !== undefined)
      expect([declaration.prefix, / sealed[ ;]/.test(row[0])]).toEqual([
        declaration.prefix,
        declaration.sealed,
      ]);
  }
});
