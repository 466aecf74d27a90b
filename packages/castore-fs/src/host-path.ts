import { lstat } from "node:fs/promises";
import { escapeBytes } from "@tvix/byte-stream";
import { CastoreError, type CastoreErrorCode } from "@tvix/castore";

/** A path of the host: bytes, because names need not be UTF-8. */
export type HostPath = Buffer;

/** The path of an entry of a directory. */
export function joinPath(directory: HostPath, name: Uint8Array): HostPath {
  return Buffer.concat([directory, Buffer.from("/"), name]);
}

/** What a terminal would obey, or that would make a message two: controls, what has no shape, marks of direction. */
const SPECIAL = /[\p{C}\p{Zl}\p{Zp}]/u;

/** A path for a message: as text where it is UTF-8 that can be shown, escaped where it is not. */
export function showPath(path: HostPath): string {
  const text = path.toString("utf8");
  return Buffer.from(text, "utf8").equals(path) && !SPECIAL.test(text) ? text : escapeBytes(path);
}

/** Runs a file system operation; its failure names the path. */
export async function onPath<T>(verb: string, path: HostPath, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    throw failureOn(verb, path, cause);
  }
}

/** The same for an operation that does not wait. */
export function onPathSync<T>(verb: string, path: HostPath, operation: () => T): T {
  try {
    return operation();
  } catch (cause) {
    throw failureOn(verb, path, cause);
  }
}

const CODES: Readonly<Record<string, CastoreErrorCode>> = {
  ENOSPC: "NO_SPACE",
  EDQUOT: "NO_SPACE",
  EEXIST: "ALREADY_EXISTS",
};

function failureOn(verb: string, path: HostPath, cause: unknown): unknown {
  if (CastoreError.is(cause) || !isSystemError(cause)) return cause;
  const shown = showPath(path);
  return new CastoreError(CODES[cause.code] ?? "STORAGE_FAILURE", `cannot ${verb} ${shown}: ${cause.code}`, {
    cause,
    subject: shown,
  });
}

function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string";
}

/** Whether anything stands at a path; a link is something, wherever it leads. */
export async function exists(path: HostPath): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
