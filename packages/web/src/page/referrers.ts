import type { StorePath } from "@tvix/nix-compat";
import { parsePathInfo } from "@tvix/store";
import { lookup } from "./client.ts";

/** Names of the paths that refer to one, but for itself: all paths are looked through. */
export async function findReferrers(path: StorePath): Promise<readonly string[]> {
  const names: string[] = [];
  let pageToken = "";
  do {
    const { pathInfos, nextPageToken } = await lookup.list({ pageSize: 1000, pageToken });
    for (const { storePath, references } of pathInfos.map(parsePathInfo)) {
      if (!storePath.equals(path) && references.some((reference) => reference.equals(path)))
        names.push(`${storePath}`);
    }
    pageToken = nextPageToken;
  } while (pageToken !== "");
  return names.sort((a, b) => (a.slice(33) < b.slice(33) ? -1 : 1));
}
