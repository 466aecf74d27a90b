import { parseCacheInfo } from "@tvix/narinfo";
import { get } from "./client.ts";

/** Some of the files of a name. */
export interface FilesPage {
  readonly files: readonly {
    readonly storePath: string;
    readonly path: string;
    /** Where the path is not UTF-8. */
    readonly pathBase64?: string;
    readonly type: "directory" | "regular" | "symlink";
    readonly size?: number | string;
  }[];
  /** Asks for the next ones; undefined where there are none. */
  readonly next?: string | undefined;
}

/** Whether something can be the end of a path in a tree. */
export function isFileName(text: string): boolean {
  return text.split("/").every((name) => !["", ".", ".."].includes(name) && name.length <= 255);
}

/** Files of a name, a page of them; undefined where the server keeps no index of files. */
export async function findFiles(name: string, after: string | undefined): Promise<FilesPage | undefined> {
  const info = parseCacheInfo(await (await get("/nix-cache-info")).text());
  if (info.fileIndex === undefined) return undefined;
  const rest = after === undefined ? "" : `&after=${after}`;
  const response = await get(`${info.fileIndex}?name=${encodeURIComponent(name)}${rest}`);
  return (await response.json()) as FilesPage;
}
