import { join } from "node:path";
import { folderOf } from "./home.ts";

/** `$XDG_DATA_HOME/tvix-store`, by default `~/.local/share/tvix-store`. */
export function defaultDataDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return join(folderOf(environment["XDG_DATA_HOME"], ".local", "share"), "tvix-store");
}
