import { equalBytes } from "@tvix/byte-stream";
import {
  CastoreError,
  type Codec,
  type RecordChange,
  type RecordCondition,
  type RecordStore,
  Table,
} from "@tvix/castore";
import { FACTS } from "@tvix/castore/backend";

/** What an extent is: an object on its way, one that is whole, or one of which nothing more may be wanted. */
export type ExtentState = "begun" | "whole" | "sealed";

/** What the records say of an extent. */
export interface ExtentRecord {
  readonly state: ExtentState;
  /** When it was begun, in milliseconds since 1970, by the clock of who did. */
  readonly begun: number;
  /** Of the object, in bytes; 0 as long as it is on its way. */
  readonly length: number;
}

const STATES: readonly ExtentState[] = ["begun", "whole", "sealed"];

const NUMBER: Codec<number> = {
  encode(number) {
    const key = new Uint8Array(4);
    new DataView(key.buffer).setUint32(0, number);
    return key;
  },
  decode(bytes) {
    if (bytes.length !== 4) throw new RangeError(`${bytes.length} bytes`);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  },
};

const RECORD: Codec<ExtentRecord> = {
  encode({ state, begun, length }) {
    const bytes = new Uint8Array(17);
    const words = new DataView(bytes.buffer);
    words.setUint8(0, STATES.indexOf(state));
    words.setBigUint64(1, BigInt(begun));
    words.setBigUint64(9, BigInt(length));
    return bytes;
  },
  decode(bytes) {
    const state = STATES[bytes[0] ?? -1];
    if (bytes.length !== 17 || state === undefined) throw new RangeError(`${bytes.length} bytes`);
    const words = new DataView(bytes.buffer, bytes.byteOffset);
    return { state, begun: Number(words.getBigUint64(1)), length: Number(words.getBigUint64(9)) };
  },
};

/** Extents that lie in objects, by their numbers: state (u8), beginning (u64), length (u64). */
export const OBJECT_EXTENTS: Table<number, ExtentRecord> = new Table({
  prefix: "e1",
  subject: (extent) => `extent ${extent}`,
  key: NUMBER,
  value: RECORD,
  sealed: false,
});

/** The number of the extent that was begun last (u64). */
const LAST = "last-extent";

/** Extents remembered as whole, for the records that are about to lead into them. */
const REMEMBERED = 1000;

/** Which extents there are: what all servers agree on before anything is sent to the object store. */
export class ExtentRegistry {
  readonly #records: RecordStore;
  readonly #whole: Map<number, ExtentRecord> = new Map();
  #last: number | undefined;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  /** Gives a new number; it is nobody else's, now or later. */
  async begin(): Promise<{ readonly extent: number; readonly record: ExtentRecord }> {
    const record: ExtentRecord = { state: "begun", begun: Date.now(), length: 0 };
    for (;;) {
      this.#last ??= await this.#readLast();
      const last = this.#last;
      const extent = last + 1;
      const isAsKnown = { key: FACTS.keyOf(LAST), value: last === 0 ? undefined : encodeLast(last) };
      const changes = [FACTS.put(LAST, encodeLast(extent)), OBJECT_EXTENTS.put(extent, record)];
      // Others of this process may begin one meanwhile.
      this.#last = extent;
      if (await this.#records.write(changes, [isAsKnown])) return { extent, record };
      this.#last = undefined;
    }
  }

  /** @throws CastoreError UNAVAILABLE when somebody has given it up meanwhile */
  async complete(extent: number, known: ExtentRecord, length: number): Promise<void> {
    const record: ExtentRecord = { ...known, state: "whole", length };
    if (!(await this.#replace(extent, known, record))) {
      throw new CastoreError("UNAVAILABLE", "an object took so long that it was given up: try again");
    }
    this.#whole.set(extent, record);
    for (const oldest of this.#whole.keys()) {
      if (this.#whole.size <= REMEMBERED) break;
      this.#whole.delete(oldest);
    }
  }

  /** That an extent is whole, and nobody has sealed it; never so for one that is not there. */
  async conditionsOf(extent: number): Promise<readonly RecordCondition[]> {
    const known = this.#whole.get(extent) ?? (await this.find(extent));
    const { key, value } = OBJECT_EXTENTS.put(extent, { begun: 0, length: 0, ...known, state: "whole" });
    return [{ key, value }];
  }

  async find(extent: number): Promise<ExtentRecord | undefined> {
    return await OBJECT_EXTENTS.find(this.#records, extent);
  }

  /** No record will lead into it from now on that does not yet. @returns whether there is such an extent */
  async seal(extent: number): Promise<boolean> {
    for (;;) {
      const known = await this.find(extent);
      this.#whole.delete(extent);
      if (known === undefined) return false;
      if (known.state === "sealed" || (await this.#replace(extent, known, { ...known, state: "sealed" }))) {
        return true;
      }
    }
  }

  /**
   * The same for one that is as it was found, such as one that nobody has completed.
   *
   * @returns whether it was
   */
  async sealAsFound(extent: number, found: ExtentRecord): Promise<boolean> {
    return await this.#replace(extent, found, { ...found, state: "sealed" });
  }

  async remove(extent: number): Promise<void> {
    await this.#records.write([OBJECT_EXTENTS.remove(extent)]);
  }

  /** In the order of their numbers. */
  async *list(): AsyncGenerator<{ readonly extent: number; readonly record: ExtentRecord }, void, undefined> {
    for await (const entry of OBJECT_EXTENTS.entries(this.#records)) {
      const extent = entry.findKey();
      if (extent !== undefined) yield { extent, record: entry.value() };
    }
  }

  /** Whether any extent was ever begun. */
  async isNew(): Promise<boolean> {
    return (await this.#readLast()) === 0;
  }

  /**
   * Makes known what lies in the object store, where the records know of no extent at all. Several may do it at once, and
   * one that is interrupted is begun anew: until the end nobody begins an extent.
   *
   * @param found in the order of their numbers
   * @param also what is written together with the end of it
   */
  async adopt(
    found: AsyncIterable<{ readonly extent: number; readonly length: number }>,
    also: readonly RecordChange[],
  ): Promise<void> {
    let last = 0;
    for await (const { extent, length } of found) {
      const record: ExtentRecord = { state: "whole", begun: 0, length };
      await this.#records.write([OBJECT_EXTENTS.put(extent, record)], [OBJECT_EXTENTS.isAbsent(extent)]);
      last = Math.max(last, extent);
    }
    const changes = last === 0 ? also : [FACTS.put(LAST, encodeLast(last)), ...also];
    await this.#records.write(changes, [FACTS.isAbsent(LAST)]);
  }

  async #replace(extent: number, known: ExtentRecord, next: ExtentRecord): Promise<boolean> {
    const { key, value } = OBJECT_EXTENTS.put(extent, known);
    return await this.#records.write([OBJECT_EXTENTS.put(extent, next)], [{ key, value }]);
  }

  async #readLast(): Promise<number> {
    const value = await FACTS.get(this.#records, LAST);
    if (value === undefined || equalBytes(value, new Uint8Array(0))) return 0;
    return Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0));
  }
}

function encodeLast(extent: number): Uint8Array {
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigUint64(0, BigInt(extent));
  return value;
}
