import type { SymlinkTarget } from "@tvix/castore";

const SLASH = 0x2f;

/** Where `/serve/` is in the file system of those who use it. */
const STORE_DIR = "/nix/store/";

/**
 * Where a link leads.
 *
 * @param names from the top down to the directory that the link lies in
 * @param behind what was asked for below the link
 * @returns names from the same top, `store` for those below the store directory; undefined for a place outside
 */
export function resolveLink(
  target: SymlinkTarget,
  names: readonly Uint8Array[],
  behind: readonly Uint8Array[],
): { readonly top: "same" | "store"; readonly names: readonly Uint8Array[] } | undefined {
  const text = Buffer.from(target.bytes).toString("latin1");
  const isAbsolute = text.startsWith("/");
  if (isAbsolute && !text.startsWith(STORE_DIR)) return undefined;
  const followed = isAbsolute ? [] : [...names];
  for (const name of split(isAbsolute ? target.bytes.subarray(STORE_DIR.length) : target.bytes)) {
    const short = name.length <= 2 ? Buffer.from(name).toString("latin1") : undefined;
    if (short === ".") continue;
    if (short !== "..") followed.push(name);
    else if (followed.pop() === undefined) return undefined;
  }
  return { top: isAbsolute ? "store" : "same", names: [...followed, ...behind] };
}

function split(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(SLASH); end !== -1; end = bytes.indexOf(SLASH, start)) {
    parts.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return [...parts, bytes.subarray(start)].filter(({ length }) => length > 0);
}
