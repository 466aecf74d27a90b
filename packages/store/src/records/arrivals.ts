import { encodeHex } from "@tvix/byte-stream";
import type { OperationOptions, RecordStore } from "@tvix/castore";
import { inBatches } from "@tvix/castore/backend";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoClaim, PathInfoService, PutPathInfoOptions } from "../path-info/path-info-service.ts";
import { DeferredWrites } from "./deferred-writes.ts";
import { ARRIVALS, PATH_INFOS } from "./tables.ts";

/** A store path, and when it came. */
export interface ArrivedPath {
  readonly info: PathInfo;
  /** In milliseconds since 1970. */
  readonly time: number;
}

/** Records that are looked at together. */
const TOGETHER = 500;

/** Records that are looked at for one list, at most: paths may have gone since they came. */
const MAX_LOOKED_AT = 5000;

/** When store paths came. It is a hint: nobody waits for its writes. */
export class Arrivals {
  readonly #records: RecordStore;
  readonly #writes: DeferredWrites;

  /** @param records of the store that has the path infos */
  constructor(records: RecordStore) {
    this.#records = records;
    this.#writes = new DeferredWrites(records);
  }

  /** @param digest of a path that was not there before */
  note(digest: Uint8Array): void {
    this.#writes.add(ARRIVALS.put({ time: Date.now(), digest }, undefined));
  }

  /** Waits until what was noted is written. */
  async flush(): Promise<void> {
    await this.#writes.flush();
  }

  /** The paths that came last and are still there, the newest first. */
  async newest(count: number, options: OperationOptions = {}): Promise<readonly ArrivedPath[]> {
    const found = new Map<string, ArrivedPath>();
    let lookedAt = 0;
    for await (const batch of inBatches(ARRIVALS.entries(this.#records, undefined, options), TOGETHER)) {
      const arrivals = batch.flatMap((entry) => entry.findKey() ?? []);
      const infos = await this.#records.getMany(arrivals.map(({ digest }) => PATH_INFOS.keyOf(digest)));
      for (const [index, { digest, time }] of arrivals.entries()) {
        const record = infos[index];
        const info = record && PATH_INFOS.decode(digest, record);
        const key = encodeHex(digest);
        // One that went and came again is where it came last.
        if (info !== undefined && !found.has(key)) found.set(key, { info, time });
        if (found.size >= count) return [...found.values()];
      }
      lookedAt += batch.length;
      if (lookedAt >= MAX_LOOKED_AT) break;
    }
    return [...found.values()];
  }
}

/** Removes arrivals of paths that are there no more. */
export async function sweepArrivals(records: RecordStore, options: OperationOptions = {}): Promise<void> {
  for await (const batch of inBatches(ARRIVALS.entries(records, undefined, options), TOGETHER)) {
    const digests = batch.map((entry) => entry.findKey()?.digest ?? new Uint8Array(0));
    const infos = await records.getMany(digests.map((digest) => PATH_INFOS.keyOf(digest)));
    await records.write(
      batch.filter((_, index) => infos[index] === undefined).map((entry) => entry.remove()),
    );
  }
}

/** The same path infos; of those that are put and were not there it is noted when they came. */
export class ArrivingPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly #arrivals: Pick<Arrivals, "note">;

  constructor(inner: PathInfoService, arrivals: Pick<Arrivals, "note">) {
    this.#inner = inner;
    this.#arrivals = arrivals;
  }

  get(digest: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    return this.#inner.get(digest, options);
  }

  async put(info: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    const { reconcile = (_known, put) => put } = options;
    let isNew = true;
    const stored = await this.#inner.put(info, {
      ...options,
      // Learns on the way whether it is there.
      reconcile(known, put) {
        isNew = known === undefined;
        return reconcile(known, put);
      },
    });
    if (isNew) this.#arrivals.note(stored.storePath.digest);
    return stored;
  }

  async checkPut(claim: PathInfoClaim, options: OperationOptions = {}): Promise<void> {
    await this.#inner.checkPut?.(claim, options);
  }

  async forget(digest: Uint8Array): Promise<void> {
    await this.#inner.forget?.(digest);
  }

  list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }
}
