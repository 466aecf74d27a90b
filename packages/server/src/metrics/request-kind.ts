/** Paths of the binary cache and of the server itself, by what they are. */
const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^\/[0-9a-z]{32}\.narinfo$/, "narinfo"],
  [/^\/[0-9a-z]{32}\.ls$/, "listing"],
  [/^\/nar\//, "nar"],
  [/^\/(?:web\/.*)?$/, "page"],
  [/^\/castore\//, "castore"],
  [/^\/serve\//, "serve"],
  [/^\/get-narinfos-v1$/, "narinfo-batch"],
  [/^\/closure\//, "closure"],
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
 * @param path without a query
 * @param calls paths of the calls there are
 */
export function requestKind(method: string, path: string, calls: ReadonlySet<string>): string {
  if (calls.has(path)) return path.slice(1);
  const kind = kindOfPath(path);
  if (kind === undefined && CALL.test(path)) return "unknown call";
  return NAMES[METHODS.has(method) ? method : "other"]?.[kind ?? "other"] as string;
}

function kindOfPath(path: string): string | undefined {
  for (const [pattern, kind] of KINDS) if (pattern.test(path)) return kind;
  return undefined;
}

const METHODS = new Set(["GET", "HEAD", "PUT", "POST", "OPTIONS"]);

/** Every name there is, by method and kind: made once, and not with every request. */
const NAMES: Readonly<Record<string, Readonly<Record<string, string>>>> = Object.fromEntries(
  [...METHODS, "other"].map((method) => [
    method,
    Object.fromEntries(
      [...KINDS.map(([, kind]) => kind), "other"].map((kind) => [kind, `${method} ${kind}`]),
    ),
  ]),
);
