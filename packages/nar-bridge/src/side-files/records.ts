import type { OperationOptions, RecordStore } from "@tvix/castore";
import { claimed } from "@tvix/castore/backend";
import { SIDE_FILES } from "../tables.ts";
import type { SideFile, SideFiles } from "./side-files.ts";

/** {@link SideFiles} as records, next to the blobs that hold their contents. */
export class RecordSideFiles implements SideFiles {
  readonly #records: RecordStore;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  async get(path: string, { signal }: OperationOptions = {}): Promise<SideFile | undefined> {
    signal?.throwIfAborted();
    return await SIDE_FILES.get(this.#records, path);
  }

  async put(path: string, file: SideFile, { signal }: OperationOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    const { digest, size } = file;
    const node = { type: "file", digest, size: BigInt(size), executable: false } as const;
    const change = SIDE_FILES.put(path, file);
    while (!(await this.#records.write([change], [await claimed(this.#records, node)])))
      signal?.throwIfAborted();
  }
}
