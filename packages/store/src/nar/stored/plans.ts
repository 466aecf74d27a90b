import type { Node, OperationOptions } from "@tvix/castore";
import { type StoredNarServices, type StoredParts, walkParts } from "./parts.ts";

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
  kept(root: Node, version: number): AsyncGenerator<StoredParts, boolean, undefined>;

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

/**
 * The parts of a NAR: those that are kept, and the rest by walking its tree.
 *
 * @throws as {@link walkParts}
 */
export async function* partsOf(
  root: Node,
  services: PlannedNarServices,
  options: OperationOptions = {},
): AsyncGenerator<StoredParts, void, undefined> {
  const { narPlans, storedBlobs } = services;
  let passedOn = 0;
  if (narPlans !== undefined) {
    const kept = narPlans.kept(root, storedBlobs.version);
    for (let next = await kept.next(); ; next = await kept.next()) {
      if (next.done === true) {
        if (next.value) return;
        break;
      }
      options.signal?.throwIfAborted();
      passedOn += next.value.length;
      yield next.value;
    }
  }
  const walked = walkParts(root, services, options);
  const { version } = storedBlobs;
  for await (const parts of narPlans?.keeping(root, version, walked) ?? walked) {
    const rest = parts.slice(passedOn);
    passedOn = Math.max(0, passedOn - parts.length);
    if (rest.length > 0) yield rest;
  }
}
