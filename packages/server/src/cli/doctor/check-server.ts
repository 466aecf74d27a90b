import { parseCacheInfo } from "@tvix/narinfo";
import { readStart } from "../cache-url.ts";
import { describeFailure } from "../failure.ts";
import { keptToken } from "../login-command.ts";
import { readNixSettings } from "../look/nix-settings.ts";
import { type Finding, note, ok, problem } from "./finding.ts";

const TIMEOUT_MS = 10_000;

/** Longest answer that is looked at, in bytes. */
const MAX_BYTES = 64 << 10;

/** Clocks that differ by more make tokens valid too early or too late, in milliseconds. */
const CLOCKS_DIFFER_MS = 30_000;

/** Looks at a server as a client and as Nix do. @param url without a slash at its end */
export async function checkServer(url: string): Promise<readonly Finding[]> {
  const subject = `server ${url}`;
  const token = process.env["TVIX_STORE_TOKEN"] || (await keptToken(new URL(url).origin));
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const get = (path: string) => fetch(`${url}${path}`, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  let ready: Response;
  const asked = Date.now();
  try {
    ready = await get("/readyz");
  } catch (error) {
    return [problem(subject, `does not answer: ${describeFailure(error)}`, adviceFor(error))];
  }
  const took = Date.now() - asked;
  const findings: Finding[] = [ok(subject, `answers in ${took} ms`)];
  findings.push(...clocks(ready.headers.get("date"), asked + took / 2));
  if (ready.status === 404) {
    findings.push(
      note(subject, "tells nothing of its state", "is it a tvix-store, and not something else on that port?"),
    );
  }
  for (const line of (await readStart(ready, MAX_BYTES)).trim().split("\n")) {
    if (!/^(?:server|storage|upstream) ?.*: /.test(line)) continue;
    findings.push(
      line.endsWith(": ok") ? ok(subject, line) : problem(subject, line, "see the log of the server"),
    );
  }
  try {
    findings.push(...(await cache(url, subject, token, get)));
  } catch (error) {
    findings.push(
      note(subject, `is no binary cache that can be read: ${describeFailure(error)}`, "is it a tvix-store?"),
    );
  }
  return findings;
}

/** How a certificate fails that nobody here has reason to believe. */
const UNKNOWN_CERTIFICATE = /SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)/;

function adviceFor(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown } };
  return UNKNOWN_CERTIFICATE.test(String(cause?.code))
    ? "have commands believe the certificate of your own authority: --ca-file FILE, or TVIX_STORE_CA_FILE in their environment"
    : "start one with `tvix-store daemon`, look at its log, or say --service-addr";
}

function clocks(date: string | null, now: number): readonly Finding[] {
  const theirs = Date.parse(date ?? "");
  if (Number.isNaN(theirs)) return [];
  // They tell whole seconds.
  const apart = Math.abs(theirs + 500 - now);
  if (apart < CLOCKS_DIFFER_MS) return [ok("clock", "is that of the server")];
  const text = `differs from that of the server by ${Math.round(apart / 1000)} s`;
  return [problem("clock", text, "set both by NTP: tokens and certificates depend on it")];
}

async function cache(
  url: string,
  subject: string,
  token: string | undefined,
  get: (path: string) => Promise<Response>,
): Promise<readonly Finding[]> {
  const response = await get("/nix-cache-info");
  if (response.status === 401) {
    const text = token === undefined ? "reading needs a token" : "does not know the token";
    return [problem(subject, text, `tvix-store login ${url}`)];
  }
  if (!response.ok) return [note(subject, "is no binary cache", "gRPC may work nevertheless")];
  const { publicKeys = [] } = parseCacheInfo(await readStart(response, MAX_BYTES));
  if (publicKeys.length === 0) {
    const advice =
      "Nix takes only what others have signed; sign with `tvix-store keys generate` and --signing-key-file";
    return [note(subject, "signs nothing", advice)];
  }
  const { substituters, trustedKeys } = await readNixSettings();
  const names = publicKeys.map(({ name }) => name).join(", ");
  const isTrusted = publicKeys.some((key) =>
    trustedKeys.some((other) => other.toString() === key.toString()),
  );
  const isAsked = substituters.some((other) => other.replace(/\/$/, "") === url);
  if (isTrusted && isAsked) return [ok("Nix", `asks ${url} and trusts ${names}`)];
  const missing = isAsked ? `does not trust ${names}` : `does not ask ${url}`;
  return [note("Nix", missing, `tvix-store use ${url} --write, for those who want what is there`)];
}
