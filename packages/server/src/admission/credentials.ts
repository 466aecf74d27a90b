/** What a request shows of who sends it. */
export type Credentials =
  | { readonly type: "none" }
  /** A token, from `Authorization: Bearer` or as the password of `Basic`, which is what Nix's netrc makes. */
  | { readonly type: "token"; readonly text: string }
  | { readonly type: "unreadable" };

const NONE: Credentials = { type: "none" };
const UNREADABLE: Credentials = { type: "unreadable" };

/** Longest Authorization that is looked at, in characters: identity tokens have a few thousand. */
const MAX_CHARACTERS = 16 << 10;

/** Reads the Authorization of a request (RFC 7617 and 6750). The user of `Basic` may be any. */
export function parseCredentials(authorization: string | undefined): Credentials {
  if (authorization === undefined || authorization === "") return NONE;
  if (authorization.length > MAX_CHARACTERS) return UNREADABLE;
  const [, scheme = "", value = ""] = /^([a-z]+) +([\x21-\x7e]+) *$/i.exec(authorization) ?? [];
  switch (scheme.toLowerCase()) {
    case "bearer":
      return { type: "token", text: value };
    case "basic": {
      const text = Buffer.from(value, "base64").toString("latin1");
      const colon = text.indexOf(":");
      if (colon < 0) return UNREADABLE;
      // Some tools have room for a user only.
      return { type: "token", text: text.slice(colon + 1) || text.slice(0, colon) };
    }
    default:
      return UNREADABLE;
  }
}
