import { CastoreError, type Node, type OperationOptions } from "@tvix/castore";
import { type Database, derivedKeyPrefix, keyOf, seal, unseal } from "@tvix/castore/level";
import { NixHash } from "@tvix/nix-compat";
import type { NarCalculationService, NarSummary } from "../nar/calculate.ts";
import { keyPartsOf } from "./node-key.ts";

/** Key prefix of calculated NARs; what is left of the node follows. */
const CALCULATED = derivedKeyPrefix("n1");

/** Size (u64, big-endian) and SHA-256. */
const VALUE_BYTES = 40;
const HASH_AT = 8;

/**
 * Keeps what was calculated in a Level database. A node never changes, so neither does its
 * NAR; links are too short to be kept.
 */
export class LevelNarCalculation implements NarCalculationService {
  readonly #database: Database;
  readonly #inner: NarCalculationService;

  constructor(database: Database, inner: NarCalculationService) {
    this.#database = database;
    this.#inner = inner;
  }

  async calculateNar(root: Node, options: OperationOptions = {}): Promise<NarSummary> {
    options.signal?.throwIfAborted();
    if (root.type === "symlink") return await this.#inner.calculateNar(root, options);
    const key = keyOf(CALCULATED, ...keyPartsOf(root));
    const sealed = await this.#database.get(key);
    const known = sealed === undefined ? undefined : decode(key, sealed);
    if (known !== undefined) return known;
    const summary = await this.#inner.calculateNar(root, options);
    await this.keep(root, summary);
    return summary;
  }

  /** Keeps what is known of a node already, from reading its NAR. */
  async keep(root: Node, summary: NarSummary): Promise<void> {
    if (root.type === "symlink") return;
    const key = keyOf(CALCULATED, ...keyPartsOf(root));
    // It can be calculated again: asking for it does not fail because nothing can be written.
    await this.#database.write([{ type: "put", key, value: seal(key, encode(summary)) }]).catch(() => {});
  }
}

function encode({ narSize, narHash }: NarSummary): Uint8Array {
  const value = new Uint8Array(VALUE_BYTES);
  new DataView(value.buffer).setBigUint64(0, BigInt(narSize));
  value.set(narHash.digest, HASH_AT);
  return value;
}

/** What was kept; undefined when it is damaged, and so has to be calculated anew. */
function decode(key: Uint8Array, sealed: Uint8Array): NarSummary | undefined {
  let value: Uint8Array;
  try {
    value = unseal(key, sealed, "a calculated NAR");
  } catch (error) {
    if (CastoreError.is(error)) return undefined;
    throw error;
  }
  if (value.length !== VALUE_BYTES) return undefined;
  const words = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return {
    narSize: Number(words.getBigUint64(0)),
    narHash: NixHash.from("sha256", value.slice(HASH_AT)),
  };
}
