import { compareBytes } from "@tvix/byte-stream";
import type { NarEntry } from "@tvix/nar";
import fc from "fast-check";

/** A random tree, before it is put in order. */
export type Tree =
  | { readonly type: "file"; readonly executable: boolean; readonly contents: Uint8Array }
  | { readonly type: "symlink"; readonly target: Uint8Array }
  | { readonly type: "directory"; readonly children: readonly { name: Uint8Array; node: Tree }[] };

/** Names that are unlike each other, alike in their beginning, or not UTF-8. */
const anyName = fc
  .oneof(
    fc.uint8Array({ minLength: 1, maxLength: 20 }),
    fc
      .constantFrom("a", "a-b", "a.b", "ab", ")", "entry", "ü", "..a")
      .map((name) => new Uint8Array(Buffer.from(name))),
  )
  .filter(
    (name) =>
      !name.includes(0) && !name.includes(0x2f) && !/^\.\.?$/.test(Buffer.from(name).toString("latin1")),
  );

/** Any tree that a NAR can have. */
export function anyTree(): fc.Arbitrary<Tree> {
  return fc.letrec<{ node: Tree }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.record({
        type: fc.constant("file" as const),
        executable: fc.boolean(),
        contents: fc.uint8Array({ maxLength: 100 }),
      }),
      fc.record({
        type: fc.constant("symlink" as const),
        target: fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => bytes.map((byte) => byte || 1)),
      }),
      fc.record({
        type: fc.constant("directory" as const),
        children: fc.uniqueArray(fc.record({ name: anyName, node: tie("node") }), {
          maxLength: 6,
          selector: ({ name }) => Buffer.from(name).toString("latin1"),
        }),
      }),
    ),
  })).node;
}

/** A tree as the entries of a NAR. */
export function flatten(tree: Tree, name: Uint8Array = new Uint8Array(0)): NarEntry[] {
  if (tree.type === "file") return [{ ...tree, name, size: tree.contents.length }];
  if (tree.type === "symlink") return [{ ...tree, name }];
  const sorted = [...tree.children].sort((a, b) => compareBytes(a.name, b.name));
  return [
    { type: "directory", name },
    ...sorted.flatMap((child) => flatten(child.node, child.name)),
    { type: "end" },
  ];
}
