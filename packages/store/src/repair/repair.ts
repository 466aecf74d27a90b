import type { B3Digest } from "@tvix/castore";
import type { ContentSource, MendingParts } from "@tvix/castore/backend";
import type { PathInfoService } from "../path-info/path-info-service.ts";
import type { StoreVerificationParts } from "../verify/verification.ts";

/** Who has what a store has lost. What it gives is compared with digests; of a lost path info, it is believed. */
export interface RepairSource extends ContentSource {
  readonly name: string;
  /** Asked for a path of which contents are lost, or the path info; may store all contents of the path before it answers. */
  readonly pathInfoService?: Pick<PathInfoService, "get"> | undefined;
}

/** What a repair works on. */
export interface StoreRepairParts extends StoreVerificationParts, MendingParts {
  readonly pathInfoService: Pick<PathInfoService, "put">;
  /** Writes all records down a second time. */
  readonly renewJournal?: (() => Promise<void>) | undefined;
  /** Searches for chunks of which the records are lost; returns how many were found. */
  readonly findLostChunks: () => Promise<number>;
  /** Removes what is known of a chunk that was found damaged; returns whether it was. */
  readonly forgetDamagedChunk: (digest: B3Digest) => Promise<boolean>;
  /** Told of each path that comes or goes: what this process remembers of it is wrong from then on. */
  readonly onPathChanged?: (digest: Uint8Array) => Promise<void>;
}

/**
 * Something that a repair has done, or could not do:
 *
 * - `mended`: what was lost is there again;
 * - `quarantined`: a path is not offered any more, until all of it is there again;
 * - `released`: a path that was quarantined is offered again;
 * - `removed`: what could not be read counts as absent, so that it can be stored again;
 * - `lost`: it lacks something that nobody has.
 */
export type RepairAction = "mended" | "quarantined" | "released" | "removed" | "lost";

/** A step of a repair. */
export interface RepairStep {
  readonly action: RepairAction;
  /** A store path, a pin, a digest, the name of a record. */
  readonly name: string;
  /** For people. */
  readonly text: string;
}
