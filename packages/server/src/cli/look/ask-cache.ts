import { fingerprint, type NarInfo, type PublicKey, parseNarInfo } from "@tvix/narinfo";
import type { StorePath } from "@tvix/nix-compat";
import { parseCacheUrl, readStart, shownUrl } from "../cache-url.ts";
import { describeFailure } from "../failure.ts";
import { keptToken } from "../login-command.ts";

/** What one store said of a path. */
export interface Said {
  readonly store: string;
  /** Whether Nix would take the path from it. */
  readonly outcome: "usable" | "missing" | "unusable" | "failed";
  /** In words. */
  readonly text: string;
}

const TIMEOUT_MS = 15_000;
const MAX_NARINFO_BYTES = 8 << 20;

/** Asks a binary cache as Nix would: narinfo, signature, NAR. */
export async function askCache(
  address: string,
  path: StorePath,
  trustedKeys: readonly PublicKey[],
): Promise<Said> {
  const said = (outcome: Said["outcome"], text: string): Said => ({ store: address, outcome, text });
  try {
    if (!/^https?:/.test(address))
      return said("failed", "it is no binary cache by HTTP, and is not asked here");
    const url = parseCacheUrl(address);
    const at = `${shownUrl(url)}/${path.digestText()}.narinfo`;
    const response = await ask(at, url);
    if (response.status === 404 || response.status === 403)
      return said("missing", `no narinfo (${response.status})`);
    if (response.status === 401) return said("failed", "it needs a token: see `tvix-store login`");
    if (!response.ok) return said("failed", `it answers ${response.status} for the narinfo`);
    const info = parseNarInfo(await readStart(response, MAX_NARINFO_BYTES));
    if (!info.storePath.equals(path))
      return said("unusable", `it has ${info.storePath} there, of another name`);
    const distrust = distrustOf(info, trustedKeys);
    if (distrust !== undefined) return said("unusable", distrust);
    const nar = await ask(new URL(info.url, `${shownUrl(url)}/`).href, url, "HEAD");
    if (!nar.ok) return said("unusable", `a narinfo is there, but its NAR is answered with ${nar.status}`);
    return said("usable", `narinfo and NAR are there, ${signedBy(info)}`);
  } catch (error) {
    return said("failed", describeFailure(error));
  }
}

/** The token of a cache is shown to it alone, wherever a narinfo leads. */
async function ask(at: string, { origin }: URL, method = "GET"): Promise<Response> {
  const token = new URL(at).origin === origin ? await keptToken(origin) : undefined;
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return await fetch(at, { method, headers, redirect: "follow", signal: AbortSignal.timeout(TIMEOUT_MS) });
}

/** Why Nix would not take it, where it would not. */
function distrustOf(info: NarInfo, keys: readonly PublicKey[]): string | undefined {
  if (info.contentAddress !== undefined) return undefined;
  const text = fingerprint(info);
  if (keys.some((key) => info.signatures.some((signature) => key.verify(text, signature)))) return undefined;
  const names = keys.map(({ name }) => name).join(", ");
  return `it is there, ${signedBy(info)}, and Nix trusts ${names === "" ? "no key" : names}`;
}

function signedBy({ signatures }: NarInfo): string {
  return signatures.length === 0 ? "unsigned" : `signed by ${signatures.map(({ name }) => name).join(", ")}`;
}
