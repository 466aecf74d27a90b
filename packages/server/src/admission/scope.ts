/** What a principal may do: read; add as well; or everything. Each includes those before it. */
export const SCOPES = ["read", "write", "admin"] as const;

/** One of {@link SCOPES}. */
export type Scope = (typeof SCOPES)[number];

/** Whether one scope is enough where another is needed. */
export function includes(scope: Scope, needed: Scope): boolean {
  return SCOPES.indexOf(scope) >= SCOPES.indexOf(needed);
}

/** What everybody may ask for, whoever they are. */
const OPEN = new Set([
  "/",
  "/healthz",
  "/readyz",
  "/grpc.health.v1.Health/Check",
  "/grpc.health.v1.Health/Watch",
]);

/** `/package.Service/Method`. */
const CALL = /^\/[\w.]+\.[A-Z]\w*\/(\w+)$/;

/** Calls for those who run the store. */
const MAINTENANCE = "/tvix_store_ext.v1.MaintenanceService/";

/** Sent by POST although they store nothing: what is asked for would not fit an address. */
const READING_POSTS = new Set(["/get-narinfos-v1"]);

/** Methods of calls that store something. */
const STORING = new Set(["Put", "PutBlobs", "Assemble"]);

/**
 * The scope that a request needs; undefined for what everybody may ask for.
 *
 * @param method of HTTP
 * @param path without a query
 */
export function scopeNeeded(method: string, path: string): Scope | undefined {
  if (OPEN.has(path)) return undefined;
  // The files of the page, which shows nothing without a token where one is needed.
  if (path.startsWith("/web/") && (method === "GET" || method === "HEAD")) return undefined;
  // A preflight has no credentials, and tells nothing.
  if (method === "OPTIONS") return undefined;
  const call = CALL.exec(path)?.[1];
  if (path.startsWith(MAINTENANCE)) return call === "ListPins" ? "read" : "admin";
  if (call !== undefined) return STORING.has(call) ? "write" : "read";
  if (method === "POST" && READING_POSTS.has(path)) return "read";
  return method === "GET" || method === "HEAD" ? "read" : "write";
}
