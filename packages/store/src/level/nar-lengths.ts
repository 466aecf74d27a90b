import { ByteBudget, CastoreError, type Node, type OperationOptions } from "@tvix/castore";
import { type Database, derivedKeyPrefix, keyOf, seal, unseal } from "@tvix/castore/level";
import { NixHash } from "@tvix/nix-compat";
import type { NarFiles, NarLengths, NarLengthsService } from "../nar/lengths.ts";
import { keyPartsOf } from "./node-key.ts";

/** Key prefix of lengths of NARs; what is left of the node follows. */
const LENGTHS = derivedKeyPrefix("z2");

/**
 * Version of what was measured, when it was: length of the NAR and of its zstd form (all u64,
 * big-endian), SHA-256 of the latter where it is known.
 */
const HASH_AT = 24;
const VALUE_BYTES = HASH_AT + 32;

/** Measurements under way at the same time. */
const MEASUREMENTS = 4;

/** What is known of a node: its hash may not be. */
type Known = NarLengths & Partial<NarFiles>;

/**
 * Keeps the lengths of NARs in a Level database, each as long as it says what is so; links are too
 * short to be kept.
 */
export class LevelNarLengths implements NarLengthsService {
  readonly #database: Database;
  readonly #inner: NarLengthsService;
  /** What is being measured, by kind and key: many may ask at once. */
  readonly #underWay: Map<string, Promise<Known>> = new Map();
  readonly #places = new ByteBudget(MEASUREMENTS);
  #forgotten = 0;

  constructor(database: Database, inner: NarLengthsService) {
    this.#database = database;
    this.#inner = inner;
  }

  get version(): number {
    // Both only grow, so that the sum changes when either does.
    return this.#inner.version + this.#forgotten;
  }

  async lengths(root: Node, options: OperationOptions = {}): Promise<NarLengths> {
    return await this.#known("lengths", root, options);
  }

  async files(root: Node, options: OperationOptions = {}): Promise<NarFiles> {
    const { narSize, zstdSize, zstdHash } = await this.#known("files", root, options);
    return { narSize, zstdSize, zstdHash };
  }

  async forget(root: Node): Promise<void> {
    this.#forgotten++;
    if (root.type === "symlink") return;
    const key = keyOf(LENGTHS, ...keyPartsOf(root));
    if (await this.#database.has(key)) await this.#database.write([{ type: "del", key }]);
  }

  async #known(what: "lengths" | "files", root: Node, options: OperationOptions): Promise<Known> {
    options.signal?.throwIfAborted();
    if (root.type === "symlink") return await this.#inner[what](root, options);
    const key = keyOf(LENGTHS, ...keyPartsOf(root));
    const sealed = await this.#database.get(key);
    const known = sealed === undefined ? undefined : decode(key, sealed, this.#inner.version);
    if (known !== undefined && (what === "lengths" || known.zstdHash !== undefined)) return known;
    const name = `${what} ${this.#inner.version} ${String.fromCharCode(...key)}`;
    // Whoever leaves does not take the result from the others.
    const measuring = this.#underWay.get(name) ?? this.#measure(what, root, key);
    this.#underWay.set(name, measuring);
    try {
      return await measuring;
    } finally {
      this.#underWay.delete(name);
    }
  }

  /** Runs a measurement when few others are under way: some go through gigabytes. */
  async #few<T>(measure: () => Promise<T>): Promise<T> {
    await this.#places.acquire(1);
    try {
      return await measure();
    } finally {
      this.#places.release(1);
    }
  }

  async #measure(what: "lengths" | "files", root: Node, key: Uint8Array): Promise<Known> {
    const { version } = this.#inner;
    const found: Known = await this.#few(() => this.#inner[what](root));
    const value = encode(found, version);
    if (value !== undefined) {
      // It can be measured again: what is asked for does not fail because nothing can be written.
      await this.#database.write([{ type: "put", key, value: seal(key, value) }]).catch(() => {});
    }
    return found;
  }
}

function encode({ narSize, zstdSize, zstdHash }: Known, version: number): Uint8Array | undefined {
  if (zstdSize === undefined) return undefined;
  const value = new Uint8Array(zstdHash === undefined ? HASH_AT : VALUE_BYTES);
  const words = new DataView(value.buffer);
  words.setBigUint64(0, BigInt(version));
  words.setBigUint64(8, BigInt(narSize));
  words.setBigUint64(16, BigInt(zstdSize));
  if (zstdHash !== undefined) value.set(zstdHash.digest, HASH_AT);
  return value;
}

/** What was kept; undefined when it is damaged or of another version, and has to be measured anew. */
function decode(key: Uint8Array, sealed: Uint8Array, version: number): Known | undefined {
  let value: Uint8Array;
  try {
    value = unseal(key, sealed, "the lengths of a NAR");
  } catch (error) {
    if (CastoreError.is(error)) return undefined;
    throw error;
  }
  if (value.length !== HASH_AT && value.length !== VALUE_BYTES) return undefined;
  const words = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (words.getBigUint64(0) !== BigInt(version)) return undefined;
  const lengths = { narSize: Number(words.getBigUint64(8)), zstdSize: Number(words.getBigUint64(16)) };
  if (value.length === HASH_AT) return lengths;
  return { ...lengths, zstdHash: NixHash.from("sha256", value.slice(HASH_AT)) };
}
