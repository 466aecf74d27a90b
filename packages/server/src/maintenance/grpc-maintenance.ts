import { type Client, createClient, type Transport } from "@connectrpc/connect";
import type { OperationOptions } from "@tvix/castore";
import { fromConnectError } from "@tvix/castore-grpc";
import type { FilePart } from "@tvix/castore-packs";
import type { StorePath } from "@tvix/nix-compat";
import { MaintenanceService } from "@tvix/protocol/maintenance";
import { formatCopy, parseContentsOfCopy, parsePart } from "./backup-messages.ts";
import type {
  CollectionRequest,
  CollectionResult,
  ForgetResult,
  Maintenance,
  NamedPin,
  RepairRequest,
  RepairResult,
  StatsRequest,
  StatsResult,
  VerificationRequest,
  VerificationResult,
} from "./maintenance.ts";
import { formatPin, parseContents, parseGoing, parsePin, parseResult } from "./messages.ts";
import { parseRepaired, parseStep } from "./repair-messages.ts";
import { parseStats } from "./stats-messages.ts";
import { formatSample, parseFault, parseVerified } from "./verification-messages.ts";

/** Maintenance of the store of a server. */
export class GrpcMaintenance implements Maintenance {
  readonly #client: Client<typeof MaintenanceService>;

  constructor(transport: Transport) {
    this.#client = createClient(MaintenanceService, transport);
  }

  async collect(request: CollectionRequest = {}): Promise<CollectionResult> {
    const { dryRun = false, graceMs, unusedMs, maxBytes, onPath, signal } = request;
    const wishes = {
      dryRun,
      ...(graceMs === undefined ? {} : { graceSeconds: secondsOf(graceMs) }),
      ...(unusedMs === undefined ? {} : { unusedSeconds: secondsOf(unusedMs) }),
      ...(maxBytes === undefined ? {} : { maxBytes: BigInt(maxBytes) }),
    };
    return await answered("collection", signal, async () => {
      let result: CollectionResult | undefined;
      for await (const { event } of this.#client.collect(wishes, callOf(signal))) {
        if (event.case === "path") await onPath?.(parseGoing(event.value));
        if (event.case === "done") result = parseResult(event.value);
      }
      return told(result);
    });
  }

  async forget(
    storePath: StorePath,
    options: OperationOptions & { readonly withReferrers?: boolean } = {},
  ): Promise<ForgetResult> {
    const { withReferrers = false, signal } = options;
    return await answered(`forgetting ${storePath}`, signal, async () => {
      const request = { storePath: storePath.toAbsolute(), withReferrers };
      const { storePaths, removed, freedBytes, damaged } = await this.#client.forget(request, callOf(signal));
      const numbers = { freedBytes: Number(freedBytes), damaged: Number(damaged) };
      return { storePaths, removed: removed && parseContents(removed), ...numbers };
    });
  }

  async verify(request: VerificationRequest = {}): Promise<VerificationResult> {
    const { data = "none", bytesPerSecond = 0, onFault, signal } = request;
    const sample = formatSample(data);
    const wishes = {
      bytesPerSecond: BigInt(bytesPerSecond),
      ...(sample === undefined ? {} : { data: sample }),
    };
    return await answered("verification", signal, async () => {
      let result: VerificationResult | undefined;
      for await (const { event } of this.#client.verify(wishes, callOf(signal))) {
        if (event.case === "fault") await onFault?.(parseFault(event.value));
        if (event.case === "done") result = parseVerified(event.value);
      }
      return told(result);
    });
  }

  async repair(request: RepairRequest = {}): Promise<RepairResult> {
    const { data = "none", bytesPerSecond = 0, onStep, signal } = request;
    const sample = formatSample(data);
    const wishes = {
      bytesPerSecond: BigInt(bytesPerSecond),
      ...(sample === undefined ? {} : { data: sample }),
    };
    return await answered("repair", signal, async () => {
      let result: RepairResult | undefined;
      for await (const { event } of this.#client.repair(wishes, callOf(signal))) {
        if (event.case === "step") await onStep?.(parseStep(event.value));
        if (event.case === "done") result = parseRepaired(event.value);
      }
      return told(result);
    });
  }

  async *backup(
    ...[copy, onContents, options = {}]: Parameters<Maintenance["backup"]>
  ): AsyncGenerator<FilePart, void, undefined> {
    const { signal } = options;
    let isWhole = false;
    try {
      for await (const { event } of this.#client.backup(formatCopy(copy), callOf(signal))) {
        if (event.case === "part") yield parsePart(event.value);
        if (event.case !== "done") continue;
        onContents(parseContentsOfCopy(event.value));
        isWhole = true;
      }
    } catch (error) {
      throw fromConnectError(error, "backup", signal);
    }
    if (!isWhole) throw new Error("the server does not say what the backup consists of");
  }

  async stats({ comparedPaths = 0, signal }: StatsRequest = {}): Promise<StatsResult> {
    return await answered("statistics", signal, async () => {
      let result: StatsResult | undefined;
      for await (const { done } of this.#client.stats({ comparedPaths }, callOf(signal))) {
        if (done !== undefined) result = parseStats(done);
      }
      return told(result);
    });
  }

  async setPin(pin: NamedPin, { signal }: OperationOptions = {}): Promise<void> {
    await answered(`pin ${pin.name}`, signal, () =>
      this.#client.setPin({ pin: formatPin(pin) }, callOf(signal)),
    );
  }

  async removePin(name: string, { signal }: OperationOptions = {}): Promise<boolean> {
    const call = () => this.#client.removePin({ name }, callOf(signal));
    return (await answered(`removal of pin ${name}`, signal, call)).removed;
  }

  async *pins({ signal }: OperationOptions = {}): AsyncGenerator<NamedPin, void, undefined> {
    try {
      for await (const { pin } of this.#client.listPins({}, callOf(signal))) {
        if (pin !== undefined) yield parsePin(pin);
      }
    } catch (error) {
      throw fromConnectError(error, "list of pins", signal);
    }
  }
}

function told<T>(result: T | undefined): T {
  if (result === undefined) throw new Error("the server does not say what it has done");
  return result;
}

async function answered<T>(
  what: string,
  signal: AbortSignal | undefined,
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fromConnectError(error, what, signal);
  }
}

function callOf(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** Parts of a second count as a whole one. */
function secondsOf(milliseconds: number): bigint {
  return BigInt(Math.ceil(milliseconds / 1000));
}
