import { collect } from "@tvix/castore";
import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import type { GrpcTransport } from "@tvix/castore-grpc/http2";
import type { StorePath } from "@tvix/nix-compat";
import { GrpcPathInfoService } from "@tvix/store/grpc";

/** Time between the beginnings of two reads, in milliseconds. */
const EVERY_MS = 5;

/** What reads have waited. */
export interface Waits {
  /** What so large a part of them waited at the most, in milliseconds. */
  at(part: number): number;
}

/**
 * Asks for a path, its directory and one of its files again and again: whether the last one has been answered or not, so that
 * one that takes long is no excuse for those behind it.
 */
export class Reader {
  readonly #pathInfos: GrpcPathInfoService;
  readonly #directories: GrpcDirectoryService;
  readonly #blobs: GrpcBlobService;
  readonly #paths: readonly StorePath[];
  #next = 0;

  constructor(transport: GrpcTransport, paths: readonly StorePath[]) {
    this.#pathInfos = new GrpcPathInfoService(transport);
    this.#directories = new GrpcDirectoryService(transport);
    this.#blobs = new GrpcBlobService(transport);
    this.#paths = paths;
  }

  /** What reads wait while something else goes on. @throws Error when something is not there that has to be */
  async during(task: () => Promise<unknown>): Promise<Waits> {
    const waits: number[] = [];
    const reads: Promise<unknown>[] = [];
    const failures: unknown[] = [];
    const timer = setInterval(() => {
      const start = performance.now();
      const note = () => void waits.push(performance.now() - start);
      reads.push(this.#read().then(note, (error) => failures.push(error)));
    }, EVERY_MS);
    try {
      await task();
    } finally {
      clearInterval(timer);
      await Promise.all(reads);
    }
    if (failures.length > 0) throw failures[0];
    waits.sort((one, other) => one - other);
    return { at: (part) => waits[Math.min(waits.length - 1, Math.floor(waits.length * part))] ?? Number.NaN };
  }

  async #read(): Promise<void> {
    // Far from one another, so that not all that is read is remembered.
    this.#next = (this.#next + 7919) % this.#paths.length;
    const path = this.#paths[this.#next] as StorePath;
    const info = await this.#pathInfos.get(path.digest);
    if (info?.node.type !== "directory") throw new Error(`${path} is gone`);
    const directory = await this.#directories.get(info.node.digest);
    const [file] = directory?.entries ?? [];
    if (file?.node.type !== "file") throw new Error(`the directory of ${path} is gone`);
    const blob = await this.#blobs.read(file.node.digest);
    if (blob === undefined) throw new Error(`a file of ${path} is gone`);
    const { length } = await collect(blob, 1000);
    if (BigInt(length) !== file.node.size) throw new Error(`a file of ${path} has ${length} bytes`);
  }
}
