import { CastoreError, type Node, type OperationOptions } from "@tvix/castore";
import { type Database, keyOf, keyPrefix, seal, unseal } from "@tvix/castore/level";
import type { NarLengths, NarLengthsService } from "../nar/lengths.ts";
import { keyPartsOf } from "./node-key.ts";

/** Key prefix of lengths of NARs; what is left of the node follows. */
const LENGTHS = keyPrefix("z1");

/** Length of the NAR and of its zstd form (u64, big-endian). */
const VALUE_BYTES = 16;

/** Keeps the lengths of NARs in a Level database; links are too short to be kept. */
export class LevelNarLengths implements NarLengthsService {
  readonly #database: Database;
  readonly #inner: NarLengthsService;
  /** What is being measured, by key: many may ask at once. */
  readonly #underWay: Map<string, Promise<NarLengths>> = new Map();

  constructor(database: Database, inner: NarLengthsService) {
    this.#database = database;
    this.#inner = inner;
  }

  async lengths(root: Node, options: OperationOptions = {}): Promise<NarLengths> {
    options.signal?.throwIfAborted();
    if (root.type === "symlink") return await this.#inner.lengths(root, options);
    const key = keyOf(LENGTHS, ...keyPartsOf(root));
    const sealed = await this.#database.get(key);
    const known = sealed === undefined ? undefined : decode(key, sealed);
    if (known !== undefined) return known;
    const name = String.fromCharCode(...key);
    // Whoever leaves does not take the result from the others.
    const measuring = this.#underWay.get(name) ?? this.#measure(root, key);
    this.#underWay.set(name, measuring);
    try {
      return await measuring;
    } finally {
      this.#underWay.delete(name);
    }
  }

  /** Forgets what is known of a node: a chunk of it is stored in another form now. */
  async forget(root: Node): Promise<void> {
    if (root.type === "symlink") return;
    await this.#database.write([{ type: "del", key: keyOf(LENGTHS, ...keyPartsOf(root)) }]);
  }

  async #measure(root: Node, key: Uint8Array): Promise<NarLengths> {
    const lengths = await this.#inner.lengths(root);
    const value = encode(lengths);
    if (value !== undefined) await this.#database.write([{ type: "put", key, value: seal(key, value) }]);
    return lengths;
  }
}

function encode({ narSize, zstdSize }: NarLengths): Uint8Array | undefined {
  if (zstdSize === undefined) return undefined;
  const value = new Uint8Array(VALUE_BYTES);
  const words = new DataView(value.buffer);
  words.setBigUint64(0, BigInt(narSize));
  words.setBigUint64(8, BigInt(zstdSize));
  return value;
}

/** What was kept; undefined when it is damaged, and so has to be measured anew. */
function decode(key: Uint8Array, sealed: Uint8Array): NarLengths | undefined {
  let value: Uint8Array;
  try {
    value = unseal(key, sealed, "the lengths of a NAR");
  } catch (error) {
    if (CastoreError.is(error)) return undefined;
    throw error;
  }
  if (value.length !== VALUE_BYTES) return undefined;
  const words = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return { narSize: Number(words.getBigUint64(0)), zstdSize: Number(words.getBigUint64(8)) };
}
