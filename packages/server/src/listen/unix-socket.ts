import { chmodSync } from "node:fs";
import { chown, lstat, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import type { UnixAddress } from "./listen-address.ts";

/**
 * Has a server listen on a Unix socket. One that a killed process left behind is removed; one that is
 * answered is in use, and anything else that stands there is not ours to remove.
 *
 * @param bind listens on a path; the file is made before it returns
 * @throws Error of the system
 */
export async function bindUnixSocket(
  address: UnixAddress,
  bind: (path: string) => Promise<Server>,
): Promise<Server> {
  const server = await bindFree(address, bind);
  const { path, uid, gid } = address;
  try {
    // -1 leaves it as it is.
    if (uid !== undefined || gid !== undefined) await chown(path, uid ?? -1, gid ?? -1);
  } catch (error) {
    server.close();
    throw error;
  }
  return server;
}

async function bindFree(
  { path, mode }: UnixAddress,
  bind: (path: string) => Promise<Server>,
): Promise<Server> {
  const bindHere = () => withMode(mode, path, () => bind(path));
  try {
    return await bindHere();
  } catch (error) {
    if (codeOf(error) !== "EADDRINUSE") throw error;
    if (!(await lstat(path)).isSocket()) {
      throw new Error(`cannot listen on ${path}: a file that is no socket stands there`, { cause: error });
    }
    if (await isAnswered(path)) throw error;
    await unlink(path);
    return await bindHere();
  }
}

/** Makes a file to which nobody else has access for a moment, and then those who may. */
async function withMode<T>(mode: number | undefined, path: string, make: () => Promise<T>): Promise<T> {
  if (mode === undefined) return await make();
  // The system makes the file within the call, before anything else runs.
  const before = process.umask(0o777 & ~mode);
  let made: Promise<T>;
  try {
    made = make();
  } finally {
    process.umask(before);
  }
  const result = await made;
  chmodSync(path, mode);
  return result;
}

async function isAnswered(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => resolve(codeOf(error) !== "ECONNREFUSED"));
  });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
