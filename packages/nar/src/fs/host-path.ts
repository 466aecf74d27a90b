import { escapeBytes } from "@tvix/byte-stream";
import { NarError } from "../errors.ts";

/** A path of the host: bytes, because names need not be UTF-8. */
export type HostPath = Buffer;

/** The path of an entry of a directory. */
export function joinPath(directory: HostPath, name: Uint8Array): HostPath {
  return Buffer.concat([directory, Buffer.from("/"), name]);
}

/** A path for a message. */
export function showPath(path: HostPath): string {
  const text = path.toString("utf8");
  return Buffer.from(text, "utf8").equals(path) ? text : escapeBytes(path);
}

/** Runs a file system operation; its failure names the path. */
export async function onPath<T>(verb: string, path: HostPath, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    if (!(cause instanceof Error) || !("syscall" in cause) || !("code" in cause)) throw cause;
    const code = cause.code === "EEXIST" ? "ALREADY_EXISTS" : "FILE_SYSTEM_FAILURE";
    throw new NarError(code, `cannot ${verb} ${showPath(path)}: ${cause.code}`, { cause });
  }
}
