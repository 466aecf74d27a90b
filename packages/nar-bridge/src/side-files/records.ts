import type { OperationOptions, RecordStore } from "@tvix/castore";
import { claimed } from "@tvix/castore/backend";
import { StoreError } from "@tvix/store";
import { SIDE_FILES } from "../tables.ts";
import type { PutSideFileOptions, SideFile, SideFiles } from "./side-files.ts";

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

  async put(path: string, file: SideFile, options: PutSideFileOptions = {}): Promise<void> {
    const { signal, mayReplace = true } = options;
    signal?.throwIfAborted();
    const { digest, size } = file;
    const node = { type: "file", digest, size: BigInt(size), executable: false } as const;
    const change = SIDE_FILES.put(path, file);
    for (;;) {
      const conditions = [await claimed(this.#records, node)];
      if (!mayReplace) {
        const known = await this.get(path, options);
        if (known?.digest.equals(digest) === true) return;
        if (known !== undefined) throw new StoreError("CONFLICT", `${path} is here with other contents`);
        conditions.push({ key: SIDE_FILES.keyOf(path), value: undefined });
      }
      if (await this.#records.write([change], conditions)) return;
      signal?.throwIfAborted();
    }
  }
}
