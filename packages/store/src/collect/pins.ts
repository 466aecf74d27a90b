import type { OperationOptions, RecordStore } from "@tvix/castore";
import { claimedWhole } from "@tvix/castore/backend";
import { StoreError } from "../errors/store-error.ts";
import { PATH_INFOS, PINS, type PinTarget, USES } from "../records/tables.ts";

/** Something that is kept, by the name that somebody gave it. */
export interface Pin {
  readonly name: string;
  readonly target: PinTarget;
}

/** Letters, digits and `._+@:/-`, up to 200 of them. */
const NAME = /^[\w.+@:/-]{1,200}$/;

/** @throws StoreError INVALID_NAME */
export function checkPinName(name: string): string {
  if (NAME.test(name)) return name;
  const shown = JSON.stringify(name.slice(0, 200));
  throw new StoreError(
    "INVALID_NAME",
    `${shown} names no pin: letters, digits and ._+@:/- do, up to 200 of them`,
  );
}

/** What no collection takes, with all that it refers to. */
export class Pins {
  readonly #records: RecordStore;

  /** @param records of the store whose paths and contents are kept */
  constructor(records: RecordStore) {
    this.#records = records;
  }

  /**
   * Keeps something under a name, which then names nothing else.
   *
   * @throws StoreError INVALID_NAME; MISSING_REFERENCES when the path is not here
   * @throws CastoreError INCOMPLETE when contents have been collected
   */
  async set(name: string, target: PinTarget): Promise<void> {
    const change = PINS.put(checkPinName(name), target);
    for (;;) {
      if (target.type === "node") {
        if (await this.#records.write([change], [await claimedWhole(this.#records, target.node)])) return;
        continue;
      }
      const key = PATH_INFOS.keyOf(target.storePath.digest);
      const value = await this.#records.get(key);
      const info = value && PATH_INFOS.decode(target.storePath.digest, value);
      if (value === undefined || info?.storePath.equals(target.storePath) === false) {
        throw new StoreError("MISSING_REFERENCES", `${target.storePath} is not in the store`);
      }
      // A collection that is under way sees that it is wanted.
      const use = USES.put(target.storePath.digest, Date.now());
      if (await this.#records.write([change, use], [{ key, value }])) return;
    }
  }

  /** @returns whether there was such a pin */
  async remove(name: string): Promise<boolean> {
    if (!(await PINS.has(this.#records, checkPinName(name)))) return false;
    await this.#records.write([PINS.remove(name)]);
    return true;
  }

  /** All pins, in the order of their names. @throws CastoreError CORRUPT for a damaged one */
  async *list(options: OperationOptions = {}): AsyncGenerator<Pin, void, undefined> {
    for await (const entry of PINS.entries(this.#records, undefined, options)) {
      yield { name: entry.key(), target: entry.value() };
    }
  }
}
