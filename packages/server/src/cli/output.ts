import { once } from "node:events";
import type { Node } from "@tvix/castore";

/** Writes to stdout and waits until it takes more. */
export async function print(output: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(output)) await once(process.stdout, "drain");
}

/** Lets a reader of stdout go when it has seen enough: the process ends at once, with success. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`tvix-store: cannot write to stdout: ${error.message}\n`);
    process.exit(1);
  });
}

/** A node as JSON, for `--json`. A size that is too large for a number is a string of digits. */
export function nodeToJson(node: Node): Record<string, unknown> {
  if (node.type === "symlink") return { type: node.type, ...bytesToJson("target", node.target.bytes) };
  const size = node.size <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(node.size) : String(node.size);
  const common = { type: node.type, digest: node.digest.toString(), size };
  return node.type === "file" ? { ...common, executable: node.executable } : common;
}

/** Bytes as text where they are UTF-8, and in base64 as well where they are not. */
export function bytesToJson(field: string, bytes: Uint8Array): Record<string, unknown> {
  const text = Buffer.from(bytes).toString("utf8");
  if (Buffer.from(text, "utf8").equals(bytes)) return { [field]: text };
  return { [field]: text, [`${field}Base64`]: Buffer.from(bytes).toString("base64") };
}
