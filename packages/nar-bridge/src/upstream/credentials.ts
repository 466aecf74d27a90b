import { readFile } from "node:fs/promises";
import { findInNetrc } from "./netrc.ts";

/**
 * Gives the value of the header `Authorization`, or undefined where there is none. A function, so
 * that no log and no message shows it with what it belongs to.
 *
 * @throws Error when a file cannot be read
 */
export type Credentials = () => Promise<string | undefined>;

/**
 * The credentials for an upstream: user and password in its address, or else a file.
 *
 * @throws TypeError when there are several
 */
export function credentialsOf(
  url: URL,
  files: { readonly netrcFile: string | undefined; readonly bearerTokenFile: string | undefined },
): Credentials | undefined {
  const { netrcFile, bearerTokenFile } = files;
  const hasUser = url.username !== "" || url.password !== "";
  if ([hasUser, netrcFile !== undefined, bearerTokenFile !== undefined].filter(Boolean).length > 1) {
    throw new TypeError(
      `upstream ${url.host}: of a user in the address, netrc-file and bearer-token-file only one can be given`,
    );
  }
  if (hasUser) {
    const value = basic(decoded(url, url.username), decoded(url, url.password));
    return async () => value;
  }
  if (bearerTokenFile !== undefined) {
    return async () => `Bearer ${(await readFile(bearerTokenFile, "utf8")).trim()}`;
  }
  if (netrcFile === undefined) return undefined;
  return async () => {
    const found = findInNetrc(await readFile(netrcFile, "utf8"), url.hostname);
    return found === undefined ? undefined : basic(found.login, found.password);
  };
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

/** Where a percent sign stands for itself, it is written as %25. */
function decoded(url: URL, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError(
      `upstream ${url.host}: a % in user or password is to be followed by two hexadecimal digits`,
    );
  }
}
