import { encodeBase64 } from "@tvix/byte-stream";
import type { Node } from "./node.ts";

/**
 * A node as JSON has it: `type`, `digest` as snix writes it, `size`, `executable`, `target`. A size that is too
 * large for a number is a string of digits.
 */
export function nodeToJson(node: Node): Record<string, unknown> {
  if (node.type === "symlink") return { type: node.type, ...bytesToJson("target", node.target.bytes) };
  const size = node.size <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(node.size) : String(node.size);
  const common = { type: node.type, digest: node.digest.toString(), size };
  return node.type === "file" ? { ...common, executable: node.executable } : common;
}

/** Bytes as text where they are UTF-8; where they are not, in base64 as well, in a field with `Base64` at its end. */
export function bytesToJson(field: string, bytes: Uint8Array): Record<string, unknown> {
  const text = utf8(bytes);
  if (text !== undefined) return { [field]: text };
  return { [field]: new TextDecoder().decode(bytes), [`${field}Base64`]: encodeBase64(bytes) };
}

/** Text of bytes that are UTF-8; undefined for those that are not. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
