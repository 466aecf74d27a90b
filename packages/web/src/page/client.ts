import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { LookupService } from "@tvix/protocol/lookup";
import { MaintenanceService } from "@tvix/protocol/maintenance";

/** Where the token is kept: until the tab is closed, and for no other one. */
const TOKEN = "tvix-store-token";

const needed = new EventTarget();

/** Calls back when the server has asked for a token, or for another one; returns what ends that. */
export function onTokenNeeded(callback: () => void): () => void {
  needed.addEventListener("needed", callback);
  return () => needed.removeEventListener("needed", callback);
}

/** The token that was given, empty for none. */
export function keptToken(): string {
  return sessionStorage.getItem(TOKEN) ?? "";
}

/** Keeps a token; an empty one is forgotten. */
export function keepToken(token: string): void {
  if (token === "") sessionStorage.removeItem(TOKEN);
  else sessionStorage.setItem(TOKEN, token);
}

/** Asks the server, with the token that is kept. The browser is not to ask for a password by itself. */
async function ask(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const token = keptToken();
  if (token !== "") headers.set("authorization", `Bearer ${token}`);
  const response = await fetch(input, { ...init, headers, credentials: "omit" });
  if (response.status === 401) needed.dispatchEvent(new Event("needed"));
  return response;
}

const transport = createConnectTransport({ baseUrl: location.origin, fetch: ask, useBinaryFormat: true });

/** Look-ups of store paths. */
export const lookup: Client<typeof LookupService> = createClient(LookupService, transport);

/** What those who run the store do; the page asks for its pins only. */
export const maintenance: Client<typeof MaintenanceService> = createClient(MaintenanceService, transport);

/** A resource of the server. @throws Error with what the server says */
export async function get(path: string): Promise<Response> {
  const response = await ask(path);
  if (!response.ok) throw new Error(`${response.status}: ${(await response.text()).slice(0, 300).trim()}`);
  return response;
}
