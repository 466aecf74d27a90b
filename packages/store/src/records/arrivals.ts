import { encodeHex } from "@tvix/byte-stream";
import type { OperationOptions, RecordStore } from "@tvix/castore";
import { inBatches } from "@tvix/castore/backend";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoClaim, PathInfoService, PutPathInfoOptions } from "../path-info/path-info-service.ts";
import { ARRIVALS, PATH_INFOS } from "./tables.ts";

/** A store path, and when it came. */
export interface ArrivedPath {
  readonly info: PathInfo;
  /** In milliseconds since 1970. */
  readonly time: number;
}

/** Records that are looked at together. */
const TOGETHER = 100;

/** Records that are looked at for one list, at most: paths may have gone since they came. */
const MAX_LOOKED_AT = 5000;

/**
 * When store paths came. What is written in one turn of the event loop is one write, for which nobody waits; one that
 * cannot be written is lost.
 */
export class Arrivals {
  readonly #records: RecordStore;
  #pending: Uint8Array[] = [];
  #writing: Promise<void> | undefined;

  /** @param records of the store that has the path infos */
  constructor(records: RecordStore) {
    this.#records = records;
  }

  /** @param digest of a path that was not there before */
  note(digest: Uint8Array): void {
    this.#pending.push(digest);
    this.#writing ??= this.#write();
  }

  /** Waits until what was noted is written. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
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

  async #write(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    const time = Date.now();
    const changes = this.#pending.map((digest) => ARRIVALS.put({ time, digest }, undefined));
    this.#pending = [];
    this.#writing = undefined;
    await this.#records.write(changes).catch(() => {});
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
    const { digest } = info.storePath;
    // What is damaged there is no reason to refuse what is to replace it.
    const known = await this.#inner.get(digest, options).catch(() => undefined);
    const stored = await this.#inner.put(info, options);
    if (known === undefined) this.#arrivals.note(digest);
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
