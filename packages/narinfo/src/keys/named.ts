import { decodeBase64, encodeBase64 } from "@tvix/byte-stream";
import { NarInfoError, type NarInfoErrorCode } from "../errors.ts";

/** A name and bytes, as keys and signatures have them: `name:` and padded base64. */
export interface Named {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Whatever may be confused with what surrounds a name, or cannot be seen. */
const FORBIDDEN = /[\s:\p{C}]/u;

/**
 * Reads `name:base64`. The name is what comes before the first colon.
 *
 * @param what is read, for the message; the value itself may be secret
 */
export function parseNamed(text: string, what: string, length: number, code: NarInfoErrorCode): Named {
  const colon = text.indexOf(":");
  if (colon < 0) throw new NarInfoError(code, `not a ${what}: there is no colon behind a name`);
  const name = text.slice(0, colon);
  checkName(name, what, code);
  const encoded = text.slice(colon + 1);
  const expected = Math.ceil(length / 3) * 4;
  if (encoded.length !== expected) {
    const found = `${encoded.length} characters behind the name, not ${expected}`;
    throw new NarInfoError(code, `not a ${what}: it has ${found}`);
  }
  const bytes = decodeBase64(encoded);
  if (bytes?.length !== length) throw new NarInfoError(code, `not a ${what}: it is not padded base64`);
  return { name, bytes };
}

/** Whether a key, and what it signs, can be called so. */
export function isKeyName(name: string): boolean {
  return name !== "" && !FORBIDDEN.test(name);
}

export function checkName(name: string, what: string, code: NarInfoErrorCode): void {
  if (typeof name !== "string") throw new TypeError(`the name of a ${what}: expected a string`);
  if (name === "") throw new NarInfoError(code, `not a ${what}: its name is empty`);
  if (!isKeyName(name)) {
    throw new NarInfoError(
      code,
      `not a ${what}: its name has white space, a colon or an invisible character`,
    );
  }
}

export function formatNamed({ name, bytes }: Named): string {
  return `${name}:${encodeBase64(bytes)}`;
}
