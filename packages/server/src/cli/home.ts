import { homedir, userInfo } from "node:os";
import { isAbsolute, join } from "node:path";

/**
 * A folder of a user (XDG Base Directory Specification).
 *
 * @param given what its variable says; what is not absolute counts as not set
 * @param usual where it is otherwise, below the home of the user
 */
export function folderOf(given: string | undefined, ...usual: readonly string[]): string {
  if (given !== undefined && isAbsolute(given)) return given;
  const home = homedir();
  return join(isAbsolute(home) ? home : userInfo().homedir, ...usual);
}
