import { CastoreError, type Node, type OperationOptions } from "@tvix/castore";
import {
  narLengthOf,
  type StoredNarServices,
  type StoredPart,
  type StoredParts,
  walkParts,
} from "./parts.ts";

/**
 * Whether parts that were kept are all of a NAR. `none`: nobody shall keep any, as there would be too many.
 */
export type KeptEnd = "all" | "not all" | "none";

/**
 * Keeps of which parts NARs consist, so that whoever sends one need not walk its tree. It can all be found again: what
 * is not there, or not whole, or of another version, is as good as nothing.
 */
export interface NarPlans {
  /**
   * The parts of a NAR from the first one on, as they were kept under a version of the stored form.
   *
   * @returns at the end, whether these were all
   */
  kept(root: Node, version: number): AsyncGenerator<StoredParts, KeptEnd, undefined>;

  /** Passes on the parts of a NAR, and keeps them on the way, unless that fails. */
  keeping(root: Node, version: number, parts: AsyncIterable<StoredParts>): AsyncIterable<StoredParts>;

  /** Forgets a NAR: what is known of it has proved wrong. */
  forget(root: Node): Promise<void>;
}

/** What a NAR that is stored is sent from. */
export interface PlannedNarServices extends StoredNarServices {
  /** Default: trees are walked each time. */
  readonly narPlans?: NarPlans | undefined;
}

/** Options of {@link partsOf}. */
export interface PartsOptions extends OperationOptions {
  /** Whether parts that had to be found are kept. Default false. */
  readonly keeps?: boolean | undefined;
}

/** The same plans for those who may read, and keep nothing: they ask for nodes that somebody may have made up. */
export function onlyKept(plans: NarPlans): NarPlans {
  return {
    kept: (root, version) => plans.kept(root, version),
    keeping: (_root, _version, parts) => parts,
    forget: (root) => plans.forget(root),
  };
}

/**
 * The parts of a NAR: those that are kept, and the rest by walking its tree.
 *
 * @throws as {@link walkParts}; CastoreError CORRUPT when the tree has not the parts that were kept
 */
export async function* partsOf(
  root: Node,
  services: PlannedNarServices,
  options: PartsOptions = {},
): AsyncGenerator<StoredParts, void, undefined> {
  const { narPlans, storedBlobs } = services;
  const { version } = storedBlobs;
  let keeps = options.keeps === true;
  /** Bytes of the NAR that were passed on. */
  let passedOn = 0;
  if (narPlans !== undefined) {
    const kept = narPlans.kept(root, version);
    let next = await kept.next();
    for (; next.done !== true; next = await kept.next()) {
      options.signal?.throwIfAborted();
      passedOn += lengthOf(next.value);
      yield next.value;
    }
    if (next.value === "all") return;
    if (next.value === "none") keeps = false;
  }
  const walked = walkParts(root, services, options);
  const parts = keeps && narPlans !== undefined ? narPlans.keeping(root, version, walked) : walked;
  yield* after(parts, passedOn, root);
}

/** The parts that lie behind so many bytes of a NAR. */
async function* after(
  parts: AsyncIterable<StoredParts>,
  length: number,
  root: Node,
): AsyncGenerator<StoredParts, void, undefined> {
  let left = length;
  for await (const some of parts) {
    let skipped = 0;
    for (; left > 0 && skipped < some.length; skipped++) left -= narLengthOf(some[skipped] as StoredPart);
    if (left < 0) {
      const name = root.type === "symlink" ? "a link" : `${root.digest}`;
      throw new CastoreError("CORRUPT", `the NAR of ${name} has not the parts that were kept of it`);
    }
    if (skipped < some.length) yield skipped === 0 ? some : some.slice(skipped);
  }
}

function lengthOf(parts: StoredParts): number {
  return parts.reduce((sum, part) => sum + narLengthOf(part), 0);
}
