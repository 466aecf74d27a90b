import { B3Digest, EMPTY_DIGEST } from "../digest/b3-digest.ts";
import { Directory } from "../directory/directory.ts";
import type { Node } from "../directory/node.ts";
import { PathComponent } from "../directory/path-component.ts";
import { SymlinkTarget } from "../directory/symlink-target.ts";

/**
 * Bytes that look random and are the same every time (xorshift32).
 *
 * @param length in bytes
 * @param seed two seeds give two unrelated blobs
 */
export function pseudoRandomBytes(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** A directory of these entries, by name. */
export function directoryOf(entries: Record<string, Node>): Directory {
  return Directory.of(
    Object.entries(entries).map(([name, node]) => ({ name: PathComponent.from(name), node })),
  );
}

/** A node for a directory, counted by the documented convention unless told otherwise. */
export function directoryNode(directory: Directory, size: bigint = directory.size("documented")): Node {
  return { type: "directory", digest: directory.digest(), size };
}

/** A node for an empty file. */
export const EMPTY_FILE: Node = { type: "file", digest: EMPTY_DIGEST, size: 0n, executable: false };

const HELLO_WORLD = new TextEncoder().encode("Hello World!");

/** A: nothing in it. */
export const DIRECTORY_A: Directory = directoryOf({});
/** B: A as "a". */
export const DIRECTORY_B: Directory = directoryOf({ a: directoryNode(DIRECTORY_A) });
/** C: A twice, as "a" and "a'". */
export const DIRECTORY_C: Directory = directoryOf({
  a: directoryNode(DIRECTORY_A),
  "a'": directoryNode(DIRECTORY_A),
});
/** D: A as "a", B as "b". */
export const DIRECTORY_D: Directory = directoryOf({
  a: directoryNode(DIRECTORY_A),
  b: directoryNode(DIRECTORY_B),
});
/** An empty file ".keep". */
export const DIRECTORY_WITH_KEEP: Directory = directoryOf({ ".keep": EMPTY_FILE });
/** A file, a symbolic link, and a directory with a file in it. */
export const DIRECTORY_COMPLICATED: Directory = directoryOf({
  ".keep": EMPTY_FILE,
  aa: { type: "symlink", target: SymlinkTarget.from("/nix/store/somewhereelse") },
  keep: directoryNode(DIRECTORY_WITH_KEEP),
});
/** One entry of each kind. */
export const DIRECTORY_MIXED: Directory = directoryOf({
  d: directoryNode(DIRECTORY_A),
  ".keep": EMPTY_FILE,
  exe: {
    type: "file",
    digest: B3Digest.of(HELLO_WORLD),
    size: BigInt(HELLO_WORLD.length),
    executable: true,
  },
  l: { type: "symlink", target: SymlinkTarget.from("t") },
});
/** Name and target that are not UTF-8. */
export const DIRECTORY_NON_UTF8: Directory = Directory.of([
  {
    name: PathComponent.from(Uint8Array.of(0xc5, 0xc4, 0xd6)),
    node: { type: "symlink", target: SymlinkTarget.from(Uint8Array.of(0xc5, 0xc4, 0xd6)) },
  },
]);
