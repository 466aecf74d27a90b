import { readFileSync } from "node:fs";
import { SCOPES, type Scope } from "../admission/scope.ts";
import { parseTomlTables } from "../config/toml.ts";

/** Whose identity tokens are taken, and what they may do. */
export interface OidcRule {
  /** Who has made the token: an address, as its `iss` says. */
  readonly issuer: string;
  /** For whom it has been made, as its `aud` says. */
  readonly audience: string;
  /** What other claims have to be; `*` in a text stands for any characters. */
  readonly claims: Readonly<Record<string, string | number | boolean>>;
  readonly scope: Scope;
  /** What names of store paths have to begin with for it to tell of them. */
  readonly prefix: string | undefined;
}

const KEYS = new Set(["issuer", "audience", "claims", "scope", "prefix"]);

/**
 * Reads the rules in a TOML file: tables `[[rule]]` with `issuer`, `audience`, `scope`, and perhaps
 * `prefix` and a table `claims`.
 *
 * @throws Error that names the file, the place and what is wrong
 */
export function readOidcRules(path: string): readonly OidcRule[] {
  const content = parseTomlTables(readFileSync(path, "utf8"), path);
  const { rule, ...others } = content;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined)
    throw new Error(`${path}: there is no setting ${JSON.stringify(unknown)}, only [[rule]]`);
  if (!Array.isArray(rule) || rule.length === 0) throw new Error(`${path}: there is no [[rule]]`);
  return rule.map((table, index) => parseOidcRule(table, `${path}: rule ${index + 1}`));
}

/**
 * Reads one rule.
 *
 * @param where for messages
 * @throws Error
 */
export function parseOidcRule(table: unknown, where: string): OidcRule {
  const wrong = (what: string) => new Error(`${where}: ${what}`);
  if (typeof table !== "object" || table === null) throw wrong("it is no table");
  const { issuer, audience, claims = {}, scope, prefix } = table as Record<string, unknown>;
  const unknown = Object.keys(table).find((key) => !KEYS.has(key));
  if (unknown !== undefined) throw wrong(`there is no setting ${JSON.stringify(unknown)}`);
  if (typeof issuer !== "string" || !isAddress(issuer)) {
    throw wrong("issuer has to be an address that begins with https://");
  }
  if (typeof audience !== "string" || audience === "") throw wrong("audience has to be a text");
  if (!SCOPES.some((known) => known === scope)) throw wrong(`scope has to be one of ${SCOPES.join(", ")}`);
  if (prefix !== undefined && typeof prefix !== "string") throw wrong("prefix has to be a text");
  if (
    typeof claims !== "object" ||
    claims === null ||
    Object.values(claims).some((value) => !isPlain(value))
  ) {
    throw wrong("claims has to be a table of texts, numbers and booleans");
  }
  return { issuer, audience, claims: claims as OidcRule["claims"], scope: scope as Scope, prefix };
}

/** In clear text only on this machine. */
function isAddress(text: string): boolean {
  const url = URL.parse(text);
  if (url === null) return false;
  return (
    url.protocol === "https:" ||
    (url.protocol === "http:" && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname))
  );
}

function isPlain(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** Whether claims of a token are what a rule says; the texts compared are never code. */
export function meetsClaims(found: Readonly<Record<string, unknown>>, { claims }: OidcRule): boolean {
  return Object.entries(claims).every(([name, expected]) => {
    const value = Object.hasOwn(found, name) ? found[name] : undefined;
    if (typeof expected !== "string") return value === expected;
    return typeof value === "string" && matches(value, expected);
  });
}

/** Whether a text is what a pattern says in which `*` stands for any characters. */
function matches(text: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return text === pattern;
  const last = rest.pop() as string;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last))
    return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
