import type { PathInfo } from "@tvix/store";
import { getPaths } from "./paths.ts";

/** A path in a closure. */
export interface ClosureNode {
  readonly info: PathInfo;
  /** Steps from the root, the fewest. */
  readonly depth: number;
}

/** A path with what it refers to. */
export interface Closure {
  readonly nodes: readonly ClosureNode[];
  /** Lengths of all NARs, in bytes. */
  readonly narBytes: number;
  /** Whether there is more than was looked at. */
  readonly isCut: boolean;
}

/** Paths that are looked at. */
const MAX_PATHS = 20_000;

/** Looks up a closure, one level of references after the other. */
export async function closureOf(root: PathInfo): Promise<Closure> {
  const nodes = new Map<string, ClosureNode>([[`${root.storePath}`, { info: root, depth: 0 }]]);
  let level: readonly PathInfo[] = [root];
  for (let depth = 1; level.length > 0 && nodes.size < MAX_PATHS; depth++) {
    const wanted = new Map(
      level.flatMap(({ references }) => references).map((path) => [`${path}`, path.digest] as const),
    );
    for (const known of nodes.keys()) wanted.delete(known);
    level = wanted.size === 0 ? [] : await getPaths([...wanted.values()].slice(0, 10_000));
    for (const info of level) nodes.set(`${info.storePath}`, { info, depth });
  }
  const all = [...nodes.values()];
  return {
    nodes: all,
    narBytes: all.reduce((sum, { info }) => sum + info.narSize, 0),
    isCut: level.length > 0,
  };
}
