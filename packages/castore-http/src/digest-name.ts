import { B3Digest, CastoreError } from "@tvix/castore";
import { CastoreHttpError } from "./errors.ts";

/** A digest in a URL, and of which kind of node it is, where that was said. */
export interface DigestName {
  readonly digest: B3Digest;
  readonly type: "directory" | "file" | undefined;
}

/**
 * Reads 64 hexadecimal digits, or `blake3-` or `b3:` and base64, also with the characters that URLs leave alone
 * and without padding; perhaps with `directory:` or `file:` in front.
 *
 * @throws CastoreHttpError 400
 */
export function parseDigestName(text: string): DigestName {
  const [, type, rest = text] = /^(directory|file):(.*)$/.exec(text) ?? [];
  const [, prefix, digits = ""] = /^(blake3-|b3:)([\w+/-]{43})=?$/.exec(rest) ?? [];
  const plain = prefix === undefined ? rest : `${prefix}${digits.replaceAll("-", "+").replaceAll("_", "/")}=`;
  try {
    return { digest: B3Digest.parse(plain), type: type as DigestName["type"] };
  } catch (cause) {
    if (!CastoreError.is(cause)) throw cause;
    throw new CastoreHttpError(400, cause.message, { cause });
  }
}
