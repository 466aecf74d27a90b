import { concatBytes } from "@tvix/byte-stream";
import { CastoreError, type OperationOptions } from "@tvix/castore";
import { type Database, keyOf, keyPrefix, seal, unseal } from "@tvix/castore/level";
import { NixHash } from "@tvix/nix-compat";
import { StoreError } from "../errors/store-error.ts";
import type { KnownNar, Lasting, NarFileRecord, NarIndex } from "../nar-index/nar-index.ts";
import { decodeNamelessNode, encodeNamelessNode } from "../path-info/nameless-node.ts";

/** Key prefixes; SHA-256 of the NAR, or of the file, follows. */
const NAR = keyPrefix("h1");
const FILE = keyPrefix("f2");
/** The same as older versions wrote it, without a checksum. */
const OLD_FILE = keyPrefix("f1");

/** Moment of the put in milliseconds, 0 for what lasts (u64); length of the NAR (u64); the node. */
const NODE_AT = 16;

/** Of a file: SHA-256 of the NAR, name of the compression. */
const COMPRESSION_AT = 32;

/** A {@link NarIndex} in a Level database. */
export class LevelNarIndex implements NarIndex {
  readonly #database: Database;
  /** Keys that were put while entries expire: they stay. */
  #renewed: Set<string> | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(narHash: NixHash, { signal }: OperationOptions = {}): Promise<(KnownNar & Lasting) | undefined> {
    signal?.throwIfAborted();
    const key = keyOf(NAR, narHash.digest);
    const sealed = await this.#database.get(key);
    return sealed === undefined ? undefined : decode(key, sealed, narHash);
  }

  async put(nar: KnownNar & Lasting, { signal }: OperationOptions = {}): Promise<void> {
    const lasting = nar.lasting || (await this.#lasts(nar.narHash));
    signal?.throwIfAborted();
    const key = keyOf(NAR, nar.narHash.digest);
    this.#renewed?.add(nameOf(key));
    const value = seal(key, encode(nar, lasting ? 0 : Date.now()));
    await this.#database.write([{ type: "put", key, value }]);
  }

  async getFile(fileHash: NixHash, { signal }: OperationOptions = {}): Promise<NarFileRecord | undefined> {
    signal?.throwIfAborted();
    const key = keyOf(FILE, fileHash.digest);
    const sealed = await this.#database.get(key);
    if (sealed !== undefined) return decodeFile(key, sealed);
    const old = await this.#database.get(keyOf(OLD_FILE, fileHash.digest));
    return old === undefined ? undefined : fileOf(old);
  }

  async putFile(
    fileHash: NixHash,
    { narHash, compression }: NarFileRecord,
    { signal }: OperationOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    const key = keyOf(FILE, fileHash.digest);
    this.#renewed?.add(nameOf(key));
    const value = seal(key, concatBytes([narHash.digest, new TextEncoder().encode(compression)]));
    await this.#database.write([{ type: "put", key, value }]);
  }

  async expire(before: number): Promise<number> {
    this.#renewed = new Set();
    try {
      let expired = 0;
      for await (const [key, sealed] of this.#database.entries(NAR)) {
        if (!isOlder(sealed, before) || this.#renewed.has(nameOf(key))) continue;
        await this.#database.write([{ type: "del", key }]);
        expired++;
      }
      for await (const [key, sealed] of this.#database.entries(FILE)) {
        if (await this.#database.has(keyOf(NAR, sealed.subarray(0, COMPRESSION_AT)))) continue;
        if (!this.#renewed.has(nameOf(key))) await this.#database.write([{ type: "del", key }]);
      }
      return expired;
    } finally {
      this.#renewed = undefined;
    }
  }

  /** Whether a NAR is known for good. A damaged record is not, and is written anew. */
  async #lasts(narHash: NixHash): Promise<boolean> {
    try {
      return (await this.get(narHash))?.lasting === true;
    } catch (error) {
      if (StoreError.is(error) && error.code === "CORRUPT") return false;
      throw error;
    }
  }
}

function encode({ node, narSize }: KnownNar, time: number): Uint8Array {
  const encoded = encodeNamelessNode(node);
  const value = new Uint8Array(NODE_AT + encoded.length);
  const words = new DataView(value.buffer);
  words.setBigUint64(0, BigInt(time));
  words.setBigUint64(8, BigInt(narSize));
  value.set(encoded, NODE_AT);
  return value;
}

function decode(key: Uint8Array, sealed: Uint8Array, narHash: NixHash): KnownNar & Lasting {
  const subject = `the NAR ${narHash}`;
  try {
    const value = unseal(key, sealed, subject);
    const words = new DataView(value.buffer, value.byteOffset, value.byteLength);
    return {
      narHash,
      narSize: Number(words.getBigUint64(8)),
      node: decodeNamelessNode(value.subarray(NODE_AT)),
      lasting: words.getBigUint64(0) === 0n,
    };
  } catch (cause) {
    if (CastoreError.is(cause) || StoreError.is(cause)) {
      throw new StoreError("CORRUPT", `the record of ${subject} is damaged`, cause);
    }
    throw cause;
  }
}

/** What a file holds; undefined when the record is damaged: the file can be uploaded again. */
function decodeFile(key: Uint8Array, sealed: Uint8Array): NarFileRecord | undefined {
  try {
    return fileOf(unseal(key, sealed, "a file"));
  } catch (error) {
    if (CastoreError.is(error)) return undefined;
    throw error;
  }
}

function fileOf(value: Uint8Array): NarFileRecord {
  return {
    narHash: NixHash.from("sha256", value.slice(0, COMPRESSION_AT)),
    compression: new TextDecoder().decode(value.subarray(COMPRESSION_AT)),
  };
}

function isOlder(sealed: Uint8Array, before: number): boolean {
  const time = new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength).getBigUint64(0);
  return time !== 0n && time < BigInt(before);
}

function nameOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}
