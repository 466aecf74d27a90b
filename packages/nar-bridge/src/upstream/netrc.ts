/** How to log in at a machine. */
export interface NetrcEntry {
  readonly login: string;
  readonly password: string;
}

/**
 * The entry of a host in a netrc file: the first of its name, or else the default. Quotes around
 * a word, in which spaces may stand, are understood; macros are not, and end the file.
 *
 * Source: the manual page netrc(5), and what curl reads.
 */
export function findInNetrc(text: string, host: string): NetrcEntry | undefined {
  const found = text.replaceAll(/^\s*#.*$/gm, "").matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g);
  const words = Array.from(
    found,
    ([, quoted, plain]) => plain ?? (quoted as string).replaceAll(/\\(.)/g, "$1"),
  ).values();
  let name: string | undefined;
  let login = "";
  let password: string | undefined;
  const entry = () =>
    password !== undefined && (name === host || name === "") ? { login, password } : undefined;
  for (let word = words.next(); word.done !== true; word = words.next()) {
    switch (word.value) {
      case "machine":
      case "default": {
        const found = entry();
        if (found !== undefined) return found;
        name = word.value === "default" ? "" : String(words.next().value);
        login = "";
        password = undefined;
        break;
      }
      case "login":
        login = String(words.next().value ?? "");
        break;
      case "password":
        password = String(words.next().value ?? "");
        break;
      case "account":
        words.next();
        break;
      default:
        return entry();
    }
  }
  return entry();
}
