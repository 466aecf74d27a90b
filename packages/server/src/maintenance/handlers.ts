import type { ConnectRouter } from "@connectrpc/connect";
import { operationOf } from "@tvix/castore-grpc";
import type { CopyContents } from "@tvix/castore-packs";
import { StorePath } from "@tvix/nix-compat";
import { type CollectRequest, MaintenanceService } from "@tvix/protocol/maintenance";
import { StoreError } from "@tvix/store";
import { toConnectError } from "@tvix/store/grpc";
import type { RepairStep } from "@tvix/store/repair";
import type { StoreFault } from "@tvix/store/verify";
import { formatContentsOfCopy, formatPart, parseCopy } from "./backup-messages.ts";
import type {
  CollectionRequest,
  CollectionResult,
  GoingPath,
  Maintenance,
  RepairResult,
  StatsResult,
  VerificationResult,
} from "./maintenance.ts";
import { formatContents, formatGoing, formatPin, formatResult, parsePin } from "./messages.ts";
import { formatRepaired, formatStep } from "./repair-messages.ts";
import { formatStats } from "./stats-messages.ts";
import { stepsOf } from "./steps.ts";
import { formatFault, formatVerified, parseVerification } from "./verification-messages.ts";

/** Paths that are compressed to compare: each takes seconds of a processor. */
const MOST_COMPARED = 1000;

/** Serves the maintenance of a store; only those with the scope admin get here, but for the list of pins. */
export function addMaintenanceRoutes(router: ConnectRouter, maintenance: Maintenance): void {
  router.service(MaintenanceService, {
    async *collect(request, context) {
      try {
        const wishes = { ...wishesOf(request), ...operationOf(context) };
        for await (const step of stepsOf<GoingPath, CollectionResult>((onPath) =>
          maintenance.collect({ ...wishes, onPath }),
        )) {
          if (step.type === "event") yield { event: { case: "path", value: formatGoing(step.event) } };
          else if (step.type === "result")
            yield { event: { case: "done", value: formatResult(step.result) } };
          else yield {};
        }
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async forget({ storePath, withReferrers }, context) {
      try {
        const path = StorePath.fromAbsolute(storePath);
        const { storePaths, removed, freedBytes, damaged } = await maintenance.forget(path, {
          withReferrers,
          ...operationOf(context),
        });
        return {
          storePaths: [...storePaths],
          freedBytes: BigInt(freedBytes),
          damaged: BigInt(damaged),
          ...(removed === undefined ? {} : { removed: formatContents(removed) }),
        };
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async *verify(request, context) {
      try {
        const wishes = { ...parseVerification(request), ...operationOf(context) };
        for await (const step of stepsOf<StoreFault, VerificationResult>((onFault) =>
          maintenance.verify({ ...wishes, onFault }),
        )) {
          if (step.type === "event") yield { event: { case: "fault", value: formatFault(step.event) } };
          else if (step.type === "result")
            yield { event: { case: "done", value: formatVerified(step.result) } };
          else yield {};
        }
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async *repair(request, context) {
      try {
        const { data, bytesPerSecond } = parseVerification(request);
        const wishes = { ...(data === undefined ? {} : { data }), bytesPerSecond, ...operationOf(context) };
        for await (const step of stepsOf<RepairStep, RepairResult>((onStep) =>
          maintenance.repair({ ...wishes, onStep }),
        )) {
          if (step.type === "event") yield { event: { case: "step", value: formatStep(step.event) } };
          else if (step.type === "result")
            yield { event: { case: "done", value: formatRepaired(step.result) } };
          else yield {};
        }
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async *backup(request, context) {
      try {
        let contents: CopyContents = { storeId: "", files: new Map() };
        const onContents = (all: CopyContents) => {
          contents = all;
        };
        const copy = parseCopy(request);
        for await (const value of maintenance.backup(copy, onContents, operationOf(context))) {
          yield { event: { case: "part", value: formatPart(value) } };
        }
        yield { event: { case: "done", value: formatContentsOfCopy(contents) } };
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async *stats({ comparedPaths }, context) {
      try {
        const wishes = { comparedPaths: Math.min(comparedPaths, MOST_COMPARED), ...operationOf(context) };
        for await (const step of stepsOf<never, StatsResult>(() => maintenance.stats(wishes))) {
          yield step.type === "result" ? { done: formatStats(step.result) } : {};
        }
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async setPin({ pin }, context) {
      try {
        if (pin === undefined) throw new StoreError("INVALID_NAME", "pin needs to be specified");
        await maintenance.setPin(parsePin(pin), operationOf(context));
        return {};
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async removePin({ name }, context) {
      try {
        return { removed: await maintenance.removePin(name, operationOf(context)) };
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async *listPins(_, context) {
      try {
        for await (const pin of maintenance.pins(operationOf(context))) yield { pin: formatPin(pin) };
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },
  });
}

function wishesOf({ dryRun, graceSeconds, unusedSeconds, maxBytes }: CollectRequest): CollectionRequest {
  return {
    dryRun,
    graceMs: millisecondsOf(graceSeconds),
    unusedMs: millisecondsOf(unusedSeconds),
    maxBytes: maxBytes === undefined ? undefined : Number(maxBytes),
  };
}

function millisecondsOf(seconds: bigint | undefined): number | undefined {
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
