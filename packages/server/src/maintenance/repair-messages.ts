import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  RepairDone,
  RepairDoneSchema,
  RepairStepSchema,
  RepairStep as StepMessage,
} from "@tvix/protocol/maintenance";
import type { RepairAction, RepairStep } from "@tvix/store/repair";
import type { RepairResult } from "./maintenance.ts";
import { formatVerified, parseVerified } from "./verification-messages.ts";

export function formatStep({ action, name, text }: RepairStep): MessageInitShape<typeof RepairStepSchema> {
  return { action, name, text };
}

/** A later version may know of more actions: they are passed on as they are. */
export function parseStep({ action, name, text }: StepMessage): RepairStep {
  return { action: action as RepairAction, name, text };
}

export function formatRepaired({
  steps,
  ...counts
}: RepairResult): MessageInitShape<typeof RepairDoneSchema> {
  return {
    lookedAt: formatVerified({ ...counts, faults: 0 }),
    mended: BigInt(steps.mended),
    quarantined: BigInt(steps.quarantined),
    released: BigInt(steps.released),
    removed: BigInt(steps.removed),
    lost: BigInt(steps.lost),
  };
}

export function parseRepaired(message: RepairDone): RepairResult {
  const { lookedAt, mended, quarantined, released, removed, lost } = message;
  const { faults: _, ...counts } = lookedAt === undefined ? NOTHING : parseVerified(lookedAt);
  return {
    ...counts,
    steps: {
      mended: Number(mended),
      quarantined: Number(quarantined),
      released: Number(released),
      removed: Number(removed),
      lost: Number(lost),
    },
  };
}

const NOTHING = { faults: 0, chunks: 0, blobs: 0, directories: 0, paths: 0, bytesRead: 0 };
