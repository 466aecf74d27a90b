import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Scope } from "../admission/scope.ts";

/** What is kept of a token: enough to know it again, and nothing to make it from. */
export interface TokenRecord {
  /** Part of the token that is no secret. */
  readonly id: string;
  /** What its owner calls it. */
  readonly name: string;
  /** SHA-256 of the token, in hexadecimal digits. It has 256 random bits: nothing slower is needed. */
  readonly hash: string;
  readonly scope: Scope;
  /** What names of store paths have to begin with for it to tell of them; undefined for any. */
  readonly prefix: string | undefined;
  readonly created: Date;
  /** Undefined for one that lasts. */
  readonly expires: Date | undefined;
}

/** What is decided about a new token. */
export type TokenRequest = Pick<TokenRecord, "name" | "scope" | "prefix" | "expires">;

const SECRET_BYTES = 32;
const ID_BYTES = 6;

/** `tvix_`, the id, and the secret. */
const TOKEN = /^tvix_([0-9a-f]{12})_[\w-]{43}$/;

/** Makes a token. The text is shown once and not kept. */
export function createToken(request: TokenRequest): { text: string; record: TokenRecord } {
  const id = randomBytes(ID_BYTES).toString("hex");
  const text = `tvix_${id}_${randomBytes(SECRET_BYTES).toString("base64url")}`;
  return { text, record: { ...request, id, hash: hashOf(text).toString("hex"), created: new Date() } };
}

/** The id in a token; undefined for what is none. */
export function idOf(text: string): string | undefined {
  return TOKEN.exec(text)?.[1];
}

/** Whether a text is the token of a record. */
export function isTokenOf(text: string, { hash }: TokenRecord): boolean {
  return timingSafeEqual(hashOf(text), Buffer.from(hash, "hex"));
}

function hashOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
