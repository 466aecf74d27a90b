import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";

/** Whether a path is, or lies below, another one; links on the way to them are followed, and neither need be there. */
export async function isWithin(path: string, folder: string): Promise<boolean> {
  const [inner, outer] = [await realPathOf(path), await realPathOf(folder)];
  return inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : `${outer}${sep}`);
}

/** What a path leads to, as far as that is there. */
async function realPathOf(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(await realPathOf(parent), basename(absolute));
  }
}

/** @throws Error for a place that a store would be replaced or mixed up by: one that it lies in, or that lies in it */
export async function refuseStoreAt(destination: string, data: string | undefined): Promise<void> {
  if (data === undefined) return;
  if (await isWithin(destination, data)) throw new Error(`${destination} lies in the data directory ${data}`);
  if (await isWithin(data, destination)) throw new Error(`the data directory ${data} lies in ${destination}`);
}
