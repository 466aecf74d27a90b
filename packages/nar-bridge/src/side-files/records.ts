import type { OperationOptions, RecordStore } from "@tvix/castore";
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
    await this.#records.write([SIDE_FILES.put(path, file)]);
  }
}
