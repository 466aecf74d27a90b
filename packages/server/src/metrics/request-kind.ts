/** Paths of the binary cache and of the server itself, by what they are. */
const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^\/[0-9a-z]{32}\.narinfo$/, "narinfo"],
  [/^\/[0-9a-z]{32}\.ls$/, "listing"],
  [/^\/nar\//, "nar"],
  [/^\/nix-cache-info$/, "nix-cache-info"],
  [/^\/(log|realisations|build-trace-v2|debuginfo)\//, "side-file"],
  [/^\/(healthz|readyz)$/, "health"],
  [/^\/metrics$/, "metrics"],
];

const CALL = /^\/[\w.]+\.[A-Z]\w*\/\w+$/;

/**
 * What a request is counted as: its call, or its method and what its path names. There are few of them,
 * whatever clients ask for.
 *
 * @param calls paths of the calls there are
 */
export function requestKind(method: string, path: string, calls: ReadonlySet<string>): string {
  const bare = path.replace(/\?.*$/, "");
  if (calls.has(bare)) return bare.slice(1);
  if (CALL.test(bare)) return "unknown call";
  const kind = KINDS.find(([pattern]) => pattern.test(bare))?.[1] ?? "other";
  return `${METHODS.has(method) ? method : "other"} ${kind}`;
}

const METHODS = new Set(["GET", "HEAD", "PUT", "POST", "OPTIONS"]);
