import { md5, sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import type { CreateHasher } from "./hasher.ts";

export type { CreateHasher, Hasher } from "./hasher.ts";

const ALGORITHMS = { md5, sha1, sha256, sha512 };

/** Digests in JavaScript, for any engine. */
export const createHasher: CreateHasher = (algorithm) => ALGORITHMS[algorithm].create();
