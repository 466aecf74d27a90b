import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { believeOnly } from "../compose/authorities.ts";
import { caFileOption } from "./ca-file-option.ts";
import { fetchCacheInfo, isLocalHost, parseCacheUrl, shownUrl } from "./cache-url.ts";
import { netrcToken, withNetrcEntry, withoutNetrcEntry } from "./netrc-entries.ts";
import { print } from "./output.ts";
import { parsed } from "./parse.ts";
import { changeText, readText, tokenFile } from "./user-files.ts";

interface LoginOptions {
  readonly tokenFile?: string;
  readonly caFile?: string;
  readonly json?: boolean;
}

/** `tvix-store login` and `logout`: keeps the token of a server for the other commands, and for Nix. */
export function addLoginCommands(program: Command): void {
  program
    .command("login")
    .description("keep a token for a server, which the other commands and `tvix-store use` then show it")
    .argument("<url>", "such as https://cache.example.org", (text) => parsed(text, parseCacheUrl))
    .option("--token-file <file>", "read the token from there; default stdin")
    .addOption(caFileOption("https"))
    .option("--json", "print an object")
    .action(async (url: URL, { tokenFile: file, caFile, json }: LoginOptions) => {
      believeOnly(caFile);
      if (file === undefined && process.stdin.isTTY) process.stderr.write("Token, and then Ctrl-D: ");
      const token = (file === undefined ? await text(process.stdin) : await readFile(file, "utf8")).trim();
      if (!/^[\x21-\x7e]+$/.test(token)) throw new Error("a token is one word of letters, digits and signs");
      if (url.protocol === "http:" && !isLocalHost(url.hostname)) {
        process.stderr.write("tvix-store: without TLS everybody on the way can read the token\n");
      }
      await fetchCacheInfo(url, token);
      const kept = tokenFile();
      await changeText(kept, (entries) => withNetrcEntry(entries, url.origin, token), 0o600);
      if (json === true) await print(`${JSON.stringify({ url: shownUrl(url), file: kept })}\n`);
      else process.stderr.write(`the token for ${shownUrl(url)} is kept in ${kept}\n`);
    });
  program
    .command("logout")
    .description("forget the token for a server")
    .argument("<url>", "as it was given to login", (text) => parsed(text, parseCacheUrl))
    .option("--json", "print an object")
    .action(async (url: URL, { json }: { json?: boolean }) => {
      const kept = tokenFile();
      if (!(await changeText(kept, (entries) => withoutNetrcEntry(entries, url.origin), 0o600))) {
        throw new Error(`there is no token for ${url.origin} in ${kept}`);
      }
      if (json === true) await print(`${JSON.stringify({ url: shownUrl(url), file: kept })}\n`);
    });
}

/** The token that is kept for a server, by its scheme, host and port; undefined where there is none. */
export async function keptToken(origin: string): Promise<string | undefined> {
  return netrcToken(await readText(tokenFile()), origin);
}
