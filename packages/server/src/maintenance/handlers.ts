import type { ConnectRouter } from "@connectrpc/connect";
import { operationOf } from "@tvix/castore-grpc";
import { StorePath } from "@tvix/nix-compat";
import { type CollectRequest, MaintenanceService } from "@tvix/protocol/maintenance";
import { StoreError } from "@tvix/store";
import { toConnectError } from "@tvix/store/grpc";
import type { CollectionRequest, CollectionResult, GoingPath, Maintenance } from "./maintenance.ts";
import { formatContents, formatGoing, formatPin, formatResult, parsePin } from "./messages.ts";

/** Serves the maintenance of a store; only those with the scope admin get here, but for the list of pins. */
export function addMaintenanceRoutes(router: ConnectRouter, maintenance: Maintenance): void {
  router.service(MaintenanceService, {
    async *collect(request, context) {
      try {
        yield* collecting(maintenance, { ...wishesOf(request), ...operationOf(context) });
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async forget({ storePath, withReferrers }, context) {
      try {
        const path = StorePath.fromAbsolute(storePath);
        const { storePaths, removed, freedBytes } = await maintenance.forget(path, {
          withReferrers,
          ...operationOf(context),
        });
        return {
          storePaths: [...storePaths],
          freedBytes: BigInt(freedBytes),
          ...(removed === undefined ? {} : { removed: formatContents(removed) }),
        };
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

/** Paths are passed on as they go, and wait for their reader; now and then a message without any says that it goes on. */
async function* collecting(maintenance: Maintenance, request: CollectionRequest) {
  const going: GoingPath[] = [];
  let hasLeft = false;
  let wake = () => {};
  let taken = () => {};
  const onPath = async (path: GoingPath) => {
    going.push(path);
    wake();
    if (going.length < WAITING_PATHS || hasLeft) return;
    await new Promise<void>((resolve) => {
      taken = resolve;
    });
  };
  let result: CollectionResult | undefined;
  const done = maintenance.collect({ ...request, onPath }).then((found) => {
    result = found;
  });
  // Looked at below; until then a failure is nobody's.
  done.catch(() => {});
  try {
    while (result === undefined || going.length > 0) {
      const path = going.shift();
      taken();
      if (path !== undefined) {
        yield { event: { case: "path", value: formatGoing(path) } } as const;
        continue;
      }
      const isQuiet = await quietFor(SIGN_OF_LIFE_MS, done, (onWake) => {
        wake = onWake;
      });
      if (isQuiet) yield {};
    }
    yield { event: { case: "done", value: formatResult(result) } } as const;
  } finally {
    hasLeft = true;
    taken();
  }
}

/** Waits for an end or for a call; returns whether neither came for so long. */
async function quietFor(
  milliseconds: number,
  end: Promise<void>,
  listen: (onWake: () => void) => void,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const quiet = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, milliseconds, true);
    listen(() => resolve(false));
  });
  try {
    return await Promise.race([quiet, end.then(() => false)]);
  } finally {
    clearTimeout(timer);
  }
}

/** Paths that wait for the reader of a collection before the collection does. */
const WAITING_PATHS = 100;

const SIGN_OF_LIFE_MS = 20_000;
