import type { Node, OperationOptions } from "@tvix/castore";
import { type Fault, faultOf, type LocatedFault, TreeCheck } from "@tvix/castore/backend";
import { encodeNixbase32 } from "@tvix/nix-compat";
import type { PathInfo } from "../path-info/path-info.ts";
import { PATH_INFOS, PINS } from "../records/tables.ts";
import type { StoreVerificationParts, VerifiedStoreCounts } from "./verification.ts";

/** Something that keeps contents and has lost some, or cannot be read. */
export interface BrokenRoot extends Omit<LocatedFault, "fault" | "content"> {
  readonly type: "path" | "pin" | "other";
  /** A store path, or the name of a pin; of a path info that cannot be read, its digest. */
  readonly name: string;
  /** Digest of the store path, of a path. */
  readonly digest?: Uint8Array | undefined;
  readonly info?: PathInfo | undefined;
  /** What it keeps; undefined where that cannot be read, or is another path. */
  readonly node?: Node | undefined;
  readonly faults: readonly Fault[];
}

/** Looks at everything that keeps contents: path infos, pins, and what else there is. */
export async function* brokenRoots(
  parts: StoreVerificationParts,
  counts: Pick<VerifiedStoreCounts, "paths">,
  options: OperationOptions = {},
): AsyncGenerator<BrokenRoot, void, undefined> {
  const scratch = await parts.openScratch();
  try {
    const trees = new TreeCheck(parts.records, scratch.records);
    yield* brokenPaths(parts, trees, counts, options);
    yield* brokenPins(parts, trees, options);
    for await (const { name, node } of parts.rootsAlso?.() ?? []) {
      const faults = await trees.faultsOf(node, options);
      if (faults.length > 0) yield { type: "other", name, node, faults };
    }
  } finally {
    await scratch.remove();
  }
}

async function* brokenPaths(
  { records }: StoreVerificationParts,
  trees: TreeCheck,
  counts: Pick<VerifiedStoreCounts, "paths">,
  options: OperationOptions,
): AsyncGenerator<BrokenRoot, void, undefined> {
  for await (const entry of PATH_INFOS.entries(records, undefined, options)) {
    counts.paths++;
    const digest = entry.key();
    const record = entry.isUnchanged();
    const name = encodeNixbase32(digest);
    const isThere = () => PATH_INFOS.has(records, digest);
    const damage = await faultOf(() => PATH_INFOS.get(records, digest), "path-info", name, isThere);
    if (damage !== undefined) {
      yield { type: "path", name, digest, record, faults: [damage] };
      continue;
    }
    const info = PATH_INFOS.decode(digest, record.value ?? new Uint8Array(0));
    if (info === undefined) continue;
    const { node, storePath } = info;
    const faults = await trees.faultsOf(node, options);
    // Nothing is wrong with what has been removed since it was listed.
    if (faults.length === 0 || !(await isThere())) continue;
    yield { type: "path", name: storePath.toAbsolute(), digest, info, node, record, faults };
  }
}

async function* brokenPins(
  { records }: StoreVerificationParts,
  trees: TreeCheck,
  options: OperationOptions,
): AsyncGenerator<BrokenRoot, void, undefined> {
  for await (const entry of PINS.entries(records, undefined, options)) {
    const pin = entry.key();
    const root = { type: "pin", name: `pin ${pin}`, record: entry.isUnchanged() } as const;
    const isThere = () => PINS.has(records, pin);
    const damage = await faultOf(() => PINS.get(records, pin), "record", root.name, isThere);
    if (damage !== undefined) {
      yield { ...root, faults: [damage] };
      continue;
    }
    const target = await PINS.find(records, pin);
    if (target?.type === "node") {
      const faults = await trees.faultsOf(target.node, options);
      if (faults.length > 0 && (await isThere())) yield { ...root, node: target.node, faults };
    }
    if (target?.type !== "path" || (await PATH_INFOS.has(records, target.storePath.digest))) continue;
    if (!(await isThere())) continue;
    const text = `${target.storePath.toAbsolute()} is not in the store`;
    yield { ...root, faults: [{ subject: "record", name: root.name, kind: "missing", text }] };
  }
}
