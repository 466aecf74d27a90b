import { decodeNixbase32 } from "@tvix/nix-compat";
import { type PathInfo, parsePathInfo } from "@tvix/store";
import { lookup } from "./client.ts";

/** Some of the paths of a store. */
export interface PathPage {
  readonly infos: readonly PathInfo[];
  /** Asks for the next ones; empty where there are none. */
  readonly next: string;
}

/** What is typed is the beginning of a hash, or a part of a name. */
const HASH = /^(?:\/nix\/store\/)?([0-9a-df-np-sv-z]{6,32})(?:-.*)?$/;

/** Paths that are searched for, a page of them. */
export async function searchPaths(text: string, pageToken: string): Promise<PathPage> {
  const hash = HASH.exec(text)?.[1];
  const byHash = hash === undefined ? undefined : await page({ digestPrefix: hash, pageToken });
  return byHash !== undefined && byHash.infos.length > 0
    ? byHash
    : await page({ nameContains: text, pageToken });
}

async function page(request: {
  digestPrefix?: string;
  nameContains?: string;
  pageToken: string;
}): Promise<PathPage> {
  const { pathInfos, nextPageToken } = await lookup.list({ ...request, pageSize: 100 });
  return { infos: pathInfos.map(parsePathInfo), next: nextPageToken };
}

/** A path, and when it came. */
export interface NewPath {
  readonly info: PathInfo;
  /** In milliseconds since 1970. */
  readonly time: number;
}

/** The paths that came last, the newest first. */
export async function newestPaths(): Promise<readonly NewPath[]> {
  const { paths } = await lookup.listNewest({ count: 10 });
  return paths.flatMap(({ pathInfo, timeMillis }) =>
    pathInfo === undefined ? [] : [{ info: parsePathInfo(pathInfo), time: Number(timeMillis) }],
  );
}

/** What is known of paths, as far as it is. */
export async function getPaths(digests: readonly Uint8Array[]): Promise<readonly PathInfo[]> {
  const infos: PathInfo[] = [];
  for await (const { pathInfo } of lookup.getMany({ pathDigests: [...digests] })) {
    if (pathInfo !== undefined) infos.push(parsePathInfo(pathInfo));
  }
  return infos;
}

/** What is known of a path by its base name. @throws Error when nothing is */
export async function getPath(name: string): Promise<PathInfo> {
  const digest = decodeNixbase32(name.slice(0, 32));
  const [info] = digest === undefined ? [] : await getPaths([digest]);
  if (info === undefined) throw new Error(`${name} is not in the store`);
  return info;
}

/** The address of a path on this page. */
export function linkOf(name: string): string {
  return `#/path/${name}`;
}
