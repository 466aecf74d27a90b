import { homedir } from "node:os";
import { join } from "node:path";

/** `$XDG_DATA_HOME/tvix-store`, by default `~/.local/share/tvix-store`. */
export function defaultDataDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const dataHome = environment["XDG_DATA_HOME"];
  const base = dataHome === undefined || dataHome === "" ? join(homedir(), ".local", "share") : dataHome;
  return join(base, "tvix-store");
}
